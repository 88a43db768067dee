"""Strict, exact, partial and type scores as nervaluate defines them (Segura-Bedmar et al. 2013); its package counts.

It compares every span with every other of a document, so it gets those that overlap only, and what it has said of such
a group is remembered: the groups of a corpus are mostly alike. Its version 1.2 needs Python 3.11; without it there are
no such scores.
"""

from functools import lru_cache
from importlib.util import find_spec
from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from .matching import clusters
from .records import Mention

STRATEGIES = {
    "strict": "StrictEvaluation",
    "exact": "ExactEvaluation",
    "partial": "PartialEvaluation",
    "type": "EntityTypeEvaluation",
}
COUNTS = ("correct", "incorrect", "partial", "missed", "spurious")

Ints = NDArray[np.int64]
Places = Tuple[Tuple[int, int, str], ...]


class Schemes:
    """What nervaluate counts: of all labels together, and of each as if there were no others."""

    def __init__(self) -> None:
        self.is_possible = has_nervaluate()
        self._all = np.zeros((len(STRATEGIES), len(COUNTS)), dtype="int64")
        self._labels: Dict[str, Ints] = {}

    def add(self, gold: Sequence[Mention], predicted: Sequence[Mention]) -> None:
        """Add the spans of a document."""
        if not self.is_possible:
            return
        for golds, guesses in clusters(gold, predicted):
            sides = [gold[i] for i in golds], [predicted[j] for j in guesses]
            origin = min(mention.start for side in sides for mention in side)
            wanted, found = (tuple((m.start - origin, m.end - origin, m.label) for m in side) for side in sides)
            self._all += count_group(wanted, found)
            for label in {place[2] for place in (*wanted, *found)}:
                counts = self._labels.setdefault(label, np.zeros_like(self._all))
                counts += count_group(_only(label, wanted), _only(label, found))

    def result(self, label: Optional[str] = None) -> Optional[Dict[str, Dict[str, Any]]]:
        """RETURNS (Optional[Dict]): `schemes` of the schema; of one label, or of all."""
        if not self.is_possible:
            return None
        counts = self._all if label is None else self._labels[label]
        return {name: _scheme(row) for name, row in zip(STRATEGIES, counts.tolist(), strict=True)}


def has_nervaluate() -> bool:
    """RETURNS (bool): Whether its package is installed, in a version that counts as described."""
    return find_spec("nervaluate") is not None and find_spec("nervaluate.strategies") is not None


@lru_cache(maxsize=2**14)
def count_group(gold: Places, predicted: Places) -> Ints:
    """RETURNS (ndarray): (4, 5) counts of spans, by scheme; not to be changed."""
    from nervaluate.entities import Entity

    wanted, found = ([Entity(label, start, end - 1) for start, end, label in side] for side in (gold, predicted))
    results = [strategy.evaluate(wanted, found, [])[0] for strategy in _strategies()]
    return np.array([[getattr(result, name) for name in COUNTS] for result in results], dtype="int64")


@lru_cache(maxsize=1)
def _strategies() -> Sequence[Any]:
    from nervaluate import strategies

    return [getattr(strategies, name)() for name in STRATEGIES.values()]


def _scheme(counts: Sequence[int]) -> Dict[str, Any]:
    """A `scheme` of the schema. The factor of partial matches is without effect where there are none."""
    from nervaluate.entities import EvaluationResult

    result = EvaluationResult(**dict(zip(COUNTS, counts, strict=True)))
    result.compute_metrics(partial_or_type=True)
    scores = {"precision": float(result.precision), "recall": float(result.recall), "f1": float(result.f1)}
    return {**dict(zip(COUNTS, counts, strict=True)), "possible": result.possible, "actual": result.actual, **scores}


def _only(label: str, places: Places) -> Places:
    return tuple(place for place in places if place[2] == label)
