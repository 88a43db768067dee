"""Which weights of an encoder learn, when, and how fast; and which of its layers are read."""

import pickle

import numpy
import pytest
import torch
from backbones import KINDS
from numpy.testing import assert_allclose, assert_array_equal
from thinc.api import Adam
from tiny_encoders import LONG, PLAIN, docs_of, make_encoder, shared_encoder

from spacy_ctxtag.layers.finetuning import Finetuning
from spacy_ctxtag.layers.hf_config import heights, pick_layers

pytestmark = pytest.mark.backbone
kinds = pytest.mark.parametrize("kind", KINDS)


def weights(model):
    return {name: each.detach().numpy().copy() for name, each in model.shims[0].module.named_parameters()}


def step(model, optimizer):
    """RETURNS: names of the weights that one update moves."""
    before = weights(model)
    vectors, backprop = model.begin_update(docs_of(LONG))
    backprop([numpy.sin(numpy.arange(y.size, dtype="float32")).reshape(y.shape) for y in vectors])
    model.finish_update(optimizer)
    return {name for name, value in weights(model).items() if (value != before[name]).any()}


def above(model, lowest):
    return {name for name, height in heights(model.shims[0].module).items() if height >= lowest}


# Which weights


@kinds
def test_heights_tell_embeddings_layers_and_what_comes_behind(kind, tiny_backbones):
    found = heights(shared_encoder(tiny_backbones[kind]).shims[0].module)
    assert set(found.values()) >= {0, 1, 2}
    for name, height in found.items():
        assert (f"layer.{height - 1}." in name or f"layers.{height - 1}." in name) == (height in (1, 2)), name
        assert not (height and "embedding" in name), name
        assert (height == 3) == ("final" in name), name


@kinds
@pytest.mark.parametrize(
    ("settings", "lowest"),
    [
        ({"freeze_embeddings": True}, 1),
        ({"freeze_layers": 1}, 2),
        ({"freeze_layers": 2}, 3),
        ({"freeze_layers": 1, "freeze_embeddings": True}, 2),
    ],
)
def test_what_is_frozen_stays_and_the_rest_learns(settings, lowest, kind, tiny_backbones):
    model = make_encoder(tiny_backbones[kind], **settings)
    assert step(model, Adam(0.01)) == above(model, lowest)


@kinds
def test_frozen_layers_do_not_change_the_gradients_of_the_others(kind, tiny_backbones):
    grads = []
    for frozen in (0, 1):
        model = make_encoder(tiny_backbones[kind], freeze_layers=frozen)
        torch.manual_seed(0)
        vectors, backprop = model.begin_update(docs_of(PLAIN))
        backprop([numpy.ones_like(y) for y in vectors])
        named = model.shims[0].module.named_parameters()
        grads.append({name: each.grad.numpy() for name, each in named if name in above(model, 2)})
    for name, value in grads[0].items():
        assert_allclose(grads[1][name], value, atol=1e-5, err_msg=name)


def test_layers_are_unfrozen_from_above(tiny_backbone):
    model = make_encoder(tiny_backbone, unfreeze_every=2, freeze_embeddings=True)
    moved = [step(model, Adam(0.01)) for _ in range(7)]
    assert moved == [above(model, 2)] * 2 + [above(model, 1)] * 5


def test_unfreezing_reaches_the_embeddings(tiny_backbone):
    model = make_encoder(tiny_backbone, unfreeze_every=1)
    assert [step(model, Adam(0.01)) for _ in range(4)] == [above(model, low) for low in (2, 1, 0, 0)]


def test_freezing_is_set_at_load(tiny_backbone):
    trained = make_encoder(tiny_backbone)
    model = make_encoder(tiny_backbone, freeze_layers=1).from_bytes(trained.to_bytes())
    assert step(model, Adam(0.01)) == above(model, 2)
    copied = model.copy()
    assert step(copied, Adam(0.01)) == above(copied, 2)


# How fast


@kinds
def test_rate_falls_from_layer_to_layer(kind, tiny_backbones):
    model = make_encoder(tiny_backbones[kind], lr_scale=0.4, lr_decay=0.5)
    rates = {}

    def record(key, weights, gradient, *, lr_scale):
        rates[key[1]] = lr_scale
        return weights, gradient

    step(model, record)
    height = heights(model.shims[0].module)
    assert rates == {name: {0: 0.1, 1: 0.2, 2: 0.4, 3: 0.4}[height[name]] for name in height}


