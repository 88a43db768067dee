"""The heads' layers: emissions, and the CRF's parameters, on the host and on the pretended device."""

import numpy
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from strict_ops import assert_on_device, on_device, strict_device
from test_contract import Float64Ops, check_gradients
from thinc.api import Adam, fix_random_seed

from spacy_ctxtag.crf import Chains
from spacy_ctxtag.layers.crf import CRF, PARAMS
from spacy_ctxtag.layers.emissions import NEW_TAG_BIAS, Emissions, resize

LENGTHS, TAGS, WIDTH = [4, 0, 1, 7], 3, 5


def sequences(width, dtype="float32"):
    rng = numpy.random.default_rng(1)
    return [rng.normal(size=(length, width)).astype(dtype) for length in LENGTHS]


def make_crf(gain=4.0, seed=0):
    model = CRF(TAGS, gain=gain).initialize()
    rng = numpy.random.default_rng(seed)
    for name in PARAMS:
        model.set_param(name, rng.normal(size=model.get_param(name).shape).astype("float32"))
    return model


def make_emissions(**settings):
    fix_random_seed(0)
    return Emissions(TAGS, **settings).initialize(X=sequences(WIDTH))


def gradient_of_chains(seed=2):
    rng = numpy.random.default_rng(seed)
    each = [rng.normal(size=(length, TAGS)) for length in LENGTHS]
    return Chains(each, rng.normal(size=TAGS), rng.normal(size=(TAGS, TAGS)), rng.normal(size=TAGS))


# CRF


def test_crf_starts_with_zeros():
    model = CRF(TAGS).initialize()
    assert {name: model.get_param(name).tolist() for name in PARAMS} == {
        "start": [0.0] * TAGS,
        "transition": [[0.0] * TAGS] * TAGS,
        "end": [0.0] * TAGS,
    }


def test_crf_takes_its_size_from_a_sample():
    model = CRF().initialize(X=sequences(TAGS))
    assert (model.get_dim("nO"), model.get_dim("nI")) == (TAGS, TAGS)


def test_crf_gives_emissions_and_scaled_parameters_in_float64():
    model, X = make_crf(gain=4.0), sequences(TAGS)
    chains = model.predict(X)
    for got, expected in zip(chains.emissions, X, strict=True):
        assert got.dtype == "float64"
        assert_array_equal(got, expected)
    for name in PARAMS:
        assert_allclose(getattr(chains, name), 4.0 * model.get_param(name).astype("float64"), rtol=1e-12)


def test_crf_gradient_is_scaled_by_the_gain():
    model = make_crf(gain=4.0)
    _, backprop = model.begin_update(sequences(TAGS))
    d_chains = gradient_of_chains()
    dX = backprop(d_chains)
    for got, expected in zip(dX, d_chains.emissions, strict=True):
        assert got.dtype == "float32"
        assert_allclose(got, expected, rtol=1e-6)
    for name in PARAMS:
        assert_allclose(model.get_grad(name), 4.0 * getattr(d_chains, name), rtol=1e-5)


def test_crf_gradient_adds_up_over_updates():
    model = make_crf()
    for seed in (2, 3):
        model.begin_update(sequences(TAGS))[1](gradient_of_chains(seed))
    expected = 4.0 * (gradient_of_chains(2).transition + gradient_of_chains(3).transition)
    assert_allclose(model.get_grad("transition"), expected, rtol=1e-4, atol=1e-6)


def test_crf_with_adam_learns_faster_by_the_gain():
    moved = []
    for gain in (1.0, 10.0):
        model = CRF(TAGS, gain=gain).initialize()
        _, backprop = model.begin_update(sequences(TAGS))
        backprop(gradient_of_chains())
        model.finish_update(Adam(0.001))
        moved.append(numpy.abs(model.predict(sequences(TAGS)).transition).max())
    assert moved[1] == pytest.approx(10 * moved[0], rel=1e-3)


def test_crf_round_trip_keeps_another_gain():
    model = make_crf(gain=2.5)
    loaded = CRF().from_bytes(model.to_bytes())
    for name in PARAMS:
        assert_array_equal(*(getattr(each.predict(sequences(TAGS)), name) for each in (model, loaded)))


def test_crf_does_not_change_what_it_gets():
    X = sequences(TAGS)
    chains = make_crf().predict(X)
    chains.emissions[0][:] = 0
    assert X[0].any()


