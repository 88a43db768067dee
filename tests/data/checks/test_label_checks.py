"""Labels: misspelt, rare, and such as outweigh all others."""

from collections import Counter
from typing import Any, Dict, List

import pytest
from spacy.tokens import Doc, DocBin, Span

from spacy_ctxtag.data.checks.labels import misspelt
from spacy_ctxtag.data.validate import validate


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"PERSON": 5, "person": 4}, [("person", "PERSON")]),
        ({"B-PERSON": 9, "PERSON": 5, "I-PERSON": 4}, [("PERSON", "B-PERSON"), ("I-PERSON", "B-PERSON")]),
        ({"WORK_OF_ART": 5, "Work of Art": 5}, [("Work of Art", "WORK_OF_ART")]),
        ({"PERSON": 100, "PERSN": 5}, [("PERSN", "PERSON")]),
        ({"PERSON": 99, "PERSN": 5}, []),  # not so much rarer
        ({"ORGANIZATION": 100, "ORGANISATIO": 1}, [("ORGANISATIO", "ORGANIZATION")]),
        ({"ORG": 100, "ORGAN": 1}, []),  # two characters of few
        ({"A": 100, "B": 1, "AB": 1}, []),  # too short to tell
        ({"#": 5, "$": 5}, []),  # no name at all
        ({"C++": 5, "C": 5, "C#": 5, "POS+": 5, "POS-": 5}, []),  # signs that are part of a name
        ({"कि": 5, "का": 5}, []),  # vowel signs, which are no letters
        ({"Größe": 100, "GRÖSSE": 1, "Größen": 1}, [("GRÖSSE", "Größe"), ("Größen", "Größe")]),
        ({"LOC": 5, "PER": 5, "ORG": 5, "MISC": 5}, []),
    ],
)
def test_labels_misspelt_are_found(counts: Dict[str, int], expected: List[Any]) -> None:
    assert list(misspelt(Counter(counts), case_only=False)) == expected


def test_labels_tags_differ_by_capitals_only() -> None:
    counts = Counter({"NN": 500, "NNS": 5, "nn": 5, "PRP": 5, "PRP$": 5})
    assert list(misspelt(counts, case_only=True)) == [("nn", "NN")]


LAYERS = ["entities", "tags", 'doc.spans["it\'s"]']


@pytest.fixture(params=LAYERS)
def layer(request: Any) -> str:
    return str(request.param)


@pytest.fixture
def check(nlp: Any, tmp_path: Any, layer: str) -> Any:
    """Validate splits, given as labels of one layer and numbers."""

    def run(**splits: Dict[str, int]) -> Any:
        paths = {}
        for name, numbers in splits.items():
            labels = [label for label, n in numbers.items() for _ in range(n)]
            doc = Doc(nlp.vocab, words=[f"{label.lower()}{i}{name}" for i, label in enumerate(labels)])
            if layer == "tags":
                for token, label in zip(doc, labels, strict=True):
                    token.tag_ = label
            else:
                spans = [Span(doc, i, i + 1, label) for i, label in enumerate(labels)]
                doc.set_ents(spans if layer == "entities" else [])
                doc.spans.update({"it's": spans} if layer != "entities" else {})
            paths[name] = [tmp_path / f"{name}.spacy"]
            DocBin(store_user_data=True, docs=[doc]).to_disk(paths[name][0])
        return validate(paths, nlp)

    return run


def test_labels_that_cannot_be_learnt_or_measured(check: Any, layer: str) -> None:
    problems = check(train={"A": 3, "BB": 3}, dev={"BB": 1, "CC": 2, "DD": 1}, test={"A": 2, "BB": 2}).problems
    assert [(each.code, each.path.rpartition("/")[2], each.token) for each in problems] == [
        ("CW307", "dev", -1),
        ("CW306", "dev.spacy", 1),
        ("CW305", "dev.spacy", 3),
        ("CW306", "dev.spacy", 3),
    ]
    assert all(f" of {layer} " in each.message for each in problems)


def test_labels_rare_ones_are_told_by_the_training_data(check: Any, layer: str) -> None:
    (problem,) = check(
        train={"LOC": 90, "ORG": 10, "DATE": 9, "PER": 2}, dev={"LOC": 2, "ORG": 1, "DATE": 1, "PER": 99}
    ).problems
    assert (problem.code, problem.path, problem.is_error) == ("CW309", "train", False)
    assert f"Labels of {layer} with few examples in train, where 'LOC' has 90: PER 2, DATE 9." in problem.message


def test_labels_rare_ones_are_told_by_all_where_there_is_no_train(check: Any) -> None:
    problems = check(a={"LOC": 30, "PER": 1}, b={"LOC": 30, "PER": 1}).problems
    assert [(each.code, each.path) for each in problems] == [("CW309", "a, b")]
    assert "PER 2." in problems[0].message


@pytest.mark.parametrize(("n", "codes"), [(90, ["CW310"]), (89, [])])
def test_labels_one_that_outweighs_the_others(check: Any, layer: str, n: int, codes: List[str]) -> None:
    problems = check(train={"LOC": n, "PER": 100 - n}).problems
    assert [each.code for each in problems] == codes
    assert all(f"90% of the 100 labels of {layer} in train are 'LOC'" in each.message for each in problems)


def test_labels_misspelt_ones_are_told_for_every_layer(nlp: Any, tmp_path: Any) -> None:
    words = [f"w{i}" for i in range(42)]
    doc = Doc(nlp.vocab, words=words, ents=["B-LOC"] * 40 + ["B-LOCC", "B-LOCC"], tags=["NN"] * 41 + ["nn"])
    doc.spans["chunks"] = [Span(doc, i, i + 1, "NP" if i < 3 else "np") for i in range(4)]
    path = tmp_path / "a.spacy"
    DocBin(store_user_data=True, docs=[doc]).to_disk(path)
    problems = validate({"train": [path]}, nlp).problems
    messages = [each.message for each in problems if each.code == "CW314"]
    assert [each.token for each in problems if each.code == "CW314"] == [40, 3, 41]
    assert "Label 'LOCC' (2 ×) of entities is written nearly as 'LOC' (40 ×)." in messages[0]
    assert "Label 'np' (1 ×) of doc.spans['chunks'] is" in messages[1]
    assert "Label 'nn' (1 ×) of tags is" in messages[2]
