"""Reads CoNLL-U: one syntactic word a line in ten columns (universaldependencies.org/format.html).

The tokens of a Doc are the syntactic words. The words of a multiword token stand without a space between them where
they spell its surface form ("do" + "n't"), else with one ("an dem" for the German "am"), and the last takes the
range's `SpaceAfter`. Empty nodes are skipped. UPOS is `pos_`, XPOS `tag_` (UPOS in a file without any XPOS), FEATS
`morph`. Heads are kept for documents in which every word has one. CoNLL-U has no entities: they are missing.
Enhanced dependencies and other MISC entries are not read.
"""

import re
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from ..errors import Errors
from .lines import read_lines
from .records import RESERVED_KEYS, UPOS, Problem, Record

_COMMENT = re.compile(r"#\s*(newdoc id|[\w.-]+)\s*=\s*(.*)")
_NEWDOC = re.compile(r"#\s*newdoc\s*")
_ID = re.compile(r"(\d+)(?:-(\d+)|\.(\d+))?")
_FEATS = re.compile(r"[^=|\s]+=[^=|\s]+(\|[^=|\s]+=[^=|\s]+)*")


@dataclass
class _Word:
    line: int
    cells: List[str]
    space: bool

    @property
    def form(self) -> str:
        return self.cells[1]


@dataclass
class _Sentence:
    words: List[_Word] = field(default_factory=list)
    ranges: List[Tuple[int, int, _Word]] = field(default_factory=list)  # first and last id, from 1, and the range
    text: Optional[Tuple[int, str]] = None  # line and value of `# text`
    is_broken: bool = False


def read_conllu(path: Path, problems: List[Problem], *, n_sents: int = 1) -> List[Record]:
    """Read a CoNLL-U file.

    path (Path): The file.
    problems (List[Problem]): Gets every problem (CT301-CT303, CT350-CT358), and a warning where the words do not
        spell `# text` (CT359).
    n_sents (int): Sentences a document, where the file has no `# newdoc`; 0: the file is one document.
    RETURNS (List[Record]): The documents. Sentences with errors are left out of them.
    """
    documents: List[Tuple[int, Dict[str, str], List[_Sentence]]] = []
    sent, pending = _Sentence(), True
    has_marks = False
    for number, line in [*read_lines(path, problems), (0, "")]:
        if not line.strip():
            if sent.words or sent.is_broken:
                _finish(sent, documents[-1][1].get("id", ""), path, problems)
                documents[-1][2].append(sent)
            sent = _Sentence()
        elif line.startswith("#") and not sent.words:
            comment = _COMMENT.fullmatch(line)
            key, value = (comment.group(1), comment.group(2).strip()) if comment else ("", "")
            if key == "newdoc id" or _NEWDOC.fullmatch(line):
                documents.append((number, {"id": value} if value else {}, []))
                has_marks, pending = True, False
            elif key == "text":
                sent.text = (number, value)
            elif key not in ("", "sent_id", *RESERVED_KEYS) and documents and not documents[-1][2] and not sent.text:
                documents[-1][1][key] = value
        else:
            if pending:
                documents.append((number, {}, []))
                pending = False
            _read_row(line, number, sent, documents[-1][1].get("id", ""), path, problems)
    records = []
    for line_number, meta, sents in documents:
        size = n_sents if n_sents and not has_marks else max(1, len(sents))
        if not sents:
            problems.append(Problem(str(path), line_number, Errors.CT313.format(id=meta.get("id", path.stem))))
        for i in range(0, len(sents), size):
            chunk = [sent for sent in sents[i : i + size] if not sent.is_broken]
            if chunk:
                records.append(_to_record(chunk, meta, line_number if has_marks else chunk[0].words[0].line))
    if not any(tag for record in records for tag in record.tags or ()):
        for record in records:
            record.tags = list(record.pos or ())
    for record in records:
        record.tags = record.tags if any(record.tags or ()) else None
        record.pos = record.pos if any(record.pos or ()) else None
    return records


