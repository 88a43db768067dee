"""Two systems on the same documents: how their scores differ, overall and by label, and which spans changed.

Documents are taken one pair at a time and not kept; what is kept are numbers for the documents in which something is
annotated or found (the others say nothing about a score), and the spans that one of the two has and the other has not.

Each label is a test, so their p-values are adjusted, by Holm (1979): among the labels of a score, and among the scores.
"""

from array import array
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

import numpy as np
from spacy.tokens import Doc
from spacy.training import Example

from ..data.records import doc_meta
from ..errors import Errors
from .counts import Item, Outcome, f_score, outcomes
from .significance import compare_counts

WORSE, BETTER = ("broken", "spurious"), ("fixed", "cleared")
CONTEXT = 40  # characters on either side of a change


class Change(NamedTuple):
    """A span, or a tag, that one of the two has and the other has not.

    score (str): Of what it is part, such as "ents_f".
    kind (str): "fixed": right, only b finds it; "broken": right, only a finds it; "spurious": wrong, only b has it;
        "cleared": wrong, only a has it. Tags are fixed or broken only.
    document (int): Its number, from 1. id (Optional[str]): Its name, if it has one.
    start, end (int): Offsets in characters of the document.
    text, label (str): The span.
    left, right (str): The text on either side.
    instead (List): What the other one of the two has over the same tokens, as pairs of text and label.
    """

    score: str
    kind: str
    document: int
    id: Optional[str]
    start: int
    end: int
    text: str
    label: str
    left: str
    right: str
    instead: List[Tuple[str, str]]


@dataclass(frozen=True)
class Compared:
    """A score of both, in [0, 1]; how many spans of it are annotated; and, where it was tested, the 95 % interval of
    b - a, how probable a difference as large is by chance, and that adjusted for all that were tested with it."""

    gold: int
    a: float
    b: float
    low: Optional[float] = None
    high: Optional[float] = None
    p_value: Optional[float] = None
    p_adjusted: Optional[float] = None

    @property
    def difference(self) -> float:
        """Score of b less that of a."""
        return self.b - self.a

    def is_worse(self, alpha: float) -> bool:
        """Whether b is worse, by more than chance, after adjustment."""
        return self.p_adjusted is not None and self.p_adjusted < alpha and self.difference < 0


@dataclass(frozen=True)
class Comparison:
    """What was found: by score, by score and label, and all changes in the order of the documents."""

    documents: int
    scores: Dict[str, Compared]
    labels: Dict[str, Dict[str, Compared]]
    changes: List[Change]

    def as_dict(self) -> Dict[str, Any]:
        """RETURNS (Dict[str, Any]): All of it, for a JSON file."""
        kinds = Counter((change.score, change.kind) for change in self.changes)
        scores = {
            name: {
                **_record(compared),
                **{kind: kinds[name, kind] for kind in (*BETTER, *WORSE)},
                "labels": {label: _record(each) for label, each in self.labels[name].items()},
            }
            for name, compared in self.scores.items()
        }
        return {
            "documents": self.documents,
            "scores": scores,
            "changes": [change._asdict() for change in self.changes],
        }


def compare_examples(
    pairs: Iterable[Tuple[Example, Example]], *, min_support: int = 20, n_samples: int = 9999, seed: int = 0
) -> Comparison:
    """Compare two systems.

    pairs (Iterable[Tuple[Example, Example]]): For each document that with the predictions of a, and that with those of
        b, of the same reference.
    min_support (int): A label with fewer annotated spans is not tested.
    n_samples (int): Draws of each test. seed (int): Theirs.
    RETURNS (Comparison): Of every score that is annotated, and of which one of the two predicts anything.
    RAISES (ValueError): CT735 where a pair is not of one document; CT736 with nothing to compare.
    RAISES (ImportError): CT705 without SciPy.
    """
    tables: Dict[Tuple[str, str], array[int]] = {}  # by score and label, "" for all; six numbers a document
    predicted: Set[str] = set()
    changes: List[Change] = []
    n = 0
    for n, (a, b) in enumerate(pairs, 1):
        these, those = outcomes(a), outcomes(b)
        if {name: one.gold for name, one in these.items()} != {name: two.gold for name, two in those.items()}:
            raise ValueError(Errors.CT735.format(document=n))
        for name, one in these.items():
            two = those[name]
            found = {item[2] for item in one.found | two.found if item[2]}
            if found:
                predicted.add(name)
            if one.found or two.found or one.gold:
                tables.setdefault((name, ""), array("q")).extend((*one.row, *two.row))
            for label in found | {item[2] for item in one.gold}:
                row = (*one.of(label).row, *two.of(label).row)
                tables.setdefault((name, label), array("q")).extend(row)
            changes += _changes(name, one, two, a.reference, n)
    if not predicted:
        raise ValueError(Errors.CT736)
    settings = {"n_samples": n_samples, "seed": seed}
    compared = {key: _compare(rows, min_support if key[1] else 0, **settings) for key, rows in tables.items()}
    names = [name for name in dict.fromkeys(name for name, _ in tables) if name in predicted]
    labels = {name: {label: each for (of, label), each in compared.items() if of == name and label} for name in names}
    return Comparison(
        n,
        _adjusted({name: compared[name, ""] for name in names}),
        {name: _adjusted(family) for name, family in labels.items()},
        [change for change in changes if change.score in predicted],
    )


