"""Texts that are nearly the same.

A text is the set of its words, in lower case and without punctuation, and of its pairs of neighbouring words. Two texts
are near-duplicates where what both have is at least a given share of what either has (Jaccard). They are found exactly
and without chance, by prefix filtering (Bayardo, Ma, Srikant 2007, "Scaling up all pairs similarity search"): with the
members of each set in one order, the rarest first, two sets of size a and b that are as similar as t share one of the
first a - ceil(t·a) + 1 members of the one and of the first b - ceil(t·b) + 1 of the other. Where the first that they
share leaves too few members behind it, they are not compared either (Xiao, Wang, Lin, Yu 2008, "Efficient similarity
joins for near duplicate detection"). Sets hold hashes; no text is kept.
"""

from itertools import pairwise
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

import numpy as np
from numpy.typing import NDArray

from ...warnings import Warnings
from ..records import Problem
from ..token_table import Hashes, Ints, TokenTable

MIN_WORDS = 5  # shorter texts are too easily alike
_MIX = np.uint64(0x9E3779B97F4A7C15)  # an odd number, so that a pair differs from the pair turned round
_SLACK = 1e-9  # for what is exactly as similar as the threshold, whatever the last bit says
_SHOWN = 12  # tokens of a text
_MANY = 1024  # texts that a text may be similar to, so that not all of them are gathered at once


class Match(NamedTuple):
    """A text, an earlier one that it is nearly the same as, and their similarity."""

    text: int
    earlier: int
    similarity: float


def check_near_duplicates(table: TokenTable, repeated: Set[int], threshold: float) -> Iterator[Problem]:
    """Report documents that are nearly the same as an earlier one: one of another split, if there is one.

    table (TokenTable): The documents.
    repeated (Set[int]): Those that repeat an earlier one exactly, which are reported elsewhere.
    threshold (float): The similarity, above 0; 1 looks for nothing.
    YIELDS (Problem): One for each such document.
    """
    if threshold >= 1.0:
        return
    numbers: Dict[str, int] = {}
    splits = np.array([numbers.setdefault(place.split, len(numbers)) for place in table.places], dtype=np.int64)
    for text, earlier, similarity in find_near_duplicates(*read_sets(table, repeated), splits, threshold):
        here, other = table.places[text], table.places[earlier]
        template = Warnings.CW313 if here.split == other.split else Warnings.CW312
        start, end = table.starts[text], table.starts[text + 1]
        message = template.format(
            split=here.split,
            other=other.split,
            place=other.at(),
            share=similarity,
            text=table.text(start, min(end, start + _SHOWN)),
        )
        yield here.problem(message, is_error=False)


def read_sets(table: TokenTable, left_out: Set[int]) -> Tuple[Hashes, Ints]:
    """The sets of all documents.

    table (TokenTable): The documents.
    left_out (Set[int]): Documents whose sets are to be empty, as are those of documents of few words.
    RETURNS (Tuple[Hashes, Ints]): (N,) the members, each once in its set, end to end; (D + 1,) where each set begins.
    """
    lower, is_word = table.lower_words()
    sets: List[Hashes] = []
    for number in range(len(table.places)):
        start, end = table.starts[number], table.starts[number + 1]
        words = lower[start:end][is_word[start:end]]
        if len(words) < MIN_WORDS or number in left_out:
            words = words[:0]
        sets.append(np.unique(np.concatenate([words, words[:-1] * _MIX + words[1:]])))
    starts = np.cumsum([0, *(len(each) for each in sets)], dtype=np.int64)
    return np.concatenate([np.zeros((0,), dtype=np.uint64), *sets]), starts


def find_near_duplicates(members: Hashes, starts: Ints, groups: Ints, threshold: float) -> Iterator[Match]:
    """Find, for each set, an earlier one that is as similar: the first of another group, else the first of its own.

    members (Hashes): (N,) the members, sorted in each of the D sets, end to end.
    starts (Ints): (D + 1,) where each set begins.
    groups (Ints): (D,) the group of each set.
    threshold (float): Above 0, at most 1.
    YIELDS (Match): At most one for each set, in order.
    """
    index = _Index(members, starts, threshold - _SLACK)
    for this, entries in index.texts():
        others_first = [True, False] if (groups[:this] != groups[this]).any() else [False]
        searches = (index.search(this, entries, groups, is_other=is_other) for is_other in others_first)
        found = next((match for match in searches if match is not None), None)
        if found is not None:
            yield found