def _read_row(line: str, number: int, sent: _Sentence, document: str, path: Path, problems: List[Problem]) -> None:
    """Add a line to a sentence, or report what is wrong with it."""

    def report(message: str) -> None:
        problems.append(Problem(str(path), number, message, document=document))
        sent.is_broken = True

    cells = line.split("\t")
    if len(cells) != 10 or not all(cells):
        report(Errors.CT350.format(met=len(cells) if all(cells) else f"{len(cells)}, some of them empty"))
        return
    match = _ID.fullmatch(cells[0])
    if match is None:
        report(Errors.CT351.format(met=cells[0], expected=len(sent.words) + 1))
        return
    word = _Word(number, cells, "SpaceAfter=No" not in cells[9].split("|"))
    first, last, empty = int(match.group(1)), match.group(2), match.group(3)
    if empty is not None:
        return
    if last is not None:
        previous = sent.ranges[-1][1] if sent.ranges else 0
        if first != len(sent.words) + 1 or int(last) <= first or first <= previous:
            report(Errors.CT352.format(met=cells[0], expected=len(sent.words) + 1))
            return
        sent.ranges.append((first, int(last), word))
        return
    if first != len(sent.words) + 1:
        report(Errors.CT351.format(met=cells[0], expected=len(sent.words) + 1))
    if cells[3] not in UPOS | {"_"}:
        report(Errors.CT329.format(form=cells[1], tag=cells[3], expected=" ".join(sorted(UPOS))))
    if cells[5] != "_" and not _FEATS.fullmatch(cells[5]):
        report(Errors.CT353.format(met=cells[5]))
    if cells[6] != "_" and not cells[6].isdecimal():
        report(Errors.CT354.format(met=cells[6], expected="0 or the number of a word"))
    sent.words.append(word)


def _finish(sent: _Sentence, document: str, path: Path, problems: List[Problem]) -> None:
    """Check what can be checked at the end of a sentence only, and set the spaces inside multiword tokens."""
    if sent.is_broken:
        return

    def report(word: _Word, message: str) -> None:
        problems.append(Problem(str(path), word.line, message, document=document))
        sent.is_broken = True

    size = len(sent.words)
    for _, last, word in sent.ranges:
        if last > size:
            report(word, Errors.CT355.format(met=word.cells[0], words=size))
    heads = [word.cells[6] for word in sent.words]
    for word in sent.words:
        if word.cells[6] == "_" and any(head != "_" for head in heads):
            report(word, Errors.CT354.format(met="_", expected="a head, as the other words of the sentence have"))
        elif word.cells[6] != "_" and (int(word.cells[6]) > size or word.cells[6] == word.cells[0]):
            report(word, Errors.CT354.format(met=word.cells[6], expected=f"0 or another word up to {size}"))
    if sent.is_broken:
        return
    if "_" not in heads:
        roots = [word for word in sent.words if word.cells[6] == "0"]
        if len(roots) != 1:
            report(roots[1] if roots else sent.words[0], Errors.CT356.format(met=len(roots)))
        for i, word in enumerate(sent.words):
            if _is_in_cycle(i, [int(head) - 1 for head in heads]):
                report(word, Errors.CT357.format(form=word.form))
    surface, at = "", 0
    for first, last, word in sent.ranges:
        surface += _spell([*sent.words[at : first - 1], word])
        inner = sent.words[first - 1 : last]
        for w in inner:
            w.space = "".join(w.form for w in inner) != word.form
        inner[-1].space = word.space
        at = last
    spelt = surface + _spell(sent.words[at:])
    if sent.text is not None and spelt.split() != sent.text[1].split():
        message = Errors.CT359.format(text=sent.text[1], spelt=spelt.strip())
        problems.append(Problem(str(path), sent.text[0], message, is_error=False, document=document))


def _spell(words: List[_Word]) -> str:
    return "".join(word.form + " " * word.space for word in words)


def _is_in_cycle(start: int, heads: List[int]) -> bool:
    i = heads[start]
    for _ in heads:
        if i < 0 or i == start:
            return i == start
        i = heads[i]
    return False


def _to_record(sents: List[_Sentence], meta: Dict[str, str], line: int) -> Record:
    """Join sentences; columns become the attributes of tokens."""
    words = [word for sent in sents for word in sent.words]
    starts = [i == 0 for sent in sents for i in range(len(sent.words))]
    offsets = accumulate([0, *(len(sent.words) for sent in sents[:-1])])
    record = Record(words=[word.form for word in words], sent_starts=starts, meta=dict(meta), line=line)
    record.spaces = [*(word.space for word in words[:-1]), False]
    record.pos = [_value(word.cells[3]) for word in words]
    record.tags = [_value(word.cells[4]) for word in words]
    record.lemmas = [word.form if word.form == "_" else _value(word.cells[2]) for word in words]
    record.morphs = [_value(word.cells[5]) for word in words]
    if all(word.cells[6] != "_" and word.cells[7] != "_" for word in words):
        record.heads = [
            offset + (int(word.cells[6]) - 1 if word.cells[6] != "0" else i)
            for sent, offset in zip(sents, offsets, strict=True)
            for i, word in enumerate(sent.words)
        ]
        record.deps = ["ROOT" if word.cells[6] == "0" else word.cells[7] for word in words]
    return record


def _value(cell: str) -> str:
    return "" if cell == "_" else cell
