"""`evaluate`, on tiny models that have learned the corpus of `pipelines` and meet new sentences of the same words."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import spacy
from jsonschema import Draft202012Validator
from pipelines import KINDS, make_examples, make_pipeline, make_reference, train, write_corpus
from spacy.cli._util import app as spacy_app
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Corpus
from test_cli_calibrate import new_lines
from typer.testing import CliRunner

from spacy_ctxtag.cli import app
from spacy_ctxtag.cli import evaluate as module
from spacy_ctxtag.cli._printer import printable
from spacy_ctxtag.evaluation.report import SCHEMA

BEHAVIOUR = """
tests:
  - {{name: one, description: of a label that nobody knows, type: minimal, labels: [NOPE], texts: ["{text}"]}}
"""
LAYERS = ["ents", "spans:chunks", "tag"]


def evaluate(*args: Any, fails: str = "") -> str:
    """Run the command; with `fails`, it has to end with this code. RETURNS (str): What it printed."""
    result = CliRunner().invoke(app, ["evaluate", *map(str, args)])
    assert result.exit_code == (1 if fails else 0), result.output
    assert fails in result.output
    return result.output


def read(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "report.json").read_text(encoding="utf8"))


@pytest.fixture(scope="module")
def model(tiny_backbone: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RETURNS (Path): A pipeline that has not learned much, so that there are errors."""
    nlp = make_pipeline(KINDS, tiny_backbone, shared=True)
    train(nlp, make_examples(nlp), steps=12)
    folder = tmp_path_factory.mktemp("models") / "joint"
    nlp.to_disk(folder)
    return folder


@pytest.fixture(scope="module")
def held_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    nlp, path = spacy.blank("en"), tmp_path_factory.mktemp("data") / "test.spacy"
    docs = [make_reference(nlp, line) for line in new_lines()]
    for i, doc in enumerate(docs):
        doc.user_data["ctx"] = {"id": f"doc-{i}", "domain": ("law", "news")[i % 2]}
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    return path


