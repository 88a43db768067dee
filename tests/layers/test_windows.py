"""Windows over word pieces: cores partition them, every core has its context, and lies between token borders."""

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_ctxtag.layers.windows import plan_windows


def borders_of(lengths):
    """The offsets at which tokens of these lengths begin, and their sum."""
    ends = numpy.cumsum(lengths, dtype="int64")
    return ends - numpy.asarray(lengths, dtype="int64"), int(ends[-1]) if len(ends) else 0


@st.composite
def plans(draw):
    """Lengths of tokens, capacity and overlap."""
    capacity = draw(st.integers(1, 40))
    overlap = draw(st.integers(0, capacity - 1))
    length = st.one_of(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 90))
    return draw(st.lists(length, max_size=80)), capacity, overlap


@given(plans())
@settings(max_examples=400)
def test_windows_partition_with_context(plan):
    lengths, capacity, overlap = plan
    borders, n_pieces = borders_of(lengths)
    start, end, core_start, core_end = plan_windows(n_pieces, borders, capacity=capacity, overlap=overlap)
    owned = [piece for low, high in zip(core_start, core_end, strict=True) for piece in range(low, high)]
    assert owned == list(range(n_pieces))
    assert (end - start <= capacity).all()
    context = overlap // 2
    assert (start <= numpy.maximum(core_start - context, 0)).all()
    assert (end >= numpy.minimum(core_end + context, n_pieces)).all()
    assert (start >= 0).all()
    assert (end <= n_pieces).all()


@given(plans())
@settings(max_examples=400)
def test_windows_cut_long_tokens_only(plan):
    lengths, capacity, overlap = plan
    borders, n_pieces = borders_of(lengths)
    windows = plan_windows(n_pieces, borders, capacity=capacity, overlap=overlap)
    longest_whole = min(overlap // 2, capacity - 2 * (overlap // 2) - 1) + 1
    for border in windows.core_end[:-1]:
        token = int(numpy.searchsorted(borders, border, side="right")) - 1
        assert border == borders[token] or lengths[token] > longest_whole


@given(st.lists(st.integers(1, 4), min_size=1, max_size=400), st.integers(20, 60), st.integers(0, 10))
def test_windows_are_few(lengths, capacity, overlap):
    borders, n_pieces = borders_of(lengths)
    windows = plan_windows(n_pieces, borders, capacity=capacity, overlap=overlap)
    assert len(windows.start) <= max(1, -(-n_pieces // (capacity - overlap - max(lengths))))


def test_windows_without_pieces_are_none():
    assert [len(each) for each in plan_windows(0, numpy.zeros(0, dtype="int64"), capacity=5, overlap=2)] == [0] * 4


def test_windows_of_a_text_that_fits_are_one():
    windows = plan_windows(5, numpy.arange(5), capacity=5, overlap=2)
    assert [each.tolist() for each in windows] == [[0], [5], [0], [5]]


def test_windows_of_known_text():
    windows = plan_windows(12, numpy.arange(12), capacity=6, overlap=2)
    assert [each.tolist() for each in windows] == [[0, 3, 6], [6, 9, 12], [0, 4, 7], [4, 7, 12]]


def test_cores_end_at_the_last_token_border_before_their_share():
    borders, n_pieces = borders_of([3, 1, 1, 1] * 5)
    windows = plan_windows(n_pieces, borders, capacity=10, overlap=4)
    assert windows.core_end.tolist() == [5, 9, 12, 16, 18, 24, 30]  # shares: 5, 9, 13, 16, 20, 24, 30


@pytest.mark.parametrize(("capacity", "overlap"), [(0, 0), (-3, 0), (4, 4), (4, 9), (4, -1)])
def test_windows_that_cannot_advance_are_refused(capacity, overlap):
    with pytest.raises(ValueError, match="CT001"):
        plan_windows(9, numpy.arange(9), capacity=capacity, overlap=overlap)
