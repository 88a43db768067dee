"""What the page says first: the scores of each component, and where it is weakest."""

from typing import Any, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .words import BREAKDOWNS, ERRORS, interval, percent, sequences_of

Component = Mapping[str, Any]
Rows = Sequence[Mapping[str, Any]]
WEAKEST = 3


class Figure(NamedTuple):
    """A figure of the summary: its name, its value, and what stands below in small type."""

    name: str
    value: str
    fine: str


class Note(NamedTuple):
    """Something to look at: where it stands, and names with what is said of each."""

    title: str
    anchor: str
    named: Sequence[Tuple[str, str]]


def figures_of(component: Component) -> List[Figure]:
    """RETURNS (List[Figure]): The headline of a component; the first is the most important."""
    micro, sequences, calibration = component["averages"]["micro"], component["sequences"], component["calibration"]
    if component["kind"] == "tags":
        accuracy, macro = component["accuracy"], component["averages"]["macro_gold"]
        found = [
            Figure("accuracy", percent(accuracy["accuracy"]), _between(accuracy["interval"])),
            Figure("macro F", percent(macro["f1"]), _between(macro["intervals"]["f1"])),
        ]
    else:
        found = [
            Figure("F", percent(micro["f1"]), _between(micro["intervals"]["f1"])),
            Figure("precision", percent(micro["precision"]), _between(micro["intervals"]["precision"])),
            Figure("recall", percent(micro["recall"]), _between(micro["intervals"]["recall"])),
        ]
    right = f"{sequences['correct']:,} of {sequences['total']:,}"
    found.append(Figure(f"faultless {sequences_of(component)}", percent(sequences["accuracy"]), right))
    if calibration is None:
        return [*found, Figure("calibration error", "–", "no probabilities")]
    return [*found, Figure("calibration error", percent(calibration["ece"]), said_of_calibration(calibration))]


def notes_of(component: Component, slug: str) -> List[Note]:
    """What is worst in a component.

    component (Mapping): A component of the report.
    slug (str): What its anchors begin with.
    RETURNS (List[Note]): At most three: its weakest labels, its largest class of errors (for tags: its most frequent
        confusion), and the weaker part of a slice that the training data, or the domain, cuts.
    """
    notes = [_weakest(component, slug), _mistakes(component, slug), _gap(component, slug)]
    return [note for note in notes if note is not None]


def said_of_calibration(calibration: Mapping[str, Any]) -> str:
    """RETURNS (str): Whether probabilities are too high or too low on average."""
    gap = calibration["mean_probability"] - calibration["share_right"]
    if abs(gap) < 0.005:
        return "right on average"
    return f"{percent(abs(gap))} too {'high' if gap > 0 else 'low'} on average"


def extremes(rows: Rows) -> Optional[Tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """RETURNS (Optional[Tuple]): The rows with the lowest and the highest F; None where nothing can be compared."""
    known = [row for row in rows if row["f1"] is not None and row["gold"]]
    if len(known) < 2:
        return None
    low, high = min(known, key=lambda row: row["f1"]), max(known, key=lambda row: row["f1"])
    return (low, high) if low["f1"] < high["f1"] else None


def _weakest(component: Component, slug: str) -> Optional[Note]:
    labels = [row for row in component["labels"] if row["gold"]]
    if len(labels) < 2:
        return None
    weakest = sorted(labels, key=lambda row: (row["f1"], -row["gold"]))[: min(WEAKEST, len(labels) - 1)]
    named = [(row["name"], f"F {percent(row['f1'])} ({row['gold']:,} annotated)") for row in weakest]
    return Note("Weakest labels", f"{slug}-labels", named)


def _mistakes(component: Component, slug: str) -> Optional[Note]:
    if component["kind"] == "tags":
        pairs = component["confusion"]["pairs"]
        named = [(f"{each['gold']} → {each['predicted']}", f"{each['count']:,}") for each in pairs[:WEAKEST]]
        return Note("Most frequent confusions", f"{slug}-confusion", named) if named else None
    errors = [each for each in component["errors"] if each["class"] != "correct" and each["cases"]]
    if not errors:
        return None
    worst, total = max(errors, key=lambda each: each["cases"]), sum(each["cases"] for each in errors)
    share = f"{worst['cases']:,} of {total:,} mistakes. {ERRORS[worst['class']].meaning}"
    return Note("Largest class of errors", f"{slug}-errors", [(ERRORS[worst["class"]].title, share)])


def _gap(component: Component, slug: str) -> Optional[Note]:
    for by in ("seen", "known_word", "domain"):
        rows: Rows = next((each["rows"] for each in component["breakdowns"] if each["by"] == by), [])
        if found := extremes(rows):
            low, high = found
            named = [(low["name"], f"F {percent(low['f1'])}"), (high["name"], f"F {percent(high['f1'])}")]
            return Note(BREAKDOWNS[by].title, f"{slug}-slices", named)
    return None


def _between(bounds: Optional[Mapping[str, float]]) -> str:
    return "no interval" if bounds is None else interval(bounds)