@pytest.fixture(scope="module")
def run(model: Path, held_out: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """RETURNS (tuple): A report with all there is, and what was printed."""
    folder = tmp_path_factory.mktemp("evaluated")
    corpus = write_corpus(folder / "train.spacy")
    output = evaluate(model, held_out, "--output", folder / "report", "--train", corpus, "--n-samples", 50)
    return read(folder / "report"), output


def test_evaluate_writes_what_the_schema_says(run: tuple[dict[str, Any], str]) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf8"))
    assert [error.message for error in Draft202012Validator(schema).iter_errors(run[0])] == []
    assert [each["id"] for each in run[0]["components"]] == LAYERS


def test_evaluate_scores_as_spacy_does(run: tuple[dict[str, Any], str], model: Path, held_out: Path) -> None:
    nlp = spacy.load(model)
    expected = nlp.evaluate(list(Corpus(held_out)(nlp)))
    ents, chunks, tags = run[0]["components"]
    for layer, prefix in ((ents, "ents"), (chunks, "spans_chunks")):
        micro = layer["averages"]["micro"]
        found = [micro[name] for name in ("precision", "recall", "f1")]
        assert found == pytest.approx([expected[f"{prefix}_{key}"] for key in "prf"], abs=1e-15)
        per_type = {each["name"]: each["f1"] for each in layer["labels"]}
        assert per_type == pytest.approx({name: s["f"] for name, s in expected[f"{prefix}_per_type"].items()})
    assert ents["averages"]["macro_gold"]["f1"] == pytest.approx(expected["ents_macro_f"])
    assert ents["sequences"]["accuracy"] == pytest.approx(expected["ents_seq_acc"])
    assert 0 < ents["averages"]["micro"]["f1"] < 1
    seen = next(part["rows"] for part in ents["breakdowns"] if part["by"] == "seen")
    assert {row["name"]: row["f1"] for row in seen} == pytest.approx(
        {name: expected[f"ents_f_{name}"] for name in ("seen", "unseen")}
    )
    assert tags["averages"]["micro"]["f1"] == pytest.approx(expected["tag_acc"])
    assert tags["sequences"]["accuracy"] == pytest.approx(expected["tag_seq_acc"])


def test_evaluate_tells_parts_apart(run: tuple[dict[str, Any], str]) -> None:
    kinds = {layer["id"]: [part["by"] for part in layer["breakdowns"]] for layer in run[0]["components"]}
    spans = ["domain", "mention_length", "multiword", "sentence_length", "seen", "train_frequency"]
    assert kinds == {
        "ents": spans,
        "spans:chunks": spans,
        "tag": ["domain", "sentence_length", "known_word", "word_frequency"],
    }
    domains = run[0]["components"][0]["breakdowns"][0]["rows"]
    assert (
        sorted(row["name"] for row in domains)
        == ["law", "news"]
        == sorted(d["name"] for d in run[0]["data"]["domains"])
    )


def test_evaluate_has_probabilities_of_all_heads(run: tuple[dict[str, Any], str]) -> None:
    for layer in run[0]["components"]:
        predicted = sum(each["predicted"] for each in layer["labels"])
        assert layer["calibration"]["n"] == predicted
        errors = [each["probability"] for each in layer["confident_errors"]]
        assert errors == sorted(errors, reverse=True)
        assert len(errors) == min(50, predicted - sum(each["correct"] for each in layer["labels"]))


def test_evaluate_excerpts_are_of_the_documents(run: tuple[dict[str, Any], str]) -> None:
    for error in run[0]["components"][0]["confident_errors"]:
        excerpt = error["excerpt"]
        marked = excerpt["predicted"][error["index"]]
        assert excerpt["text"][marked["start"] : marked["end"]] == error["text"]
        words = [excerpt["text"][a:b] for a, b in excerpt["tokens"]]
        assert " ".join(words[marked["start_token"] : marked["end_token"]]) == error["text"]
        assert (marked["class"], marked["label"]) == (error["class"], error["label"])


def test_evaluate_says_what_was_evaluated(run: tuple[dict[str, Any], str], held_out: Path) -> None:
    report = run[0]
    assert report["data"]["sha256"] == hashlib.sha256(held_out.read_bytes()).hexdigest()
    assert (report["data"]["documents"], report["data"]["sentences"], report["data"]["trained_on"]) == (40, 40, 0)
    assert report["model"]["pipeline"] == ["ctx_encoder", *KINDS]
    assert report["model"]["precision"] == {"ctx_encoder": "fp32"}
    assert set(report["model"]["labels"]) == set(KINDS)
    assert (report["train"]["source"], report["train"]["documents"]) == ("file", 6)
    assert report["run"]["n_samples"] == 50


def test_evaluate_prints_a_table_of_every_layer(run: tuple[dict[str, Any], str]) -> None:
    for layer in run[0]["components"]:
        assert layer["attribute"] in run[1]
        assert all(each["name"] in run[1] for each in layer["labels"])
    assert f"{100 * run[0]['components'][0]['averages']['micro']['f1']:.1f} ±" in run[1]


def test_evaluate_knows_mentions_of_the_pipeline_without_train(model: Path, held_out: Path, tmp_path: Path) -> None:
    evaluate(model, held_out, "--output", tmp_path / "report", "--n-samples", 0)
    ents, chunks, _ = read(tmp_path / "report")["components"]
    assert "seen" in [part["by"] for part in ents["breakdowns"]]
    assert "train_frequency" in [each["analysis"] for each in ents["unavailable"]]
    assert "seen" in [each["analysis"] for each in chunks["unavailable"]]
    assert ents["averages"]["micro"]["intervals"]["f1"] is None


def test_evaluate_does_the_same_whatever_the_batches(
    run: tuple[dict[str, Any], str], model: Path, held_out: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "report"
    evaluate(model, held_out, "--output", folder, "--batch-size", 7, "--n-samples", 50)
    for layer, expected in zip(read(folder)["components"], run[0]["components"], strict=True):
        for name in ("averages", "errors", "sequences") if layer["kind"] == "spans" else ("averages", "sequences"):
            assert layer[name] == expected[name]


def test_evaluate_warns_of_training_texts(model: Path, tmp_path: Path) -> None:
    output = evaluate(model, write_corpus(tmp_path / "train.spacy"), "--output", tmp_path / "report", "--n-samples", 0)
    assert "CW710" in output
    assert read(tmp_path / "report")["data"]["trained_on"] == 6


def test_evaluate_scores_components_of_others(tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "LOC", "pattern": "Lyon"}, {"label": "ORG", "pattern": "Acme"}])
    nlp.to_disk(tmp_path / "model")
    doc = nlp.make_doc("Ann left Lyon for Acme Ltd .")
    doc.set_ents([Span(doc, 0, 1, label="PER"), Span(doc, 2, 3, label="LOC"), Span(doc, 4, 6, label="ORG")])
    doc[0].tag_ = "NNP"  # the pipeline sets no tags
    DocBin(docs=[doc, Doc(nlp.vocab)]).to_disk(tmp_path / "test.spacy")
    output = evaluate(tmp_path / "model", tmp_path / "test.spacy", "--output", tmp_path / "report")
    report = read(tmp_path / "report")
    [ents] = report["components"]
    assert (ents["set_by"], ents["has_probabilities"], ents["documents"]) == (["entity_ruler"], False, 1)
    counts = {each["class"]: each["cases"] for each in ents["errors"] if each["cases"]}
    assert counts == {"correct": 1, "too_short": 1, "missed": 1}
    assert (report["data"]["trained_on"], report["train"]) == (None, None)
    assert "CW501" in output


