"""What a report says against a pipeline, in sentences of Markdown: where it is weak, and what is not known."""

from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence

from .markdown import code, text

FEW = 30  # examples of a label, below which its scores say little
LOWER = 0.02  # F or accuracy of a part, by which it is worth a sentence
MOST = 3  # labels or domains of a sentence
NAMES = {"ents": "Entities", "tag": "Tags", "pos": "Parts of speech"}
PARTS = {
    "domain": "is lowest in {names}",
    "seen": "is lower for mentions that are not in the training data: {names}",
    "known_word": "is lower for words that are not in the training data: {names}",
    "mention_length": "is lower for long mentions: {names}",
    "sentence_length": "is lower in long sentences: {names}",
}
NEW = ("unseen", "unknown")
NO_LIMITS = ("calibration", "nesting")  # analyses: the first has a sentence of its own
CONTEXT = (
    "Texts are read in windows of {window} word pieces at most, which overlap by {overlap}: words of a longer text "
    "that are further apart do not see each other."
)
SMALLER = "The encoder of {name} computes in {precision}, not in the 32-bit floats of training."
NUMBERS = {
    "auto": "The encoder of {name} computes in the fastest of the numbers in which its scores were measured and good "
    "enough, else in those of its weights ({precision}): perhaps not in the 32-bit floats of training."
}

Part = Mapping[str, Any]


def find_limits(report: Part, meta: Part, encoders: Sequence[Part]) -> List[str]:
    """Read the limits off what was measured.

    report (Part): As `report.schema.json` says. meta (Part): The pipeline's. encoders (Sequence[Part]): Their configs.
    RETURNS (List[str]): A sentence or two each; those about all of it first.
    """
    found = [*_of_data(report), *_of_encoders(report, meta, encoders), *_of_pruning(meta), *_of_changes(meta)]
    for component in report["components"]:
        found += _of_component(component, report["model"]["labels"])
    return found


def title_of(component: Part) -> str:
    """RETURNS (str): What a component of the report finds."""
    return NAMES.get(component["id"], f"Spans in {code(component['attribute'])}")


def measure_of(component: Part) -> str:
    return "F" if component["kind"] == "spans" else "accuracy"


def percent(value: Optional[float]) -> str:
    """RETURNS (str): A share in percent."""
    return "–" if value is None else f"{100 * value:.1f}"


def between(interval: Optional[Part]) -> str:
    """RETURNS (str): An interval behind a score in percent; nothing if there is none."""
    return "" if interval is None else f" ({percent(interval['low'])} to {percent(interval['high'])})"


def has_intervals(report: Part) -> bool:
    """RETURNS (bool): Whether scores of the report have intervals: not without draws, or for one document."""
    return any(each["averages"]["micro"]["intervals"]["f1"] is not None for each in report["components"])


def _of_data(report: Part) -> Iterator[str]:
    data, names = report["data"], [domain["name"] for domain in report["data"]["domains"]]
    where = f" from {', '.join(map(code, names))}" if len(names) > 1 else ""
    yield (
        f"The scores are those on {data['documents']:,} documents{where}. Of other kinds of texts, other languages and "
        "other guidelines of annotation nothing is known."
    )
    if data["trained_on"]:
        yield f"**{data['trained_on']:,} of these documents were in the training data, so the scores are too good.**"
    elif data["trained_on"] is None:
        yield "The pipeline does not say what it was trained on, so it is not known whether these documents were in it."
    if not has_intervals(report):
        yield "There are no intervals, so how far the scores may be from those on other texts of the kind is not known."


def _of_encoders(report: Part, meta: Part, encoders: Sequence[Part]) -> Iterator[str]:
    for window, overlap in sorted({(each["window"], each["overlap"]) for each in encoders if "window" in each}):
        yield CONTEXT.format(window=window, overlap=overlap)
    for name, precision in report["model"]["precision"].items():
        if precision == "fp32":
            continue
        about = meta.get("ctx_quantized") or {}
        before, after = (about.get(key, {}).get("scores", {}) for key in ("before", "after"))
        changes = [f"{code(key)} from {before[key]:.1f} to {after[key]:.1f}" for key in before if key in after]
        way = "By that" if precision != "auto" else f"In {code(about.get('precision'))}"
        told = f" {way}, on {code(about.get('dev', ''))}, went {', '.join(changes)}." if changes else ""
        yield NUMBERS.get(precision, SMALLER).format(name=code(name), precision=code(precision)) + told


