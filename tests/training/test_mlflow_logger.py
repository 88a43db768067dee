"""The logger for MLflow in spaCy's own training loop, on SQLite."""

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from spacy.language import Language
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as spacy_train
from thinc.api import Config

from spacy_ctxtag.training.mlflow_logger import create_mlflow_logger_v1, flatten_config, metrics_of
from spacy_ctxtag.training.stop import Stop
from spacy_ctxtag.training.train import train

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what MLflow is made of


def test_mlflow_parameters_are_the_flat_config() -> None:
    config = {"a": {"@misc": "x.v1", "b": {"c": 0.5, "d": None}}, "e": {}, "f": ["g"], "h.i": "y" * 999}
    assert dict(flatten_config(config)) == {
        "a.misc": "x.v1",
        "a.b.c": "0.5",
        "a.b.d": "null",
        "e": "{}",
        "f": '["g"]',
        "h_i": "y" * 500,
    }


def test_mlflow_metrics_are_losses_and_scores_by_label() -> None:
    scores = {"ents_f": 0.5, "tag_acc": None, "ents_per_type": {"a/b &c": {"f": 0.25}, "Örtlich-keit": {"f": 1}}}
    record = {"score": 0.5, "epoch": 1, "words": 3, "seconds": 2, "step": 7, "losses": {"ctx_ner": 2.0}}
    found = {re.sub(" [0-9a-f]{6}$", " #", name): value for name, value in metrics_of({**record, "scores": scores})}
    assert found == {
        "score": 0.5,
        "epoch": 1.0,
        "words": 3.0,
        "seconds": 2.0,
        "loss/ctx_ner": 2.0,
        "ents_f": 0.5,
        "ents_per_type/a_b _c/f #": 0.25,
        "ents_per_type/Örtlich-keit/f": 1.0,
    }


def test_mlflow_metrics_of_labels_with_one_name_are_told_apart() -> None:
    labels = ("I/O", "I_O", "I.O")
    record = {"score": 0.5, "epoch": 1, "words": 3, "seconds": 2, "step": 7, "losses": {}}

    def names(*labels: str) -> list[str]:
        scores = {"ents_per_type": {label: {"f": 0.1} for label in labels}}
        return [name for name, _ in metrics_of({**record, "scores": scores}) if "per_type" in name]

    found = names(*labels)
    assert len(set(found)) == 3
    assert found[1] == "ents_per_type/I_O/f"  # the label that is called so
    assert [names(label) for label in labels] == [[name] for name in found]  # whichever labels there are beside it


def test_mlflow_logger_without_mlflow_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "mlflow"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    setup = create_mlflow_logger_v1()
    with pytest.raises(ImportError, match=r"CT560.*spacy-ctxtag\[mlflow\]"):
        setup(Language())


