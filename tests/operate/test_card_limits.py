"""The limits that a card names are those that the report shows, and no others."""

from typing import Any

import pytest
from card_helpers import HOSTILE, make_report, make_spans, make_tags, row, scores

from spacy_ctxtag.operate.card_limits import find_limits
from spacy_ctxtag.operate.markdown import code

AVERAGES = make_spans()["averages"]
PRUNED = {
    "encoders": [
        {"layers": [0, 3], "layers_before": 6, "units": 512, "units_before": 1536, "heads_removed": 4},
        {"layers": [0], "layers_before": 1, "units": 9, "units_before": 12, "heads_removed": 0},
    ],
    "drop": 0.42,
    "calibrated_before": ["ctx_ner"],
}


def limits(report: dict[str, Any], meta: dict[str, Any] | None = None, encoders: Any = ()) -> str:
    return "\n".join(find_limits(report, meta or {}, encoders))


@pytest.mark.parametrize(
    "sentence",
    [
        "those on 120 documents from `news`, <code>law&#124;y</code>.",
        "Entities: F is lowest for `per-son` 50.0 (95 % interval 45.0 to 55.0, 35 in the test data), "
        f"{code(HOSTILE)} 60.0 (95 % interval 55.0 to 65.0, 75 in the test data), `Örtlichkeit` 75.0 (",
        "over all labels F is 80.0.",
        "fewer than 30 examples in the test data, so little is known about `PERSON` (15).",
        "Entities: F is lowest in <code>law&#124;y</code> 65.0 (of 50); over all 80.0.",
        "Entities: F is lower for mentions that are not in the training data: `unseen` 77.0 (of 50)",
        "Entities: F is lower in long sentences: `41 to 80` 70.0 (of 50)",
        "Entities: probabilities are too high, on average by 3.5 points.",
        "Entities: not analysed: train_frequency (name it with --train).",
        "Parts of speech: there are no probabilities",
    ],
)
def test_limits_say_what_the_report_shows(sentence: str) -> None:
    assert sentence in limits(make_report())


@pytest.mark.parametrize(
    "word", ["long mentions", "not measured", "training data, so", "no intervals", "computes in", "windows"]
)
def test_limits_do_not_say_what_the_report_does_not_show(word: str) -> None:
    assert word not in limits(make_report())


def test_limits_of_a_perfect_report_are_those_of_its_data() -> None:
    labels = [{"name": "A", "gold": 90, "predicted": 90, "correct": 90, **scores(1.0)}]
    perfect = {key: scores(1.0) for key in ("micro", "macro", "macro_gold", "weighted")}
    rows = [{"by": "domain", "unit": "", "rows": [row("news", 1.0)]}]
    calibration = {"mean_probability": 0.99, "share_right": 1.0}
    spans = make_spans(
        labels=labels, averages=perfect, breakdowns=rows, set_by=[], unavailable=[], calibration=calibration
    )
    assert len(find_limits(make_report(components=[spans]), {}, [])) == 1


def test_limits_name_labels_that_the_test_data_lack() -> None:
    model = {**make_report()["model"], "labels": {"entity_ruler": ["PERSON", "EVENT"]}}
    assert "not measured, since the test data have none: `EVENT`." in limits(make_report(model=model))


def test_limits_tell_scores_that_are_too_good() -> None:
    data = make_report()["data"]
    assert "**3 of these documents were in the training data" in limits(make_report(data={**data, "trained_on": 3}))
    assert "does not say what it was trained on" in limits(make_report(data={**data, "trained_on": None}))


def test_limits_tell_that_there_are_no_intervals() -> None:
    run, labels = make_report()["run"], make_spans()["labels"]
    bare = [{**label, "intervals": dict.fromkeys(("precision", "recall", "f1"))} for label in labels]
    averages = {key: {**each, "intervals": dict.fromkeys(each["intervals"])} for key, each in AVERAGES.items()}
    found = limits(make_report(run=run, components=[make_spans(labels=bare, averages=averages)]))
    assert "There are no intervals" in found
    assert "`per-son` 50.0 (35 in the test data)" in found


def test_limits_tell_smaller_numbers_and_what_they_cost() -> None:
    model = {**make_report()["model"], "precision": {"ctx_ner": "int8", "ctx_tagger": "fp32"}}
    figures = {"before": {"scores": {"ents_f": 93.14}}, "after": {"scores": {"ents_f": 92.9}}, "dev": "dev.spacy"}
    found = limits(make_report(model=model), {"ctx_quantized": figures})
    assert "The encoder of `ctx_ner` computes in `int8`" in found
    assert "on `dev.spacy`, went `ents_f` from 93.1 to 92.9." in found
    assert "`ctx_tagger`" not in found


def test_limits_say_what_automatic_precision_is() -> None:
    model = {**make_report()["model"], "precision": {"ctx_ner": "auto"}}
    scores = {"before": {"scores": {"ents_f": 93.14}}, "after": {"scores": {"ents_f": 92.9}}}
    found = limits(make_report(model=model), {"ctx_quantized": {**scores, "precision": "int8", "dev": "dev.spacy"}})
    assert "computes in `auto`" not in found
    assert "The encoder of `ctx_ner` computes in the fastest of the numbers in which its scores were measured" in found
    assert "In `int8`, on `dev.spacy`, went `ents_f` from 93.1 to 92.9." in found


def test_limits_tell_what_was_pruned_and_what_it_cost() -> None:
    found = limits(make_report(), {"ctx_prune": PRUNED})
    both = "2 of 6 layers and 512 of 1536 feed-forward units in each of them; 4 attention heads were removed."
    assert f"An encoder was pruned: it has {both}" in found
    assert "it has 1 of 1 layers and 9 of 12 feed-forward units in each of them." in found
    assert "no score fell by more than 0.4 points on the dev data of that time." in found
    assert "no score fell on the dev data" in limits(make_report(), {"ctx_prune": {**PRUNED, "drop": -0.1}})


def test_limits_tell_what_was_calibrated_before_the_weights_changed() -> None:
    pruned = "`ctx_ner`: temperature and thresholds were fitted before the pipeline was pruned, and not since."
    assert pruned in limits(make_report(), {"ctx_prune": PRUNED})
    calibrated = {"ctx_ner": {"date": "2026-11-25T20:00:00+00:00"}}
    assert "fitted before" not in limits(make_report(), {"ctx_prune": PRUNED, "ctx_calibration": calibrated})
    for date, told in (("2026-11-25T21:00:00+00:00", True), ("2026-11-25T19:00:00+00:00", False)):
        found = limits(make_report(), {"ctx_quantized": {"date": date}, "ctx_calibration": calibrated})
        assert ("`ctx_ner`: temperature and thresholds were fitted before the pipeline was put into" in found) == told


def test_limits_tell_the_window_of_each_kind_of_encoder_once() -> None:
    windows = [{"window": 256, "overlap": 32}, {"window": 256, "overlap": 32}, {"window": 64, "overlap": 8}, {}]
    found = find_limits(make_report(components=[make_tags()]), {}, windows)
    assert sum("word pieces" in line for line in found) == 2
    assert sum("windows of 256 word pieces at most, which overlap by 32" in line for line in found) == 1
