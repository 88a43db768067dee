"""Run by `ablate`, a process for each run: trains a config, scores what was best on dev, and writes the result.

Usage: python -m spacy_ctxtag.cli.ablate_child TASK.json
"""

import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, Tuple

import srsly

if TYPE_CHECKING:
    from spacy.language import Language


def run_task(do: Callable[[Dict[str, Any]], None], path: Path) -> None:
    """Do a task while no other process is at work in its folder.

    path (Path): A JSON file, of what `do` takes.
    RAISES (SystemExit): With the message, where the training cannot begin, as with CT607 where another is at work.
    """
    from ..exceptions import TrainingError
    from ..training.lock import locked

    task = srsly.read_json(path)
    try:
        with locked(Path(task["folder"])):
            do(task)
    except TrainingError as error:
        raise SystemExit(str(error)) from error


def main(task: Dict[str, Any]) -> None:
    """Train and score.

    task (Dict[str, Any]): As for `train_best`; "data", what to score on.
    """
    from ..evaluation.counts import count_examples, f_score
    from ..training.folders import write_json
    from .calibrate import read_examples

    nlp, seconds = train_best(task)
    examples = read_examples(Path(task["data"]), nlp)
    for eg, doc in zip(examples, nlp.pipe(eg.predicted for eg in examples), strict=True):
        eg.predicted = doc
    learned = nlp.config["training"]["score_weights"]
    counts = {name: each for name, each in count_examples(examples).items() if learned.get(name) is not None}
    result = {
        "key": task["key"],
        "seconds": seconds,
        "scores": {name: float(f_score(each.sum(axis=0))) for name, each in counts.items()},
        "counts": {name: each.tolist() for name, each in counts.items()},
    }
    write_json(Path(task["folder"]) / "result.json", result)
    remove_models(task)


def train_best(task: Dict[str, Any]) -> Tuple["Language", float]:
    """Train a config, or go on with that.

    task (Dict[str, Any]): "folder", with config.cfg in it; "gpu_id"; "code" or None; "key", of all that the result
        depends on; "keep", whether the pipeline stays in the folder.
    RETURNS (Tuple[Language, float]): The pipeline that was best on dev, and the seconds that it took.
    """
    from spacy.cli._util import import_code, setup_gpu
    from spacy.util import load_config, load_model

    from ..training.train import train

    import_code(task["code"])
    setup_gpu(task["gpu_id"], silent=task["gpu_id"] < 0)
    folder = Path(task["folder"])
    models, of = folder / "models", folder / "models.key"
    if models.exists() and not (of.is_file() and of.read_text(encoding="utf8") == task["key"]):
        shutil.rmtree(models)  # of another config, or of other data
    of.write_text(task["key"], encoding="utf8")
    start = time.perf_counter()
    code = None if task["code"] is None else Path(task["code"])
    outcome = train(load_config(folder / "config.cfg"), models, resume=True, use_gpu=task["gpu_id"], code=code)
    if outcome.status == "stopped":
        raise SystemExit(128 + outcome.signal)
    best = models / "model-best"
    nlp = load_model(best if best.is_dir() else models / "model-last")
    return nlp, round(time.perf_counter() - start, 1)


def remove_models(task: Dict[str, Any]) -> None:
    """Remove the pipelines of a run that is done, unless they are to be kept."""
    if not task["keep"]:
        shutil.rmtree(Path(task["folder"]) / "models")


if __name__ == "__main__":
    run_task(main, Path(sys.argv[1]))
