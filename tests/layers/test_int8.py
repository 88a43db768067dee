"""Layers and encoders in 8-bit integers: close to what they are made from, and the same for a text among any others."""

import copy
import json
import pickle

import numpy
import pytest
import torch
from backbones import KINDS
from numpy.testing import assert_array_equal
from safetensors.torch import load_file, save_file
from thinc.api import Adam
from tiny_encoders import FRAGMENTS, LONG, PLAIN, docs_of, make_encoder

from spacy_ctxtag.layers import int8, int8_module
from spacy_ctxtag.layers.int8 import Int8Linear, has_kernel
from spacy_ctxtag.layers.int8_embedding import Int8Embedding
from spacy_ctxtag.layers.int8_module import dequantized, is_int8, quantized, watched

pytestmark = pytest.mark.backbone
kinds = pytest.mark.parametrize("kind", KINDS)
TEXTS = [PLAIN, "", LONG, FRAGMENTS[4]]


@pytest.fixture(params=[True, False], ids=["integers", "floats"])
def path(request, monkeypatch):
    """Both ways to compute, on a machine that has instructions for integers; else the one that there is, twice."""
    if not request.param:
        monkeypatch.setattr(int8, "has_kernel", lambda: False)


def linear_of(k=40, n=24, bias=True, spread=1.0):
    """RETURNS (tuple): A linear map, and rows for it."""
    generator = torch.Generator().manual_seed(0)
    linear = torch.nn.Linear(k, n, bias=bias)
    with torch.no_grad():
        for parameter in linear.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return linear, torch.randn((50, k), generator=generator) * spread + 0.5


def range_of(x):
    return x.amin(dim=0), x.amax(dim=0)


def error(found, expected):
    return float((found - expected).detach().norm() / expected.detach().norm())


def encoder_in_integers(path, **settings):
    """RETURNS (Model): A tiny encoder in integers, whose ranges are those of TEXTS."""
    model = make_encoder(path, **{"precision": "auto", **settings})
    shim = model.shims[0]
    with watched(shim.module) as ranges:
        model.predict(docs_of(*TEXTS))
    shim.take(quantized(shim.module, ranges), {})
    return model


def vectors(model, *texts):
    return numpy.vstack(model.predict(docs_of(*(texts or TEXTS))))


# The linear map


@pytest.mark.parametrize("bias", [True, False])
def test_linear_is_close_to_the_one_in_floats(bias, path):
    linear, x = linear_of(bias=bias)
    found = Int8Linear.of(linear, range_of(x))(x)
    assert found.dtype == torch.float32
    assert 0 < error(found, linear(x)) < 0.02


@pytest.mark.parametrize("gelu", [True, False])
def test_linear_computes_the_same_in_integers_and_in_floats(gelu, monkeypatch):
    linear, x = linear_of()
    layer = Int8Linear.of(linear, range_of(x))
    layer.gelu = gelu
    found = layer(x)
    monkeypatch.setattr(int8, "has_kernel", lambda: False)
    torch.testing.assert_close(found, layer(x), atol=1e-3, rtol=1e-4)
    expected = torch.nn.functional.gelu(linear(x)) if gelu else linear(x)
    assert error(found, expected) < 0.02


def test_linear_takes_the_way_in_floats_without_instructions(monkeypatch):
    linear, x = linear_of()
    layer = Int8Linear.of(linear, range_of(x))
    monkeypatch.setattr(int8, "has_kernel", lambda: False)
    monkeypatch.setattr(Int8Linear, "_in_integers", lambda self, rows: pytest.fail("in integers"))
    layer(x)


def test_has_kernel_is_false_without_instructions(monkeypatch):
    monkeypatch.setattr(int8, "has_vnni", lambda: False)
    assert has_kernel.__wrapped__() is False


def test_has_kernel_is_false_where_the_product_is_wrong_or_fails(monkeypatch):
    monkeypatch.setattr(int8, "has_vnni", lambda: True)
    monkeypatch.setattr(Int8Linear, "_in_integers", lambda self, rows: self._in_floats(rows) + 1)
    assert has_kernel.__wrapped__() is False
    monkeypatch.setattr(Int8Linear, "_in_integers", lambda self, rows: self.no_such_kernel(rows))
    assert has_kernel.__wrapped__() is False


