"""Maxout by PyTorch: Thinc's own is the oracle."""

import numpy
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from thinc.api import Maxout

from spacy_ctxtag.layers import maxout as module
from spacy_ctxtag.layers.maxout import maxout


def numbers(rows: int, columns: int) -> numpy.ndarray:
    return numpy.random.default_rng(rows * 7 + columns).normal(size=(rows, columns)).astype("float32")


def pair(precision: str = "fp32"):
    """Ours and Thinc's, with the same parameters."""
    one, other = maxout(6, precision=precision), Maxout(6, nP=3)
    one.initialize(X=numbers(1, 5))
    one.set_param("b", numbers(6, 3))
    other.initialize(X=numbers(1, 5))
    for name in one.param_names:
        other.set_param(name, one.get_param(name).copy())
    return one, other


@pytest.mark.parametrize("rows", [0, 1, 33])
def test_maxout_predicts_the_same(rows: int) -> None:
    one, other = pair()
    found = one.predict(numbers(rows, 5))
    assert (found.dtype, found.shape) == ("float32", (rows, 6))
    assert_allclose(found, other.predict(numbers(rows, 5)), atol=1e-5)


def test_maxout_learns_the_same() -> None:
    one, other = pair("bf16")
    results = [model(numbers(7, 5), is_train=True) for model in (one, other)]
    assert_array_equal(results[0][0], results[1][0])
    assert_array_equal(results[0][1](numbers(7, 6)), results[1][1](numbers(7, 6)))
    for name in one.param_names:
        assert_array_equal(one.get_grad(name), other.get_grad(name))


def test_maxout_takes_arrays_that_pytorch_cannot() -> None:
    one, other = pair()
    X = numbers(4, 5)
    X.flags.writeable = False
    assert_array_equal(one.predict(X), other.predict(X))


@pytest.mark.parametrize("has", [True, False])
def test_maxout_computes_in_bf16_where_the_processor_does(has: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "has_bf16", lambda: has)
    one, other = pair("bf16")
    found, expected = one.predict(numbers(9, 5)), other.predict(numbers(9, 5))
    assert_allclose(found, expected, atol=0.1)
    rounded = found.view("uint32") & 0xFFFF  # what a bf16 number does not have
    assert (not rounded.any()) == has


def test_maxout_unknown_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="CT016"):
        maxout(4, precision="int8")
