"""Where the probabilities of entities live: in span groups of the Doc, found again by character offsets and label.

A span group survives `DocBin`, `Doc.to_bytes`, pickling and worker processes, which attributes of Spans do not.
"""

from bisect import bisect_left
from typing import Any, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

import numpy as np
from spacy.tokens import Doc, Span, SpanGroup

SCORES = "scores"  # the attribute of a group that holds one probability to report per span, in their order
EXACT = "exact"  # the model's own probabilities, where those to report were mapped
PRESET = "preset"  # the positions of the spans that the component has not set itself
SOURCE = "spacy-ctxtag"

ScoreMaps = Mapping[str, Mapping[str, Sequence[float]]]  # by label, the corners of a piecewise linear map: "x" to "y"


class Scored(NamedTuple):
    """A span, its exact probability, and whether others have set it."""

    span: Span
    score: float
    is_preset: bool = False


def store_scores(doc: Doc, key: str, scored: Iterable[Scored], maps: ScoreMaps, temperature: float) -> None:
    """Put spans and their probabilities into `doc.spans[key]`, sorted by where they stand.

    maps (ScoreMaps): Map the probabilities to report; presets keep theirs.
    temperature (float): What the scores were divided by; kept beside them, 1.0 says that they were not.
    """
    scored = sorted(scored, key=lambda each: (each.span.start, each.span.end))
    exact = [float(each.score) for each in scored]
    attrs: Dict[str, Any] = {SCORES: exact, PRESET: [i for i, each in enumerate(scored) if each.is_preset]}
    if maps:
        attrs.update({SCORES: [_report(each, maps) for each in scored], EXACT: exact})
    store_group(doc, key, [each.span for each in scored], **attrs, temperature=temperature)


def _report(each: Scored, maps: ScoreMaps) -> float:
    corners = None if each.is_preset else maps.get(each.span.label_)
    return float(each.score if corners is None else np.interp(each.score, corners["x"], corners["y"]))


def store_group(doc: Doc, key: str, spans: Sequence[Span], **attrs: Any) -> None:
    """Put spans into `doc.spans[key]`, with attributes of the group, as those of this package."""
    doc.spans[key] = SpanGroup(doc, name=key, spans=list(spans), attrs={**attrs, "source": SOURCE})


def drop_groups(doc: Doc, prefix: str) -> None:
    """Remove groups of this package that an earlier run has left, by the beginning of their keys."""
    for key in [key for key, group in doc.spans.items() if key.startswith(prefix) and _is_ours(group)]:
        del doc.spans[key]


def own_entities(doc: Doc, key: str) -> Set[Tuple[int, int, int]]:
    """RETURNS (Set): Start and end character and label of the entities that a component has set itself."""
    group = doc.spans.get(key)
    if group is None or not _has_scores(group):
        return set()
    preset = set(group.attrs.get(PRESET, ()))
    return {(span.start_char, span.end_char, span.label) for i, span in enumerate(group) if i not in preset}


def find_score(span: Span) -> Optional[float]:
    """The getter of `span._.ctx_score`: the probability that exactly these characters are an entity of this label.

    RETURNS (Optional[float]): None when no component of ours has stored the span. With several, the first in the order
        of the pipeline.
    """
    for _, group in scored_groups(span.doc):
        at = bisect_left(range(len(group)), span.start_char, key=lambda i: group[i].start_char)
        while at < len(group) and group[at].start_char == span.start_char:
            if group[at].end_char == span.end_char and group[at].label == span.label:
                return float(group.attrs[SCORES][at])
            at += 1
    return None


def list_scores(doc: Doc) -> List[Dict[str, Any]]:
    """The getter of `doc._.ctx_scores`: all spans with probabilities, as `Doc.to_json(underscore=["ctx_scores"])` takes
    them: group, start and end character, label, score."""
    return [
        {"group": key, "start": span.start_char, "end": span.end_char, "label": span.label_, "score": float(score)}
        for key, group in scored_groups(doc)
        for span, score in zip(group, group.attrs[SCORES], strict=True)
    ]


def scored_groups(doc: Doc) -> Iterator[Tuple[str, SpanGroup]]:
    """YIELDS (Tuple[str, SpanGroup]): The groups of this package with one probability per span."""
    yield from ((key, group) for key, group in doc.spans.items() if _has_scores(group))


def _is_ours(group: SpanGroup) -> bool:
    return bool(group.attrs.get("source") == SOURCE)


def _has_scores(group: SpanGroup) -> bool:
    """Whether a group is ours, and nobody has changed it since."""
    return _is_ours(group) and len(group.attrs.get(SCORES, ())) == len(group) and SCORES in group.attrs


def register_extensions() -> None:
    """Make `span._.ctx_score` and `doc._.ctx_scores` known to spaCy."""
    if not Span.has_extension("ctx_score"):
        Span.set_extension("ctx_score", getter=find_score)
    if not Doc.has_extension("ctx_scores"):
        Doc.set_extension("ctx_scores", getter=list_scores)