def test_has_kernel_moves_no_random_numbers():
    before = torch.get_rng_state()
    has_kernel.__wrapped__()
    assert (torch.get_rng_state() == before).all()


def test_linear_row_does_not_depend_on_the_others(path):
    """Bit for bit in integers; in floats but for the order in which a product is summed up."""
    linear, x = linear_of()
    layer = Int8Linear.of(linear, range_of(x))
    expected = layer(x)
    huge = torch.cat([x[:7], x[:1] * 1000])
    single = torch.cat([layer(row[None]) for row in x])
    for found, same in (
        (layer(huge)[:7], expected[:7]),
        (layer(x.reshape(5, 10, -1)).reshape(50, -1), expected),
        (single, expected),
    ):
        off = 0.0 if int8.has_kernel() else 1e-4
        torch.testing.assert_close(found, same, atol=off, rtol=off)


def test_linear_smooths_a_channel_that_is_far_larger_than_the_others(path):
    linear, x = linear_of()
    x[:, 3] *= 100
    with torch.no_grad():
        linear.weight[:, 3] /= 100
    low, high = range_of(x)
    smooth = Int8Linear.of(linear, (low, high))
    coarse = Int8Linear.of(linear, (low.min().expand(40), high.max().expand(40)))
    assert error(smooth(x), linear(x)) < 0.03 < error(coarse(x), linear(x))


def test_linear_cuts_off_what_is_out_of_range(path):
    linear, x = linear_of()
    low, high = range_of(x)
    layer = Int8Linear.of(linear, (low, high))
    far = layer(x * 1e6)
    assert torch.isfinite(far).all()
    assert_array_equal(far, layer(x * 1e7))


def test_linear_gives_zero_for_zero_and_no_bias(path):
    linear, x = linear_of(bias=False)
    assert not Int8Linear.of(linear, range_of(x.abs() + 1))(torch.zeros(2, 40)).any()


