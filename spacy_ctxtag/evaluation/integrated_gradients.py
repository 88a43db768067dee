"""The integral of a gradient along the straight path from 0 to 1, on ever finer parts of it.

    IG = ∫ ∇f(α 1) dα  (Sundararajan et al. 2017, equation 1),   Σ IG over a part of the path = what f rises by there

The second says for each part how far its integral is off, without another integral to compare it with; so the parts
that are worst are halved. On each, Gauss and Legendre's rule with 8 points.
"""

from typing import Callable, List, NamedTuple, Tuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Slope = Callable[[float], Tuple[float, Floats]]  # from α to f, and its gradient, an array of any shape

POINTS, WEIGHTS = np.polynomial.legendre.leggauss(8)


class Integral(NamedTuple):
    """first, last (float): f at 0 and at 1. total (ndarray): The integral, in the shape of the gradient.

    off (float): What the parts of the path are off, added up without their signs. points (int): Gradients computed.
    """

    first: float
    last: float
    total: Floats
    off: float
    points: int

    @property
    def gap(self) -> float:
        """RETURNS (float): How far the integral is from adding up to what f rises by."""
        return self.last - self.first - float(self.total.sum())


class _Part(NamedTuple):
    """low, high: in [0, 1]. f_low, f_high: f there. total: the integral in between."""

    low: float
    high: float
    f_low: float
    f_high: float
    total: Floats

    @property
    def off(self) -> float:
        return abs(self.f_high - self.f_low - float(self.total.sum()))


def integrate(slope: Slope, *, tolerance: float, max_points: int) -> Integral:
    """Integrate until the parts are off by at most `tolerance` · max(1, |f(1) - f(0)|) together.

    slope (Callable): f and its gradient at α.
    tolerance (float): Above 0.
    max_points (int): Gradients to compute at most, but for the first 10.
    RETURNS (Integral): The integral; `off` says whether it got there.
    """
    computed = 0

    def at(alpha: float) -> Tuple[float, Floats]:
        nonlocal computed
        computed += 1
        return slope(alpha)

    def make(low: float, high: float, f_low: float, f_high: float) -> _Part:
        half = (high - low) / 2
        gradients = [at(low + half * (1 + point))[1] for point in POINTS.tolist()]
        return _Part(low, high, f_low, f_high, half * np.tensordot(WEIGHTS, np.stack(gradients), axes=1))

    first, last = at(0.0)[0], at(1.0)[0]
    parts: List[_Part] = [make(0.0, 1.0, first, last)]
    enough = tolerance * max(1.0, abs(last - first))
    while sum(part.off for part in parts) > enough and computed + 2 * len(POINTS) + 1 <= max_points:
        worst = max(parts, key=lambda part: part.off)
        middle = (worst.low + worst.high) / 2
        f_middle = at(middle)[0]
        parts.remove(worst)
        parts.append(make(worst.low, middle, worst.f_low, f_middle))
        parts.append(make(middle, worst.high, f_middle, worst.f_high))
    total = np.sum([part.total for part in parts], axis=0)
    return Integral(first, last, total, sum(part.off for part in parts), computed)
