from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_ctxtag.tags import (
    constraint_mask,
    make_grammar,
    read_tags,
    spans_to_tags,
    tags_to_spans,
)

LABELS = ["PER", "B-x", "I-PER", "x y", "Ort-ß", "組織", "-", "O"]
SCHEMES = ["BIO", "BILUO"]


@st.composite
def annotations(draw):
    """(length, spans) with adjacent and one-token spans among them."""
    length = draw(st.integers(0, 25))
    cuts = sorted(draw(st.sets(st.integers(0, length))))
    spans = []
    for start, end in pairwise(cuts):
        label = draw(st.one_of(st.none(), st.integers(0, len(LABELS) - 1)))
        if label is not None:
            spans.append((start, end, label))
    return length, spans


@pytest.mark.parametrize("scheme", SCHEMES)
@given(annotations())
def test_spans_round_trip_through_tags(scheme, annotation):
    length, spans = annotation
    grammar = make_grammar(LABELS, scheme)
    assert tags_to_spans(grammar, spans_to_tags(grammar, spans, length)) == spans


@pytest.mark.parametrize("scheme", SCHEMES)
@given(annotations())
def test_tag_strings_read_back_without_problems(scheme, annotation):
    length, spans = annotation
    grammar = make_grammar(LABELS, scheme)
    strings = [grammar.tags[tag] for tag in spans_to_tags(grammar, spans, length)]
    found, problems = read_tags(strings, scheme)
    assert not problems
    assert found == [(start, end, LABELS[label]) for start, end, label in spans]


@given(
    st.lists(st.sampled_from(["O", "B-A", "I-A", "L-A", "U-A", "E-A", "S-A", "I-B-C", "L-B-C", "X", "", "B-", "O-A"]))
)
def test_read_tags_always_returns_spans_in_order_and_one_problem_a_token(tags):
    for scheme in ("IOB1", "BIO", "BILUO", "BIOES"):
        spans, problems = read_tags(tags, scheme)
        edges = [edge for start, end, _ in spans for edge in (start, end - 1)]
        assert edges == sorted(edges)
        assert len({start for start, _, _ in spans}) == len(spans)
        places = [problem.index for problem in problems if problem.index < len(tags) - 1]
        assert places == sorted(set(places))


@pytest.mark.parametrize("scheme", SCHEMES)
@given(annotations(), st.lists(st.booleans(), min_size=25, max_size=25))
def test_constraint_mask_admits_what_is_known(scheme, annotation, free):
    length, spans = annotation
    grammar = make_grammar(LABELS, scheme)
    free = np.array(free[:length], bool)
    mask = constraint_mask(grammar, spans, free)
    tags = spans_to_tags(grammar, spans, length)
    assert mask.shape == (length, len(grammar.tags))
    assert mask[np.arange(length), tags].all()
    assert (mask[~free | (tags > 0)].sum(axis=1) == 1).all()
    least = len(grammar.tags) - (1 if scheme == "BIO" else 0)
    assert (mask[free & (tags == 0)].sum(axis=1) >= least).all()


def test_constraint_mask_keeps_a_bio_entity_from_growing():
    grammar = make_grammar(["A", "B"], "BIO")
    mask = constraint_mask(grammar, [(0, 2, 1)], np.ones(4, bool))
    assert [grammar.tags[i] for i in mask[2].nonzero()[0]] == ["O", "B-A", "I-A", "B-B"]
    assert mask[3].all()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_appending_a_label_moves_no_tag(scheme):
    small, large = make_grammar(LABELS[:3], scheme), make_grammar(LABELS[:4], scheme)
    k = len(small.tags)
    assert large.tags[:k] == small.tags
    np.testing.assert_array_equal(large.transition[:k, :k], small.transition)
    np.testing.assert_array_equal(large.start[:k], small.start)
    np.testing.assert_array_equal(large.end[:k], small.end)


def test_tag_order():
    assert make_grammar(["A", "B-C"]).tags == ("O", "B-A", "I-A", "L-A", "U-A", "B-B-C", "I-B-C", "L-B-C", "U-B-C")
    assert make_grammar(["A", "B-C"], "BIO").tags == ("O", "B-A", "I-A", "B-B-C", "I-B-C")
    assert make_grammar([]).tags == ("O",)


