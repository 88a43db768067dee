"""Figures of the page, drawn by matplotlib in the colours of `svg.Ink`. Shares lie in [0, 1]; axes are in percent."""

import math
from typing import Any, List, Mapping, Optional, Sequence

from .svg import Ink
from .words import ERRORS, short

WIDTH = 5.6  # inches; a page shows 72 of its pixels for each, at most
MOST_ROWS = 30
PRF = ("precision", "recall", "f1")
Row = Mapping[str, Any]


def draw_rows(rows: Sequence[Row]) -> Any:
    """F, precision and recall of each row, from top to bottom, F with its interval where there is one.

    rows (Sequence[Mapping]): name, gold, precision, recall, f1 (or None) and perhaps intervals; the first MOST_ROWS.
    RETURNS (Figure): A figure.
    """
    from matplotlib.figure import Figure

    rows = rows[:MOST_ROWS]
    figure = Figure(figsize=(WIDTH, 0.95 + 0.33 * len(rows)), layout="constrained")
    axes = figure.subplots()
    places = list(range(len(rows)))
    bounds = [each.get("intervals", {}).get("f1") for each in rows]
    known = [(place, each) for place, each in zip(places, bounds, strict=True) if each and rows[place]["gold"]]
    if known:
        low, high = ([_percent(each[key]) for _, each in known] for key in ("low", "high"))
        axes.hlines(
            [place for place, _ in known], low, high, color=Ink.ACCENT, alpha=0.35, linewidth=7, label="95 % interval"
        )
    _points(axes, rows, lambda key: ([_score(each, key) for each in rows], places))
    axes.set_yticks(places, [short(each["name"]) for each in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(_floor([*_scores(rows), *(100 * each["low"] for _, each in known)]), 101)
    axes.locator_params(axis="x", nbins=7, steps=[1, 2, 5, 10], integer=True)
    axes.grid()
    axes.set_xlabel(_legend(figure, axes))
    return figure


def draw_steps(rows: Sequence[Row], unit: str) -> Any:
    """F, precision and recall of parts that follow each other, and below how many spans each has.

    rows (Sequence[Mapping]): name, gold, precision, recall and f1 (or None).
    unit (str): What the names count.
    RETURNS (Figure): A figure.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    places = list(range(len(rows)))
    top.plot(places, [_score(each, "f1") for each in rows], color=Ink.ACCENT)
    _points(top, rows, lambda key: (places, [_score(each, key) for each in rows]))
    top.set_ylim(_floor(_scores(rows)), 104)
    top.locator_params(axis="y", nbins=5, steps=[1, 2, 5, 10], integer=True)
    top.grid(axis="y")
    counts = [each["gold"] for each in rows]
    bottom.bar(places, counts, width=0.6, color=Ink.MUTED, alpha=0.45)
    for place, n in zip(places, counts, strict=True):
        bottom.annotate(f"{n:,}", (place, n), (0, 2), textcoords="offset points", ha="center", va="bottom", size=11)
    bottom.set_ylim(0, 1.6 * max(counts, default=0) or 1)
    bottom.set_yticks([])
    bottom.set_ylabel("gold")
    bottom.set_xticks(places, [short(each["name"], 12) for each in rows])
    bottom.set_xlim(-0.6, len(rows) - 0.4)
    bottom.set_xlabel(unit)
    top.set_ylabel(_legend(figure, top))
    return figure


def draw_errors(errors: Sequence[Row]) -> Any:
    """RETURNS (Figure): Cases of each class of errors, the most frequent first."""
    from matplotlib.figure import Figure

    errors = sorted(errors, key=lambda each: -each["cases"])
    figure = Figure(figsize=(WIDTH, 0.55 + 0.33 * len(errors)), layout="constrained")
    axes = figure.subplots()
    places, cases = list(range(len(errors))), [each["cases"] for each in errors]
    axes.barh(places, cases, height=0.62, color=Ink.SECOND)
    for place, n in zip(places, cases, strict=True):
        axes.annotate(f"{n:,}", (n, place), (4, 0), textcoords="offset points", ha="left", va="center", size=11)
    axes.set_yticks(places, [ERRORS[each["class"]].title for each in errors])
    axes.set_ylim(len(errors) - 0.4, -0.6)
    axes.set_xlim(0, 1.12 * max(cases, default=0) or 1)
    axes.locator_params(axis="x", integer=True, nbins=5)
    axes.grid(axis="x")
    axes.set_xlabel("cases")
    return figure


def draw_reliability(calibration: Mapping[str, Any]) -> Any:
    """RETURNS (Figure): The share that is right by the probability, and below how often each is given."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 5.2), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    bins = [each for each in calibration["bins"] if each["n"]]
    x = [_percent(each["mean_probability"]) for each in bins]
    y = [_percent(each["share_right"]) for each in bins]
    sizes = [18 + 260 * each["n"] / calibration["n"] for each in bins]
    top.plot([0, 100], [0, 100], color=Ink.MUTED, linestyle="--", linewidth=1.2, label="as it should be")
    top.vlines(x, x, y, color=Ink.SECOND, linewidth=1.6, label="gap")
    top.scatter(x, y, sizes, color=Ink.ACCENT, zorder=3, label="bins, by their size")
    top.set(ylabel="percent right", xlim=(-2, 102), ylim=(-4, 106))
    top.grid()
    lows = [100 * each["low"] for each in calibration["bins"]]
    widths = [100 * (each["high"] - each["low"]) for each in calibration["bins"]]
    bottom.bar(lows, [each["n"] for each in calibration["bins"]], widths, align="edge", color=Ink.MUTED, alpha=0.45)
    bottom.locator_params(axis="y", integer=True, nbins=3)
    bottom.set(xlabel="probability, in percent", ylabel="predictions")
    _legend(figure, top)
    return figure


def _points(axes: Any, rows: Sequence[Row], where: Any) -> None:
    """Draw precision, recall and F as points; only F, where all are the same."""
    if any(not each["precision"] == each["recall"] == each["f1"] for each in rows):
        hollow = {"linestyle": "none", "markerfacecolor": Ink.SURFACE, "color": Ink.MUTED, "zorder": 3}
        axes.plot(*where("precision"), marker=">", markersize=6, label="precision", **hollow)
        axes.plot(*where("recall"), marker="s", markersize=5, label="recall", **hollow)
    if any(each["f1"] is not None for each in rows):
        axes.plot(*where("f1"), marker="o", markersize=7.5, linestyle="none", color=Ink.ACCENT, label="F", zorder=4)


def _legend(figure: Any, axes: Any) -> str:
    """Draw a legend where there are several things to tell apart. RETURNS (str): What the axis is called."""
    handles, names = axes.get_legend_handles_labels()
    if len(handles) < 2:
        return ", ".join([*names, "in percent"])
    spacing = {"handletextpad": 0.4, "columnspacing": 1.4, "handlelength": 1.6}
    figure.legend(handles, names, loc="outside lower center", ncols=len(handles), **spacing)
    return "percent"


def _percent(share: Optional[float]) -> float:
    return float("nan") if share is None else 100 * share


def _score(row: Row, key: str) -> float:
    """RETURNS (float): A score in percent; nan where there is none, or nothing is annotated."""
    return _percent(row[key] if row["gold"] else None)


def _scores(rows: Sequence[Row]) -> List[float]:
    return [value for row in rows for key in PRF if not math.isnan(value := _score(row, key))]


def _floor(percents: List[float]) -> float:
    """RETURNS (float): Where an axis begins: at a round number a little below all of these."""
    return max(0.0, 10 * ((min(percents, default=0.0) - 4) // 10))
