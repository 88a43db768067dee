"""The double of a model that sees tokens in part: what it gives with all of them, with none, and its gradient."""

from typing import Any

import numpy as np
import pytest
import torch
from backbones import KINDS
from numpy.testing import assert_allclose, assert_array_equal
from spacy.pipeline.tok2vec import Tok2VecListener
from spacy.tokens import Doc
from test_contract import Float64Ops, late, spelling
from test_contract import chars as characters
from thinc.api import Model, PyTorchWrapper, chain, fix_random_seed
from tiny_encoders import LONG, NLP, PLAIN, docs_of, make_encoder, shared_encoder

from spacy_ctxtag.architectures.encoder import build_layer_mix_v1
from spacy_ctxtag.architectures.features import build_features_v1
from spacy_ctxtag.layers.bilstm import BiLSTM
from spacy_ctxtag.layers.encoder import reading_of
from spacy_ctxtag.layers.faded import faded
from spacy_ctxtag.layers.faded_encoder import faded_encoder
from spacy_ctxtag.layers.pieces import read_specials
from spacy_ctxtag.layers.presence import Presence

pytestmark = pytest.mark.backbone
WINDOWS = {"window": 24, "overlap": 8, "max_pieces": 60}  # several windows, in several buckets
ALL = {"layers": "all"}
kinds = pytest.mark.parametrize("kind", KINDS)


def nowhere(listener: Tok2VecListener) -> Model[Any, Any]:
    raise AssertionError("there is no listener here")


def output(double: Model[Any, Any], doc: Doc) -> Any:
    return double([doc], is_train=True)[0][0]


def gradient(double: Model[Any, Any], presence: Presence, doc: Doc, d_rows: Any) -> Any:
    """RETURNS (ndarray): (T,) summed over the sources."""
    presence.clear()
    _, backprop = double([doc], is_train=True)
    backprop([d_rows])
    return sum(presence.gradients.values())


def some(presence: Presence, seed: int = 0) -> Presence:
    presence.values = np.random.default_rng(seed).uniform(0, 1, presence.values.shape)
    return presence


# All of it, and nothing


@kinds
@pytest.mark.parametrize(
    "settings", [{}, {**WINDOWS, "pooling": "first"}, {**WINDOWS, "pooling": "max", "layers": "all"}]
)
def test_faded_encoder_with_all_tokens_is_the_encoder(kind, settings, tiny_backbones):
    encoder = shared_encoder(tiny_backbones[kind], **settings)
    for doc in docs_of(PLAIN, LONG[:300], "\n London  "):
        expected = encoder.predict([doc])[0]  # first, so that nothing that prediction keeps gets in the way
        assert_allclose(output(faded_encoder(encoder, Presence(len(doc))), doc), expected, atol=2e-5)


@kinds
def test_faded_encoder_without_tokens_reads_masks(kind, tiny_backbones):
    encoder = shared_encoder(tiny_backbones[kind], pooling="first")
    [doc] = docs_of(PLAIN)
    shim, presence = encoder.shims[0], Presence(len(doc))
    specials = read_specials(shim.tokenizer)
    pieces = reading_of(encoder).pieces([doc], shim.module, shim.tokenizer)
    hidden_pieces = [
        shim.tokenizer.mask_token_id if i in pieces.alignment.piece else each  # a space alone belongs to no token
        for i, each in enumerate(pieces.ids.tolist())
    ]
    ids = [*specials.prefix, *hidden_pieces, *specials.suffix]
    with torch.inference_mode():
        hidden = shim.module(input_ids=torch.tensor([ids])).last_hidden_state[0].numpy()
    presence.values = np.zeros(len(doc))
    rows = output(faded_encoder(encoder, presence), doc)
    assert_allclose(rows[0], hidden[len(specials.prefix)], atol=2e-5)  # the first piece of the first token
    assert np.abs(hidden[:, None] - rows).sum(axis=-1).min(axis=0).max() < 1e-3  # every row is one of these