def test_biluo_moves():
    grammar = make_grammar(["A", "B"])
    follow = {
        tag: {grammar.tags[j] for j in row.nonzero()[0]}
        for tag, row in zip(grammar.tags, grammar.transition, strict=True)
    }
    fresh = {"O", "B-A", "U-A", "B-B", "U-B"}
    inner = {"B-A": {"I-A", "L-A"}, "I-A": {"I-A", "L-A"}, "B-B": {"I-B", "L-B"}, "I-B": {"I-B", "L-B"}}
    assert follow == {tag: inner.get(tag, fresh) for tag in grammar.tags}
    assert {grammar.tags[i] for i in grammar.start.nonzero()[0]} == fresh
    assert {grammar.tags[i] for i in grammar.end.nonzero()[0]} == {"O", "L-A", "U-A", "L-B", "U-B"}


def test_bio_moves():
    grammar = make_grammar(["A", "B"], "BIO")
    forbidden = {(grammar.tags[i], grammar.tags[j]) for i, j in zip(*(~grammar.transition).nonzero(), strict=True)}
    assert forbidden == {
        ("O", "I-A"), ("B-B", "I-A"), ("I-B", "I-A"), ("O", "I-B"), ("B-A", "I-B"), ("I-A", "I-B"),
    }  # fmt: skip
    assert {grammar.tags[i] for i in (~grammar.start).nonzero()[0]} == {"I-A", "I-B"}
    assert grammar.end.all()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_prefix_label_and_index_agree_for_every_tag(scheme):
    grammar = make_grammar(LABELS, scheme)
    assert grammar.prefix_of(0) == "O"
    assert grammar.label_of(0) is None
    assert grammar.tag_index("O", 3) == 0
    for i, tag in enumerate(grammar.tags[1:], 1):
        assert f"{grammar.prefix_of(i)}-{LABELS[grammar.label_of(i)]}" == tag
        assert grammar.tag_index(grammar.prefix_of(i), grammar.label_of(i)) == i


def test_grammars_compare_by_scheme_and_labels():
    assert make_grammar(["A"]) == make_grammar(("A",))
    assert hash(make_grammar(["A"])) == hash(make_grammar(["A"]))
    assert make_grammar(["A"]) != make_grammar(["A"], "BIO")
    assert make_grammar(["A"]) != make_grammar(["B"])


def test_grammar_arrays_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        make_grammar(["A"]).transition[0, 0] = False


@pytest.mark.parametrize(
    ("labels", "scheme", "message"),
    [
        (["A", "B", "A"], "BIO", "Label 2, 'A', is given twice"),
        (["A", ""], "BIO", "Label 1 is ''"),
        ([3], "BIO", "Label 0 is 3"),
        (["A"], "BIOES", "Unknown tag scheme 'BIOES'"),
    ],
)
def test_bad_grammar_is_refused(labels, scheme, message):
    with pytest.raises(ValueError, match=message):
        make_grammar(labels, scheme)


@pytest.mark.parametrize("span", [(-1, 1, 0), (2, 2, 0), (3, 5, 0), (0, 1, 2), (0, 1, -1)])
def test_span_out_of_range_is_refused(span):
    with pytest.raises(ValueError, match="does not fit 4 tokens and 2 labels"):
        spans_to_tags(make_grammar(["A", "B"]), [span], 4)


def test_overlapping_spans_are_refused():
    with pytest.raises(ValueError, match=r"Span \(0, 2\) overlaps another at token 1, which already has the tag B-A"):
        spans_to_tags(make_grammar(["A", "B"]), [(1, 3, 0), (0, 2, 1)], 4)


@pytest.mark.parametrize(
    ("scheme", "tags", "message"),
    [
        ("BILUO", [0, 2], "token 1, the move from O to I-A"),
        ("BILUO", [3], "token 0, the move from the start to L-A"),
        ("BILUO", [0, 1], "token 2, the move from B-A to the end"),
        ("BIO", [2, 0], "token 0, the move from the start to I-A"),
        ("BIO", [0, 0, 3], "Token 2 has the tag index 3"),
        ("BIO", [-1], "Token 0 has the tag index -1"),
    ],
)
def test_ill_formed_path_is_refused_with_its_token(scheme, tags, message):
    with pytest.raises(ValueError, match=message):
        tags_to_spans(make_grammar(["A"], scheme), tags)


