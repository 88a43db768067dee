"""`agreement`: what is read, printed and written."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_ctxtag.cli import app
from spacy_ctxtag.cli.agreement import name_annotators, plain

ROOT = Path(__file__).parents[2]
ANN = """# doc = a
[PER Ilse/PROPN] left/VERB [LOC Porto/PROPN] ~./PUNCT

# doc = b
[LOC Porto/PROPN] slept/VERB ~./PUNCT

# doc = c
Nobody/PRON did/VERB ~./PUNCT
"""
BOB = """# doc = b
[ORG Porto/PROPN] slept/VERB ~./PUNCT

# doc = a
[PER Ilse/PROPN left/ADJ] [LOC Porto/PROPN] ~./PUNCT
"""
CY = '{"id": "b", "text": "Porto slept.", "entities": [[0, 5, "LOC"]]}\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in (("ann.txt", ANN), ("bob.txt", BOB), ("cy.jsonl", CY)):
        (tmp_path / name).write_text(text, encoding="utf8")
    return tmp_path


def agreement(*args: Any, fails: str = "") -> str:
    """Run the command; with `fails`, it has to end with this code. RETURNS (str): What it printed."""
    result = CliRunner().invoke(app, ["agreement", *map(str, args), "--samples", "100"])
    assert result.exit_code == (1 if fails else 0), result.output
    assert fails in result.output
    return result.output


def row(said: str, *begins: str) -> list[str]:
    """The cells of the first line that begins like this."""
    lines = [re.split(r" {2,}", line.strip()) for line in said.splitlines()]
    return next(cells for cells in lines if cells[: len(begins)] == list(begins))


def test_agreement_prints_figures_and_disagreements(folder: Path) -> None:
    said = agreement("ann.txt", "bob.txt")
    assert "ann (3), bob (2); by two or more 2, by all 2" in said
    assert "CW751" in said
    assert row(said, "ann – bob")[1:3] == ["2", "7"]
    assert [cell.split()[0] for cell in row(said, "LOC")[2:]] == ["2", "1", "0.667", "0.667"]
    assert row(said, "ann – bob", "2", "0.500") == ["ann – bob", "2", "0.500", "0.000", "0.500"]
    assert row(said, "LOC / ORG") == ["LOC / ORG", "1", "b", "Porto"]
    assert row(said, "ADJ / VERB") == ["ADJ / VERB", "1", "a", "left"]
    assert "Fleiss' kappa" in said


def test_agreement_top_limits_what_is_printed(folder: Path) -> None:
    assert "PER, borders" in agreement("ann.txt", "bob.txt", "--top", 2)
    assert "PER, borders" not in agreement("ann.txt", "bob.txt", "--top", 1)
    assert "disagreements" not in agreement("ann.txt", "bob.txt", "--top", 0)


def test_agreement_writes_figures_and_disagreements(folder: Path) -> None:
    agreement("ann.txt", "bob.txt", "third=cy.jsonl", "--output", "new/out")
    figures = json.loads((folder / "new" / "out" / "agreement.json").read_text(encoding="utf8"))
    assert [each["name"] for each in figures["annotators"]] == ["ann", "bob", "third"]
    assert list(figures["layers"]) == ["entities", "pos"]
    pairs = figures["layers"]["entities"]["pairs"]
    assert [(each["a"], each["b"], each["documents"]) for each in pairs] == [
        ("ann", "bob", 2),
        ("ann", "third", 1),
        ("bob", "third", 1),
    ]
    assert (figures["samples"], figures["seed"]) == (100, 0)
    lines = (folder / "new" / "out" / "disagreements.jsonl").read_text(encoding="utf8").splitlines()
    found = [json.loads(line) for line in lines]
    assert [each["kind"] for each in found] == ["LOC / ORG", "PER, borders", "ADJ / VERB"]
    assert found[0]["says"] == {"ann": [[0, 5, "LOC"]], "bob": [[0, 5, "ORG"]], "third": [[0, 5, "LOC"]]}


def test_agreement_takes_spacy_files_and_folders(folder: Path) -> None:
    CliRunner().invoke(app, ["convert", "ann.txt", "one/all.spacy"])
    (folder / "two").mkdir()
    (folder / "bob.txt").rename(folder / "two" / "bob.txt")
    said = agreement("one", "two")
    assert "one (3), two (2)" in said
    assert row(said, "one – two")[1:3] == ["2", "7"]


def answer(path: Path, **answers: Any) -> None:
    """Write answers into a list, by document."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf8").splitlines()]
    for line in lines:
        line["adjudicated"] = answers.get(f"{line['document']}_{line['layer']}")
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf8")


