"""A component of the report as the page shows it: tables, figures, excerpts, and a line on what each of them says."""

from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence

from markupsafe import Markup

from . import tables
from .documents import Pair, render_spans, render_tags
from .plots import MOST_ROWS, draw_errors, draw_reliability, draw_rows, draw_steps
from .summary import Figure, Note, extremes, figures_of, notes_of, said_of_calibration
from .svg import inline_svg
from .words import BREAKDOWNS, ERRORS, IN_ORDER, MOST, count, percent, reason_for, short, things_of, title_of

Component = Mapping[str, Any]
FEW = 30  # spans or fewer: a score of them says little


class Plot(NamedTuple):
    """A figure, its title, and what it says."""

    svg: Markup
    title: str
    said: str


class Slice(NamedTuple):
    """Scores by one property of spans or tokens."""

    plot: Optional[Plot]  # None: nothing to compare
    table: tables.Table


class Case(NamedTuple):
    """An excerpt with a mistake: what is wrong, where it is from, and both sides."""

    named: str
    said: str
    place: str
    pair: Pair


class Part(NamedTuple):
    """A component. What is None is missing: `reasons` says why, by name."""

    slug: str
    title: str
    attribute: str
    about: str
    kind: str
    figures: List[Figure]
    notes: List[Note]
    labels_plot: Optional[Plot]
    labels: tables.Table
    averages: tables.Table
    accuracies: tables.Table
    schemes: Optional[tables.Table]
    label_schemes: Optional[tables.Table]
    slices: List[Slice]
    errors_plot: Optional[Plot]
    errors: Optional[tables.Table]
    heats: List[tables.Heat]
    pairs: tables.Table
    reliability: Optional[Plot]
    calibration: Optional[tables.Table]
    bins: Optional[tables.Table]
    confident: List[Case]
    costly: List[Case]
    reasons: Dict[str, str]
    left_out: List[str]


def part_of(component: Component, slug: str, draws: int) -> Part:
    """Prepare a component for the template.

    component (Mapping): A component of the report.
    slug (str): What its anchors begin with.
    draws (int): Of the bootstrap.
    RETURNS (Part): What the template shows.
    """
    is_spans, calibration, labels = component["kind"] == "spans", component["calibration"], component["labels"]
    has_schemes = is_spans and component["schemes"] is not None
    confusions = [each for each in component["confusion"].values() if each] if is_spans else [component["confusion"]]
    mistakes = [each for each in component["errors"] if each["class"] != "correct"] if is_spans else []
    mistakes = [each for each in mistakes if each["cases"]]
    return Part(
        slug=slug,
        title=title_of(component),
        attribute=component["attribute"],
        about=_about(component),
        kind=component["kind"],
        figures=figures_of(component),
        notes=notes_of(component, slug),
        labels_plot=_labels_plot(component, slug) if labels else None,
        labels=tables.of_labels(component, draws),
        averages=tables.of_averages(component),
        accuracies=tables.of_accuracies(component),
        schemes=tables.of_schemes(component) if has_schemes else None,
        label_schemes=tables.of_label_schemes(component) if has_schemes else None,
        slices=[_slice(each, slug) for each in component["breakdowns"] if each["rows"]],
        errors_plot=_errors_plot(mistakes, slug) if mistakes else None,
        errors=tables.of_errors(component) if mistakes else None,
        heats=[tables.of_confusion(each) for each in confusions if each["labels"]],
        pairs=tables.of_pairs(confusions[0]),
        reliability=None if calibration is None else _reliability_plot(calibration, slug),
        calibration=None if calibration is None else tables.of_calibration(calibration),
        bins=None if calibration is None else tables.of_bins(calibration),
        confident=[_confident(each, is_spans) for each in component["confident_errors"]],
        costly=[_costly(each, is_spans) for each in component["costly_documents"]],
        reasons=_reasons(component),
        left_out=_left_out(component),
    )


def _about(component: Component) -> str:
    by = f", set by {', '.join(component['set_by'])}" if component["set_by"] else ""
    return f"{component['attribute']}{by}; annotated in {component['documents']:,} documents."


def _reasons(component: Component) -> Dict[str, str]:
    """RETURNS (Dict[str, str]): Why a section is empty, where it is."""
    things, attribute = things_of(component), component["attribute"]
    unknown = f"no component reports probabilities for {attribute}"
    return {
        "labels": "Nothing is annotated, and nothing was predicted.",
        "schemes": reason_for(component, "schemes", "nervaluate has counted nothing"),
        "errors": f"There is no mistake: all {things} are right.",
        "pairs": "No label was taken for another.",
        "confusion": reason_for(component, "confusion", "there are no labels"),
        "slices": "There is nothing to slice.",
        "calibration": reason_for(component, "calibration", unknown),
        "confident": (
            "No wrong prediction has a probability."
            if component["has_probabilities"]
            else reason_for(component, "confident_errors", f"{unknown}, so errors cannot be ranked by it")
        ),
        "costly": f"No document has a mistake in its {things}.",
    }