@pytest.mark.parametrize("again", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_linear_can_be_copied_and_pickled_after_use(again, path):
    linear, x = linear_of()
    layer = Int8Linear.of(linear, range_of(x))
    expected = layer(x)
    assert_array_equal(again(layer)(x), expected)


def test_linear_takes_no_rows(path):
    linear, x = linear_of()
    assert Int8Linear.of(linear, range_of(x))(x[:0]).shape == (0, 24)


def test_linear_dequantized_is_the_map_of_the_rounded_weights():
    linear, x = linear_of()
    found = Int8Linear.of(linear, range_of(x)).dequantized()
    assert isinstance(found, torch.nn.Linear)
    assert error(found(x), linear(x)) < 0.02
    assert_array_equal(found.bias.detach(), linear.bias.detach())


# The table


def test_embedding_is_close_to_the_one_in_floats():
    table = torch.nn.Embedding(30, 16)
    ids = torch.tensor([[0, 29], [7, 7]])
    found = Int8Embedding.of(table)
    assert found(ids).shape == (2, 2, 16)
    assert 0 < error(found(ids), table(ids)) < 0.01
    assert_array_equal(found.dequantized()(ids).detach(), found(ids))


def test_embedding_of_zeros_stays_zero():
    assert not Int8Embedding.of(torch.nn.Embedding(3, 4, _weight=torch.zeros(3, 4)))(torch.arange(3)).any()


# Ranges


def test_watched_widens_ranges_to_all_that_layers_see():
    module = torch.nn.Sequential(torch.nn.Linear(2, 2))
    with watched(module) as ranges:
        module(torch.tensor([[1.0, -5.0]]))
        module(torch.tensor([[[3.0, -4.0]], [[-2.0, 0.5]]]))
    assert [edge.tolist() for edge in ranges["0"]] == [[-2.0, -5.0], [3.0, 0.5]]
    module(torch.tensor([[100.0, 100.0]]))
    assert ranges["0"][1].tolist() == [3.0, 0.5], "after the context"


def test_watched_stops_after_an_error():
    module = torch.nn.Sequential(torch.nn.Linear(2, 2))
    with pytest.raises(RuntimeError), watched(module):
        module(torch.zeros(1, 3))
    assert not module[0]._forward_pre_hooks


# Encoders


@kinds
def test_encoder_is_close_to_the_one_in_floats(kind, path, tiny_backbones):
    expected = vectors(make_encoder(tiny_backbones[kind]))
    found = vectors(encoder_in_integers(tiny_backbones[kind]))
    assert found.dtype == "float32"
    assert 0 < numpy.linalg.norm(found - expected) / numpy.linalg.norm(expected) < 0.1


@kinds
def test_encoder_loads_back_the_same(kind, tiny_backbones, tmp_path, monkeypatch):
    monkeypatch.setattr(int8_module, "LARGE", 100)  # so that there are tables in integers, too
    model = encoder_in_integers(tiny_backbones[kind])
    assert any(isinstance(each, Int8Embedding) for each in model.shims[0].module.modules())
    expected = vectors(model)
    model.shims[0].save(tmp_path / "encoder")
    loaded = make_encoder(tiny_backbones[kind], precision="int8")
    loaded.shims[0].load(tmp_path / "encoder")
    assert_array_equal(vectors(loaded), expected)
    loaded = make_encoder(tiny_backbones[kind], precision="int8").from_bytes(model.to_bytes())
    assert_array_equal(vectors(loaded), expected)
    stored = load_file(tmp_path / "encoder" / "int8.safetensors")
    assert {stored[name].dtype for name in stored if f"{name}_scale" in stored} == {torch.int8}


def test_encoder_text_does_not_depend_on_the_others(path, tiny_backbones):
    """A text that is padded differently may differ in the last bits, since attention stays in floats."""
    model = encoder_in_integers(tiny_backbones["bert"])
    together = model.predict(docs_of(*TEXTS))
    for vectors_of_one, text in zip(together, TEXTS, strict=True):
        numpy.testing.assert_allclose(model.predict(docs_of(text))[0], vectors_of_one, atol=0.05)


@kinds
def test_encoder_copies_and_pickles_predict_the_same(kind, tiny_backbones):
    model = encoder_in_integers(tiny_backbones[kind])
    expected = vectors(model)
    for module in (copy.deepcopy(model.shims[0].module), pickle.loads(pickle.dumps(model.shims[0].module))):
        model.shims[0].take(module, {})
        assert_array_equal(vectors(model), expected)


@pytest.mark.parametrize(("act", "linked"), [("gelu", True), ("relu", False), ("gelu_new", False)])
def test_encoder_links_the_exact_gelu_only(act, linked, tiny_backbones, tmp_path):
    from backbones import make_backbone

    name = make_backbone("bert", tmp_path / "bert", hidden_act=act)
    expected = vectors(make_encoder(name))
    model = encoder_in_integers(name)
    assert {layer.intermediate.dense.gelu for layer in model.shims[0].module.encoder.layer} == {linked}
    found = vectors(model)
    assert numpy.linalg.norm(found - expected) / numpy.linalg.norm(expected) < 0.1


@kinds
def test_dequantized_is_near_and_in_floats(kind, tiny_backbones):
    expected = vectors(make_encoder(tiny_backbones[kind]))
    model = encoder_in_integers(tiny_backbones[kind])
    in_floats = dequantized(model.shims[0].module)
    assert is_int8(model.shims[0].module), "it is a copy"
    assert not is_int8(in_floats)
    model.shims[0].take(in_floats, {})
    found = vectors(model)
    assert 0 < numpy.linalg.norm(found - expected) / numpy.linalg.norm(expected) < 0.1


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_encoder_in_integers_predicts_in_floats_if_told_so(precision, tiny_backbones):
    expected = vectors(make_encoder(tiny_backbones["bert"]))
    whole = encoder_in_integers(tiny_backbones["bert"])
    model = make_encoder(tiny_backbones["bert"], precision=precision).from_bytes(whole.to_bytes())
    found = vectors(model)
    assert not (found == vectors(whole)).all()
    assert numpy.linalg.norm(found - expected) / numpy.linalg.norm(expected) < 0.1


def test_a_layer_without_a_range_stays_in_floats(tiny_backbones):
    module = make_encoder(tiny_backbones["bert"]).shims[0].module
    name = "encoder.layer.0.output.dense"
    new = quantized(module, {name: (torch.zeros(24) - 1, torch.ones(24))})
    assert [key for key, each in new.named_modules() if isinstance(each, Int8Linear)] == [name]


# What is refused


def test_a_missing_tensor_is_refused(tiny_backbones, tmp_path):
    model = encoder_in_integers(tiny_backbones["bert"])
    model.shims[0].save(tmp_path / "encoder")
    file = tmp_path / "encoder" / "int8.safetensors"
    tensors = load_file(file)
    for lacking in ("encoder.layer.0.output.dense.bias", "encoder.layer.0.output.dense.input_zero"):
        save_file({name: tensor for name, tensor in tensors.items() if name != lacking}, file)
        with pytest.raises(ValueError, match=f"CT010(?s:.)*{lacking}"):
            model.shims[0].load(tmp_path / "encoder")


def test_transformers_alone_refuses_the_folder(tiny_backbones, tmp_path):
    from transformers import AutoModel

    encoder_in_integers(tiny_backbones["bert"]).shims[0].save(tmp_path / "encoder")
    config = json.loads((tmp_path / "encoder" / "config.json").read_text(encoding="utf8"))
    assert config["quantization_config"] == {"quant_method": "spacy-ctxtag-int8"}
    with pytest.raises((OSError, ValueError)):
        AutoModel.from_pretrained(tmp_path / "encoder")


def test_training_in_integers_is_refused(tiny_backbones):
    with pytest.raises(ValueError, match="CT020"):
        encoder_in_integers(tiny_backbones["bert"]).begin_update(docs_of(PLAIN))


def test_integers_are_refused_where_there_are_none(tiny_backbones):
    with pytest.raises(ValueError, match="CT019"):
        make_encoder(tiny_backbones["bert"], precision="int8").predict(docs_of(PLAIN))


# What was measured


def measured(**speeds):
    return {name: {"f": 80.0, "words_per_second": speed, "allowed": speed < 1000} for name, speed in speeds.items()}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({}, "fp32"),
        (measured(fp32=100, bf16=200), "bf16"),
        (measured(fp32=100, bf16=90), "fp32"),
        (measured(fp32=100, bf16=200, fp16=2000), "bf16"),  # fp16 is not allowed
        (measured(fp32=100, int8=400), "fp32"),  # there are no integers
    ],
)
def test_auto_takes_the_fastest_that_is_allowed(found, expected, tiny_backbones, tmp_path):
    plain = make_encoder(tiny_backbones["bert"])
    plain.shims[0].measured = found
    plain.shims[0].save(tmp_path / "encoder")
    models = [make_encoder(tiny_backbones["bert"], precision=each) for each in ("auto", expected)]
    for model in models:
        model.shims[0].load(tmp_path / "encoder")
    assert models[0].shims[0].measured == found
    assert_array_equal(vectors(models[0], PLAIN), vectors(models[1], PLAIN))


