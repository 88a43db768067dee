"""Encoders made smaller: what is left computes the same, and is an ordinary folder of Hugging Face."""

import copy
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from backbones import KINDS, make_backbone
from transformers import AutoConfig, AutoModel

from spacy_ctxtag.layers.hf_config import n_layers
from spacy_ctxtag.layers.hf_shrink import head_weights, n_units, unit_weights, write_smaller
from spacy_ctxtag.layers.hf_weights import load_module, load_tokenizer

pytestmark = pytest.mark.backbone
kinds = pytest.mark.parametrize("kind", KINDS)
IDS = torch.tensor([[2, 7, 8, 9, 3], [2, 20, 11, 30, 3]])
ALL = [np.arange(24), np.arange(24)]
HAS_HEADS = int(version("transformers").split(".")[0]) < 5
WITH_HEADS = ("bert", "electra", "distilbert", "roberta", "xlm-roberta")


def smaller(module, path, layers=(0, 1), units=ALL, name="small"):
    """RETURNS: the encoder that is written, loaded strictly."""
    write_smaller(module, load_tokenizer(path), path.parent / name, layers=layers, units=units)
    return load_module(path.parent / name)


def run(module):
    with torch.no_grad():
        return module(IDS).last_hidden_state.numpy()


@pytest.fixture
def encoder(kind, tmp_path):
    path = Path(make_backbone(kind, tmp_path / kind))
    return load_module(path), path


@kinds
def test_encoder_less_nothing_is_the_same(kind, encoder):
    module, path = encoder
    found = smaller(module, path)
    assert all(torch.equal(value, found.state_dict()[name]) for name, value in module.state_dict().items())
    np.testing.assert_array_equal(run(found), run(module))


@kinds
def test_encoder_without_units_that_nobody_reads_computes_the_same(kind, encoder):
    module, path = encoder
    dead = [[1, 7, 23], [0, 7, 12]]
    weights = dict(module.named_parameters())
    with torch.no_grad():
        for name, units in zip(unit_weights(module), dead, strict=True):
            weights[name][:, units] = 0
    found = smaller(module, path, units=[np.setdiff1d(np.arange(24), units) for units in dead])
    assert n_units(found) == 21
    removed = sum(p.numel() for p in module.parameters()) - sum(p.numel() for p in found.parameters())
    assert removed >= 2 * 3 * 2 * 16  # of two layers, three units that read and write 16 numbers
    np.testing.assert_allclose(run(found), run(module), atol=2e-6)


@kinds
def test_encoder_keeps_the_layers_that_were_chosen(kind, tmp_path):
    layers = {"num_hidden_layers": 5, "n_layers": 5} if kind == "distilbert" else {"num_hidden_layers": 5}
    path = Path(make_backbone(kind, tmp_path / kind, **layers))
    module = load_module(path)
    found = smaller(module, path, layers=[0, 3, 4], units=[np.arange(12)] * 5)
    assert (n_layers(found), n_units(found)) == (3, 12)
    before = dict(module.named_parameters())
    for name, old in zip(unit_weights(found), [unit_weights(module)[i] for i in (0, 3, 4)], strict=True):
        assert torch.equal(dict(found.named_parameters())[name], before[old][:, :12])
    assert np.isfinite(run(found)).all()


@kinds
def test_smaller_encoder_is_a_folder_that_hugging_face_reads(kind, encoder):
    module, path = encoder
    smaller(module, path, layers=[0], units=[np.arange(5), np.arange(3, 8)])
    folder = path.parent / "small"
    config = AutoConfig.from_pretrained(folder)
    loaded, info = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert (config.num_hidden_layers, n_units(loaded)) == (1, 5)
    assert {name for name in info["missing_keys"] if "pooler" not in name} == set()
    assert len(info["unexpected_keys"]) == 0


@kinds
def test_heads_are_removed_where_transformers_can(kind, encoder):
    module, path = encoder
    if not (HAS_HEADS and kind in WITH_HEADS):
        with pytest.raises(ValueError, match="CT031"):
            head_weights(module)
        return
    removed = copy.deepcopy(module)
    removed.prune_heads({0: [1]})
    with torch.no_grad():
        dict(module.named_parameters())[head_weights(module)[0]][:, 8:] = 0  # the second of two heads
    found = smaller(removed, path)
    np.testing.assert_allclose(run(found), run(module), atol=2e-6)
    assert found.config.pruned_heads == {0: [1], 1: []}
    assert unit_weights(found) == unit_weights(module)
    with pytest.raises(ValueError, match=r"CT031.*already"):
        head_weights(found)
    for layer, heads in ((0, [1]), (1, [])):  # a layer takes them along
        assert smaller(removed, path, layers=[layer], name=f"layer {layer}").config.pruned_heads == {0: heads}


def test_encoder_that_shares_its_layers_is_refused(tmp_path):
    config = AutoConfig.for_model("albert", hidden_size=16, embedding_size=8, num_attention_heads=2, vocab_size=9)
    with pytest.raises(ValueError, match="CT012"):
        unit_weights(AutoModel.from_config(config))


def test_encoder_without_a_number_of_units_is_refused():
    config = AutoConfig.for_model("xlnet", d_model=16, n_head=2, n_layer=2, vocab_size=9)
    with pytest.raises(ValueError, match="CT030"):
        n_units(AutoModel.from_config(config))


@pytest.mark.parametrize("kind", ["modernbert"])
def test_weight_that_depends_on_a_place_is_refused(kind, encoder):
    module, path = encoder
    with pytest.raises(ValueError, match=r"CT030.*layers\.1\.attn_norm\.weight"):
        smaller(module, path, layers=[0, 0])  # ModernBERT's first layer has one norm less


@pytest.mark.parametrize("kind", ["bert"])
def test_tokenizer_goes_along(kind, encoder):
    module, path = encoder
    smaller(module, path)
    texts = [load_tokenizer(folder)("Ada wrote.")["input_ids"] for folder in (path, path.parent / "small")]
    assert texts[0] == texts[1]
    assert json.loads((path.parent / "small" / "config.json").read_text())["model_type"] == "bert"
