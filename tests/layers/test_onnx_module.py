"""Prediction by ONNX Runtime: the vectors of PyTorch, whatever the architecture and the sizes, never older than the
weights, and safe under threads and forks."""

import copy
import os
import pickle
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy
import pytest
import torch
from backbones import COMMON, KINDS, PIECES
from numpy.testing import assert_allclose, assert_array_equal
from thinc.api import Adam
from tiny_encoders import LONG, PLAIN, docs_of, make_encoder, shared_encoder

from spacy_ctxtag.layers import onnx_module, onnx_session, reading
from spacy_ctxtag.layers.onnx_module import OnnxModule

pytestmark = pytest.mark.backbone
kinds = pytest.mark.parametrize("kind", KINDS)
OTHERS = {
    "albert": {"embedding_size": 8},
    "deberta": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    "distilbert": {"dim": 16, "hidden_dim": 24, "n_layers": 2, "n_heads": 2},
    "mpnet": {},
}


def vectors(model, *texts):
    return numpy.vstack(model.predict(docs_of(*texts)))


def made(model):
    """RETURNS (OnnxModule): What the shim of an encoder predicts with."""
    return model.shims[0]._copies._made["onnx"][1]


def learn(model, optimizer=None):
    outputs, backprop = model.begin_update(docs_of(PLAIN))
    backprop([numpy.sin(numpy.arange(y.size, dtype="float32")).reshape(y.shape) for y in outputs])
    if optimizer is not None:
        model.finish_update(optimizer)


def assert_same_states(module, shape):
    windows, pieces = shape
    ids = torch.arange(windows * pieces).reshape(shape) % 80 + 5
    mask = torch.ones_like(ids)
    mask[1:, pieces - pieces // 2 :] = 0
    found, expected = OnnxModule(module), module
    with torch.inference_mode():
        found, expected = (
            each(input_ids=ids, attention_mask=mask, output_hidden_states=True) for each in (found, expected)
        )
    assert_allclose(found.last_hidden_state[mask > 0], expected.last_hidden_state[mask > 0], atol=1e-5)
    pairs = list(zip(found.hidden_states[:-1], expected.hidden_states[:-1], strict=True))
    assert len(pairs) == 2
    for one, other in pairs:
        assert_allclose(one[mask > 0], other[mask > 0], atol=1e-5)


@kinds
@pytest.mark.parametrize("layers", ["last", "all", [0]], ids=str)
def test_vectors_are_those_of_torch(layers, kind, tiny_backbones):
    path, texts = tiny_backbones[kind], (PLAIN, "", LONG, "x", " ")
    expected = vectors(make_encoder(path, layers=layers), *texts)
    model = make_encoder(path, layers=layers, backend="onnx")
    assert_allclose(vectors(model, *texts), expected, atol=1e-5)
    calls = []
    model.shims[0].module.register_forward_pre_hook(lambda *args: calls.append(args))
    vectors(model, *texts)
    assert not calls, "PyTorch ran"


@kinds
@pytest.mark.parametrize("shape", [(1, 1), (3, 1), (1, 2), (1, PIECES), (9, 33)], ids=str)
def test_sizes_are_free(shape, kind, tiny_backbones):
    assert_same_states(shared_encoder(tiny_backbones[kind]).shims[0].module, shape)


@pytest.mark.parametrize("kind", OTHERS)
def test_other_architectures_give_the_states_of_torch(kind):
    from transformers import AutoConfig, AutoModel

    settings = OTHERS[kind] if "dim" in OTHERS[kind] else {**COMMON, **OTHERS[kind]}
    config = AutoConfig.for_model(kind, **settings, vocab_size=90)
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of torch about itself, when DeBERTa is first imported
        torch.manual_seed(0)
        module = AutoModel.from_config(config).eval()
    assert_same_states(module, (2, 20))


def test_empty_documents_start_nothing(tiny_backbone):
    model = make_encoder(tiny_backbone, backend="onnx")
    assert [y.shape for y in model.predict(docs_of("", ""))] == [(0, 16), (0, 16)]
    assert vectors(model, " ", "\n").tolist() == numpy.zeros((2, 16)).tolist()
    assert not made(model)._sessions


def test_nothing_is_printed(tiny_backbones, capfd):
    for path in tiny_backbones.values():
        vectors(make_encoder(path, backend="onnx"), PLAIN)
    assert tuple(capfd.readouterr()) == ("", "")


# Weights


def test_training_is_that_of_torch(tiny_backbone):
    both = [make_encoder(tiny_backbone, backend=backend) for backend in ("torch", "onnx")]
    vectors(both[1], PLAIN)
    for model in both:
        torch.manual_seed(0)
        learn(model, Adam(0.01))
    for one, other in zip(*(model.shims[0].module.parameters() for model in both), strict=True):
        assert_array_equal(one.detach(), other.detach())


def test_vectors_are_never_older_than_the_weights(tiny_backbone):
    model, plain = (make_encoder(tiny_backbone, backend=backend, lr_scale=1.0) for backend in ("onnx", "torch"))
    first, shim = vectors(model, PLAIN), model.shims[0]
    learn(model, Adam(0.01))
    second = vectors(model, PLAIN)
    assert_allclose(second, vectors(plain.from_bytes(model.to_bytes()), PLAIN), atol=1e-5)
    assert numpy.abs(first - second).max() > 1e-3, "a step"
    zeros = {(shim.id, name): numpy.zeros(p.shape, "float32") for name, p in shim.module.named_parameters()}
    with model.use_params(zeros):
        assert not vectors(model, PLAIN).any(), "averages"
    assert_array_equal(vectors(model, PLAIN), second)
    model.from_bytes(make_encoder(tiny_backbone).to_bytes())
    assert_array_equal(vectors(model, PLAIN), first, "other weights loaded")


@pytest.mark.parametrize("again", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model)), lambda m: m.copy()])
def test_copies_of_a_model_export_for_themselves(again, tiny_backbone):
    model = make_encoder(tiny_backbone, backend="onnx")
    expected = vectors(model, PLAIN)
    copied = again(model)
    assert not copied.shims[0]._copies._made
    assert_array_equal(vectors(copied, PLAIN), expected)


