"""Alignment of pieces and tokens, against a double loop over characters."""

import numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from spacy_ctxtag.layers.alignment import Alignment, align, first_only, token_borders


@st.composite
def spans(draw, size, gaps=True):
    """Sorted spans without overlap, (N, 2)."""
    at, found = 0, []
    for gap, length in draw(st.lists(st.tuples(st.integers(0, 3 if gaps else 0), st.integers(1, 5)), max_size=size)):
        found.append((at + gap, at + gap + length))
        at += gap + length
    return numpy.asarray(found, dtype="int64").reshape(-1, 2)


@st.composite
def pieces(draw, size):
    """Spans as tokenizers give them: sorted, some empty, some the same as the one before (bytes of a character)."""
    base = draw(spans(size))
    kinds = draw(st.lists(st.sampled_from(["once", "twice", "empty"]), min_size=len(base), max_size=len(base)))
    found = []
    for (start, end), kind in zip(base.tolist(), kinds, strict=True):
        found += {"once": [(start, end)], "twice": [(start, end)] * 2, "empty": [(start, start), (start, end)]}[kind]
    return numpy.asarray(found, dtype="int64").reshape(-1, 2)


def align_by_loop(some_pieces, tokens):
    return [
        (p, t)
        for p, (start, end) in enumerate(some_pieces.tolist())
        for t, (first, last) in enumerate(tokens.tolist())
        if set(range(start, end)) & set(range(first, last))
    ]


def align_spans(some_pieces, tokens):
    return align(some_pieces[:, 0], some_pieces[:, 1], tokens[:, 0], tokens[:, 1])


def pairs(alignment):
    return list(zip(alignment.piece.tolist(), alignment.token.tolist(), strict=True))


@given(pieces(20), spans(20))
@settings(max_examples=300)
def test_align_equals_double_loop(some_pieces, tokens):
    assert pairs(align_spans(some_pieces, tokens)) == align_by_loop(some_pieces, tokens)


@given(pieces(20), spans(20))
def test_borders_equal_loop(some_pieces, tokens):
    owners = [set() for _ in some_pieces]
    for piece, token in align_by_loop(some_pieces, tokens):
        owners[piece].add(token)
    expected = [p for p in range(len(owners)) if p == 0 or not owners[p] & owners[p - 1]]
    assert token_borders(align_spans(some_pieces, tokens), len(some_pieces)).tolist() == expected


@given(pieces(20), spans(20))
def test_first_only_keeps_the_first_piece_of_every_token(some_pieces, tokens):
    alignment = align_spans(some_pieces, tokens)
    expected = {}
    for piece, token in pairs(alignment):
        expected.setdefault(token, piece)
    assert {token: piece for piece, token in pairs(first_only(alignment))} == expected


@given(pieces(20), spans(20))
def test_first_only_stays_sorted_by_piece(some_pieces, tokens):
    piece = first_only(align_spans(some_pieces, tokens)).piece
    assert_array_equal(piece, numpy.sort(piece))


def test_align_without_pieces_or_tokens_is_empty():
    none, some = numpy.zeros((0, 2), dtype="int64"), numpy.asarray([[0, 2]])
    assert [pairs(align_spans(*each)) for each in [(none, none), (none, some), (some, none)]] == [[], [], []]


def test_alignment_is_of_64_bits():
    alignment = align_spans(numpy.asarray([[0, 2]]), numpy.asarray([[0, 2]]))
    assert isinstance(alignment, Alignment)
    assert {alignment.piece.dtype, alignment.token.dtype} == {numpy.dtype("int64")}
