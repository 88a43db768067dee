"""Training in mixed precision: close to fp32, weights in fp32, and the scale of gradients in fp16.

There is no GPU in CI. fp16 is run on the CPU, past the check that refuses it there; and where a test asks what the
scale does to a step, nothing is computed in fp16, so that the step must be exactly that of fp32.
"""

import contextlib
import copy
import pickle

import numpy
import pytest
import torch
from backbones import KINDS
from numpy.testing import assert_array_equal
from thinc.api import Adam, fix_random_seed
from tiny_encoders import LONG, PLAIN, docs_of, make_encoder

from spacy_ctxtag.layers import mixed_precision
from spacy_ctxtag.layers.finetuning import Finetuning
from spacy_ctxtag.layers.mixed_precision import FIRST_SCALE, GROW_AFTER, MixedPrecision

pytestmark = pytest.mark.backbone
kinds = pytest.mark.parametrize("kind", KINDS)
small = pytest.mark.parametrize("precision", ["bf16", "fp16"])
TEXTS = [PLAIN, "", LONG[:250], "\n London"]
FITS = 2.0**-10  # gradients of this size fit in fp16 with the first scale


@pytest.fixture
def fp16_on_cpu(monkeypatch):
    """Let fp16 pass on the CPU."""
    monkeypatch.setattr(mixed_precision, "REFUSED", ())


@pytest.fixture
def only_scaled(monkeypatch):
    """fp16 of which nothing but the scale is left."""
    monkeypatch.setattr(MixedPrecision, "autocast", lambda self, module: contextlib.nullcontext())


def like(vectors, seed=0):
    rng = numpy.random.default_rng(seed)
    return [rng.normal(size=y.shape).astype(y.dtype) for y in vectors]


def learn(model, optimizer=None, texts=TEXTS, factor=FITS):
    """Go forward and back, and take a step where there is an optimizer. RETURNS: the vectors."""
    vectors, backprop = model.begin_update(docs_of(*texts))
    with numpy.errstate(over="ignore"):
        backprop([numpy.float32(factor) * d for d in like(vectors)])
    if optimizer is not None:
        model.finish_update(optimizer)
    return vectors


def weights(model):
    return {name: each.detach().numpy().copy() for name, each in model.shims[0].module.named_parameters()}


def gradient(model):
    """All gradients in a row, without the scale."""
    parts = [each.grad.numpy().ravel() for each in model.shims[0].module.parameters()]
    return numpy.concatenate(parts) / mixed_of(model).scale


def mixed_of(model):
    return model.shims[0]._progress.mixed


def cosine(one, other):
    return float(one @ other / (numpy.linalg.norm(one) * numpy.linalg.norm(other)))


def assert_same_weights(one, other):
    for name, value in weights(one).items():
        assert_array_equal(weights(other)[name], value, err_msg=name)


# The encoder


@kinds
@small
@pytest.mark.parametrize("settings", [{}, {"checkpointing": True, "max_pieces": 60, "window": 24, "overlap": 8}])
def test_gradients_are_near_those_of_fp32(settings, precision, kind, steady_backbones, fp16_on_cpu):
    found = []
    for train_precision in ("fp32", precision):
        model = make_encoder(steady_backbones[kind], train_precision=train_precision, **settings)
        assert {y.dtype.name for y in learn(model)} == {"float32"}
        found.append(gradient(model))
    assert cosine(*found) > 0.99
    assert (found[0] != found[1]).any()


@kinds
def test_checkpointing_computes_again_in_the_same_precision(kind, tiny_backbones):
    found = []
    for checkpointing in (False, True):
        model = make_encoder(tiny_backbones[kind], train_precision="bf16", checkpointing=checkpointing)
        torch.manual_seed(0)
        learn(model)
        found.append(gradient(model))
    assert cosine(*found) > 0.99999


@pytest.mark.parametrize("scale", [1.0, FIRST_SCALE])
def test_small_gradients_are_kept_by_the_scale_alone(scale, steady_backbones, fp16_on_cpu):
    found = []
    for train_precision in ("fp32", "fp16"):
        model = make_encoder(steady_backbones["bert"], train_precision=train_precision)
        mixed_of(model).scale = scale if train_precision == "fp16" else 1.0
        learn(model, factor=2.0**-25)
        found.append(gradient(model))
    assert (cosine(*found) > 0.99) == (scale > 1.0)