# Threads and processes


def test_threads_share_one_session(tiny_backbone, monkeypatch):
    exported = []
    export = onnx_module.export
    monkeypatch.setattr(onnx_module, "export", lambda *args: exported.append(args) or export(*args))
    model, texts = make_encoder(tiny_backbone, backend="onnx"), [PLAIN, LONG, "x", "London"] * 4
    expected = [vectors(shared_encoder(tiny_backbone), text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: vectors(model, text), texts))
    for y, z in zip(found, expected, strict=True):
        assert_allclose(y, z, atol=1e-5)
    assert len(exported) == 1


def test_encoders_are_exported_at_once_by_threads(tiny_backbones):
    models = [make_encoder(path, backend="onnx") for path in tiny_backbones.values()]
    with ThreadPoolExecutor(len(models)) as pool:
        found = list(pool.map(lambda model: vectors(model, PLAIN), models))
    for y, path in zip(found, tiny_backbones.values(), strict=True):
        assert_allclose(y, vectors(shared_encoder(path), PLAIN), atol=1e-5)


def test_as_many_threads_as_torch_has(tiny_backbone):
    model, before, found = make_encoder(tiny_backbone, backend="onnx"), torch.get_num_threads(), []
    try:
        for threads in (2, 1, 2):
            torch.set_num_threads(threads)
            vectors(model, PLAIN)
            found.append(made(model)._sessions[False].inner.get_session_options().intra_op_num_threads)
    finally:
        torch.set_num_threads(before)
    assert found == [2, 1, 2]


