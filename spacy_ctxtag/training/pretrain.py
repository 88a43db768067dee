"""Domain-adaptive pretraining, from files of raw text to the folder of a backbone.

A run can be killed at any time: the next one goes on from the last checkpoint.
"""

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any, Callable, Dict, Optional, Sequence

from .. import __version__
from ..data.config_files import hash_path
from ..errors import Errors
from ..layers.backbone import Backbone
from ..layers.hf_mlm import load_masked_lm, save_masked_lm
from .lock import locked
from .pretrain_files import Plan, RunFiles
from .pretrain_loop import Pretraining
from .pretrain_settings import Settings
from .pretrain_texts import raw_files, survey

PARTS = (".json", ".txt", ".model", ".safetensors", ".bin")  # of a backbone


def pretrain(
    inputs: Sequence[Path],
    output: Path,
    backbone: Backbone,
    settings: Settings,
    *,
    dev: Optional[Path] = None,
    resume: bool = False,
    force: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Dict[str, Any]:
    """Let an encoder learn raw texts, and write it as a backbone.

    inputs (Sequence[Path]): Files of texts, or folders of them.
    output (Path): The folder to write.
    backbone (Backbone): The encoder.
    dev (Optional[Path]): Texts to measure with, instead of some of the others.
    resume (bool): Go on with a run that was cut off, if there is one; nothing is done when it has ended.
    force (bool): Replace an earlier result, or a run that was cut off.
    say (Callable): Gets lines that tell how far it is.
    RETURNS (Dict[str, Any]): What `pretrain.json` in the folder holds, see the documentation.
    RAISES (ValueError): For texts or a backbone that cannot be used, CT555 to CT557 for what is in the way, CT558 when
        the loss is not a number.
    RAISES (TrainingError): CT607 while another process writes there.
    """
    run = RunFiles(output)
    with locked(output, run.lock):
        run.check(resume=resume, force=force)
        weights = backbone.resolve()
        files, dev_files = raw_files(inputs), None if dev is None else raw_files([dev])
        asked = {
            "backbone": backbone.name,
            "revision": backbone.revision,
            "backbone_sha256": _hash_backbone(weights),
            "settings": asdict(settings),
            "files": [[each.name, hash_path(each)] for each in files],
            "dev": None if dev_files is None else [[each.name, hash_path(each)] for each in dev_files],
        }
        plan, held_out = (run.plan() if resume else None), None
        if resume and plan is None and run.is_finished():
            report = run.report()
            _check_plan(report, asked)
            return report
        masked = load_masked_lm(weights, seed=settings.seed)
        if plan is None:
            say("Reading all texts once")
            found = survey(files, share=settings.dev_share, most=settings.dev_texts, dev=dev_files)
            plan, held_out = {**asked, "version": __version__, "texts": found.to_learn}, found.held_out
        _check_plan(plan, asked)
        if held_out is None:
            held_out = run.held_out()
        else:
            run.begin(plan, held_out)
        say(f"{plan['texts']:,} texts to learn from, {len(held_out):,} held out")
        training = Pretraining(masked, files, held_out, settings)
        state = run.load()
        if state is not None:
            training.restore(state)
            say(f"Going on from step {training.step} of {training.total}")
        training.run(run.save, say)
        report = {**plan, "held_out": len(held_out), **training.report()}
        run.finish(lambda folder: save_masked_lm(masked, folder), report)
        return report


def _check_plan(plan: Plan, asked: Plan) -> None:
    """RAISES (ValueError): CT557 when a run that goes on, or has ended, was asked to do something else."""
    compared = ("backbone", "backbone_sha256", "files", "dev")
    before, now = ({**each["settings"], **{key: each.get(key) for key in compared}} for each in (plan, asked))
    other = [
        f"{name} was {before.get(name)!r}, is {value!r}" for name, value in now.items() if before.get(name) != value
    ]
    if other:
        raise ValueError(Errors.CT557.format(other="; ".join(other)))


def _hash_backbone(folder: Path) -> str:
    """RETURNS (str): The SHA-256 of what makes a backbone: config, weights, tokenizer."""
    hashed = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.suffix in PARTS and path.is_file()):
        hashed.update(f"{path.name}\0{hash_path(path)}\0".encode())
    return hashed.hexdigest()
