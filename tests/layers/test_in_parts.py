"""Prediction in calls of a limited size, and long Docs in parts: the rows are those of the layer, and in order."""

from typing import Any, List

import numpy
import pytest
from backbones import WIDTH
from numpy.testing import assert_allclose, assert_array_equal
from spacy.pipeline.tok2vec import Tok2VecListener
from spacy.tokens import Doc
from thinc.api import Model
from tiny_encoders import LONG, PLAIN, docs_of, make_encoder

from spacy_ctxtag.architectures.features import build_features_v1
from spacy_ctxtag.layers import in_parts as module
from spacy_ctxtag.layers.char_cnn import CharCNN
from spacy_ctxtag.layers.in_parts import in_parts
from spacy_ctxtag.layers.orthography import Orthography

pytestmark = pytest.mark.backbone
CALL, CONTEXT = 20, 5
TEXTS = [PLAIN, "", "London", LONG, PLAIN * 2, "\n", "don't " * 15]


@pytest.fixture(autouse=True)
def small_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CALL", CALL)
    monkeypatch.setattr(module, "CONTEXT", CONTEXT)


class Spy:
    """A layer that passes Docs on to another, and notes them."""

    def __init__(self, layer: Model[Any, Any]) -> None:
        self.calls: List[List[Doc]] = []
        self.layer = Model("spy", self.forward, layers=[layer])

    def forward(self, model: Model[Any, Any], docs: List[Doc], is_train: bool) -> Any:
        self.calls.append(docs)
        return model.layers[0](docs, is_train)


@pytest.fixture
def encoder(tiny_backbone: str) -> Model[Any, Any]:
    return make_encoder(tiny_backbone, window=16, overlap=4)


@pytest.fixture
def features(encoder: Model[Any, Any]) -> Model[Any, Any]:
    spelling = Orthography(6, attrs=["NORM", "TAG", "ENT_TYPE"], rows=[90, 90, 90])
    return build_features_v1(encoder, CharCNN(6, rows=90), spelling, width=8).initialize(X=docs_of(PLAIN))


def test_parts_that_read_everything_give_the_rows_of_the_whole(features, monkeypatch):
    monkeypatch.setattr(module, "CONTEXT", 10_000)
    docs = docs_of(*TEXTS)
    for found, expected in zip(in_parts(features).predict(docs), features.predict(docs), strict=True):
        assert_allclose(found, expected, atol=1e-5)


def test_a_part_is_read_with_its_context(encoder):
    [doc] = docs_of(LONG)
    [found] = in_parts(encoder).predict([doc])
    n_parts = -(-len(doc) // CALL)
    start, end = len(doc) // n_parts, 2 * len(doc) // n_parts
    [expected] = encoder.predict([doc[start - CONTEXT : end + CONTEXT].as_doc()])
    assert_allclose(found[start:end], expected[CONTEXT:-CONTEXT], atol=1e-5)


def test_a_document_has_the_same_rows_in_any_batch(features):
    model, docs = in_parts(features), docs_of(*TEXTS)
    for doc, found in zip(docs, model.predict(docs), strict=True):
        assert_allclose(found, model.predict([doc])[0], atol=1e-5)


def test_calls_are_small_and_of_like_length(encoder):
    spy = Spy(encoder)
    in_parts(spy.layer).predict(docs_of(*["Ada"] * 30, *[PLAIN] * 3, LONG))
    sizes = [sum(map(len, docs)) for docs in spy.calls]
    assert max(sizes) <= CALL + 2 * CONTEXT
    assert [len(docs) for docs in spy.calls[-2:]] == [20, 7]


def test_parts_have_the_attributes_of_the_tokens(encoder):
    spy = Spy(encoder)
    [doc] = docs_of("don't " * 30)
    for token in doc:
        token.tag_, token.pos_, token.lemma_, token.ent_type_ = f"T{token.i}", "VERB", f"L{token.i}", f"E{token.i}"
        token.set_morph({"Number": "Sing"}), setattr(token, "is_sent_start", token.i % 3 == 0)
    doc.tensor = numpy.arange(len(doc), dtype="float32")[:, None]
    in_parts(spy.layer).predict([doc])
    parts = [part for [part] in spy.calls]
    assert len(parts) > 2
    for part in parts:
        low = int(part.tensor[0, 0])
        whole = doc[low : low + len(part)]
        assert part.text_with_ws == whole.text_with_ws
        attrs = ["TAG", "POS", "LEMMA", "ENT_TYPE", "MORPH", "SENT_START", "NORM", "SHAPE", "PREFIX"]
        assert_array_equal(part.to_array(attrs), doc.to_array(attrs)[whole.start : whole.end])
        assert_array_equal(part.tensor, doc.tensor[whole.start : whole.end])


def test_a_listener_gets_the_rows_of_each_part():
    listener = Tok2VecListener("any", 3)
    docs = docs_of(LONG, PLAIN)
    for i, doc in enumerate(docs):
        doc.tensor = i + numpy.arange(len(doc) * 3, dtype="float32").reshape(-1, 3)
    for doc, found in zip(docs, in_parts(listener).predict(docs), strict=True):
        assert_array_equal(found, doc.tensor)


def test_a_layer_without_encoder_gets_whole_documents():
    spy = Spy(CharCNN(4).initialize())
    docs = docs_of(LONG, PLAIN)
    found = in_parts(spy.layer).predict(docs)
    assert [doc for call in spy.calls for doc in call] == docs
    assert [len(rows) for rows in found] == list(map(len, docs))


def test_training_is_not_cut(encoder):
    spy = Spy(encoder)
    docs = docs_of(LONG, PLAIN)
    rows, backprop = in_parts(spy.layer)(docs, is_train=True)
    assert spy.calls == [docs]
    assert backprop(rows) == []


@pytest.mark.parametrize("texts", [[], [""], ["", "\n"]])
def test_nothing_passes(texts, encoder):
    assert [row.shape for row in in_parts(encoder).predict(docs_of(*texts))] == [(len(t), WIDTH) for t in texts]