def test_what_was_measured_is_forgotten_when_weights_change(tiny_backbones):
    model = make_encoder(tiny_backbones["bert"], precision="auto")
    model.shims[0].measured = measured(fp32=100, bf16=200)
    outputs, backprop = model.begin_update(docs_of(PLAIN))
    backprop([numpy.sin(numpy.arange(y.size, dtype="float32")).reshape(y.shape) for y in outputs])
    assert model.shims[0].measured
    model.finish_update(Adam(0.01))
    assert model.shims[0].measured == {}


@kinds
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_weights_that_are_stored_in_16_bits_load_back_in_32(precision, kind, tiny_backbones, tmp_path):
    model = make_encoder(tiny_backbones[kind], precision=precision)
    expected = vectors(model)
    model.shims[0].measured = {precision: {"f": 80.0, "words_per_second": 200, "allowed": True, "stored": True}}
    model.shims[0].save(tmp_path / "encoder")
    tensors = load_file(tmp_path / "encoder" / "model.safetensors")
    assert {str(each.dtype) for each in tensors.values()} == {
        {"bf16": "torch.bfloat16", "fp16": "torch.float16"}[precision]
    }
    config = json.loads((tmp_path / "encoder" / "config.json").read_text(encoding="utf8"))
    assert config.get("dtype", config.get("torch_dtype")) == {"bf16": "bfloat16", "fp16": "float16"}[precision]
    loaded = make_encoder(tiny_backbones[kind], precision=precision)
    loaded.shims[0].load(tmp_path / "encoder")
    assert {parameter.dtype for parameter in loaded.shims[0].module.parameters()} == {torch.float32}
    assert_array_equal(vectors(loaded), expected)
