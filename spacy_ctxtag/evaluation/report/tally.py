"""Counts of every document, and what they say of documents like these: the bootstrap (Efron & Tibshirani 1993). SciPy
draws. Three numbers are kept for every count of a document that is not 0.
"""

import warnings
from array import array
from collections import Counter
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from ..agreement import LEAST_DEFINED

Floats = NDArray[np.float64]
Key = Tuple[str, ...]

BATCH = 2**20  # documents that are drawn at a time


class Tally:
    """Counts by key, summed, and those of each document."""

    def __init__(self) -> None:
        self.documents = 0
        self.totals: Counter[Key] = Counter()
        self._columns: Dict[Key, int] = {}
        self._document, self._column, self._count = array("i"), array("i"), array("i")

    def add(self, counts: Mapping[Key, int]) -> None:
        """Add the counts of one more document."""
        for key, count in counts.items():
            self.totals[key] += count
            if count:
                self._document.append(self.documents)
                self._column.append(self._columns.setdefault(key, len(self._columns)))
                self._count.append(count)
        self.documents += 1

    def draw(
        self, statistic: Callable[[Floats], Floats], keys: Sequence[Key], n_samples: int, seed: int
    ) -> Optional[Tuple[Floats, Floats]]:
        """The 95 % intervals of figures, by the percentiles of what draws of as many documents give.

        statistic (Callable): From totals (B, C) of the keys to figures (B, F), NaN where a draw does not have one.
        keys (Sequence[Tuple]): C keys; others that were counted do not matter.
        RETURNS (Optional[Tuple[ndarray, ndarray]]): (F,) lower and upper ends; None with fewer than two documents or
            without draws; NaN for a figure that too many draws do not have.
        """
        from scipy.sparse import csr_matrix
        from scipy.stats import bootstrap

        n = self.documents
        if n < 2 or not n_samples:
            return None
        place = {key: i for i, key in enumerate(keys)}
        columns = np.array([place.get(key, -1) for key in self._columns] or [-1])[np.asarray(self._column)]
        kept = columns >= 0
        at = columns[kept], np.asarray(self._document)[kept]
        counts = csr_matrix((np.asarray(self._count)[kept].astype("float64"), at), shape=(len(keys), n))

        def of_draws(units: Any, axis: int = -1) -> Any:
            drawn = np.atleast_2d(units)  # (B, n)
            b = len(drawn)
            times = np.bincount((drawn + n * np.arange(b)[:, None]).ravel(), minlength=b * n).reshape(b, n)
            return statistic(np.asarray(counts @ times.T).T).T  # (F, B)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of NaN
            drawn = bootstrap(
                (np.arange(n),),
                of_draws,
                n_resamples=n_samples,
                batch=max(1, BATCH // n),
                vectorized=True,
                method="percentile",
                rng=np.random.default_rng(seed),
            ).bootstrap_distribution  # (F, S)
            low, high = np.nanpercentile(drawn, [2.5, 97.5], axis=-1)
        defined = np.isfinite(drawn).mean(axis=-1) >= LEAST_DEFINED
        return np.where(defined, low, np.nan), np.where(defined, high, np.nan)
