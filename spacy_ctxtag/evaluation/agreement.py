"""How far annotators agree: statistics over plain arrays, and their intervals over documents.

    Cohen's kappa       (Po - Pe) / (1 - Pe)     Pe: by the labels of each of two annotators (Cohen 1960)
    Fleiss' kappa       the same of n annotators; Pe: by the labels of all of them together (Fleiss 1971)
    Krippendorff's α    1 - Do / De, nominal; units may lack some annotators (Krippendorff 2011)
    F of spans          2 h / (a + b)            h that both have, a and b of either: it does not matter who is the gold
    borders             how many units the borders of mentions that overlap lie apart

Each is a function of counts that are sums over documents, so that documents can be drawn anew (bootstrap, Efron &
Tibshirani 1993, chapter 13). Counts may have axes in front. What is undefined is nan, and None in an `Estimate`: an
F of no spans; a kappa or α where all say one and the same, so that nothing is left to chance.
"""

import math
from typing import AbstractSet, Any, Callable, Dict, Hashable, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .annotations import UnitSpan

Counts = Dict[str, Any]  # by name, (U, …) each: the counts of U documents
Measure = Callable[[Counts], Dict[Hashable, Any]]  # from counts (…, …) to figures (…)

UNKNOWN = -1  # a rating
N_SAMPLES = 9999
BATCH = 2**22  # numbers that are drawn at a time
LEAST_DEFINED = 0.95  # of the draws, for an interval


class Estimate(NamedTuple):
    """A figure, and its 95 % interval over documents. None: undefined, or of too few documents for an interval."""

    value: Optional[float]
    low: Optional[float]
    high: Optional[float]


# Tokens


def code(values: Sequence[Optional[str]], labels: Sequence[str]) -> Any:
    """RETURNS (Ints1d): (T,) the numbers of values among K labels; UNKNOWN for None."""
    numbers = {label: i for i, label in enumerate(labels)}
    return np.array([UNKNOWN if value is None else numbers[value] for value in values], dtype="int64")


def confusion(a: Any, b: Any, n_labels: int) -> Any:
    """RETURNS (Ints2d): (K, K) how often one says k and the other l, of the units that both know.

    a, b (Ints1d): (T,) each, the ratings of two annotators.
    """
    known = (a != UNKNOWN) & (b != UNKNOWN)
    return np.bincount(a[known] * n_labels + b[known], minlength=n_labels**2).reshape(n_labels, n_labels)


def votes(ratings: Any, n_labels: int) -> Any:
    """RETURNS (Ints2d): (T, K) how many say k of each unit. ratings (Ints2d): (A, T)."""
    return np.stack([(ratings == k).sum(axis=0) for k in range(n_labels)], axis=-1)


def cohen_kappa(confusions: Any) -> Any:
    """RETURNS (Floats): (…) Cohen's kappa. confusions (Ints): (…, K, K)."""
    n = confusions.sum(axis=(-2, -1))
    same = np.trace(confusions, axis1=-2, axis2=-1)
    chance = (confusions.sum(axis=-1) * confusions.sum(axis=-2)).sum(axis=-1)  # n² Pe
    return ratio(n * same - chance, n * n - chance)


def count_fleiss(votes: Any, n_raters: int) -> Any:
    """RETURNS (Ints1d): (1 + K) what `fleiss_kappa` takes, of the units that all rate. votes (Ints2d): (T, K)."""
    rated = votes[votes.sum(axis=-1) == n_raters]
    return np.concatenate([[(rated * (rated - 1)).sum()], rated.sum(axis=0)])


def fleiss_kappa(counts: Any, n_raters: int) -> Any:
    """RETURNS (Floats): (…) Fleiss' kappa. counts (Ints): (…, 1 + K), pairs of the same, and ratings by label."""
    n = counts[..., 1:].sum(axis=-1)
    same = ratio(counts[..., 0], n * (n_raters - 1))  # Po
    chance = (counts[..., 1:] ** 2).sum(axis=-1)  # n² Pe
    return ratio(same * n * n - chance, n * n - chance)


def count_alpha(votes: Any) -> Any:
    """RETURNS (Floats1d): (1 + K) what `krippendorff_alpha` takes, of the units that two or more rate.

    votes (Ints2d): (T, K).
    """
    rated = votes[votes.sum(axis=-1) > 1]
    same = (rated * (rated - 1)).sum(axis=-1) / (rated.sum(axis=-1) - 1)
    return np.concatenate([[same.sum()], rated.sum(axis=0)])


def krippendorff_alpha(counts: Any) -> Any:
    """RETURNS (Floats): (…) Krippendorff's α for nominal data. counts (Floats): (…, 1 + K), the diagonal of his
    coincidence matrix, and ratings by label."""
    n = counts[..., 1:].sum(axis=-1)
    differ = n - counts[..., 0]  # n Do
    chance = n * n - (counts[..., 1:] ** 2).sum(axis=-1)  # n (n - 1) De
    return 1 - ratio((n - 1) * differ, chance)


