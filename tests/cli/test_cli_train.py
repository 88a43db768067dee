"""`ctx train`: options reach the run, errors are told in one line; what runs do is tested in tests/training."""

import json
from pathlib import Path
from typing import Any

import pytest
from pipelines import make_pipeline, write_corpus
from thinc.api import Config
from typer.testing import CliRunner

from spacy_ctxtag.cli import app
from spacy_ctxtag.training import train as module
from spacy_ctxtag.training.train import Outcome


@pytest.fixture(scope="module")
def config_path(tiny_backbone: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train")
    config = make_pipeline(["ctx_ner"], tiny_backbone).config.copy()
    corpus = str(write_corpus(folder / "corpus.spacy"))
    config["paths"].update(train=corpus, dev=corpus)
    config["training"].update(max_steps=2, eval_frequency=1)
    config.to_disk(folder / "config.cfg")
    return folder / "config.cfg"


def train(*args: Any, exits: int = 0) -> str:
    """RETURNS (str): What the command printed."""
    result = CliRunner().invoke(app, ["train", *map(str, args)])
    assert result.exit_code == exits, result.output
    return result.output


def test_train_trains(config_path: Path, tmp_path: Path) -> None:
    output = train(config_path, "--output", tmp_path / "run", "--seed", 3, "--training.dropout", 0.25)
    assert "LOSS CTX_NER" in output
    assert "finished after 3 steps" in output
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf8"))
    assert manifest["seed"] == manifest["config"]["training"]["seed"] == manifest["config"]["system"]["seed"] == 3
    assert manifest["config"]["training"]["dropout"] == 0.25
    assert "already finished" in train(
        config_path, "-o", tmp_path / "run", "--seed", 3, "--training.dropout", 0.25, "--resume"
    )


def test_train_refuses_to_resume_another_run(config_path: Path, tmp_path: Path) -> None:
    train(config_path, "--output", tmp_path)
    output = train(config_path, "--output", tmp_path, "--resume", "--seed", 3, exits=1)
    assert "CT601" in output
    assert "training.seed: 0 → 3" in output


@pytest.mark.parametrize("resume", [False, True])
def test_train_that_was_stopped_says_how_to_go_on(
    resume: bool, config_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "train", lambda *args, **options: Outcome("stopped", 7, 2))
    output = train(config_path, "--output", tmp_path, *(["--resume"] if resume else []), exits=130)
    assert "Stopped after 7 steps. To go on: python -m spacy" in output
    assert output.strip().endswith("--resume") is not resume


def test_train_passes_every_option_on(config_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(
        module, "train", lambda config, output, **options: asked.update(options) or Outcome("finished", 1)
    )
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    (tmp_path / "code.py").write_text("LOADED = True\n", encoding="utf8")
    options = ["--resume", "--deterministic", "--checkpoint-every", 5, "--code", tmp_path / "code.py"]
    train(config_path, "--output", tmp_path, *options)
    for key in ("stdout", "stderr", "command"):
        asked.pop(key)
    assert asked == {
        "resume": True,
        "deterministic": True,
        "checkpoint_every": 5,
        "code": tmp_path / "code.py",
        "use_gpu": -1,
    }


def test_train_refuses_an_unknown_option(config_path: Path, tmp_path: Path) -> None:
    train(config_path, "--output", tmp_path, "--dance", exits=2)


def test_train_lists_what_is_wrong_in_the_data(config_path: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.tsv").write_text("Porto\tB-LOC\n\nLyon\tX-LOC\n", encoding="utf8")
    reader = {"@readers": "spacy-ctxtag.Corpus.v1", "path": str(tmp_path / "bad.tsv")}
    config = Config().from_disk(config_path, interpolate=False)
    config["corpora"]["train"] = reader
    config.to_disk(tmp_path / "config.cfg")
    output = train(tmp_path / "config.cfg", "--output", tmp_path / "run", exits=1)
    assert f"{tmp_path / 'bad.tsv'}:3: " in output
    assert "1 error" in output
