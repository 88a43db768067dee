"""Documents as different people have annotated them."""

from collections.abc import Sequence
from typing import Any, Optional

from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_ctxtag.evaluation.annotations import SharedDoc, lay_over

VOCAB = Vocab()
Spans = Sequence[tuple[int, int, str]]


def annotate(
    text: str, ents: Optional[Spans] = (), *, name: str = "d", unknown: Sequence[int] = (), **attrs: Any
) -> Doc:
    """A Doc of words that are parted by spaces; entities by tokens, None: not annotated; a name "" is none."""
    doc = Doc(VOCAB, words=text.split(" ") if text else [], user_data={"ctx": {"id": name}} if name else {}, **attrs)
    if ents is not None:
        spans = [Span(doc, start, end, label=label) for start, end, label in ents]
        doc.set_ents(spans, missing=[doc[i : i + 1] for i in unknown])
    return doc


@st.composite
def flat_spans(draw: st.DrawFn, n: int = 8, labels: Sequence[str] = ("A", "B-c", "Ö")) -> list[tuple[int, int, str]]:
    """Spans over n tokens that do not overlap."""
    spans, at = [], 0
    while at < n:
        length = draw(st.integers(0, 3))
        end = min(n, at + max(1, length))
        if length:
            spans.append((at, end, draw(st.sampled_from(labels))))
        at = end
    return spans


@st.composite
def shared_docs(draw: st.DrawFn, n_annotators: int, *, missing: bool = True) -> list[SharedDoc]:
    """Some documents, each by some of the annotators, by two at least."""
    docs = []
    for d in range(draw(st.integers(1, 4))):
        by = draw(st.permutations(range(n_annotators)))[: draw(st.integers(2, n_annotators)) if missing else None]
        each = [annotate("a b c d e f g h", draw(flat_spans())) if i in by else None for i in range(n_annotators)]
        docs.append(lay_over(f"d{d}", each))
    return docs
