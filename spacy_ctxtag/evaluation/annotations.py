"""Several annotations of the same documents, laid over each other.

Documents belong together when their texts are the same but for white space; where a text is repeated, those of one name
first. What is compared are units: where all have the same tokens, these; elsewhere whatever lies between two borders of
anybody's tokens, so that each unit is within one token of everybody. White space is no unit.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Dict, FrozenSet, Iterator, List, Optional, Sequence, Set, Tuple

from spacy.tokens import Doc

from ..data.records import DataError, Problem, doc_meta
from ..errors import Errors

ENTITIES, TAGS = "entities", ("pos", "tag")  # layers
OUTSIDE = "O"  # of entities
VERSION = 0.5  # texts with such a share of their words in common are two versions of one

UnitSpan = Tuple[int, int, str]  # first unit, one after the last, label
_Row = List[Optional[Doc]]  # one document, as each annotator has it


@dataclass(frozen=True)
class Annotation:
    """What one annotator says of a document of T units.

    doc (Doc): The document as it was read.
    layers (Dict[str, List[Optional[str]]]): T values each. "entities": a label or "O"; "pos", "tag": that of the token,
        if it is not more than the unit. None: unknown.
    spans (FrozenSet[UnitSpan]): The entities.
    has_same_tokens (bool): Whether its tokens are the units.
    """

    doc: Doc
    layers: Dict[str, List[Optional[str]]]
    spans: FrozenSet[UnitSpan]
    has_same_tokens: bool


@dataclass(frozen=True)
class SharedDoc:
    """A document, and what A annotators say of it.

    name (str): Its id, which no other document has.
    units (List[Tuple[int, int]]): T pairs: first character, and one after the last, in the text of `base`.
    annotations (List[Optional[Annotation]]): A of them; None where an annotator does not have the document.
    """

    name: str
    units: List[Tuple[int, int]]
    annotations: List[Optional[Annotation]]

    @property
    def base(self) -> Doc:
        """The document as the first of those who have it does."""
        return next(each.doc for each in self.annotations if each is not None)


def match_documents(annotators: Sequence[str], read: Sequence[Sequence[Doc]]) -> List[SharedDoc]:
    """Find out which documents are the same ones, and lay them over each other.

    annotators (Sequence[str]): A names.
    read (Sequence[Sequence[Doc]]): The documents of each.
    RETURNS (List[SharedDoc]): All documents, in the order of the first annotator, then of the second, ….
    RAISES (DataError): CT750 for documents of the same id with other texts, CT751 where nothing was annotated twice.
    """
    rows = [row for same in _by_text(read) for row in _by_name(same, len(read))]
    problems = list(_other_texts(annotators, rows))
    if not problems and not any(sum(doc is not None for doc in row) > 1 for row in rows):
        counts = ", ".join(f"{name} {len(docs)}" for name, docs in zip(annotators, read, strict=True))
        problems = [Problem(", ".join(annotators), 0, Errors.CT751.format(counts=counts))]
    if problems:
        raise DataError(problems)
    shared: List[SharedDoc] = []
    names: Set[str] = set()
    for row in rows:
        first = next(doc for doc in row if doc is not None)
        name, n = _name(first), 1
        while name in names:
            n += 1
            name = f"{_name(first)} ({n})"
        names.add(name)
        shared.append(lay_over(name, row))
    return shared


def lay_over(name: str, docs: Sequence[Optional[Doc]]) -> SharedDoc:
    """RETURNS (SharedDoc): Documents of one text, white space aside, by their common units."""
    tokens = [None if doc is None else _tokens(doc) for doc in docs]
    borders = sorted({at for each in tokens for token in each or () for at in token})
    numbers = {at: i for i, at in enumerate(borders)}
    base = next(doc for doc in docs if doc is not None)
    places = [i for i, character in enumerate(base.text) if not character.isspace()]
    units = [(places[start], places[end - 1] + 1) for start, end in pairwise(borders)]
    annotations = [
        None if doc is None or each is None else _annotation(doc, each, numbers, len(units))
        for doc, each in zip(docs, tokens, strict=True)
    ]
    return SharedDoc(name, units, annotations)


def _annotation(doc: Doc, tokens: List[Tuple[int, int]], numbers: Dict[int, int], n_units: int) -> Annotation:
    layers: Dict[str, List[Optional[str]]] = {layer: [None] * n_units for layer in (ENTITIES, *TAGS)}
    at = [(numbers[start], numbers[end]) for start, end in tokens]
    for token, (start, end) in zip(doc, at, strict=True):
        for unit in range(start, end):
            layers[ENTITIES][unit] = None if token.ent_iob == 0 else token.ent_type_ or OUTSIDE
        if end == start + 1:
            layers["pos"][start], layers["tag"][start] = token.pos_ or None, token.tag_ or None
    spans = {(at[ent.start][0], at[ent.end - 1][1], ent.label_) for ent in doc.ents}
    n_tokens = sum(start < end for start, end in at)
    return Annotation(doc, layers, frozenset(span for span in spans if span[0] < span[1]), n_tokens == n_units)


def _squeeze(text: str) -> str:
    return "".join(text.split())


def _name(doc: Doc) -> str:
    return str(doc_meta(doc).get("id", ""))


def _tokens(doc: Doc) -> List[Tuple[int, int]]:
    """RETURNS (List[Tuple[int, int]]): The tokens in a text without white space, of which they leave out nothing."""
    found, end = [], 0
    for token in doc:
        start, end = end, end + len(_squeeze(token.text))
        found.append((start, end))
    return found


def _by_text(read: Sequence[Sequence[Doc]]) -> Iterator[List[List[Doc]]]:
    """YIELDS (List[List[Doc]]): The documents of each annotator that have the same text."""
    found: Dict[str, List[List[Doc]]] = {}
    for i, docs in enumerate(read):
        for doc in docs:
            found.setdefault(_squeeze(doc.text), [[] for _ in read])[i].append(doc)
    yield from found.values()


def _by_name(same: List[List[Doc]], n: int) -> List[_Row]:
    """RETURNS (List[_Row]): Documents of one text, no annotator twice in a row; those of the same name go together."""
    rows: List[_Row] = []
    for i, docs in enumerate(same):
        nameless: List[Doc] = []
        for doc in docs:
            free = [row for row in rows if row[i] is None]
            row = next((row for row in free if any(o is not None and _name(o) == _name(doc) for o in row)), None)
            if row is None:
                nameless.append(doc)
            else:
                row[i] = doc
        for doc in nameless:
            row = next((row for row in rows if row[i] is None), None)
            if row is None:
                row = [None] * n
                rows.append(row)
            row[i] = doc
    return rows


def _other_texts(annotators: Sequence[str], rows: List[_Row]) -> Iterator[Problem]:
    """YIELDS (Problem): For documents of the same id with versions of a text, neither of which the other one has. Texts
    that share few words are different documents, as of files without ids, where they are called by numbers."""
    for i, one in enumerate(annotators):
        for j in range(i + 1, len(annotators)):
            left, right = (
                {_name(doc): doc for row in rows if (doc := row[this]) is not None and row[other] is None}
                for this, other in ((i, j), (j, i))
            )
            for name in sorted((left.keys() & right.keys()) - {""}):
                if _likeness(left[name].text, right[name].text) < VERSION:
                    continue
                a, b = _squeeze(left[name].text), _squeeze(right[name].text)
                pairs = enumerate(zip(a, b, strict=False))
                at = next((i for i, (x, y) in pairs if x != y), min(len(a), len(b)))
                message = Errors.CT750.format(
                    id=name, a=one, b=annotators[j], text_a=a[at : at + 20], text_b=b[at : at + 20]
                )
                meta = doc_meta(right[name])
                yield Problem(str(meta.get("source", annotators[j])), int(meta.get("line", 0)), message)


def _likeness(a: str, b: str) -> float:
    """RETURNS (float): The share of the words of both texts that both have (Jaccard)."""
    one, other = set(re.findall(r"\w+", a)), set(re.findall(r"\w+", b))
    return len(one & other) / max(1, len(one | other))