class _Index:
    """The prefixes of all sets, by member. Of D sets with N members, M are in a prefix and in another set, too.

    members (Hashes): (N,) the members, sorted in each set, end to end.
    starts (Ints): (D + 1,) where each set begins.
    least (float): The similarity that is looked for.
    """

    def __init__(self, members: Hashes, starts: Ints, least: float) -> None:
        self.least = least
        self.sizes = sizes = np.diff(starts)  # (D,)
        _, ids, counts = np.unique(members, return_inverse=True, return_counts=True)
        is_shared = counts[ids] > 1  # (N,) only such members can be what two sets have in common
        self.ids: Any = ids[is_shared].astype(np.int32)  # (N',) they grow inside each set
        owner = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)[is_shared]  # (N',)
        shared_sizes = np.bincount(owner, minlength=len(sizes))  # (D,)
        self.begins = np.concatenate([[0], np.cumsum(shared_sizes)])  # (D + 1,)
        ranked = self.ids[np.lexsort((self.ids, counts[self.ids], owner))]  # (N',) those in no other set would be first
        nth = np.arange(len(ranked)) - (self.begins[:-1] + shared_sizes - sizes)[owner]
        is_prefix = nth < (sizes - np.ceil(least * sizes).astype(np.int64) + 1)[owner]
        member, self.text = ranked[is_prefix], owner[is_prefix]  # (M,) entries: a member in the prefix of a text
        self.rest = sizes[self.text] - nth[is_prefix]  # (M,) members of the text from this one on
        by_member = np.argsort(member, kind="stable")  # the texts of one member stay in order
        self.texts_by_member, self.rest_by_member = self.text[by_member], self.rest[by_member]  # (M,)
        self.first = np.searchsorted(member[by_member], member)  # (M,) where the entries of a member begin
        self.at = np.empty_like(by_member)  # (M,) where an entry is among those
        self.at[by_member] = np.arange(len(by_member))

    def texts(self) -> Iterator[Tuple[int, NDArray[Any]]]:
        """YIELDS (Tuple): A text, and its entries whose member an earlier text has, too."""
        entries = np.flatnonzero(self.at > self.first)
        for some in np.split(entries, np.flatnonzero(np.diff(self.text[entries])) + 1) if len(entries) else ():
            yield int(self.text[some[0]]), some

    def search(self, this: int, entries: NDArray[Any], groups: Ints, *, is_other: bool) -> Optional[Match]:
        """RETURNS (Optional[Match]): The first earlier text, of another group or its own, that is similar."""
        is_many = (self.at[entries] - self.first[entries]).sum() > _MANY
        for low, high in pairwise(_steps(this) if is_many else [0, this]):
            texts = self.candidates(this, entries, low, high)
            for text in texts[(groups[texts] != groups[this]) == is_other].tolist():
                similarity = self.compare(this, text)
                if similarity >= self.least:
                    return Match(this, text, similarity)
        return None

    def candidates(self, this: int, entries: NDArray[Any], low: int, high: int) -> NDArray[Any]:
        """RETURNS (NDArray): The texts from `low` to `high` that fit by their size and prefix, in order."""
        found, sizes, least = [], self.sizes, self.least
        for entry in entries:
            first, at = self.first[entry], self.at[entry]
            start, end = first + np.searchsorted(self.texts_by_member[first:at], [low, high])
            near = self.texts_by_member[start:end]
            needed = least / (1 + least) * (sizes[this] + sizes[near])  # that they must have in common
            found.append(near[np.minimum(self.rest_by_member[start:end], self.rest[entry]) >= needed])
        texts: NDArray[Any] = np.unique(np.concatenate(found))
        texts = texts[(sizes[texts] >= least * sizes[this]) & (least * sizes[texts] <= sizes[this])]
        return texts

    def compare(self, one: int, other: int) -> float:
        """RETURNS (float): The similarity of two texts."""
        first, second = (self.ids[self.begins[text] : self.begins[text + 1]] for text in (one, other))
        shared = len(np.intersect1d(first, second, assume_unique=True))
        return shared / int(self.sizes[one] + self.sizes[other] - shared)


def _steps(end: int) -> List[int]:
    """0 and `end`, and numbers between them, each four times the one before: what is early is met with little work."""
    steps = [0, _MANY // 16]
    while steps[-1] < end:
        steps.append(4 * steps[-1])
    return [*steps[:-1], end]
