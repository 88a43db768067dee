"""Locked dropout: one mask for all tokens of a sequence, its statistics, and where the gradient goes."""

import numpy
import pytest
from dropouts import reseeded, vectors
from numpy.testing import assert_allclose, assert_array_equal
from strict_ops import assert_on_device, on_device, strict_device
from test_contract import Float64Ops, check_gradients
from thinc.api import fix_random_seed, set_dropout_rate

from spacy_ctxtag.layers.locked_dropout import LockedDropout


def masks(model, X):
    """For each sequence, by what each dimension of each of its tokens is multiplied."""
    return [y / x for x, y in zip(X, model.begin_update(X)[0], strict=True)]


def test_mask_is_the_same_for_all_tokens_of_a_sequence():
    for mask in masks(LockedDropout(0.5), vectors(lengths=(30, 1, 8), columns=64)):
        assert_allclose(mask, numpy.repeat(mask[:1], len(mask), axis=0))


def test_mask_differs_between_sequences_and_updates():
    model, X = LockedDropout(0.5), vectors(lengths=(2, 2), columns=64)
    first, second = masks(model, X)
    third, _ = masks(model, X)
    assert not numpy.array_equal(first[0], second[0])
    assert not numpy.array_equal(first[0], third[0])


def test_mask_has_the_rate_and_keeps_the_expectation():
    fix_random_seed(0)
    [mask] = masks(LockedDropout(0.3), vectors(lengths=(1,), columns=20000))
    assert_allclose(numpy.unique(mask.round(4)), [0.0, 1 / 0.7], atol=1e-4)
    assert (mask == 0).mean() == pytest.approx(0.3, abs=0.013)  # four standard deviations
    assert mask.mean() == pytest.approx(1.0, abs=0.02)


def test_gradient_has_the_mask():
    X = vectors(lengths=(5, 3))
    Y, backprop = LockedDropout(0.4).begin_update(X)
    for x, y, dx in zip(X, Y, backprop([numpy.ones_like(y) for y in Y]), strict=True):
        assert_allclose(dx, y / x, rtol=1e-5)


def test_gradients_equal_central_differences():
    model = reseeded(LockedDropout(0.4))
    model._to_ops(Float64Ops())
    assert check_gradients(model, vectors((9, 0, 6), dtype="float64")) > 20


@pytest.mark.parametrize(("rate", "is_train"), [(0.9, False), (0.0, True)])
def test_nothing_happens_in_prediction_or_without_a_rate(rate, is_train):
    X = vectors()
    Y, backprop = LockedDropout(rate)(X, is_train)
    assert Y is X
    assert backprop(X) is X


def test_dropout_of_training_does_not_set_the_rate():
    model, X = LockedDropout(0.0), vectors()
    set_dropout_rate(model, 0.9)
    assert model.begin_update(X)[0] is X


@pytest.mark.parametrize("lengths", [(), (0,), (0, 0)])
def test_batch_without_tokens_is_passed_on(lengths):
    Y, backprop = LockedDropout(0.5).begin_update(vectors(lengths))
    assert [y.shape for y in Y] == [dx.shape for dx in backprop(Y)] == [(0, 4)] * len(lengths)


def test_input_is_not_changed():
    X = vectors()
    kept = [x.copy() for x in X]
    LockedDropout(0.5).begin_update(X)
    for x, k in zip(X, kept, strict=True):
        assert_array_equal(x, k)


def test_it_runs_on_the_device():
    with strict_device() as ops:
        model = LockedDropout(0.5)
        model._to_ops(ops)
        Y, backprop = model.begin_update(on_device(vectors(), ops))
        assert_on_device([Y, backprop(Y)])


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_rate_out_of_range_is_refused(rate):
    with pytest.raises(ValueError, match=r"CT210.*LockedDropout: `rate`"):
        LockedDropout(rate)