@pytest.mark.parametrize(
    ("scheme", "tags", "spans"),
    [
        ("IOB1", "I-A I-A O I-B I-A B-A I-A", [(0, 2, "A"), (3, 4, "B"), (4, 5, "A"), (5, 7, "A")]),
        ("BIO", "B-A I-A O B-B B-A B-A I-A", [(0, 2, "A"), (3, 4, "B"), (4, 5, "A"), (5, 7, "A")]),
        ("BILUO", "B-A L-A O U-B U-A B-A I-A L-A", [(0, 2, "A"), (3, 4, "B"), (4, 5, "A"), (5, 8, "A")]),
        ("BIOES", "B-A E-A O S-B S-A B-A I-A E-A", [(0, 2, "A"), (3, 4, "B"), (4, 5, "A"), (5, 8, "A")]),
        ("BIO", "B-x-y I-x-y B-- I-- B-Ö", [(0, 2, "x-y"), (2, 4, "-"), (4, 5, "Ö")]),
        ("BIO", "", []),
    ],
)
def test_well_formed_strings_are_read(scheme, tags, spans):
    assert read_tags(tags.split(), scheme) == (spans, [])


@pytest.mark.parametrize(
    ("scheme", "tags", "spans", "index", "message"),
    [
        ("IOB1", "O B-A I-A", [(1, 3, "A")], 1, "'B-A' follows no entity of label 'A'; IOB1"),
        ("IOB1", "I-B B-A", [(0, 1, "B"), (1, 2, "A")], 1, "'B-A' follows no entity of label 'A'; IOB1"),
        ("IOB1", "I-A L-A", [(0, 1, "A")], 1, "Unknown tag 'L-A': expected one of O, B-, I-"),
        ("BIO", "O I-A I-A", [(1, 3, "A")], 1, "'I-A' continues no entity of label 'A', which BIO"),
        ("BIO", "B-A I-B", [(0, 1, "A"), (1, 2, "B")], 1, "'I-B' continues no entity"),
        ("BIO", "B-A E-A", [(0, 1, "A")], 1, "Unknown tag 'E-A'"),
        ("BIO", "B-A I", [(0, 1, "A")], 1, "Tag 'I' has no label"),
        ("BIO", "O B-", [], 1, "Tag 'B-' has no label"),
        ("BIO", "O BA", [], 1, "Unknown tag 'BA'"),
        ("BIO", "B-A o", [(0, 1, "A")], 1, "Unknown tag 'o'"),
        ("BIO", "B-A O-A", [(0, 1, "A")], 1, "Unknown tag 'O-A'"),
        ("BILUO", "B-A O", [(0, 1, "A")], 1, "begins at token 0 is not closed: expected I-A or L-A, got O"),
        ("BILUO", "B-A I-A", [(0, 2, "A")], 1, "begins at token 0 is not closed: expected I-A or L-A, got the end"),
        ("BILUO", "B-A B-B L-B", [(0, 1, "A"), (1, 3, "B")], 1, "expected I-A or L-A, got B-B"),
        ("BILUO", "B-A U-B", [(0, 1, "A"), (1, 2, "B")], 1, "expected I-A or L-A, got U-B"),
        ("BILUO", "B-A L-B", [(0, 1, "A"), (1, 2, "B")], 1, "expected I-A or L-A, got L-B"),
        ("BILUO", "O L-A O", [(1, 2, "A")], 1, "'L-A' continues no entity of label 'A', which BILUO"),
        ("BILUO", "O I-A L-A", [(1, 3, "A")], 1, "'I-A' continues no entity"),
        ("BILUO", "U-A I-A L-A", [(0, 1, "A"), (1, 3, "A")], 1, "'I-A' continues no entity"),
        ("BILUO", "B-A S-A", [(0, 1, "A")], 1, "Unknown tag 'S-A': expected one of O, B-, I-, L-, U-"),
        ("BIOES", "B-A O", [(0, 1, "A")], 1, "expected I-A or E-A, got O"),
        ("BIOES", "O U-A", [], 1, "Unknown tag 'U-A': expected one of O, B-, I-, E-, S-"),
    ],
)
def test_ill_formed_strings_are_reported_and_repaired(scheme, tags, spans, index, message):
    found, problems = read_tags(tags.split(), scheme)
    assert found == spans
    assert [problem.index for problem in problems] == [index]
    assert message in problems[0].message


def test_empty_tag_is_a_problem():
    spans, problems = read_tags(["B-A", ""], "BIO")
    assert spans == [(0, 1, "A")]
    assert [problem.index for problem in problems] == [1]


def test_unknown_scheme_is_refused():
    with pytest.raises(ValueError, match="Unknown tag scheme 'IOE'"):
        read_tags([], "IOE")
