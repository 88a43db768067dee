"""What every reader produces: records of annotated text, and problems with a file and a line.

A `Record` is one document as the file has it, independent of a vocabulary; `Record.to_doc` makes the spaCy `Doc`.
Readers append to a list of problems and go on, so that all of them are reported, not only the first. This module
opens no file.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple

from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from ..errors import Errors

UPOS = frozenset(re.findall(r"\w+", "ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X"))

USER_DATA_KEY = "ctx"  # doc.user_data["ctx"] = {"id": ..., "source": ..., "line": ..., **metadata}
RESERVED_KEYS = ("id", "source", "line")

_SURROGATE = re.compile("[\ud800-\udfff]")

EntitySpan = Tuple[int, int, str]  # first token, one after the last, label


def has_surrogate(text: str) -> bool:
    """RETURNS (bool): Whether a string holds half of a surrogate pair, which no Doc takes."""
    return _SURROGATE.search(text) is not None


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with an input.

    path (str): The file; names of splits, where it concerns these as a whole.
    line (int): The line, counted from 1; 0 where the problem belongs to no line.
    message (str): What was met, what was expected and what to do.
    is_error (bool): False for a warning, which does not stop a conversion.
    document (str): The name of the document; "" where it has none, or the problem belongs to none.
    source (str): The file, and the line, that the document was made from, where that is another file.
    token, char (int): Where in the document, counted from 0; -1 where that is not known.
    """

    path: str
    line: int
    message: str
    is_error: bool = True
    document: str = ""
    source: str = ""
    token: int = -1
    char: int = -1

    @property
    def code(self) -> str:
        """The code that the message begins with."""
        return self.message.partition("]")[0].removeprefix("[")

    def __str__(self) -> str:
        found = where(self.document, self.source, self.token, self.char)
        at = f"{self.path}:{self.line}" if self.line else self.path
        return f"{at}: {self.message} ({found})" if found else f"{at}: {self.message}"

    def to_json(self) -> Dict[str, Any]:
        """RETURNS (Dict[str, Any]): The problem as `schemas/problems.json` describes it; None for what is not known."""
        return {
            "code": self.code,
            "severity": "error" if self.is_error else "warning",
            "file": self.path,
            "line": self.line or None,
            "document": self.document or None,
            "source": self.source or None,
            "token": self.token if self.token >= 0 else None,
            "char": self.char if self.char >= 0 else None,
            "message": self.message,
        }


def where(document: str, source: str, token: int, char: int) -> str:
    """RETURNS (str): A place inside of a file, as people read it: the document, its source, token and character."""
    parts = [f"document {document!r}" + (f" from {source}" if source else "")] if document or source else []
    parts += [f"token {token}"] if token >= 0 else []
    parts += [f"character {char}"] if char >= 0 else []
    return ", ".join(parts)


class DataError(ValueError):
    """Raised where inputs cannot be used; `problems` has all that were found, the message the first 50 errors."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        lines = [str(problem) for problem in problems if problem.is_error]
        shown = lines[:50] + ([f"… and {len(lines) - 50} more"] if len(lines) > 50 else [])
        super().__init__(Errors.CT300.format(n=len(lines), problems="\n".join(shown)))


@dataclass
class Record:
    """One document. The lists are parallel to `words` (length T) or None where the source does not annotate them.

    words (List[str]): The tokens.
    spaces (Optional[List[bool]]): Whether a space follows; None where the source does not say.
    sent_starts (Optional[List[bool]]): Whether a token opens a sentence.
    ents (Optional[List[EntitySpan]]): Entities, as token offsets; None: not annotated.
    missing (List[int]): Tokens of which it is not known whether they belong to an entity.
    tags (Optional[List[str]]): Fine-grained tags, for `token.tag_`; "" where unknown.
    pos (Optional[List[str]]): Universal parts of speech, for `token.pos_`.
    heads (Optional[List[int]]): Index of each token's head in the document; a root is its own head.
    spans (Dict[str, List[EntitySpan]]): Other spans, by the key in `doc.spans`; without a key: not annotated.
    meta (Dict[str, Any]): What the source says of the document; "id" where it names it.
    line (int): The line on which the document begins.
    """

    words: List[str] = field(default_factory=list)
    spaces: Optional[List[bool]] = None
    sent_starts: Optional[List[bool]] = None
    ents: Optional[List[EntitySpan]] = None
    missing: List[int] = field(default_factory=list)
    tags: Optional[List[str]] = None
    pos: Optional[List[str]] = None
    morphs: Optional[List[str]] = None
    lemmas: Optional[List[str]] = None
    heads: Optional[List[int]] = None
    deps: Optional[List[str]] = None
    spans: Dict[str, List[EntitySpan]] = field(default_factory=dict)
    meta: Dict[str, Any] = field(default_factory=dict)
    line: int = 0

    def to_doc(self, vocab: Vocab) -> Doc:
        """The record as a Doc. Entities that are not annotated stay missing, as do unknown tags.

        vocab (Vocab): The vocabulary the Doc is made with.
        RETURNS (Doc): The Doc, with `user_data["ctx"]` = the metadata.
        """
        doc = Doc(
            vocab,
            words=self.words,
            spaces=self.spaces,
            tags=self.tags,
            pos=self.pos,
            morphs=self.morphs,
            lemmas=self.lemmas,
            heads=self.heads,
            deps=self.deps,
            sent_starts=None if self.heads is not None or self.sent_starts is None else list(self.sent_starts),
            user_data={USER_DATA_KEY: dict(self.meta)},
        )
        if self.ents is not None:
            doc.set_ents(
                [Span(doc, start, end, label=label) for start, end, label in self.ents],
                missing=[Span(doc, i, i + 1) for i in self.missing],
                default="outside",
            )
        for key, spans in self.spans.items():
            doc.spans[key] = [Span(doc, start, end, label=label) for start, end, label in spans]
        return doc


def fill_tags(records: Iterable[Record], *, tag_set: str) -> bool:
    """Decide what the tags of one file are, and fill `pos` where they are universal ones. Changes the records.

    A file with universal tags only gets them as `pos` and as `tags`, as in spaCy's own CoNLL-U converter, so that a
    tagger can be trained on either.

    tag_set (str): "upos", "xpos" (never universal) or "auto" (universal if every tag of the file is one).
    RETURNS (bool): Whether the tags were taken as universal ones.
    """
    tagged = [record for record in records if record.tags is not None]
    universal = tag_set == "upos" or (
        tag_set == "auto" and all(tag in UPOS or not tag for record in tagged for tag in record.tags or ())
    )
    if universal:
        for record in tagged:
            record.pos = list(record.tags or ())
    return universal


def doc_meta(doc: Doc) -> Dict[str, Any]:
    """The metadata that the readers put on a Doc: "id", "source", "line" and what the source said of it.

    doc (Doc): Any Doc.
    RETURNS (Dict[str, Any]): The metadata; empty for a Doc from elsewhere.
    """
    meta = doc.user_data.get(USER_DATA_KEY)
    return meta if isinstance(meta, dict) else {}