@kinds
@small
def test_weights_and_gradients_stay_in_fp32(precision, kind, tiny_backbones, fp16_on_cpu):
    model = make_encoder(tiny_backbones[kind], train_precision=precision)
    before = weights(model)
    learn(model)
    parameters = list(model.shims[0].module.parameters())
    assert {each.grad.dtype for each in parameters} == {torch.float32}
    model.finish_update(Adam(0.01))
    assert {each.dtype for each in parameters} == {torch.float32}
    assert [name for name, value in weights(model).items() if not (value != before[name]).any()] == []


@small
def test_prediction_is_that_of_fp32(precision, tiny_backbone):
    plain, mixed = (make_encoder(tiny_backbone, train_precision=each) for each in ("fp32", precision))
    for y, z in zip(plain.predict(docs_of(*TEXTS)), mixed.predict(docs_of(*TEXTS)), strict=True):
        assert_array_equal(y, z)


@small
@pytest.mark.parametrize("checkpointing", [False, True])
def test_loss_falls(checkpointing, precision, tiny_backbone, fp16_on_cpu):
    model = make_encoder(
        tiny_backbone, train_precision=precision, checkpointing=checkpointing, lr_scale=1.0, layers="all"
    )
    optimizer, docs, losses = Adam(0.005), docs_of(PLAIN, LONG[:200]), []
    target = [numpy.sin(numpy.arange(y.size, dtype="float32")).reshape(y.shape) for y in model.predict(docs)]
    for _ in range(25):
        vectors, backprop = model.begin_update(docs)
        off = [y - t for y, t in zip(vectors, target, strict=True)]
        backprop([2 * d / len(d) for d in off])
        model.finish_update(optimizer)
        losses.append(sum(float((d**2).sum()) / len(d) for d in off))
    assert losses[-1] < 0.7 * losses[0]


@small
def test_same_seed_gives_same_weights(precision, tiny_backbone, fp16_on_cpu):
    models = [make_encoder(tiny_backbone, train_precision=precision) for _ in range(2)]
    for model in models:
        fix_random_seed(1)
        optimizer = Adam(0.01)
        for _ in range(3):
            learn(model, optimizer)
    assert_same_weights(*models)


def test_train_precision_is_set_at_load(steady_backbones):
    trained = make_encoder(steady_backbones["bert"])
    found = []
    for train_precision in ("fp32", "bf16"):
        model = make_encoder(steady_backbones["bert"], train_precision=train_precision).from_bytes(trained.to_bytes())
        learn(model)
        found.append(gradient(model))
    assert (found[0] != found[1]).any()


def test_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="CT016"):
        Finetuning(train_precision="half")


def test_fp16_is_refused_on_a_cpu_when_trained_there(tiny_backbone):
    model = make_encoder(tiny_backbone, train_precision="fp16")
    model.predict(docs_of(PLAIN))
    with pytest.raises(ValueError, match=r"CT017.*bf16"):
        model.begin_update(docs_of(PLAIN))
    assert not model.shims[0].module.training


# The scale of gradients


def test_scale_changes_no_step(steady_backbones, only_scaled):
    models = [make_encoder(steady_backbones["bert"], train_precision=each) for each in ("fp32", "fp16")]
    for model in models:
        optimizer = Adam(0.01)
        for texts in ([PLAIN], [LONG]):  # a step each
            for text in texts:
                learn(model, texts=[text])
            learn(model, texts=["London"])
            learn(model, optimizer, texts=["Ada wrote."])
    assert_same_weights(*models)


def test_gradients_are_scaled_once(steady_backbones, only_scaled):
    models = [make_encoder(steady_backbones["bert"], train_precision=each) for each in ("fp32", "fp16")]
    seen = []
    for model in models:
        got = {}

        def record(key, weights, gradient, *, lr_scale, got=got):
            got[key[1]] = gradient.copy()
            return weights, gradient

        learn(model)
        learn(model, record)
        seen.append(got)
    assert seen[0].keys() == seen[1].keys() == weights(models[0]).keys()
    for name, value in seen[0].items():
        assert_array_equal(seen[1][name], value, err_msg=name)


