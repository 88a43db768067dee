"""The shim around the Hugging Face encoder: loading, saving, steps, averages, copies, threads."""

import json
import pickle
import random
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
import pytest
import torch
from backbones import KINDS, LINES
from numpy.testing import assert_array_equal
from safetensors.torch import load_file, save_file
from sentencepiece import SentencePieceTrainer
from thinc.api import Adam, fix_random_seed
from tiny_encoders import FRAGMENTS, LONG, PLAIN, docs_of, make_encoder, shared_encoder

from spacy_ctxtag.architectures.encoder import build_encoder_v1
from spacy_ctxtag.layers.backbone import Backbone
from spacy_ctxtag.layers.finetuning import Finetuning
from spacy_ctxtag.layers.hf_bytes import unpacked
from spacy_ctxtag.layers.hf_shim import HFShim, weights_apart

pytestmark = pytest.mark.backbone
kinds = pytest.mark.parametrize("kind", KINDS)
TEXTS = [PLAIN, LONG, "", *FRAGMENTS[4:]]


def make_shim(path):
    shim = HFShim(Finetuning(lr_scale=0.5))
    shim.load(Path(path))
    return shim


def weights(shim):
    return {name: parameter.detach().numpy().copy() for name, parameter in shim.module.named_parameters()}


def assert_same(one, other):
    for y, z in zip(one.predict(docs_of(*TEXTS)), other.predict(docs_of(*TEXTS)), strict=True):
        assert_array_equal(y, z)


def assert_differ(one, other):
    assert not numpy.allclose(one.predict(docs_of(PLAIN))[0], other.predict(docs_of(PLAIN))[0], atol=1e-4)


def learn(model, optimizer=None, texts=(PLAIN,)):
    """Make one update, and a step where there is an optimizer."""
    vectors, backprop = model.begin_update(docs_of(*texts))
    backprop([numpy.sin(numpy.arange(y.size, dtype="float32")).reshape(y.shape) for y in vectors])
    if optimizer is not None:
        model.finish_update(optimizer)


def empty(path="/no/such/folder"):
    return build_encoder_v1(Backbone(path))


# Loading and saving


@kinds
def test_bytes_round_trip_gives_strictly_the_same(kind, tiny_backbones):
    model = shared_encoder(tiny_backbones[kind])
    assert_same(empty().from_bytes(model.to_bytes()), model)


@kinds
def test_folder_round_trip_gives_strictly_the_same(kind, tiny_backbones, tmp_path):
    model, loaded = shared_encoder(tiny_backbones[kind]), empty()
    with weights_apart():
        data = model.to_bytes()
    model.shims[0].save(tmp_path / "encoder")
    loaded.from_bytes(data)
    loaded.shims[0].load(tmp_path / "encoder")
    assert_same(loaded, model)


@kinds
def test_folder_holds_files_that_hugging_face_reads(kind, tiny_backbones, tmp_path):
    from transformers import AutoModel, AutoTokenizer

    shared_encoder(tiny_backbones[kind]).shims[0].save(tmp_path / "encoder")
    names = {path.name for path in (tmp_path / "encoder").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= names
    AutoModel.from_pretrained(tmp_path / "encoder")
    AutoTokenizer.from_pretrained(tmp_path / "encoder")


def test_saving_prints_nothing(tiny_backbone, tmp_path, capfd):
    shared_encoder(tiny_backbone).shims[0].save(tmp_path / "encoder")
    make_shim(tmp_path / "encoder")
    assert tuple(capfd.readouterr()) == ("", "")


def test_bytes_apart_are_small_and_wait_for_weights(tiny_backbone):
    model, loaded = shared_encoder(tiny_backbone), empty()
    with weights_apart():
        data = model.to_bytes()
    assert len(data) < 2000 < len(model.to_bytes())
    loaded.from_bytes(data)
    assert loaded.shims[0].awaits_weights
    with pytest.raises(ValueError, match="CT004"):
        loaded.predict(docs_of(PLAIN))


def test_file_names_in_bytes_do_not_lead_out_of_the_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with unpacked({"../escaped.json": b"{}"}) as folder:
        assert [path.name for path in folder.iterdir()] == ["escaped.json"]
        assert not (folder.parent / "escaped.json").exists()


def test_bytes_of_an_empty_shim_round_trip():
    shim = empty().from_bytes(empty().to_bytes()).shims[0]
    assert (shim.is_loaded, shim.awaits_weights) == (False, False)


def test_weights_of_half_precision_are_loaded_in_single(tiny_backbone, tmp_path):
    folder = shutil.copytree(tiny_backbone, tmp_path / "half")
    halved = {name: value.to(torch.bfloat16) for name, value in load_file(folder / "model.safetensors").items()}
    save_file(halved, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "torch_dtype": "bfloat16", "dtype": "bfloat16"}))
    shim = make_shim(folder)
    assert {parameter.dtype for parameter in shim.module.parameters()} == {torch.float32}


