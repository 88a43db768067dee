"""Which documents are the same, and what is compared of them."""

import pytest
from annotators import annotate
from spacy.tokens import Doc

from spacy_ctxtag.data.records import DataError
from spacy_ctxtag.evaluation.annotations import SharedDoc, lay_over, match_documents


def match(*read: list[Doc]) -> list[SharedDoc]:
    return match_documents([f"ann-{i}" for i in range(len(read))], read)


def having(shared: list[SharedDoc]) -> list[tuple[str, list[str]]]:
    """Names of documents, and by what name each annotator has them."""
    ids = [[doc and doc.doc.user_data.get("ctx", {}).get("id", "") for doc in each.annotations] for each in shared]
    return [(each.name, names) for each, names in zip(shared, ids, strict=True)]


def test_documents_are_matched_by_text() -> None:
    one = [annotate("a b", name="x"), annotate("c d", name="y")]
    other = [annotate("c d", name="p-1"), annotate("e f", name="q"), annotate("a b", name="x")]
    assert having(match(one, other)) == [("x", ["x", "x"]), ("y", ["y", "p-1"]), ("q", [None, "q"])]


def test_documents_that_repeat_a_text_are_matched_by_name() -> None:
    one = [annotate("yes", name="a"), annotate("yes", name="b"), annotate("yes", name="c")]
    other = [annotate("yes", name="c"), annotate("yes", name="n"), annotate("yes", name="a"), annotate("yes", name="m")]
    assert having(match(one, other)) == [
        ("a", ["a", "a"]),
        ("b", ["b", "n"]),
        ("c", ["c", "c"]),
        ("m", [None, "m"]),
    ]


def test_documents_without_a_name_are_matched_by_text() -> None:
    assert having(match([annotate("a b", name="")], [annotate("a b", name="")])) == [("", ["", ""])]


def test_documents_keep_different_names() -> None:
    one, other = [annotate("a", name="x")], [annotate("b", name="x"), annotate("a", name="y")]
    assert [each.name for each in match(one, other)] == ["x", "x (2)"]


def test_documents_of_one_name_with_other_texts_are_an_error() -> None:
    one, other = [annotate("a b c", name="x"), annotate("d", name="y")], [annotate("a b k", name="x"), annotate("d")]
    with pytest.raises(DataError, match=r"CT750.*'x' of ann-1.*'k' instead of 'c'"):
        match(one, other)


def test_documents_of_one_name_with_nothing_in_common_are_two() -> None:
    both = annotate("e f", name="both")
    rows = match([both, annotate("a b c", name="train-2")], [both, annotate("x y z", name="train-2")])
    assert len(rows) == 3


def test_documents_must_have_been_annotated_twice() -> None:
    with pytest.raises(DataError, match=r"CT751.*ann-0 1, ann-1 2"):
        match([annotate("a", name="x")], [annotate("b", name="y"), annotate("c", name="z")])


def test_units_are_the_tokens_where_they_are_the_same() -> None:
    spaced = annotate("ab c d", [(0, 2, "X")], spaces=[False, True, False])  # "abc d"
    shared = lay_over("d", [spaced, annotate("ab c d", [(2, 3, "Y")])])
    assert shared.units == [(0, 2), (2, 3), (4, 5)]
    first, second = shared.annotations
    assert first is not None
    assert second is not None
    assert (first.layers["entities"], second.layers["entities"]) == (["X", "X", "O"], ["O", "O", "Y"])
    assert (first.spans, second.spans) == ({(0, 2, "X")}, {(2, 3, "Y")})
    assert first.has_same_tokens
    assert second.has_same_tokens


def test_units_lie_between_all_borders_where_tokens_differ() -> None:
    one = annotate("do n't know", [(0, 2, "X")], pos=["AUX", "PART", "VERB"])
    other = annotate("don't kn ow", [(1, 3, "Y")], pos=["AUX", "VERB", "X"])
    shared = lay_over("d", [one, other, None])
    assert [one.text[start:end] for start, end in shared.units] == ["do", "n't", "kn", "ow"]
    first, second, third = shared.annotations
    assert first is not None
    assert second is not None
    assert third is None
    assert first.layers["entities"] == ["X", "X", "O", "O"]
    assert second.layers["entities"] == ["O", "O", "Y", "Y"]
    assert first.layers["pos"] == ["AUX", "PART", None, None]
    assert second.layers["pos"] == [None, None, "VERB", "X"]
    assert second.spans == {(2, 4, "Y")}
    assert not first.has_same_tokens


def test_units_leave_out_white_space() -> None:
    words = ["a", "\n ", "b"]
    doc = Doc(annotate("").vocab, words=words, spaces=[False] * 3)
    shared = lay_over("d", [doc, annotate("a b", [(0, 2, "X")])])
    assert shared.units == [(0, 1), (3, 4)]
    assert shared.base is doc


def test_unknown_entities_are_none() -> None:
    shared = lay_over("d", [annotate("a b c", [(0, 1, "X")], unknown=[1]), annotate("a b c", None)])
    found = [each.layers["entities"] for each in shared.annotations if each is not None]
    assert found == [["X", None, "O"], [None, None, None]]


def test_empty_documents_have_no_units() -> None:
    shared = match([annotate(""), annotate("a", name="x")], [annotate(""), annotate("a", name="x")])
    assert [len(each.units) for each in shared] == [0, 1]


def test_documents_without_a_name_are_not_taken_for_one_another() -> None:
    shared = match(
        [annotate("a b", name=""), annotate("c", name="")], [annotate("a b", name=""), annotate("d", name="")]
    )
    assert [len([each for each in doc.annotations if each]) for doc in shared] == [2, 1, 1]
