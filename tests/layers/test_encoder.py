"""The encoder as a tok2vec: one finite vector per token whatever the text, for every kind of architecture."""

import time

import numpy
import pytest
from backbones import KINDS, WIDTH
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from spacy.tokens import Doc
from tiny_encoders import ANY_TEXT, FRAGMENTS, LONG, NLP, PLAIN, docs_of, make_encoder, shared_encoder

from spacy_ctxtag.architectures.encoder import build_encoder_v1
from spacy_ctxtag.layers.backbone import Backbone
from spacy_ctxtag.layers.hf_config import max_length

pytestmark = pytest.mark.backbone
kinds = pytest.mark.parametrize("kind", KINDS)
poolings = pytest.mark.parametrize("pooling", ["mean", "first", "max"])


def check_rows(vectors, docs):
    assert [y.shape for y in vectors] == [(len(doc), WIDTH) for doc in docs]
    assert all(y.dtype == "float32" and numpy.isfinite(y).all() for y in vectors)


@kinds
@pytest.mark.parametrize("text", FRAGMENTS, ids=range(len(FRAGMENTS)))
def test_odd_text_gets_a_finite_row_per_token(text, kind, tiny_backbones):
    docs = docs_of(text)
    check_rows(shared_encoder(tiny_backbones[kind]).predict(docs), docs)


@given(st.data(), st.lists(ANY_TEXT, max_size=4))
@settings(max_examples=60)
def test_any_text_gets_a_finite_row_per_token(tiny_backbones, data, texts):
    kind = data.draw(st.sampled_from(sorted(KINDS)))
    pooling = data.draw(st.sampled_from(["mean", "first", "max"]))
    docs = docs_of(*texts)
    check_rows(shared_encoder(tiny_backbones[kind], pooling=pooling).predict(docs), docs)


@given(st.data(), st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9), max_size=30))
@settings(max_examples=40)
def test_any_tokens_get_a_finite_row_each(tiny_backbones, data, words):
    spaces = data.draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words)))
    docs = [Doc(NLP.vocab, words=words, spaces=spaces)]
    check_rows(shared_encoder(tiny_backbones[data.draw(st.sampled_from(sorted(KINDS)))]).predict(docs), docs)


@kinds
@poolings
def test_every_word_of_ordinary_text_gets_a_vector(pooling, kind, tiny_backbones):
    docs = docs_of(PLAIN, LONG, "Das große Haus gehört Frau Müller. 東京 Москва")
    for doc, vectors in zip(docs, shared_encoder(tiny_backbones[kind], pooling=pooling).predict(docs), strict=True):
        assert not [token.text for token, row in zip(doc, vectors, strict=True) if not row.any()]


@kinds
def test_last_word_of_a_long_text_is_read(kind, tiny_backbones):
    model = shared_encoder(tiny_backbones[kind])
    one, other = model.predict(docs_of(LONG + " London", LONG + " Cambridge"))
    assert not numpy.allclose(one[-1], other[-1], atol=1e-3)


@kinds
def test_every_token_of_a_long_text_has_context(kind, tiny_backbones):
    """With an overlap of 16, the piece before and the one behind are read in the same window."""
    model = shared_encoder(tiny_backbones[kind], overlap=16)
    words = ["Ada", "London", "the", "engine"] * 30
    (before,) = model.predict([Doc(NLP.vocab, words=words)])
    for i in range(1, len(words) - 1, 7):
        changed = [*words[:i], "Hamburg", *words[i + 1 :]]
        (after,) = model.predict([Doc(NLP.vocab, words=changed)])
        moved = numpy.abs(after - before).max(axis=1)
        assert moved[i - 1 : i + 2].min() > 1e-5


def test_text_of_100_000_tokens_is_encoded_in_seconds(tiny_backbone):
    doc = Doc(NLP.vocab, words=PLAIN.split() * (100_000 // len(PLAIN.split())))
    start = time.process_time()
    (vectors,) = shared_encoder(tiny_backbone).predict([doc])
    assert time.process_time() - start < 60
    assert vectors.shape == (len(doc), WIDTH)
    assert vectors.any(axis=1).all()


@kinds
def test_white_space_alone_runs_nothing(kind, tiny_backbones):
    docs = docs_of("\n\n", " ", "   \t")
    for is_train in (False, True):
        vectors, backprop = shared_encoder(tiny_backbones[kind])(docs, is_train=is_train)
        check_rows(vectors, docs)
        assert backprop(vectors) == []


@pytest.mark.parametrize("texts", [[], [""], ["", ""]])
def test_batch_without_tokens_passes_both_ways(texts, tiny_backbone):
    vectors, backprop = shared_encoder(tiny_backbone)(docs_of(*texts), is_train=True)
    assert [y.shape for y in vectors] == [(0, WIDTH)] * len(texts)
    assert backprop(vectors) == []


@kinds
@poolings
def test_batch_equals_single(pooling, kind, tiny_backbones):
    model = shared_encoder(tiny_backbones[kind], pooling=pooling, window=30, overlap=8)
    docs = docs_of(PLAIN, "", LONG, "London", *FRAGMENTS[3:8])
    for doc, y in zip(docs, model.predict(docs), strict=True):
        assert_allclose(model.predict([doc])[0], y, atol=1e-5, rtol=1e-5)


@given(order=st.permutations(range(6)), max_pieces=st.integers(1, 5000))
@settings(max_examples=15)
def test_neither_order_nor_bucket_size_matters(tiny_backbone, order, max_pieces):
    docs = docs_of(PLAIN, "", LONG, "London", "\n", LONG[:300])
    expected = shared_encoder(tiny_backbone).predict(docs)
    got = shared_encoder(tiny_backbone, max_pieces=max_pieces).predict([docs[i] for i in order])
    for i, y in zip(order, got, strict=True):
        assert_allclose(y, expected[i], atol=1e-5, rtol=1e-5)


@kinds
def test_window_is_no_longer_than_the_encoder_takes(kind, tiny_backbones):
    shim = shared_encoder(tiny_backbones[kind]).shims[0]
    assert max_length(shim.module, shim.tokenizer) == 48


def test_window_of_one_piece_works(tiny_backbone):
    docs = docs_of(PLAIN)
    check_rows(shared_encoder(tiny_backbone, window=3, overlap=0).predict(docs), docs)


@pytest.mark.parametrize(("window", "overlap"), [(64, 64), (64, 65), (64, -1), (0, 0)])
def test_overlap_as_large_as_the_window_is_refused(window, overlap):
    with pytest.raises(ValueError, match="CT001"):
        build_encoder_v1(Backbone("any"), window=window, overlap=overlap)


def test_window_without_room_for_text_is_refused(tiny_backbone):
    with pytest.raises(ValueError, match="CT001"):
        make_encoder(tiny_backbone, window=2, overlap=0).predict(docs_of(PLAIN))


def test_unknown_pooling_is_refused():
    with pytest.raises(ValueError, match=r"CT008.*'median'.*mean"):
        build_encoder_v1(Backbone("any"), pooling="median")


@pytest.mark.parametrize("text", [PLAIN, ""])
def test_encoder_without_weights_is_refused(text):
    with pytest.raises(ValueError, match=r"CT004.*nlp\.initialize"):
        build_encoder_v1(Backbone("any")).predict(docs_of(text))


def test_prediction_does_not_change_earlier_results(tiny_backbone):
    model = shared_encoder(tiny_backbone)
    first = model.predict(docs_of(PLAIN))
    kept = [y.copy() for y in first]
    model.predict(docs_of(LONG))
    assert_array_equal(first, kept)
