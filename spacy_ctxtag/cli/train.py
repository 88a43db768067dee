"""`python -m spacy ctx train CONFIG --output FOLDER`: as `spacy train`, but a run can be resumed exactly, and told."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from ..exceptions import TrainingError
from ._app import app
from ._checks import reading
from ._printer import msg

OVERRIDES = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command("train", no_args_is_help=True, context_settings=OVERRIDES)
def train_cli(
    ctx: typer.Context,
    config_path: Annotated[Path, typer.Argument(metavar="CONFIG", help="Config, as for spacy train", exists=True)],
    output: Annotated[Path, typer.Option("--output", "--output-path", "-o", help="Folder of the run")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run in the folder was left")] = False,
    seed: Annotated[Optional[int], typer.Option("--seed", help="Seed of everything [that of the config]")] = None,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="Refuse what may give other bits each time, on a GPU above all")
    ] = False,
    checkpoint_every: Annotated[
        int, typer.Option("--checkpoint-every", help="Also write a checkpoint every so many steps", min=0)
    ] = 0,
    code: Annotated[Optional[Path], typer.Option("--code", "-c", help="Python file with registered functions")] = None,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """
    Train a pipeline from a config, as spacy train does, with the same result. Besides, keep a checkpoint, from which
    --resume goes on exactly, after Ctrl-C or when the process was killed; a manifest of what the run was made of; and a
    log of all dev scores. Settings of the config can be given as options, e.g. --training.max_steps 2000.
    """
    from spacy.cli import _util
    from spacy.util import load_config

    from ..training.random_state import prepare_cublas
    from ..training.train import set_seed, train

    spacy_cli: Any = _util  # not all of it is exported
    if deterministic:
        prepare_cublas()
    try:
        overrides = spacy_cli.parse_config_overrides(ctx.args)
    except spacy_cli.NoSuchOption as error:  # of a click that typer need not know
        raise typer.BadParameter(error.format_message()) from error
    spacy_cli.import_code(code)
    spacy_cli.setup_gpu(gpu_id, silent=False)
    with spacy_cli.show_validation_error(config_path):
        config = load_config(config_path, overrides=overrides, interpolate=False)
    if seed is not None:
        set_seed(config, seed)
    command = ["python", "-m", "spacy", *sys.argv[1:]]
    try:
        with reading(), spacy_cli.show_validation_error(config_path, hint_fill=False):
            outcome = train(
                config,
                output,
                resume=resume,
                deterministic=deterministic,
                use_gpu=gpu_id,
                code=code,
                checkpoint_every=checkpoint_every,
                command=command,
                stdout=sys.stdout,
                stderr=sys.stderr,
            )
    except TrainingError as error:
        msg.fail(str(error), exits=1)
        raise typer.Exit(1) from error
    if outcome.status == "stopped":
        again = [*command, *([] if resume else ["--resume"])]
        msg.warn(f"Stopped after {outcome.steps} steps. To go on: {shlex.join(again)}")
        raise typer.Exit(128 + outcome.signal)
    msg.good(f"{output}: {outcome.status} after {outcome.steps} steps")