def test_agreement_answers_become_one_annotation(folder: Path) -> None:
    agreement("ann.txt", "bob.txt", "--output", "out")
    answer(folder / "out" / "disagreements.jsonl", a_entities="bob", b_entities=[[0, 5, "ORG"]])
    said = agreement("ann.txt", "bob.txt", "--adjudicated", "out/disagreements.jsonl", "--gold", "new/gold.spacy")
    assert "3 documents; 1 disagreement left open" in said
    docs = list(DocBin().from_disk(folder / "new" / "gold.spacy").get_docs(spacy.blank("en").vocab))
    assert [[(ent.text, ent.label_) for ent in doc.ents] for doc in docs] == [
        [("Ilse left", "PER"), ("Porto", "LOC")],
        [("Porto", "ORG")],
        [],
    ]
    assert [token.pos_ for token in docs[0]] == ["PROPN", "", "PROPN", "PUNCT"]
    assert [doc.user_data["ctx"]["id"] for doc in docs] == ["a", "b", "c"]


def test_agreement_does_not_throw_answers_away(folder: Path) -> None:
    agreement("ann.txt", "bob.txt", "--output", "out")
    agreement("ann.txt", "bob.txt", "--output", "out")
    answer(folder / "out" / "disagreements.jsonl", a_entities="bob")
    agreement("ann.txt", "bob.txt", "--output", "out", fails="CT756")
    assert "bob" in (folder / "out" / "disagreements.jsonl").read_text(encoding="utf8")
    agreement("ann.txt", "bob.txt", "--output", "out", "--force")


def test_agreement_says_what_is_wrong(folder: Path) -> None:
    (folder / "other.txt").write_text("# doc = a\nIlse/PROPN left/VERB Porto/PROPN !/PUNCT\n", encoding="utf8")
    assert "other.txt:1: [CT750]" in agreement("ann.txt", "other.txt", fails="CT750")
    for name in ("bare.txt", "plain.txt"):
        (folder / name).write_text("# doc = a\nIlse left Porto ~.\n", encoding="utf8")
    agreement("plain.txt", "bare.txt", "--no-ents", fails="CT758")
    agreement("ann.txt", fails="CT755")
    agreement("x=ann.txt", "x=bob.txt", fails="CT755")
    agreement("ann.txt", "none.txt", fails="CT305")
    agreement("ann.txt", "bob.txt", "--gold", "gold.spacy", fails="CT757")
    agreement("ann.txt", "bob.txt", "--adjudicated", "cy.jsonl", "--gold", "gold.txt", fails="CT371")
    agreement("ann.txt", "bob.txt", "--adjudicated", "cy.jsonl", "--gold", "gold.spacy", fails="CT754")
    agreement("ann.txt", "bob.spacy", "--adjudicated", "cy.jsonl", "--gold", "bob.spacy", fails="CT372")
    agreement("ann.txt", "bob.txt", "--output", "cy.jsonl", fails="CT759")
    agreement("ann.txt", "bob.txt", "--lang", "zzz", fails="CT500")


def test_agreement_warns_of_other_tokens(folder: Path) -> None:
    (folder / "glued.txt").write_text("# doc = b\nPorto slept.\n", encoding="utf8")
    assert "CW750" in agreement("ann.txt", "glued.txt")


def test_agreement_prints_texts_on_a_line(folder: Path) -> None:
    assert plain("a\x1b[31m\n b") == "a [31m b"
    assert plain("x" * 100) == "x" * 59 + "…"


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (["a/x.spacy", "b/y.spacy"], {"x": ["a/x.spacy"], "y": ["b/y.spacy"]}),
        (["a/x.spacy", "b/x.spacy"], {"a/x.spacy": ["a/x.spacy"], "b/x.spacy": ["b/x.spacy"]}),
        (["y=a/x.spacy", "y=b", "b/y.spacy"], {"y": ["a/x.spacy", "b"], "b/y.spacy": ["b/y.spacy"]}),
    ],
)
def test_agreement_annotators_have_names(inputs: list[str], expected: dict[str, list[str]]) -> None:
    found = name_annotators(inputs)
    assert {name: [path.as_posix() for path in paths] for name, paths in found.items()} == expected


def test_agreement_page_shows_what_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "agreement.md").read_text(encoding="utf8")
    monkeypatch.chdir(ROOT)
    inputs = [f"first=assets/{split}" for split in ("train", "dev", "test")]
    command = ["agreement", *inputs, "second=assets/second"]
    assert f"python -m spacy ctx {' '.join(command)}" in page
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    (shown,) = re.findall(r"```text\n(Documents: first.*?)```", page, re.DOTALL)
    lines = [line.rstrip() for line in result.output.splitlines() if line.strip()]
    assert [line for line in shown.splitlines() if line.strip()] == lines