def _left_out(component: Component) -> List[str]:
    """RETURNS (List[str]): Analyses that are missing, but for those whose own section says so."""
    own = ("schemes", "confusion", "calibration", "confident_errors")
    missing = [each["analysis"] for each in component["unavailable"] if each["analysis"] not in own]
    titles = [
        (name, BREAKDOWNS[name].title if name in BREAKDOWNS else name.replace("_", " ").capitalize())
        for name in missing
    ]
    return [f"{title}: {reason_for(component, name, '')}" for name, title in dict(titles).items()]


# Figures


def _plot(draw: Callable[[], Any], name: str, title: str, said: str) -> Plot:
    return Plot(Markup(inline_svg(draw, name, f"{title}. {said}")), title, said)


def _labels_plot(component: Component, slug: str) -> Plot:
    labels = component["labels"]
    said = "There are no intervals."
    if tables.has_intervals(component):
        said = "A narrow band means that the score would be much the same on other documents of this kind."
    if len(labels) > MOST_ROWS:
        said = f"The {MOST_ROWS} most frequent of {len(labels):,} labels. {said}"
    return _plot(lambda: draw_rows(labels), f"{slug}-labels", "F of each label, with precision and recall", said)


def _slice(breakdown: Mapping[str, Any], slug: str) -> Slice:
    by, rows, unit = breakdown["by"], breakdown["rows"], breakdown["unit"]
    title, meaning = BREAKDOWNS[by]
    table = tables.of_breakdown(breakdown, title)
    if len(rows) < 2:
        return Slice(None, table)
    draw = (lambda: draw_steps(rows, unit)) if by in IN_ORDER else (lambda: draw_rows(rows))
    cut = f"The {MOST_ROWS} most frequent of {len(rows):,}." if by not in IN_ORDER and len(rows) > MOST_ROWS else ""
    said = " ".join(filter(None, (meaning, cut, _said_of(rows, unit))))
    plot = _plot(draw, f"{slug}-{by}", title, said)
    return Slice(plot, table)


def _said_of(rows: Sequence[Mapping[str, Any]], unit: str) -> str:
    """RETURNS (str): Which part is the weakest, and which the strongest."""
    found = extremes(rows)
    if found is None:
        return ""
    low, high = (
        (f"{each['name']} {unit.removesuffix('s') if each['name'] == '1' else unit}".strip(), percent(each["f1"]))
        for each in found
    )
    few = f" of only {found[0]['gold']:,}" if found[0]["gold"] <= FEW else ""
    return f"Weakest: {low[0]}, F {low[1]}{few}; strongest: {high[0]}, F {high[1]}."


def _errors_plot(errors: Sequence[Mapping[str, Any]], slug: str) -> Plot:
    total = sum(each["cases"] for each in errors)
    n_alone, n_borders, n_pieces = (
        sum(each["cases"] for each in errors if each["class"] in names)
        for names in (("missed", "spurious"), ("too_short", "too_long", "shifted"), ("split", "merged"))
    )
    said = (
        f"Of {total:,} mistakes, {n_alone:,} are spans without a counterpart, {n_borders:,} only have wrong borders, "
        f"{n_pieces:,} are split or merged, and in {total - n_alone - n_borders - n_pieces:,} the label is wrong."
    )
    return _plot(lambda: draw_errors(errors), f"{slug}-errors", "Mistakes by class", said)


def _reliability_plot(calibration: Mapping[str, Any], slug: str) -> Plot:
    said = (
        "Points below the line: probabilities that promise too much. Here they are "
        f"{said_of_calibration(calibration)}: the mean is "
        f"{percent(calibration['mean_probability'])}, and {percent(calibration['share_right'])} are right."
    )
    return _plot(lambda: draw_reliability(calibration), f"{slug}-reliability", "Probabilities and what is right", said)


# Excerpts


def _confident(error: Mapping[str, Any], is_spans: bool) -> Case:
    excerpt, probability = error["excerpt"], f"{error['probability']:.3f}"
    if is_spans:
        said = f"{error['label']} with {probability}: {ERRORS[error['class']].title}"
        return Case(short(error["text"], MOST), said, _place(excerpt["place"]), render_spans(excerpt, error["index"]))
    said = f"{error['predicted'] or 'no tag'} with {probability}, annotated {error['gold']}"
    return Case(error["text"], said, _place(excerpt["place"]), render_tags(excerpt, error["index"]))


def _costly(document: Mapping[str, Any], is_spans: bool) -> Case:
    excerpt, cost = document["excerpt"], document["cost"]
    if is_spans:
        mistakes = f"{count(cost, 'span')} missed or wrong"
        said = f"{document['gold']:,} annotated, {document['predicted']:,} predicted, {document['correct']:,} right"
        return Case(mistakes, said, _place(excerpt["place"]), render_spans(excerpt))
    return Case(
        count(cost, "wrong tag"), f"of {document['tokens']:,} tokens", _place(excerpt["place"]), render_tags(excerpt)
    )


def _place(place: Mapping[str, Any]) -> str:
    source = place["source"] or ""
    source += f":{place['line']}" if source and place["line"] else ""
    where = "" if place["is_whole"] else f"excerpt from character {place['start']:,}"
    names = [place["document"] or f"document {place['number']:,}", source, place["domain"] or "", where]
    return " · ".join(name for name in names if name)
