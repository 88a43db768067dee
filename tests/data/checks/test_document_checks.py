"""What is wrong in one document: span groups, and entity tags that no reader lets pass."""

from typing import Any, List, Tuple

import pytest
from data_helpers import codes, ents
from spacy.attrs import ENT_IOB, ENT_TYPE
from spacy.tokens import Doc, DocBin, Span

from spacy_ctxtag.data.checks.document import check_document
from spacy_ctxtag.data.places import Place

PLACE = Place("train", "train.txt", 1, "d", "")
WORDS = ["in", " ", "New", "York", "City"]


def problems_of(nlp: Any, spans: List[Tuple[int, int, str]], key: str = "chunks") -> List[Tuple[str, int, bool]]:
    """RETURNS (List): Code, token and severity of what is found in a Doc with a group of spans."""
    doc = Doc(nlp.vocab, words=WORDS, spaces=[False, False, True, True, False])
    doc.spans[key] = [Span(doc, *span) for span in spans]
    return [(each.code, each.token, each.is_error) for each in check_document(doc, PLACE, "chunks")]


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(2, 5, "NP"), (0, 1, "PP")], []),
        ([(2, 5, "NP"), (3, 4, "NP")], [("CT386", 3, True)]),
        ([(2, 5, "NP"), (2, 5, "NP")], [("CT386", 2, True)]),
        ([(0, 5, "NP"), (2, 3, "NP"), (4, 5, "NP")], [("CT386", 2, True), ("CT386", 4, True)]),
        ([(0, 2, "NP"), (3, 3, "NP")], [("CW319", 0, False), ("CW311", 3, False)]),
    ],
)
def test_document_spans_of_the_flat_group_do_not_overlap(nlp: Any, spans: Any, expected: Any) -> None:
    assert problems_of(nlp, spans) == expected


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(2, 5, "NP"), (3, 4, "NP"), (2, 5, "X")], []),
        ([(2, 5, "NP"), (3, 4, "NP"), (2, 5, "NP")], [("CW318", 2, False)]),
    ],
)
def test_document_spans_of_other_groups_may_overlap_but_not_be_there_twice(nlp: Any, spans: Any, expected: Any) -> None:
    assert problems_of(nlp, spans, key="other") == expected


def read_tags(nlp: Any, read: Any, tags: List[str]) -> Any:
    """RETURNS (Tuple): What is read of a .spacy file with these entity tags, which a Doc would not take as such."""
    doc = Doc(nlp.vocab, words=[f"w{i}" for i in range(len(tags))])
    rows = doc.to_array([ENT_IOB, ENT_TYPE])
    for i, tag in enumerate(tags):
        rows[i] = ["-IOB".index(tag[0]), nlp.vocab.strings.add(tag[2:]) if tag[2:] else 0]
    return read("a.spacy", DocBin(docs=[doc.from_array([ENT_IOB, ENT_TYPE], rows)]).to_bytes())


@pytest.mark.parametrize(
    ("tags", "broken", "expected"),
    [
        (["B-X", "I-X", "O", "B-Y", "B-Y", "-"], [], [(0, 2, "X"), (3, 4, "Y"), (4, 5, "Y")]),
        (["I-X", "I-X", "O"], [(0, "I-X follows the start")], [(0, 2, "X")]),
        (["O", "I-X", "-", "I-Y"], [(1, "I-X follows O."), (3, "I-Y follows -.")], [(1, 2, "X"), (3, 4, "Y")]),
        (["B-X", "I-Y", "I-Y"], [(1, "I-Y follows B-X")], [(0, 1, "X"), (1, 3, "Y")]),
        (["B-X", "I", "I-X"], [(1, "I follows B-X"), (2, "I-X follows I.")], [(0, 1, "X"), (2, 3, "X")]),
        (["O", "I", "O"], [(1, "I follows O")], []),
    ],
)
def test_document_entity_tags_that_are_no_entities_are_reported_and_mended(
    nlp: Any, read: Any, tags: Any, broken: Any, expected: Any
) -> None:
    docs, problems = read_tags(nlp, read, tags)
    assert codes(problems) == [("CT388", 0)] * len(broken)
    assert [(each.token, each.char, each.document) for each in problems] == [(i, 3 * i, "a-1") for i, _ in broken]
    assert [message in each.message for each, (_, message) in zip(problems, broken, strict=True)] == [True] * len(
        broken
    )
    assert ents(docs[0]) == expected


def test_document_without_tokens_has_no_entity_tags(nlp: Any, read: Any) -> None:
    assert read_tags(nlp, read, [])[1] == []