def test_missing_weight_is_refused(tiny_backbone, tmp_path):
    folder = shutil.copytree(tiny_backbone, tmp_path / "broken")
    stored = load_file(folder / "model.safetensors")
    del stored["encoder.layer.1.output.dense.weight"]
    save_file(stored, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match=r"CT005.*Missing: \['encoder\.layer\.1\.output\.dense\.weight'\]"):
        make_shim(folder)


def test_weight_of_another_shape_is_refused(tiny_backbone, tmp_path):
    folder = shutil.copytree(tiny_backbone, tmp_path / "broken")
    stored = load_file(folder / "model.safetensors")
    stored["encoder.layer.1.output.dense.weight"] = torch.zeros(3, 4)
    save_file(stored, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match=r"CT005.*another shape: .*encoder\.layer\.1\.output\.dense\.weight"):
        make_shim(folder)


def test_folder_without_weights_is_refused(tiny_backbone, tmp_path):
    folder = shutil.copytree(tiny_backbone, tmp_path / "broken")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="CT010"):
        make_shim(folder)


def test_weights_that_are_cut_off_are_refused(tiny_backbone, tmp_path):
    folder = shutil.copytree(tiny_backbone, tmp_path / "broken")
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match="CT010"):
        make_shim(folder)


@pytest.mark.parametrize("config", ["{", "{}", '{"model_type": "no-such-type"}'])
def test_config_that_cannot_be_read_is_refused(config, tiny_backbone, tmp_path):
    folder = shutil.copytree(tiny_backbone, tmp_path / "broken")
    (folder / "config.json").write_text(config)
    with pytest.raises(ValueError, match="CT010"):
        make_shim(folder)


def test_slow_tokenizer_is_refused(tiny_backbone, tmp_path):
    folder = shutil.copytree(tiny_backbone, tmp_path / "slow")
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CanineTokenizer"}))
    with pytest.raises(ValueError, match=r"CT006.*CanineTokenizer is a slow tokenizer"):
        make_shim(folder)


@pytest.fixture
def spm_backbone(tiny_backbones, tmp_path):
    """A DeBERTa as it is on the hub: its tokenizer is a SentencePiece model alone."""
    folder = shutil.copytree(tiny_backbones["deberta-v2"], tmp_path / "spm")
    size = json.loads((folder / "config.json").read_text())["vocab_size"]
    specials = {"pad": "[PAD]", "bos": "[CLS]", "eos": "[SEP]", "unk": "[UNK]"}
    ids = {f"{name}_id": i for i, name in enumerate(specials)}
    SentencePieceTrainer.train(
        sentence_iterator=iter(LINES * 9),
        model_prefix=str(folder / "spm"),
        vocab_size=min(size - 1, 150),
        **ids,
        **{f"{name}_piece": piece for name, piece in specials.items()},
        minloglevel=9,
    )
    (folder / "tokenizer.json").unlink()
    (folder / "spm.vocab").unlink()
    (folder / "tokenizer_config.json").write_text(json.dumps({"vocab_type": "spm"}))
    return folder


def test_tokenizer_of_sentencepiece_is_made_fast_once(spm_backbone):
    model = make_encoder(str(spm_backbone))
    docs = docs_of(*TEXTS)
    expected, saved = model.predict(docs), model.to_bytes()
    assert sum(len(each) for each in expected) == sum(len(doc) for doc in docs)
    (spm_backbone / "spm.model").unlink()
    other = build_encoder_v1(Backbone(str(spm_backbone))).from_bytes(saved)
    for one, two in zip(other.predict(docs), expected, strict=True):
        assert_array_equal(one, two)