def test_faded_encoder_hides_one_token(tiny_backbone):
    encoder = shared_encoder(tiny_backbone)
    doc = Doc(NLP.vocab, ["Ada", "wrote", "to", "Charles"])
    presence = Presence(4)
    presence.values = np.array([1.0, 1.0, 0.0, 1.0])
    shim = encoder.shims[0]
    encoding = shim.tokenizer.backend_tokenizer.encode(doc.text, add_special_tokens=False)
    specials = read_specials(shim.tokenizer)
    inner = [
        shim.tokenizer.mask_token_id if doc.char_span(*at, alignment_mode="expand").start == 2 else each
        for each, at in zip(encoding.ids, encoding.offsets, strict=True)
    ]
    assert inner.count(shim.tokenizer.mask_token_id) >= 1
    with torch.inference_mode():
        ids = torch.tensor([[*specials.prefix, *inner, *specials.suffix]])
        hidden = shim.module(input_ids=ids).last_hidden_state[0].numpy()
    of_token = [doc.char_span(*at, alignment_mode="expand").start for at in encoding.offsets]
    expected = [
        np.mean([hidden[len(specials.prefix) + i] for i, token in enumerate(of_token) if token == t], axis=0)
        for t in range(4)
    ]
    assert_allclose(output(faded_encoder(encoder, presence), doc), expected, atol=2e-5)


def test_faded_encoder_pieces_of_several_tokens_are_their_mean(tiny_backbone):
    encoder = shared_encoder(tiny_backbone)
    doc = Doc(NLP.vocab, ["A", "da", "wrote"], spaces=[False, True, False])  # "ada" is a piece
    rows = []
    for values in ([0.2, 0.8, 1.0], [0.5, 0.5, 1.0], [0.5, 0.6, 1.0]):
        presence = Presence(3)
        presence.values = np.array(values)
        rows.append(output(faded_encoder(encoder, presence), doc))
    assert_allclose(rows[0], rows[1], atol=1e-6)
    assert np.abs(rows[0] - rows[2]).max() > 1e-4


# The gradient


