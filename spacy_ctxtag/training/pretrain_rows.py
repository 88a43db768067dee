"""From raw texts to rows of word pieces, batches of rows, and masks over whole words. NumPy on the host.

Words are those of the tokenizer, and end at white space in any case, so that this holds for every kind of tokenizer;
the collator of transformers for whole words knows the "##" of BERT's alone.
"""

from typing import Any, Iterator, List, NamedTuple, Sequence, Tuple, TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..layers.pieces import read_specials, without_specials

LONGEST = 10  # pieces; what is longer is no word but a text without spaces, and its pieces are masked one by one
MASKED, RANDOM = 0.8, 0.1  # of the words that are to be predicted (Devlin et al. 2019, section 3.1); the rest is left
SPACES = [code for code in range(0x3001) if chr(code).isspace()]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
RowT = TypeVar("RowT", "Row", "MaskedRow")


class Vocabulary(NamedTuple):
    """Pieces with a meaning of their own: what stands before and behind a row, what pads it, the mask; and all others,
    which may stand for a word at random."""

    prefix: Ints
    suffix: Ints
    pad: int
    mask: int
    ordinary: Ints


class Row(NamedTuple):
    """A part of a text that the encoder reads at once: (P,) numbers of pieces, and (P,) numbers of their words."""

    ids: Ints
    words: Ints


class MaskedRow(NamedTuple):
    """(P,) pieces as the encoder gets them, (P,) which of them are to be predicted, and what those are."""

    ids: Ints
    chosen: Bools
    targets: Ints


class Masked(NamedTuple):
    """A batch to learn from, or to measure with.

    ids (B, P): Numbers of pieces, with special ones, some words masked, padded.
    attention (B, P): 0 for padding, else 1.
    chosen (B, P): Which pieces are to be predicted, M in all.
    targets (M,): What they are, row by row.
    """

    ids: Ints
    attention: Ints
    chosen: Bools
    targets: Ints


def read_vocabulary(tokenizer: Any, size: int) -> Vocabulary:
    """RETURNS (Vocabulary): That of a tokenizer, and of an encoder with embeddings of `size` pieces."""
    specials = read_specials(tokenizer)
    prefix, suffix = (np.asarray(ids, dtype="int64") for ids in (specials.prefix, specials.suffix))
    ordinary = np.setdiff1d(np.arange(min(size, len(tokenizer)), dtype="int64"), specials.every)
    return Vocabulary(prefix, suffix, specials.pad, tokenizer.mask_token_id, ordinary)


def rows_of(texts: Sequence[str], tokenizer: Any, capacity: int) -> List[Row]:
    """Cut texts into rows of at most `capacity` pieces, between words where that is possible."""
    rows: List[Row] = []
    specials = read_specials(tokenizer)
    encodings = tokenizer.backend_tokenizer.encode_batch(list(texts), add_special_tokens=False)
    for text, encoding in zip(texts, encodings, strict=True):
        ids = without_specials(np.asarray(encoding.ids, dtype="int64"), specials)
        words = number_words(text, encoding)
        rows += [Row(ids[low:high], words[low:high] - words[low]) for low, high in cut(words, capacity)]
    return rows


def number_words(text: str, encoding: Any) -> Ints:
    """RETURNS (ndarray): (P,) for each piece of a text the number of its word, from 0."""
    given = np.asarray([-1 if word is None else word for word in encoding.word_ids], dtype="int64")  # (P,)
    offsets = np.asarray(encoding.offsets, dtype="int64").reshape(-1, 2)  # (P, 2)
    codes = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")  # (C,) characters
    spaces = np.concatenate([[0], np.cumsum(np.isin(codes, SPACES))])  # (C + 1,) before each character
    begins = np.ones(len(given), dtype=bool)
    first = np.minimum(offsets[1:, 0] + 1, len(codes))  # a space may be the first character of a piece
    begins[1:] = (given[1:] != given[:-1]) | (spaces[first] > spaces[offsets[:-1, 1]])
    words = np.cumsum(begins) - 1
    if len(words):
        begins |= np.bincount(words)[words] > LONGEST
    return np.cumsum(begins) - 1


def cut(words: Ints, capacity: int) -> Iterator[Tuple[int, int]]:
    """YIELDS (Tuple[int, int]): First piece of a row, and one after its last."""
    begins = np.flatnonzero(np.diff(words, prepend=-1))  # (W,) first pieces of words
    low = 0
    while low < len(words):
        high = min(low + capacity, len(words))
        if high < len(words):
            last = int(begins[np.searchsorted(begins, high, side="right") - 1])
            high = last if last > low else high
        yield low, high
        low = high


def pack(rows: Sequence[RowT], budget: int, rng: Generator) -> List[List[RowT]]:
    """Put rows of about the same length into batches, in an order by chance.

    budget (int): Pieces of a batch, with padding and without special ones; a batch has one row at least.
    """
    shuffled = [rows[i] for i in rng.permutation(len(rows))]
    batches: List[List[RowT]] = []
    longest = 0
    for row in sorted(shuffled, key=lambda row: len(row.ids), reverse=True):
        if not batches or (len(batches[-1]) + 1) * longest > budget:
            batches.append([])
            longest = len(row.ids)
        batches[-1].append(row)
    return [batches[i] for i in rng.permutation(len(batches))]


def mask(row: Row, vocabulary: Vocabulary, rng: Generator, *, share: float, plain: bool = False) -> MaskedRow:
    """Choose whole words to be predicted, and mask them.

    rng (Generator): Decides.
    share (float): Of the words, by chance; at least one.
    plain (bool): Mask all of them. Else, as in training, some are left, and some replaced by pieces by chance.
    """
    n_words = int(row.words[-1]) + 1
    picked = rng.random(n_words) < share
    if not picked.any():
        picked[rng.integers(n_words)] = True
    fate = np.zeros(n_words) if plain else rng.random(n_words)
    chosen = picked[row.words]  # (P,)
    ids = np.where(chosen & (fate < MASKED)[row.words], vocabulary.mask, row.ids)
    random = chosen & ((fate >= MASKED) & (fate < MASKED + RANDOM))[row.words]
    ids[random] = rng.choice(vocabulary.ordinary, size=int(random.sum()))
    return MaskedRow(ids, chosen, row.ids[chosen])


def collate(rows: Sequence[MaskedRow], vocabulary: Vocabulary) -> Masked:
    """RETURNS (Masked): A batch of rows, with special pieces and padding around."""
    before, after = len(vocabulary.prefix), len(vocabulary.suffix)
    width = max(len(row.ids) for row in rows) + before + after
    ids = np.full((len(rows), width), vocabulary.pad, dtype="int64")
    attention = np.zeros_like(ids)
    chosen = np.zeros(ids.shape, dtype=bool)
    for i, row in enumerate(rows):
        end = before + len(row.ids) + after
        ids[i, :end] = np.concatenate([vocabulary.prefix, row.ids, vocabulary.suffix])
        attention[i, :end] = 1
        chosen[i, before : end - after] = row.chosen
    return Masked(ids, attention, chosen, np.concatenate([row.targets for row in rows]))
