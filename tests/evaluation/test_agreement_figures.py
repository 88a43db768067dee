"""All figures of several annotators, on documents small enough to count."""

import json
from typing import Any

import pytest
from annotators import annotate, shared_docs
from hypothesis import given

from spacy_ctxtag.evaluation.agreement_figures import compute_agreement, find_layers
from spacy_ctxtag.evaluation.annotations import SharedDoc, lay_over

QUICK = {"n_samples": 50}


def compute(*rows: list[Any], names: str = "ab") -> dict[str, Any]:
    shared = [lay_over(f"d{i}", row) for i, row in enumerate(rows)]
    return compute_agreement(shared, list(names), **QUICK)


def values(found: Any) -> Any:
    """The same without intervals."""
    if isinstance(found, dict):
        return found["value"] if set(found) == {"value", "low", "high"} else {k: values(v) for k, v in found.items()}
    return found


ONE = annotate("Ilse Marchetti left Porto for Kala Ghoda .", [(0, 2, "PER"), (3, 4, "LOC"), (5, 7, "ORG")])
OTHER = annotate("Ilse Marchetti left Porto for Kala Ghoda .", [(1, 2, "PER"), (3, 4, "LOC"), (5, 7, "LOC")])
NONE = annotate("Nobody left .", [])


def test_pair_is_as_counted_by_hand() -> None:
    found = compute([ONE, OTHER], [NONE, NONE])
    (pair,) = found["layers"]["entities"]["pairs"]
    assert values(pair) == {
        "a": "a",
        "b": "b",
        "documents": 2,
        "units": 11,
        "accuracy": pytest.approx(8 / 11),
        # Both O six times, PER and LOC once; O 6 and 7, PER 2 and 1, LOC 1 and 3, ORG 2 and 0.
        "kappa": pytest.approx((11 * 8 - (6 * 7 + 2 * 1 + 1 * 3)) / (11 * 11 - (6 * 7 + 2 * 1 + 1 * 3))),
        "kappa_annotated": pytest.approx((5 * 2 - (0 * 1 + 2 * 1 + 1 * 3)) / (5 * 5 - (0 * 1 + 2 * 1 + 1 * 3))),
        "f": pytest.approx(2 * 1 / 6),
        "f_overlap": pytest.approx(2 * 2 / 6),
        "mentions": {"a": 3, "b": 3},
        "borders": {"matched": 2, "same": 0.5, "first": 0.5, "last": 0.0},
        "labels": {
            "LOC": {"a": 1, "b": 2, "f": pytest.approx(2 / 3), "f_overlap": pytest.approx(2 / 3)},
            "ORG": {"a": 1, "b": 0, "f": 0.0, "f_overlap": 0.0},
            "PER": {"a": 1, "b": 1, "f": 0.0, "f_overlap": 1.0},
        },
        "confusion": {"O": {"O": 6}, "LOC": {"LOC": 1}, "ORG": {"LOC": 2}, "PER": {"O": 1, "PER": 1}},
    }


def test_documents_are_counted_and_pairs_use_what_both_have() -> None:
    other = annotate("Ilse sat", [(0, 1, "PER")])
    found = compute([ONE, OTHER, ONE], [NONE, None, NONE], [None, other, None], names="abc")
    assert found["annotators"] == [
        {"name": "a", "documents": 2},
        {"name": "b", "documents": 2},
        {"name": "c", "documents": 2},
    ]
    expected = {"total": 3, "by_one": 1, "by_two_or_more": 2, "by_all": 1, "other_tokens": 0}
    assert found["documents"] == expected
    pairs = {each["a"] + each["b"]: each for each in found["layers"]["entities"]["pairs"]}
    assert {name: (each["documents"], each["units"]) for name, each in pairs.items()} == {
        "ab": (1, 8),
        "ac": (2, 11),
        "bc": (1, 8),
    }
    assert pairs["ac"]["f"]["value"] == 1.0
    everybody = found["layers"]["entities"]["all"]
    assert (everybody["documents"], everybody["units"]) == (2, 11)


def test_pairs_without_a_common_document_are_left_out() -> None:
    found = compute([ONE, OTHER, None], [NONE, None, NONE], names="abc")
    assert [each["a"] + each["b"] for each in found["layers"]["entities"]["pairs"]] == ["ab", "ac"]
    assert found["layers"]["entities"]["all"]["fleiss"]["value"] is None


