"""Whether one of two systems is better: the paired bootstrap (Efron & Tibshirani 1993, chapter 13), and approximate
randomisation (Noreen 1989; Yeh 2000). SciPy draws.

What is drawn, or swapped, are whole documents, the same in all runs. A difference that holds over documents need not
hold over trainings: give the runs of several seeds, whose mean score is what is compared.
"""

from dataclasses import dataclass
from typing import Any, Sequence

import numpy as np

from ..errors import Errors
from .counts import Counts, f_score

BATCH = 2**22  # numbers that are drawn at a time


@dataclass(frozen=True)
class Difference:
    """Score of b less that of a, in [-1, 1]; its 95 % interval; how probable one as far from 0 is by chance alone."""

    difference: float
    low: float
    high: float
    p_value: float


def compare_counts(a: Sequence[Counts], b: Sequence[Counts], *, n_samples: int = 9999, seed: int = 0) -> Difference:
    """Compare two systems on the same documents.

    a, b (Sequence[Counts]): (U, 3) each, of the runs of a system, such as seeds; see `counts.py`.
    n_samples (int): Draws, of either test.
    RETURNS (Difference): Of the means over runs.
    RAISES (ValueError): CT700 where the runs, the documents or what is annotated in them differ.
    RAISES (ImportError): CT705 without SciPy.
    """
    try:
        from scipy.stats import bootstrap, permutation_test
    except ImportError as error:
        raise ImportError(Errors.CT705) from error
    n_units = len(a[0])
    same = len(a) == len(b) and all(len(counts) == n_units for counts in (*a, *b))
    if not same or any((x[:, 2] != y[:, 2]).any() for x, y in zip(a, b, strict=True)):
        raise ValueError(Errors.CT700.format(a=[len(counts) for counts in a], b=[len(counts) for counts in b]))
    pool = np.stack([np.concatenate(pair) for pair in zip(a, b, strict=True)])  # (R, 2 U, 3)

    def score(units: Any) -> Any:
        return f_score(pool[:, units].sum(axis=-2)).mean(axis=0)

    def differ(these: Any, those: Any, axis: int = -1) -> Any:
        return score(those) - score(these)

    units = np.arange(n_units)
    difference = float(differ(units, units + n_units))
    if n_units < 2 or (pool[:, :n_units] == pool[:, n_units:]).all():
        return Difference(difference, difference, difference, 1.0)
    batch = max(1, BATCH // pool.size)
    settings: Any = {"n_resamples": n_samples, "batch": batch, "vectorized": True}
    interval = bootstrap(
        (units,),
        lambda drawn, axis=-1: differ(drawn, drawn + n_units),
        method="percentile",
        rng=np.random.default_rng(seed),
        **settings,
    ).confidence_interval
    chance = permutation_test(
        (units, units + n_units), differ, permutation_type="samples", rng=np.random.default_rng(seed), **settings
    )
    return Difference(difference, float(interval.low), float(interval.high), float(chance.pvalue))
