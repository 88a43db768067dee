"""Corpora mixed in shares: how many examples of each an epoch has, and that none is left out."""

from collections import Counter
from typing import Any, Callable, Iterator, List

import pytest
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import fix_random_seed

from spacy_ctxtag.data.mixed import create_mixed_corpora_v1, numbers


def corpus(name: str, n: int) -> Callable[[Language], Iterator[Example]]:
    """A corpus of n examples, the words of which are its name and their number."""

    def read(nlp: Language) -> Iterator[Example]:
        for i in range(n):
            yield Example(Doc(nlp.vocab, words=[name, str(i)]), Doc(nlp.vocab, words=[name, str(i)]))

    return read


SIZES = {"news": 80, "law": 20, "web": 5}
CORPORA = {name: corpus(name, n) for name, n in SIZES.items()}


def texts(examples: Any) -> List[str]:
    return [eg.reference.text for eg in examples]


def counts(nlp: Language, **settings: Any) -> Counter:
    """How many examples of each corpus come in one epoch."""
    return Counter(eg.reference[0].text for eg in create_mixed_corpora_v1(CORPORA, **settings)(nlp))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, SIZES),
        ({"temperature": 2.0}, {"news": 80, "law": 40, "web": 20}),  # as their roots: 8.94, 4.47, 2.24
        ({"temperature": 1e9}, {"news": 80, "law": 80, "web": 80}),
        ({"weights": {"news": 0.5, "law": 0.3, "web": 0.2}}, {"news": 80, "law": 48, "web": 32}),
        ({"weights": {"news": 1, "law": 4, "web": 1}}, {"news": 80, "law": 320, "web": 80}),
    ],
)
def test_mixed_shares_are_those_asked_for(nlp, settings, expected):
    assert counts(nlp, **settings) == expected


def test_mixed_epoch_has_every_example_and_repeats_them_evenly(nlp):
    found = Counter(texts(create_mixed_corpora_v1(CORPORA, weights={"news": 0.5, "law": 0.3, "web": 0.2})(nlp)))
    for name, least, most in (("news", 1, 1), ("law", 2, 3), ("web", 6, 7)):
        of_corpus = [found[f"{name} {i} "] for i in range(SIZES[name])]
        assert {min(of_corpus), max(of_corpus)} == {least, most}


def test_mixed_order_follows_the_seed_and_changes_from_epoch_to_epoch(nlp):
    read = create_mixed_corpora_v1(CORPORA, temperature=2.0)
    fix_random_seed(0)
    first, second = texts(read(nlp)), texts(read(nlp))
    fix_random_seed(0)
    assert texts(read(nlp)) == first
    assert first != second
    names = [text.split()[0] for text in first]
    assert len(set(names[:60])) == 3


def test_mixed_corpus_is_read_again_for_each_repetition(nlp):
    times = Counter()

    def augmented(nlp: Language) -> Iterator[Example]:
        times["read"] += 1
        yield Example(Doc(nlp.vocab, words=[f"variant{times['read']}"]), Doc(nlp.vocab, words=["x"]))

    read = create_mixed_corpora_v1({"one": augmented, "more": corpus("more", 3)}, temperature=1e9)
    predicted = {eg.predicted.text for eg in read(nlp)} - {f"more {i} " for i in range(3)}
    assert predicted == {"variant1 ", "variant2 ", "variant3 "}


def test_numbers_leave_nothing_out_whatever_is_rounded():
    assert numbers({"a": 3, "b": 7}, {"a": 0.1, "b": 0.2}) == {"a": 4, "b": 7}
    assert numbers({"a": 10**6, "b": 1}, {"a": 1.0, "b": 1e-9}) == {"a": 10**9, "b": 1}


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"weights": {"news": 1.0}}, r"CT304.*'weights'.*each of news, law, web"),
        ({"weights": {"news": 1.0, "law": 0.0, "web": 1.0}}, r"CT304.*'weights'"),
        ({"weights": {**SIZES, "wep": 1.0}}, r"CT304.*'weights'"),
        ({"temperature": 0.5}, r"CT304.*'temperature' is 0.5"),
    ],
)
def test_mixed_setting_that_cannot_be_is_refused(settings, match):
    with pytest.raises(ValueError, match=match):
        create_mixed_corpora_v1(CORPORA, **settings)


def test_mixed_corpus_without_examples_is_refused(nlp):
    with pytest.raises(ValueError, match=r"CT304.*'corpora'"):
        create_mixed_corpora_v1({})
    with pytest.raises(ValueError, match=r"CT395.*'none'"):
        list(create_mixed_corpora_v1({"none": corpus("none", 0), **CORPORA})(nlp))
