"""Labels: such as cannot be learnt or measured, rare ones, one that outweighs the others, spellings of one label.

Each layer (see `statistics`) is looked at by itself.
"""

import re
from collections import Counter
from typing import Dict, Iterator, List, Optional, Tuple

from spacy.matcher.levenshtein import levenshtein
from spacy.tokens import Doc

from ...warnings import Warnings
from ..records import Problem
from ..statistics import TAGS, SplitStatistics, labels_of, layers_of
from ..token_table import TokenTable

RARE = 10  # fewer examples are few,
RARE_SHARE = 0.1  # where the most frequent label has many more
LARGEST_SHARE = 0.9  # of a label that outweighs all others,
LEAST_LABELS = 100  # where it can be told
TYPO_SHARE = 0.05  # a misspelling is rarer than this share of what it misspells
EDITS = ((8, 2), (3, 1))  # labels of so many characters, and how many of these may differ
SIGNS = re.compile(r"[-_\s]")  # that make no other label

Counts = Dict[str, "Counter[str]"]  # by the split


class LabelIndex:
    """Where each label of each layer occurs first."""

    def __init__(self) -> None:
        self._first: Dict[Tuple[str, str], int] = {}

    def add(self, doc: Doc, first: int) -> None:
        """Add the labels of a document.

        doc (Doc): The document.
        first (int): The number of its first token in the table.
        """
        for layer, label, token in labels_of(doc):
            self._first.setdefault((layer, label), first + token)

    def first(self, layer: str, label: str) -> int:
        """RETURNS (int): The number of the token at which a label first occurs."""
        return self._first[layer, label]


def check_labels(
    splits: List[SplitStatistics], train: Optional[str], index: LabelIndex, table: TokenTable
) -> Iterator[Problem]:
    """Check the labels of all splits.

    splits (List[SplitStatistics]): Their counts.
    train (Optional[str]): The split that is learnt from; None: there is none among them.
    index (LabelIndex): Where the labels are.
    table (TokenTable): The documents.
    YIELDS (Problem): Warnings, at the first place of a label where it has one.
    """
    for layer in layers_of(splits):
        counts = {split.name: split.of(layer) for split in splits}
        everywhere = sum(counts.values(), Counter[str]())
        yield from _check_splits(layer, counts, everywhere, train, index, table)
        yield from _check_balance(layer, counts, everywhere, train)
        for label, other in misspelt(everywhere, case_only=layer == TAGS):
            message = Warnings.CW314.format(
                label=label, n=f"{everywhere[label]:,}", layer=layer, other=other, most=f"{everywhere[other]:,}"
            )
            yield _at(table, index.first(layer, label), message)


def _check_splits(
    layer: str, counts: Counts, everywhere: "Counter[str]", train: Optional[str], index: LabelIndex, table: TokenTable
) -> Iterator[Problem]:
    """Labels that occur once, or not in every split that has others of the layer."""
    for label in sorted(everywhere):
        if everywhere[label] == 1:
            yield _at(table, index.first(layer, label), Warnings.CW305.format(label=label, layer=layer))
        if train is None:
            continue
        lacking = [name for name, each in counts.items() if name != train and each and not each[label]]
        if not counts[train][label]:
            yield _at(table, index.first(layer, label), Warnings.CW306.format(label=label, layer=layer))
        elif lacking:
            message = Warnings.CW307.format(label=label, layer=layer)
            yield Problem(", ".join(lacking), 0, message, is_error=False)


def _check_balance(layer: str, counts: Counts, everywhere: "Counter[str]", train: Optional[str]) -> Iterator[Problem]:
    """Rare labels, and one that outweighs the others: in the split that is learnt from, else in all together."""
    name = ", ".join(counts) if train is None else train
    learnt = everywhere if train is None else counts[train]
    if len(learnt) < 2:
        return
    (largest, most), total = learnt.most_common(1)[0], learnt.total()
    rare = [
        f"{label} {n}"
        for label, n in reversed(learnt.most_common())
        if n < RARE and n <= RARE_SHARE * most and everywhere[label] > 1
    ]
    if rare:
        message = Warnings.CW309.format(
            layer=layer, split=name, largest=largest, most=f"{most:,}", labels=", ".join(rare)
        )
        yield Problem(name, 0, message, is_error=False)
    if most >= LARGEST_SHARE * total and total >= LEAST_LABELS:
        message = Warnings.CW310.format(share=most / total, total=f"{total:,}", layer=layer, split=name, label=largest)
        yield Problem(name, 0, message, is_error=False)


def misspelt(counts: "Counter[str]", *, case_only: bool) -> Iterator[Tuple[str, str]]:
    """Pairs of labels that are probably meant to be one.

    counts (Counter): How often each label occurs.
    case_only (bool): Whether capitals alone are looked at: names of tags differ by little ("NN", "NNS", "PRP$").
    YIELDS (Tuple[str, str]): A label, and the more frequent one that it differs from in nothing but capitals, signs
        ("B-", "-", "_", a space) and a prefix of a tag scheme; or by few characters, and is much rarer than.
    """
    ordered = sorted(counts, key=lambda label: (-counts[label], label))
    names = {label: label.casefold() if case_only else _bare(label) for label in counts}

    def is_near(label: str, other: str) -> bool:
        is_typo = not case_only and _is_typo(label, other, counts[label], counts[other])
        return names[label] == names[other] or is_typo

    for i, label in enumerate(ordered):
        other = next((other for other in ordered[:i] if is_near(label, other)), None)
        if other is not None:
            yield label, other


def _bare(label: str) -> str:
    """A label without what is not part of its name; the label itself where nothing would be left."""
    name = label[2:] if label[1:2] == "-" and label[:1] in "BILUES" else label
    return SIGNS.sub("", name.casefold()) or label


def _is_typo(label: str, other: str, n: int, most: int) -> bool:
    edits = next((edits for size, edits in EDITS if min(len(label), len(other)) >= size), 0)
    return edits > 0 and n <= TYPO_SHARE * most and levenshtein(label.casefold(), other.casefold(), edits) <= edits


def _at(table: TokenTable, token: int, message: str) -> Problem:
    place, number, char = table.find(token)
    return place.problem(message, token=number, char=char, is_error=False)
