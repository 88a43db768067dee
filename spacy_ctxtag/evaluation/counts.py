"""How many spans, or tags, of each document are right: what a score is made of, and what tests of significance draw.

Three numbers a document: hits h, predicted p, gold g. F = 2 h / (p + g); for tags p = g, and F is their accuracy. Their
sums over documents give what spaCy's `Scorer` gives.
"""

from typing import Any, Dict, Iterable, NamedTuple, Optional, Set, Tuple

import numpy as np
from spacy.training import Example

Counts = Any  # (U, 3) int64: hits, predicted, gold of each document
Row = Tuple[int, int, int]
Item = Tuple[int, int, str]  # first token of the reference, one after the last, label


class Outcome(NamedTuple):
    """What is found in a document, and what is right; tags are spans of one token, "" where none is found."""

    found: Set[Item]
    gold: Set[Item]

    def of(self, label: str) -> "Outcome":
        """RETURNS (Outcome): What there is of a label."""
        return Outcome(*({item for item in items if item[2] == label} for items in self))

    @property
    def row(self) -> Row:
        """Hits, predicted, gold."""
        return len(self.found & self.gold), len(self.found), len(self.gold)


def outcomes(eg: Example) -> Dict[str, Outcome]:
    """Compare what is predicted with what is annotated.

    RETURNS (Dict[str, Outcome]): By the name of the score in spaCy: "ents_f", "tag_acc", "pos_acc", and "spans_KEY_f"
        for every key of `doc.spans` in the reference; without what is not annotated.
    """
    found: Dict[str, Optional[Outcome]] = {"ents_f": _entities(eg)}
    found.update({f"{attr}_acc": _tags(eg, attr) for attr in ("tag", "pos")})
    found.update({f"spans_{key}_f": _spans(eg, key) for key in sorted(eg.reference.spans)})
    return {name: outcome for name, outcome in found.items() if outcome is not None}


def count_examples(examples: Iterable[Example]) -> Dict[str, Counts]:
    """Count what is right. Takes one Example at a time.

    examples (Iterable[Example]): With predictions.
    RETURNS (Dict[str, Counts]): By the names of `outcomes`, (U, 3) each, the same documents everywhere, zeros for one
        without the annotation. Scores of which nothing is annotated are left out.
    """
    rows: Dict[str, Dict[int, Row]] = {}
    n = 0
    for eg in examples:
        for name, outcome in outcomes(eg).items():
            rows.setdefault(name, {})[n] = outcome.row
        n += 1
    nothing: Row = (0, 0, 0)
    return {
        name: np.array([found.get(i, nothing) for i in range(n)], dtype="int64").reshape(-1, 3)
        for name, found in rows.items()
    }


def f_score(counts: Any) -> Any:
    """RETURNS (Floats): F, in [0, 1], of hits, predicted and gold on the last axis; 0 where there is nothing."""
    return 2 * counts[..., 0] / np.maximum(1, counts[..., 1] + counts[..., 2])


def _entities(eg: Example) -> Optional[Outcome]:
    """Predictions over tokens whose annotation is unknown do not count."""
    gold = eg.reference
    if not gold.has_annotation("ENT_IOB"):
        return None
    known = [token.ent_iob != 0 for token in gold]
    found = {span for span in _aligned(eg, eg.predicted.ents) if all(known[span[0] : span[1]])}
    return Outcome(found, _items(gold.ents))


def _spans(eg: Example, key: str) -> Outcome:
    return Outcome(_aligned(eg, eg.predicted.spans.get(key, ())), _items(eg.reference.spans[key]))


def _tags(eg: Example, attr: str) -> Optional[Outcome]:
    """A predicted token that is not one token of the reference misses, and so does white space."""
    if not eg.reference.has_annotation(attr.upper()):
        return None
    gold = {token.i: getattr(token, f"{attr}_") for token in eg.reference}
    aligned, found = eg.alignment.x2y, set()
    for token in eg.predicted:
        if not token.is_space and aligned.lengths[token.i] == 1 and gold[int(aligned[token.i][0])]:
            at = int(aligned[token.i][0])
            found.add((at, at + 1, getattr(token, f"{attr}_")))
    return Outcome(found, {(at, at + 1, value) for at, value in gold.items() if value})


def _items(spans: Iterable[Any]) -> Set[Item]:
    return {(span.start, span.end, span.label_) for span in spans}


def _aligned(eg: Example, spans: Iterable[Any]) -> Set[Item]:
    """RETURNS (Set[Item]): Predicted spans by the tokens of the reference that they reach from and to."""
    tokens = ((eg.alignment.x2y[span.start : span.end], span.label_) for span in spans)
    return {(int(at[0]), int(at[-1]) + 1, label) for at, label in tokens if len(at)}
