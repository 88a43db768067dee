"""Cut a sequence of word pieces into overlapping windows, of which each owns a core; the cores partition the pieces.

A piece takes its vector from the window whose core it lies in, which is the window in which it is most central (up to
moving a core's border to the nearest token border before it). NumPy only; knows nothing of texts or models.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import Errors

Ints = NDArray[np.int64]


class Windows(NamedTuple):
    """N windows over the pieces of one text, all as offsets into its pieces.

    start, end (N,): what a window reads.
    core_start, core_end (N,): what it owns; `core_end[i] == core_start[i + 1]`, from 0 to the number of pieces.
    """

    start: Ints
    end: Ints
    core_start: Ints
    core_end: Ints


def plan_windows(n_pieces: int, borders: Ints, *, capacity: int, overlap: int) -> Windows:
    """Plan the windows over one text.

    n_pieces (int): Pieces of the text, P.
    borders (Ints): Sorted offsets of the pieces at which a token begins. A core ends on one of them, except inside a
        token of more pieces than half the overlap, or than a window has beside its overlap, which is cut.
    capacity (int): Pieces that fit into one window, special pieces not counted.
    overlap (int): Pieces that two neighbouring windows both read, at least (one less where it is odd): half of them on
        each side of the border between their cores.
    RETURNS (Windows): At least one window when there are pieces; none when there are none.
    RAISES (ValueError): CT001 when the windows could not advance.
    """
    if capacity < 1 or overlap < 0 or overlap >= capacity:
        raise ValueError(Errors.CT001.format(capacity=capacity, overlap=overlap))
    if n_pieces == 0:
        empty = np.zeros((0,), dtype="int64")
        return Windows(empty, empty, empty, empty)
    if n_pieces <= capacity:
        zero, whole = np.zeros((1,), dtype="int64"), np.full((1,), n_pieces, dtype="int64")
        return Windows(zero, whole, zero, whole)
    context = overlap // 2
    largest = capacity - 2 * context  # pieces of an inner core
    longest_token = int(np.diff(borders, prepend=0, append=n_pieces).max())
    most = min(context, largest - 1, longest_token - 1)  # that a core's border moves back, so that much is kept free
    n_windows = -(-(n_pieces - 2 * context) // (largest - most))
    step = (n_pieces - 2 * context) / n_windows  # the first and the last core own their outer context too
    ideal = np.floor(context + step * np.arange(1, n_windows)).astype("int64")
    inner = _snap(ideal, borders, most=most)
    core_start = np.concatenate([[0], inner]).astype("int64")
    core_end = np.concatenate([inner, [n_pieces]]).astype("int64")
    start = np.clip(core_start - (capacity - (core_end - core_start)) // 2, 0, n_pieces - capacity)
    return Windows(start, start + capacity, core_start, core_end)


def _snap(offsets: Ints, borders: Ints, *, most: int) -> Ints:
    """Move each offset back to the last token border before it, unless that is more than `most` pieces away."""
    at = np.searchsorted(borders, offsets, side="right") - 1
    snapped = np.where(at >= 0, borders[np.maximum(at, 0)] if len(borders) else offsets, offsets)
    return np.where(offsets - snapped > most, offsets, snapped).astype("int64")
