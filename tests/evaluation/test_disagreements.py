"""What annotators do not agree on, and one annotation made of it."""

import json
from pathlib import Path
from typing import Any, Optional

import pytest
from annotators import annotate
from spacy.tokens import Doc

from spacy_ctxtag.data.records import DataError
from spacy_ctxtag.evaluation.adjudication import adjudicate, has_answers
from spacy_ctxtag.evaluation.annotations import SharedDoc, lay_over
from spacy_ctxtag.evaluation.disagreements import CONTEXT, list_disagreements

NAMES = ["ann", "bob", "cy"]
TEXT = "Ilse Marchetti left Porto ."


def share(*docs: Optional[Doc], name: str = "d") -> SharedDoc:
    return lay_over(name, docs)


def kinds(shared: list[SharedDoc], layers: tuple[str, ...] = ("entities",)) -> list[tuple[str, int]]:
    found = list_disagreements(shared, NAMES[: len(shared[0].annotations)], layers)
    return [(each["kind"], each["times"]) for each in found]


def by_two(one: Any, other: Any, **options: Any) -> SharedDoc:
    return share(annotate(TEXT, one), annotate(TEXT, other), **options)


# The list


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([(0, 2, "PER")], [(0, 2, "PER")], []),
        ([(0, 2, "PER")], [], ["PER / none"]),
        ([(0, 2, "PER")], [(0, 2, "ORG")], ["ORG / PER"]),
        ([(0, 2, "PER")], [(1, 2, "PER")], ["PER, borders"]),
        ([(0, 2, "PER")], [(1, 3, "ORG")], ["ORG / PER"]),
        ([(0, 1, "PER"), (1, 2, "PER")], [(0, 2, "PER")], ["PER / PER + PER"]),
        ([(0, 2, "PER")], [(3, 4, "LOC")], ["LOC / none", "PER / none"]),
        ([(0, 1, "PER")], [(1, 2, "PER")], ["PER / none", "PER / none"]),
    ],
)
def test_disagreement_has_a_kind(one: Any, other: Any, expected: list[str]) -> None:
    assert [kind for kind, _ in kinds([by_two(one, other)])] == expected
    assert [kind for kind, _ in kinds([by_two(other, one)])] == expected


def test_disagreements_begin_with_the_most_frequent_kind() -> None:
    docs = [
        by_two([(3, 4, "LOC")], [], name="a"),
        by_two([(0, 2, "PER")], [(0, 1, "PER")], name="b"),
        by_two([(0, 2, "PER")], [(1, 2, "PER"), (3, 4, "ORG")], name="c"),
    ]
    assert kinds(docs) == [("PER, borders", 2), ("PER, borders", 2), ("LOC / none", 1), ("ORG / none", 1)]


def test_disagreement_says_where_it_is_and_who_says_what() -> None:
    starts = [True, False, True, False, False]
    docs = [annotate(TEXT, ents, sent_starts=starts) for ents in ([(0, 2, "PER")], [(1, 2, "PER")])]
    (found,) = list_disagreements([share(*docs, None, name="x-1")], NAMES, ["entities"])
    assert found == {
        "document": "x-1",
        "layer": "entities",
        "kind": "PER, borders",
        "times": 1,
        "start": 0,
        "end": 14,
        "text": "Ilse Marchetti",
        "sentence": "Ilse Marchetti",
        "says": {"ann": [[0, 14, "PER"]], "bob": [[5, 14, "PER"]], "cy": None},
        "adjudicated": None,
    }
    assert TEXT[5:14] == "Marchetti"


def test_disagreement_without_sentences_has_some_text_around() -> None:
    text = "a " * 200 + "Ilse" + " b" * 200
    (found,) = list_disagreements([share(annotate(text, [(200, 201, "PER")]), annotate(text))], NAMES[:2], ["entities"])
    assert found["sentence"] == text[400 - CONTEXT : 404 + CONTEXT]


def test_disagreement_of_three_is_one() -> None:
    docs = [annotate(TEXT, ents) for ents in ([(0, 2, "PER")], [(0, 2, "ORG")], [(1, 3, "PER")])]
    assert kinds([share(*docs)]) == [("ORG / PER", 1)]


def test_unknown_entities_are_no_disagreement() -> None:
    assert kinds([share(annotate(TEXT, [(0, 2, "PER")]), annotate(TEXT, unknown=[1]))]) == []
    assert kinds([share(annotate(TEXT, [(0, 2, "PER")]), annotate(TEXT, None))]) == []


def test_tags_disagree_token_by_token() -> None:
    docs = [annotate("they fish here", None, pos=["PRON", tag, "ADV"]) for tag in ("VERB", "NOUN")]
    shared = [share(*docs)]
    (found,) = list_disagreements(shared, NAMES[:2], ["pos"])
    assert (found["kind"], found["text"], found["says"]) == ("NOUN / VERB", "fish", {"ann": "VERB", "bob": "NOUN"})
    assert kinds(shared, ("entities", "pos")) == [("NOUN / VERB", 1)]