def adjust(p_values: Sequence[float]) -> List[float]:
    """Adjust for several tests (Holm 1979): where those below alpha are taken for real, the probability that one of
    them or more is chance is alpha at most.

    RETURNS (List[float]): In the same order.
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for done, at in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - done) * p_values[at]))
        adjusted[at] = largest
    return adjusted


def telling(changes: Iterable[Change], kinds: Sequence[str], n: int) -> List[Tuple[Change, int]]:
    """The changes that come most often: the same mention, label and mistake.

    kinds (Sequence[str]): Of which kinds; among those that come equally often, the first kind is first.
    RETURNS (List[Tuple[Change, int]]): The first of each, and how often it comes; n of them at most.
    """
    first: Dict[Any, Change] = {}
    times: Counter[Any] = Counter()
    for change in changes:
        if change.kind in kinds:
            mistake = tuple(sorted(label for _, label in change.instead))
            key = (change.score, change.kind, change.text.casefold(), change.label, mistake)
            first.setdefault(key, change)
            times[key] += 1
    order = sorted(first, key=lambda key: (-times[key], kinds.index(key[1])))
    return [(first[key], times[key]) for key in order[:n]]


@dataclass(frozen=True)
class Gate:
    """What b must not do.

    worse (bool): Be worse than a by more than chance: a score, or a label that was tested.
    alpha (float): The adjusted p-value below which it is more than chance.
    max_drop (Optional[float]): By how many points of a percentage a score may fall.
    max_label_drop (Optional[float]): By how many that of a label may fall that was tested.
    """

    worse: bool = False
    alpha: float = 0.05
    max_drop: Optional[float] = None
    max_label_drop: Optional[float] = None

    @property
    def is_set(self) -> bool:
        """Whether there is anything that fails."""
        return self.worse or self.max_drop is not None or self.max_label_drop is not None

    def failures(self, found: Comparison) -> List[str]:
        """RETURNS (List[str]): What it does, a message each."""
        return [
            *(message for name, each in found.scores.items() for message in self._check(name, each, self.max_drop)),
            *(
                message
                for name, labels in found.labels.items()
                for label, each in labels.items()
                if each.p_value is not None
                for message in self._check(f"{name} of {label}", each, self.max_label_drop)
            ),
        ]

    def _check(self, name: str, each: Compared, max_drop: Optional[float]) -> Iterator[str]:
        figures: Dict[str, Any] = {"name": name, "a": 100 * each.a, "b": 100 * each.b}
        if self.worse and each.is_worse(self.alpha):
            yield Errors.CT737.format(p=each.p_adjusted, alpha=self.alpha, **figures)
        if max_drop is not None and -100 * each.difference > max_drop + 1e-9:
            yield Errors.CT738.format(drop=-100 * each.difference, max_drop=max_drop, **figures)


def _compare(rows: "array[int]", min_support: int, **settings: int) -> Compared:
    counts = np.array(rows, dtype="int64").reshape(-1, 2, 3)  # (U, systems, 3)
    a, b = counts[:, 0], counts[:, 1]
    gold = int(a[:, 2].sum())
    compared = Compared(gold, float(f_score(a.sum(axis=0))), float(f_score(b.sum(axis=0))))
    if gold < min_support:
        return compared
    found = compare_counts([a], [b], **settings)
    return replace(compared, low=found.low, high=found.high, p_value=found.p_value)


def _adjusted(family: Dict[str, Compared]) -> Dict[str, Compared]:
    """RETURNS (Dict[str, Compared]): The same, sorted by name, with adjusted p-values where there are any."""
    p_values = {name: each.p_value for name, each in sorted(family.items()) if each.p_value is not None}
    adjusted = dict(zip(p_values, adjust(list(p_values.values())), strict=True))
    return {name: replace(each, p_adjusted=adjusted.get(name)) for name, each in sorted(family.items())}


def _record(compared: Compared) -> Dict[str, Any]:
    return {**asdict(compared), "difference": compared.difference}


def _changes(name: str, a: Outcome, b: Outcome, doc: Doc, number: int) -> List[Change]:
    is_tag = not (name == "ents_f" or name.startswith("spans_"))
    only_a, only_b = a.found - b.found, b.found - a.found
    kinds = [("fixed", only_b & a.gold, a), ("broken", only_a & a.gold, b)]
    if not is_tag:
        kinds += [("cleared", only_a - a.gold, b), ("spurious", only_b - a.gold, a)]
    found = [(item, kind, other.found) for kind, items, other in kinds for item in items]
    return [_change(name, kind, item, others, doc, number) for item, kind, others in sorted(found, key=lambda f: f[:2])]


def _change(name: str, kind: str, item: Item, others: Set[Item], doc: Doc, number: int) -> Change:
    start, end, label = item
    span, text = doc[start:end], doc.text
    instead = sorted(other for other in others if other[0] < end and start < other[1] and other[2])
    return Change(
        name,
        kind,
        number,
        doc_meta(doc).get("id"),
        span.start_char,
        span.end_char,
        span.text,
        label,
        text[max(0, span.start_char - CONTEXT) : span.start_char],
        text[span.end_char : span.end_char + CONTEXT],
        [(doc[first:last].text, other) for first, last, other in instead],
    )
