"""Helpers that several tests of the data side share."""

from typing import List, Tuple

from spacy.tokens import Doc

from spacy_ctxtag.data.records import Problem


def codes(problems: List[Problem], *, is_error: bool = True) -> List[Tuple[str, int]]:
    """Code and line of each problem that is (not) an error."""
    return [(problem.message[1:6], problem.line) for problem in problems if problem.is_error == is_error]


def ents(doc: Doc) -> List[Tuple[int, int, str]]:
    """The entities of a Doc as token offsets."""
    return [(ent.start, ent.end, ent.label_) for ent in doc.ents]


def spans(doc: Doc, key: str = "chunks") -> List[Tuple[int, int, str]]:
    """The spans of a group of the Doc as token offsets."""
    return [(span.start, span.end, span.label_) for span in doc.spans[key]]
