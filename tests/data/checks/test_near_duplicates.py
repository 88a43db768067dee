"""Near-duplicates: the join finds what comparing all pairs finds, and the check says where."""

import random
from itertools import pairwise
from typing import Any, List, Optional, Set, Tuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacy.language import Language

from spacy_ctxtag.data.checks.near_duplicates import check_near_duplicates, find_near_duplicates, read_sets
from spacy_ctxtag.data.places import Place
from spacy_ctxtag.data.token_table import TokenTable

SETS = st.lists(st.frozensets(st.integers(0, 12), max_size=9), max_size=14)
THRESHOLDS = st.one_of(st.sampled_from([0.5, 0.6, 0.75, 0.8, 2 / 3, 1.0]), st.floats(0.05, 1.0))
LONG = "The ferry to Inishmore will not sail before Friday because of the storm in the bay"


def join(sets: List[Any], groups: List[int], threshold: float) -> List[Tuple[int, int, float]]:
    """RETURNS (List): What the join finds in sets of small numbers."""
    members = np.array(
        [x * 7919 % 100_003 for each in sets for x in sorted(each, key=lambda x: x * 7919 % 100_003)], dtype="u8"
    )
    starts = np.cumsum([0, *(len(each) for each in sets)], dtype=np.int64)
    return list(find_near_duplicates(members, starts, np.array(groups, dtype=np.int64), threshold))


def compare_all(sets: List[Any], groups: List[int], threshold: float) -> List[Tuple[int, int, float]]:
    """RETURNS (List): For each set the first of another group, else of its own, among all that are as similar."""
    found = []
    for i, one in enumerate(sets):
        pairs = [(groups[j] == groups[i], j, len(one & sets[j]) / max(1, len(one | sets[j]))) for j in range(i)]
        similar = sorted(pair for pair in pairs if pair[2] >= threshold - 1e-9)
        if similar and one:
            found.append((i, similar[0][1], similar[0][2]))
    return found


@given(SETS, THRESHOLDS, st.data())
def test_near_duplicates_join_finds_what_comparing_all_pairs_finds(sets: Any, threshold: float, data: Any) -> None:
    groups = data.draw(st.lists(st.integers(0, 2), min_size=len(sets), max_size=len(sets)))
    assert join(sets, groups, threshold) == compare_all(sets, groups, threshold)


def test_near_duplicates_join_of_many_sets_that_share_much() -> None:
    rng = random.Random(0)
    shared = range(1000, 1020)
    sets = [frozenset([*rng.sample(shared, 15), *rng.sample(range(50), 5)]) for _ in range(200)]
    groups = [i % 3 for i in range(200)]
    assert len(compare_all(sets, groups, 0.6)) > 20
    found = join(sets, groups, 0.6)
    assert [pair[:2] for pair in found] == [pair[:2] for pair in compare_all(sets, groups, 0.6)]


def test_near_duplicates_join_of_very_many_that_are_alike_takes_the_first() -> None:
    shared = frozenset(range(40))
    sets = [shared | {100 + i} for i in range(1500)]
    found = join(sets, [0] * 700 + [1] * 800, 0.9)
    assert [pair[:2] for pair in found] == [(i, 0) for i in range(1, 1500)]
    found = join(sets, [1] + [0] * 600 + [2] * 898 + [1], 0.9)
    assert [pair[1] for pair in found] == [0] * 1498 + [1]


def table_of(nlp: Language, *texts: Tuple[str, str]) -> TokenTable:
    """RETURNS (TokenTable): Documents, given as split and text."""
    table = TokenTable(nlp.vocab)
    for i, (split, text) in enumerate(texts):
        table.add(nlp.make_doc(text), Place(split, f"{split}.txt", i + 1, f"d{i}", ""))
    return table


def test_near_duplicates_sets_are_words_and_pairs_without_case_and_punctuation(nlp: Language) -> None:
    table = table_of(
        nlp, ("a", "Red, green, blue and black  ink!"), ("a", "red green blue and black ink"), ("a", "x y z")
    )
    members, starts = read_sets(table, set())
    first, second, third = (set(members[i:j].tolist()) for i, j in pairwise(starts))
    assert first == second
    assert len(first) == 6 + 5
    assert third == set()  # too few words
    assert len(read_sets(table, {0})[0]) == len(second)


def found(table: TokenTable, threshold: float = 0.8, repeated: Optional[Set[int]] = None) -> List[Tuple[str, str]]:
    """RETURNS (List): Code and document of each problem."""
    return [(each.code, each.document) for each in check_near_duplicates(table, repeated or set(), threshold)]


def test_near_duplicates_are_told_by_split_with_both_places(nlp: Language) -> None:
    other = LONG.replace("Friday", "Monday")
    table = table_of(
        nlp, ("train", LONG), ("dev", "Nothing at all of this is the same"), ("test", other), ("test", LONG + "!")
    )
    problems = list(check_near_duplicates(table, set(), 0.8))
    assert [(each.code, each.document, each.line, each.is_error) for each in problems] == [
        ("CW312", "d2", 3, False),
        ("CW312", "d3", 4, False),
    ]
    assert "at train.txt:1 (document 'd0'): 81% of their words" in problems[0].message
    assert "The text stands in test, and nearly so in train" in problems[0].message


def test_near_duplicates_inside_a_split_are_another_warning(nlp: Language) -> None:
    table = table_of(nlp, ("train", LONG), ("train", LONG + " today"))
    assert found(table) == [("CW313", "d1")]
    assert found(table, repeated={1}) == []


@pytest.mark.parametrize(("threshold", "n"), [(0.5, 1), (0.8, 1), (0.85, 0), (1.0, 0)])
def test_near_duplicates_depend_on_the_threshold(nlp: Language, threshold: float, n: int) -> None:
    assert len(found(table_of(nlp, ("a", LONG), ("b", LONG.replace("Friday", "Monday"))), threshold)) == n


def test_near_duplicates_of_no_document(nlp: Language) -> None:
    assert found(table_of(nlp)) == []