# The parent has threads in ONNX Runtime, and forks while another thread exports. The child predicts, drops what it has
# inherited, and ends as any program does, with everything cleaned up.
FORK = """
import os, sys, threading
import torch
sys.path[:0] = sys.argv[2:]
from tiny_encoders import LONG, docs_of, make_encoder
from spacy_ctxtag.layers import onnx_module

torch.set_num_threads(2)
model, other = (make_encoder(sys.argv[1], backend="onnx") for _ in range(2))
expected = model.predict(docs_of(LONG))[0]
started, export = threading.Event(), onnx_module.export
onnx_module.export = lambda *args: started.set() or export(*args)
thread = threading.Thread(target=lambda: other.predict(docs_of(LONG)))
thread.start()
started.wait()
child = os.fork()
if not child:
    for each in (model, other):
        found = each.predict(docs_of(LONG))[0]
        assert abs(found - expected).max() < 1e-5
        assert each.shims[0]._copies._made["onnx"][1]._sessions[False][:2] == (os.getpid(), 1)
    model.shims[0].to_device("cpu", -1)
    sys.exit(0)
thread.join()
assert os.waitpid(child, 0)[1] == 0
assert abs(model.predict(docs_of(LONG))[0] - expected).max() == 0
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_predicts_and_ends(tiny_backbone, tmp_path):
    script = tmp_path / "fork.py"
    script.write_text(FORK, encoding="utf8")
    here = os.path.dirname(__file__)
    command = [sys.executable, str(script), tiny_backbone, here, os.path.dirname(here)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert run.stdout == "done\n", run.stderr


# Refused


def test_unknown_backend_is_refused(tiny_backbone):
    with pytest.raises(ValueError, match="CT032"):
        make_encoder(tiny_backbone, backend="onnxruntime")


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_other_precisions_are_refused(precision, tiny_backbone):
    with pytest.raises(ValueError, match="CT033"):
        make_encoder(tiny_backbone, backend="onnx", precision=precision)


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_missing_package_is_an_error_that_names_the_extra(package, tiny_backbone, monkeypatch):
    find = reading.find_spec
    monkeypatch.setattr(reading, "find_spec", lambda name: None if name == package else find(name))
    with pytest.raises(ValueError, match=r"CT034.*spacy-ctxtag\[onnx\]"):
        make_encoder(tiny_backbone, backend="onnx")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda states: torch.linalg.qr(states)[0] @ states, "linalg_qr"),
        (lambda states: states * int(states.shape[1]), "off by"),
        (lambda states: states * torch.full((1, int(states.shape[1]), 1), 0.5), "Expected: 7"),
    ],
    ids=["no such operator", "a size became a constant", "sizes do not fit"],
)
def test_encoder_that_cannot_be_exported_is_an_error(change, reason, tiny_backbone):
    model = make_encoder(tiny_backbone, backend="onnx")
    model.shims[0].module.embeddings.register_forward_hook(lambda module, args, states: change(states))
    for _ in range(2):
        with pytest.raises(ValueError, match=rf"CT035.*'bert'(.|\n)*{reason}"):
            vectors(model, PLAIN)


def test_device_without_provider_is_an_error(tiny_backbone):
    module = copy.deepcopy(shared_encoder(tiny_backbone).shims[0].module).to("meta")
    ids = torch.zeros((1, 3), dtype=torch.int64, device="meta")
    with pytest.raises(ValueError, match=r"CT036.*meta.*CPUExecutionProvider"):
        OnnxModule(module)(input_ids=ids, attention_mask=ids, output_hidden_states=False)


def test_provider_that_does_not_start_is_an_error(tiny_backbone, monkeypatch):
    monkeypatch.setattr(onnx_session.runtime().InferenceSession, "get_providers", lambda self: ["Another"])
    with pytest.raises(ValueError, match=r"CT036.*Another"):
        vectors(make_encoder(tiny_backbone, backend="onnx"), PLAIN)
