"""Where the probabilities of entities live: in span groups of the Doc, found again by character offsets and label.

A span group survives `DocBin`, `Doc.to_bytes`, pickling and worker processes, which attributes of Spans do not. spaCy's
own does not survive `merge_entities`: it keeps the old token indices. So characters stand beside the probabilities.
"""

from bisect import bisect_left, bisect_right
from typing import Any, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

import numpy as np
from spacy.tokens import Doc, Span, SpanGroup

SCORES = "scores"  # the attribute of a group that holds one probability to report per span, in their order
STARTS, ENDS, LABELS = "starts", "ends", "labels"  # characters and labels of the spans, in the same order
EXACT = "exact"  # the model's own probabilities, where those to report were mapped
PRESET = "preset"  # the positions of the spans that the component has not set itself
OWNER = "owner"  # of a group beside another one: the key of that
SOURCE = "spacy-ctxtag"

ScoreMaps = Mapping[str, Sequence[Sequence[float]]]  # by label, the corners of a piecewise linear map: x, y


class TextGroup(SpanGroup):
    """A span group that follows its characters when tokens are merged or split, to the tokens that now cover them.

    spaCy's own then raises wherever it is read: by `Doc.to_bytes`, `DocBin`, `Doc.copy`, `Doc.to_json`.
    """

    def __init__(self, doc: Doc, name: str, spans: Sequence[Span], attrs: Dict[str, Any]) -> None:
        super().__init__(doc, name=name, spans=spans, attrs=attrs)
        self._tokens = len(doc)
        self._places = [(span.start_char, span.end_char, span.label) for span in spans]

    def _follow(self) -> None:
        if len(self.doc) != self._tokens and len(self) == len(self._places):
            self._tokens = len(self.doc)
            found = [self.doc.char_span(*place, alignment_mode="expand") for place in self._places]
            spans = [span for span in found if span is not None]
            self.from_bytes(SpanGroup(self.doc, name=self.name, spans=spans, attrs=self.attrs).to_bytes())

    def __iter__(self) -> Iterator[Span]:
        self._follow()
        return super().__iter__()

    def __getitem__(self, i: int) -> Span:
        self._follow()
        return super().__getitem__(i)

    def to_bytes(self) -> bytes:
        self._follow()
        return super().to_bytes()


class Scored(NamedTuple):
    """A span, its exact probability, and whether others have set it."""

    span: Span
    score: float
    is_preset: bool = False


def store_scores(
    doc: Doc, key: str, scored: Iterable[Scored], maps: ScoreMaps, temperature: float, owner: Optional[str] = None
) -> None:
    """Put spans and their probabilities into `doc.spans[key]`, sorted by where they stand.

    maps (ScoreMaps): Map the probabilities to report; presets keep theirs.
    temperature (float): What the scores were divided by; kept beside them, 1.0 says that they were not.
    owner (Optional[str]): The key of the group that this one stands beside, if it does.
    """
    scored = sorted(scored, key=lambda each: (each.span.start, each.span.end))
    spans, exact = [each.span for each in scored], [float(each.score) for each in scored]
    attrs: Dict[str, Any] = {
        STARTS: [span.start_char for span in spans],
        ENDS: [span.end_char for span in spans],
        LABELS: [span.label_ for span in spans],
        SCORES: exact,
        PRESET: [i for i, each in enumerate(scored) if each.is_preset],
    }
    if maps:
        attrs.update({SCORES: [_report(each, maps) for each in scored], EXACT: exact})
    store_group(doc, key, spans, owner, **attrs, temperature=temperature)


def _report(each: Scored, maps: ScoreMaps) -> float:
    corners = None if each.is_preset else maps.get(each.span.label_)
    return float(each.score if corners is None else np.interp(each.score, corners[0], corners[1]))


def store_group(doc: Doc, key: str, spans: Sequence[Span], owner: Optional[str] = None, **attrs: Any) -> None:
    """Put spans into `doc.spans[key]`, with attributes of the group, as those of this package; as belonging to another
    group where that is given by its key."""
    beside = {} if owner is None else {OWNER: owner}
    doc.spans[key] = TextGroup(doc, key, spans, {**attrs, **beside, "source": SOURCE})


def drop_groups(doc: Doc, owner: str) -> None:
    """Remove the groups that an earlier run has left beside `doc.spans[owner]`, and that belong to it."""
    for key in [key for key, group in doc.spans.items() if _is_ours(group) and group.attrs.get(OWNER) == owner]:
        del doc.spans[key]


def own_entities(doc: Doc, key: str) -> Set[Tuple[int, int, str]]:
    """RETURNS (Set): Start and end character and label of the entities that a component has set itself."""
    group = doc.spans.get(key)
    if group is None or not _has_scores(group):
        return set()
    preset = set(group.attrs[PRESET])
    places = zip(group.attrs[STARTS], group.attrs[ENDS], group.attrs[LABELS], strict=True)
    return {place for i, place in enumerate(places) if i not in preset}


def find_score(span: Span) -> Optional[float]:
    """The getter of `span._.ctx_score`: the probability that exactly these characters are an entity of this label.

    RETURNS (Optional[float]): None when no component of ours has stored the span. With several, the first in the order
        of the pipeline, but those that have found it set come last.
    """
    given = None
    for _, group in scored_groups(span.doc):
        starts, ends, labels = (group.attrs[name] for name in (STARTS, ENDS, LABELS))
        for at in range(bisect_left(starts, span.start_char), bisect_right(starts, span.start_char)):
            if (ends[at], labels[at]) == (span.end_char, span.label_):
                score = float(group.attrs[SCORES][at])
                if at not in group.attrs[PRESET]:
                    return score
                given = score if given is None else given
    return given


def list_scores(doc: Doc) -> List[Dict[str, Any]]:
    """The getter of `doc._.ctx_scores`: all spans with probabilities, as `Doc.to_json(underscore=["ctx_scores"])` takes
    them: group, start and end character, label, score."""
    return [
        dict(zip(("group", "start", "end", "label", "score"), (key, *values), strict=True))
        for key, group in scored_groups(doc)
        for values in zip(*(group.attrs[name] for name in (STARTS, ENDS, LABELS, SCORES)), strict=True)
    ]


def scored_groups(doc: Doc) -> Iterator[Tuple[str, SpanGroup]]:
    """YIELDS (Tuple[str, SpanGroup]): The groups of this package with one probability per span."""
    yield from ((key, group) for key, group in doc.spans.items() if _has_scores(group))


def _is_ours(group: SpanGroup) -> bool:
    return bool(group.attrs.get("source") == SOURCE)


def _has_scores(group: SpanGroup) -> bool:
    """Whether a group is ours, and nobody has changed it since."""
    parts = [group.attrs.get(name) for name in (STARTS, ENDS, LABELS, SCORES)]
    return _is_ours(group) and all(part is not None and len(part) == len(group) for part in parts)


def register_extensions() -> None:
    """Make `span._.ctx_score` and `doc._.ctx_scores` known to spaCy."""
    if not Span.has_extension("ctx_score"):
        Span.set_extension("ctx_score", getter=find_score)
    if not Doc.has_extension("ctx_scores"):
        Doc.set_extension("ctx_scores", getter=list_scores)
