"""What can be seen wrong in one document alone."""

from typing import Iterator, List, Set, Tuple

from spacy.tokens import Doc, Span

from ...errors import Errors
from ...warnings import Warnings
from ..places import Place
from ..records import Problem


def check_document(doc: Doc, place: Place, spans_key: str) -> Iterator[Problem]:
    """The checks of a document.

    doc (Doc): The document.
    place (Place): Where it is.
    spans_key (str): The group of `doc.spans` whose spans must not overlap, since a `ctx_chunker` learns them.
    YIELDS (Problem): What is wrong, with token and character.
    """
    if not doc.text.strip():
        yield place.problem(Errors.CT381)
        return
    has_tags = doc.has_annotation("TAG") or doc.has_annotation("POS")
    has_ents = doc.has_annotation("ENT_IOB")
    if not (has_tags or has_ents or doc.has_annotation("DEP") or doc.cats or doc.spans):
        yield place.problem(Errors.CT380)
    has_sents = doc.has_annotation("SENT_START")
    for ent in doc.ents:
        if _has_loose_edge(ent):
            yield _of_span(place, ent, Errors.CT382.format(text=ent.text, label=ent.label_), is_error=True)
        if has_sents and any(token.is_sent_start for token in ent[1:]):
            yield _of_span(place, ent, Warnings.CW301.format(text=ent.text, label=ent.label_))
    untagged = [token for token in doc if not (token.tag or token.pos)] if has_tags else []
    if untagged:
        message = Warnings.CW302.format(n=len(untagged), total=len(doc), text=untagged[0].text)
        yield place.problem(message, token=untagged[0].i, char=untagged[0].idx, is_error=False)
    for key, group in doc.spans.items():
        yield from _check_group(key, list(group), place, is_flat=key == spans_key)


def _check_group(key: str, group: List[Span], place: Place, *, is_flat: bool) -> Iterator[Problem]:
    """The checks of a group of spans. In one that is flat, a span that is twice there overlaps itself."""
    seen: Set[Tuple[int, int, str]] = set()
    widest: List[Span] = []  # the span that reaches farthest of those before; none at first
    for span in sorted(group, key=lambda each: (each.start, each.end)):
        if not len(span):
            message = Warnings.CW311.format(key=key, label=span.label_)
            yield place.problem(message, token=span.start, is_error=False)
            continue
        if _has_loose_edge(span):
            yield _of_span(place, span, Warnings.CW319.format(text=span.text, label=span.label_, key=key))
        if is_flat and widest and span.start < widest[0].end:
            other, label = widest[0].text, widest[0].label_
            message = Errors.CT386.format(text=span.text, label=span.label_, key=key, other=other, other_label=label)
            yield _of_span(place, span, message, is_error=True)
        elif (span.start, span.end, span.label_) in seen:
            yield _of_span(place, span, Warnings.CW318.format(text=span.text, label=span.label_, key=key))
        seen.add((span.start, span.end, span.label_))
        if not widest or span.end > widest[0].end:
            widest = [span]


def _has_loose_edge(span: Span) -> bool:
    return span.text != span.text.strip()


def _of_span(place: Place, span: Span, message: str, *, is_error: bool = False) -> Problem:
    return place.problem(message, token=span.start, char=span.start_char, is_error=is_error)