@pytest.mark.parametrize("factor", [1e38, float("nan"), -float("inf")])
def test_step_is_left_out_when_a_gradient_is_not_finite(factor, steady_backbones, only_scaled):
    model, optimizer = make_encoder(steady_backbones["bert"], train_precision="fp16", unfreeze_every=1), Adam(0.01)
    before = weights(model)
    learn(model)
    learn(model, optimizer, texts=["London"], factor=factor)
    assert mixed_of(model).scale == FIRST_SCALE / 2
    assert dict(optimizer.nr_update) == {}
    assert model.shims[0]._progress.steps == 0
    for name, value in weights(model).items():
        assert_array_equal(value, before[name])
    learn(model, optimizer)
    twin = make_encoder(steady_backbones["bert"], unfreeze_every=1)
    learn(twin, Adam(0.01))
    assert_same_weights(twin, model)


def test_scale_begins_anew_with_loaded_weights_and_is_copied(steady_backbones, only_scaled):
    model = make_encoder(steady_backbones["bert"], train_precision="fp16")
    learn(model, Adam(0.01), factor=1e38)
    assert [mixed_of(each).scale for each in (model.copy(), pickle.loads(pickle.dumps(model)))] == [FIRST_SCALE / 2] * 2
    assert mixed_of(model.from_bytes(model.to_bytes())).scale == FIRST_SCALE


def layer(*gradients):
    """A module of which each weight has a gradient."""
    module = torch.nn.ParameterList([torch.zeros(2) for _ in gradients])
    module.append(torch.zeros(2))  # has none
    for parameter, value in zip(module, gradients, strict=False):
        parameter.grad = torch.tensor([0.0, value])
    return module


def gradients_of(module):
    return [parameter.grad[1].item() for parameter in module if parameter.grad is not None]


def test_unscale_divides_by_the_scale():
    mixed, module = MixedPrecision("fp16"), layer(FIRST_SCALE, -3 * FIRST_SCALE)
    assert mixed.unscale(module)
    assert gradients_of(module) == [1.0, -3.0]


@pytest.mark.parametrize("value", [float("inf"), -float("inf"), float("nan")])
def test_unscale_empties_all_gradients_when_one_is_not_finite(value):
    mixed, module = MixedPrecision("fp16"), layer(1.0, value, 2.0)
    assert not mixed.unscale(module)
    assert gradients_of(module) == [0.0, 0.0, 0.0]
    assert mixed.scale == FIRST_SCALE / 2


def test_scale_grows_after_many_good_steps_in_a_row():
    mixed, good, bad = MixedPrecision("fp16"), layer(0.0), layer(float("inf"))
    scales = []
    for at in range(2 * GROW_AFTER):
        if at == GROW_AFTER - 1:
            bad[0].grad.fill_(float("inf"))
            mixed.unscale(bad)
        mixed.unscale(good)
        scales.append(mixed.scale)
    assert scales == [FIRST_SCALE] * (GROW_AFTER - 1) + [FIRST_SCALE / 2] * (GROW_AFTER - 1) + [FIRST_SCALE] * 2


def test_gradients_that_fit_at_no_scale_are_an_error():
    mixed = MixedPrecision("fp16")
    for _ in range(16):
        assert not mixed.unscale(layer(float("nan")))
    assert mixed.scale == 1.0
    with pytest.raises(ValueError, match=r"CT018.*bf16"):
        mixed.unscale(layer(float("nan")))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_other_precisions_have_no_scale(precision):
    mixed, module, d = MixedPrecision(precision), layer(1.0, float("inf")), torch.ones(2)
    assert mixed.scaled(d) is d
    assert mixed.unscale(module)
    assert gradients_of(module) == [1.0, float("inf")]
    assert mixed.scale == 1.0


def test_scaling_leaves_its_argument_alone():
    mixed, d = MixedPrecision("fp16"), torch.ones(2)
    assert mixed.scaled(d).tolist() == [FIRST_SCALE] * 2
    assert d.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("again", [copy.deepcopy, lambda mixed: pickle.loads(pickle.dumps(mixed))])
def test_state_of_the_scale_is_copied(again):
    mixed = MixedPrecision("fp16")
    mixed.unscale(layer(float("inf")))
    mixed.unscale(layer(1.0))
    assert vars(again(mixed)) == vars(mixed)
