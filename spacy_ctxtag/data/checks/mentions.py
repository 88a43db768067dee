"""Mentions: the same words with different labels, or annotated in one place and not in another."""

from collections import Counter
from itertools import islice
from typing import Dict, Iterator, List, NamedTuple

import numpy as np
from spacy.tokens import Doc

from ...warnings import Warnings
from ..records import Problem
from ..statistics import Mention, SplitStatistics, conflicting_mentions
from ..token_table import Hashes, Ints, TokenTable

OFTEN = 3  # a mention that is annotated so many times,
NEARLY_ALWAYS = 0.8  # and in this share of the places where its words stand, is an entity nearly always
LONGEST = 8  # tokens of a mention that is looked for elsewhere
_PLACES = 5  # that a message names
_MIX = np.uint64(0x9E3779B97F4A7C15)
_INSIDE, _OUTSIDE, _BEGIN = 1, 2, 3  # spaCy's numbers for them in token.ent_iob


class MentionIndex:
    """Where each mention occurs first, by its text and label."""

    def __init__(self) -> None:
        self._first: Dict[Mention, int] = {}

    def add(self, doc: Doc, first: int) -> None:
        """Add the entities of a document, whose first token has the number `first` in the table."""
        for ent in doc.ents:
            self._first.setdefault((ent.text, ent.label_), first + ent.start)

    def first(self, text: str, label: str) -> int:
        """RETURNS (int): The number of the token at which a mention first begins."""
        return self._first[text, label]


def check_mentions(splits: List[SplitStatistics], index: MentionIndex, table: TokenTable) -> Iterator[Problem]:
    """Report mentions with several labels, those with most uses of a rarer label first.

    splits (List[SplitStatistics]): The counts of all splits.
    index (MentionIndex): Where the mentions are.
    table (TokenTable): The documents.
    YIELDS (Problem): One for each such text, at the first place of its rarest label.
    """
    for text, counts in conflicting_mentions(splits).items():
        ordered = counts.most_common()
        where = {label: table.find(index.first(text, label)) for label, _ in ordered}
        labels = "; ".join(f"{label} {n}, first at {where[label][0].at(*where[label][1:])}" for label, n in ordered)
        place, token, char = where[ordered[-1][0]]
        message = Warnings.CW308.format(text=text, labels=labels)
        yield place.problem(message, token=token, char=char, is_error=False)


class Unlabelled(NamedTuple):
    """Words that are nearly always an entity: where they are one (at first), how often, and where they are outside."""

    first: int
    n: int
    end: int
    outside: Ints

    @property
    def share(self) -> float:
        """The share of the places in which they are an entity."""
        return self.n / (self.n + len(self.outside))


def check_unlabelled(splits: List[SplitStatistics], table: TokenTable) -> Iterator[Problem]:
    """Report words that are annotated nearly always, but not everywhere.

    splits (List[SplitStatistics]): The counts of all splits.
    table (TokenTable): The documents.
    YIELDS (Problem): One for each such text, at the first place where it is not annotated; the surest first.
    """
    labels: Dict[str, Counter[str]] = {}
    for split in splits:
        for (text, label), n in split.mentions.items():
            labels.setdefault(text, Counter())[label] += n
    for each in sorted(find_unlabelled(table), key=lambda found: (-found.share, -found.n, found.first)):
        text = table.text(each.first, each.end)
        places = [table.find(token) for token in islice(each.outside.tolist(), _PLACES)]
        listed = "; ".join(place.at(token, char) for place, token, char in places)
        more = len(each.outside) - len(places)
        known = labels.get(text, Counter())
        message = Warnings.CW315.format(
            text=text,
            n=each.n,
            labels=", ".join(label for label, _ in known.most_common()),
            places=listed + (f"; and {more} more" if more else ""),
        )
        place, token, char = places[0]
        yield place.problem(message, token=token, char=char, is_error=False)


def find_unlabelled(table: TokenTable) -> List[Unlabelled]:
    """Find the words that are an entity nearly always: at least `OFTEN` times, and in a share of at least
    `NEARLY_ALWAYS` of the places in which all of them are either exactly one entity, or all known to be outside.

    table (TokenTable): The documents.
    RETURNS (List[Unlabelled]): Those that are outside somewhere.
    """
    iob, owners = table.iob, table.owners  # (N,)
    begins = np.flatnonzero(iob == _BEGIN)  # (E,)
    goes_on_not = np.append(np.flatnonzero(iob != _INSIDE), len(iob))
    ends = goes_on_not[np.searchsorted(goes_on_not, begins, side="right")]  # (E,)
    n_others = np.concatenate([[0], np.cumsum(iob != _OUTSIDE)])  # tokens that are not outside, before each
    found: List[Unlabelled] = []
    for length in range(1, LONGEST + 1):
        starts = begins[ends - begins == length]
        if not len(starts):
            continue
        words = _windows(table.words, length)  # (N - length + 1,)
        keys, at, counts = np.unique(words[starts], return_index=True, return_counts=True)
        often = counts >= OFTEN
        keys, at, counts = keys[often], at[often], counts[often]
        is_outside = (n_others[length:] == n_others[:-length]) & (owners[length - 1 :] == owners[: len(words)])
        outside = np.flatnonzero(is_outside & np.isin(words, keys))
        outside = outside[np.argsort(words[outside], kind="stable")]  # the places of one key in order
        lows, highs = (np.searchsorted(words[outside], keys, side=side) for side in ("left", "right"))
        for first, n, low, high in zip(starts[at].tolist(), counts.tolist(), lows, highs, strict=True):
            each = Unlabelled(first, n, first + length, outside[low:high])
            if len(each.outside) and each.share >= NEARLY_ALWAYS:
                found.append(each)
    return found


def _windows(words: Hashes, length: int) -> Hashes:
    """One number for every `length` neighbouring words: (N - length + 1,)."""
    n = len(words) - length + 1
    mixed = np.zeros((n,), dtype=np.uint64)
    for i in range(length):
        mixed = mixed * _MIX + words[i : i + n]
    return mixed
