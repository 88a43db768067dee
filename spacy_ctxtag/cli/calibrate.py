"""`python -m spacy ctx calibrate MODEL DATA OUTPUT`: probabilities that come true, thresholds for a precision.

Everything is fitted on all of DATA. What it does to new texts is told by cross-validation: five times, on four fifths
of the documents, measured on the other fifth. What is fitted are settings of the component in the config; weights stay.
"""

import math
from datetime import datetime, timezone
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Dict, List, Optional

import numpy as np
import typer

from .. import __version__
from ..errors import Errors
from ..training.folders import replace_folder
from ..warnings import Warnings
from ._app import app
from ._checks import reading
from ._printer import msg
from .calibration_report import show, write_report

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.training import Example

    from ..evaluation.calibration import Fit, Held, Options, Sample

META_KEY = "ctx_calibration"
LEAST = 0.001  # spans of a lower probability are too many to store


@app.command("calibrate", no_args_is_help=True)
def calibrate_cli(
    model: Annotated[str, typer.Argument(help="Pipeline: a folder or package", show_default=False)],
    data: Annotated[Path, typer.Argument(help="Annotated texts it was not trained on", show_default=False)],
    output: Annotated[Path, typer.Argument(help="Folder of the calibrated pipeline", show_default=False)],
    component: Annotated[str, typer.Option("--component", help="Name of the ctx_ner")] = "ctx_ner",
    objective: Annotated[
        str, typer.Option("--objective", help="What the temperature makes likely: sequences or entities")
    ] = "sequences",
    maps: Annotated[bool, typer.Option("--maps", help="Also fit a map of the scores of each label (isotonic)")] = False,
    target_precision: Annotated[
        Optional[float], typer.Option("--target-precision", help="Set thresholds for this precision, e.g. 0.95")
    ] = None,
    coverage: Annotated[
        Optional[float],
        typer.Option("--coverage", help="Store all spans above a threshold that this share of entities reaches"),
    ] = None,
    report: Annotated[Optional[Path], typer.Option("--report", help="Folder for calibration.json and a plot")] = None,
    force: Annotated[bool, typer.Option("--force", help="Accept training texts; replace MODEL itself")] = False,
    code: Annotated[Optional[Path], typer.Option("--code", "-c", help="Python file with registered functions")] = None,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """
    Calibrate the probabilities of a ctx_ner on held-out data: fit a temperature and, if asked for, score maps,
    thresholds for a precision, and a threshold that most entities reach. Print what it changes, and write the pipeline
    with these settings. A temperature does not change which entities the best path has; a ctx_ner that decodes by "mbr"
    may set others.
    """
    from spacy.cli._util import import_code, setup_gpu

    from ..evaluation.calibration import cross_validate, fit

    options = make_options(objective, maps, target_precision, coverage)
    if report is not None and find_spec("matplotlib") is None:
        msg.fail(Errors.CT511, exits=1)
    import_code(code)
    setup_gpu(gpu_id, silent=gpu_id < 0)
    nlp = load_pipeline(model, component)
    check_output(output, nlp.path, force=force)
    examples = read_examples(data, nlp)
    n_used = check_texts(nlp, data, examples, force=force)
    sample = make_sample_of(nlp, component, examples)
    labels = sample.grammar.labels
    if not any(sample.gold):
        msg.fail(Errors.CT510.format(path=data, n=0, name=component, labels=", ".join(labels)), exits=1)
    result, held = fit(sample, options), cross_validate(sample, options)
    check_labels(result)
    summary = summarize(sample, options, result, held)
    annotated = [ent.label_ for eg in examples for ent in eg.reference.ents]
    about = {
        "component": component,
        "version": __version__,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "data": data.name,
        "documents": sum(eg.reference.has_annotation("ENT_IOB") for eg in examples),
        "training_texts": n_used,
        "left_out": sum(label in labels for label in annotated) - summary["entities"],
        "unknown_labels": sorted(set(annotated) - set(labels)),
    }
    summary = {**about, **summary}
    show(summary, data)
    configure(nlp, component, result, summary)
    meta = {key: value for key, value in summary.items() if key not in ("maps", "reliability")}
    nlp.meta[META_KEY] = {**nlp.meta.get(META_KEY, {}), component: meta}
    save(nlp, output)
    msg.good(f"{output}: calibrated")
    if report is not None:
        write_report(report, summary)
        msg.good(f"{report}: calibration.json, reliability.svg, reliability.png")


# Input


def make_options(objective: str, maps: bool, target: Optional[float], coverage: Optional[float]) -> "Options":
    """The options of the command; a wrong one ends the program with exit code 1."""
    from ..evaluation.calibration import OBJECTIVES, Options

    inside = "a number between 0 and 1"
    for name, value, holds, expected in (
        ("objective", objective, objective in OBJECTIVES, " or ".join(OBJECTIVES)),
        ("target-precision", target, target is None or 0 < target <= 1, inside),
        ("coverage", coverage, coverage is None or 0 < coverage < 1, inside),
    ):
        if not holds:
            msg.fail(Errors.CT304.format(name=name, met=value, expected=expected), exits=1)
    return Options(objective, maps, target, coverage)


def load_pipeline(model: str, component: str) -> "Language":
    """The pipeline with a component that can be calibrated; without, the program ends."""
    from spacy.util import load_model

    from ..components.ctx_ner import CtxNER

    try:
        nlp = load_model(model)
    except OSError as error:
        msg.fail(Errors.CT513.format(path=model, reason=error), exits=1)
        raise typer.Exit(1) from error
    known = [name for name, pipe in nlp.pipeline if isinstance(pipe, CtxNER)]
    if component not in known:
        msg.fail(Errors.CT509.format(name=component, known=", ".join(known) or "none"), exits=1)
    return nlp


def check_output(output: Path, model: Optional[Path], *, force: bool) -> None:
    """End the program where a folder must not be replaced."""
    problem, remedy = "", "Name another folder."
    if output.exists() and not output.is_dir():
        problem = "is a file"
    elif output.is_dir() and any(output.iterdir()) and not (output / "meta.json").is_file():
        problem = "is not empty and no pipeline"
    elif model is not None and output.resolve() == Path(model).resolve() and not force:
        problem, remedy = "is the model itself", "Name another folder, or replace it with --force."
    if problem:
        msg.fail(Errors.CT508.format(path=output, problem=problem, remedy=remedy), exits=1)


def read_examples(path: Path, nlp: "Language") -> List["Example"]:
    """The documents of a file or folder in any format; errors in the data are listed and end the program."""
    from ..data.corpus import create_corpus_v1

    with reading():
        return list(create_corpus_v1(path)(nlp))


def check_texts(nlp: "Language", path: Path, examples: List["Example"], *, force: bool) -> int:
    """RETURNS (int): How many documents have a text that the pipeline was trained on; more than 0 only with `force`."""
    from ..training.fingerprint import META_KEY as TRAINED
    from ..training.fingerprint import hash_text

    if TRAINED not in nlp.meta:
        msg.warn(Warnings.CW501.format(path=path))
    known = set(nlp.meta.get(TRAINED, ()))
    n = sum(hash_text(eg.reference.text) in known for eg in examples)
    if n and not force:
        msg.fail(Errors.CT507.format(n=n, total=len(examples), path=path), exits=1)
    if n:
        msg.warn(Warnings.CW500.format(n=n, total=len(examples), path=path))
    return n


def make_sample_of(nlp: "Language", name: str, examples: List["Example"]) -> "Sample":
    """Score the documents with the components up to and with `name`, and compare what it sets with the annotation.

    What earlier components have set as entities is not taken into account. Documents of the same text belong together.
    """
    from spacy.training import Example
    from spacy.util import minibatch

    from ..components.token_chains import gold_masks
    from ..crf import Chains
    from ..evaluation.calibration import best_paths, least_risk, make_sample

    ner: Any = nlp.get_pipe(name)
    grammar, k = ner.grammar, len(ner.grammar.tags)
    emissions, masks, groups = [], [], []
    ends = np.zeros(k), np.zeros((k, k)), np.zeros(k)
    numbers: Dict[str, int] = {}
    with nlp.select_pipes(disable=nlp.pipe_names[nlp.pipe_names.index(name) :]):
        for batch in minibatch(examples, size=nlp.batch_size):  # type: ignore[no-untyped-call]
            docs = list(nlp.pipe([eg.predicted for eg in batch]))
            chains, found = ner.chains(docs)
            emissions.extend(chains.emissions)
            ends = chains.start, chains.transition, chains.end
            for eg, doc, of_doc in zip(batch, docs, found, strict=True):
                gold = ner.loss.read(Example(doc, eg.reference), grammar)
                masks.extend(gold_masks(grammar, gold.spans, gold.missing, of_doc, gold.open_tags))
                number = numbers.setdefault(eg.reference.text, len(numbers))
                groups.extend([number] * len(of_doc.tokens))
    decode = least_risk(ner.decoding.mbr_cost) if ner.decoding.decode == "mbr" else best_paths
    return make_sample(Chains(emissions, *ends), grammar, masks, np.array(groups, dtype=np.intp), decode)


def check_labels(result: "Fit") -> None:
    """End the program where a config would not give back the settings of a label."""
    from thinc.api import Config

    thresholds = [label for label, each in result.thresholds.items() if each.threshold is not None]
    bad = []
    for label in sorted({*thresholds, *result.maps}):
        settings: Dict[str, Any] = {"thresholds": {label: 0.5} if label in thresholds else {}}
        settings["score_maps"] = {label: [[0.0], [0.5]]} if label in result.maps else {}
        try:
            holds = Config().from_str(Config({"c": settings}).to_str()) == {"c": settings}
        except ValueError:
            holds = False
        bad += [] if holds else [repr(label)]
    if bad:
        options = " or ".join([*["--target-precision"][: len(thresholds)], *["--maps"][: len(result.maps)]])
        msg.fail(Errors.CT512.format(labels=", ".join(bad), options=options), exits=1)


# What was found


def summarize(sample: "Sample", options: "Options", result: "Fit", held: Optional["Held"]) -> Dict[str, Any]:
    """What was fitted, and what it does; see `write_report` for the schema. No number is nan: it is None instead."""
    from ..evaluation.calibration import Fit
    from ..evaluation.reliability import figures, reliability_table

    after, n_gold = sample.at(result.temperature), sample.n_gold
    scores = {
        "before": (Fit().probs(sample), sample.hits),
        "after": (result.reports(after, result.probs(after)), after.hits),
    }
    if held is not None:
        scores["cross_validated"] = (held.scores, held.sample.hits)
    labels = np.array([] if held is None else held.sample.labels, dtype=object)
    thresholds = {}
    for label, each in result.thresholds.items():
        thresholds[label] = each._asdict()
        if held is not None:
            kept = held.kept & (labels == label)
            right, n = int(scores["cross_validated"][1][kept].sum()), n_gold[label]
            ratios = {"precision": right / max(1, kept.sum()) if kept.any() else math.nan}
            thresholds[label]["cross_validated"] = {**ratios, "recall": right / n if n else math.nan}
    covering = None
    if result.coverage_threshold is not None:
        entities, is_set = sum(n_gold.values()), result.coverage_threshold >= LEAST
        spans = result.count_spans(sample, result.coverage_threshold) / entities if is_set else None
        covering = {
            "target": options.coverage,
            "threshold": result.coverage_threshold,
            "is_set": is_set,
            "spans_per_entity": spans,
            "cross_validated": None if held is None else held.covered.mean(),
        }
    summary = {
        "entities": sum(n_gold.values()),
        "found": len(scores["after"][1]),
        "right": int(scores["after"][1].sum()),
        "found_before": len(scores["before"][1]),
        "right_before": int(scores["before"][1].sum()),
        "labels_without_data": [label for label, n in n_gold.items() if not n],
        "objective": options.objective,
        "temperature": result.temperature,
        "temperatures_cross_validated": [] if held is None else held.temperatures,
        "figures": {name: figures(*each) for name, each in scores.items()},
        "maps": dict(result.maps),
        "target_precision": options.target,
        "thresholds": thresholds,
        "coverage": covering,
        "reliability": {
            name: [each._asdict() for each in reliability_table(*values)] for name, values in scores.items()
        },
    }
    cleaned: Dict[str, Any] = _plain(summary)
    return cleaned


def _plain(value: Any) -> Any:
    """Numbers of Python, None for nan."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and math.isnan(value) else value


# Output


def configure(nlp: "Language", name: str, result: "Fit", summary: Dict[str, Any]) -> None:
    """Change the settings of the component, in the config and where it works. Earlier score maps go, for they belong to
    another temperature; thresholds and `alternatives` stay unless new ones were asked for."""
    from dataclasses import replace

    ner: Any = nlp.get_pipe(name)
    config = nlp.get_pipe_config(name)
    settings: Dict[str, Any] = {"temperature": result.temperature, "score_maps": dict(result.maps)}
    if result.thresholds:
        found = {label: each.threshold for label, each in result.thresholds.items()}
        settings["thresholds"] = {label: least for label, least in found.items() if least is not None}
    elif any([ner.cfg["threshold"], *ner.decoding.thresholds.values()]):
        msg.warn(Warnings.CW507.format(name=name))
    if summary["coverage"] is not None and summary["coverage"]["is_set"]:
        settings["alternatives"] = result.coverage_threshold
    if ner.decoding.decode == "mbr_f":
        msg.info(Warnings.CW508.format(name=name, decode=ner.decoding.decode))
    config.update(settings)
    ner.decoding = replace(ner.decoding, **settings)


def save(nlp: "Language", path: Path) -> None:
    """Write a pipeline so that a folder is replaced by a whole one, or not at all."""
    replace_folder(path, nlp.to_disk)
