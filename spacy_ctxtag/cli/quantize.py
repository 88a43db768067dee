"""`python -m spacy ctx quantize MODEL OUTPUT --precision … --dev …`: a pipeline in smaller numbers, if it is good."""

from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from .. import __version__
from ..errors import Errors
from ._app import app
from ._checks import check_dev, check_output
from ._printer import msg
from .calibrate import read_examples, save

if TYPE_CHECKING:
    from ..deploy.quantize import Figures, Quantized

CAPTION = "words/s on this machine, in turns; scores on {dev}, in percent"


@app.command("quantize", no_args_is_help=True)
def quantize_cli(
    model: Annotated[str, typer.Argument(help="Pipeline: a folder or package", show_default=False)],
    output: Annotated[Path, typer.Argument(help="Folder of the pipeline in smaller numbers", show_default=False)],
    dev: Annotated[Path, typer.Option("--dev", help="Annotated texts that it was not trained on, to measure with")],
    precision: Annotated[str, typer.Option("--precision", help="Numbers of the encoders: int8, bf16 or fp16")] = "int8",
    max_drop: Annotated[
        float, typer.Option("--max-drop", help="By how many points a score may fall; else nothing is written")
    ] = 0.3,
    calibrate: Annotated[
        Optional[Path],
        typer.Option("--calibrate", help="int8: texts for the ranges of numbers, annotated or not [those of --dev]"),
    ] = None,
    repetitions: Annotated[int, typer.Option("--repetitions", help="Turns to measure the speed")] = 5,
    batch_size: Annotated[
        int, typer.Option("--batch-size", help="Texts to predict at once; 0: as the pipeline says")
    ] = 0,
    allow_slower: Annotated[bool, typer.Option("--allow-slower", help="Write it also if it is not faster")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace OUTPUT; accept dev texts that it was trained on")
    ] = False,
    code: Annotated[Optional[Path], typer.Option("--code", "-c", help="Python file with registered functions")] = None,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """
    Put the encoders of a pipeline into smaller numbers: 8-bit integers, or 16-bit floats. Print size, speed and scores
    before and after on this machine, and write the pipeline if no score falls by more than --max-drop and it is faster.
    """
    from spacy.cli._util import import_code, setup_gpu
    from spacy.util import load_model

    from ..deploy.quantize import quantize

    import_code(code)
    setup_gpu(gpu_id, silent=gpu_id < 0)
    try:
        nlp = load_model(model)
    except OSError as error:
        msg.fail(Errors.CT513.format(path=model, reason=error), exits=1)
        raise typer.Exit(1) from error
    check_output(output, force=force)
    examples = read_examples(dev, nlp)
    check_dev(nlp, dev, examples, [], force=force)
    texts = examples if calibrate is None else read_examples(calibrate, nlp)
    docs = [eg.predicted.copy() for eg in texts]
    try:
        result = quantize(model, nlp, precision, docs, examples, repetitions=repetitions, batch_size=batch_size)
        show(result, dev)
        result.check(max_drop, allow_slower=allow_slower)
    except ValueError as error:
        msg.fail(str(error), exits=1)
        raise typer.Exit(1) from error
    date = datetime.now(timezone.utc).isoformat(timespec="seconds")
    result.remember({"version": __version__, "date": date, "dev": dev.name})
    save(result.nlp, output)
    msg.good(f"{output}: in {precision}")


def show(result: "Quantized", dev: Path) -> None:
    """Print a table with a row for the pipeline as it was, and one for what was made of it."""
    keys = list(result.before.scores)
    base = result.before.words_per_second

    def row(name: str, figures: "Figures") -> list[str]:
        speed = figures.words_per_second
        scores = [f"{figures.scores[key]:.2f}" for key in keys]
        return [name, f"{figures.bytes / 1e6:.1f}", f"{speed:,.0f}", f"{speed / base:.2f} ×", *scores]

    rows = [row("as it was", result.before), row(result.precision, result.after)]
    header = ["", "MB", "words/s", "speed", *keys]
    msg.table(rows, header=header, divider=True, aligns=["l", *("r" for _ in header[1:])])
    msg.text(CAPTION.format(dev=dev))