@pytest.fixture(scope="module")
def tracked(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RETURNS (Path): The output folder of a training that was tracked."""
    output = tmp_path_factory.mktemp("tracked") / "an output"
    output.mkdir()
    (output / "manifest.json").write_text("{}", encoding="utf8")
    logger = {"@loggers": "spacy-ctxtag.MLflow.v1", "run_name": "tiny", "log_model": True}
    config = config.copy()
    config["training"].update({"max_steps": 4, "eval_frequency": 2})
    config["training"]["logger"] = {"@loggers": "spacy.ChainLogger.v1", "logger1": logger}
    spacy_train(init_nlp(config), output, stdout=io.StringIO(), stderr=io.StringIO())
    return output


def client(output: Path) -> Any:
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{(output / 'mlflow.db').as_posix()}")


def runs(output: Path) -> list[Any]:
    experiment = client(output).get_experiment_by_name("spacy-ctxtag")
    return list(client(output).search_runs([experiment.experiment_id]))


def test_mlflow_run_has_parameters_and_is_finished(tracked: Path) -> None:
    (found,) = runs(tracked)
    assert (found.info.run_name, found.info.status) == ("tiny", "FINISHED")
    assert found.data.params["training.max_steps"] == "4"
    assert found.data.params["components.ctx_ner.model.architectures"] == "spacy-ctxtag.NER.v1"


def test_mlflow_run_has_curves_by_label(tracked: Path) -> None:
    (found,) = runs(tracked)
    for name in ("score", "ents_f", "loss/ctx_ner", "ents_per_type/per-son/f", "ents_per_type/Örtlichkeit/f"):
        history = client(tracked).get_metric_history(found.info.run_id, name)
        assert [each.step for each in history] == [0, 2, 4], name
    meta = json.loads((tracked / "model-last" / "meta.json").read_text(encoding="utf8"))
    assert found.data.metrics["ents_f"] == pytest.approx(meta["performance"]["ents_f"])


def test_mlflow_run_keeps_files_in_the_output_folder(tracked: Path) -> None:
    (found,) = runs(tracked)
    kept = {each.path for each in client(tracked).list_artifacts(found.info.run_id)}
    assert kept == {"config.cfg", "manifest.json", "model-best"}
    (manifest,) = (tracked / "mlartifacts").rglob("manifest.json")
    assert manifest.read_text(encoding="utf8") == "{}"
    assert sorted(path.name for path in tracked.iterdir()) == [
        "manifest.json",
        "mlartifacts",
        "mlflow.db",
        "mlflow_run.txt",
        "model-best",
        "model-last",
    ]


def info(step: int, output: Path) -> dict[str, Any]:
    return {
        "step": step,
        "epoch": 0,
        "score": 0.5,
        "losses": {},
        "other_scores": {},
        "seconds": 1,
        "words": 1,
        "output_path": str(output / "model-last"),
    }


def test_mlflow_training_that_goes_on_has_one_run(tracked: Path) -> None:
    (before,) = runs(tracked)
    setup = create_mlflow_logger_v1()
    log_step, finalize = setup(Language())
    log_step(None)
    log_step(info(6, tracked))
    assert client(tracked).get_run(before.info.run_id).info.status == "RUNNING"
    finalize()
    (after,) = runs(tracked)
    assert (after.info.run_id, after.info.status) == (before.info.run_id, "FINISHED")
    history = client(tracked).get_metric_history(after.info.run_id, "score")
    assert [each.step for each in history] == [0, 2, 4, 6]


def test_mlflow_training_that_fails_is_marked(tracked: Path) -> None:
    log_step, finalize = create_mlflow_logger_v1(experiment="another")(Language())

    def fail() -> None:
        try:
            log_step(info(0, tracked))
            raise ZeroDivisionError
        finally:
            finalize()

    with pytest.raises(ZeroDivisionError):
        fail()
    experiment = client(tracked).get_experiment_by_name("another")
    (found,) = client(tracked).search_runs([experiment.experiment_id])
    assert found.info.status == "FAILED"


def test_mlflow_database_of_several_trainings(tracked: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{(tracked / 'mlflow.db').as_posix()}"
    log_step, finalize = create_mlflow_logger_v1(tracking_uri=uri, experiment="shared")(Language())
    log_step({**info(0, tracked), "output_path": None})
    finalize()
    experiment = client(tracked).get_experiment_by_name("shared")
    assert experiment.artifact_location == (tracked / "mlartifacts").as_uri()
    assert list(tmp_path.iterdir()) == []


def test_mlflow_run_that_was_stopped_is_killed_until_it_goes_on(config: Config, tmp_path: Path) -> None:
    config, output, stop = config.copy(), tmp_path / "out", Stop()
    config["training"].update({"max_steps": 3, "eval_frequency": 2})
    config["training"]["logger"] = {"@loggers": "spacy-ctxtag.MLflow.v1"}
    stop.requested = True  # ends after the first step
    found = []
    for options in ({"stop": stop}, {"resume": True}):
        outcome = train(config, output, stdout=io.StringIO(), stderr=io.StringIO(), **options)
        (run,) = runs(output)
        (kept,) = (output / "mlartifacts").rglob("manifest.json")
        found.append((outcome.status, run.info.status, json.loads(kept.read_text(encoding="utf8"))["status"]))
    assert found == [("stopped", "KILLED", "stopped"), ("finished", "FINISHED", "finished")]
