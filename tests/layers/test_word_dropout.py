"""Word dropout: which tokens are left out, how often, and where the gradient goes."""

import numpy
import pytest
from dropouts import reseeded, vectors
from numpy.testing import assert_array_equal
from strict_ops import assert_on_device, on_device, strict_device
from test_contract import Float64Ops, check_gradients
from thinc.api import fix_random_seed, set_dropout_rate

from spacy_ctxtag.layers.word_dropout import WordDropout


def test_tokens_are_left_out_whole_and_the_others_stay_as_they_are():
    fix_random_seed(0)
    X = vectors(lengths=(9000, 0, 11000), columns=3)
    Y, _ = WordDropout(0.3).begin_update(X)
    for x, y in zip(X, Y, strict=True):
        left = (y != 0).any(axis=1)
        assert_array_equal(y[left], x[left])
    n_left = sum(int((y != 0).any(axis=1).sum()) for y in Y)
    assert n_left / 20000 == pytest.approx(0.7, abs=0.013)  # four standard deviations


def test_each_token_is_drawn_on_its_own():
    fix_random_seed(0)
    left = (WordDropout(0.5).begin_update(vectors(lengths=(20000,), columns=1))[0][0] != 0)[:, 0]
    assert (left[1:] & left[:-1]).mean() == pytest.approx(0.25, abs=0.015)


def test_every_update_draws_anew():
    model, X = WordDropout(0.5), vectors(lengths=(60,))
    first, second = (model.begin_update(X)[0][0] for _ in range(2))
    assert not numpy.array_equal(first, second)


def test_gradient_goes_to_what_is_left():
    Y, backprop = WordDropout(0.4).begin_update(vectors(lengths=(50, 7)))
    for y, dx in zip(Y, backprop([numpy.ones_like(y) for y in Y]), strict=True):
        assert_array_equal(dx, (y != 0).astype(y.dtype))


def test_gradients_equal_central_differences():
    model = reseeded(WordDropout(0.4))
    model._to_ops(Float64Ops())
    assert check_gradients(model, vectors((9, 0, 6), dtype="float64")) > 20


@pytest.mark.parametrize(("rate", "is_train"), [(0.9, False), (0.0, True)])
def test_nothing_happens_in_prediction_or_without_a_rate(rate, is_train):
    X = vectors()
    Y, backprop = WordDropout(rate)(X, is_train)
    assert Y is X
    assert backprop(X) is X


def test_dropout_of_training_does_not_set_the_rate():
    model, X = WordDropout(0.0), vectors()
    set_dropout_rate(model, 0.9)
    assert model.begin_update(X)[0] is X


@pytest.mark.parametrize("lengths", [(), (0,), (0, 0)])
def test_batch_without_tokens_is_passed_on(lengths):
    Y, backprop = WordDropout(0.5).begin_update(vectors(lengths))
    assert [y.shape for y in Y] == [dx.shape for dx in backprop(Y)] == [(0, 4)] * len(lengths)


def test_it_runs_on_the_device():
    with strict_device() as ops:
        model = WordDropout(0.5)
        model._to_ops(ops)
        Y, backprop = model.begin_update(on_device(vectors(), ops))
        assert_on_device([Y, backprop(Y)])


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_rate_out_of_range_is_refused(rate):
    with pytest.raises(ValueError, match=r"CT210.*WordDropout: `rate`"):
        WordDropout(rate)
