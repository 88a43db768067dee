"""`compare`, on pipelines of rules and on files of their predictions."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from typer.testing import CliRunner

from spacy_ctxtag.cli import app
from spacy_ctxtag.training.fingerprint import record_training_texts

NAMES = {"Ada": "PERSON", "Tom": "PERSON", "Porto": "LOC", "Lyon": "LOC", "Ghent": "LOC"}
TEXTS = [
    *(f"{person} left {place}, {i}." for i in range(4) for person in ("Ada", "Tom") for place in ("Porto", "Lyon")),
    "",
    "Nobody came.",
    "Ghent \x1b[31m is red.",
]  # fmt: skip


def make_nlp(*names: str) -> Language:
    """A pipeline that finds these names only."""
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": NAMES[name], "pattern": name} for name in names])
    return nlp


def save(nlp: Language, path: Path, texts: list[str] = TEXTS) -> Path:
    """Write what a pipeline predicts."""
    DocBin(docs=nlp.pipe(texts)).to_disk(path)
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """RETURNS (dict): Two pipelines, what they predict, and the annotation."""
    folder = tmp_path_factory.mktemp("compare")
    old, new = make_nlp("Ada", "Tom", "Porto"), make_nlp("Ada", "Tom", "Lyon", "Ghent")
    for name, nlp in (("old", old), ("new", new)):
        nlp.to_disk(folder / name)
    gold = save(make_nlp(*NAMES), folder / "gold.spacy")
    predictions = {f"{name}.spacy": save(nlp, folder / f"{name}.spacy") for name, nlp in (("old", old), ("new", new))}
    return {"old": folder / "old", "new": folder / "new", "gold": gold, **predictions}


def compare(*args: Any, code: int = 0) -> str:
    """Run the command; it has to end with this code. RETURNS (str): What it printed."""
    result = CliRunner().invoke(app, ["compare", *map(str, args), "--samples", "99"])
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result.output


def test_compare_prints_a_table_and_the_changes(files: dict[str, Path]) -> None:
    output = compare(files["old"], files["new"], files["gold"], "--min-support", 5)
    assert re.search(r"ents_f +33 +84\.21 +86\.21 +\+", output)
    assert re.search(r"  LOC +17 +64\.00 +69\.23 +\+5\.23 +[+-]\d+\.\d\d to [+-]\d+\.\d\d +\d\.\d{3}", output)
    assert re.search(r"  PERSON +16 +100\.00 +100\.00 +\+0\.00 +\+0\.00 to \+0\.00 +1\.000", output)
    assert "Worse: 8 broken, 0 spurious" in output
    assert "broken (8 ×) LOC, B has nothing; gold-1: …Ada left [Porto], 0.…" in output
    assert "Better: 9 fixed, 0 cleared" in output


def test_compare_writes_no_control_characters(files: dict[str, Path]) -> None:
    output = compare(files["old"], files["new"], files["gold"])
    assert "[Ghent] \\x1b[31m is red" in output
    assert "\x1b" not in output


def test_compare_writes_everything_to_a_file(files: dict[str, Path], tmp_path: Path) -> None:
    compare(files["old"], files["new"], files["gold"], "--output", tmp_path / "new" / "out.json", "--seed", 3)
    found = json.loads((tmp_path / "new" / "out.json").read_text(encoding="utf8"))
    assert (found["a"], found["b"], found["data"]) == (str(files["old"]), str(files["new"]), "gold.spacy")
    assert found["options"] == {"min_support": 20, "samples": 99, "seed": 3}
    assert found["gate"]["passed"] is True
    assert found["documents"] == 18
    score = found["scores"]["ents_f"]
    assert (score["gold"], score["fixed"], score["broken"]) == (33, 9, 8)
    assert score["labels"]["PERSON"]["p_value"] is None
    assert len(found["changes"]) == 17
    first = found["changes"][0]
    assert (first["kind"], first["document"], first["text"], first["start"]) == ("broken", 1, "Porto", 9)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out.json"]


@pytest.mark.parametrize(("a", "b"), [("old.spacy", "new.spacy"), ("old", "new.spacy"), ("old.spacy", "new")])
def test_compare_reads_predictions(a: str, b: str, files: dict[str, Path], tmp_path: Path) -> None:
    results = []
    for one, two in ((a, b), ("old", "new")):
        compare(files[one], files[two], files["gold"], "--output", tmp_path / "out.json")
        results.append(json.loads((tmp_path / "out.json").read_text(encoding="utf8")))
    assert results[0]["scores"] == results[1]["scores"]
    assert results[0]["changes"] == results[1]["changes"]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--fail-if-worse", "--min-support", "1"], 0),
        (["--max-drop", "0"], 0),
        (["--max-label-drop", "0", "--min-support", "18"], 0),
        (["--fail-if-worse", "--min-support", "99"], 0),
    ],
)
def test_gate_lets_the_better_pass(options: list[str], code: int, files: dict[str, Path]) -> None:
    assert "B passes" in compare(files["old"], files["new"], files["gold"], *options, code=code)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--fail-if-worse"], "CT737"),
        (["--max-drop", "50"], "CT738"),
        (["--max-label-drop", "50", "--min-support", "17"], "CT738"),
        (["--fail-if-worse", "--alpha", "0.99"], "CT737"),
    ],
)
def test_gate_fails_for_the_worse(options: list[str], code: str, files: dict[str, Path], tmp_path: Path) -> None:
    make_nlp("Ghent").to_disk(tmp_path / "bad")
    output = compare(files["old"], tmp_path / "bad", files["gold"], *options, "-o", tmp_path / "out.json", code=1)
    assert code in output
    found = json.loads((tmp_path / "out.json").read_text(encoding="utf8"))
    assert (found["gate"]["passed"], len(found["gate"]["failures"]) > 0) == (False, True)


def test_worse_without_a_gate_is_no_failure(files: dict[str, Path]) -> None:
    assert "passes" not in compare(files["new"], files["old"], files["gold"])


def test_compare_tells_of_texts_that_were_learned_from(files: dict[str, Path], tmp_path: Path) -> None:
    nlp = make_nlp("Ada")
    record_training_texts(nlp.meta, [*TEXTS[:3], "another"])
    nlp.to_disk(tmp_path / "model")
    output = compare(files["old"], tmp_path / "model", files["gold"])
    assert "[CW735] 3 of 18 texts" in output
    assert str(tmp_path / "model") in output


def test_compare_of_reference_tokens_whose_spaces_are_unknown(files: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "gold.iob").write_text("Ada\tB-PERSON\nleft\tO\nPorto\tB-LOC\n,\tO\n\nTom\tB-PERSON\n", encoding="utf8")
    output = compare(files["old"], files["new"], tmp_path / "gold.iob")
    assert re.search(r"LOC +1 +100\.00 +0\.00", output)


# What is refused: exit code 2


@pytest.mark.parametrize("place", [0, 1])
def test_system_that_is_not_there(place: int, files: dict[str, Path], tmp_path: Path) -> None:
    names = [files["old"], files["new"]]
    names[place] = tmp_path / "nothing"
    assert "CT513" in compare(*names, files["gold"], code=2)


def test_predictions_that_are_no_docbin(files: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "bad.spacy").write_bytes(b"none")
    output = compare(tmp_path / "bad.spacy", files["new"], files["gold"], code=2)
    assert "CT513" in output
    assert "CT309" in output


@pytest.mark.parametrize("texts", [TEXTS[:-1], [*TEXTS, "one more"], [*TEXTS[1:], TEXTS[0]]])
def test_predictions_of_other_documents(texts: list[str], files: dict[str, Path], tmp_path: Path) -> None:
    other = save(make_nlp("Ada"), tmp_path / "other.spacy", texts)
    assert "CT740" in compare(files["old"], other, files["gold"], "-o", tmp_path / "out.json", code=2)
    assert not (tmp_path / "out.json").exists()


def test_data_with_errors_lists_them(files: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_text("# doc = a\nx]\n", encoding="utf8")
    assert "bad.txt:2: [CT319]" in compare(files["old"], files["new"], tmp_path / "bad.txt", code=2)
    assert "CT305" in compare(files["old"], files["new"], tmp_path / "none.spacy", code=2)


def test_data_without_annotation(files: dict[str, Path], tmp_path: Path) -> None:
    DocBin(docs=spacy.blank("en").pipe(["Ada left."])).to_disk(tmp_path / "raw.spacy")
    assert "CT736" in compare(files["old"], files["new"], tmp_path / "raw.spacy", code=2)


def test_output_that_is_a_folder(files: dict[str, Path], tmp_path: Path) -> None:
    assert "CT739" in compare(files["old"], files["new"], files["gold"], "--output", tmp_path, code=2)


def test_output_that_cannot_be_written_is_no_failure_of_b(files: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    compare(files["old"], files["new"], files["gold"], "--output", tmp_path / "file" / "out.json", code=2)


@pytest.mark.parametrize("option", [["--alpha", "2"], ["--max-drop", "-1"], ["--min-support", "x"], ["--nothing"]])
def test_options_out_of_range(option: list[str], files: dict[str, Path]) -> None:
    compare(files["old"], files["new"], files["gold"], *option, code=2)


def test_compare_without_scipy(files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from spacy_ctxtag.cli import compare as module

    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert "CT705" in compare(files["old"], files["new"], files["gold"], code=2)


def test_compare_ends_with_2_where_a_component_fails(files: dict[str, Path], tmp_path: Path) -> None:
    @Language.component("fails_in_compare")
    def fail(doc: Doc) -> Doc:
        raise RuntimeError("no such thing")

    nlp = spacy.blank("en")
    nlp.add_pipe("fails_in_compare")
    nlp.to_disk(tmp_path / "model")
    compare(files["old"], tmp_path / "model", files["gold"], code=2)
