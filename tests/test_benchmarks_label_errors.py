"""The benchmark of label errors: what it plants, what counts as found."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import spacy
from benchmark_modules import benchmark
from spacy.tokens import Doc, Span


@pytest.fixture(scope="module")
def bench() -> Iterator[Any]:
    with benchmark("label_errors") as module:
        yield module


def make_docs(size: int = 40) -> list[Doc]:
    vocab = spacy.blank("en").vocab
    docs = []
    words = ["one", "two", "three", "Ada", "Lovelace", "four", "five", "six", "seven", "London", "eight", "nine", "."]
    for _ in range(size):
        doc = Doc(vocab, words)
        doc.set_ents([Span(doc, 3, 5, label="PERSON"), Span(doc, 9, 10, label="LOC")])
        docs.append(doc)
    return docs


def entities(docs: list[Doc]) -> list[set[tuple[int, int, str]]]:
    return [{(ent.start, ent.end, ent.label_) for ent in doc.ents} for doc in docs]


def test_label_error_benchmark_plants_what_it_says(bench: Any) -> None:
    docs = make_docs()
    before = entities(docs)
    errors = bench.plant(docs, 0.2, seed=1)
    after = entities(docs)
    assert Counter(error.kind for error in errors) == dict.fromkeys(bench.KINDS, 4)
    for error in errors:
        old, new = (
            {span for span in spans[error.document] if span[0] < error.end and error.start < span[1]}
            for spans in (before, after)
        )
        counts = {"missing annotation": (1, 0), "spurious annotation": (0, 1)}.get(error.kind, (1, 1))
        assert (len(old), len(new)) == counts
        assert old != new
        if error.kind == "wrong label":
            assert {span[:2] for span in old} == {span[:2] for span in new}
        if error.kind == "boundary":
            assert {span[2] for span in old} == {span[2] for span in new}
    touched = {(error.document, span) for error in errors for span in before[error.document] | after[error.document]}
    for n, (old, new) in enumerate(zip(before, after, strict=True)):
        changed = old ^ new
        assert all((n, span) in touched for span in changed)
    again = make_docs()
    assert bench.plant(again, 0.2, seed=1) == errors
    assert entities(again) == after


def test_label_error_benchmark_counts_each_error_once(bench: Any) -> None:
    errors = [bench.Planted(0, 2, 4, "boundary"), bench.Planted(1, 0, 1, "wrong label")]
    ranked = [bench.Place(0, 3, 5), bench.Place(0, 2, 3), bench.Place(0, 4, 6), bench.Place(1, 0, 1)]
    assert bench.hits(ranked, errors) == [errors[0], None, None, errors[1]]
    found = bench.figures(ranked, errors)
    assert found["precision_first_hundred"] == 2.0
    assert found["recall"] == 50.0
    assert found["recall_by_kind"] == {"wrong label": 0.0, "boundary": 100.0}
    assert found["average_precision"] == 75.0
    assert found["found_in_all"] == 100.0


def test_label_error_benchmark_tokens_side_by_side_are_one_place(bench: Any) -> None:
    gold = np.array([0, 1, 1, 1, 0, 0, 0])
    tokens = bench.Tokens({0: np.full((7, 2), 0.5)}, {0: gold})
    ranked = [(0, 1), (0, 3), (0, 0), (0, 5), (0, 6), (0, 4)]
    assert [place.start for place in bench.apart(ranked, tokens)] == [1, 5]


def test_label_error_benchmark_knows_which_proposals_are_right(bench: Any) -> None:
    errors = [bench.Planted(0, 2, 4, "boundary")]
    finding = {"number": 0, "start": 1, "end": 4, "proposed": [{"start": 1, "end": 3, "label": "A"}]}
    assert bench.corrected([finding], errors, [[(1, 3, "A"), (6, 7, "B")]]) == 100.0
    assert bench.corrected([finding], errors, [[(1, 4, "A")]]) == 0.0
