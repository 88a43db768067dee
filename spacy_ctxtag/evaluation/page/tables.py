"""The tables of the page, as data: the templates write them, the page's script sorts them."""

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

from .words import AVERAGES, EN_DASH, ERRORS, SCHEMES, interval, percent, sequences_of

Component = Mapping[str, Any]
PRF = ("precision", "recall", "f1")


class Column(NamedTuple):
    """A heading, and whether the column is sorted as numbers."""

    title: str
    is_number: bool = True


class Cell(NamedTuple):
    """What a cell shows, and the number by which it is sorted; None: none, it comes last."""

    text: str
    value: Optional[float] = None


class Table(NamedTuple):
    """A table; the first cell of each row is its heading."""

    caption: str
    columns: List[Column]
    rows: List[List[Cell]]


def has_intervals(component: Component) -> bool:
    """RETURNS (bool): Whether F of any label has one."""
    return any(row["intervals"]["f1"] for row in component["labels"])


def of_labels(component: Component, draws: int) -> Table:
    """RETURNS (Table): Precision, recall and F of each label, with intervals."""
    rows = [
        [
            Cell(row["name"]),
            *(_integer(row[key]) for key in ("gold", "predicted", "correct")),
            *_scores(row),
            *_bounds(row),
        ]
        for row in component["labels"]
    ]
    headings = ["gold", "predicted", "right", "precision", "recall", "F", "95 % interval of F"]
    named = f"95 % intervals by {draws:,} draws of documents"
    if not has_intervals(component):
        named = "no intervals: too few documents" if draws else "no intervals: no draws were asked for"
    return Table(f"Each label, in percent; {named}.", _columns("label", headings), rows)


def of_averages(component: Component) -> Table:
    """RETURNS (Table): The ways to average over labels."""
    rows = []
    for key, title in AVERAGES.items():
        each = component["averages"][key]
        rows.append([Cell(title), *_scores(each), *_bounds(each)])
    return Table("Averages, in percent.", _columns("average", ["precision", "recall", "F", "95 % interval of F"]), rows)


def of_schemes(component: Component) -> Table:
    """RETURNS (Table): nervaluate's four ways to count."""
    counts = ("correct", "incorrect", "partial", "missed", "spurious")
    rows = []
    for key, title in SCHEMES.items():
        each = component["schemes"][key]
        rows.append([Cell(title), *(_integer(each[name]) for name in counts), *_scores(each)])
    headings = ["right", "wrong", "partial", "missed", "spurious", "precision", "recall", "F"]
    return Table("Four ways to count, as nervaluate defines them; scores in percent.", _columns("way", headings), rows)


def of_label_schemes(component: Component) -> Table:
    """RETURNS (Table): F of each label by nervaluate's four ways to count."""
    rows = [
        [Cell(row["name"]), *(_percent(row["schemes"][key]["f1"]) for key in SCHEMES)] for row in component["labels"]
    ]
    return Table("F of each label, as if there were no others, in percent.", _columns("label", list(SCHEMES)), rows)


def of_accuracies(component: Component) -> Table:
    """RETURNS (Table): Shares of tokens and of sequences that are right."""
    sequences = sequences_of(component)
    rows = {f"{sequences} without a mistake": component["sequences"]}
    if component["kind"] == "tags":
        rows = {"tokens with the right tag": component["accuracy"], **rows}
    elif component["tokens"] is not None:
        tokens = component["tokens"]
        rows = {"tokens with the right BIO tag": tokens["all"], "the same, without O": tokens["inside"], **rows}
    headings = ["right", "of", "percent", "95 % interval"]
    cells = [[Cell(name), *_accuracy(each)] for name, each in rows.items()]
    return Table(f"Tokens and {sequences}.", _columns("what", headings), cells)


def of_breakdown(breakdown: Mapping[str, Any], title: str) -> Table:
    """RETURNS (Table): Precision, recall and F of each part."""
    rows = [
        [Cell(row["name"], place), _integer(row["gold"]), _integer(row["predicted"]), *_scores(row)]
        for place, row in enumerate(breakdown["rows"])
    ]
    headings = ["gold", "predicted", "precision", "recall", "F"]
    first = Column(breakdown["unit"] or "part", is_number=True)
    return Table(f"{title}, in percent.", [first, *map(Column, headings)], rows)


