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
        ({"Größe": 100, "GRÖSSE": 1, "Größen": 1}, [("GRÖSSE", "Größe"), ("Größen", "Größe")]),
        ({"LOC": 5, "PER": 5, "ORG": 5, "MISC": 5}, []),
    ],
)
def test_labels_misspelt_are_found(counts: Dict[str, int], expected: List[Any]) -> None:
    assert list(misspelt(Counter(counts), case_only=False)) == expected


def test_labels_tags_differ_by_capitals_only() -> None:
    counts = Counter({"NN": 500, "NNS": 5, "nn": 5, "PRP": 5, "PRP$": 5})
    assert list(misspelt(counts, case_only=True)) == [("nn", "NN")]


@pytest.fixture
def check(nlp: Any, tmp_path: Any) -> Any:
    """Validate splits of entities, given as labels and numbers."""

    def run(**splits: Dict[str, int]) -> Any:
        paths = {}
        for name, labels in splits.items():
            words = [f"{label.lower()}{i}{name}" for label, n in labels.items() for i in range(n)]
            ents = [f"B-{label}" for label, n in labels.items() for _ in range(n)]
            paths[name] = [tmp_path / f"{name}.spacy"]
            DocBin(store_user_data=True, docs=[Doc(nlp.vocab, words=words, ents=ents)]).to_disk(paths[name][0])
        return validate(paths, nlp)

    return run


def test_labels_rare_ones_are_told_by_the_training_data(check: Any) -> None:
    (problem,) = check(
        train={"LOC": 90, "ORG": 10, "DATE": 9, "PER": 2}, dev={"LOC": 2, "ORG": 1, "DATE": 1, "PER": 99}
    ).problems
    assert (problem.code, problem.path, problem.is_error) == ("CW309", "train", False)
    assert "Few examples in train, where 'LOC' has 90: PER 2, DATE 9." in problem.message


def test_labels_rare_ones_are_told_by_all_where_there_is_no_train(check: Any) -> None:
    problems = check(a={"LOC": 30, "PER": 1}, b={"LOC": 30, "PER": 1}).problems
    assert [(each.code, each.path) for each in problems] == [("CW309", "a, b")]
    assert "PER 2." in problems[0].message


@pytest.mark.parametrize(("n", "codes"), [(90, ["CW310"]), (89, [])])
def test_labels_one_that_outweighs_the_others(check: Any, n: int, codes: List[str]) -> None:
    problems = check(train={"LOC": n, "PER": 100 - n}).problems
    assert [each.code for each in problems] == codes
    assert all("90% of the 100 entities in train are 'LOC'" in each.message for each in problems)


def test_labels_misspelt_ones_are_told_for_every_layer(nlp: Any, tmp_path: Any) -> None:
    words = [f"w{i}" for i in range(42)]
    doc = Doc(nlp.vocab, words=words, ents=["B-LOC"] * 40 + ["B-LOCC", "B-LOCC"], tags=["NN"] * 41 + ["nn"])
    doc.spans["chunks"] = [Span(doc, i, i + 1, "NP" if i < 3 else "np") for i in range(4)]
    path = tmp_path / "a.spacy"
    DocBin(store_user_data=True, docs=[doc]).to_disk(path)
    problems = validate({"train": [path]}, nlp).problems
    assert [(each.code, each.token) for each in problems] == [("CW309", -1), ("CW314", 40), ("CW314", 3), ("CW314", 41)]
    assert "Label 'LOCC' (2 ×) of entities is written nearly as 'LOC' (40 ×)." in problems[1].message
    assert "Label 'np' (1 ×) of doc.spans['chunks'] is" in problems[2].message
    assert "Label 'nn' (1 ×) of tags is" in problems[3].message