@pytest.mark.parametrize(
    ("setting", "value"),
    [("lr_scale", -1), ("lr_decay", 0), ("lr_decay", 1.5), ("freeze_layers", -1), ("unfreeze_every", -1)],
)
def test_value_out_of_range_is_refused(setting, value):
    with pytest.raises(ValueError, match=rf"CT013.*{setting}"):
        Finetuning(**{setting: value})


def test_more_frozen_layers_than_there_are_is_refused(tiny_backbone):
    with pytest.raises(ValueError, match=r"CT013.*freeze_layers.*at most 2"):
        make_encoder(tiny_backbone, freeze_layers=3)


# Checkpointing


@kinds
def test_checkpointing_changes_no_gradient(kind, tiny_backbones):
    grads = []
    for checkpointing in (False, True):
        model = make_encoder(tiny_backbones[kind], checkpointing=checkpointing, layers="all")
        torch.manual_seed(0)
        vectors, backprop = model.begin_update(docs_of(PLAIN, LONG))
        backprop([numpy.ones_like(y) for y in vectors])
        grads.append({name: each.grad.numpy() for name, each in model.shims[0].module.named_parameters()})
    for name, value in grads[0].items():
        assert_allclose(grads[1][name], value, atol=1e-4, err_msg=name)


def test_checkpointing_is_pickled(tiny_backbone):
    model = make_encoder(tiny_backbone, checkpointing=True)
    loaded = pickle.loads(pickle.dumps(model))
    for y, z in zip(model.predict(docs_of(LONG)), loaded.predict(docs_of(LONG)), strict=True):
        assert_array_equal(y, z)
    assert step(loaded, Adam(0.01)) == above(loaded, 0)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_nothing_is_gone_through_where_all_is_frozen(checkpointing, tiny_backbone):
    model = make_encoder(tiny_backbone, freeze_layers=2, checkpointing=checkpointing)
    vectors, backprop = model.begin_update(docs_of(PLAIN))
    backprop(vectors)
    assert not model.shims[0]._progress.has_gradient


# Which layers


@kinds
def test_layers_stand_side_by_side(kind, tiny_backbones):
    docs = docs_of(PLAIN, "", LONG)
    last = shared_encoder(tiny_backbones[kind])
    both = make_encoder(tiny_backbones[kind], layers="all")
    turned = make_encoder(tiny_backbones[kind], layers=[1, 0])
    width = last.get_dim("nO")
    assert both.get_dim("nO") == turned.get_dim("nO") == 2 * width
    for y, z, w in zip(last.predict(docs), both.predict(docs), turned.predict(docs), strict=True):
        assert_array_equal(z[:, width:], y)
        assert_array_equal(w, numpy.hstack([z[:, width:], z[:, :width]]))


@kinds
def test_lower_layer_is_that_of_hugging_face(kind, tiny_backbones):
    model = make_encoder(tiny_backbones[kind], layers=[0])
    shim = model.shims[0]
    encoded = shim.tokenizer(PLAIN, return_tensors="pt", return_offsets_mapping=True)
    with torch.inference_mode():
        found = shim.module(
            input_ids=encoded["input_ids"], attention_mask=encoded["attention_mask"], output_hidden_states=True
        )
    [doc] = docs_of(PLAIN)
    [rows] = model.predict([doc])
    spans = encoded["offset_mapping"][0].tolist()
    first = [i for i, (start, end) in enumerate(spans) if start < end and start < len(doc[0])]  # the pieces of a token
    assert first
    assert_allclose(rows[0], found.hidden_states[1][0, first].mean(dim=0).numpy(), atol=1e-5)


def test_layer_below_those_that_are_read_learns(tiny_backbone):
    model = make_encoder(tiny_backbone, layers=[0])
    assert step(model, Adam(0.01)) == above(model, 0) - above(model, 2)


@pytest.mark.parametrize("layers", [[], [2], [-1], "first", [0, 5]])
def test_layers_that_there_are_not_are_refused(layers, tiny_backbone):
    with pytest.raises(ValueError, match=r"CT011.*from 0 to 1"):
        make_encoder(tiny_backbone, layers=layers)


def test_layers_are_picked():
    assert pick_layers("last", 6) is None
    assert pick_layers("all", 3) == [0, 1, 2]
    assert pick_layers([5, 2], 6) == [5, 2]
