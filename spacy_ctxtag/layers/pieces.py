"""From Docs to word pieces: tokenize whole texts, align them to spaCy's tokens, cut them into windows, sort into buckets.

All of it is NumPy on the host. Nothing is truncated, and texts that look like special tokens ("[SEP]") are plain text.
"""

from typing import Any, List, NamedTuple, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import IDX, LENGTH
from spacy.tokens import Doc

from .alignment import Alignment, align, token_borders
from .windows import Windows, plan_windows

Ints = NDArray[np.int64]


class Specials(NamedTuple):
    """The special pieces that the tokenizer puts around a text: before, after, and what it pads with."""

    prefix: List[int]
    suffix: List[int]
    pad: int


class Pieces(NamedTuple):
    """The word pieces of a batch, texts laid end to end.

    ids (P,): their numbers.
    alignment: pairs of a piece of the batch and a token of the batch.
    windows: windows over the pieces of the batch; none crosses a text.
    n_tokens (int): T, tokens of the batch.
    """

    ids: Ints
    alignment: Alignment
    windows: Windows
    n_tokens: int


class Bucket(NamedTuple):
    """Windows of like length, padded to one matrix.

    ids (N, P): pieces with special pieces and padding.
    mask (N, P): 1 where a piece is real.
    source (E,): offsets into the flattened (N · P) matrix of the pieces that vectors are taken from.
    token (E,): the tokens of the batch that they go to.
    """

    ids: Ints
    mask: Ints
    source: Ints
    token: Ints


def read_specials(tokenizer: Any) -> Specials:
    """Read the special pieces off the encoding of a one-letter text, the one way that every tokenizer shares."""
    encoding = _backend(tokenizer).encode("a", add_special_tokens=True)
    special = np.asarray(encoding.special_tokens_mask, dtype=bool)
    inner = np.flatnonzero(~special)
    before, after = (inner[0], inner[-1] + 1) if len(inner) else ((len(special) + 1) // 2,) * 2
    pad = tokenizer.pad_token_id
    return Specials(encoding.ids[:before], encoding.ids[after:], 0 if pad is None else pad)


def tokenize(docs: Sequence[Doc], tokenizer: Any, *, capacity: int, overlap: int) -> Pieces:
    """Tokenize the texts of Docs into pieces, aligned and cut into windows.

    capacity (int): Pieces that fit into a window beside the special ones.
    overlap (int): Pieces that neighbouring windows share.
    """
    encodings = _backend(tokenizer).encode_batch([doc.text for doc in docs], add_special_tokens=False)
    ids: List[Ints] = []
    pairs: List[Alignment] = []
    windows: List[Windows] = []
    first_piece, first_token = 0, 0
    for doc, encoding in zip(docs, encodings, strict=True):
        tokens = doc.to_array([IDX, LENGTH]).astype("int64").reshape(-1, 2)  # (T, 2)
        offsets = np.asarray(encoding.offsets, dtype="int64").reshape(-1, 2)  # (P, 2)
        pair = align(offsets[:, 0], offsets[:, 1], tokens[:, 0], tokens.sum(axis=1))
        borders = token_borders(pair, len(offsets)) if len(offsets) > capacity else np.zeros((0,), dtype="int64")
        plan = plan_windows(len(offsets), borders, capacity=capacity, overlap=overlap)
        ids.append(np.asarray(encoding.ids, dtype="int64"))
        pairs.append(Alignment(pair.piece + first_piece, pair.token + first_token))
        windows.append(Windows(*(edge + first_piece for edge in plan)))
        first_piece += len(offsets)
        first_token += len(doc)
    return Pieces(
        _join(ids),
        Alignment(_join([pair.piece for pair in pairs]), _join([pair.token for pair in pairs])),
        Windows(*(_join([window[i] for window in windows]) for i in range(4))),
        first_token,
    )


def make_buckets(pieces: Pieces, specials: Specials, *, max_pieces: int) -> List[Bucket]:
    """Sort the windows by length and pack them into padded matrices of at most `max_pieces` (or one window)."""
    margin = len(specials.prefix) + len(specials.suffix)
    length = pieces.windows.end - pieces.windows.start + margin  # (N,)
    order = np.argsort(-length, kind="stable")
    buckets = []
    at = 0
    while at < len(order):
        longest = int(length[order[at]])
        rows = order[at : at + max(1, max_pieces // longest)]
        buckets.append(_make_bucket(pieces, specials, rows, longest))
        at += len(rows)
    return buckets


def _make_bucket(pieces: Pieces, specials: Specials, rows: Ints, longest: int) -> Bucket:
    start, end, core_start, core_end = (edge[rows] for edge in pieces.windows)
    size = end - start  # (N,)
    n_prefix = len(specials.prefix)
    column = np.arange(longest) - n_prefix  # (P,) offset into the window's own pieces
    inside = (column[None, :] >= 0) & (column[None, :] < size[:, None])  # (N, P)
    ids = np.full((len(rows), longest), specials.pad, dtype="int64")
    ids[inside] = pieces.ids[(start[:, None] + column[None, :])[inside]]
    ids[:, :n_prefix] = specials.prefix
    for nth, special in enumerate(specials.suffix):
        ids[np.arange(len(rows)), n_prefix + size + nth] = special
    mask = (np.arange(longest)[None, :] < (size + n_prefix + len(specials.suffix))[:, None]).astype("int64")
    # The pairs of a window's core lie side by side, since they are sorted by piece.
    low = np.searchsorted(pieces.alignment.piece, core_start)
    high = np.searchsorted(pieces.alignment.piece, core_end)
    row, pair = _ranges(low, high)
    source = row * longest + n_prefix + pieces.alignment.piece[pair] - start[row]
    return Bucket(ids, mask, source, pieces.alignment.token[pair])


def _ranges(low: Ints, high: Ints) -> Tuple[Ints, Ints]:
    """RETURNS (Tuple): For every number in every range [low, high): the range's index, and the number."""
    count = high - low
    row = np.repeat(np.arange(len(low)), count)
    return row, np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + low[row]


def _join(arrays: List[Ints]) -> Ints:
    return np.concatenate(arrays) if arrays else np.zeros((0,), dtype="int64")


def _backend(tokenizer: Any) -> Any:
    return tokenizer.backend_tokenizer