@kinds
@pytest.mark.parametrize("pooling", ["mean", "first", "max"])
def test_faded_encoder_gradient_equals_central_differences(kind, pooling, steady_backbones):
    encoder = make_encoder(steady_backbones[kind], window=24, overlap=8, pooling=pooling, max_pieces=60)
    encoder._to_ops(Float64Ops())
    encoder.shims[0].module.double()
    [doc] = docs_of(PLAIN + "\n\n" + LONG[:100])
    eps, rel = (1e-3, 5e-3) if kind == "modernbert" else (1e-5, 1e-4)
    presence = some(Presence(len(doc)))
    double = faded_encoder(encoder, presence)
    d_rows = np.random.default_rng(1).normal(size=output(double, doc).shape)
    found = gradient(double, presence, doc, d_rows)
    at, losses = presence.values.copy(), []
    largest = int(np.abs(found).argmax())
    for where in (largest, 0, len(doc) // 2):
        losses = []
        for step in (eps, -eps):
            presence.values = at.copy()
            presence.values[where] += step
            losses.append(float((output(double, doc) * d_rows).sum()))
        expected = (losses[0] - losses[1]) / (2 * eps)
        assert found[where] == pytest.approx(expected, rel=rel, abs=1e-5 * np.abs(found).max())


def everything(path: str, fusion: str = "concat") -> Model[Any, Any]:
    """An encoder whose layers are mixed, characters, spelling, and a further layer, joined; then a BiLSTM."""
    fix_random_seed(0)
    mix = build_layer_mix_v1(make_encoder(path, layers="all"), 2, dropout=0.5)
    dropouts = {"dropout": 0.5, "word_dropout": 0.5, "locked_dropout": 0.5}
    features = build_features_v1(mix, characters(), spelling(), late(characters(5)), fusion=fusion, width=8, **dropouts)
    model = chain(features, BiLSTM(6)).initialize(X=docs_of(PLAIN))
    for node in model.walk():
        if node.has_param("b"):
            node.set_param("b", np.random.normal(0, 0.3, node.get_param("b").shape).astype("float32"))
    return model


@pytest.mark.parametrize("fusion", ["concat", "gate", "add"])
def test_double_gives_what_the_model_predicts_and_drops_nothing(fusion, steady_backbone):
    model = everything(steady_backbone, fusion)
    [doc] = docs_of("Ada wrote to Ada.")
    presence = Presence(len(doc))
    double = faded(model, presence, nowhere)
    assert list(presence.gradients) == ["context", "characters", "orthography", "extra"]
    assert_allclose(output(double, doc), model.predict([doc])[0], atol=2e-5)
    assert_array_equal(output(double, doc), output(double, doc))


@pytest.mark.parametrize("fusion", ["concat", "gate", "add"])
def test_double_gradient_equals_central_differences(fusion, steady_backbone):
    model = everything(steady_backbone, fusion)
    model._to_ops(Float64Ops())
    for node in model.walk():
        for shim in node.shims[:1]:
            shim.module.double()
    [doc] = docs_of("Ada wrote to Ada.")
    presence = some(Presence(len(doc)))
    double = faded(model, presence, nowhere)
    d_rows = np.random.default_rng(1).normal(size=output(double, doc).shape)
    found, at = gradient(double, presence, doc, d_rows), presence.values.copy()
    for where in range(len(doc)):
        losses = []
        for step in (1e-5, -1e-5):
            presence.values = at.copy()
            presence.values[where] += step
            losses.append(float((output(double, doc) * d_rows).sum()))
        assert found[where] == pytest.approx((losses[0] - losses[1]) / 2e-5, rel=1e-3, abs=1e-4 * np.abs(found).max())


def test_double_without_tokens_sees_no_difference_between_words(steady_backbone):
    model = everything(steady_backbone)
    rows = []
    for words in (["Ada", "to", "the"], ["the", "Ada", "to"]):  # of as many pieces
        presence = Presence(3)
        presence.values = np.zeros(3)
        rows.append(output(faded(model, presence, nowhere), Doc(NLP.vocab, words)))
    assert_allclose(rows[0], rows[1], atol=1e-6)


def test_equal_words_have_gradients_of_their_own(steady_backbone):
    model = everything(steady_backbone)
    [doc] = docs_of("Ada wrote to Ada.")
    presence = Presence(len(doc))
    double = faded(model, presence, nowhere)
    d_rows = np.zeros((len(doc), 6), dtype="float32")
    d_rows[0] = 1.0
    gradient(double, presence, doc, d_rows)
    assert presence.gradients["characters"][0] != presence.gradients["characters"][3]


# What it leaves alone


def test_double_leaves_the_model_as_it_is(tiny_backbone):
    model = everything(tiny_backbone)
    [doc] = docs_of(LONG)
    module = next(shim for node in model.walk() for shim in node.shims).module
    before, weights = model.predict([doc])[0].copy(), model.to_bytes()
    needed = [each.requires_grad for each in module.parameters()]
    presence = some(Presence(len(doc)))
    gradient(faded(model, presence, nowhere), presence, doc, np.ones((len(doc), 6), dtype="float32"))
    assert np.abs(presence.gradients["context"]).max() > 0
    assert all(each.grad is None for each in module.parameters())
    assert [each.requires_grad for each in module.parameters()] == needed
    assert not any(each.training for each in module.modules())
    assert not any(node.grad_names for node in model.walk())
    assert model.to_bytes() == weights
    assert_array_equal(model.predict([doc])[0], before)


def test_double_has_the_same_weights_and_not_copies(tiny_backbone):
    model = everything(tiny_backbone)
    double = faded(model, Presence(1), nowhere)
    kept = {id(node.get_param(name)) for node in model.walk() for name in node.param_names}
    found = {id(node.get_param(name)) for node in double.walk() for name in node.param_names}
    assert found
    assert found < kept


# What it cannot do


def test_double_of_a_layer_by_torch_is_refused(tiny_backbone):
    model = chain(make_encoder(tiny_backbone), PyTorchWrapper(torch.nn.Linear(16, 2)))
    with pytest.raises(ValueError, match="CT432"):
        faded(model, Presence(1), nowhere)


def test_encoder_that_takes_no_embeddings_is_refused(tiny_backbone, monkeypatch):
    encoder = make_encoder(tiny_backbone)
    monkeypatch.setattr(encoder.shims[0].module, "forward", lambda input_ids, attention_mask: None)
    with pytest.raises(ValueError, match=r"CT433.*bert"):
        faded_encoder(encoder, Presence(1))
