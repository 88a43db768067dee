"""`python -m spacy ctx card MODEL --report report.json`: a model card, from what is known of a run."""

import shutil
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from ..errors import Errors
from ..training.folders import replace_folder, write_texts
from ..warnings import Warnings
from ._app import app
from ._checks import writing
from ._printer import count, msg

if TYPE_CHECKING:
    from ..operate.card import Speed

MEASURED, TURNS = 200, 3  # documents, and how often their speed is measured


@app.command("card", no_args_is_help=True)
def card_cli(
    model: Annotated[Path, typer.Argument(help="Folder of the pipeline", show_default=False)],
    report: Annotated[Path, typer.Option("--report", help="report.json that `ctx evaluate` has written of it")],
    output: Annotated[
        Optional[Path], typer.Option("--output", "-o", help="Folder for a copy with the card [MODEL itself]")
    ] = None,
    manifest: Annotated[
        Optional[Path], typer.Option("--manifest", help="manifest.json that `ctx train` has written")
    ] = None,
    notes: Annotated[
        Optional[Path], typer.Option("--notes", help="YAML: what labels mean, where data are from, intended use, …")
    ] = None,
    licence: Annotated[str, typer.Option("--licence", "--license", help="Of the pipeline, such as MIT")] = "",
    name: Annotated[str, typer.Option("--name", "-n", help="As for `spacy package` [that of the pipeline]")] = "",
    version: Annotated[str, typer.Option("--version", "-v", help="As for `spacy package` [that of the pipeline]")] = "",
    measure: Annotated[
        Optional[Path],
        typer.Option("--measure", help="Annotated texts: load the pipeline and measure its speed on them"),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a README or an OUTPUT that was not written by this command")
    ] = False,
    code: Annotated[Optional[Path], typer.Option("--code", "-c", help="Python file with registered functions")] = None,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU to measure on, or -1 for the CPU")] = -1,
) -> None:
    """
    Write a model card: README.md in the pipeline's folder, which `spacy package` takes into the wheel, and description,
    licence, sources and scores in its meta.json. Written again, it is replaced, but for the notes at its end.
    """
    from spacy.cli._util import import_code

    from ..operate import card_input
    from ..operate.card import make_card

    import_code(code)
    target = output or model
    try:
        check_output(model, target, force=force)
        kept = find_kept(model, target, force=force)
        made = make_card(
            model,
            card_input.read_report(report),
            manifest=card_input.read_manifest(manifest) if manifest else None,
            notes=card_input.read_notes(notes) if notes else None,
            licence=licence,
            name=name,
            version=version,
            speed=measure_speed(model, measure, gpu_id) if measure else None,
            kept=kept,
        )
    except ValueError as error:
        msg.fail(str(error), exits=1)
        raise typer.Exit(1) from error

    def write(folder: Path) -> Any:
        shutil.copytree(model, folder)
        write_texts(folder, made.files())

    with writing(target):
        if target.resolve() == model.resolve():
            write_texts(model, made.files())
        else:
            replace_folder(target, write)
    if not made.meta["license"]:
        msg.warn(Warnings.CW780)
    msg.good(f"{target}: {' and '.join(made.files())}, with {count(made.n_limits, 'limit')}")


def check_output(model: Path, target: Path, *, force: bool) -> None:
    """RAISES (ValueError): CT508 where what would be replaced had no card, or a pipeline would go into itself."""
    problem, remedy = "", "Name another folder."
    if target.exists() and not target.is_dir():
        problem = "is a file"
    elif target.is_dir() and any(target.iterdir()) and not (target / "meta.json").is_file():
        problem = "is not empty and no pipeline"
    elif model.resolve() in target.resolve().parents:
        problem = "is inside the pipeline"
    elif target.resolve() == model.resolve() or force:
        pass
    elif (target / "meta.json").is_file() and not (target / "README.md").is_file():
        problem, remedy = "is a pipeline without a card", "Name another folder, or replace it with --force."
    if problem:
        raise ValueError(Errors.CT508.format(path=target, problem=problem, remedy=remedy))


def find_kept(model: Path, target: Path, *, force: bool) -> str:
    """RETURNS (str): The notes of an earlier card of either folder. RAISES (ValueError): CT783, unless `force`."""
    from ..operate.card_input import read_kept

    for folder in (target, model):
        if (folder / "README.md").is_file():
            try:
                return read_kept(folder / "README.md")
            except ValueError:
                if not force:
                    raise
    return ""


def measure_speed(model: Path, texts: Path, gpu_id: int) -> "Speed":
    """RETURNS (Speed): Of the pipeline on this machine. RAISES (ValueError): CT784, CT785."""
    from spacy.cli._util import setup_gpu
    from spacy.util import load_model

    from ..deploy.measure import count_parameters, like_in_use, words_per_second
    from ..operate.card import Speed
    from ..training.manifest import read_machine
    from .calibrate import read_examples

    setup_gpu(gpu_id, silent=gpu_id < 0)
    try:
        nlp = load_model(model)
    except OSError as error:
        raise ValueError(Errors.CT784.format(path=model, reason=error)) from error
    some = list(islice((eg.reference.text for eg in read_examples(texts, nlp) if eg.reference.text.strip()), MEASURED))
    if not some:
        raise ValueError(Errors.CT785.format(path=texts))
    with like_in_use([nlp]):
        [speed] = words_per_second([nlp], some, TURNS)
    machine = read_machine()
    where = f"{machine['cpu']}, threads: {machine['threads']}" if gpu_id < 0 else machine["gpus"][gpu_id]
    return Speed(speed, where, count_parameters(nlp))