# Spans


def count_spans(a: AbstractSet[UnitSpan], b: AbstractSet[UnitSpan], labels: Sequence[str]) -> Any:
    """RETURNS (Ints2d): (L, 4) for each label: that both have, that overlap, of a, of b."""
    rows = []
    for label in labels:
        one, other = _of(a, label), _of(b, label)
        rows.append([len(one & other), len(overlaps(one, other)), len(one), len(other)])
    return np.array(rows, dtype="int64").reshape(-1, 4)


def overlaps(a: AbstractSet[UnitSpan], b: AbstractSet[UnitSpan]) -> List[Tuple[UnitSpan, UnitSpan]]:
    """Pair off spans that share a unit: as many as can be, each once, the first ones first.

    a, b (AbstractSet[UnitSpan]): Of two annotators; those of one do not overlap each other.
    RETURNS (List[Tuple[UnitSpan, UnitSpan]]): The pairs; the same ones whoever is a.
    """
    left, right = sorted(a), sorted(b)
    pairs, i, j = [], 0, 0
    while i < len(left) and j < len(right):
        one, other = left[i], right[j]
        if one[0] < other[1] and other[0] < one[1]:
            pairs.append((one, other))
            i, j = i + 1, j + 1
        elif one[1] <= other[0]:
            i += 1
        else:
            j += 1
    return pairs


def count_borders(a: AbstractSet[UnitSpan], b: AbstractSet[UnitSpan], labels: Sequence[str]) -> Any:
    """RETURNS (Ints1d): (4,) of mentions of the same label that overlap: how many, how many with the same borders, the
    sum of the distances of their first units, and of their last ones."""
    pairs = [pair for label in labels for pair in overlaps(_of(a, label), _of(b, label))]
    same = sum(one == other for one, other in pairs)
    starts = sum(abs(one[0] - other[0]) for one, other in pairs)
    ends = sum(abs(one[1] - other[1]) for one, other in pairs)
    return np.array([len(pairs), same, starts, ends], dtype="int64")


def _of(spans: AbstractSet[UnitSpan], label: str) -> AbstractSet[UnitSpan]:
    return {span for span in spans if span[2] == label}


def f_spans(hits: Any, n_a: Any, n_b: Any) -> Any:
    """RETURNS (Floats): F, in [0, 1]."""
    return ratio(2 * hits, n_a + n_b)


def ratio(top: Any, bottom: Any) -> Any:
    """RETURNS (Floats): A quotient; nan where there is nothing to divide by."""
    top, bottom = np.asarray(top, dtype="float64"), np.asarray(bottom, dtype="float64")
    return np.divide(top, bottom, out=np.full(np.broadcast(top, bottom).shape, np.nan), where=bottom != 0)


# Intervals


def estimate(
    counts: Counts, measure: Measure, *, n_samples: int = N_SAMPLES, seed: int = 0
) -> Dict[Hashable, Estimate]:
    """Compute figures, and draw documents anew for their intervals (percentiles).

    counts (Counts): Of U documents.
    measure (Measure): What makes figures of sums of counts.
    RETURNS (Dict[Hashable, Estimate]): The figures. There is no interval for fewer than two documents, nor where a
        figure is undefined in more than one of twenty draws.
    """
    n_units = len(next(iter(counts.values())))
    found = measure({name: each.sum(axis=0) for name, each in counts.items()})
    if n_units < 2:
        return {name: Estimate(_number(value), None, None) for name, value in found.items()}
    rng = np.random.default_rng(seed)
    size = sum(each[0].size for each in counts.values())
    batch = max(1, BATCH // max(size, n_units))
    draws: Dict[Hashable, List[Any]] = {name: [] for name in found}
    for start in range(0, n_samples, batch):
        n = min(batch, n_samples - start)
        drawn = rng.multinomial(n_units, np.full(n_units, 1 / n_units), size=n).astype("float64")  # (B, U)
        for name, values in measure({name: _sum(drawn, each) for name, each in counts.items()}).items():
            draws[name].append(values)
    return {name: _with_interval(value, np.concatenate(draws[name])) for name, value in found.items()}


def _sum(drawn: Any, counts: Any) -> Any:
    """RETURNS (Floats): (B, …) sums of counts (U, …), by how often each document was drawn (B, U)."""
    return np.tensordot(drawn, counts.astype("float64"), axes=1)


def _with_interval(value: Any, draws: Any) -> Estimate:
    defined = draws[~np.isnan(draws)]
    if np.isnan(value) or len(defined) < LEAST_DEFINED * len(draws):
        return Estimate(_number(value), None, None)
    low, high = np.percentile(defined, [2.5, 97.5])
    return Estimate(_number(value), float(low), float(high))


def _number(value: Any) -> Optional[float]:
    return None if math.isnan(value) else float(value)
