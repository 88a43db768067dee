"""Where the probabilities of entities live: in a span group of the Doc, found again by character offsets and label.

A span group survives `DocBin`, `Doc.to_bytes`, pickling and worker processes, which attributes of Spans do not.
"""

from bisect import bisect_left
from typing import Optional, Sequence

from spacy.tokens import Doc, Span, SpanGroup

SCORES = "scores"  # the attribute of a group that holds one probability per span, in their order
SOURCE = "spacy-ctxtag"


def store_scores(doc: Doc, name: str, spans: Sequence[Span], scores: Sequence[float]) -> None:
    """Put spans, sorted by start, and their probabilities into `doc.spans[name]`."""
    attrs = {SCORES: [float(score) for score in scores], "source": SOURCE}
    doc.spans[name] = SpanGroup(doc, name=name, spans=list(spans), attrs=attrs)


def find_score(span: Span) -> Optional[float]:
    """The getter of `span._.ctx_score`: the probability that exactly these characters are an entity of this label.

    RETURNS (Optional[float]): None when no component of ours has stored the span. With several, the first in the order
        of the pipeline.
    """
    for group in span.doc.spans.values():
        if group.attrs.get("source") != SOURCE or len(group.attrs[SCORES]) != len(group):
            continue  # another's, or one that was changed since
        at = bisect_left(range(len(group)), span.start_char, key=lambda i: group[i].start_char)
        while at < len(group) and group[at].start_char == span.start_char:
            if group[at].end_char == span.end_char and group[at].label == span.label:
                return float(group.attrs[SCORES][at])
            at += 1
    return None


def register_extensions() -> None:
    """Make `span._.ctx_score` known to spaCy."""
    if not Span.has_extension("ctx_score"):
        Span.set_extension("ctx_score", getter=find_score)