def test_tokenizer_of_sentencepiece_says_what_it_needs(spm_backbone, monkeypatch):
    def fail(*args, **options):
        raise ValueError("no library")

    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", fail)
    with pytest.raises(ValueError, match=r"CT006.*no library"):
        make_shim(spm_backbone)
    monkeypatch.setattr("spacy_ctxtag.layers.hf_weights.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"CT021.*spm\.model.*spacy-ctxtag\[sentencepiece\]"):
        make_shim(spm_backbone)


def test_tokenizer_that_cannot_be_read_is_refused(tiny_backbone, tmp_path):
    folder = shutil.copytree(tiny_backbone, tmp_path / "broken")
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(ValueError, match="CT006"):
        make_shim(folder)


def test_encoder_decoder_is_refused(tiny_backbone, tmp_path):
    folder = shutil.copytree(tiny_backbone, tmp_path / "t5")
    (folder / "config.json").write_text(json.dumps({"model_type": "t5", "is_encoder_decoder": True}))
    with pytest.raises(ValueError, match=r"CT007.*\(t5\)"):
        make_shim(folder)


def test_failed_load_leaves_the_shim_as_it_was(tiny_backbone, tmp_path):
    folder = shutil.copytree(tiny_backbone, tmp_path / "broken")
    (folder / "tokenizer.json").write_text("{")
    model = make_encoder(tiny_backbone)
    tokenizer = model.shims[0].tokenizer
    with pytest.raises(ValueError, match="CT006"):
        model.shims[0].load(folder)
    assert model.shims[0].tokenizer is tokenizer


def draw():
    return torch.rand(3).tolist(), numpy.random.rand(3).tolist(), [random.random() for _ in range(3)]


def test_load_that_fails_moves_no_random_numbers(tiny_backbone, tmp_path):
    folder = shutil.copytree(tiny_backbone, tmp_path / "broken")
    save_file({"x": torch.zeros(1)}, folder / "model.safetensors", {"format": "pt"})
    fix_random_seed(3)
    expected = draw()
    fix_random_seed(3)
    with pytest.raises(ValueError, match="CT005"):
        make_shim(folder)
    assert draw() == expected


@kinds
def test_loading_moves_no_random_numbers(kind, tiny_backbones):
    fix_random_seed(3)
    expected = draw()
    fix_random_seed(3)
    make_shim(tiny_backbones[kind])
    assert draw() == expected


def test_verbosity_of_transformers_is_restored(tiny_backbone):
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    make_shim(tiny_backbone)
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


# Steps


@kinds
def test_module_stays_in_evaluation_mode(kind, tiny_backbones):
    model = make_encoder(tiny_backbones[kind])
    module = model.shims[0].module
    states = [module.training]
    model.predict(docs_of(PLAIN))
    states.append(module.training)
    learn(model)
    states.append(module.training)
    model.finish_update(Adam(0.01))
    assert [*states, module.training] == [False] * 4


def test_module_stays_in_evaluation_mode_after_an_exception(tiny_backbone):
    shim = make_shim(tiny_backbone)

    def fail(module):
        assert module.training
        raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError, match="out of luck"):
        shim(fail, is_train=True)
    assert not any(part.training for part in shim.module.modules())


def test_update_drops_out_and_prediction_does_not(tiny_backbone):
    model, docs = make_encoder(tiny_backbone), docs_of(PLAIN)
    fix_random_seed(0)
    one, other = (model.begin_update(docs)[0][0] for _ in range(2))
    assert not numpy.allclose(one, other)
    assert_array_equal(model.predict(docs), model.predict(docs))


@kinds
def test_step_moves_every_weight(kind, tiny_backbones):
    model = make_encoder(tiny_backbones[kind])
    before = weights(model.shims[0])
    learn(model, Adam(0.01), texts=[LONG])
    after = weights(model.shims[0])
    still = [name for name in before if not (before[name] != after[name]).any()]
    assert still == []


def test_learn_rate_is_scaled(tiny_backbone):
    rates = {}

    def record(key, weights, gradient, *, lr_scale):
        rates[key] = lr_scale
        return weights, gradient

    model = make_encoder(tiny_backbone, lr_scale=0.25)
    learn(model, record)
    shim = model.shims[0]
    assert rates == {(shim.id, name): 0.25 for name in weights(shim)}


def test_gradients_are_used_once(tiny_backbone):
    model, optimizer = make_encoder(tiny_backbone), Adam(0.01)
    learn(model, optimizer)
    before = weights(model.shims[0])
    model.finish_update(optimizer)
    for name, value in weights(model.shims[0]).items():
        assert_array_equal(value, before[name])


def test_step_empties_the_gradients(tiny_backbone):
    model = make_encoder(tiny_backbone)
    learn(model, lambda key, weights, gradient, *, lr_scale: (weights, gradient))
    assert not any(each.grad.any() for each in model.shims[0].module.parameters())


