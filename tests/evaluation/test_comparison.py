"""Comparison: changes equal brute force over sets, Holm equals the closed test, gates fail when they should."""

from itertools import chain, combinations
from typing import Any

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.scorer import Scorer, get_ner_prf
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_ctxtag.evaluation.comparison import (
    BETTER,
    WORSE,
    Change,
    Compared,
    Comparison,
    Gate,
    adjust,
    compare_examples,
    telling,
)

VOCAB = spacy.blank("en").vocab
WORDS = ["Ada", "met", "Bob", "in", "New", "York"]
SPANS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(1, 6), st.sampled_from(["A", "B"])).filter(lambda s: s[0] < s[1]),
    max_size=4,
    unique=True,
)
TAGS = st.lists(st.sampled_from(["N", "V", ""]), min_size=6, max_size=6)


def make_doc(
    ents: list[tuple[int, int, str]] | None = None,
    tags: list[str] | None = None,
    spans: list[tuple[int, int, str]] | None = None,
    words: list[str] = WORDS,
) -> Doc:
    """Entities that overlap an earlier one are left out; as spans they all stay."""
    doc = Doc(VOCAB, words, tags=tags)
    if ents is not None:
        doc.set_ents(spacy.util.filter_spans([Span(doc, *ent) for ent in ents]), default="outside")
    if spans is not None:
        doc.spans["sc"] = [Span(doc, *span) for span in spans]
    return doc


def pair(gold: Doc, a: Doc, b: Doc) -> tuple[Example, Example]:
    return Example(a, gold), Example(b, gold)


def as_set(doc: Doc, layer: str) -> set[tuple[int, int, str]]:
    spans = doc.ents if layer == "ents_f" else doc.spans.get("sc", [])
    return {(span.start, span.end, span.label_) for span in spans}


@st.composite
def pairs(draw: Any) -> list[tuple[Doc, Doc, Doc]]:
    made = st.builds(make_doc, ents=SPANS, spans=SPANS, tags=TAGS)
    return draw(st.lists(st.tuples(made, made, made), min_size=1, max_size=4))


def compare(docs: list[tuple[Doc, Doc, Doc]], **options: Any) -> Comparison:
    return compare_examples([pair(*each) for each in docs], **{"n_samples": 20, **options})


# Scores and changes


@given(docs=pairs())
@settings(max_examples=60)
def test_changes_equal_brute_force(docs: list[tuple[Doc, Doc, Doc]]) -> None:
    expected = set()
    for number, (gold, a, b) in enumerate(docs, 1):
        for layer in ("ents_f", "spans_sc_f"):
            right, one, two = (as_set(doc, layer) for doc in (gold, a, b))
            for item in one ^ two:
                kind = {(True, True): "fixed", (True, False): "broken", (False, True): "spurious"}.get(
                    (item in right, item in two), "cleared"
                )
                expected.add((layer, kind, number, *item))
        for i in range(6):
            wanted, one, two = (doc[i].tag_ for doc in (gold, a, b))
            if wanted and (one == wanted) != (two == wanted):
                expected.add(("tag_acc", "fixed" if two == wanted else "broken", number, i, i + 1, wanted))
    anything = any(as_set(doc, layer) for _, *two in docs for doc in two for layer in ("ents_f", "spans_sc_f"))
    if not anything and not any(token.tag_ for gold, *two in docs for doc in two for token in doc if gold[token.i].tag):
        with pytest.raises(ValueError, match="CT736"):
            compare(docs)
        return
    found = compare(docs)
    got = set()
    for change in found.changes:
        doc = docs[change.document - 1][0]
        span = doc.char_span(change.start, change.end)
        assert span is not None
        assert change.left + change.text + change.right in doc.text
        got.add((change.score, change.kind, change.document, span.start, span.end, change.label))
    assert len(got) == len(found.changes)
    assert got == {each for each in expected if each[0] in found.scores}


@given(docs=pairs())
@settings(max_examples=40)
def test_scores_of_labels_are_those_of_spacy(docs: list[tuple[Doc, Doc, Doc]]) -> None:
    examples = [pair(*each) for each in docs]
    found = compare_examples(examples, n_samples=5) if any(as_set(a, "ents_f") for _, a, _ in docs) else None
    if found is None:
        return
    for at, side in enumerate(("a", "b")):
        scores = get_ner_prf([each[at] for each in examples])
        assert getattr(found.scores["ents_f"], side) == pytest.approx(scores["ents_f"] or 0.0, abs=1e-15)
        for label, each in found.labels["ents_f"].items():
            expected = (scores["ents_per_type"] or {}).get(label, {"f": 0.0})["f"]
            assert getattr(each, side) == pytest.approx(expected, abs=1e-15)
            assert each.gold == sum(ent.label_ == label for gold, _, _ in docs for ent in gold.ents)


