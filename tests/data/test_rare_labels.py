"""Examples with rare labels come more often: the factor, what counts as a label, and that none is left out."""

from collections import Counter
from typing import Any, Iterator, List, Sequence

import pytest
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from thinc.api import fix_random_seed

from spacy_ctxtag.data.rare_labels import create_rare_labels_v1, repeat_factors

# 100 examples: 40 with PERSON, 4 with PLANT (3 of them with both), 1 with METAL, and 58 without any.
LABELS = [["PERSON"]] * 37 + [["PERSON", "PLANT"]] * 3 + [["PLANT"], ["METAL"]] + [[]] * 58


class Corpus:
    """Reads an example for each list of labels: words, entities, tags and spans all carry them."""

    def __init__(self, labels: Sequence[Sequence[str]] = LABELS) -> None:
        self.labels = labels
        self.n_read = 0

    def __call__(self, nlp: Language) -> Iterator[Example]:
        self.n_read += 1
        for i, labels in enumerate(self.labels):
            words = [str(i), *labels]
            reference = Doc(nlp.vocab, words=words, tags=["N", *labels], pos=["NOUN", *["PROPN"] * len(labels)])
            reference.set_ents([Span(reference, at, at + 1, label=label) for at, label in enumerate(labels, 1)])
            reference.spans["sc"] = list(reference.ents)
            yield Example(Doc(nlp.vocab, words=words), reference)


def times(nlp: Language, corpus: Any, **settings: Any) -> List[int]:
    """How often each example comes in one epoch."""
    found = Counter(int(eg.reference[0].text) for eg in create_rare_labels_v1(corpus, **settings)(nlp))
    return [found[i] for i in range(len(corpus.labels))]


def test_factor_is_that_of_gupta_et_al():
    factors = repeat_factors([set(each) for each in LABELS], 0.16, 100.0)
    assert factors == {"PERSON": 1.0, "PLANT": pytest.approx(2.0), "METAL": pytest.approx(4.0)}
    assert repeat_factors([set(each) for each in LABELS], 0.16, 3.0)["METAL"] == 3.0
    assert repeat_factors([], 0.1, 3.0) == {}


@pytest.mark.parametrize("annotation", ["ents", "tag", "spans.sc"])
def test_rare_labels_come_as_often_as_the_rarest_label_says(nlp, annotation):
    expected = [1] * 37 + [2] * 3 + [2, 4] + [1] * 58
    assert times(nlp, Corpus(), threshold=0.16, annotation=annotation) == expected


@pytest.mark.parametrize("annotation", ["pos", "spans.other"])
def test_only_the_annotation_that_is_named_counts(nlp, annotation):
    assert times(nlp, Corpus(), threshold=0.16, annotation=annotation) == [1] * 100


def test_rest_of_a_factor_is_a_probability(nlp):
    fix_random_seed(0)
    sums = [times(nlp, Corpus([["PLANT"]] * 40 + [[]] * 60), threshold=0.9)[:40] for _ in range(20)]
    assert {each for of_epoch in sums for each in of_epoch} == {1, 2}
    assert sum(map(sum, sums)) / 800 == pytest.approx((0.9 / 0.4) ** 0.5, abs=0.07)  # four standard deviations
    assert len({tuple(of_epoch) for of_epoch in sums}) == 20  # drawn anew in every epoch


def test_rare_labels_follow_the_seed_in_random_order(nlp):
    read = create_rare_labels_v1(Corpus(), threshold=0.2)
    orders = []
    for _ in range(2):
        fix_random_seed(1)
        orders.append([eg.reference[0].text for eg in read(nlp)])
    assert orders[0] == orders[1] != sorted(orders[0], key=int)


def test_corpus_is_read_as_often_as_the_rarest_label_asks_for(nlp):
    corpus = Corpus()
    times(nlp, corpus, threshold=0.16)
    assert corpus.n_read == 4
    times(nlp, corpus, threshold=0.01)
    assert corpus.n_read == 5


def test_corpus_without_labels_or_examples_is_given_as_it_is(nlp):
    assert times(nlp, Corpus([[], []])) == [1, 1]
    assert times(nlp, Corpus([])) == []


@pytest.mark.parametrize(
    ("setting", "value"), [("threshold", 0.0), ("threshold", 1.5), ("max_repeat", 0.5), ("annotation", "entities")]
)
def test_rare_labels_setting_that_cannot_be_is_refused(setting, value):
    with pytest.raises(ValueError, match=rf"CT304.*'{setting}'"):
        create_rare_labels_v1(Corpus(), **{setting: value})
