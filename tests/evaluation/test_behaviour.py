"""Tests of behaviour, on pipelines of rules whose behaviour is known: each type passes where it should, and fails."""

import json
from pathlib import Path
from typing import Any

import pytest
import spacy
import srsly
from spacy.language import Language
from spacy.tokens import Doc, Span

from spacy_ctxtag.evaluation.behaviour import run_behaviours
from spacy_ctxtag.evaluation.behaviour_file import read_suite

VERBS = {"left", "book", "walk", "met"}
NOUNS = {"boat", "room"}


@Language.component("verbs_of_a_list", assigns=["token.pos"])
def verbs_of_a_list(doc: Doc) -> Doc:
    """Words of two lists get their part of speech; "book" and "walk" are nouns after "a"."""
    for token in doc:
        after_a = token.i > 0 and doc[token.i - 1].lower_ == "a"
        if token.lower_ in NOUNS or (token.lower_ in VERBS and after_a):
            token.pos_ = "NOUN"
        elif token.lower_ in VERBS:
            token.pos_ = "VERB"
    return doc


@Language.component("numbers_as_spans", assigns=["doc.spans"])
def numbers_as_spans(doc: Doc) -> Doc:
    doc.spans["numbers"] = [Span(doc, token.i, token.i + 1, label="NUM") for token in doc if token.like_num]
    return doc


def make_nlp(*entries: tuple[str, str], any_case: bool = False) -> Language:
    """A pipeline that finds these mentions, by label and words, and nothing else."""
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler", config={"phrase_matcher_attr": "LOWER" if any_case else None})
    ruler.add_patterns([{"label": label, "pattern": mention} for label, mention in entries])
    return nlp


GOOD = make_nlp(("PERSON", "Ada"), ("PERSON", "Tom Weiss"), ("LOC", "Porto"), ("LOC", "New York"))
SLOTS = {"person": {"label": "PERSON", "values": ["Ada", "Tom Weiss"]}, "verb": {"values": ["left", "visited"]}}


def run(nlp: Language, folder: Path, *tests: dict[str, Any], **suite: Any) -> list[dict[str, Any]]:
    """Write tests to a file, with a name and a description, and run them. RETURNS (list): What came out of each."""
    named = [{"name": f"test {i}", "description": "…", **test} for i, test in enumerate(tests)]
    srsly.write_yaml(folder / "suite.yml", {"slots": SLOTS, "tests": named, **suite})
    return run_behaviours(nlp, read_suite(folder / "suite.yml"))["tests"]


# Minimal


def test_minimal_passes_where_all_is_found(tmp_path: Path) -> None:
    [test] = run(GOOD, tmp_path, {"type": "minimal", "texts": ["{person} {verb} [Porto](LOC).", "It rains."]})
    assert (test["cases"], test["failures"], test["failure_rate"], test["passed"]) == (5, 0, 0.0, True)
    assert (test["type"], test["layer"], test["severity"], test["failed_cases"]) == ("minimal", "ents", "major", [])


def test_minimal_fails_where_one_is_missed_or_too_many(tmp_path: Path) -> None:
    texts = ["[Lyon](LOC) and [Porto](LOC)", "Ada left.", "[Ada](LOC) left.", "[Ada](PERSON) left."]
    [test] = run(GOOD, tmp_path, {"type": "minimal", "texts": texts})
    assert (test["cases"], test["failures"], test["passed"]) == (4, 3, False)
    first, second, third = test["failed_cases"]
    assert first["text"] == "Lyon and Porto"
    assert first["expected"] == [
        {"start": 0, "end": 4, "text": "Lyon", "label": "LOC"},
        {"start": 9, "end": 14, "text": "Porto", "label": "LOC"},
    ]
    assert first["got"] == first["expected"][1:]
    assert (second["expected"], [each["text"] for each in second["got"]]) == ([], ["Ada"])
    assert [each["label"] for each in (*third["expected"], *third["got"])] == ["LOC", "PERSON"]