def of_errors(component: Component) -> Table:
    """RETURNS (Table): The classes of errors that occur, most cases first."""
    errors = sorted(
        (each for each in component["errors"] if each["class"] != "correct"), key=lambda each: -each["cases"]
    )
    total = sum(each["cases"] for each in errors)
    rows = []
    for each in errors:
        labels = sorted(each["by_label"].items(), key=lambda item: (-item[1], item[0]))
        named = ", ".join(f"{label} {n:,}" for label, n in labels[:3]) + (", …" if len(labels) > 3 else "")
        words = ERRORS[each["class"]]
        shares = [_integer(each["cases"]), _percent(each["cases"] / total if total else None)]
        spans = [_integer(each["gold"]), _integer(each["predicted"])]
        rows.append([Cell(words.title), *shares, *spans, Cell(named or EN_DASH), Cell(words.meaning)])
    columns = _columns("class", ["cases", "percent", "gold", "predicted"])
    return Table("Mistakes by class.", [*columns, Column("labels", False), Column("meaning", False)], rows)


def of_pairs(confusion: Mapping[str, Any]) -> Table:
    """RETURNS (Table): The most frequent confusions."""
    rows = [[Cell(each["gold"]), Cell(each["predicted"]), _integer(each["count"])] for each in confusion["pairs"]]
    columns = [Column("gold", False), Column("predicted", False), Column(confusion["unit"])]
    return Table("Most frequent confusions.", columns, rows)


def of_calibration(calibration: Mapping[str, Any]) -> Table:
    """RETURNS (Table): Figures of the calibration."""
    figures = {
        "predictions with a probability": _integer(calibration["n"]),
        "mean probability": _number(calibration["mean_probability"]),
        "share that is right": _number(calibration["share_right"]),
        "expected calibration error (ECE)": _number(calibration["ece"]),
        "the same in bins of equal mass": _number(calibration["ece_adaptive"]),
        "Brier score": _number(calibration["brier"]),
        "log-loss, in nats": _number(calibration["log_loss"]),
    }
    columns = [Column("figure", False), Column("value")]
    return Table("How far probabilities come true.", columns, [[Cell(name), cell] for name, cell in figures.items()])


def of_bins(calibration: Mapping[str, Any]) -> Table:
    """RETURNS (Table): The bins of the reliability diagram that are not empty."""
    rows = []
    for each in calibration["bins"]:
        if each["n"]:
            name = f"{each['low']:.2f}{EN_DASH}{each['high']:.2f}"
            means = [_number(each["mean_probability"]), _number(each["share_right"])]
            rows.append([Cell(name, each["low"]), _integer(each["n"]), *means])
    columns = [Column("probability"), Column("predictions"), Column("mean probability"), Column("share that is right")]
    return Table("Bins of the reliability diagram.", columns, rows)


def of_domains(data: Mapping[str, Any]) -> Table:
    """RETURNS (Table): Where the documents come from."""
    rows = [[Cell(each["name"]), _integer(each["documents"]), _integer(each["tokens"])] for each in data["domains"]]
    return Table("Documents by domain.", _columns("domain", ["documents", "tokens"]), rows)


class Heat(NamedTuple):
    """A confusion matrix: labels, and for each row its counts, with their shares of the row."""

    labels: Sequence[str]
    rows: List[List[Dict[str, Any]]]
    caption: str


def of_confusion(confusion: Mapping[str, Any]) -> Heat:
    """RETURNS (Heat): A confusion matrix."""
    rows = []
    for i, counts in enumerate(confusion["matrix"]):
        total = sum(counts)
        cells = []
        for j, n in enumerate(counts):
            share = round(n / total, 3) if total else 0
            cells.append({"text": f"{n:,}", "share": share, "kind": ("same" if i == j else "") if n else "none"})
        rows.append(cells)
    if confusion["others"]:  # some of these are right, and some are not
        rows[-1][-1]["kind"] = "none"
    if confusion["unit"] == "spans" and confusion["none"] is not None:
        rows[confusion["none"]][confusion["none"]]["text"] = ""  # nobody counts what is neither annotated nor predicted
    caption = f"Rows: gold; columns: predicted; counts of {confusion['unit']}, tinted by their share of the row."
    return Heat(confusion["labels"], rows, caption)


def _columns(first: str, others: Sequence[str]) -> List[Column]:
    return [Column(first, False), *map(Column, others)]


def _integer(n: Optional[int]) -> Cell:
    return Cell(EN_DASH if n is None else f"{n:,}", n)


def _percent(share: Optional[float]) -> Cell:
    return Cell(percent(share), share)


def _number(value: Optional[float]) -> Cell:
    return Cell(EN_DASH if value is None else f"{value:.3f}", value)


def _scores(row: Mapping[str, Any]) -> List[Cell]:
    return [_percent(row[key]) for key in PRF]


def _bounds(row: Mapping[str, Any]) -> List[Cell]:
    bounds = row["intervals"]["f1"]
    return [Cell(interval(bounds), None if bounds is None else bounds["low"])]


def _accuracy(each: Mapping[str, Any]) -> List[Cell]:
    bounds = each["interval"]
    between = Cell(interval(bounds), None if bounds is None else bounds["low"])
    return [_integer(each["correct"]), _integer(each["total"]), _percent(each["accuracy"]), between]
