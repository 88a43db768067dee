"""Paired bootstrap (Efron & Tibshirani 1993, chapter 13) of the difference of two systems, the mean over test sets.

What is drawn, with replacement, are the documents of a test set; its sentences, where it does not say which document
they are from. Both systems, and all seeds, get the same draws. F is averaged over seeds, and these are not drawn. No
spaCy, no torch: NumPy.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from systems.common import Run, spans_of

Counts = np.ndarray  # (U, 3): hits, predicted and gold spans of each unit
SAMPLES = 2000


def unit_counts(run: Run, predictions: list[dict[str, list[str]]]) -> Counts:
    """RETURNS: (U, 3) for the documents (or sentences) of a test set, in their order."""
    rows: dict[str, list[int]] = {}
    for nth, (sentence, tags) in enumerate(zip(run.read("test"), predictions, strict=True)):
        gold, found = set(spans_of(sentence.tags["ner"])), set(spans_of(tags["ner"]))
        row = rows.setdefault(sentence.document or str(nth), [0, 0, 0])
        for column, spans in enumerate((gold & found, found, gold)):
            row[column] += len(spans)
    return np.array(list(rows.values()))


def difference(ours: Sequence[Sequence[dict[str, Any]]], other: Sequence[Sequence[dict[str, Any]]]) -> dict[str, float]:
    """The mean over corpora of the mean over parts of F, ours less the other's.

    ours, other: results by corpus and part (seed or fold), as `accuracy.py` keeps them.
    RETURNS: the difference, and the limits of its 95 % interval, in points of F.
    """
    rng = np.random.default_rng(0)
    points, samples = [], np.zeros(SAMPLES)
    for one, two in zip(ours, other, strict=True):
        weights: dict[int, np.ndarray] = {}
        for a, b in zip(one, two, strict=True):
            run, rival = Run(**a["run"]), Run(**b["run"])
            if (run.seed, run.fold) != (rival.seed, rival.fold):
                raise ValueError(f"{run.name} beside {rival.name}: these cannot be compared")
            counts = [unit_counts(run, a["predictions"]), unit_counts(run, b["predictions"])]
            n_units = len(counts[0])
            if run.fold not in weights:
                weights[run.fold] = rng.multinomial(n_units, np.full(n_units, 1 / n_units), SAMPLES)  # (S, U)
            mine, theirs = (f_of(weights[run.fold] @ each) for each in counts)
            samples += (mine - theirs) / (len(one) * len(ours))
            exact = [float(f_of(each.sum(axis=0, keepdims=True))[0]) for each in counts]
            points.append((exact[0] - exact[1]) / (len(one) * len(ours)))
    low, high = np.percentile(samples, [2.5, 97.5])
    return {"difference": round(sum(points), 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def f_of(counts: np.ndarray) -> np.ndarray:
    """RETURNS: F in percent of each row of hits, predicted and gold."""
    return 200 * counts[:, 0] / np.maximum(1, counts[:, 1] + counts[:, 2])
