"""What `ctx evaluate` shows in the terminal: a table for each layer. The whole is in the report."""

from typing import Any, Dict, List, Optional

from ._printer import count, msg, printable

MOST = 20  # labels in a table
FIGURES = ("precision", "recall", "f1")
CAPTION = "±: half of the 95 % interval of a bootstrap over documents"


def show(report: Dict[str, Any]) -> None:
    """Print a report."""
    data = report["data"]
    speed = report["run"]["words_per_second"]
    pace = "" if speed is None else f", {speed:,.0f} words per second"
    msg.text(f"{data['path']}: {count(data['documents'], 'document')}, {count(data['tokens'], 'token')}{pace}")
    for layer in report["components"]:
        _show_layer(layer)
    if report["run"]["n_samples"]:
        msg.text(CAPTION)


def _show_layer(layer: Dict[str, Any]) -> None:
    labels, averages = layer["labels"], layer["averages"]
    n_gold = sum(each["gold"] for each in labels)
    rows = [
        ["all (micro)", *_figures(averages["micro"]), f"{n_gold:,}"],
        ["mean (macro)", *_figures(averages["macro"]), ""],
    ]
    rows += [[printable(each["name"]), *_figures(each), f"{each['gold']:,}"] for each in labels[:MOST]]
    if len(labels) > MOST:
        rows.append([f"and {count(len(labels) - MOST, 'label')}", "", "", "", ""])
    header = [layer["attribute"], "P", "R", "F", "annotated"]
    msg.table(rows, header=header, divider=True, aligns=["l", "r", "r", "r", "r"])
    msg.text("; ".join(_remarks(layer)))


def _remarks(layer: Dict[str, Any]) -> List[str]:
    """What else is worth a line."""
    found = [f"whole sequences right: {_percent(layer['sequences']['accuracy'])}"]
    if layer["kind"] == "spans":
        schemes = layer["schemes"] or {}
        errors = [each for each in layer["errors"] if each["class"] != "correct" and each["cases"]]
        errors.sort(key=lambda each: -each["cases"])
        if schemes:
            found.append("F " + ", ".join(f"{name} {_percent(scheme['f1'])}" for name, scheme in schemes.items()))
        found += (
            [", ".join(f"{each['class'].replace('_', ' ')} {each['cases']:,}" for each in errors)] if errors else []
        )
    if layer["calibration"] is not None:
        found.append(f"calibration error {_percent(layer['calibration']['ece'])}")
    return found


def _figures(scores: Dict[str, Any]) -> List[str]:
    return [_percent(scores[name], scores["intervals"][name]) for name in FIGURES]


def _percent(value: Optional[float], interval: Optional[Dict[str, float]] = None) -> str:
    if value is None:
        return "-"
    spread = "" if interval is None else f" ±{50 * (interval['high'] - interval['low']):.1f}"
    return f"{100 * value:.1f}{spread}"
