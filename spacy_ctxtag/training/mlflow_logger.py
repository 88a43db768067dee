"""A logger that writes a training to MLflow: the config as parameters, losses and scores as curves over the steps, by
label, too, and files at the end. Without a server, into a file of SQLite.

spaCy's own logger for MLflow gives its figures no step, so that they make no curves, and fails at long values of a
config; this one also goes on with the run of a training that goes on. It prints nothing.
"""

import json
import os
import re
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Dict, Iterator, List, Mapping, Optional, Tuple

from spacy.language import Language

from ..errors import Errors
from .fingerprint import hash_text
from .jsonl_logger import Logger
from .record import Record, record_of

LONGEST = 500  # characters of a parameter, in every release; the file has it all
AT_ONCE = 100  # parameters that a call may have
RUN_ID = "mlflow_run.txt"  # in the output folder: the run to go on with
FILES = ("manifest.json", "training.jsonl")  # of the output folder, that are kept with the run where they are there
NO_TELEMETRY = "MLFLOW_DISABLE_TELEMETRY"


def create_mlflow_logger_v1(
    tracking_uri: Optional[str] = None,
    experiment: str = "spacy-ctxtag",
    run_name: Optional[str] = None,
    log_model: bool = False,
) -> Logger:
    """Registered as spacy-ctxtag.MLflow.v1.

    tracking_uri (Optional[str]): A server, or "sqlite:///" and the path of a file. None: `mlflow.db` in the output
        folder of the training, or in the current folder if there is none.
    experiment (str): Name of the experiment; it is made if it is not there.
    run_name (Optional[str]): Name of the run. None: MLflow makes one up.
    log_model (bool): Also keep the best pipeline with the run.
    """

    def setup(nlp: Language, stdout: IO[str] = sys.stdout, stderr: IO[str] = sys.stderr) -> Any:
        if find_spec("mlflow") is None:
            raise ImportError(Errors.CT560)
        run: Optional[_Run] = None

        def log_step(info: Optional[Dict[str, Any]]) -> None:
            nonlocal run
            if info is None:
                return
            if run is None:  # only now is it known where the output goes
                output = Path(info["output_path"]).parent if info.get("output_path") else None
                run = _Run(tracking_uri, experiment, output)
                run.begin(nlp, run_name, goes_on=info["step"] > 0)
            run.log(record_of(info))

        def finalize() -> None:
            if run is not None:
                error = sys.exc_info()[0]
                killed = error is not None and issubclass(error, KeyboardInterrupt)
                run.end("FINISHED" if error is None else "KILLED" if killed else "FAILED", log_model)

        return log_step, finalize

    return setup


class _Run:
    """A run of MLflow.

    output (Optional[Path]): The output folder of the training.
    """

    def __init__(self, tracking_uri: Optional[str], experiment: str, output: Optional[Path]) -> None:
        os.environ.setdefault(NO_TELEMETRY, "true")
        from mlflow.tracking import MlflowClient

        self.output = output
        uri, artifacts = _places(tracking_uri, output or Path())
        self.client = MlflowClient(tracking_uri=uri)
        found = self.client.get_experiment_by_name(experiment)
        location = {} if artifacts is None else {"artifact_location": artifacts}
        self.experiment = found.experiment_id if found else self.client.create_experiment(experiment, **location)
        self.id = ""

    def begin(self, nlp: Language, name: Optional[str], *, goes_on: bool) -> None:
        """Make a run with the config of a pipeline, or take up that of a training that goes on."""
        from mlflow.entities import Param

        known = self.output / RUN_ID if self.output is not None else None
        if goes_on and known is not None and known.is_file():
            self.id = known.read_text(encoding="utf8").strip()
            self.client.update_run(self.id, status="RUNNING")
            return
        self.id = self.client.create_run(self.experiment, run_name=name).info.run_id
        if known is not None:
            known.write_text(self.id + "\n", encoding="utf8")
        config = nlp.config.interpolate()
        params = [Param(key, value) for key, value in dict(flatten_config(config)).items()]
        for low in range(0, len(params), AT_ONCE):
            self.client.log_batch(self.id, params=params[low : low + AT_ONCE])
        self.client.log_text(self.id, nlp.config.to_str(), "config.cfg")

    def log(self, record: Record) -> None:
        """Log the figures of an evaluation."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(key, value, now, record["step"]) for key, value in metrics_of(record)]
        for low in range(0, len(metrics), AT_ONCE):
            self.client.log_batch(self.id, metrics=metrics[low : low + AT_ONCE])

    def end(self, status: str, log_model: bool) -> None:
        """Keep the files of the output folder with the run, and end it."""
        output = self.output if self.output is not None else Path()
        for name in FILES if self.output is not None else ():
            if (output / name).is_file():
                self.client.log_artifact(self.id, str(output / name))
        if log_model and self.output is not None and (output / "model-best").is_dir():
            self.client.log_artifacts(self.id, str(output / "model-best"), "model-best")
        self.client.set_terminated(self.id, status)


def _places(tracking_uri: Optional[str], folder: Path) -> Tuple[str, Optional[str]]:
    """RETURNS (Tuple): Where figures go, and where files go; None for the latter where a server decides."""
    uri = tracking_uri if tracking_uri is not None else f"sqlite:///{(folder / 'mlflow.db').resolve().as_posix()}"
    if not uri.startswith("sqlite:///"):
        return uri, None
    return uri, (Path(uri.removeprefix("sqlite:///")).resolve().parent / "mlartifacts").as_uri()


def flatten_config(config: Mapping[str, Any]) -> Iterator[Tuple[str, str]]:
    """YIELDS (Tuple[str, str]): Names and values of parameters, such as "training.optimizer.learn_rate"."""
    for path, value in _leaves(config):
        text = value if isinstance(value, str) else json.dumps(value, default=str)
        yield ".".join(_allowed(part.replace("@", "")) for part in path), text[:LONGEST]


def metrics_of(record: Record) -> Iterator[Tuple[str, float]]:
    """YIELDS (Tuple[str, float]): All figures of a record by names such as "loss/ctx_ner" and
    "ents_per_type/PERSON/f". A label that has characters which MLflow does not take gets a part of its hash, so
    that its name is no other's."""
    about = {key: record[key] for key in ("score", "epoch", "words", "seconds")}
    for path, value in _leaves({**about, "loss": record["losses"], **record["scores"]}):
        if isinstance(value, (int, float)):
            name = "/".join(_allowed(part) for part in path)
            yield (name if name == "/".join(path) else f"{name} {hash_text(str(path))[:6]}"), float(value)


def _leaves(values: Mapping[str, Any], path: Tuple[str, ...] = ()) -> Iterator[Tuple[List[str], Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*path, str(key)))
        else:
            yield [*path, str(key)], value


def _allowed(name: str) -> str:
    """Without the characters that MLflow does not take, and without those that divide a name."""
    return re.sub(r"[^\w\- ]", "_", name) or "_"
