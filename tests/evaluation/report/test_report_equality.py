"""Scores are those of spaCy's Scorer and of seqeval, to the last digit; `test_report_schemes` has nervaluate."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_docs import flat_pairs, spacy_examples
from seqeval.metrics import accuracy_score, classification_report
from spacy.scorer import Scorer, get_ner_prf
from spacy.training import Example
from spacy.training.iob_utils import biluo_to_iob, doc_to_biluo_tags

from spacy_ctxtag.evaluation.report.known import Known
from spacy_ctxtag.evaluation.report.reading import read_ents, read_frame, read_group, read_tags
from spacy_ctxtag.evaluation.report.spans import SpanReport
from spacy_ctxtag.evaluation.report.tags import TagReport
from spacy_ctxtag.evaluation.scorers import score_ner, score_tagger

LAST_DIGIT = 2e-16


def report_of(examples: list[Example], layer: str = "ents") -> dict[str, Any]:
    """RETURNS (dict): The report of a layer; {} where nothing is annotated."""
    report: Any = SpanReport(layer, Known(), can_overlap=layer != "ents")
    if layer in ("tag", "pos"):
        report = TagReport(Known())
    found = False
    for number, eg in enumerate(examples, 1):
        frame = read_frame(eg.reference, number)
        if layer == "ents":
            record: Any = read_ents(eg, frame)
        else:
            record = read_tags(eg, frame, layer) if layer in ("tag", "pos") else read_group(eg, frame, "sc")
        if record is not None:
            found = True
            report.add(record)
    return report.result(0, 0) if found else {}


def close(value: Any, expected: Any) -> bool:
    return value == pytest.approx(expected, abs=LAST_DIGIT, rel=LAST_DIGIT)


@given(examples=spacy_examples())
@settings(max_examples=100)
def test_entities_score_as_with_spacy(examples: list[Example]) -> None:
    expected, report = get_ner_prf(examples), report_of(examples)
    if expected["ents_f"] is None:
        assert not report or not report["labels"]
        return
    micro = report["averages"]["micro"]
    assert close([micro["precision"], micro["recall"], micro["f1"]], [expected[f"ents_{key}"] for key in "prf"])
    per_type = {each["name"]: [each["precision"], each["recall"], each["f1"]] for each in report["labels"]}
    for label, scores in expected["ents_per_type"].items():
        assert close(per_type.get(label, [0.0] * 3), [scores[key] for key in "prf"])


@given(examples=flat_pairs())
@settings(max_examples=100)
def test_entities_score_as_with_our_own_scorer(examples: list[Example]) -> None:
    expected, report = score_ner(examples), report_of(examples)
    assert close(report["sequences"]["accuracy"], expected["ents_seq_acc"])
    if expected["ents_macro_f"] is not None:
        assert close(report["averages"]["macro_gold"]["f1"], expected["ents_macro_f"])


@given(examples=spacy_examples())
@settings(max_examples=100)
def test_span_groups_score_as_with_spacy(examples: list[Example]) -> None:
    annotated = [eg for eg in examples if "sc" in eg.reference.spans]
    expected = Scorer.score_spans(
        annotated,
        "spans_sc",
        getter=lambda doc, _: doc.spans.get("sc", []),
        has_annotation=lambda doc: "sc" in doc.spans,
        allow_overlap=True,
        labeled=True,
    )
    report = report_of(examples, "spans:sc")
    if expected["spans_sc_f"] is None:
        assert not report or not report["labels"]
        return
    micro = report["averages"]["micro"]
    assert close([micro["precision"], micro["recall"], micro["f1"]], [expected[f"spans_sc_{key}"] for key in "prf"])


@pytest.mark.parametrize("attr", ["tag", "pos"])
@given(examples=spacy_examples())
@settings(max_examples=100)
def test_tags_score_as_with_spacy(examples: list[Example], attr: str) -> None:
    annotated = [eg for eg in examples if eg.reference.has_annotation(attr.upper())]
    report = report_of(examples, attr)
    assert bool(report) == bool(annotated)
    if annotated:
        expected = Scorer.score_token_attr(annotated, attr)
        assert close(report["averages"]["micro"]["f1"], expected[f"{attr}_acc"])


@given(examples=flat_pairs(), data=st.data())
@settings(max_examples=50)
def test_sequences_of_tags_score_as_with_our_own_scorer(examples: list[Example], data: Any) -> None:
    tags = st.sampled_from(["N", "V", ""])
    for eg in examples:
        for doc in (eg.predicted, eg.reference):
            for token in doc:
                token.tag_ = data.draw(tags)
    expected, report = score_tagger(examples, attrs=["tag"]), report_of(examples, "tag")
    assert close(report["sequences"]["accuracy"] if report else None, expected["tag_seq_acc"])


@given(examples=flat_pairs())
@settings(max_examples=100)
def test_entities_score_as_with_seqeval(examples: list[Example]) -> None:
    gold, guess = (
        [biluo_to_iob(doc_to_biluo_tags(doc)) for doc in docs]
        for docs in ([eg.reference for eg in examples], [eg.predicted for eg in examples])
    )
    report = report_of(examples)
    assert close(report["tokens"]["all"]["accuracy"], accuracy_score(gold, guess))
    if not report["labels"]:  # seqeval has no answer there
        return
    expected: Any = classification_report(gold, guess, output_dict=True, zero_division=0)
    for name in ("micro", "macro", "weighted"):
        scores, found = expected[f"{name} avg"], report["averages"][name]
        assert close(
            [found["precision"], found["recall"], found["f1"]],
            [scores["precision"], scores["recall"], scores["f1-score"]],
        )
    for each in report["labels"]:
        scores = expected[each["name"]]
        assert each["gold"] == scores["support"]
        assert close(
            [each["precision"], each["recall"], each["f1"]],
            [scores["precision"], scores["recall"], scores["f1-score"]],
        )
