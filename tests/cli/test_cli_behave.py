"""`behave`: the table, what fails, exit codes."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from typer.testing import CliRunner

from spacy_ctxtag.cli import app
from spacy_ctxtag.cli.behave import try_behaviour
from spacy_ctxtag.evaluation.behaviour import run_behaviours
from spacy_ctxtag.evaluation.behaviour_file import read_suite

SHIPPED = Path(__file__).parents[2] / "configs" / "behaviour.yml"
SUITE = """
slots:
  place: {label: LOC, values: [Porto, Lyon, "Gh\\x1b[31ment", Osaka]}
tests:
  - name: places
    description: In a short sentence
    type: minimal
    severity: critical
    max_failure_rate: RATE
    texts: ["We saw {place}."]
  - name: one more sentence
    description: Changes nothing
    type: invariance
    texts: [We saw Porto.]
    change: {before: [It rained.]}
"""


@pytest.fixture(scope="module")
def nlp() -> Language:
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "LOC", "pattern": name} for name in ("Porto", "Lyon")])
    return nlp


@pytest.fixture(scope="module")
def model(nlp: Language, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("behave") / "model"
    nlp.to_disk(folder)
    return folder


def write(folder: Path, rate: str = "0.5", old: str = "", new: str = "") -> Path:
    path = folder / "suite.yml"
    path.write_text(SUITE.replace("RATE", rate).replace(old, new) if old else SUITE.replace("RATE", rate))
    return path


def behave(*args: Any, code: int = 0) -> str:
    """Run the command; it has to end with this code. RETURNS (str): What it printed."""
    result = CliRunner().invoke(app, ["behave", *map(str, args)])
    assert result.exit_code == code, result.output
    return result.output


def test_behave_prints_a_table(model: Path, tmp_path: Path) -> None:
    output = behave(model, write(tmp_path))
    assert re.search(r"\+ +places +minimal +critical +4 +2 +50% +50%", output)
    assert re.search(r"\+ +one more sentence +invariance +major +1 +0 +0% +0%", output)
    assert "2 tests passed" in output
    assert "expected" not in output


def test_behave_shows_what_fails(model: Path, tmp_path: Path) -> None:
    output = behave(model, write(tmp_path, "0.4"), code=1)
    assert re.search(r"- +places", output)
    assert "places: In a short sentence" in output
    assert "We saw Osaka." in output
    assert "expected 'Osaka' LOC; got nothing" in output
    assert "1 of 2 tests failed" in output
    assert "We saw Gh\\x1b[31ment." in output
    assert "\x1b" not in output


def test_behave_shows_so_many_cases(model: Path, tmp_path: Path) -> None:
    output = behave(model, write(tmp_path, "0.4"), "--show", 1, code=1)
    assert output.count("expected") == 1


def test_behave_shows_the_text_before_a_change(model: Path, tmp_path: Path) -> None:
    path = write(tmp_path, old="{before: [It rained.]}", new="{casing: {case: upper}}")
    output = behave(model, path, code=1)
    assert "We saw Porto.  →  WE SAW PORTO." in output


def test_behave_says_that_nothing_could_be_changed(model: Path, tmp_path: Path) -> None:
    path = write(tmp_path, old="{before: [It rained.]}", new="{mentions: {PERSON: [Ada]}}")
    output = behave(model, path, code=1)
    assert "No text could be changed" in output


def test_behave_warns_of_labels_that_are_not_known(model: Path, tmp_path: Path) -> None:
    output = behave(model, write(tmp_path, old="label: LOC", new="label: PLACE"), code=1)
    assert "[CW736] Test 'places' speaks of PLACE, and the pipeline knows: LOC." in output


def test_behave_writes_everything_to_a_file(model: Path, nlp: Language, tmp_path: Path) -> None:
    path = write(tmp_path, "0.4")
    behave(model, path, "--output", tmp_path / "new" / "out.json", code=1)
    found = json.loads((tmp_path / "new" / "out.json").read_text(encoding="utf8"))
    assert found.pop("model") == str(model)
    assert found.pop("version")
    assert found == run_behaviours(nlp, read_suite(path))


def test_behave_lists_errors_of_the_file(model: Path, tmp_path: Path) -> None:
    path = write(tmp_path, "2", old="type: invariance", new="type: other")
    output = behave(model, path, code=2)
    assert f"{path}:9: [CT741] test 'places', `max_failure_rate`: met 2. Expected" in output
    assert f"{path}:13: [CT741] test 'one more sentence', `type`: met 'other'." in output
    assert "2 errors" in output


def test_behave_refuses_what_is_not_there(model: Path, tmp_path: Path) -> None:
    assert "CT513" in behave(tmp_path / "none", write(tmp_path), code=2)
    assert "CT301" in behave(model, tmp_path / "none.yml", code=2)
    assert "CT739" in behave(model, write(tmp_path), "--output", tmp_path, code=2)
    (tmp_path / "file").touch()
    behave(model, write(tmp_path), "--output", tmp_path / "file" / "out.json", code=2)


def test_try_behaviour_leaves_the_exit_code_to_its_caller(nlp: Language, tmp_path: Path) -> None:
    assert try_behaviour(nlp, write(tmp_path, "0.4"))["passed"] is False


def test_behave_runs_the_shipped_file(model: Path) -> None:
    output = behave(model, SHIPPED, code=1)
    assert "tests failed" in output
    assert "Traceback" not in output


def test_behave_ends_with_2_where_a_component_fails(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    @Language.component("fails_in_behave")
    def fail(doc: Doc) -> Doc:
        raise ValueError("no such thing")

    nlp = spacy.blank("en")
    nlp.add_pipe("fails_in_behave")
    nlp.to_disk(tmp_path / "model")
    output = behave(tmp_path / "model", write(tmp_path), code=2)
    assert "no such thing" in output + capfd.readouterr().err
