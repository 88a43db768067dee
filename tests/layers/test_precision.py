"""Prediction in smaller numbers: close to 32-bit floats, never stored, and never older than the weights."""

import copy
import pickle
import threading

import numpy
import pytest
import torch
from backbones import KINDS
from numpy.testing import assert_array_equal
from thinc.api import Adam
from tiny_encoders import LONG, PLAIN, docs_of, make_encoder, shared_encoder

from spacy_ctxtag.layers.precision import Copies

pytestmark = pytest.mark.backbone
kinds = pytest.mark.parametrize("kind", KINDS)
small = pytest.mark.parametrize("precision", ["bf16", "fp16"])


def vectors(model, *texts):
    return numpy.vstack(model.predict(docs_of(*texts)))


@kinds
@small
@pytest.mark.parametrize("pooling", ["mean", "first", "max"])
def test_vectors_are_close_to_fp32_and_in_fp32(pooling, precision, kind, tiny_backbones):
    path = tiny_backbones[kind]
    expected = vectors(shared_encoder(path, pooling=pooling), PLAIN, "", LONG)
    found = vectors(shared_encoder(path, pooling=pooling, precision=precision), PLAIN, "", LONG)
    assert found.dtype == "float32"
    assert not (found == expected).all()
    off = numpy.linalg.norm(found - expected, axis=1) / numpy.linalg.norm(expected, axis=1).clip(1e-6)
    assert off.max() < {"bf16": 0.05, "fp16": 0.01}[precision]


@small
def test_training_is_in_fp32(precision, tiny_backbones):
    path = tiny_backbones["bert"]
    plain, reduced = make_encoder(path), make_encoder(path, precision=precision)
    for model in (plain, reduced):
        torch.manual_seed(0)
        outputs, backprop = model.begin_update(docs_of(PLAIN))
        backprop([numpy.ones_like(y) for y in outputs])
        model.finish_update(Adam(0.01))
    for (name, one), (_, other) in zip(*(m.shims[0].module.named_parameters() for m in (plain, reduced)), strict=True):
        assert one.dtype == other.dtype == torch.float32
        assert_array_equal(one.detach(), other.detach(), err_msg=name)


def test_a_copy_is_never_older_than_the_weights(tiny_backbones):
    model = make_encoder(tiny_backbones["bert"], precision="bf16", lr_scale=1.0)
    shim = model.shims[0]
    first = vectors(model, PLAIN)
    outputs, backprop = model.begin_update(docs_of(PLAIN))
    backprop([numpy.sin(numpy.arange(y.size, dtype="float32")).reshape(y.shape) for y in outputs])
    model.finish_update(Adam(0.01))
    second = vectors(model, PLAIN)
    assert (first != second).any(), "a step"
    zeros = {(shim.id, name): numpy.zeros(p.shape, "float32") for name, p in shim.module.named_parameters()}
    with model.use_params(zeros):
        assert not vectors(model, PLAIN).any(), "averages"
    assert_array_equal(vectors(model, PLAIN), second)
    model.from_bytes(make_encoder(tiny_backbones["bert"]).to_bytes())
    assert_array_equal(vectors(model, PLAIN), first, "other weights loaded")


@pytest.mark.parametrize("again", [copy.deepcopy, lambda copies: pickle.loads(pickle.dumps(copies))])
def test_copies_are_neither_copied_nor_pickled(again):
    copies = Copies()
    made = copies.get(torch.nn.Linear(2, 2), "fp32", "bf16")
    assert made.weight.dtype == torch.bfloat16
    assert not again(copies)._made


def test_threads_share_one_copy():
    copies, module, found = Copies(), torch.nn.Linear(200, 200), []
    threads = [threading.Thread(target=lambda: found.append(copies.get(module, "fp32", "fp16"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(map(id, found))) == 1


def test_the_weights_on_disk_are_those_of_fp32(tiny_backbones):
    path = tiny_backbones["bert"]
    plain, reduced = make_encoder(path), make_encoder(path, precision="bf16")
    vectors(reduced, PLAIN)
    loaded = make_encoder(path).from_bytes(reduced.to_bytes())
    assert_array_equal(vectors(loaded, PLAIN), vectors(plain, PLAIN))


def test_an_unknown_precision_is_refused(tiny_backbones):
    with pytest.raises(ValueError, match="CT016"):
        make_encoder(tiny_backbones["bert"], precision="bfloat16")
