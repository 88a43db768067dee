"""`ablate`: real trainings of a tiny pipeline, a process each."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy
from pipelines import encoder, head, write_corpus
from spacy.util import load_config, registry
from thinc.api import Config
from typer.testing import CliRunner

from spacy_ctxtag.cli import app
from spacy_ctxtag.cli.ablate_child import train_best
from spacy_ctxtag.evaluation.ablation import make_runs, read_grid
from spacy_ctxtag.training.lock import locked

CONFIGS = Path(__file__).parents[2] / "configs"
GRID = "variants:\n  no-characters:\n    components.ctx_ner.model.tok2vec.characters: null\n"


@pytest.fixture
def folder(tiny_backbone: str, tmp_path: Path) -> Path:
    config = load_config(CONFIGS / "ner.cfg")
    config["components"] = Config({"ctx_ner": {"factory": "ctx_ner", **head("ctx_ner", encoder(tiny_backbone))}})
    config["training"].update(max_steps=12, eval_frequency=6)
    config.to_disk(tmp_path / "ner.cfg")
    write_corpus(tmp_path / "corpus.spacy")
    (tmp_path / "grid.yml").write_text(GRID, encoding="utf8")
    return tmp_path


def ablate(folder: Path, *options: str, code: int = 0) -> str:
    """Run the command. RETURNS (str): What it printed."""
    corpus = str(folder / "corpus.spacy")
    paths = ["--paths.train", corpus, "--paths.dev", corpus]
    arguments = ["ablate", str(folder / "ner.cfg"), str(folder / "grid.yml"), "--data", corpus]
    result = CliRunner().invoke(app, [*arguments, "--output", str(folder / "out"), *paths, *options])
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.backbone
def test_ablate_trains_scores_and_goes_on(folder: Path) -> None:
    said = ablate(folder, "--seeds", "1")
    assert "2 runs, 2 to do" in said
    record = json.loads((folder / "out" / "ablation.json").read_text(encoding="utf8"))
    assert set(record["scores"]) == {"ents_f"}
    rows = record["scores"]["ents_f"]
    assert set(rows) == {"base", "no-characters"}
    assert rows["base"]["mean"] > 0
    assert rows["no-characters"]["over_base"]["difference"] == pytest.approx(
        rows["no-characters"]["mean"] - rows["base"]["mean"]
    )
    assert not (folder / "out" / "base-0" / "models").exists()

    said = ablate(folder, "--seeds", "2", "--jobs", "2", "--keep-models")
    assert "4 runs, 2 to do" in said
    assert (folder / "out" / "base-1" / "models" / "model-best" / "meta.json").is_file()
    again = json.loads((folder / "out" / "ablation.json").read_text(encoding="utf8"))
    assert again["scores"]["ents_f"]["base"]["scores"][0] == rows["base"]["scores"][0]


@pytest.mark.backbone
@pytest.mark.parametrize("is_same", [True, False])
def test_run_that_was_cut_off_goes_on_if_it_is_the_same(is_same: bool, folder: Path, tmp_path: Path) -> None:
    corpus = str(folder / "corpus.spacy")
    config = load_config(folder / "ner.cfg", overrides={"paths.train": corpus, "paths.dev": corpus})
    config["training"]["before_update"] = {"@callbacks": "ctxtag_tests.count_steps.v1"}
    (tmp_path / "run").mkdir()
    config.to_disk(tmp_path / "run" / "config.cfg")
    steps: list[int] = []

    @registry.callbacks("ctxtag_tests.count_steps.v1")
    def count_steps() -> Callable[[Any, dict[str, Any]], None]:
        def count(nlp: Any, info: dict[str, Any]) -> None:
            steps.append(info["step"])
            if len(steps) == 8:
                raise KeyboardInterrupt

        return count

    task = {"folder": str(tmp_path / "run"), "gpu_id": -1, "code": None, "key": "one", "keep": True}
    with pytest.raises(KeyboardInterrupt):
        train_best(task)
    train_best({**task, "key": "one" if is_same else "another"})
    assert steps == [*range(8), *range(7 if is_same else 0, 13)]


@pytest.mark.backbone
def test_ablate_tells_which_run_failed_and_why(folder: Path) -> None:
    said = ablate(folder, "--seeds", "1", "--corpora.train.path", str(folder / "nothing.spacy"), code=1)
    assert "CT704" in said
    assert "nothing.spacy" in said
    assert "log.txt" in said


@pytest.mark.backbone
def test_ablate_leaves_a_run_alone_that_another_process_does(folder: Path) -> None:
    """As after `ctx ablate` was killed: its trainings go on. Here one of another grid, or release."""
    run = folder / "out" / "base-0"
    (run / "models").mkdir(parents=True)
    (run / "models.key").write_text("another", encoding="utf8")
    with locked(run):
        said = ablate(folder, "--seeds", "1", code=1)
    assert "1 of 2" in said
    assert "CT607" in said
    assert (run / "models").is_dir()
    assert "2 runs, 1 to do" in ablate(folder, "--seeds", "1")


def test_ablate_refuses_a_wrong_grid_before_any_training(folder: Path) -> None:
    (folder / "grid.yml").write_text("variants:\n  one:\n    nothing.such: 1\n", encoding="utf8")
    assert "CT702" in ablate(folder, code=1)
    assert not (folder / "out").exists()


def test_shipped_grid_takes_away_one_part_each() -> None:
    variants = read_grid(CONFIGS / "ablation.yml")
    assert [variant.name for variant in variants][:2] == ["base", "no-transitions"]
    base = variants[0].changes
    for variant in variants[1:]:
        differing = [key for key, value in variant.changes.items() if base.get(key, ...) != value]
        assert len(differing) == 1


@pytest.mark.backbone
def test_shipped_grid_fits_the_shipped_config(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus.spacy")
    paths = {"paths.train": str(tmp_path / "corpus.spacy"), "paths.dev": str(tmp_path / "corpus.spacy")}
    variants = read_grid(CONFIGS / "ablation.yml")
    runs = make_runs(CONFIGS / "ner.cfg", paths, variants, [0], tmp_path / "corpus.spacy", tmp_path / "out")
    for run in runs:
        config = load_config(run.config, interpolate=True)
        corpora = registry.resolve(config["corpora"], schema=None, validate=False)
        n_docs = len(list(corpora["train"](spacy.blank("en"))))
        assert n_docs == (6 if run.variant == "no-augmentation" else 12), run.variant
