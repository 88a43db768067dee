"""Minimum Bayes risk: of spans with probabilities, the ones without overlap that score best in expectation.

An answer of n spans has Σ P true ones in expectation, so counts of errors, and F with them, need no paths: only the
probabilities of single spans (Goodman 1996 for labelled brackets). The best set without overlap is weighted interval
scheduling (Kleinberg & Tardos 2005, section 6.1). Where the spans come from is not decided here (see `candidates`).
"""

from typing import Sequence, Tuple, Union

import numpy as np

from .chains import Floats, Ints

Spans = Union[Sequence[Tuple[int, int, int]], Ints]


def best_disjoint(spans: Spans, weights: Floats) -> Ints:
    """Choose the spans without overlap that have the greatest sum of weights, in O(N log N).

    Of equal sums, the one without the last span that only one of them has, by end, start and label.

    spans (ndarray): (N, 3) ints: start, end exclusive, label index; in any order.
    weights (ndarray): (N,) floats; a span whose weight is not above 0 is never chosen.
    RETURNS (ndarray): (n,) intp indices of the spans chosen, in the order of the text.
    """
    weights = np.asarray(weights, dtype=np.float64)
    start, end, label = np.asarray(spans, dtype=np.intp).reshape(-1, 3).T  # (N,)
    order = np.lexsort((label, start, end))
    order = order[weights[order] > 0]
    before = np.searchsorted(end[order], start[order], side="right").tolist()  # how many end where each begins
    best, taken = [0.0], []  # best sum of the first spans, by their number; whether it has the last of them
    for weight, count in zip(weights[order].tolist(), before, strict=True):
        taken.append(best[count] + weight > best[-1])
        best.append(max(best[count] + weight, best[-1]))
    chosen, i = [], len(taken)
    while i:
        if taken[i - 1]:
            chosen.append(i - 1)
            i = before[i - 1]
        else:
            i -= 1
    return order[chosen[::-1]]


def mbr(spans: Spans, probs: Floats, cost: Union[float, Floats]) -> Ints:
    """Choose the spans without overlap that have the greatest Σ (P - cost).

    With one cost c, a true span gains 1 - c and a false one loses c: above c = 1 / 2 precision counts more.

    spans (ndarray): (N, 3) ints: start, end exclusive, label index; in any order.
    probs (ndarray): (N,) probabilities.
    cost (float): Of any span, or (N,) of each.
    RETURNS (ndarray): (n,) intp indices of the spans chosen, in the order of the text.
    """
    return best_disjoint(spans, probs - np.asarray(cost, dtype=np.float64))


def mbr_f(spans: Spans, probs: Floats, expected: float) -> Ints:
    """Choose the n spans without overlap that have the greatest F = 2 Σ P / (n + expected).

    This is the ratio of expectations, not the expectation of the ratio. Fractional programming (Dinkelbach 1967): the
    set with the greatest 2 Σ P - F · (n + expected), for the F of the set before, until F rises no more. Exact.

    spans (ndarray): (N, 3) ints: start, end exclusive, label index; in any order.
    probs (ndarray): (N,) probabilities.
    expected (float): Expected number of entities that are right (see `expected_entities`), at least 0.
    RETURNS (ndarray): (n,) intp indices of the spans chosen, in the order of the text. Without any, F is 0.
    """
    probs = np.asarray(probs, dtype=np.float64)
    chosen, f = np.zeros(0, dtype=np.intp), 0.0
    while True:
        better = best_disjoint(spans, 2.0 * probs - f)
        rise = 2.0 * float(probs[better].sum()) / (len(better) + expected) if len(better) else 0.0
        if rise <= f:
            return chosen
        chosen, f = better, rise