def test_tags_are_scored_by_accuracy() -> None:
    gold, a, b = (make_doc(tags=list(tags)) for tags in ("NVNVNN", "NVVVNN", "NNNNNN"))
    found = compare([(gold, a, b)])
    accuracies = [Scorer.score_token_attr([eg], "tag")["tag_acc"] for eg in pair(gold, a, b)]
    assert [found.scores["tag_acc"].a, found.scores["tag_acc"].b] == pytest.approx(accuracies)
    assert [(change.kind, change.text, change.instead) for change in found.changes] == [
        ("broken", "met", [("met", "N")]),
        ("fixed", "Bob", [("Bob", "V")]),
        ("broken", "in", [("in", "N")]),
    ]


def test_change_says_what_the_other_has_there() -> None:
    gold = make_doc([(4, 6, "LOC")])
    found = compare([(gold, gold.copy(), make_doc([(5, 6, "ORG")]))])
    broken, spurious = found.changes
    assert (broken.kind, broken.text, broken.instead) == ("broken", "New York", [("York", "ORG")])
    assert (spurious.kind, spurious.text, spurious.instead) == ("spurious", "York", [("New York", "LOC")])
    assert (broken.left, broken.right) == ("Ada met Bob in ", " ")


def test_layer_that_neither_predicts_is_left_out() -> None:
    gold = make_doc([(0, 1, "PER")], tags=["N"] * 6)
    found = compare([(gold, make_doc([]), make_doc([(0, 1, "PER")]))])
    assert set(found.scores) == {"ents_f"}
    assert {change.score for change in found.changes} == {"ents_f"}


def test_layer_that_b_lost_is_compared() -> None:
    gold = make_doc([(0, 1, "PER")])
    found = compare([(gold, gold.copy(), make_doc())] * 3)
    assert (found.scores["ents_f"].a, found.scores["ents_f"].b) == (1.0, 0.0)


def test_documents_are_taken_one_at_a_time() -> None:
    held: list[Any] = []

    def stream() -> Any:
        import weakref

        for _ in range(50):
            gold = make_doc([(0, 1, "PER")])
            held.append(weakref.ref(gold))
            yield pair(gold, gold.copy(), make_doc([]))
            del gold
            assert sum(each() is not None for each in held) <= 2

    assert compare_examples(stream(), n_samples=5).documents == 50


def test_other_references_are_refused() -> None:
    one, two = make_doc([(0, 1, "PER")]), make_doc([(0, 1, "LOC")])
    with pytest.raises(ValueError, match=r"CT735.*Document 1"):
        compare_examples([(Example(one.copy(), one), Example(two.copy(), two))])


def test_nothing_to_compare_is_refused() -> None:
    with pytest.raises(ValueError, match="CT736"):
        compare([(make_doc(), make_doc([(0, 1, "PER")]), make_doc([]))])


def test_labels_below_the_support_are_not_tested() -> None:
    gold = make_doc([(0, 1, "PER"), (2, 3, "PER"), (4, 6, "LOC")])
    labels = compare([(gold, gold.copy(), make_doc([]))] * 4, min_support=5).labels["ents_f"]
    assert (labels["LOC"].gold, labels["LOC"].p_value, labels["LOC"].difference) == (4, None, -1.0)
    assert (labels["PER"].gold, labels["PER"].p_value) == (8, pytest.approx(0.125))


def test_documents_without_the_label_do_not_change_its_p_value() -> None:
    gold, other = make_doc([(0, 1, "PER")]), make_doc([(4, 6, "LOC")])
    docs = [(gold, gold.copy(), make_doc([]))] * 5
    alone, among = compare(docs, min_support=0), compare([*docs, (other, other, other)] * 1, min_support=0)
    assert alone.labels["ents_f"]["PER"].p_value == among.labels["ents_f"]["PER"].p_value


def test_seed_makes_it_repeatable() -> None:
    rng = np.random.default_rng(0)
    gold = make_doc([(0, 1, "A"), (2, 3, "B"), (4, 6, "A")])
    docs = [(gold, *(make_doc([(0, 1, "AB"[i]), (4, 6, "A")]) for i in rng.integers(0, 2, 2))) for _ in range(30)]
    one, two, three = (compare(docs, min_support=0, n_samples=50, seed=seed) for seed in (1, 1, 2))
    assert one == two
    assert one.scores != three.scores


