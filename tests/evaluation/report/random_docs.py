"""Random and adversarial documents with predictions, for hypothesis."""

from collections.abc import Sequence
from typing import Any

import spacy
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_ctxtag.evaluation.report.records import Frame, Mention, SpanRecord

VOCAB = spacy.blank("en").vocab
LABELS = ("A", "B-x", "Ö")
TAGS = ("NOUN", "VERB", "X", "")
WORDS = ("ab", "c", "\n", "de", "f", "gh", "i")
CUTS = (WORDS, ("abc", "\n", "def", "gh", "i"), ("a", "b", "c", "\n", "d", "ef", "g", "hi"))  # the same text


@st.composite
def flat_spans(draw: Any, n: int) -> list[tuple[int, int, str]]:
    """Spans of n tokens that do not overlap."""
    spans, at = [], 0
    while at < n:
        start = at + draw(st.integers(0, 2))
        end = start + draw(st.integers(1, 3))
        if end <= n:
            spans.append((start, end, draw(st.sampled_from(LABELS))))
        at = end
    return spans


def any_spans(n: int, size: int = 6) -> Any:
    """Spans of n tokens that may overlap."""
    borders = st.tuples(st.integers(0, n - 1), st.integers(1, n), st.sampled_from(LABELS))
    return st.lists(borders.filter(lambda span: span[0] < span[1]), max_size=size, unique=True)


@st.composite
def spacy_examples(draw: Any) -> list[Example]:
    """Documents with all that is awkward: white space, unknown annotation, groups that are missing, other tokens."""
    return [draw(_example()) for _ in range(draw(st.integers(1, 4)))]


@st.composite
def _example(draw: Any) -> Example:
    docs = []
    for words, is_gold in ((draw(st.sampled_from(CUTS)), False), (WORDS, True)):
        n = len(words)
        tags = draw(st.lists(st.sampled_from(TAGS), min_size=n, max_size=n))
        starts = draw(st.none() | st.lists(st.booleans(), min_size=n, max_size=n))
        doc = Doc(VOCAB, words=list(words), spaces=[False] * n, tags=tags, pos=tags, sent_starts=starts)
        if draw(st.booleans()) or not is_gold:
            ents = draw(flat_spans(n))
            taken = {i for start, end, _ in ents for i in range(start, end)}
            unknown = draw(st.sets(st.integers(0, n - 1))) - taken if is_gold else set()
            missing = [doc[i : i + 1] for i in sorted(unknown)]
            doc.set_ents(make_spans(doc, ents), missing=missing, default="outside")
        if draw(st.booleans()):
            doc.spans["sc"] = make_spans(doc, draw(any_spans(n)))
        docs.append(doc)
    return Example(*docs)


@st.composite
def flat_pairs(draw: Any) -> list[Example]:
    """Documents whose entities are all known, with the same tokens on both sides and no white space."""
    found = []
    for _ in range(draw(st.integers(1, 5))):
        n = draw(st.integers(1, 9))
        docs = [Doc(VOCAB, words=[f"w{i}" for i in range(n)]) for _ in range(2)]
        for doc in docs:
            doc.set_ents(make_spans(doc, draw(flat_spans(n))), default="outside")
        found.append(Example(*docs))
    return found


def make_spans(doc: Doc, spans: Sequence[tuple[int, int, str]]) -> list[Span]:
    """RETURNS (list[Span]): The spans of a Doc."""
    return [Span(doc, start, end, label=label) for start, end, label in spans]


def make_mentions(spans: Sequence[tuple[int, int, str]]) -> list[Mention]:
    """RETURNS (list[Mention]): The spans as a record has them."""
    return [Mention(*span) for span in sorted(spans)]


def make_frame(n: int, number: int = 1, **settings: Any) -> Frame:
    """RETURNS (Frame): A document of n tokens of one character each, with spaces between them."""
    about: dict[str, Any] = {
        "name": str(number),
        "source": None,
        "line": None,
        "domain": None,
        "text": " ".join("w" * n),
    }
    tokens = {"starts": range(0, 2 * n, 2), "ends": range(1, 2 * n, 2), "is_space": [False] * n}
    return Frame(**{"number": number, **about, **tokens, "sequences": [(0, n)], "has_sentences": False, **settings})


def make_record(gold: Sequence[Any], predicted: Sequence[Any], n: int, number: int = 1, **settings: Any) -> SpanRecord:
    """RETURNS (SpanRecord): Spans of a document of n tokens, all known. A span is a tuple, as Mention takes it."""
    sides = ([Mention(*each) for each in sorted(side)] for side in (gold, predicted))
    return SpanRecord(make_frame(n, number, **settings), *sides, *[[True] * n] * 2)