# Adjudication


def gold(tmp_path: Path, shared: list[SharedDoc], *answers: Any, layers: Any = ("entities",)) -> tuple[list[Doc], int]:
    """Answer the disagreements in their order."""
    found = list_disagreements(shared, NAMES[: len(shared[0].annotations)], layers)
    lines = [{**each, "adjudicated": answer} for each, answer in zip(found, answers, strict=True)]
    path = tmp_path / "disagreements.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf8")
    return adjudicate(shared, found, path)


def state(doc: Doc) -> list[str]:
    return [f"{token.ent_iob_}-{token.ent_type_}".rstrip("-") for token in doc]


DIFFER = ([(0, 2, "PER"), (3, 4, "LOC")], [(1, 2, "PER"), (3, 4, "LOC")])


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("ann", ["B-PER", "I-PER"]),
        ("bob", ["O", "B-PER"]),
        ([[0, 4, "PER"]], ["B-PER", "O"]),
        ([[0, 4, "PER"], [5, 14, "Ö-g"]], ["B-PER", "B-Ö-g"]),
        ([], ["O", "O"]),
        (None, ["", ""]),
    ],
    ids=str,
)
def test_adjudication_takes_answers(tmp_path: Path, answer: Any, expected: list[str]) -> None:
    shared = [by_two(*DIFFER)]
    (doc,), n_open = gold(tmp_path, shared, answer)
    assert state(doc) == [*expected, "O", "B-LOC", "O"]
    assert n_open == (answer is None)
    assert state(shared[0].base) == ["B-PER", "I-PER", "O", "B-LOC", "O"]


def test_adjudication_leaves_unknown_what_is_not_in_the_file(tmp_path: Path) -> None:
    shared = [by_two(*DIFFER)]
    found = list_disagreements(shared, NAMES[:2], ["entities"])
    (tmp_path / "none.jsonl").write_text("\n", encoding="utf8")
    (doc,), n_open = adjudicate(shared, found, tmp_path / "none.jsonl")
    assert (state(doc)[:2], n_open) == (["", ""], 1)


def test_adjudication_keeps_what_was_unknown(tmp_path: Path) -> None:
    shared = [share(annotate(TEXT, [(0, 2, "PER")], unknown=[4]), annotate(TEXT, [(1, 2, "PER")]))]
    (doc,), _ = gold(tmp_path, shared, "bob")
    assert state(doc) == ["O", "B-PER", "O", "O", ""]


def test_adjudication_sets_tags(tmp_path: Path) -> None:
    tags = [["PRON", "VERB", "ADV"], ["ADJ", "NOUN", "X"]]
    docs = [annotate("they fish here", None, pos=each, tags=each) for each in tags]
    (doc,), n_open = gold(tmp_path, [share(*docs)], "bob", "NUM", None, layers=("pos",))  # by kind: ADJ, ADV, NOUN
    assert [(token.pos_, token.tag_) for token in doc] == [("ADJ", "ADJ"), ("", ""), ("NUM", "NUM")]
    assert n_open == 1


@pytest.mark.parametrize(
    "answer", ["dan", 3, {}, [[0, 5, "PER"]], [[0, 4, ""]], [[0, 4]], [[-5, 4, "X"]], [[20, 25, "X"]]], ids=str
)
def test_adjudication_refuses_other_answers(tmp_path: Path, answer: Any) -> None:
    with pytest.raises(DataError, match=r"disagreements\.jsonl:1: \[CT753\].*ann, bob"):
        gold(tmp_path, [by_two(*DIFFER)], answer)


@pytest.mark.parametrize("answer", ["", "noun", ["NOUN"]])
def test_adjudication_refuses_other_tags(tmp_path: Path, answer: Any) -> None:
    docs = [annotate("fish", None, pos=[tag]) for tag in ("VERB", "NOUN")]
    with pytest.raises(DataError, match="CT753"):
        gold(tmp_path, [share(*docs)], answer, layers=("pos",))


def test_adjudication_refuses_other_lines(tmp_path: Path) -> None:
    shared, path = [by_two(*DIFFER)], tmp_path / "x.jsonl"
    (each,) = list_disagreements(shared, NAMES[:2], ["entities"])
    path.write_text(f"{json.dumps({**each, 'end': 3})}\n{{}}\nno\n[]\n", encoding="utf8")
    with pytest.raises(DataError) as caught:
        adjudicate(shared, [each], path)
    assert [(problem.line, problem.message[1:6]) for problem in caught.value.problems] == [
        (1, "CT752"),
        (2, "CT754"),
        (3, "CT754"),
        (4, "CT754"),
    ]


def test_answers_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    for text, expected in (
        ("", False),
        ('{"adjudicated": null}\n', False),
        ('{"adjudicated": []}\n', True),
        ("x", True),
    ):
        path.write_text(text, encoding="utf8")
        assert has_answers(path) == expected
