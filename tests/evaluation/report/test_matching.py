"""Classes of errors: every span in exactly one, by the definitions."""

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_docs import any_spans, flat_spans, make_mentions

from spacy_ctxtag.evaluation.report.matching import CLASSES, clusters, judge, overlap

LONG = 12
# Annotated, predicted, and the classes of both, in order. A span is its first and last character, its label a letter.
CASES = {
    "nothing": ("", "", "", ""),
    "correct": ("0-1A 4-4B", "0-1A 4-4B", "correct correct", "correct correct"),
    "type": ("0-1A", "0-1B", "type", "type"),
    "too short": ("0-3A", "1-2A", "too_short", "too_short"),
    "too short at an edge": ("0-3A", "0-2A", "too_short", "too_short"),
    "too long": ("1-2A", "0-3A", "too_long", "too_long"),
    "shifted": ("0-2A", "2-4A", "shifted", "shifted"),
    "border and type": ("0-2A", "2-4B", "boundary_type", "boundary_type"),
    "missed": ("0-2A", "3-4A", "missed", "spurious"),
    "split": ("0-4A", "0-1A 3-4A", "split", "split split"),
    "split, labels apart": ("0-4A", "0-1B 3-4C", "split", "split split"),
    "merged": ("0-1A 3-4A", "0-4A", "merged merged", "merged"),
    "a right one does not split": ("0-1A 0-4A", "0-1A 2-4A", "correct too_short", "correct too_short"),
    "a right one hides none": ("0-4A", "0-4A 1-2A", "correct", "correct spurious"),
    "two labels of one span": ("0-1A 0-1B", "0-1C 0-1A", "correct type", "correct type"),
    "a tangle: the larger overlap first": ("0-4A 5-6A", "1-5A 6-8A", "shifted shifted", "shifted shifted"),
    "a tangle that leaves one over": ("0-3A 4-5A 6-7A", "1-4A 5-6A", "shifted shifted missed", "shifted shifted"),
    "a tangle: of equal overlaps the same label": (
        "0-2A 3-5B",
        "2-3B 5-7B",
        "missed shifted",
        "shifted spurious",
    ),
    "neighbours of one side do not join": ("0-4A 2-6A", "0-1A", "too_short missed", "too_short"),
}


def spans_of(text: str) -> list[tuple[int, int, str]]:
    return [(int(part[0]), int(part[2]) + 1, part[3]) for part in text.split()]


@pytest.mark.parametrize("case", CASES)
def test_judge_gives_the_classes_of_the_definition(case: str) -> None:
    gold, predicted, gold_classes, predicted_classes = CASES[case]
    judged = judge(make_mentions(spans_of(gold)), make_mentions(spans_of(predicted)))
    assert (judged.gold, judged.predicted) == (gold_classes.split(), predicted_classes.split())


@given(gold=any_spans(LONG), predicted=any_spans(LONG))
@settings(max_examples=200)
def test_judge_puts_every_span_into_one_class_and_one_pair(gold: Any, predicted: Any) -> None:
    judged = judge(make_mentions(gold), make_mentions(predicted))
    assert set(judged.gold) | set(judged.predicted) <= set(CLASSES)
    assert sorted(i for i, _ in judged.pairs if i is not None) == list(range(len(gold)))
    assert sorted(j for _, j in judged.pairs if j is not None) == list(range(len(predicted)))
    assert judged.cases.total() <= len(gold) + len(predicted)


@given(gold=any_spans(LONG), predicted=any_spans(LONG))
@settings(max_examples=200)
def test_judge_classes_hold_what_they_say(gold: Any, predicted: Any) -> None:
    golds, guesses = make_mentions(gold), make_mentions(predicted)
    judged = judge(golds, guesses)
    sizes = {"split": Counter(), "merged": Counter()}
    for i, j in judged.pairs:
        names = {judged.gold[i] if i is not None else None, judged.predicted[j] if j is not None else None} - {None}
        [name] = names
        a, b = golds[i] if i is not None else None, guesses[j] if j is not None else None
        if name in sizes:
            sizes[name][(a is not None, b is not None)] += 1
        elif name in ("missed", "spurious"):
            assert (a is None) == (name == "spurious")
            assert (b is None) == (name == "missed")
        else:
            assert a is not None
            assert b is not None
            assert overlap(a, b)
            same = a[:2] == b[:2], a.label == b.label
            inside = a.start <= b.start and b.end <= a.end
            around = b.start <= a.start and a.end <= b.end
            expected = {(True, True): "correct", (True, False): "type", (False, False): "boundary_type"}.get(same)
            assert name == expected or (expected is None and name == expected_border(inside, around))
    assert sizes["split"][True, True] == judged.cases["split"] == judged.gold.count("split")
    assert sizes["merged"][True, True] == judged.cases["merged"] == judged.predicted.count("merged")


def expected_border(inside: bool, around: bool) -> str:
    return "too_short" if inside else "too_long" if around else "shifted"


@given(gold=any_spans(LONG), predicted=any_spans(LONG))
@settings(max_examples=100)
def test_judge_misses_no_span_that_could_be_paired(gold: Any, predicted: Any) -> None:
    golds, guesses = make_mentions(gold), make_mentions(predicted)
    judged = judge(golds, guesses)
    alone = [g for g, name in zip(golds, judged.gold, strict=True) if name == "missed"]
    others = [p for p, name in zip(guesses, judged.predicted, strict=True) if name == "spurious"]
    assert not any(overlap(a, b) for a in alone for b in others)


@given(spans=flat_spans(LONG), data=st.data())
@settings(max_examples=100)
def test_judge_counts_right_ones_as_sets_do(spans: Any, data: Any) -> None:
    others = data.draw(flat_spans(LONG))
    judged = judge(make_mentions(spans), make_mentions(others))
    assert judged.cases["correct"] == len(set(spans) & set(others))


@given(gold=any_spans(LONG), predicted=any_spans(LONG))
@settings(max_examples=100)
def test_clusters_are_apart_and_hold_all_spans(gold: Any, predicted: Any) -> None:
    golds, guesses = make_mentions(gold), make_mentions(predicted)
    found = [[golds[i] for i in a] + [guesses[j] for j in b] for a, b in clusters(golds, guesses)]
    assert sorted(each for group in found for each in group) == sorted([*golds, *guesses])
    reaches = [(min(each.start for each in group), max(each.end for each in group)) for group in found]
    assert all(end <= start for (_, end), (start, _) in pairwise(reaches))
