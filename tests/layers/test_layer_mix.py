"""The mix of an encoder's layers: the formula, its gradients, and layers that are dropped."""

import numpy
import pytest
from numpy.testing import assert_allclose
from test_contract import Float64Ops, check_gradients

from spacy_ctxtag.layers.layer_mix import layer_mix


def vectors(lengths=(3, 0, 2), columns=12):
    rng = numpy.random.default_rng(0)
    return [rng.normal(size=(length, columns)) for length in lengths]


def make(n_layers=3, dropout=0.0):
    model = layer_mix(n_layers, dropout)
    model._to_ops(Float64Ops())
    model.initialize(X=vectors())
    model.set_param("w", numpy.linspace(-1.0, 2.0, n_layers))
    model.set_param("gamma", numpy.array([1.7]))
    return model


def test_mix_is_the_mean_at_first():
    model = layer_mix(3, 0.0).initialize(X=vectors())
    X = vectors()
    assert model.get_dim("nO") == 4
    for x, y in zip(X, model.predict(X), strict=True):
        assert_allclose(y, (x[:, :4] + x[:, 4:8] + x[:, 8:]) / 3, rtol=1e-6)


def test_mix_is_the_formula():
    model, X = make(), vectors()
    share = numpy.exp([-1.0, 0.5, 2.0])
    share /= share.sum()
    for x, y in zip(X, model.predict(X), strict=True):
        expected = 1.7 * sum(s * part for s, part in zip(share, numpy.hsplit(x, 3), strict=True))
        assert_allclose(y, expected, rtol=1e-12)


def test_gradients_equal_central_differences():
    assert check_gradients(make(), vectors()) > 20


def test_layers_are_dropped_in_training_only():
    model, X = make(dropout=0.5), vectors(lengths=(2,), columns=3)
    whole = model.predict(X)[0]
    seen = set()
    for _ in range(100):
        Y, backprop = model.begin_update(X)
        [dX] = backprop([numpy.ones_like(Y[0])])
        kept = tuple((dX != 0).all(axis=0))
        seen.add(kept)
        raised = numpy.exp([-1.0, 0.5, 2.0]) * kept
        assert_allclose(Y[0][:, 0], 1.7 * X[0] @ (raised / raised.sum()), rtol=1e-9)
    assert len(seen) == 7  # every choice of layers but none of them
    assert_allclose(model.predict(X)[0], whole)


def test_batch_of_nothing():
    model = make()
    Y, backprop = model.begin_update([])
    assert (Y, backprop([])) == ([], [])
    Y, backprop = model.begin_update(vectors(lengths=(0, 0)))
    assert [y.shape for y in Y] == [(0, 4)] * 2
    assert [dx.shape for dx in backprop(Y)] == [(0, 12)] * 2


def test_width_that_layers_do_not_divide_is_refused():
    with pytest.raises(ValueError, match=r"CT015.*width 12.*5 layers"):
        layer_mix(5, 0.0).initialize(X=vectors())
    with pytest.raises(ValueError, match=r"CT200.*n_layers is 0"):
        layer_mix(0, 0.0)
    with pytest.raises(ValueError, match=r"CT210.*LayerMix: `dropout` is 1.5"):
        layer_mix(2, 1.5)
