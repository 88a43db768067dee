"""Integrals along a path: closed forms, the axioms of Sundararajan et al. (2017), refinement."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_ctxtag.evaluation.integrated_gradients import Integral, integrate

numbers = st.lists(st.floats(-5, 5), min_size=3, max_size=3).map(np.array)


def run(f: Callable[[Any], float], grad: Callable[[Any], Any], n: int = 3, **settings: Any) -> Integral:
    """Integrate a function of n presences."""
    options = {"tolerance": 1e-6, "max_points": 10_000, **settings}
    return integrate(lambda alpha: (f(np.full(n, alpha)), grad(np.full(n, alpha))), **options)


@given(weights=numbers, bias=st.floats(-5, 5))
def test_integral_of_a_linear_function_is_its_weights(weights: Any, bias: float) -> None:
    found = run(lambda p: float(weights @ p + bias), lambda p: weights)
    np.testing.assert_allclose(found.total, weights, atol=1e-9)
    assert found.first == pytest.approx(bias)
    assert found.gap == pytest.approx(0.0, abs=1e-9)
    assert found.points == 10


@given(weights=numbers)
def test_integral_of_a_product_is_shared_equally(weights: Any) -> None:
    # f = c p_0 p_1: both get c / 2, and the third nothing
    c = float(weights[0])
    found = run(lambda p: c * p[0] * p[1], lambda p: np.array([c * p[1], c * p[0], 0.0]))
    np.testing.assert_allclose(found.total, [c / 2, c / 2, 0.0], atol=1e-9)


@given(weights=numbers, bias=st.floats(-5, 5))
def test_integral_of_a_function_of_a_sum_is_shared_by_the_weights(weights: Any, bias: float) -> None:
    # f = g(w·p): the closed form is w_i / Σw · (g(Σw) - g(0))
    if abs(weights.sum()) < 0.1:
        weights = weights + 1.0
    sigmoid = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731
    f = lambda p: float(sigmoid(weights @ p + bias))  # noqa: E731
    found = run(f, lambda p: f(p) * (1 - f(p)) * weights)
    total = sigmoid(weights.sum() + bias) - sigmoid(bias)
    np.testing.assert_allclose(found.total, weights / weights.sum() * total, atol=1e-5)


@pytest.mark.parametrize("steepness", [1.0, 30.0, 1000.0])
def test_integral_is_refined_where_it_is_steep(steepness: float) -> None:
    f = lambda p: float(np.tanh(steepness * (p[0] - 0.3)))  # noqa: E731
    found = run(f, lambda p: np.array([steepness * (1 - f(p) ** 2)]), n=1, tolerance=1e-4)
    assert found.off <= 1e-4 * max(1.0, found.last - found.first)
    assert abs(found.gap) <= found.off + 1e-12
    assert found.total.sum() == pytest.approx(found.last - found.first, abs=2e-4)


def test_integral_of_a_kink_is_refined() -> None:
    found = run(lambda p: max(0.0, p[0] - 0.37), lambda p: np.array([float(p[0] > 0.37)]), n=1, tolerance=1e-3)
    assert found.total[0] == pytest.approx(0.63, abs=1e-3)


def test_integral_stops_after_so_many_points() -> None:
    calls = []

    def slope(alpha: float) -> tuple[float, Any]:
        calls.append(alpha)
        return float(np.tanh(1e6 * (alpha - 0.3))), np.array([0.0])

    found = integrate(slope, tolerance=1e-6, max_points=50)
    assert len(calls) == found.points <= 50
    assert found.off > 1.0


def test_integral_keeps_the_shape_of_the_gradient() -> None:
    found = integrate(lambda alpha: (alpha * 6.0, np.ones((2, 3))), tolerance=0.1, max_points=10)
    np.testing.assert_allclose(found.total, np.ones((2, 3)))
