"""Rows of pieces: words of every kind of tokenizer, cuts between them, masks over whole ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from backbones import KINDS, LINES
from numpy.random import default_rng
from numpy.testing import assert_array_equal

from spacy_ctxtag.layers.hf_weights import load_tokenizer
from spacy_ctxtag.training.pretrain_rows import (
    LONGEST,
    Row,
    Vocabulary,
    collate,
    cut,
    mask,
    number_words,
    pack,
    read_vocabulary,
    rows_of,
)

pytestmark = pytest.mark.backbone

TEXT = "Ada  Lovelace wrote, Babbage answered\nkindly."
VOCABULARY = Vocabulary(np.array([101]), np.array([102, 103]), 0, 99, np.arange(1, 60))


def make_row(words: list[int]) -> Row:
    return Row(np.arange(1, len(words) + 1), np.array(words))


def pieces_of_words(tokenizer: Any, text: str) -> list[str]:
    """The characters of each word, white space at its edges aside."""
    encoding = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False)
    words = number_words(text, encoding)
    found = []
    for word in range(words.max() + 1):
        spans = [encoding.offsets[i] for i in np.flatnonzero(words == word)]
        found.append(text[min(start for start, _ in spans) : max(end for _, end in spans)].strip())
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_words_of_a_tokenizer_are_whole(tiny_backbones: dict[str, str], kind: str) -> None:
    found = pieces_of_words(load_tokenizer(Path(tiny_backbones[kind])), TEXT)
    assert {"Ada", "Lovelace", "wrote", "Babbage", "answered", "kindly"} <= {word.strip(",.") for word in found}
    assert not any(" " in word or "\n" in word for word in found)


def test_white_space_ends_words_where_the_tokenizer_knows_none(tiny_backbone: str) -> None:
    class Encoding:
        word_ids = (0, 0, 0, 0, None)
        offsets = ((0, 3), (3, 7), (7, 9), (10, 12), (12, 14))

    assert number_words("one two34 5678", Encoding()).tolist() == [0, 1, 1, 2, 3]


def test_long_runs_without_spaces_are_no_words(tiny_backbone: str) -> None:
    class Encoding:
        word_ids = (*[0] * (LONGEST + 1), 1, 1)
        offsets = tuple((i, i + 1) for i in range(LONGEST + 3))

    assert number_words("x" * (LONGEST + 3), Encoding()).tolist() == [*range(LONGEST + 1), LONGEST + 1, LONGEST + 1]


@pytest.mark.parametrize("kind", ["bert", "roberta", "xlm-roberta"])
def test_rows_hold_all_pieces_of_the_texts(tiny_backbones: dict[str, str], kind: str) -> None:
    tokenizer = load_tokenizer(Path(tiny_backbones[kind]))
    rows = rows_of(["", *LINES], tokenizer, 7)
    encodings = tokenizer.backend_tokenizer.encode_batch(LINES, add_special_tokens=False)
    assert_array_equal(np.concatenate([row.ids for row in rows]), np.concatenate([each.ids for each in encodings]))
    assert max(len(row.ids) for row in rows) == 7
    assert all(row.words[0] == 0 and set(np.diff(row.words)) <= {0, 1} for row in rows)


def test_special_pieces_in_a_text_are_text(tiny_backbones: dict[str, str]) -> None:
    for kind in KINDS:
        tokenizer = load_tokenizer(Path(tiny_backbones[kind]))
        (row,) = rows_of(["a </s> [MASK] <mask> b"], tokenizer, 60)
        assert not set(row.ids.tolist()) & set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], []),
        ([0, 0, 1], [(0, 3)]),
        ([0, 0, 1, 1, 2], [(0, 4), (4, 5)]),
        ([0, 0, 1, 1, 1, 2], [(0, 2), (2, 6)]),
        ([0, 0, 0, 0, 0, 0, 1], [(0, 4), (4, 7)]),
        ([0, 1, 1, 1, 1, 1], [(0, 1), (1, 5), (5, 6)]),
    ],
)
def test_rows_are_cut_between_words(words: list[int], expected: list[tuple[int, int]]) -> None:
    assert list(cut(np.array(words, dtype="int64"), 4)) == expected


def test_batches_hold_every_row_once_within_the_budget() -> None:
    rng = default_rng(0)
    rows = [make_row(list(range(n))) for n in rng.integers(1, 30, size=100)]
    batches = pack(rows, 64, rng)
    assert sorted(id(row) for batch in batches for row in batch) == sorted(id(row) for row in rows)
    assert all(len(batch) * max(len(row.ids) for row in batch) <= 64 for batch in batches)
    assert len(batches) < 40
    assert [len(batch) for batch in pack([make_row([0] * 100)] * 2, 64, rng)] == [1, 1]
    assert pack([], 64, rng) == []


# Masks

WORDS = [i // 3 for i in range(3000)]


def test_words_are_masked_whole_or_not_at_all() -> None:
    row = make_row(WORDS)
    masked = mask(row, VOCABULARY, default_rng(0), share=0.15)
    by_word = masked.chosen.reshape(-1, 3)
    assert (by_word.all(axis=1) == by_word.any(axis=1)).all()
    assert 0.12 < by_word[:, 0].mean() < 0.18
    replaced = (masked.ids == VOCABULARY.mask).reshape(-1, 3)
    assert (replaced.all(axis=1) == replaced.any(axis=1)).all()
    assert 0.7 < replaced[by_word[:, 0], 0].mean() < 0.9
    assert_array_equal(masked.targets, row.ids[masked.chosen])
    left = masked.chosen & (masked.ids == row.ids)
    assert 0.02 < left.sum() / masked.chosen.sum() < 0.2
    assert_array_equal(masked.ids[~masked.chosen], row.ids[~masked.chosen])
    assert set(masked.ids[masked.chosen & ~left].tolist()) <= {VOCABULARY.mask, *VOCABULARY.ordinary.tolist()}


def test_plain_mask_masks_all_that_is_to_be_predicted() -> None:
    masked = mask(make_row(WORDS), VOCABULARY, default_rng(0), share=0.15, plain=True)
    assert (masked.ids[masked.chosen] == VOCABULARY.mask).all()


def test_every_row_has_a_word_to_predict() -> None:
    rng = default_rng(0)
    assert all(mask(make_row([0, 1, 1]), VOCABULARY, rng, share=1e-9).chosen.any() for _ in range(20))


def test_batch_is_padded_with_special_pieces_around() -> None:
    rng = default_rng(0)
    rows = [mask(make_row(words), VOCABULARY, rng, share=0.5, plain=True) for words in ([0, 1], [0, 0, 1, 2])]
    batch = collate(rows, VOCABULARY)
    assert batch.ids.shape == (2, 7)
    assert_array_equal(batch.attention, [[1, 1, 1, 1, 1, 0, 0], [1] * 7])
    assert batch.ids[:, 0].tolist() == [101, 101]
    assert batch.ids[0, 3:].tolist() == [102, 103, 0, 0]
    assert_array_equal(batch.chosen[:, 1:5], [[*rows[0].chosen, False, False], rows[1].chosen])
    assert (batch.ids[batch.chosen] == VOCABULARY.mask).all()
    assert_array_equal(batch.targets, np.concatenate([rows[0].targets, rows[1].targets]))


@pytest.mark.parametrize("kind", KINDS)
def test_vocabulary_knows_what_is_special(tiny_backbones: dict[str, str], kind: str) -> None:
    tokenizer = load_tokenizer(Path(tiny_backbones[kind]))
    found = read_vocabulary(tokenizer, 60)
    assert tokenizer.convert_ids_to_tokens([found.mask])[0] in ("[MASK]", "<mask>")
    assert (len(found.prefix), len(found.suffix)) == (1, 1)
    assert found.ordinary.max() == 59
    assert not set(tokenizer.all_special_ids) & set(found.ordinary.tolist())
