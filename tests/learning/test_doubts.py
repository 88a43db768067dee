"""Doubts, from posteriors that are made by hand and from random ones."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_ctxtag.crf import Chains, Posterior, posterior, span_log_probs, spans_above, window_log_probs
from spacy_ctxtag.learning.doubts import LEAST, UNKNOWN, Doubt, find_doubts, find_tag_doubts
from spacy_ctxtag.tags import make_grammar, spans_to_tags

SCHEMES = ["BIO", "BILUO"]
A, B = 0, 1
TOKENS = 6


def believing(spans: list, scheme: str = "BILUO", strength: float = 6.0) -> Posterior:
    """A posterior of two labels over six tokens, in which one reading is by far the most probable."""
    grammar = make_grammar(["A", "B"], scheme)
    k = len(grammar.tags)
    emissions = np.zeros((TOKENS, k))
    emissions[np.arange(TOKENS), spans_to_tags(grammar, spans, TOKENS)] = strength
    [found] = posterior(Chains([emissions], np.zeros(k), np.zeros((k, k)), np.zeros(k)), grammar)
    return found


def is_open(tokens: int = TOKENS, labels: int = 2) -> Any:
    return np.zeros((tokens, labels), dtype=bool)


def readings(doubt: Doubt) -> tuple[list, list]:
    return [span for span, _ in doubt.annotated], [span for span, _ in doubt.proposed]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("gold", "right", "kind", "window"),
    [
        ([], [(1, 3, A)], "missing annotation", (1, 3)),
        ([(1, 3, A)], [], "spurious annotation", (1, 3)),
        ([(1, 3, A)], [(1, 3, B)], "wrong label", (1, 3)),
        ([(1, 2, A)], [(1, 3, A)], "boundary", (1, 3)),
        ([(2, 5, A)], [(1, 4, B)], "boundary", (1, 5)),
        ([(1, 2, A), (2, 4, A)], [(1, 4, A)], "boundary", (1, 4)),
        ([(1, 4, A)], [(1, 2, A), (2, 4, B)], "boundary", (1, 4)),
    ],
    ids=["missing", "spurious", "label", "longer", "shifted", "merged", "split"],
)
def test_doubts_are_of_every_kind(scheme: str, gold: list, right: list, kind: str, window: tuple) -> None:
    model = believing(right, scheme)
    [doubt] = find_doubts(model, gold, is_open())
    assert doubt.kind == kind
    assert (doubt.start, doubt.end) == window
    assert readings(doubt) == (gold, right)
    expected = window_log_probs(model, [(*window, gold), (*window, right)])
    np.testing.assert_allclose([doubt.log_annotated, doubt.log_proposed], expected, atol=1e-9)
    assert doubt.suspicion == pytest.approx(1 / (1 + math.exp(expected[0] - expected[1])))
    assert doubt.suspicion > 0.9
    labels = np.zeros((2, TOKENS), dtype=int)  # 0 is outside
    for row, spans in zip(labels, (gold, right), strict=True):
        for start, end, label in spans:
            row[start:end] = label + 1
    width = len(model.grammar.prefixes)
    probs = np.stack(
        [model.tag_probs[:, 0], *(model.tag_probs[:, 1 + width * n :][:, :width].sum(axis=1) for n in (A, B))]
    )
    lowest = min(probs[labels[0, at], at] for at in range(*window))
    assert doubt.weakest == pytest.approx(lowest if (labels[0] != labels[1]).any() else 1 - doubt.suspicion)
    assert doubt.weakest < 0.1
    for span, prob in [*doubt.annotated, *doubt.proposed]:
        assert prob == pytest.approx(math.exp(span_log_probs(model, [span])[0]))


def test_annotation_that_the_model_shares_is_not_doubted() -> None:
    assert find_doubts(believing([(0, 2, A), (4, 5, B)]), [(0, 2, A), (4, 5, B)], is_open()) == []
    assert find_doubts(believing([]), [], is_open()) == []


def test_several_doubts_come_in_order() -> None:
    doubts = find_doubts(believing([(0, 1, A), (4, 6, B)]), [(2, 3, A), (4, 6, A)], is_open())
    assert [doubt.kind for doubt in doubts] == ["missing annotation", "spurious annotation", "wrong label"]


def test_nothing_is_proposed_where_nothing_is_known() -> None:
    model = believing([(0, 1, A), (4, 6, B)])
    closed = is_open()
    closed[5] = True
    assert [readings(doubt)[1] for doubt in find_doubts(model, [], closed)] == [[(0, 1, A)]]
    closed[:, A] = True
    assert find_doubts(model, [], closed) == []


def test_spans_known_to_be_wrong_are_not_proposed() -> None:
    model = believing([(0, 1, A), (4, 6, B)])
    assert [readings(doubt)[1] for doubt in find_doubts(model, [], is_open(), {(4, 6, B)})] == [[(0, 1, A)]]


def test_unknown_label_is_doubted_where_another_is_proposed_only() -> None:
    gold = [(0, 1, UNKNOWN), (4, 6, UNKNOWN)]
    [doubt] = find_doubts(believing([(4, 6, B)]), gold, is_open())
    assert doubt.kind == "wrong label"
    assert doubt.annotated == [((4, 6, UNKNOWN), None)]
    assert doubt.weakest == pytest.approx(1 - doubt.suspicion)
    assert math.exp(doubt.log_annotated) == pytest.approx(1 - math.exp(doubt.log_proposed))


def test_proposal_less_probable_than_the_annotated_span_is_none() -> None:
    grammar = make_grammar(["A", "B"], "BILUO")
    k = len(grammar.tags)
    emissions = np.zeros((1, k))
    emissions[0, 0], emissions[0, grammar.tag_index("U", A)], emissions[0, grammar.tag_index("U", B)] = 1.0, 3.0, 2.0
    [model] = posterior(Chains([emissions], np.zeros(k), np.zeros((k, k)), np.zeros(k)), grammar)
    [doubt] = find_doubts(model, [(0, 1, A)], is_open(1))
    assert doubt.kind == "spurious annotation"
    assert doubt.suspicion < 0.5
    [doubt] = find_doubts(model, [(0, 1, B)], is_open(1))
    assert readings(doubt)[1] == [(0, 1, A)]
    assert doubt.suspicion > 0.5


@settings(max_examples=150)
@given(st.integers(0, 10**6), st.sampled_from(SCHEMES), st.sampled_from([0.3, 1.5, 4.0, 40.0]), st.integers(1, 9))
def test_doubts_hold_together(seed: int, scheme: str, scale: float, length: int) -> None:
    rng, grammar = np.random.default_rng(seed), make_grammar(["A", "B"], scheme)
    k = len(grammar.tags)
    scores = [rng.normal(0, scale, shape) for shape in ((length, k), (k,), (k, k), (k,))]
    [model] = posterior(Chains([scores[0]], *scores[1:]), grammar)
    gold, at = [], 0
    while at < length:
        start = at + int(rng.integers(0, 3))
        end = min(length, start + int(rng.integers(1, 4)))
        if start < end:
            gold.append((start, end, int(rng.integers(-1, 2))))
        at = max(end, at + 1)
    closed = rng.random((length, 2)) < 0.2
    doubts = find_doubts(model, gold, closed)
    assert all(one.end <= other.start for one, other in pairwise(doubts))
    for doubt in doubts:
        annotated, proposed = readings(doubt)
        assert annotated == [span for span in gold if span[0] < doubt.end and doubt.start < span[1]]
        assert not set(proposed) & set(gold)
        assert doubt.suspicion >= LEAST
        assert math.exp(doubt.log_annotated) + math.exp(doubt.log_proposed) <= 1 + 1e-9
        for span, prob in doubt.proposed:
            assert prob is not None
            assert prob >= LEAST * (1 - 1e-9)
            assert not closed[span[0] : span[1], span[2]].any()
    doubted = {span for doubt in doubts for span in readings(doubt)[0]}
    probable = spans_above(model, LEAST)[0].tolist()
    for span in gold:
        others = [each for each in probable if each[0] < span[1] and span[0] < each[1] and tuple(each) != span]
        if span[2] != UNKNOWN and span not in doubted and not others:
            ours, nothing = np.exp(window_log_probs(model, [(*span[:2], [span]), (*span[:2], [])]))
            assert nothing <= ours / LEAST


def test_tags_are_doubted_one_by_one() -> None:
    probs = np.array([[0.9, 0.05, 0.05], [0.9, 0.05, 0.05], [0.2, 0.2, 0.6], [0.1, 0.2, 0.7], [0.3, 0.3, 0.4]])
    doubts = find_tag_doubts(np.log(probs), [0, 1, 2, UNKNOWN, 0], [True, True, True, True, False])
    found = [(doubt.start, doubt.proposed[0][0][2], round(doubt.suspicion, 4)) for doubt in doubts]
    assert found == [(0, 1, round(0.05 / 0.95, 4)), (1, 0, round(0.9 / 0.95, 4)), (2, 0, 0.25), (3, 2, 0.7)]
    assert {doubt.kind for doubt in doubts} == {"wrong label"}
    assert doubts[3].annotated == [((3, 4, UNKNOWN), None)]
    np.testing.assert_allclose([doubt.weakest for doubt in doubts], [0.9, 0.05, 0.6, 0.3])


def test_the_only_tag_is_not_doubted() -> None:
    assert find_tag_doubts(np.zeros((2, 1)), [0, 0], [True, True]) == []
