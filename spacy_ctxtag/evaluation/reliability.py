"""How far probabilities and shares of what is right lie apart: of entities with the probability p, a share p should be.

NumPy only. Figures are fractions, not percent.
"""

import math
from typing import Dict, List, NamedTuple, Tuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import Errors

Floats = NDArray[np.float64]
_EPSILON = 1e-15  # probabilities are this far from 0 and 1 in a log-loss


def ece(probs: ArrayLike, hits: ArrayLike, bins: int = 15, adaptive: bool = False) -> float:
    """Expected calibration error: the mean over bins of |share right - mean probability|, weighted by their sizes.

    probs (ndarray): (N,) probabilities.
    hits (ndarray): (N,) whether each was right.
    bins (int): How many.
    adaptive (bool): Bins of equal mass (Nguyen & O'Connor 2015) instead of equal width (Guo et al. 2017).
    RETURNS (float): In [0, 1]; nan if N = 0.
    RAISES (ValueError): CT514.
    """
    rows = [row for row in reliability_table(probs, hits, bins, adaptive) if row.n]
    total = sum(row.n for row in rows)
    return sum(row.n * abs(row.share_right - row.mean_prob) for row in rows) / total if rows else math.nan


def brier(probs: ArrayLike, hits: ArrayLike) -> float:
    """RETURNS (float): The mean squared distance of probabilities and outcomes (Brier 1950); nan if N = 0."""
    p, y = as_outcomes(probs, hits)
    return float(np.mean((p - y) ** 2)) if len(p) else math.nan


def log_loss(probs: ArrayLike, hits: ArrayLike) -> float:
    """RETURNS (float): The mean of -log P(outcome) in nats; nan if N = 0. Probabilities of 0 and 1 are taken as 1e-15
    and 1 - 1e-15, so that one that is wrong costs 34.5."""
    p, y = as_outcomes(probs, hits)
    p = np.clip(p, _EPSILON, 1 - _EPSILON)
    return float(-np.mean(np.where(y > 0, np.log(p), np.log1p(-p)))) if len(p) else math.nan


class Bin(NamedTuple):
    """A row of a reliability table: probabilities in (low, high], and 0 in the first; in adaptive bins [low, high]."""

    low: float
    high: float
    n: int
    mean_prob: float  # nan if n = 0
    share_right: float  # nan if n = 0


def reliability_table(probs: ArrayLike, hits: ArrayLike, bins: int = 15, adaptive: bool = False) -> List[Bin]:
    """The data of a reliability diagram.

    probs, hits, bins, adaptive: As for `ece`.
    RETURNS (List[Bin]): All bins of equal width, with those that are empty, or the bins of equal mass, without. Equal
        probabilities are always in one bin. Without data: none.
    RAISES (ValueError): CT514.
    """
    p, y = as_outcomes(probs, hits)
    if not len(p):
        return []
    edges = np.arange(bins + 1) / bins  # correctly rounded, so that a probability written as an edge is on it
    index = np.maximum(np.searchsorted(edges, p, side="left") - 1, 0)  # (N,)
    if adaptive:  # by the middle of the ranks of all that are equal
        _, where, counts = np.unique(p, return_inverse=True, return_counts=True)
        index = ((np.cumsum(counts) - counts / 2) / len(p) * bins).astype(np.intp)[where]
    rows = []
    for i in range(bins):
        q = p[index == i]
        if adaptive and len(q):
            rows.append(Bin(float(q.min()), float(q.max()), len(q), float(q.mean()), float(y[index == i].mean())))
        elif not adaptive:
            means = (float(q.mean()), float(y[index == i].mean())) if len(q) else (math.nan, math.nan)
            rows.append(Bin(float(edges[i]), float(edges[i + 1]), len(q), *means))
    return rows


def figures(probs: ArrayLike, hits: ArrayLike) -> Dict[str, float]:
    """RETURNS (Dict[str, float]): ece, ece_adaptive, brier, log_loss."""
    return {
        "ece": ece(probs, hits),
        "ece_adaptive": ece(probs, hits, adaptive=True),
        "brier": brier(probs, hits),
        "log_loss": log_loss(probs, hits),
    }


def as_outcomes(probs: ArrayLike, hits: ArrayLike) -> Tuple[Floats, Floats]:
    """(N,) probabilities, and (N,) outcomes, 0 or 1. RAISES (ValueError): CT514."""
    p, y = np.asarray(probs, dtype=np.float64), np.asarray(hits, dtype=np.float64)
    if p.ndim != 1 or p.shape != y.shape:
        raise ValueError(Errors.CT514.format(met=f"the shapes {p.shape} and {y.shape}"))
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(Errors.CT514.format(met=f"the probability {p[~((p >= 0) & (p <= 1))][0]}"))
    if not ((y == 0) | (y == 1)).all():
        raise ValueError(Errors.CT514.format(met=f"the outcome {y[(y != 0) & (y != 1)][0]}"))
    return p, y