def _of_pruning(meta: Part) -> Iterator[str]:
    about = meta.get("ctx_prune") or {}
    for each in about.get("encoders", ()):
        parts = [
            f"{len(each['layers'])} of {each['layers_before']} layers",
            f"{each['units']} of {each['units_before']} feed-forward units in each of them",
        ]
        heads = f"; {each['heads_removed']} attention heads were removed" if each["heads_removed"] else ""
        yield f"An encoder was pruned: it has {' and '.join(parts)}{heads}."
    if about:
        most = f" by more than {about['drop']:.1f} points" if about["drop"] > 0 else ""
        yield f"When the pipeline was pruned, no score fell{most} on the dev data of that time."


def _of_changes(meta: Part) -> Iterator[str]:
    """What was calibrated before the weights were changed."""
    calibrated, pruned = meta.get("ctx_calibration") or {}, meta.get("ctx_prune") or {}
    date = (meta.get("ctx_quantized") or {}).get("date", "")
    before = {
        "pruned": [name for name in pruned.get("calibrated_before", ()) if name not in calibrated],
        "put into smaller numbers": [name for name, each in calibrated.items() if each.get("date", date) < date],
    }
    for done, names in before.items():
        if names:
            listed = ", ".join(map(code, names))
            yield f"{listed}: temperature and thresholds were fitted before the pipeline was {done}, and not since."


def _of_component(component: Part, labels_of: Mapping[str, Sequence[str]]) -> Iterator[str]:
    title, measure = title_of(component), measure_of(component)
    overall = component["averages"]["micro"]["f1"]
    labels = [label for label in component["labels"] if label["gold"]]
    weak = sorted((label for label in labels if label["f1"] < overall), key=lambda label: float(label["f1"]))[:MOST]
    if weak:
        shown = [
            f"{code(each['name'])} {percent(each['f1'])} ({_interval(each)}{each['gold']:,} in the test data)"
            for each in weak
        ]
        yield f"{title}: F is lowest for {', '.join(shown)}; over all labels {measure} is {percent(overall)}."
    few = [f"{code(each['name'])} ({each['gold']})" for each in labels if each["gold"] < FEW]
    if few:
        yield f"{title}: fewer than {FEW} examples in the test data, so little is known about {', '.join(few)}."
    known = {label["name"] for label in labels}
    absent = [label for name in component["set_by"] for label in labels_of.get(name, ()) if label not in known]
    if absent:
        yield f"{title}: not measured, since the test data have none: {', '.join(map(code, dict.fromkeys(absent)))}."
    for breakdown in component["breakdowns"]:
        rows = _lower(breakdown, overall)
        if rows:
            shown = [f"{code(row['name'])} {percent(row['f1'])} (of {row['gold']:,})" for row in rows]
            part = PARTS[breakdown["by"]].format(names=", ".join(shown))
            yield f"{title}: {measure} {part}; over all {percent(overall)}."
    yield from _of_probabilities(component, title)
    lacking = [each for each in component["unavailable"] if each["analysis"] not in NO_LIMITS]
    if lacking:
        reasons = [f"{text(each['analysis'])} ({text(each['reason'])})" for each in lacking]
        yield f"{title}: not analysed: {', '.join(reasons)}."


def _interval(label: Part) -> str:
    interval = label["intervals"]["f1"]
    return "" if interval is None else f"95 % interval {percent(interval['low'])} to {percent(interval['high'])}, "


def _lower(breakdown: Part, overall: float) -> List[Part]:
    """RETURNS (List[Part]): The parts that deserve a sentence, lowest first."""
    by, rows = breakdown["by"], [row for row in breakdown["rows"] if row["f1"] is not None and row["gold"]]
    if by.endswith("_length"):
        rows = rows[1:][-1:]  # the longest, if there are others
    elif by != "domain":
        rows = [row for row in rows if by in PARTS and row["name"] in NEW]
    return sorted((row for row in rows if row["f1"] <= overall - LOWER), key=lambda row: float(row["f1"]))[:MOST]


def _of_probabilities(component: Part, title: str) -> Iterator[str]:
    calibration: Optional[Dict[str, Any]] = component["calibration"]
    if calibration is None:
        yield f"{title}: there are no probabilities, or they were not looked at."
        return
    gap = calibration["mean_probability"] - calibration["share_right"]
    if abs(gap) >= LOWER:
        way = "high" if gap > 0 else "low"
        yield f"{title}: probabilities are too {way}, on average by {percent(abs(gap))} points."
