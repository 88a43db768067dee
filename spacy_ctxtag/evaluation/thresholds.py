"""Score maps and thresholds of one label, found from scores and whether they were right. NumPy only."""

import math
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import Errors
from .reliability import as_outcomes

Floats = NDArray[np.float64]
ScoreMap = List[List[float]]

LEAST_FOR_MAP, LEAST_FOR_THRESHOLD = 20, 10  # candidates of a label
_MARGIN = 1e-4  # at most this far a threshold is below what it keeps, so that rounding does not drop it


def fit_score_map(probs: ArrayLike, hits: ArrayLike) -> Optional[ScoreMap]:
    """Isotonic regression by pool-adjacent-violators (Ayer et al. 1955; Zadrozny & Elkan 2002).

    probs, hits (ndarray): (N,) of one label.
    RETURNS (Optional[ScoreMap]): [[x, …], [y, …]] for `np.interp`: x rises strictly, y does not fall. The y of the data
        are at least 1 / (N + 2) and at most (N + 1) / (N + 2) (Laplace), since N entities cannot show that all are
        right; below the data, the map runs to (0, 0). None if N < 20.
    RAISES (ValueError): CT514.
    """
    p, y = as_outcomes(probs, hits)
    if len(p) < LEAST_FOR_MAP:
        return None
    x, where, counts = np.unique(p, return_inverse=True, return_counts=True)
    blocks: List[Tuple[float, int, float, float]] = []  # share right, size, first x, last x
    for share, size, at in zip(np.bincount(where, y) / counts, counts.tolist(), x.tolist(), strict=True):
        block = (float(share), size, at, at)
        while blocks and blocks[-1][0] >= block[0]:
            last = blocks.pop()
            n = last[1] + block[1]
            block = ((last[0] * last[1] + block[0] * block[1]) / n, n, last[2], block[3])
        blocks.append(block)
    points = {} if x[0] == 0 else {0.0: 0.0}
    for share, _, first, end in blocks:
        points[first] = points[end] = min(max(share, 1 / (len(p) + 2)), (len(p) + 1) / (len(p) + 2))
    return [list(points), list(points.values())]


class LabelThreshold(NamedTuple):
    """The threshold of one label, and what it does to the data it was found on.

    threshold (Optional[float]): Entities with a lower score are dropped; None: none is (see `note`).
    precision_before, precision, recall_before, recall (float): Without and with it; nan where there is nothing.
    n (int): Entities found.
    note (str): Why there is no threshold, else "".
    """

    threshold: Optional[float]
    precision_before: float
    precision: float
    recall_before: float
    recall: float
    n: int
    note: str = ""


def precision_thresholds(
    labels: Sequence[str], probs: ArrayLike, hits: ArrayLike, n_gold: Mapping[str, int], target: float
) -> Dict[str, LabelThreshold]:
    """Find for each label the lowest threshold at which a share of at least `target` of what is kept is right.

    labels (Sequence[str]): (N,) of the entities found.
    probs, hits (ndarray): (N,).
    n_gold (Mapping[str, int]): Gold entities of each label, 0 included.
    target (float): A precision.
    RETURNS (Dict[str, LabelThreshold]): For each label of `n_gold` and `labels`, sorted. The threshold is just below
        the lowest score that is kept, 0 if all are; None if fewer than 10 were found or the target is not reached. It
        was chosen to look well on these data: on others, expect a little less.
    RAISES (ValueError): CT514.
    """
    p, y = as_outcomes(probs, hits)
    names = np.asarray(labels, dtype=object)
    return {
        label: _precision_threshold(p[names == label], y[names == label], n_gold.get(label, 0), target)
        for label in sorted({*n_gold, *labels})
    }


def _precision_threshold(p: Floats, y: Floats, n_gold: int, target: float) -> LabelThreshold:
    """The threshold of one label."""
    precision, recall, n = _ratio(y.sum(), len(p)), _ratio(y.sum(), n_gold), len(p)
    few = f"fewer than {LEAST_FOR_THRESHOLD} found"
    if n < LEAST_FOR_THRESHOLD:
        return LabelThreshold(None, precision, precision, recall, recall, n, few)
    order = np.argsort(-p, kind="stable")
    p, right = p[order], np.cumsum(y[order])  # (N,)
    last = np.flatnonzero(np.append(np.diff(p) != 0, True))  # (groups,) of those that are equal
    enough = last[right[last] / (last + 1) >= target]
    if not len(enough):
        return LabelThreshold(None, precision, precision, recall, recall, n, "not reached")
    at = enough[-1]
    threshold = 0.0 if at == n - 1 else float(max(p[at] - _MARGIN, (p[at] + p[at + 1]) / 2))
    return LabelThreshold(threshold, precision, _ratio(right[at], at + 1), recall, _ratio(right[at], n_gold), n)


def conformal_threshold(gold_probs: ArrayLike, coverage: float) -> float:
    """Split conformal prediction (Vovk et al. 2005; Angelopoulos & Bates 2021): the highest threshold that the score of
    a new gold entity reaches with a probability of at least `coverage`, averaged over samples such as this one.

    gold_probs (ndarray): (N,) scores of all gold entities, whether found or not.
    coverage (float): In (0, 1).
    RETURNS (float): The k-th smallest score, k = floor((N + 1)(1 - coverage)); 0 if k = 0, when there are too few
        entities to exclude any. It holds for exchangeable entities. Those of one document are so only roughly: they
        share a subject and repeat each other, so the coverage varies more from text to text than N suggests.
    RAISES (ValueError): CT304 for a coverage outside (0, 1).
    """
    if not 0 < coverage < 1:
        raise ValueError(Errors.CT304.format(name="coverage", met=coverage, expected="a number between 0 and 1"))
    scores = np.sort(np.asarray(gold_probs, dtype=np.float64))
    k = min(math.floor((len(scores) + 1) * (1 - coverage) + 1e-9), len(scores))  # 10 · (1 - 0.9) is not quite 1
    return float(scores[k - 1]) if k else 0.0


def _ratio(part: Any, whole: int) -> float:
    return float(part) / whole if whole else math.nan
