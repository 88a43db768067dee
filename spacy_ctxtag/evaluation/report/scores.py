"""Precision, recall and F of labels, their means over labels, and shares such as accuracies, all with intervals.

Where there is nothing to divide by, a score is 0, as in spaCy, seqeval and nervaluate. Draws of the bootstrap in
which a label's score has nothing to divide by say nothing about it: they do not count; where they are many, it has no
interval.
"""

from collections import Counter
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from .tally import Floats, Key, Tally

HITS, PREDICTED, GOLD = SIDES = ("hits", "predicted", "gold")
RIGHT, ALL = "right", "all"
AVERAGES = ("micro", "macro", "macro_gold", "weighted")
FIGURES = ("precision", "recall", "f1")


class Scores:
    """Counts of labels and of shares.

    shares (Sequence[str]): Names of what is counted besides, as what is right and what there is.
    no_label (Optional[str]): What is counted as predicted where nothing was: has no part in means over labels.
    """

    def __init__(self, shares: Sequence[str], no_label: Optional[str] = None) -> None:
        self.shares = shares
        self.no_label = no_label
        self.tally = Tally()

    def add(
        self,
        hits: Mapping[str, int],
        predicted: Mapping[str, int],
        gold: Mapping[str, int],
        shares: Mapping[str, Tuple[int, int]],
    ) -> None:
        """Add a document: by label what is right, predicted and annotated; by name of a share, what is right, and of
        how many."""
        counts: Counter[Key] = Counter()
        for side, of_labels in zip(SIDES, (hits, predicted, gold), strict=True):
            counts.update({(side, label): n for label, n in of_labels.items()})
        for name, (right, n) in shares.items():
            counts.update({(RIGHT, name): right, (ALL, name): n})
        self.tally.add(counts)

    def count(self, side: str, label: str) -> int:
        """RETURNS (int): How often a label was right, predicted or annotated."""
        return self.tally.totals[side, label]

    @property
    def labels(self) -> List[str]:
        """RETURNS (List[str]): The labels that were annotated or predicted, most frequent first."""
        found = {key[1] for key, n in self.tally.totals.items() if key[0] in (PREDICTED, GOLD) and n}
        return sorted(found, key=lambda label: (-self.count(GOLD, label), -self.count(PREDICTED, label), label))

    def result(self, n_samples: int, seed: int) -> Dict[str, Any]:
        """RETURNS (Dict[str, Any]): `averages` and `labels` of the schema, and by its name each share."""
        labels, n_shares = self.labels, len(self.shares)
        n = len(labels)
        keys: List[Key] = [(side, label) for label in labels for side in SIDES]
        keys += [(side, name) for name in self.shares for side in (RIGHT, ALL)]

        is_label = np.array([label != self.no_label for label in labels], dtype="float64")

        def statistic(totals: Floats) -> Floats:  # (B, C) -> (B, F)
            counts = totals[:, : 3 * n].reshape(len(totals), n, 3)
            table = np.concatenate([averages(counts, is_label), figures(counts)], axis=1)  # (B, 4 + n, 3)
            right, whole = np.moveaxis(totals[:, 3 * n :].reshape(len(totals), n_shares, 2), -1, 0)
            return np.concatenate([table.reshape(len(totals), -1), ratio(right, whole)], axis=1)

        def of_draws(totals: Floats) -> Floats:  # (B, C) -> (B, F); NaN where there is nothing to divide by
            _, predicted, gold = np.moveaxis(totals[:, : 3 * n].reshape(len(totals), n, 3), -1, 0)
            wholes = np.stack([predicted, gold, predicted + gold], axis=-1).reshape(len(totals), -1)
            wholes = np.concatenate([wholes, totals[:, 3 * n :].reshape(len(totals), n_shares, 2)[..., 1]], axis=1)
            found = statistic(totals)
            found[:, 3 * len(AVERAGES) :][wholes == 0] = np.nan
            return found

        totals = np.array([[self.tally.totals[key] for key in keys]], dtype="float64")
        values = statistic(totals)[0].tolist()
        ends = self.tally.draw(of_draws, keys, n_samples, seed)

        def interval(i: int) -> Optional[Dict[str, float]]:
            if ends is None or np.isnan(ends[0][i]):
                return None
            return {"low": float(ends[0][i]), "high": float(ends[1][i])}

        def scored(row: int) -> Dict[str, Any]:
            at = range(3 * row, 3 * row + 3)
            intervals = {name: interval(i) for name, i in zip(FIGURES, at, strict=True)}
            return {**{name: values[i] for name, i in zip(FIGURES, at, strict=True)}, "intervals": intervals}

        found: Dict[str, Any] = {
            "averages": {name: scored(row) for row, name in enumerate(AVERAGES)},
            "labels": [
                {
                    "name": label,
                    "gold": self.count(GOLD, label),
                    "predicted": self.count(PREDICTED, label),
                    "correct": self.count(HITS, label),
                    **scored(len(AVERAGES) + row),
                }
                for row, label in enumerate(labels)
            ],
        }
        for i, name in enumerate(self.shares, start=3 * (len(AVERAGES) + n)):
            right, whole = (self.tally.totals[side, name] for side in (RIGHT, ALL))
            known = {"accuracy": values[i], "interval": interval(i)} if whole else {"accuracy": None, "interval": None}
            found[name] = {"correct": right, "total": whole, **known}
        return found


def ratio(part: Any, whole: Any) -> Any:
    """RETURNS (Floats): part / whole, 0 where there is nothing."""
    return part / np.maximum(1, whole)


def figures(counts: Floats) -> Floats:
    """RETURNS (ndarray): (…, 3) precision, recall and F from hits, predicted and annotated on the last axis."""
    hits, predicted, gold = np.moveaxis(counts, -1, 0)
    return np.stack([ratio(hits, predicted), ratio(hits, gold), ratio(2 * hits, predicted + gold)], axis=-1)


def averages(counts: Floats, is_label: Any = 1.0) -> Floats:
    """RETURNS (ndarray): (B, 4, 3) micro; mean over labels that occur; over those that are annotated; the same
    weighted by how often. From counts (B, L, 3) of L labels; where is_label (L,) is 0, it has no part in the means."""
    of_labels = figures(counts)
    gold = counts[..., 2]
    weights = [(counts[..., 1] + gold > 0) * is_label, (gold > 0) * is_label, gold * is_label]
    means = [ratio((of_labels * w[..., None]).sum(axis=1), w.sum(axis=1)[:, None]) for w in weights]
    return np.stack([figures(counts.sum(axis=1)), *means], axis=1)


def row(name: str, gold: int, predicted: Optional[int], correct: int) -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): A `row` of the schema; without predicted spans, only their recall is known."""
    scores: List[Optional[float]] = figures(np.array([correct, predicted or 0, gold], dtype="float64")).tolist()
    if predicted is None:
        scores = [None, scores[1], None]
    counts = {"name": name, "gold": gold, "predicted": predicted, "correct": correct}
    return {**counts, **dict(zip(FIGURES, scores, strict=True))}
