"""What `ctx calibrate` shows: tables in the terminal, and a report of JSON and plots."""

import json
from pathlib import Path
from typing import Any, Dict, Optional

from ..warnings import Warnings
from ._printer import count, msg

FIGURES = {
    "ece": "calibration error (ECE)",
    "ece_adaptive": "  in bins of equal mass",
    "brier": "Brier score",
    "log_loss": "log-loss (nats)",
}
CAPTION = """before: as trained
after: fitted and measured on all documents, so a little too good"""
CAPTION_HELD = """
cross-validated: {n} times fitted on {rest}/{n} of the documents, measured on the others; expect this on new texts"""


def show(summary: Dict[str, Any], path: Path) -> None:
    """Print a summary."""
    from ..evaluation.calibration import HIGHEST, LOWEST

    t, folds = summary["temperature"], summary["temperatures_cross_validated"]
    if summary["labels_without_data"]:
        msg.warn(Warnings.CW504.format(path=path, labels=", ".join(summary["labels_without_data"])))
    if summary["unknown_labels"]:
        labels = ", ".join(summary["unknown_labels"])
        msg.warn(Warnings.CW505.format(path=path, labels=labels, name=summary["component"]))
    if summary["left_out"]:
        msg.warn(Warnings.CW506.format(n=summary["left_out"], path=path))
    if not folds:
        msg.warn(Warnings.CW502.format(path=path))
    if not LOWEST * 1.01 < t < HIGHEST / 1.01:
        msg.warn(Warnings.CW503.format(t=t, path=path))
    entities = "entity" if summary["entities"] == 1 else "entities"
    counts = (
        f"{count(summary['documents'], 'document')}, {summary['entities']:,} {entities}, {summary['found']:,} found"
    )
    msg.text(f"{summary['component']}: {counts}")
    found, right = ([summary[f"{key}{when}"] for when in ("_before", "")] for key in ("found", "right"))
    if found[0] != found[1] or right[0] != right[1]:
        msg.text(f"Without the temperature it finds {found[0]:,}. Right: {right[0]:,} → {right[1]:,}")
    spread = f" ({min(folds):.3f} to {max(folds):.3f} in cross-validation)" if folds else ""
    msg.text(f"Temperature {t:.3f}{spread}, by {summary['objective']}; score maps: {len(summary['maps'])}")
    columns = list(summary["figures"])
    rows = [[title, *(_digits(summary["figures"][name][key], 4) for name in columns)] for key, title in FIGURES.items()]
    header = ["entities found", *(name.replace("_", "-") for name in columns)]
    msg.table(rows, header=header, divider=True, aligns=["l", *("r" for _ in columns)])
    msg.text(CAPTION + (CAPTION_HELD.format(n=len(folds), rest=len(folds) - 1) if folds else ""))
    if summary["thresholds"]:
        _show_thresholds(summary)
    covering = summary["coverage"]
    if covering is not None:
        if not covering["is_set"]:
            msg.warn(Warnings.CW509.format(threshold=covering["threshold"]))
        measured = f"{_percent(covering['cross_validated'])} in cross-validation"
        stored = (
            "" if not covering["is_set"] else f"; {covering['spans_per_entity']:.2f} spans above it for each entity"
        )
        msg.text(
            f"Coverage {_percent(covering['target'])}: threshold {covering['threshold']:.4g}, {measured}{stored}. It "
            "holds on average, for texts like these"
        )


def _show_thresholds(summary: Dict[str, Any]) -> None:
    rows = []
    for label, each in summary["thresholds"].items():
        folds = each.get("cross_validated", {})
        shown = each["note"] if each["threshold"] is None else _digits(each["threshold"], 4)
        shares = (f"{_percent(each[f'{key}_before'])} → {_percent(each[key])}" for key in ("precision", "recall"))
        held = (_percent(folds.get(key)) for key in ("precision", "recall"))
        rows.append([label, shown, f"{each['n']:,}", *shares, *held])
    target = _percent(summary["target_precision"])
    header = [f"for {target} precision", "threshold", "found", "precision", "recall", "P cross-val.", "R cross-val."]
    msg.table(rows, header=header, divider=True, aligns=["l", *("r" for _ in header[1:])])


def _digits(value: Optional[float], digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _percent(value: Optional[float]) -> str:
    return "-" if value is None else f"{100 * value:.3g}%"


def write_report(folder: Path, summary: Dict[str, Any]) -> None:
    """Write calibration.json, reliability.svg and reliability.png.

    calibration.json has: component, version (of the plugin), date (UTC), data (name of the file), documents (with
    annotation), entities (gold), found and right (entities set, before thresholds), found_before and right_before (the
    same at T = 1; other numbers where it decodes by "mbr"), left_out (gold entities that are not on tokens),
    training_texts (documents that the model has seen), labels_without_data, unknown_labels, objective, temperature,
    temperatures_cross_validated;
    `figures`: before, after, cross_validated, each with ece, ece_adaptive, brier, log_loss; `maps`: label to
    [[x, …], [y, …]]; target_precision; `thresholds`: label to threshold, n, note, precision_before, precision,
    recall_before, recall, and cross_validated with precision and recall; `coverage`: null, or target, threshold, is_set
    (whether it became `alternatives`), spans_per_entity, cross_validated; `reliability`: like `figures`, each 15 bins
    with low, high, n, mean_prob, share_right. What cannot be computed is null.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False)  # srsly would round
    (folder / "calibration.json").write_text(text + "\n", encoding="utf8")
    figure = draw(summary)
    figure.savefig(folder / "reliability.svg", metadata={"Date": None})
    figure.savefig(folder / "reliability.png", dpi=150)


def draw(summary: Dict[str, Any]) -> Any:
    """RETURNS (matplotlib.figure.Figure): The share that is right by the probability, and how often each is given."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 6), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    top.plot([0, 1], [0, 1], color="0.7", linestyle="--", linewidth=1, label="as it should be")
    last = "cross_validated" if "cross_validated" in summary["reliability"] else "after"
    for name, color, marker in (("before", "#c0392b", "o"), (last, "#1f618d", "s")):
        bins = [each for each in summary["reliability"][name] if each["n"]]
        error = summary["figures"][name]["ece"]
        title = f"{name.replace('_', '-')} (ECE {_digits(error, 3)})"
        x, y = [each["mean_prob"] for each in bins], [each["share_right"] for each in bins]
        top.plot(x, y, color=color, linewidth=0.7, marker=marker, markersize=2, label=title)
        total = sum(each["n"] for each in bins)
        top.scatter(x, y, [300 * each["n"] / total for each in bins], color=color, marker=marker)
        edges = [*(each["low"] for each in summary["reliability"][name]), 1.0]
        bottom.stairs([each["n"] for each in summary["reliability"][name]], edges, color=color)
    top.set(ylabel="share that is right", ylim=(-0.03, 1.03), xlim=(-0.03, 1.03))
    top.set_title(f"{summary['component']} on {summary['data']}: {summary['found']:,} entities found")
    top.legend(loc="best", frameon=False)
    bottom.set(xlabel="probability", ylabel="entities found")
    return figure
