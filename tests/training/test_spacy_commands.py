"""spaCy's commands on a pipeline of ours, from the config to the package."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import spacy
import srsly
from pipelines import ENTITY_LABELS, HEADS, write_corpus
from spacy.cli.apply import apply
from spacy.cli.assemble import assemble_cli
from spacy.cli.benchmark_speed import benchmark_speed_cli
from spacy.cli.debug_config import debug_config
from spacy.cli.debug_data import debug_data
from spacy.cli.evaluate import evaluate
from spacy.cli.find_threshold import find_threshold
from spacy.cli.init_config import fill_config
from spacy.cli.package import package
from spacy.tokens import DocBin
from thinc.api import Config

from spacy_ctxtag import __version__


@pytest.fixture(scope="module")
def config_path(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "config.cfg"
    config.to_disk(path)
    return path


@pytest.fixture(scope="module")
def model(config_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `python -m spacy train` leaves behind, the labels first read by `init labels`."""
    folder = tmp_path_factory.mktemp("training")
    spacy_command("init", "labels", str(config_path), str(folder / "labels"))
    config = Config().from_disk(config_path)
    for kind in HEADS:
        labels = {"@readers": "spacy.read_labels.v1", "path": str(folder / "labels" / f"{kind}.json")}
        config["initialize"]["components"][kind] = {"labels": labels}
    config.to_disk(folder / "config.cfg")
    out = spacy_command("train", str(folder / "config.cfg"), "--output", str(folder))
    assert "LOSS CTX_NER" in out
    return folder / "model-best"


def spacy_command(*arguments: str) -> str:
    """Run `python -m spacy …`. RETURNS (str): What it printed."""
    command = [sys.executable, "-W", "error::UserWarning:spacy", "-m", "spacy", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_init_labels_writes_what_initialize_takes(model: Path) -> None:
    labels = model.parent / "labels"
    assert srsly.read_json(labels / "ctx_ner.json") == sorted(ENTITY_LABELS)
    assert srsly.read_json(labels / "ctx_tagger.json") == list(spacy.load(model).get_pipe("ctx_tagger").labels)


def test_train_writes_requirements_and_scores(model: Path) -> None:
    meta = json.loads((model / "meta.json").read_text(encoding="utf8"))
    assert f"spacy-ctxtag>={__version__}" in meta["requirements"]
    assert {"ents_f", "ents_macro_f", "ents_seq_acc", "tag_acc", "tag_seq_acc"} <= set(meta["performance"])
    assert meta["labels"]["ctx_ner"] == sorted(ENTITY_LABELS)


def test_evaluate_has_all_scores(model: Path, corpus: Path, tmp_path: Path) -> None:
    evaluate(str(model), corpus, output=tmp_path / "scores.json")
    scores = json.loads((tmp_path / "scores.json").read_text(encoding="utf8"))
    for name in ("ents_f", "ents_macro_f", "ents_seq_acc", "tag_acc", "tag_seq_acc"):
        assert 0.3 < scores[name] <= 1.0, name
    assert set(scores["ents_per_type"]) == set(ENTITY_LABELS)


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # files that spaCy leaves open
def test_package_requires_the_plugin_without_upper_bound(model: Path, tmp_path: Path) -> None:
    package(model, tmp_path, name="tiny", version="1.2.3", create_sdist=False, create_wheel=False, silent=True)
    (folder,) = tmp_path.iterdir()
    meta = json.loads((folder / "meta.json").read_text(encoding="utf8"))
    ours = [line for line in meta["requirements"] if line.startswith("spacy-ctxtag")]
    assert ours == [f"spacy-ctxtag>={__version__}"]
    assert spacy.load(folder / "en_tiny" / "en_tiny-1.2.3")("Ada wrote.").ents


def test_assemble_builds_the_pipeline_of_trained_components(model: Path, tmp_path: Path) -> None:
    config = Config().from_disk(model / "config.cfg")
    for name in config["nlp"]["pipeline"]:
        config["components"][name] = {"source": str(model)}
    config["initialize"]["components"] = {}
    config.to_disk(tmp_path / "assemble.cfg")
    assemble_cli(Context(), tmp_path / "assemble.cfg", tmp_path / "out", None, False)
    text = "Ada wrote to Charles in London ."
    expected = spacy.load(model)(text)
    assert spacy.load(tmp_path / "out")(text).to_json() == expected.to_json()


class Context:
    """What a command asks of typer's context: no further arguments."""

    args: tuple[str, ...] = ()


def test_debug_config_finds_nothing_to_say(config_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    debug_config(config_path, show_funcs=True, show_vars=True)
    assert "spacy-ctxtag.NER.v1" in capsys.readouterr().out


def test_debug_data_does_not_fail(config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overrides = {"paths.train": str(write_corpus(tmp_path / "train.spacy", 20))}  # it refuses less than 100 documents
    debug_data(config_path, config_overrides=overrides, silent=False, verbose=True)
    assert "Corpus is loadable" in capsys.readouterr().out


def test_fill_config_fills_in_our_defaults(config_path: Path, tmp_path: Path) -> None:
    partial = Config().from_disk(config_path)
    for key in ("scheme", "threshold", "respect_entities"):
        partial["components"]["ctx_ner"].pop(key)
    partial["components"]["ctx_ner"]["model"].pop("transition_gain")
    partial.to_disk(tmp_path / "partial.cfg")
    _, filled = fill_config(tmp_path / "filled.cfg", tmp_path / "partial.cfg", silent=True)
    assert filled["components"]["ctx_ner"]["scheme"] == "BILUO"
    assert filled["components"]["ctx_ner"]["model"]["transition_gain"] == 10.0
    assert Config().from_disk(tmp_path / "filled.cfg")["components"] == filled["components"]


def test_find_threshold_tries_thresholds(model: Path, corpus: Path) -> None:
    best, score, trials = find_threshold(str(model), corpus, "ctx_ner", "threshold", "ents_f", n_trials=3)
    assert set(trials) == {0.0, 0.5, 1.0}
    assert score == trials[best] == max(trials.values())
    assert trials[1.0] == 0.0 < trials[0.0]


def test_benchmark_speed_runs(model: Path, corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings: dict[str, Any] = {"batch_size": 4, "no_shuffle": False, "use_gpu": -1, "n_batches": 1, "warmup_epochs": 1}
    settings["code_path"] = None
    benchmark_speed_cli(Context(), str(model), corpus, **settings)
    assert "Mean:" in capsys.readouterr().out


def test_apply_keeps_probabilities(model: Path, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("Ada wrote to Charles in London .\n", encoding="utf8")
    apply(tmp_path / "texts.txt", tmp_path / "out.spacy", str(model), "text", 1, 1)
    nlp = spacy.load(model)
    (doc,) = DocBin().from_disk(tmp_path / "out.spacy").get_docs(nlp.vocab)
    assert doc.ents
    assert all(ent._.ctx_score > 0 for ent in doc.ents)
