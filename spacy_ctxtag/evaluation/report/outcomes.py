"""Probabilities and whether they came true; nine bytes each are kept, as the figures need all of them."""

from array import array
from typing import Any, Dict, List, Optional

import numpy as np

from ..reliability import figures, reliability_table


class Outcomes:
    """Probabilities of what was predicted, and whether it was right."""

    def __init__(self) -> None:
        self._probs = array("d")
        self._hits = bytearray()

    def add(self, probability: Optional[float], hit: bool) -> None:
        """Add a prediction; one without a probability does not count."""
        if probability is not None:
            self._probs.append(probability)
            self._hits.append(hit)

    def __len__(self) -> int:
        return len(self._probs)

    def result(self) -> Optional[Dict[str, Any]]:
        """RETURNS (Optional[Dict[str, Any]]): `calibration` of the schema; None without any probability."""
        if not self._probs:
            return None
        probs, hits = np.asarray(self._probs), np.frombuffer(self._hits, dtype="uint8")
        bins: List[Dict[str, Any]] = [
            {
                "low": each.low,
                "high": each.high,
                "n": each.n,
                "mean_probability": each.mean_prob if each.n else None,
                "share_right": each.share_right if each.n else None,
            }
            for each in reliability_table(probs, hits)
        ]
        means = {"mean_probability": float(probs.mean()), "share_right": float(hits.mean())}
        return {"n": len(probs), **means, **figures(probs, hits), "bins": bins}
