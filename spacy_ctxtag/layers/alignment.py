"""Align word pieces to spaCy's tokens by character offsets.

A piece belongs to every token with which it shares a character; a token owns any number of pieces, also none (white
space, characters that the tokenizer drops). NumPy only; one call serves a whole batch when the offsets of its texts
are laid end to end.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class Alignment(NamedTuple):
    """E pairs of a piece and a token that share a character, sorted by piece, then by token.

    piece (E,): index of the piece.
    token (E,): index of the token.
    """

    piece: Ints
    token: Ints


def align(piece_start: Ints, piece_end: Ints, token_start: Ints, token_end: Ints) -> Alignment:
    """Pair pieces and tokens.

    piece_start, piece_end (P,): Character offsets of the pieces, end exclusive. Empty pieces take part in nothing.
    token_start, token_end (T,): Character offsets of the tokens, sorted, without overlap.
    RETURNS (Alignment): Every pair that shares at least one character.
    """
    first = np.searchsorted(token_end, piece_start, side="right")
    last = np.searchsorted(token_start, piece_end, side="left")
    count = np.where(piece_end > piece_start, np.maximum(last - first, 0), 0)  # (P,)
    piece = np.repeat(np.arange(len(piece_start)), count)
    nth = np.arange(len(piece)) - np.repeat(np.cumsum(count) - count, count)
    return Alignment(piece.astype("int64"), (np.repeat(first, count) + nth).astype("int64"))


def token_borders(alignment: Alignment, n_pieces: int) -> Ints:
    """RETURNS (Ints): Sorted offsets of the pieces at which a token begins that the piece before does not belong to."""
    begins = np.ones((n_pieces,), dtype=bool)
    lowest = np.full((n_pieces,), np.iinfo("int64").max, dtype="int64")  # (P,) the first token of each piece
    highest = np.full((n_pieces,), -1, dtype="int64")  # (P,) the last
    np.minimum.at(lowest, alignment.piece, alignment.token)
    np.maximum.at(highest, alignment.piece, alignment.token)
    begins[1:] = lowest[1:] > highest[:-1]
    return np.flatnonzero(begins).astype("int64")


def first_only(alignment: Alignment) -> Alignment:
    """RETURNS (Alignment): Of each token only its first piece."""
    _, at = np.unique(alignment.token, return_index=True)
    return Alignment(alignment.piece[at], alignment.token[at])
