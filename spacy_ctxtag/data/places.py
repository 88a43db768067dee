"""Where a document is: in which split and file, at which line, under what name, and what it was made from."""

from pathlib import Path
from typing import NamedTuple

from spacy.tokens import Doc

from .records import Problem, doc_meta, where


class Place(NamedTuple):
    """Where a document is.

    split (str): The split; "" where there are none.
    path (str): The file it was read from.
    line (int): The line it begins at; 0 where the file has no lines, or does not say.
    document (str): Its name.
    source (str): The file, and the line, that it was made from, where that is another file.
    """

    split: str
    path: str
    line: int
    document: str
    source: str

    def at(self, token: int = -1, char: int = -1) -> str:
        """RETURNS (str): The place, to stand inside a sentence."""
        path = f"{self.path}:{self.line}" if self.line else self.path
        found = where(self.document, self.source, token, char)
        return f"{path} ({found})" if found else path

    def problem(self, message: str, *, token: int = -1, char: int = -1, is_error: bool = True) -> Problem:
        """RETURNS (Problem): A problem of the document."""
        return Problem(self.path, self.line, message, is_error, self.document, self.source, token, char)


def place_of(doc: Doc, path: Path, split: str = "") -> Place:
    """Read the place of a document off its metadata.

    doc (Doc): A document that a `SourceReader` has read.
    path (Path): The file it was read from.
    split (str): Its split.
    RETURNS (Place): Where it is.
    """
    meta = doc_meta(doc)
    source, line = str(meta.get("source") or ""), meta.get("line")
    number = line if isinstance(line, int) else 0
    is_own = source == path.as_posix()
    origin = "" if is_own or not source else source + (f":{number}" if number else "")
    return Place(split, str(path), number if is_own else 0, str(meta.get("id", "")), origin)
