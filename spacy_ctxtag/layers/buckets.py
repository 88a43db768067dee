"""Sort windows by length and pack them into padded matrices of word pieces. NumPy on the host."""

from typing import List, NamedTuple, Tuple

import numpy as np
from numpy.typing import NDArray

from .pieces import Pieces, Specials

Ints = NDArray[np.int64]

PADDING = 1 / 16  # of a full bucket; before there is more, a new one begins


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
        padding = np.cumsum(longest - length[rows])
        rows = rows[padding <= max_pieces * PADDING]
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