def test_evaluate_writes_a_page(model: Path, held_out: Path, tmp_path: Path) -> None:
    out = evaluate(model, held_out, "--output", tmp_path / "report", "--n-samples", 0)
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == ["index.html", "report.json"]
    assert held_out.name in (tmp_path / "report" / "index.html").read_text(encoding="utf8")
    assert "index.html" in out


@pytest.mark.parametrize("passes", [True, False])
def test_evaluate_runs_tests_of_behaviour(model: Path, held_out: Path, tmp_path: Path, passes: bool) -> None:
    (tmp_path / "tests.yml").write_text(BEHAVIOUR.format(text="nothing" if passes else "[nothing](NOPE)"), "utf8")
    options = ("--output", tmp_path / "report", "--n-samples", 0, "--behaviour", tmp_path / "tests.yml")
    evaluate(model, held_out, *options, **({} if passes else {"fails": "not all tests of behaviour"}))
    behaved = json.loads((tmp_path / "report" / "behaviour.json").read_text(encoding="utf8"))
    assert behaved["passed"] == passes
    assert (tmp_path / "report" / "report.json").is_file()


# What cannot be done


def test_evaluate_ends_without_anything_to_score(model: Path, tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    DocBin(docs=[nlp("no annotation")]).to_disk(tmp_path / "test.spacy")
    evaluate(model, tmp_path / "test.spacy", "--output", tmp_path / "report", fails="CT711")
    assert not (tmp_path / "report").exists()


def test_evaluate_leaves_other_files_alone(model: Path, held_out: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    evaluate(model, held_out, "--output", tmp_path, fails="CT712")
    evaluate(model, held_out, "--output", tmp_path / "notes.txt", fails="CT712")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_evaluate_refuses_the_folder_it_runs_in(
    model: Path, held_out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    evaluate(model, held_out, "--output", ".", fails="CT714")
    evaluate(model, held_out, "--output", tmp_path, fails="CT714")


def test_evaluate_replaces_an_older_report(model: Path, held_out: Path, tmp_path: Path) -> None:
    for name in ("report.json", "index.html"):
        (tmp_path / "report").mkdir(exist_ok=True)
        (tmp_path / "report" / name).write_text("old", encoding="utf8")
    evaluate(model, held_out, "--output", tmp_path / "report", "--n-samples", 0)
    assert read(tmp_path / "report")["schema_version"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


@pytest.mark.parametrize(
    ("model_name", "data", "code"),
    [("nowhere", "test.txt", "CT513"), ("", "nowhere.spacy", "CT305"), ("", "bad.spacy", "CT309")],
)
def test_evaluate_ends_where_input_is_bad(model: Path, tmp_path: Path, model_name: str, data: str, code: str) -> None:
    (tmp_path / "bad.spacy").write_bytes(b"\0")
    evaluate(model_name or model, tmp_path / data, "--output", tmp_path / "report", fails=code)
    assert not (tmp_path / "report").exists()


def test_evaluate_ends_where_a_pipeline_cannot_be_made(model: Path, held_out: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(model, broken)
    config = (model / "config.cfg").read_text(encoding="utf8")
    (broken / "config.cfg").write_text(config.replace('factory = "ctx_ner"', 'factory = "nobody"'), encoding="utf8")
    evaluate(broken, held_out, "--output", tmp_path / "report", fails="CT513")


def test_evaluate_says_when_it_cannot_write(
    model: Path, held_out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(*args: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(module, "write", write)
    output = evaluate(model, held_out, "--output", tmp_path / "report", "--n-samples", 0, fails="CT713")
    assert "no space left" in output


def test_evaluate_tells_now_and_then_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    tell = module.Teller()
    for n in range(0, 12_000, 96):
        tell(n)
    assert [line.split()[-2] for line in capsys.readouterr().out.splitlines()] == ["5,088", "10,080"]


@pytest.mark.parametrize("package", module.NEEDED)
def test_evaluate_names_the_extra_that_is_missing(
    model: Path, held_out: Path, tmp_path: Path, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == package else object())
    output = evaluate(model, held_out, "--output", tmp_path / "report", fails="CT710")
    assert "spacy-ctxtag[eval]" in output


def test_evaluate_is_a_command_of_spacy(model: Path, held_out: Path, tmp_path: Path) -> None:
    args = ["ctx", "evaluate", str(model), str(held_out), "--output", str(tmp_path / "report"), "--n-samples", "0"]
    assert CliRunner().invoke(spacy_app, args).exit_code == 0


def test_labels_cannot_steer_the_terminal() -> None:
    assert printable("per-son Ö \x1b[31m\u202e") == "per-son Ö \\x1b[31m\\u202e"
