"""`curves`: what is drawn of the record of a training."""

import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from spacy_ctxtag.cli import app
from spacy_ctxtag.cli.curves import MOST_LABELS, draw
from spacy_ctxtag.training.record import append_record


def record(step: int, **scores: Any) -> dict[str, Any]:
    per_type = {"per-son": {"p": 0.5, "f": step / 100}, "Örtlichkeit": {"f": None if step == 0 else 0.5}}
    seen = {"ents_f_seen": 1.0, "ents_f_unseen": None, "ents_p_seen": 0.5}
    known = {"ents_f": step / 50, **seen, "ents_p": 0.9, "token_acc": 1.0, "tag_acc": 0.75, "speed": 999.0}
    losses = {"ctx_ner": 100.0 / (step + 1), "ctx_tagger": None}
    scores = {**known, "ents_per_type": per_type, **scores}
    return {"step": step, "epoch": 0, "score": step / 50, "losses": losses, "scores": scores, "seconds": 1, "words": 9}


RECORDS = [record(step) for step in (0, 10, 20)]


def curves(*args: Any, fails: str = "") -> str:
    """Run the command; with `fails`, it has to end with this code. RETURNS (str): What it printed."""
    result = CliRunner().invoke(app, ["curves", *map(str, args)])
    assert result.exit_code == (1 if fails else 0), result.output
    assert fails in result.output
    return result.output


@pytest.fixture
def path(tmp_path: Path) -> Path:
    for each in RECORDS:
        append_record(tmp_path / "training.jsonl", each)
    return tmp_path / "training.jsonl"


@pytest.mark.parametrize(("name", "begins"), [("a.svg", b"<?xml"), ("new/a.png", b"\x89PNG"), ("a.pdf", b"%PDF")])
def test_curves_writes_a_picture(path: Path, tmp_path: Path, name: str, begins: bytes) -> None:
    output = curves(path, "--output", tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(begins)
    assert "3 evaluations; the best score is 0.4000, at step 20" in output


def test_curves_draws_losses_scores_and_labels() -> None:
    panels = {axes.get_title(loc="left"): axes for axes in draw(RECORDS).axes}
    assert list(panels) == ["loss since the evaluation before", "scores on dev", "ents: F by label"]
    lines = {title: {line.get_label(): line for line in axes.get_lines()} for title, axes in panels.items()}
    assert list(lines["loss since the evaluation before"]) == ["ctx_ner"]
    assert list(lines["scores on dev"]) == ["score", "ents_f", "ents_f_seen", "tag_acc"]
    assert list(lines["ents: F by label"]) == ["per-son", "Örtlichkeit"]
    assert lines["ents: F by label"]["per-son"].get_xdata().tolist() == [0, 10, 20]
    assert lines["ents: F by label"]["per-son"].get_ydata().tolist() == [0.0, 0.1, 0.2]
    assert str(lines["ents: F by label"]["Örtlichkeit"].get_ydata().tolist()) == "[nan, 0.5, 0.5]"


def test_curves_of_many_labels_are_those_that_end_lowest() -> None:
    per_type = {f"label {i}": {"f": i / 100} for i in range(50)}
    (axes,) = draw([record(0, ents_per_type=per_type)]).axes[2:]
    assert [line.get_label() for line in axes.get_lines()] == [f"label {i}" for i in range(MOST_LABELS)]
    assert "the lowest 20 of 50" in axes.get_title(loc="left")


def test_curves_of_a_pipeline_without_labels() -> None:
    records = [{**record(0), "scores": {}, "losses": {}, "score": None}]
    assert [axes.get_title(loc="left") for axes in draw(records).axes] == ["scores on dev"]


def test_curves_says_what_is_wrong(tmp_path: Path, path: Path) -> None:
    curves(tmp_path / "absent.jsonl", fails="CT301")
    (tmp_path / "x.jsonl").write_text("{}\n{}\n", encoding="utf8")
    assert "x.jsonl:1: [CT562]" in curves(tmp_path / "x.jsonl", fails="CT562")
    curves(path, "--output", tmp_path / "a.docx", fails="docx")


def test_curves_needs_matplotlib_and_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "spacy-ctxtag[plots]" in curves(path, fails="CT561")