# Several tests


@given(p_values=st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_equals_the_closed_test_of_bonferroni(p_values: list[float]) -> None:
    """A hypothesis is as improbable as the most probable of all its intersections with others."""
    everything = range(len(p_values))
    subsets = list(chain.from_iterable(combinations(everything, n) for n in range(1, len(p_values) + 1)))
    expected = [
        max(min(1.0, len(subset) * min(p_values[j] for j in subset)) for subset in subsets if i in subset)
        for i in everything
    ]
    assert adjust(p_values) == pytest.approx(expected, abs=1e-12)


def test_holm_of_a_textbook_example() -> None:
    assert adjust([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert adjust([]) == []


def test_labels_of_a_score_are_one_family() -> None:
    gold = make_doc([(0, 1, "PER"), (4, 6, "LOC")])
    found = compare([(gold, gold.copy(), make_doc([]))] * 6, min_support=0)
    for label in ("PER", "LOC"):
        each = found.labels["ents_f"][label]
        assert each.p_adjusted == pytest.approx(2 * each.p_value)
    assert found.scores["ents_f"].p_adjusted == found.scores["ents_f"].p_value


# The gate

LOST = Comparison(
    100,
    {
        "ents_f": Compared(100, 0.80, 0.78, -0.05, 0.01, 0.2, 0.2),
        "pos_acc": Compared(900, 0.9, 0.91, 0, 0.02, 0.1, 0.2),
    },
    {
        "ents_f": {
            "LOC": Compared(60, 0.9, 0.8, -0.2, -0.01, 0.001, 0.003),
            "ORG": Compared(5, 0.9, 0.1),
            "PER": Compared(40, 0.7, 0.75, 0.01, 0.1, 0.001, 0.003),
        },
        "pos_acc": {},
    },
    [],
)


@pytest.mark.parametrize(
    ("gate", "failures"),
    [
        (Gate(), []),
        (Gate(worse=True), ["CT737 ents_f of LOC"]),
        (Gate(worse=True, alpha=0.001), []),
        (Gate(worse=True, alpha=0.3), ["CT737 ents_f", "CT737 ents_f of LOC"]),
        (Gate(max_drop=1.9), ["CT738 ents_f"]),
        (Gate(max_drop=2.0), []),
        (Gate(max_label_drop=9.9), ["CT738 ents_f of LOC"]),
        (Gate(max_label_drop=10.0), []),
        (Gate(True, 0.05, 0.0, 0.0), ["CT738 ents_f", "CT737 ents_f of LOC", "CT738 ents_f of LOC"]),
    ],
)  # fmt: skip
def test_gate_fails_for_what_was_asked(gate: Gate, failures: list[str]) -> None:
    found = [message.replace("[", "").split("] B is worse in ") for message in gate.failures(LOST)]
    assert [f"{code} {rest.split(':')[0]}" for code, rest in found] == failures
    assert gate.is_set == (gate != Gate())


# What is shown


def change(kind: str, text: str, number: int = 1, label: str = "LOC", instead: Any = ()) -> Change:
    return Change("ents_f", kind, number, None, 0, len(text), text, label, "", "", list(instead))


def test_telling_changes_are_those_that_come_most_often() -> None:
    changes = [
        change("spurious", "x"),
        change("broken", "y"),
        change("broken", "Rome", 3),
        change("broken", "ROME", 4),
        change("broken", "Rome", 5, instead=[("Rome", "ORG")]),
        change("fixed", "z"),
        change("spurious", "x", 9),
        change("spurious", "x", 10),
    ]
    found = telling(changes, WORSE, 3)
    assert [(each.kind, each.text, each.document, n) for each, n in found] == [
        ("spurious", "x", 1, 3),
        ("broken", "Rome", 3, 2),
        ("broken", "y", 1, 1),
    ]
    assert [each.text for each, _ in telling(changes, BETTER, 3)] == ["z"]


def test_record_has_everything() -> None:
    gold = make_doc([(0, 1, "PER")])
    found = compare([(gold, make_doc([]), gold.copy())], min_support=0).as_dict()
    assert found["documents"] == 1
    score = found["scores"]["ents_f"]
    assert (score["fixed"], score["broken"], score["spurious"], score["cleared"]) == (1, 0, 0, 0)
    assert (score["a"], score["b"], score["difference"], score["gold"]) == (0.0, 1.0, 1.0, 1)
    assert score["labels"]["PER"]["p_value"] == 1.0
    assert found["changes"][0]["text"] == "Ada"