def test_unknown_entities_do_not_count() -> None:
    text = "a b c d"
    one = annotate(text, [(0, 1, "X"), (2, 4, "X")])
    found = compute([one, annotate(text, [(0, 1, "X")], unknown=[3])])
    (pair,) = found["layers"]["entities"]["pairs"]
    assert (pair["units"], pair["mentions"], pair["f"]["value"]) == (3, {"a": 1, "b": 1}, 1.0)


def test_one_label_only_is_none_and_no_nan() -> None:
    found = compute([NONE, NONE], [NONE, NONE])
    (pair,) = map(values, found["layers"]["entities"]["pairs"])
    assert (pair["kappa"], pair["kappa_annotated"], pair["f"], pair["accuracy"]) == (None, None, None, 1.0)
    assert (pair["labels"], pair["borders"]["same"]) == ({}, None)
    everybody = values(found["layers"]["entities"]["all"])
    assert [everybody[key] for key in ("fleiss", "alpha", "fleiss_annotated", "alpha_annotated")] == [None] * 4
    json.dumps(found, allow_nan=False)


def test_layers_are_those_that_two_have() -> None:
    def layers(*docs: Any) -> list[str]:
        return find_layers([lay_over("d", docs)])

    pos = {"pos": ["VERB", "NOUN"], "tags": ["VERB", "NOUN"]}
    fine = {"pos": ["VERB", "NOUN"], "tags": ["VBZ", "NN"]}
    assert layers(annotate("eat fish", None, **pos), annotate("eat fish", **pos)) == ["pos"]
    assert layers(annotate("eat fish", **fine), annotate("eat fish", **pos)) == ["entities", "pos", "tag"]
    assert layers(annotate("eat fish"), annotate("eat fish", None, **pos)) == []
    assert layers(annotate("eat fish", unknown=[0]), annotate("eat fish", unknown=[1])) == []
    assert layers(annotate(""), annotate("")) == []


def test_tags_have_kappa_and_confusions() -> None:
    one = annotate("they fish here", None, pos=["PRON", "VERB", "ADV"])
    found = compute([one, annotate("they fish here", None, pos=["PRON", "NOUN", "ADV"])])
    (pair,) = found["layers"]["pos"]["pairs"]
    assert set(found["layers"]) == {"pos"}
    assert values(pair) == {
        "a": "a",
        "b": "b",
        "documents": 1,
        "units": 3,
        "accuracy": pytest.approx(2 / 3),
        "kappa": pytest.approx((3 * 2 - 2) / (9 - 2)),
        "confusion": {"ADV": {"ADV": 1}, "PRON": {"PRON": 1}, "VERB": {"NOUN": 1}},
    }
    assert set(found["layers"]["pos"]["all"]) == {"documents", "units", "fleiss", "alpha"}


@given(shared_docs(3))
def test_figures_do_not_depend_on_the_order_of_annotators(shared: list[SharedDoc]) -> None:
    turned = [lay_over(each.name, [a and a.doc for a in each.annotations[::-1]]) for each in shared]
    once = compute_agreement(shared, "abc", n_samples=20)["layers"]
    again = compute_agreement(turned, "cba", n_samples=20)["layers"]
    assert values(once["entities"]["all"]) == pytest.approx(values(again["entities"]["all"]))
    pairs = [{frozenset((pair["a"], pair["b"])): pair for pair in each["entities"]["pairs"]} for each in (once, again)]
    assert pairs[0].keys() == pairs[1].keys()
    for who, pair in pairs[0].items():
        for key in ("kappa", "kappa_annotated", "accuracy", "f", "f_overlap"):
            assert values(pair[key]) == pytest.approx(values(pairs[1][who][key])), key
        assert values(pair["borders"]) == pytest.approx(values(pairs[1][who]["borders"]))


@given(shared_docs(2, missing=False))
def test_perfect_agreement_is_one(shared: list[SharedDoc]) -> None:
    same = [lay_over(each.name, [each.base] * 3) for each in shared]
    found = compute_agreement(same, "abc", n_samples=20)["layers"]["entities"]
    for pair in found["pairs"]:
        assert {values(pair[key]) for key in ("kappa", "kappa_annotated", "f", "f_overlap")} <= {1.0, None}
        assert pair["accuracy"] == {"value": 1.0, **dict.fromkeys(("low", "high"), 1.0 if len(same) > 1 else None)}
    assert {values(found["all"][key]) for key in ("fleiss", "alpha")} <= {1.0, None}
