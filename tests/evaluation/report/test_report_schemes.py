"""Strict, exact, partial and type scores are those of nervaluate, to the last digit."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from nervaluate import Evaluator
from random_docs import any_spans, make_record

from spacy_ctxtag.evaluation.report.known import Known
from spacy_ctxtag.evaluation.report.spans import SpanReport

LONG = 14
NERVALUATE = {"strict": "strict", "exact": "exact", "partial": "partial", "type": "ent_type"}
COUNTS = ("correct", "incorrect", "partial", "missed", "spurious", "possible", "actual")


@given(docs=st.lists(st.tuples(any_spans(LONG, 8), any_spans(LONG, 8)), min_size=1, max_size=4))
@settings(max_examples=100)
def test_spans_score_as_with_nervaluate(docs: Any) -> None:
    report = SpanReport("spans:sc", Known(), can_overlap=True)
    for number, (gold, predicted) in enumerate(docs, 1):
        report.add(make_record(gold, predicted, LONG, number))
    found = report.result(0, 0)
    # All documents as one, far apart: for several, nervaluate forgets that a partial match counts half.
    overall, by_label = evaluate_by_nervaluate(docs)
    assert [(name, scores(scheme)) for name, scheme in found["schemes"].items()] == overall
    for each in found["labels"]:
        assert [(name, scores(scheme)) for name, scheme in each["schemes"].items()] == by_label(each["name"])


def scores(scheme: dict[str, Any]) -> list[float]:
    return [*(scheme[name] for name in COUNTS), scheme["precision"], scheme["recall"], scheme["f1"]]


def evaluate_by_nervaluate(docs: Any) -> tuple[list[Any], Any]:
    """RETURNS (tuple): What it says of all labels, and a function that gives what it says of one."""
    sides: list[list[dict[str, Any]]] = [[], []]
    for i, pair in enumerate(docs):
        for side, spans in zip(sides, pair, strict=True):
            moved = [(start + LONG * i, end + LONG * i - 1, label) for start, end, label in sorted(spans)]
            side += [{"start": start, "end": end, "label": label} for start, end, label in moved]
    labels = sorted({each["label"] for side in sides for each in side})
    results = Evaluator([sides[0]], [sides[1]], tags=labels, loader="dict").evaluate()

    def listed(of: Any) -> list[Any]:
        found = {name: of[theirs] for name, theirs in NERVALUATE.items()}
        return [
            (name, [*(getattr(r, count) for count in COUNTS), r.precision, r.recall, r.f1]) for name, r in found.items()
        ]

    return listed(results["overall"]), lambda label: listed(results["entities"][label])
