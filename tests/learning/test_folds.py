"""Folds: groups stay whole, nothing is lost, what they hold is balanced."""

from collections import Counter

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span

from spacy_ctxtag.learning.folds import count_labels, cut, text_key

groups = st.lists(
    st.tuples(st.integers(0, 12), st.dictionaries(st.sampled_from("abc"), st.integers(0, 5), max_size=3)),
    min_size=2,
    max_size=30,
).filter(lambda docs: len({key for key, _ in docs}) >= 2)


@settings(max_examples=100)
@given(groups, st.integers(2, 6), st.integers(0, 5))
def test_folds_part_no_group_and_leave_no_fold_empty(docs: list, n: int, seed: int) -> None:
    keys, counts = [str(key) for key, _ in docs], [Counter(held) for _, held in docs]
    n = min(n, len(set(keys)))
    folds = cut(keys, counts, n, seed)
    assert len(folds) == len(docs)
    assert set(folds) == set(range(n))
    assert len(set(zip(keys, folds, strict=True))) == len(set(keys))
    assert folds == cut(keys, counts, n, seed)


@settings(max_examples=50)
@given(st.integers(2, 40), st.integers(2, 7), st.integers(0, 5))
def test_folds_of_equal_documents_are_equally_large(size: int, n: int, seed: int) -> None:
    n = min(n, size)
    sizes = Counter(cut([str(i) for i in range(size)], [Counter(a=2)] * size, n, seed))
    assert max(sizes.values()) - min(sizes.values()) <= 1


@pytest.mark.parametrize("seed", range(4))
def test_folds_share_rare_labels(seed: int) -> None:
    counts = [Counter({"common": 3, "": 10, **({"rare": 1} if i < 5 else {})}) for i in range(40)]
    folds = cut([str(i) for i in range(40)], counts, 5, seed)
    assert sorted(folds[:5]) == [0, 1, 2, 3, 4]
    assert set(Counter(folds).values()) <= {7, 8, 9}


def test_folds_by_other_seeds_are_others() -> None:
    keys, counts = [str(i) for i in range(30)], [Counter(a=1)] * 30
    assert cut(keys, counts, 3, 0) != cut(keys, counts, 3, 1)


@pytest.mark.parametrize(("keys", "n"), [("ab", 3), ("aaa", 2), ("abc", 1), ("", 2)])
def test_folds_that_cannot_be_are_refused(keys: str, n: int) -> None:
    with pytest.raises(ValueError, match="CT760"):
        cut(list(keys), [Counter(a=1)] * len(keys), n)


def test_text_key_is_that_of_near_identical_texts() -> None:
    same = ["Order 17 left Lyon.", "order 23  left Lyon", "ORDER 99\nleft—Lyon!"]
    assert len({text_key(text) for text in same}) == 1
    others = ["Order left Lyon.", "Order 17 left Lyons.", "…", "!!", "", "Straße", "東京"]
    assert len({text_key(text) for text in [same[0], *others]}) == 8


def test_count_labels_counts_every_layer() -> None:
    doc = Doc(spacy.blank("en").vocab, ["Ada", "wrote"], tags=["NNP", "VBD"])
    doc.set_ents([Span(doc, 0, 1, label="PERSON")])
    doc.spans["chunks"] = [Span(doc, 0, 1, label="NP")]
    counts = count_labels(doc)
    assert counts == {"": 2, "ent PERSON": 1, "span chunks NP": 1, "tag NNP ": 1, "tag VBD ": 1}