def test_optimizer_may_return_other_arrays(tiny_backbone):
    model = make_encoder(tiny_backbone)
    before = weights(model.shims[0])
    learn(model, lambda key, weights, gradient, *, lr_scale: (weights + 1, gradient))
    for name, value in weights(model.shims[0]).items():
        assert_array_equal(value, before[name] + 1)


def test_step_without_backward_pass_does_not_count(tiny_backbone):
    model, optimizer = make_encoder(tiny_backbone), Adam(0.01)
    learn(model, optimizer)
    counted = dict(optimizer.nr_update)
    model.begin_update(docs_of(PLAIN))
    model.finish_update(optimizer)
    vectors, backprop = model.begin_update(docs_of("\n\n"))
    backprop(vectors)
    model.finish_update(optimizer)
    assert dict(optimizer.nr_update) == counted


def test_weights_and_gradients_stay_where_they_are_in_memory(tiny_backbone):
    model, optimizer = make_encoder(tiny_backbone), Adam(0.01)
    learn(model, optimizer)

    def places():
        return [(each.data_ptr(), each.grad.data_ptr()) for each in model.shims[0].module.parameters()]

    before = places()
    for _ in range(3):
        learn(model, optimizer)
    assert places() == before


def test_frozen_weights_stay(tiny_backbone):
    model = make_encoder(tiny_backbone)
    model.shims[0].module.requires_grad_(False)
    before = weights(model.shims[0])
    learn(model, Adam(0.01))
    for name, value in weights(model.shims[0]).items():
        assert_array_equal(value, before[name])


# Averages


def test_averages_are_swapped_in_and_back(tiny_backbone):
    model, optimizer = make_encoder(tiny_backbone), Adam(0.05, use_averages=True)
    for _ in range(4):
        learn(model, optimizer)
    shim, kept = model.shims[0], weights(model.shims[0])
    with model.use_params(optimizer.averages):
        inside = weights(shim)
        predicted = model.predict(docs_of(PLAIN))[0]
    for name in kept:
        assert_array_equal(inside[name], optimizer.averages[(shim.id, name)].reshape(inside[name].shape))
        assert_array_equal(weights(shim)[name], kept[name])
    assert not numpy.allclose(predicted, model.predict(docs_of(PLAIN))[0], atol=1e-3)


def test_averages_are_swapped_back_after_an_exception(tiny_backbone):
    model, optimizer = make_encoder(tiny_backbone), Adam(0.05, use_averages=True)
    for _ in range(3):
        learn(model, optimizer)
    kept = weights(model.shims[0])
    with pytest.raises(RuntimeError), model.use_params(optimizer.averages):
        raise RuntimeError("stop")
    for name, value in weights(model.shims[0]).items():
        assert_array_equal(value, kept[name])


def test_averages_are_what_is_saved_while_swapped_in(tiny_backbone):
    model, optimizer = make_encoder(tiny_backbone), Adam(0.05, use_averages=True)
    for _ in range(3):
        learn(model, optimizer)
    with model.use_params(optimizer.averages):
        loaded = empty().from_bytes(model.to_bytes())
        assert_same(loaded, model)
    assert_differ(loaded, model)


def test_averages_pass_an_empty_shim_by():
    with empty().use_params({(1, "x"): numpy.zeros(1)}):
        pass


# Copies, processes, threads


@kinds
def test_copy_is_the_same_and_independent(kind, tiny_backbones):
    model = make_encoder(tiny_backbones[kind])
    copied = model.copy()
    assert copied.shims[0].id != model.shims[0].id
    assert_same(copied, model)
    learn(model, Adam(0.05))
    assert_differ(copied, model)
    learn(copied, Adam(0.05))


@kinds
def test_pickled_model_is_the_same(kind, tiny_backbones):
    model = shared_encoder(tiny_backbones[kind])
    assert_same(pickle.loads(pickle.dumps(model)), model)


@kinds
def test_threads_predict_what_one_does(kind, tiny_backbones):
    model, docs = shared_encoder(tiny_backbones[kind]), docs_of(*TEXTS, PLAIN)
    expected = model.predict(docs)
    barrier = threading.Barrier(2)

    def predict(_):
        barrier.wait()
        return [model.predict(docs) for _ in range(4)]

    with ThreadPoolExecutor(2) as pool:
        for results in pool.map(predict, range(2)):
            for result in results:
                for y, z in zip(result, expected, strict=True):
                    assert_array_equal(y, z)


def test_shim_moves_to_the_cpu(tiny_backbone):
    shim = make_shim(tiny_backbone)
    shim.to_device("cpu", -1)
    assert {parameter.device.type for parameter in shim.module.parameters()} == {"cpu"}
