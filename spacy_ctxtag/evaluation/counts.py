"""How many spans, or tags, of each document are right: what a score is made of, and what tests of significance draw.

Three numbers a document: hits h, predicted p, gold g. F = 2 h / (p + g); for tags p = g, and F is their accuracy. Their
sums over documents give what spaCy's `Scorer` gives.
"""

from functools import partial
from typing import Any, Callable, Dict, Iterable, List, Optional, Set, Tuple

import numpy as np
from spacy.training import Example

Counts = Any  # (U, 3) int64: hits, predicted, gold of each document
Row = Tuple[int, int, int]
_Span = Tuple[int, int, str]


def count_examples(examples: Iterable[Example]) -> Dict[str, Counts]:
    """Count what is right.

    examples (Iterable[Example]): With predictions.
    RETURNS (Dict[str, Counts]): By the name of the score in spaCy: "ents_f", "tag_acc", "pos_acc", and "spans_KEY_f"
        for every key of `doc.spans` in a reference; (U, 3) each, the same documents everywhere, zeros for one without
        the annotation. Scores of which nothing is annotated are left out.
    """
    examples = list(examples)
    keys = sorted({key for eg in examples for key in eg.reference.spans})
    counters: Dict[str, Callable[[Example], Optional[Row]]] = {
        "ents_f": _count_entities,
        **{f"{attr}_acc": partial(_count_tags, attr=attr) for attr in ("tag", "pos")},
        **{f"spans_{key}_f": partial(_count_spans, key=key) for key in keys},
    }
    found = {}
    for name, counter in counters.items():
        rows: List[Optional[Row]] = [counter(eg) for eg in examples]
        if any(row is not None for row in rows):
            found[name] = np.array([row or (0, 0, 0) for row in rows], dtype="int64").reshape(-1, 3)
    return found


def f_score(counts: Any) -> Any:
    """RETURNS (Floats): F, in [0, 1], of hits, predicted and gold on the last axis; 0 where there is nothing."""
    return 2 * counts[..., 0] / np.maximum(1, counts[..., 1] + counts[..., 2])


def _count_entities(eg: Example) -> Optional[Row]:
    """Predictions over tokens whose annotation is unknown do not count."""
    gold = eg.reference
    if not gold.has_annotation("ENT_IOB"):
        return None
    known = [token.ent_iob != 0 for token in gold]
    found = {span for span in _aligned(eg, eg.predicted.ents) if all(known[span[0] : span[1]])}
    return _row(found, {(ent.start, ent.end, ent.label_) for ent in gold.ents})


def _count_spans(eg: Example, key: str) -> Optional[Row]:
    if key not in eg.reference.spans:
        return None
    found = eg.predicted.spans.get(key, ())
    return _row(_aligned(eg, found), {(span.start, span.end, span.label_) for span in eg.reference.spans[key]})


def _count_tags(eg: Example, attr: str) -> Optional[Row]:
    """A predicted token that is not one token of the reference misses, and so does white space."""
    if not eg.reference.has_annotation(attr.upper()):
        return None
    gold = {token.i: getattr(token, f"{attr}_") for token in eg.reference}
    aligned, found = eg.alignment.x2y, set()
    for token in eg.predicted:
        if not token.is_space and aligned.lengths[token.i] == 1 and gold[int(aligned[token.i][0])]:
            at = int(aligned[token.i][0])
            found.add((at, at + 1, getattr(token, f"{attr}_")))
    return _row(found, {(at, at + 1, value) for at, value in gold.items() if value})


def _aligned(eg: Example, spans: Iterable[Any]) -> Set[_Span]:
    """RETURNS (Set[_Span]): Predicted spans by the tokens of the reference that they reach from and to."""
    tokens = ((eg.alignment.x2y[span.start : span.end], span.label_) for span in spans)
    return {(int(at[0]), int(at[-1]) + 1, label) for at, label in tokens if len(at)}


def _row(found: Set[_Span], gold: Set[_Span]) -> Row:
    return len(found & gold), len(found), len(gold)
