"""`python -m spacy ctx curves RECORD --output curves.svg`: losses and scores of a training, over its steps."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Dict, List

import typer

from ..errors import Errors
from ._app import app
from ._printer import count, msg

if TYPE_CHECKING:
    from ..training.record import Record

SHOWN = ("_f", "_f_seen", "_f_unseen", "_acc", "_las", "_uas")  # scores that are drawn, by how their names end
MOST_LABELS = 20


@app.command("curves", no_args_is_help=True)
def curves_cli(
    record: Annotated[Path, typer.Argument(help="Log: training.jsonl, or of JSONL.v1", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="Picture: .svg, .png or .pdf")] = Path("curves.svg"),
) -> None:
    """
    Draw the curves of a training: the loss of every component, the scores on dev, and the F of every label.
    """
    from ..training.record import read_records

    if find_spec("matplotlib") is None:
        msg.fail(Errors.CT561, exits=1)
    try:
        records = read_records(record)
        figure = draw(records)
        output.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(output, **({"metadata": {"Date": None}} if output.suffix == ".svg" else {"dpi": 150}))
    except (ValueError, OSError) as error:
        msg.fail(str(error), exits=1)
        raise typer.Exit(1) from error
    best = max(records, key=lambda each: (each["score"] is not None, each["score"] or 0.0))
    said = "" if best["score"] is None else f"; the best score is {best['score']:.4f}, at step {best['step']:,}"
    msg.good(f"{output}: {count(len(records), 'evaluation')}{said}")


def draw(records: List["Record"]) -> Any:
    """RETURNS (matplotlib.figure.Figure): Panels: losses, scores, and the labels of each component."""
    from matplotlib.figure import Figure

    losses = series([each["losses"] for each in records])
    scores = {"score": [each["score"] for each in records]}
    shown = [{key: value for key, value in each["scores"].items() if _is_shown(key)} for each in records]
    panels = {"loss since the evaluation before": losses, "scores on dev": {**scores, **series(shown)}}
    for name in dict.fromkeys(key for each in records for key in each["scores"] if key.endswith("_per_type")):
        labels = [_by_label(each["scores"].get(name)) for each in records]
        panels[f"{name.removesuffix('_per_type')}: F by label"] = series(labels)
    panels = {title: lines for title, lines in panels.items() if lines}
    steps = [each["step"] for each in records]
    figure = Figure(figsize=(9, 3.2 * len(panels)), layout="constrained")
    for axes, (title, lines) in zip(figure.subplots(len(panels), squeeze=False)[:, 0], panels.items(), strict=True):
        _panel(axes, title, steps, lines)
    axes.set_xlabel("step")
    return figure


def _is_shown(name: str) -> bool:
    return name.endswith(SHOWN) and not name.startswith("token_")  # spaCy's score of the tokenizer


def series(values: List[Dict[str, Any]]) -> Dict[str, List[Any]]:
    """RETURNS (Dict[str, List]): By name the numbers at each evaluation, None where there is none."""
    numbers = [{key: value for key, value in each.items() if isinstance(value, (int, float))} for each in values]
    return {key: [each.get(key) for each in numbers] for key in dict.fromkeys(key for each in numbers for key in each)}


def _by_label(scores: Any) -> Dict[str, Any]:
    return {label: each.get("f") for label, each in (scores or {}).items() if isinstance(each, dict)}


def _panel(axes: Any, title: str, steps: List[int], lines: Dict[str, List[Any]]) -> None:
    """Draw lines, at most MOST_LABELS of them: those that end lowest."""
    from matplotlib import colormaps

    names = sorted(lines, key=lambda name: lines[name][-1] or 0.0)[:MOST_LABELS] if len(lines) > MOST_LABELS else lines
    palette: Any = colormaps["tab10" if len(names) <= 10 else "tab20"]
    for color, name in zip(palette.colors, names, strict=False):
        values = [float("nan") if value is None else value for value in lines[name]]
        axes.plot(steps, values, color=color, linewidth=2.5 if name == "score" else 1.2, marker=".", label=name)
    left_out = f" (the lowest {len(names)} of {len(lines)})" if len(names) < len(lines) else ""
    axes.set_title(title + left_out, loc="left", fontsize=10)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)
    axes.grid(alpha=0.3)
