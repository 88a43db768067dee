"""`explain`: what is printed and written, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from pipelines import LISTENER, PERSON, PLACE, head, make_examples, make_pipeline, train
from typer.testing import CliRunner

from spacy_ctxtag.cli import app

TEXT = "Ada wrote to Charles in London ."  # as in the corpus


@pytest.fixture(scope="module")
def model(tiny_backbone: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    nlp = make_pipeline(["ctx_ner"], tiny_backbone)
    train(nlp, make_examples(nlp))
    folder = tmp_path_factory.mktemp("models") / "ner"
    nlp.to_disk(folder)
    return folder


@pytest.fixture(scope="module")
def two_heads(tiny_backbone: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    nlp = make_pipeline(["ctx_ner"], tiny_backbone, shared=True)
    nlp.add_pipe("ctx_chunker", config=head("ctx_chunker", LISTENER))
    train(nlp, make_examples(nlp))
    folder = tmp_path_factory.mktemp("models") / "two"
    nlp.to_disk(folder)
    return folder


def explain(*args: Any, fails: str = "") -> str:
    """Run the command; with `fails`, it has to end with this code. RETURNS (str): What it printed."""
    result = CliRunner().invoke(app, ["explain", *map(str, args)])
    assert result.exit_code == (1 if fails else 0), result.output
    assert fails in result.output
    return result.output


def test_explain_prints_what_the_pipeline_finds(model: Path) -> None:
    output = explain(model, TEXT)
    for name in ("'Ada' as per-son", "'Charles' as per-son", f"'London' as {PLACE}", "context", "characters"):
        assert name in output


def test_explain_prints_json_and_nothing_else(model: Path, tmp_path: Path) -> None:
    found = json.loads(explain(model, TEXT, "--json", "--output", tmp_path / "why.html"))
    names = [("Ada", PERSON), ("Charles", PERSON), ("London", PLACE)]
    assert [(each["text"], each["label"]) for each in found] == names
    assert len(found[0]["attributions"]) == len(TEXT.split())
    assert (tmp_path / "why.html").is_file()


def test_explain_writes_a_page(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "new" / "why.html"
    output = explain(model, "Ada wrote <b> to Hamburg .", "--output", path)
    assert "2 spans" in output
    page = path.read_text(encoding="utf8")
    assert page.startswith("<!doctype html>")
    assert page.count("<figure") == 2
    assert "&lt;b" in page
    assert [each.name for each in path.parent.iterdir()] == ["why.html"]


def test_explain_of_words_that_are_named(model: Path) -> None:
    [found] = json.loads(explain(model, TEXT, "--span", "London", "--label", PERSON, "--json"))
    assert (found["text"], found["label"], found["start"]) == ("London", PERSON, 5)
    [found] = json.loads(explain(model, TEXT, "--span", "London", "--json"))
    assert found["label"] == PLACE
    twice = json.loads(explain(model, "Ada wrote to Ada", "--span", "Ada", "--json"))
    assert [each["start"] for each in twice] == [0, 3]


def test_explain_passes_the_method_on(model: Path) -> None:
    found = json.loads(explain(model, TEXT, "--method", "occlusion", "--json"))
    assert {each["method"] for each in found} == {"occlusion"}


def test_explain_of_one_of_two_components(two_heads: Path) -> None:
    assert "ctx_ner, ctx_chunker" in explain(two_heads, TEXT, fails="CT770")
    found = json.loads(explain(two_heads, TEXT, "--component", "ctx_chunker", "--json"))
    assert found
    assert {each["component"] for each in found} == {"ctx_chunker"}


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ([TEXT, "--label", PERSON], "CT773"),
        ([TEXT, "--span", "dance"], "CT772"),
        ([TEXT, "--span", ""], "CT772"),
        ([TEXT, "--span", "Charl"], "CT772"),
        ([TEXT, "--span", "Ada", "--label", "dance"], "CT410"),
        ([TEXT, "--method", "dance"], "CT404"),
        ([TEXT, "--component", "tagger"], "CT770"),
        (["nobody wrote today"], "CT771"),
        ([""], "CT430"),
    ],
    ids=lambda value: str(value)[-30:],
)
def test_explain_says_what_is_wrong(args: list[str], code: str, model: Path) -> None:
    explain(model, *args, fails=code)


def test_explain_of_a_model_that_is_not_there(tmp_path: Path) -> None:
    explain(tmp_path / "nothing", TEXT, fails="CT513")


def test_explain_does_not_write_over_a_folder(model: Path, tmp_path: Path) -> None:
    explain(model, TEXT, "--output", tmp_path, fails=str(tmp_path.name))