def test_minimal_borders_have_to_fit(tmp_path: Path) -> None:
    [test] = run(GOOD, tmp_path, {"type": "minimal", "texts": ["[York](LOC)", "New [York](LOC)", "[New York](LOC)"]})
    assert [case["text"] for case in test["failed_cases"]] == ["York", "New York"]


def test_minimal_compares_labels_that_are_named(tmp_path: Path) -> None:
    test = {"type": "minimal", "texts": ["{person} {verb} Porto."], "labels": ["PERSON"]}
    assert run(GOOD, tmp_path, test)[0]["passed"]
    assert not run(GOOD, tmp_path, {**test, "labels": ["LOC", "PERSON"]})[0]["passed"]


@pytest.mark.parametrize(("rate", "passed"), [(0.24, False), (0.25, True), (0.5, True)])
def test_failures_up_to_the_rate_are_allowed(rate: float, passed: bool, tmp_path: Path) -> None:
    texts = ["It rains.", "It pours.", "Porto", "It snows."]
    [test] = run(GOOD, tmp_path, {"type": "minimal", "texts": texts, "max_failure_rate": rate})
    assert (test["failure_rate"], test["max_failure_rate"], test["passed"]) == (0.25, rate, passed)


def test_minimal_of_tags_looks_at_marked_words(tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("verbs_of_a_list")
    texts = ["She [left](VERB) a [boat](NOUN).", "She left a [boat](VERB).", "[She](PRON) left.", "[left a](VERB)"]
    [test] = run(nlp, tmp_path, {"type": "minimal", "layer": "pos", "texts": texts})
    assert [case["text"] for case in test["failed_cases"]] == ["She left a boat.", "She left.", "left a"]
    assert test["unknown_labels"] == []


def test_minimal_of_span_groups(tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("numbers_as_spans")
    tests = [{"type": "minimal", "layer": f"spans:{key}", "texts": ["[Ten](NUM) of them"]} for key in ("numbers", "x")]
    assert [test["passed"] for test in run(nlp, tmp_path, *tests)] == [True, False]


# Invariance


def invariance(change: Any, *texts: str, **settings: Any) -> dict[str, Any]:
    return {"type": "invariance", "texts": list(texts), "change": change, **settings}


def test_invariance_does_not_ask_what_is_right(tmp_path: Path) -> None:
    [test] = run(GOOD, tmp_path, invariance({"before": ["It rained."]}, "{person} in Lyon", "[Lyon](LOC)"))
    assert (test["cases"], test["failures"]) == (3, 0)


def test_invariance_of_sentences_before_and_after(tmp_path: Path) -> None:
    @Language.component("first_word")
    def first_word(doc: Doc) -> Doc:
        doc.ents = [Span(doc, 0, 1, label="FIRST")]
        return doc

    change = {"before": ["It rained."], "after": ["All was well.", "The end."]}
    assert run(GOOD, tmp_path, invariance(change, "{person} left."))[0]["failures"] == 0
    nlp = spacy.blank("en")
    nlp.add_pipe("first_word")
    [test] = run(nlp, tmp_path, invariance(change, "Ada left."))
    [case] = test["failed_cases"]
    assert (test["cases"], case["text"], case["original"]) == (3, "It rained. Ada left.", "Ada left.")
    assert case["expected"] == [{"start": 11, "end": 14, "text": "Ada", "label": "FIRST"}]
    assert case["got"] == []


def test_invariance_of_casing(tmp_path: Path) -> None:
    change = {"casing": {"case": "lower"}}
    nlp = make_nlp(("PERSON", "Ada"), any_case=True)
    tests = [run(each, tmp_path, invariance(change, "Then Ada left."))[0] for each in (nlp, GOOD)]
    assert [test["failures"] for test in tests] == [0, 1]
    [case] = tests[1]["failed_cases"]
    assert (case["text"], case["got"]) == ("then ada left.", [])
    assert case["expected"] == [{"start": 5, "end": 8, "text": "ada", "label": "PERSON"}]


def test_invariance_outside_of_mentions_leaves_them(tmp_path: Path) -> None:
    change = {"casing": {"case": "upper"}, "outside": True}
    nlp = make_nlp(("PERSON", "Ada"), ("X", "LEFT"))
    [test] = run(nlp, tmp_path, invariance(change, "Then Ada left."))
    assert [case["text"] for case in test["failed_cases"]] == ["THEN Ada LEFT."]
    assert run(GOOD, tmp_path, invariance(change, "Then Ada left."))[0]["failures"] == 0


def test_invariance_of_typos_in_mentions_is_found(tmp_path: Path) -> None:
    text = "Tom Weiss visited New York."
    settings = {"variants": 5, "max_failure_rate": 0.5}
    change = {"typos": {"rate": 1.0, "kinds": ["double"]}}
    inside = run(GOOD, tmp_path, invariance(change, text, **settings))[0]
    assert (inside["cases"], inside["failures"], inside["passed"]) == (5, 5, False)
    outside = run(GOOD, tmp_path, invariance({**change, "outside": True}, text, **settings))[0]
    assert outside["failures"] == 0
    assert 0 < outside["cases"] <= 5


def test_invariance_of_mentions(tmp_path: Path) -> None:
    change = {"mentions": {"LOC": ["Lyon", "Ghent", "New York"], "PERSON": ["Ada"]}}
    [test] = run(GOOD, tmp_path, invariance(change, "Tom Weiss left Porto.", variants=20))
    texts = {case["text"] for case in test["failed_cases"]}
    assert texts == {"Ada left Lyon.", "Ada left Ghent."}
    assert test["cases"] == 3
    [case] = [case for case in test["failed_cases"] if case["text"] == "Ada left Lyon."]
    assert [each["text"] for each in case["expected"]] == ["Ada", "Lyon"]


def test_invariance_of_spaces_and_registered_augmenters(tmp_path: Path) -> None:
    spaces = invariance({"spaces": {"rate": 1.0, "kinds": ["double"]}}, "Then Ada left New York .")
    named = {"@augmenters": "spacy-ctxtag.Punctuation.v1", "level": 1.0, "rate": 1.0, "seed": 1}
    dots = invariance(named, "Then Ada left ...")
    one, two = run(GOOD, tmp_path, spaces, dots)
    assert [case["text"] for case in one["failed_cases"]] == ["Then  Ada  left  New  York  ."]
    assert (two["cases"], two["failures"]) == (1, 0)


def test_invariance_of_tags(tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("verbs_of_a_list")
    change = {"after": ["He met her."], "before": ["He met a"]}
    [test] = run(nlp, tmp_path, invariance(change, "book it", layer="pos"))
    assert [case["text"] for case in test["failed_cases"]] == ["He met a book it"]
    assert test["cases"] == 2


def test_invariance_without_a_case_has_not_passed(tmp_path: Path) -> None:
    [test] = run(GOOD, tmp_path, invariance({"mentions": {"LOC": ["Ghent"]}}, "Nobody left."))
    assert (test["cases"], test["failure_rate"], test["passed"]) == (0, None, False)


# Directional


def directional(*pairs: tuple[str, str], **settings: Any) -> dict[str, Any]:
    return {"type": "directional", "pairs": [{"from": a, "to": b} for a, b in pairs], **settings}


def test_directional_adds_removes_and_changes(tmp_path: Path) -> None:
    nlp = make_nlp(("PERSON", "Mr. Jordan"), ("LOC", "Jordan"), ("LOC", "Porto"))
    pairs = [
        ("I saw him in Porto.", "I saw [Mr. Jordan](PERSON) in Porto."),
        ("We left [Porto](LOC).", "We left home."),
        ("[Jordan](LOC) is here.", "[Mr. Jordan](PERSON) is here."),
    ]
    [test] = run(nlp, tmp_path, directional(*pairs))
    assert (test["cases"], test["failures"], test["passed"]) == (3, 0, True)


def test_directional_fails_where_the_change_does_something_else(tmp_path: Path) -> None:
    pairs = [
        ("Jordan", "Mr. [Jordan](PERSON)"),  # nothing changes
        ("He left.", "[Ada](PERSON) left Porto."),  # too much
        ("[Ada](PERSON) left [Porto](LOC).", "{person} left [Porto](LOC)."),  # as it should
    ]
    [test] = run(GOOD, tmp_path, directional(*pairs, max_failure_rate=0.5))
    assert (test["cases"], test["failures"]) == (4, 2)
    first, second = test["failed_cases"]
    assert (first["original"], first["got"]) == ("Jordan", [])
    assert first["expected"] == [{"change": "added", "text": "Jordan", "label": "PERSON"}]
    assert [(each["change"], each["text"]) for each in second["got"]] == [("added", "Ada"), ("added", "Porto")]


def test_directional_of_tags_looks_at_marked_words(tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("verbs_of_a_list")
    good = ("They [book](VERB) a room.", "They left a [book](NOUN).")
    bad = ("They [walk](VERB) home.", "They took the [walk](NOUN).")
    [test] = run(nlp, tmp_path, directional(good, bad, layer="pos"))
    assert [case["original"] for case in test["failed_cases"]] == ["They walk home."]


# Labels, seeds, results


def test_labels_that_the_pipeline_does_not_know_are_told(tmp_path: Path) -> None:
    tests = run(
        GOOD,
        tmp_path,
        {"type": "minimal", "texts": ["[Ada](PER) {verb}", "{person}"]},
        {"type": "minimal", "texts": ["{person}"]},
        {"type": "minimal", "texts": ["{person}"], "labels": ["LOC", "Pérson"]},
        {"type": "minimal", "texts": ["[x](NOUNN)"], "layer": "pos"},
    )
    assert [test["unknown_labels"] for test in tests] == [["PER"], [], ["Pérson"], ["NOUNN"]]
    assert tests[0]["known_labels"] == ["LOC", "PERSON"]


def test_labels_are_not_checked_where_the_pipeline_does_not_say(tmp_path: Path) -> None:
    [test] = run(spacy.blank("en"), tmp_path, {"type": "minimal", "texts": ["[Ada](PER)"]})
    assert (test["unknown_labels"], test["known_labels"]) == ([], None)


def many(seed: int, folder: Path) -> list[dict[str, Any]]:
    slots = {"n": {"label": "X", "values": [f"w{i}" for i in range(300)]}}
    change = {"typos": {"rate": 0.5}}
    tests = [
        {"type": "minimal", "texts": ["{n} {n2}"], "max_cases": 7},
        {"type": "minimal", "texts": ["{n}"], "max_cases": 7},
        invariance(change, "Several words stand here", variants=4),
    ]
    return run(make_nlp(("X", "words"), ("X", "several"), any_case=True), folder, *tests, slots=slots, seed=seed)


def test_seed_makes_the_same_texts(tmp_path: Path) -> None:
    one, two, three = (many(seed, tmp_path) for seed in (3, 3, 4))
    assert one == two
    assert [test["cases"] for test in one[:2]] == [7, 7]
    assert all(a["failed_cases"] != b["failed_cases"] for a, b in zip(one, three, strict=True))


def test_results_are_json(tmp_path: Path) -> None:
    run(GOOD, tmp_path, {"type": "minimal", "texts": ["Porto"]}, {"type": "minimal", "texts": ["{person}"]}, seed=5)
    results = run_behaviours(GOOD, read_suite(tmp_path / "suite.yml"))
    assert json.loads(json.dumps(results)) == results
    assert (results["file"], results["seed"], results["passed"]) == ("suite.yml", 5, False)
