"""Parts, confusions, classes by label, intervals, calibration, and the worst."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_docs import any_spans, make_frame, make_record

from spacy_ctxtag.evaluation.mentions import hash_mention
from spacy_ctxtag.evaluation.reliability import ece
from spacy_ctxtag.evaluation.report.confusion import MOST_LABELS, Confusion
from spacy_ctxtag.evaluation.report.known import Known
from spacy_ctxtag.evaluation.report.outcomes import Outcomes
from spacy_ctxtag.evaluation.report.parts import (
    FREQUENCIES,
    MENTION_LENGTHS,
    MOST,
    SENTENCE_LENGTHS,
    Parts,
    find_nested,
)
from spacy_ctxtag.evaluation.report.records import NO_TAG, Guess, Mention, TagRecord
from spacy_ctxtag.evaluation.report.scores import Scores
from spacy_ctxtag.evaluation.report.spans import SpanReport
from spacy_ctxtag.evaluation.report.tags import TagReport
from spacy_ctxtag.evaluation.report.tally import Tally
from spacy_ctxtag.evaluation.report.worst import MOST_TOKENS, MOST_TOKENS_OF_A_DOCUMENT, SIZE, Worst

LONG = 14


def report_of(*records: Any, known: Known | None = None, layer: str = "spans:sc", **draws: int) -> dict[str, Any]:
    report = SpanReport(layer, known or Known(), can_overlap=layer != "ents")
    for record in records:
        report.add(record)
    return report.result(draws.get("n_samples", 0), 0)


def rows(report: dict[str, Any], by: str) -> dict[str, tuple[Any, ...]]:
    """RETURNS (dict): Of a breakdown, by name gold, predicted and correct."""
    [found] = [each["rows"] for each in report["breakdowns"] if each["by"] == by]
    return {each["name"]: (each["gold"], each["predicted"], each["correct"]) for each in found}


def tag_report(*records: TagRecord, known: Known | None = None) -> dict[str, Any]:
    report = TagReport(known or Known())
    for record in records:
        report.add(record)
    return report.result(0, 0)


# Parts


@pytest.mark.parametrize(
    ("bucket", "n", "name"),
    [(MENTION_LENGTHS, 1, "1"), (MENTION_LENGTHS, 4, "4"), (MENTION_LENGTHS, 77, "5 or more"), (FREQUENCIES, 0, "0"),
     (FREQUENCIES, 4, "2 to 4"), (SENTENCE_LENGTHS, 10, "1 to 10"), (SENTENCE_LENGTHS, 11, "11 to 20"),
     (SENTENCE_LENGTHS, 81, "81 or more"), (SENTENCE_LENGTHS, 0, "1 to 10")],
)  # fmt: skip
def test_buckets_have_the_names_of_their_ranges(bucket: Any, n: int, name: str) -> None:
    assert bucket(n) == name


@given(docs=st.lists(st.tuples(any_spans(LONG), any_spans(LONG)), min_size=1, max_size=3))
@settings(max_examples=100)
def test_parts_sum_to_the_whole(docs: Any) -> None:
    records = [make_record(*pair, LONG, i, domain=f"d{i % 2}", has_sentences=True) for i, pair in enumerate(docs, 1)]
    known = Known({}, {"spans:sc": {hash_mention("w", "A"): 2}}, None, has_counts=True)
    report = report_of(*records, known=known)
    whole = tuple(sum(each[name] for each in report["labels"]) for name in ("gold", "predicted", "correct"))
    for part in report["breakdowns"]:
        sums = tuple(sum(each[name] or 0 for each in part["rows"]) for name in ("gold", "predicted", "correct"))
        assert sums == (whole if part["by"] != "nesting" else (whole[0], 0, whole[2]))


def test_parts_of_a_document_are_those_of_its_spans() -> None:
    known = Known({}, {"spans:sc": {hash_mention("w w", "A"): 7, hash_mention("w", "B"): 1}}, None, has_counts=True)
    sentences = {"sequences": [(0, 4), (4, 30)], "has_sentences": True, "domain": "law"}
    record = make_record([(0, 2, "A"), (5, 6, "B")], [(0, 2, "A"), (5, 6, "A")], 30, **sentences)
    report = report_of(record, known=known)
    assert rows(report, "domain") == {"law": (2, 2, 1)}
    assert rows(report, "mention_length") == {"1": (1, 1, 0), "2": (1, 1, 1)}
    assert rows(report, "multiword") == {"one token": (1, 1, 0), "several tokens": (1, 1, 1)}
    assert rows(report, "sentence_length") == {"1 to 10": (1, 1, 1), "21 to 40": (1, 1, 0)}
    assert rows(report, "seen") == {"seen": (2, 1, 1), "unseen": (0, 1, 0)}
    assert rows(report, "train_frequency") == {"0": (0, 1, 0), "1": (1, 0, 0), "5 to 9": (1, 1, 1)}
    assert [each["analysis"] for each in report["unavailable"]] == ["calibration", "nesting"]


def test_without_spans_that_is_the_reason_for_all_that_lacks() -> None:
    reasons = {each["analysis"]: each["reason"] for each in report_of(make_record([], [], LONG))["unavailable"]}
    assert reasons["sentence_length"] == reasons["seen"] == reasons["train_frequency"] == "no span is annotated"


def test_parts_of_nested_spans_have_their_recall() -> None:
    record = make_record([(0, 5, "A"), (1, 2, "A"), (7, 8, "A")], [(1, 2, "A")], LONG)
    report = report_of(record)
    assert rows(report, "nesting") == {"overlaps another": (2, None, 1), "overlaps no other": (1, None, 0)}


@given(spans=any_spans(LONG))
def test_nested_spans_are_those_that_overlap_another(spans: Any) -> None:
    mentions = [Mention(*each) for each in sorted(spans)]
    expected = [any(a is not b and a.start < b.end and b.start < a.end for b in mentions) for a in mentions]
    assert find_nested(mentions) == expected


def test_parts_are_bounded() -> None:
    parts = Parts()
    for i in range(3 * MOST):
        parts.add({"domain": f"file {i}"}, gold=1)
    [part] = parts.result()
    assert len(part["rows"]) == MOST + 1
    assert sum(each["gold"] for each in part["rows"]) == 3 * MOST


# Confusions and classes


@given(gold=any_spans(LONG), predicted=any_spans(LONG))
@settings(max_examples=100)
def test_confusion_of_spans_has_all_of_them(gold: Any, predicted: Any) -> None:
    report = report_of(make_record(gold, predicted, LONG))
    confusion = report["confusion"]["spans"]
    matrix = np.array(confusion["matrix"])
    sums = {each["name"]: (each["gold"], each["predicted"]) for each in report["labels"]}
    for i, label in enumerate(confusion["labels"][:-1]):
        assert (matrix[i].sum(), matrix[:, i].sum()) == sums[label]
    assert confusion["labels"][confusion["none"]] == "O"
    assert matrix[-1, -1] == 0


@given(gold=any_spans(LONG), predicted=any_spans(LONG))
@settings(max_examples=100)
def test_classes_have_all_spans(gold: Any, predicted: Any) -> None:
    errors = report_of(make_record(gold, predicted, LONG))["errors"]
    assert sum(each["gold"] for each in errors) == len(gold)
    assert sum(each["predicted"] for each in errors) == len(predicted)
    for each in errors:
        assert sum(each["by_label"].values()) == each["predicted" if each["class"] == "spurious" else "gold"]


def test_confusion_of_tokens_leaves_out_white_space_and_what_is_unknown() -> None:
    record = make_record([(0, 2, "A")], [(0, 1, "A")], 4, is_space=[False, False, True, False])
    record.known[3] = False
    confusion = report_of(record, layer="ents")["confusion"]["tokens"]
    assert (confusion["labels"], confusion["matrix"]) == (["A", "O"], [[1, 1], [0, 0]])
    assert confusion["pairs"] == [{"gold": "A", "predicted": "O", "count": 1}]


def test_confusion_puts_rare_labels_together() -> None:
    confusion = Confusion("tokens", has_none=False)
    for i in range(MOST_LABELS + 5):
        confusion.pairs[f"{i:03}", f"{i:03}"] = 100 - i
    confusion.pairs["034", "000"] = 1
    found = confusion.result()
    assert (len(found["labels"]), found["labels"][-1], found["others"], found["none"]) == (31, "…", True, None)
    assert found["matrix"][30][0] == 1
    assert found["matrix"][30][30] == sum(100 - i for i in range(30, 35))


def test_spans_that_overlap_have_no_tags_of_tokens() -> None:
    report = report_of(make_record([(0, 2, "A"), (1, 3, "A")], [], 4))
    assert report["tokens"] is None
    assert report["confusion"]["tokens"] is None
    assert "tokens" in [each["analysis"] for each in report["unavailable"]]


# Intervals


@pytest.mark.parametrize("n_docs", [2, 7])
def test_intervals_are_those_of_documents_drawn_one_by_one(n_docs: int) -> None:
    rng = np.random.default_rng(1)
    counts = rng.integers(1, 4, (n_docs, 3))
    scores = Scores(["tokens"])
    for hits, missed, wrong in counts.tolist():
        scores.add({"A": hits}, {"A": hits + wrong}, {"A": hits + missed}, {"tokens": (hits, hits + missed)})
    found = scores.result(20_000, 0)
    draws = counts[np.random.default_rng(2).integers(0, n_docs, (20_000, n_docs))].sum(axis=1)
    h, missed, wrong = draws.T
    values = {
        "precision": h / np.maximum(1, h + wrong),
        "recall": h / np.maximum(1, h + missed),
        "f1": 2 * h / np.maximum(1, 2 * h + wrong + missed),
    }
    for name, drawn in values.items():
        expected = np.percentile(drawn, [2.5, 97.5])
        for interval in (found["labels"][0]["intervals"][name], found["averages"]["micro"]["intervals"][name]):
            assert [interval["low"], interval["high"]] == pytest.approx(expected.tolist(), abs=0.03)
    interval = found["tokens"]["interval"]
    assert [interval["low"], interval["high"]] == pytest.approx(np.percentile(values["recall"], [2.5, 97.5]), abs=0.03)


@pytest.mark.parametrize(("n_docs", "n_samples"), [(1, 100), (5, 0)])
def test_intervals_need_two_documents_and_draws(n_docs: int, n_samples: int) -> None:
    report = report_of(*[make_record([(0, 1, "A")], [], 3, i) for i in range(n_docs)], n_samples=n_samples)
    assert report["averages"]["micro"]["intervals"] == {"precision": None, "recall": None, "f1": None}


def test_intervals_of_equal_documents_have_no_width() -> None:
    records = [make_record([(0, 1, "A"), (1, 2, "B")], [(0, 1, "A")], 3, i) for i in range(4)]
    micro = report_of(*records, n_samples=50)["averages"]["micro"]
    assert (
        micro["intervals"]["recall"] == {"low": 0.5, "high": 0.5} == {"low": micro["recall"], "high": micro["recall"]}
    )


def test_intervals_are_of_the_draws_that_have_the_label() -> None:
    scores = Scores([])
    for n in range(20):
        scores.add({"all": 1}, {"all": 1, "few": 1}, {"all": 1, "few": n < 5, "one": n < 1}, {})
    labels = {each["name"]: each["intervals"] for each in scores.result(2000, 0)["labels"]}
    right = {"low": 1.0, "high": 1.0}
    assert labels["all"] == {"precision": right, "recall": right, "f1": right}
    assert labels["few"]["recall"] == {"low": 0.0, "high": 0.0}  # of the draws, 0.3 % have none
    assert labels["one"] == {"precision": None, "recall": None, "f1": None}  # of the draws, 36 % have none


def test_tally_draws_documents_without_counts_too() -> None:
    tally = Tally()
    for counts in ({("a",): 1}, {}):
        tally.add(counts)
    low, high = tally.draw(lambda totals: totals, [("a",), ("never",)], 1000, 0) or ([], [])
    assert (list(low), list(high)) == ([0, 0], [2, 0])


# Calibration


@given(pairs=st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50))
def test_calibration_is_that_of_the_reliability_table(pairs: list[tuple[float, bool]]) -> None:
    outcomes = Outcomes()
    for probability, hit in pairs:
        outcomes.add(probability, hit)
    outcomes.add(None, True)
    found: Any = outcomes.result()
    probs, hits = zip(*pairs, strict=True)
    assert found["n"] == len(pairs) == sum(each["n"] for each in found["bins"])
    assert found["ece"] == pytest.approx(ece(probs, hits))


def test_calibration_is_none_without_probabilities() -> None:
    report = report_of(make_record([(0, 1, "A")], [(0, 1, "A")], 3))
    assert (report["has_probabilities"], report["calibration"], report["confident_errors"]) == (False, None, [])


# The worst


@given(scores=st.lists(st.integers(0, 5), max_size=30), size=st.integers(1, 5))
def test_worst_keeps_the_highest_and_of_equal_ones_the_first(scores: list[int], size: int) -> None:
    worst = Worst(size)
    for i, score in enumerate(scores):
        worst.offer(score, lambda i=i: i)
    assert worst.result() == sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:size]


def test_worst_makes_only_what_it_keeps() -> None:
    worst, made = Worst(2), []
    for score in (3, 2, 1, 0):
        worst.offer(score, lambda score=score: made.append(score))
    assert made == [3, 2]


def test_confident_errors_are_the_wrong_spans_by_their_probability() -> None:
    text = {
        "text": "aa bb \n cc",
        "starts": [0, 3, 6, 8],
        "ends": [2, 5, 7, 10],
        "is_space": [False, False, True, False],
    }
    guesses = [(0, 1, "A", 0.5), (1, 2, "A", 0.75), (3, 4, "B", 0.25)]
    report = report_of(make_record([(0, 1, "A"), (3, 4, "A")], guesses, 4, **text))
    first, second = report["confident_errors"]
    assert (first["class"], first["label"], first["probability"], first["text"]) == ("spurious", "A", 0.75, "bb")
    assert (second["class"], second["text"]) == ("type", "cc")
    excerpt = second["excerpt"]
    assert excerpt["tokens"] == [[0, 2], [3, 5], [8, 10]]
    shown = excerpt["predicted"][second["index"]]
    assert excerpt["text"][shown["start"] : shown["end"]] == "cc"
    assert (shown["start_token"], shown["end_token"], shown["probability"]) == (2, 3, 0.25)
    assert [each["class"] for each in excerpt["gold"]] == ["correct", "type"]
    assert excerpt["place"]["is_whole"]


def test_excerpts_of_long_documents_are_cut() -> None:
    n = 2000
    record = make_record([(900, 901, "A")], [(905, 906, "A", 0.5), (3, 4, "A", 0.25)], n)
    report = report_of(record)
    first = report["confident_errors"][0]["excerpt"]
    assert len(first["tokens"]) == MOST_TOKENS + 1
    assert first["place"]["start"] == 2 * (905 - MOST_TOKENS // 2)
    [marked] = first["predicted"]
    assert (marked["start"], marked["start_token"]) == (MOST_TOKENS, MOST_TOKENS // 2)
    costly = report["costly_documents"][0]
    assert (costly["cost"], len(costly["excerpt"]["tokens"])) == (3, MOST_TOKENS_OF_A_DOCUMENT)
    assert not costly["excerpt"]["place"]["is_whole"]


def test_excerpts_show_the_whole_of_what_an_error_is_compared_with() -> None:
    sentences = {"sequences": [(0, 4), (4, 8), (8, 12)], "has_sentences": True}
    [error] = report_of(make_record([(2, 6, "A")], [(5, 6, "A", 0.5)], 12, **sentences))["confident_errors"]
    assert [(each["start_token"], each["end_token"]) for each in error["excerpt"]["gold"]] == [(2, 6)]
    assert len(error["excerpt"]["tokens"]) == 8
    assert error["excerpt"]["predicted"][error["index"]]["start_token"] == 5


def test_excerpts_cut_spans_that_cross_their_borders() -> None:
    record = make_record([(0, 400, "A")], [(200, 202, "A", 0.5), (249, 300, "B", 0.25)], 400)
    error = report_of(record)["confident_errors"][0]
    assert [(each["start"], each["end_token"]) for each in error["excerpt"]["gold"]] == [(0, MOST_TOKENS + 2)]
    shown = [(each["start_token"], each["end_token"]) for each in error["excerpt"]["predicted"]]
    assert shown == [(50, 52), (99, 102)]
    assert error["excerpt"]["predicted"][0]["label"] == error["label"]


def test_excerpts_of_endless_spans_are_cut() -> None:
    n = 5000
    record = make_record([(0, 9, "A"), (4000, n, "A")], [(4, n, "A", 0.5), (3000, 3001, "B", 0.25)], n)
    long, short = report_of(record)["confident_errors"]
    assert (len(long["excerpt"]["tokens"]), len(long["text"])) == (4 + MOST_TOKENS_OF_A_DOCUMENT + 50, 2 * 350 - 1)
    assert len(short["excerpt"]["tokens"]) == MOST_TOKENS + 1
    for error in (long, short):
        shown, text = error["excerpt"]["predicted"][error["index"]], error["excerpt"]["text"]
        assert (shown["label"], shown["probability"]) == (error["label"], error["probability"])
        assert text[shown["start"] : shown["end"]] == error["text"]


def test_confident_errors_point_at_themselves_among_equals() -> None:
    [error] = report_of(make_record([(0, 1, "A")], [(0, 1, "A", 0.5)] * 2, 3))["confident_errors"]
    assert error["excerpt"]["predicted"][error["index"]]["class"] == error["class"] == "spurious"


def test_costly_documents_are_those_with_most_errors() -> None:
    good = make_record([(0, 1, "A")], [(0, 1, "A")], 3, 1)
    bad = [make_record([(0, 1, "A")], [(1, 2, "A")], 3, i, name=f"doc {i}") for i in range(2, 2 * SIZE)]
    worst = make_record([(0, 1, "A")], [(1, 2, "A"), (2, 3, "B")], 3, 999, name="worst")
    found = report_of(good, *bad, worst)["costly_documents"]
    assert len(found) == SIZE
    assert [(each["excerpt"]["place"]["document"], each["cost"]) for each in found[:3]] == [
        ("worst", 3),
        ("doc 2", 2),
        ("doc 3", 2),
    ]
    assert (found[0]["gold"], found[0]["predicted"], found[0]["correct"]) == (1, 2, 0)


# Tags


def make_tags(gold: str, guesses: str, probs: list[float | None], **settings: Any) -> TagRecord:
    """RETURNS (TagRecord): Tags of one letter; "-" for none."""
    found = [Guess(i, NO_TAG if tag == "-" else tag, p) for i, (tag, p) in enumerate(zip(guesses, probs, strict=True))]
    known = ["" if tag == "-" else tag for tag in gold]
    return TagRecord(make_frame(len(gold), **settings), known, [each for each in found if known[each.token]])


def test_tags_are_counted_where_they_are_annotated() -> None:
    report = tag_report(make_tags("NV-N", "NNV-", [0.9, 0.75, 0.5, None], has_sentences=True))
    assert report["accuracy"]["correct"] == 1
    assert report["accuracy"]["total"] == 3
    assert {each["name"]: each["gold"] for each in report["labels"]} == {"N": 2, "V": 1, NO_TAG: 0}
    assert report["sequences"]["correct"] == 0
    assert rows(report, "sentence_length") == {"1 to 10": (3, 3, 1)}
    assert report["calibration"]["n"] == 2
    [error] = report["confident_errors"]
    assert (error["gold"], error["predicted"], error["probability"], error["text"], error["index"]) == (
        "V",
        "N",
        0.75,
        "w",
        0,
    )
    assert [each["predicted"] for each in report["costly_documents"][0]["excerpt"]["wrong"]] == ["N", ""]
    # N: one of two found, one of two right. V: not found. That a token has no tag is no label.
    assert report["averages"]["macro"]["f1"] == pytest.approx((0.5 + 0) / 2)


def test_tags_of_words_that_training_has_not_seen_are_told_apart() -> None:
    text = {"text": "old new old", "starts": [0, 4, 8], "ends": [3, 7, 11]}
    record = make_tags("NNN", "NVN", [None] * 3, **text)
    report = tag_report(record, known=Known({}, {}, {"old": 3}, has_counts=True))
    assert rows(report, "known_word") == {"known": (2, 2, 2), "unknown": (1, 1, 0)}
    assert rows(report, "word_frequency") == {"0": (1, 1, 0), "2 to 4": (2, 2, 2)}
    assert "known_word" in [each["analysis"] for each in tag_report(record)["unavailable"]]


def test_tags_of_a_token_that_is_cut_up_are_wrong() -> None:
    record = TagRecord(make_frame(2), ["N", "V"], [Guess(0, "N"), Guess(0, "V"), Guess(1, "V")])
    report = tag_report(record)
    assert report["sequences"]["correct"] == 0
    assert (report["accuracy"]["correct"], report["accuracy"]["total"]) == (1, 2)
    [costly] = report["costly_documents"]
    assert (costly["cost"], costly["tokens"]) == (1, 2)
    assert [(each["gold"], each["predicted"]) for each in costly["excerpt"]["wrong"]] == [("N", "V")]
    assert [(each["gold"], each["predicted"]) for each in report["confusion"]["pairs"]] == [("N", "V")]


def test_tags_of_white_space_count_for_micro_alone() -> None:
    spaced = make_tags("NN_", "NN_", [None] * 3, is_space=[False, False, True])
    record = TagRecord(spaced.frame, spaced.gold, spaced.guesses[:2])  # what `read_tags` makes of it
    report = tag_report(record, known=Known({}, {}, {"w": 2}, has_counts=True))
    assert (report["accuracy"]["correct"], report["accuracy"]["total"]) == (2, 2)
    assert report["averages"]["micro"]["f1"] == pytest.approx(4 / 5)
    assert rows(report, "known_word") == {"known": (2, 2, 2)}


# Without nervaluate


def test_schemes_are_left_out_where_their_package_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spacy_ctxtag.evaluation.report.schemes.has_nervaluate", lambda: False)
    report = report_of(make_record([(0, 1, "A")], [(0, 1, "A")], 3))
    assert (report["schemes"], report["labels"][0]["schemes"]) == (None, None)
    assert "schemes" in [each["analysis"] for each in report["unavailable"]]