def test_crf_passes_an_empty_batch_both_ways():
    chains, backprop = make_crf().begin_update([])
    assert list(chains.emissions) == []
    assert backprop(Chains([], numpy.zeros(TAGS), numpy.zeros((TAGS, TAGS)), numpy.zeros(TAGS))) == []


def test_crf_works_on_the_device():
    with strict_device() as ops:
        model = make_crf()
        expected = model.predict(sequences(TAGS))
        model._to_ops(ops)
        chains, backprop = model(on_device(sequences(TAGS), ops), is_train=True)
        assert_on_device([backprop(gradient_of_chains()), model])
    for name in PARAMS:
        assert_array_equal(getattr(chains, name), getattr(expected, name))
    for got, host in zip(chains.emissions, expected.emissions, strict=True):
        assert_array_equal(got, host)


def test_crf_initializes_on_the_device():
    with strict_device() as ops:
        model = CRF(TAGS)
        model._to_ops(ops)
        assert_on_device(model.initialize())


# Emissions


def test_emissions_are_linear():
    model = make_emissions()
    output = model.get_ref("output_layer")
    for x, y in zip(sequences(WIDTH), model.predict(sequences(WIDTH)), strict=True):
        assert_allclose(y, x @ output.get_param("W").T + output.get_param("b"), rtol=1e-4, atol=1e-5)


def test_emissions_gradients_equal_central_differences():
    model = make_emissions(dropout=0.0)
    model._to_ops(Float64Ops())
    for node in model.walk():
        for name in node.param_names:
            node.set_param(name, node.get_param(name).astype("float64"))
    assert check_gradients(model, sequences(WIDTH, "float64")) > 20


def test_emissions_drop_out_in_training_only():
    model, X = make_emissions(dropout=0.5), sequences(WIDTH)
    fix_random_seed(0)
    assert not numpy.allclose(model.begin_update(X)[0][3], model.predict(X)[3])
    assert_array_equal(model.predict(X)[3], model.predict(X)[3])


def test_emissions_pass_an_empty_batch_both_ways():
    Y, backprop = make_emissions()(sequences(WIDTH)[1:2], is_train=True)
    assert [y.shape for y in Y] == [(0, TAGS)]
    assert [dx.shape for dx in backprop(Y)] == [(0, WIDTH)]


def test_emissions_batched_equal_single():
    model, X = make_emissions(), sequences(WIDTH)
    for x, y in zip(X, model.predict(X), strict=True):
        assert_allclose(model.predict([x])[0], y, rtol=1e-4, atol=1e-5)


def test_emissions_round_trip():
    model, X = make_emissions(), sequences(WIDTH)
    loaded = Emissions().from_bytes(model.to_bytes())
    for y, z in zip(model.predict(X), loaded.predict(X), strict=True):
        assert_array_equal(y, z)


def test_resized_emissions_keep_what_they_learned():
    model, X = make_emissions(), sequences(WIDTH)
    before = model.predict(X)
    resize(model, TAGS + 2)
    for old, new in zip(before, model.predict(X), strict=True):
        assert_allclose(new[:, :TAGS], old, rtol=1e-4, atol=1e-5)
        assert_allclose(new[:, TAGS:], NEW_TAG_BIAS)


def test_resized_emissions_learn_with_the_same_optimizer():
    model, X, optimizer = make_emissions(dropout=0.0), sequences(WIDTH), Adam(0.1)
    for n_tags in (TAGS, TAGS + 2):
        resize(model, n_tags)
        Y, backprop = model.begin_update(X)
        backprop([numpy.ones_like(y) for y in Y])
        model.finish_update(optimizer)
    assert (model.predict(X)[0][:, TAGS:] < NEW_TAG_BIAS).all()


def test_emissions_resized_before_initialization_have_that_size():
    model = Emissions()
    resize(model, TAGS)
    assert model.initialize(X=sequences(WIDTH)).predict(sequences(WIDTH))[0].shape == (LENGTHS[0], TAGS)


def test_emissions_work_on_the_device():
    with strict_device() as ops:
        model = make_emissions()
        expected = model.predict(sequences(WIDTH))
        model._to_ops(ops)
        Y, backprop = model(on_device(sequences(WIDTH), ops), is_train=True)
        dX = backprop(Y)
        assert_on_device([Y, dX, model])
        Y = model.predict(on_device(sequences(WIDTH), ops))
        for y, host in zip(Y, expected, strict=True):
            assert_allclose(y.get(), host, rtol=1e-4, atol=1e-5)
