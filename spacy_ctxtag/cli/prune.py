"""`python -m spacy ctx prune MODEL OUTPUT --train … --dev …`: a smaller pipeline that learns from the one it was."""

import json
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any, Dict, List, Optional

import typer

from .. import __version__
from ..errors import Errors
from ..warnings import Warnings
from ._app import app
from ._checks import check_dev, check_output
from ._printer import msg
from .calibrate import META_KEY as CALIBRATED
from .calibrate import read_examples, save

if TYPE_CHECKING:
    from ..deploy.prune import Options, Pruned

CAPTION = """words/s on this machine, in turns with the pipeline as it was
scores on {dev}, in percent: only pruned → after learning from the pipeline as it was
* good enough, and the smallest of those: it is written"""


@app.command("prune", no_args_is_help=True)
def prune_cli(
    model: Annotated[str, typer.Argument(help="Pipeline: a folder or package", show_default=False)],
    output: Annotated[Path, typer.Argument(help="Folder of the pruned pipeline", show_default=False)],
    train: Annotated[
        List[Path], typer.Option("--train", help="Texts to learn from, with or without annotation; may be repeated")
    ],
    dev: Annotated[Path, typer.Option("--dev", help="Annotated texts that it was not trained on, to measure with")],
    rates: Annotated[
        Optional[str],
        typer.Option("--rates", help="Shares of the feed-forward units to try to remove [0.25,0.5; with --layers 0]"),
    ] = None,
    layers: Annotated[Optional[int], typer.Option("--layers", help="Keep so many layers")] = None,
    pick: Annotated[
        str, typer.Option("--pick", help="Which layers to keep: spaced (evenly) or divergence (by trial)")
    ] = "spaced",
    heads: Annotated[
        float, typer.Option("--heads", help="Share of the attention heads to remove; needs transformers 4")
    ] = 0.0,
    max_drop: Annotated[
        float, typer.Option("--max-drop", help="By how many points a score may fall; else nothing is written")
    ] = 1.0,
    epochs: Annotated[int, typer.Option("--epochs", help="Times to learn from all texts")] = 3,
    learn_rate: Annotated[float, typer.Option("--learn-rate", help="Highest learning rate of the heads")] = 1e-3,
    gold_weight: Annotated[
        float, typer.Option("--gold-weight", help="Share of the loss that is on the annotation of --train")
    ] = 0.0,
    repetitions: Annotated[int, typer.Option("--repetitions", help="Turns to measure the speed")] = 5,
    seed: Annotated[int, typer.Option("--seed", help="Of the order of texts, and of dropout")] = 0,
    report: Annotated[Optional[Path], typer.Option("--report", help="JSON file for all figures")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace OUTPUT; accept dev texts that are learned from")
    ] = False,
    code: Annotated[Optional[Path], typer.Option("--code", "-c", help="Python file with registered functions")] = None,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """
    Make a pipeline smaller and faster: remove the feed-forward units (and layers, and attention heads) that matter
    least from its encoder, and let what is left learn from the pipeline as it was. Print size, speed and scores at each
    rate, and write the smallest pipeline whose scores fall by --max-drop at most.
    """
    from spacy.cli._util import import_code, setup_gpu
    from spacy.util import load_model

    from ..deploy.distillation import Training
    from ..deploy.prune import Options, check_pipeline, prune

    shares = read_rates(rates or ("0.25,0.5" if layers is None else "0"))
    import_code(code)
    setup_gpu(gpu_id, silent=gpu_id < 0)
    try:
        training = Training(epochs=epochs, learn_rate=learn_rate, gold_weight=gold_weight, seed=seed)
        options = Options(shares, layers, pick, heads, max_drop, repetitions, training)
        nlp = load_model(model)
        check_pipeline(nlp, options)
    except OSError as error:
        msg.fail(Errors.CT513.format(path=model, reason=error), exits=1)
        raise typer.Exit(1) from error
    except ValueError as error:
        msg.fail(str(error), exits=1)
        raise typer.Exit(1) from error
    check_output(output, force=force)
    student = load_model(model, vocab=nlp.vocab)
    texts = [example for path in train for example in read_examples(path, nlp)]
    held_out = read_examples(dev, nlp)
    check_dev(nlp, dev, held_out, texts, force=force)
    try:
        result = prune(nlp, student, texts, held_out, options, lambda line: msg.text(line, icon="info"))
    except ValueError as error:
        msg.fail(str(error), exits=1)
        raise typer.Exit(1) from error
    show(result, dev)
    if report is not None:
        write_report(report, result, options, dev, n_texts=len(texts))
        msg.good(f"{report}: all figures")
    if result.chosen is None:
        drop = min(size["drop"] for size in result.sizes)
        msg.fail(Errors.CT519.format(max_drop=max_drop, drop=drop), exits=1)
        raise typer.Exit(1)
    calibrated = nlp.meta.get(CALIBRATED, {})
    if calibrated:
        msg.warn(Warnings.CW511.format(names=", ".join(calibrated)))
    save(student, output)
    msg.good(f"{output}: pruned at rate {result.sizes[result.chosen]['rate']:g}")


# Input


def read_rates(text: str) -> List[float]:
    """The numbers of `--rates 0.25,0.5`; anything else ends the program."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        expected = "numbers with commas between them, such as 0.25,0.5"
        msg.fail(Errors.CT304.format(name="rates", met=text, expected=expected), exits=1)
        raise typer.Exit(1) from error


# What was found


def show(result: "Pruned", dev: Path) -> None:
    """Print a table with a row for each size."""
    keys = list(result.before["scores"])
    first = result.sizes[0]["encoders"]
    speed = median(size["words_per_second_before"] for size in result.sizes)
    scores = (f"{result.before['scores'][key]:.2f}" for key in keys)
    columns = (_each(first, "layers_before"), _each(first, "units_before"), *_weight(result.before))
    rows = [["as it was", *columns, f"{speed:,.0f}", "1.00 ×", *scores]]
    for number, size in enumerate(result.sizes):
        name = f"rate {size['rate']:g}{' *' if number == result.chosen else ''}"
        layers = ", ".join(str(len(each["layers"])) for each in size["encoders"])
        times = size["words_per_second"] / size["words_per_second_before"]
        scores = (f"{size['scores_untrained'][key]:.2f} → {size['scores'][key]:.2f}" for key in keys)
        columns = (layers, _each(size["encoders"], "units"), *_weight(size))
        rows.append([name, *columns, f"{size['words_per_second']:,.0f}", f"{times:.2f} ×", *scores])
    header = ["", "layers", "units", "parameters", "MB", "words/s", "speed", *keys]
    msg.table(rows, header=header, divider=True, aligns=["l", *("r" for _ in header[1:])])
    removed = sum(each["heads_removed"] for each in first)
    msg.text(CAPTION.format(dev=dev) + (f"\n{removed} attention heads are removed" if removed else ""))


def _each(encoders: List[Dict[str, Any]], key: str) -> str:
    return ", ".join(str(each[key]) for each in encoders)


def _weight(size: Dict[str, Any]) -> List[str]:
    return [f"{size['parameters'] / 1e6:.2f} M", f"{size['bytes'] / 1e6:.1f}"]


def write_report(path: Path, result: "Pruned", options: "Options", dev: Path, *, n_texts: int) -> None:
    """Write a JSON file: version (of the plugin), date (UTC), dev (name of the file), texts (learned from), options;
    `before`: parameters, bytes, scores (percent, by spaCy's names); `sizes`: for each rate the same, and rate, encoders
    (layers kept, units of each, heads removed), words_per_second and words_per_second_before (of the pipeline as it
    was, in the same turns), scores_untrained (before it has learned), drop (the largest of any score), divergence and
    divergence_untrained (nats per token, by head); `chosen`: which of the sizes is written, or null.
    """
    about = {
        "version": __version__,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "dev": dev.name,
        "texts": n_texts,
        "options": asdict(options),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**about, **result._asdict()}, indent=2, ensure_ascii=False) + "\n", encoding="utf8")
