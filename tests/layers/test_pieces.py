"""Texts to word pieces and padded buckets: nothing is lost, added or taken for a special piece."""

import json
import shutil
from pathlib import Path

import numpy
import pytest
from backbones import KINDS
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from tiny_encoders import ANY_TEXT, LONG, docs_of
from tokenizers import Tokenizer

from spacy_ctxtag.layers.buckets import make_buckets
from spacy_ctxtag.layers.hf_weights import load_tokenizer
from spacy_ctxtag.layers.pieces import read_specials, tokenize

pytestmark = pytest.mark.backbone


@pytest.fixture(scope="module")
def tokenizers(tiny_backbones):
    return {kind: load_tokenizer(Path(path)) for kind, path in tiny_backbones.items()}


@pytest.fixture
def greedy_tokenizer(tiny_backbone, tmp_path):
    """A folder whose tokenizer.json pads to 40 pieces and truncates to 40, as sentence encoders' do."""
    folder = tmp_path / "padded"
    shutil.copytree(tiny_backbone, folder)
    saved = Tokenizer.from_file(str(folder / "tokenizer.json"))
    saved.enable_padding(length=40)
    saved.enable_truncation(40)
    saved.save(str(folder / "tokenizer.json"))
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_specials_are_one_before_and_one_behind(kind, tokenizers):
    specials = read_specials(tokenizers[kind])
    spelt = tokenizers[kind].convert_ids_to_tokens([*specials.prefix, *specials.suffix, specials.pad])
    assert spelt in (["[CLS]", "[SEP]", "[PAD]"], ["<s>", "</s>", "<pad>"])


def test_padding_of_tokenizer_json_is_switched_off(greedy_tokenizer):
    specials = read_specials(load_tokenizer(greedy_tokenizer))
    assert (len(specials.prefix), len(specials.suffix)) == (1, 1)


def test_truncation_of_tokenizer_json_is_switched_off(greedy_tokenizer, tokenizers):
    docs = docs_of(LONG)
    got, expected = (
        tokenize(docs, each, capacity=30, overlap=4) for each in (load_tokenizer(greedy_tokenizer), tokenizers["bert"])
    )
    assert_array_equal(got.ids, expected.ids)
    assert len(got.ids) > 100


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["[SEP]", "a [CLS] b[PAD]", "</s>", "a <s> b<pad>"])
def test_text_like_special_pieces_gives_none(text, kind, tokenizers):
    tokenizer = tokenizers[kind]
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    pieces = tokenize(docs_of(text), tokenizer, capacity=30, overlap=4)
    assert len(pieces.ids) > 0
    assert not special & set(pieces.ids.tolist())


@pytest.mark.parametrize("kind", ["bert", "electra", "roberta", "modernbert"])
def test_text_like_a_special_piece_is_spelt_out(kind, tokenizers):
    special = tokenizers[kind].sep_token
    assert len(tokenize(docs_of(special), tokenizers[kind], capacity=30, overlap=4).ids) > 1


def test_tokenizer_without_special_pieces_is_taken(tiny_backbone, tmp_path):
    folder = tmp_path / "bare"
    shutil.copytree(tiny_backbone, folder)
    saved = json.loads((folder / "tokenizer.json").read_text(encoding="utf8"))
    saved["post_processor"] = None
    (folder / "tokenizer.json").write_text(json.dumps(saved), encoding="utf8")
    backend = Tokenizer.from_file(str(folder / "tokenizer.json"))

    class Bare:
        backend_tokenizer, pad_token_id, unk_token_id, all_special_ids = backend, None, None, ()

    specials = read_specials(Bare())
    assert specials == ([], [], 0, (), None)
    pieces = tokenize(docs_of("Ada wrote", "London"), Bare(), capacity=5, overlap=0)
    bucket = make_buckets(pieces, specials, max_pieces=100)[0]
    assert bucket.ids[bucket.mask > 0].tolist() == pieces.ids.tolist()


@given(st.data(), st.lists(ANY_TEXT, max_size=4), st.integers(3, 200))
@settings(max_examples=40)
def test_buckets_hold_every_pair_once(tokenizers, data, texts, max_pieces):
    tokenizer = tokenizers[data.draw(st.sampled_from(sorted(KINDS)))]
    pieces = tokenize(docs_of(*texts), tokenizer, capacity=20, overlap=6)
    buckets = make_buckets(pieces, read_specials(tokenizer), max_pieces=max_pieces)
    found = [
        (bucket.token[e], bucket.ids.reshape(-1)[source])
        for bucket in buckets
        for e, source in enumerate(bucket.source)
    ]
    expected = zip(pieces.alignment.token, pieces.ids[pieces.alignment.piece], strict=True)
    assert sorted(found) == sorted(expected)


@given(st.data(), st.lists(ANY_TEXT, max_size=4), st.integers(3, 200))
@settings(max_examples=40)
def test_buckets_keep_their_size_and_frame(tokenizers, data, texts, max_pieces):
    tokenizer = tokenizers[data.draw(st.sampled_from(sorted(KINDS)))]
    specials = read_specials(tokenizer)
    pieces = tokenize(docs_of(*texts), tokenizer, capacity=20, overlap=6)
    for bucket in make_buckets(pieces, specials, max_pieces=max_pieces):
        assert bucket.ids.size <= max_pieces or len(bucket.ids) == 1
        assert (bucket.ids[bucket.mask == 0] == specials.pad).all()
        for row, mask in zip(bucket.ids, bucket.mask, strict=True):
            real = row[: mask.sum()].tolist()
            assert (real[:1], real[-1:]) == (specials.prefix, specials.suffix)
            assert not mask[mask.sum() :].any()


def test_windows_never_cross_texts(tokenizers):
    docs = docs_of(LONG, "", "London", LONG)
    pieces = tokenize(docs, tokenizers["bert"], capacity=20, overlap=6)
    sizes = [len(tokenize([doc], tokenizers["bert"], capacity=20, overlap=6).ids) for doc in docs]
    text_of = numpy.repeat(numpy.arange(4), sizes)
    assert (text_of[pieces.windows.start] == text_of[pieces.windows.end - 1]).all()
