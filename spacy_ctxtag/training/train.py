"""A whole run: manifest, pipeline, loop, and going on after it was stopped or killed."""

import contextlib
import json
import sys
from pathlib import Path
from typing import IO, Any, Dict, Iterator, List, NamedTuple, Optional

from spacy.training import loop
from spacy.training.initialize import init_nlp
from thinc.api import Config

from ..data.config_settings import unknown_settings
from ..errors import Errors
from ..exceptions import Stopped, TrainingError
from ..warnings import Warnings
from .checkpoint import FOLDER, read_checkpoint, remove_checkpoint
from .folders import remove_folder, write_json
from .lock import locked
from .loop import Run, msg
from .manifest import FILE, differences, make_manifest, now, other_machine
from .random_state import deterministic as deterministic_torch
from .record import FILE as RECORD
from .stop import Stop

SHOWN = 10  # differences


class Outcome(NamedTuple):
    """status: "finished", "stopped" (it can be resumed), or "already finished" (nothing was done). steps: Taken so far.
    signal: What stopped it."""

    status: str
    steps: int
    signal: int = 0


def set_seed(config: Config, seed: int) -> None:
    """Set the one seed of a config, before its variables are filled in."""
    config["training"]["seed"] = seed
    if "seed" in config.get("system", {}):
        config["system"]["seed"] = seed


def train(
    config: Config,
    output: Path,
    *,
    resume: bool = False,
    deterministic: bool = False,
    use_gpu: int = -1,
    code: Optional[Path] = None,
    checkpoint_every: int = 0,
    command: Optional[List[str]] = None,
    stop: Optional[Stop] = None,
    stdout: IO[str] = sys.stdout,
    stderr: IO[str] = sys.stderr,
) -> Outcome:
    """Train as `spacy train` does, into a folder with `model-best` and `model-last`, and with what it takes to go on.

    config (Config): Not interpolated. output (Path): The folder. resume (bool): Go on where the run in it was left; if
    there is no checkpoint yet, start. deterministic (bool): Refuse what may give other bits each time. code
    (Optional[Path]): A file with registered functions, already imported. checkpoint_every (int): Steps; 0: write one
    with every evaluation only. command (Optional[List[str]]): For the manifest. stop (Optional[Stop]): Tells it to.
    RETURNS (Outcome): How it ended.
    RAISES (TrainingError): CT600 to CT605; CT607 while another process trains there.
    """
    with locked(output):
        stop = stop or Stop()
        for name, hint in unknown_settings(config):
            stdout.write(f"{msg.warn(Warnings.CW604.format(name=name, hint=hint))}\n")
        manifest = make_manifest(config, output, command=command or sys.argv, code=code, deterministic=deterministic)
        before = _read_manifest(output) if resume else None
        is_finished = before is not None and before["status"] == "finished"
        checkpoint = read_checkpoint(output) if resume and not is_finished else None
        if checkpoint is None and not is_finished:
            before = None  # it ended before there was anything to go on with
        if before is not None:
            told = differences(before, manifest)
            if told:
                more = f", and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
                raise TrainingError(Errors.CT601.format(path=output, differences="; ".join(told[:SHOWN]) + more))
            told = other_machine(before, manifest)
            if told:
                stdout.write(f"{msg.warn(Warnings.CW602.format(differences='; '.join(told)))}\n")
            if is_finished:
                return Outcome("already finished", before["steps"])
            manifest = before
        if checkpoint is not None and before is None:
            raise TrainingError(Errors.CT602.format(path=output / FOLDER, reason=f"no {FILE} beside it"))
        if checkpoint is not None:
            manifest["resumed"].append({"at": now(), "steps": checkpoint.info["steps"]})
        exact = deterministic_torch(manifest["machine"]["threads"]) if deterministic else contextlib.nullcontext()
        with exact, stop.listening():
            nlp = init_nlp(config, use_gpu=use_gpu)
            run = Run(nlp, use_gpu=use_gpu, stdout=stdout, stderr=stderr)
            if checkpoint is None:
                _clear(output)  # not before: what an earlier run has left may be what this one begins with
            with contextlib.suppress(Stopped), contextlib.ExitStack() as last, _told(output, manifest, run):
                log_step = last.enter_context(run.logging())  # it ends after the manifest, which it may keep
                run.train(output, stop, log_step, checkpoint=checkpoint, checkpoint_every=checkpoint_every)
        if manifest["status"] == "finished":
            remove_checkpoint(output)
        return Outcome(manifest["status"], run.steps, stop.signal)


@contextlib.contextmanager
def _told(output: Path, manifest: Dict[str, Any], run: Run) -> Iterator[None]:
    """Keep the manifest up to date: its status is "running", and at the end "finished", "stopped" or "failed"."""

    def end(status: str, **more: Any) -> None:
        manifest.update(status=status, end=now(), **more)
        write_json(output / FILE, manifest)

    def so_far() -> Dict[str, Any]:
        score, at = max(((score, -step) for score, step in run.results), default=(0.0, 0))
        return {"steps": run.steps, "best": {"score": score, "step": -at}}

    manifest.update(status="running", end=None)
    manifest.pop("error", None)  # of the attempt before
    write_json(output / FILE, manifest)
    try:
        yield
    except Stopped:
        end("stopped", **so_far())
        raise
    except BaseException as error:
        end("failed", error=f"{type(error).__name__}: {error}")
        raise
    end("finished", **so_far())


def _read_manifest(output: Path) -> Optional[Dict[str, Any]]:
    path = output / FILE
    if not path.is_file():
        return None
    manifest: Dict[str, Any] = json.loads(path.read_text(encoding="utf8"))
    return manifest


def _clear(output: Path) -> None:
    """Remove what an earlier run has left."""
    remove_checkpoint(output)
    for name in (loop.DIR_MODEL_BEST, loop.DIR_MODEL_LAST):
        remove_folder(output / name)
    (output / RECORD).unlink(missing_ok=True)
