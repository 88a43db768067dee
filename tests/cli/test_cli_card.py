"""`card`: what it writes, where, and what it leaves alone."""

import json
from pathlib import Path
from typing import Any

import pytest
import spacy
from pipelines import HEADS, make_examples, make_pipeline, write_corpus
from spacy.tokens import Doc, DocBin
from typer.testing import CliRunner

from spacy_ctxtag.cli import app
from spacy_ctxtag.operate.card_input import MARKER


def run(*args: Any, fails: str = "") -> str:
    """Run the command; with `fails`, it has to end with this code. RETURNS (str): What it printed."""
    result = CliRunner().invoke(app, ["card", *map(str, args)])
    assert result.exit_code == (1 if fails else 0), result.output
    assert fails in result.output
    return result.output


@pytest.fixture
def model(tmp_path: Path) -> Path:
    spacy.blank("en", meta={"name": "finder", "version": "1.2.3"}).to_disk(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def report(tmp_path: Path) -> Path:
    about = {"name": "en_finder", "version": "1.2.3", "lang": "en", "pipeline": [], "labels": {}, "precision": {}}
    data = {"path": "test.spacy", "sha256": "9f" * 32, "documents": 12, "tokens": 99, "domains": [], "trained_on": 0}
    content = {
        "schema_version": 1,
        "model": about,
        "data": data,
        "train": None,
        "versions": {"spacy": "3.8"},
        "run": {"n_samples": 0, "words_per_second": None, "device": "cpu"},
        "components": [],
    }
    path = tmp_path / "report.json"
    path.write_text(json.dumps(content), encoding="utf8")
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_card_writes_readme_and_meta_into_the_pipeline(model: Path, report: Path) -> None:
    before = files(model)
    output = run(model, "--report", report, "--licence", "MIT")
    after = files(model)
    assert {name for name in after if after[name] != before.get(name)} == {"README.md", "meta.json"}
    assert "README.md and meta.json, with 2 limits" in output
    assert "CW780" not in output
    assert spacy.load(model).meta["license"] == "MIT"


def test_card_written_again_is_the_same_but_for_the_notes_that_are_kept(model: Path, report: Path) -> None:
    run(model, "--report", report, "--licence", "MIT")
    first = files(model)
    run(model, "--report", report)
    assert files(model) == first
    readme = model / "README.md"
    readme.write_text(
        readme.read_text(encoding="utf8").replace("# en", "# changed") + "My *own* words.\n", encoding="utf8"
    )
    run(model, "--report", report)
    text = readme.read_text(encoding="utf8")
    assert text.endswith(f"{MARKER}\nMy *own* words.\n")
    assert "# changed" not in text


def test_card_goes_into_a_copy_with_output(model: Path, report: Path, tmp_path: Path) -> None:
    before = files(model)
    for licence in ("MIT", "Apache-2.0"):
        run(model, "--report", report, "--output", tmp_path / "new" / "release", "--licence", licence)
        assert spacy.load(tmp_path / "new" / "release").meta["license"] == licence
    assert files(model) == before
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["release"]


def test_card_tells_that_no_licence_is_known(model: Path, report: Path) -> None:
    assert "CW780" in run(model, "--report", report)
    assert "| Licence | not stated |" in (model / "README.md").read_text(encoding="utf8")


def test_card_replaces_other_readmes_only_with_force(model: Path, report: Path) -> None:
    (model / "README.md").write_text("# By hand\n", encoding="utf8")
    before = files(model)
    run(model, "--report", report, fails="CT783")
    assert files(model) == before
    run(model, "--report", report, "--force")
    assert "By hand" not in (model / "README.md").read_text(encoding="utf8")


def test_card_replaces_no_other_folders(model: Path, report: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine", encoding="utf8")
    run(model, "--report", report, "--output", tmp_path / "mine", "--force", fails="CT508")
    run(model, "--report", report, "--output", report, "--force", fails="CT508")
    run(model, "--report", report, "--output", model / "release", fails="CT508")
    spacy.blank("de").to_disk(tmp_path / "other")
    run(model, "--report", report, "--output", tmp_path / "other", fails="CT508")
    assert spacy.load(tmp_path / "other").lang == "de"
    run(model, "--report", report, "--output", tmp_path / "other", "--force")
    assert spacy.load(tmp_path / "other").lang == "en"


@pytest.mark.parametrize(
    ("name", "content", "args", "code"),
    [
        ("report.json", "{}", (), "CT780"),
        ("manifest.json", "{}", ("--manifest", "manifest.json"), "CT780"),
        ("notes.yml", "a: b", ("--notes", "notes.yml"), "CT782"),
        ("notes.yml", "", ("--notes", "missing.yml"), "CT782"),
    ],
)
def test_card_writes_nothing_for_bad_input(
    model: Path, report: Path, tmp_path: Path, name: str, content: str, args: tuple[str, ...], code: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf8")
    before = files(model)
    options = [str(tmp_path / arg) if "." in arg else arg for arg in args]
    run(model, "--report", report, *options, fails=code)
    assert files(model) == before


def test_card_writes_nothing_when_a_file_cannot_be_written(model: Path, report: Path) -> None:
    before = files(model)
    (model / "meta.json.tmp").mkdir()
    run(model, "--report", report, fails=f"[CT713] {model} could not be written: ")
    (model / "meta.json.tmp").rmdir()
    assert files(model) == before


def test_card_leaves_no_half_of_a_copy(model: Path, report: Path, tmp_path: Path) -> None:
    (model / "README.md.tmp").mkdir()  # in the way, in the copy, too
    run(model, "--report", report, "--output", tmp_path / "new" / "release", fails="release could not be written: ")
    assert list((tmp_path / "new").iterdir()) == []


def test_card_imports_code_also_where_nothing_is_measured(model: Path, report: Path, tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("raise ValueError('it was imported')", encoding="utf8")
    run(model, "--report", report, "--code", tmp_path / "code.py", fails="it was imported")


def test_card_refuses_a_model_that_is_not_there(report: Path, tmp_path: Path) -> None:
    run(tmp_path / "nothing", "--report", report, fails="CT784")
    assert not (tmp_path / "nothing").exists()


@pytest.mark.backbone
def test_card_measures_the_speed_of_the_pipeline(
    tiny_backbone: str, report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nlp = make_pipeline(HEADS, tiny_backbone)
    nlp.initialize(lambda: make_examples(nlp))
    nlp.meta.update(name="finder", version="1.2.3")
    nlp.to_disk(tmp_path / "trained")
    content = json.loads(report.read_text(encoding="utf8"))
    content["model"].update(pipeline=list(HEADS), labels={})
    report.write_text(json.dumps(content), encoding="utf8")
    monkeypatch.setattr("spacy_ctxtag.deploy.measure.LEAST_WORDS", 20)
    run(tmp_path / "trained", "--report", report, "--measure", write_corpus(tmp_path / "test.spacy"))
    text = (tmp_path / "trained" / "README.md").read_text(encoding="utf8")
    assert "words per second on " in text
    assert " parameters |" in text
    DocBin(docs=[Doc(nlp.vocab, [" "])]).to_disk(tmp_path / "empty.spacy")
    run(tmp_path / "trained", "--report", report, "--measure", tmp_path / "empty.spacy", fails="CT785")
    assert (tmp_path / "trained" / "README.md").read_text(encoding="utf8") == text
