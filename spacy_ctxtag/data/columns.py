"""Reads tokens in columns, one a line, a blank line after each sentence: CoNLL-2003, IOB files, TSV.

Documents begin at `-DOCSTART-` or at `# doc = ID` (also `# newdoc id = ID`, `# newdoc`); without either, `n_sents`
sentences make a document. A token may be `#` or begin with it: a line that begins with `# ` is a comment only if it has
the form of one (`# key = value`) and, where columns are separated by a tab or another string, does not hold that
string. Comments between a document's mark and its first token are its metadata, others are skipped. The format does
not record spaces: every Doc has `has_unknown_spaces`, and one space after each token.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from ..errors import Errors
from ..tags import read_tags
from .lines import Line, read_lines
from .records import RESERVED_KEYS, UPOS, EntitySpan, Problem, Record, fill_tags

SCHEMES = ("IOB1", "BIO", "BIOES", "BILUO")
SEPARATORS = {"tab": "\t", "space": " ", "comma": ",", "semicolon": ";", "pipe": "|"}

_COMMENT = re.compile(r"# ([\w.-]+|newdoc id) = (.*)")
_WHITESPACE_COMMENTS = ("doc", "newdoc id", "sent_id", "text")  # elsewhere `# x = y` is four columns
_DOCSTART = "-DOCSTART-"
_NEWDOC = re.compile(r"# newdoc[ \t]*")
_BLANK = re.compile(r"[ \t]*")
_MISSING = "-"


@dataclass
class _Row:
    line: int
    cells: List[str]


@dataclass
class _Document:
    """A document as it stands in the file: its sentences of rows."""

    line: int
    meta: Dict[str, str] = field(default_factory=dict)
    sents: List[List[_Row]] = field(default_factory=list)
    is_marked: bool = True
    has_rows: bool = False


def read_columns(
    path: Path,
    problems: List[Problem],
    *,
    separator: str = "auto",
    token_column: int = 0,
    tag_column: int = -1,
    pos_column: Optional[int] = None,
    chunk_column: Optional[int] = None,
    scheme: str = "auto",
    tag_set: str = "auto",
    has_ents: bool = True,
    spans_key: str = "chunks",
    n_sents: int = 1,
) -> List[Record]:
    """Read a file in columns.

    path (Path): The file.
    problems (List[Problem]): Gets every problem (CT301-CT303, CT329, CT340-CT344, and CT110-CT114 of `tags.read_tags`).
    separator (str): "tab", "space" (one or more spaces or tabs), "comma", "semicolon", "pipe", any other string, or
        "auto": tab if a token's line holds one, else "space".
    token_column, tag_column (int): Columns counted from 0, or from -1 at the end.
    pos_column (Optional[int]): The column with the part of speech, if it is to be read.
    chunk_column (Optional[int]): The column with the tags of further spans, such as chunks, if it is to be read.
    scheme (str): "IOB1", "BIO", "BIOES", "BILUO", or "auto": judged by all tags of the file, in each column.
    tag_set (str): Whether parts of speech are universal ones: "upos", "xpos" or "auto".
    has_ents (bool): Whether the tag column is to be read.
    spans_key (str): What the further spans are called in `Record.spans`.
    n_sents (int): Sentences a document, where documents are not marked; 0: the file is one document.
    RETURNS (List[Record]): The documents. Where there are errors, they hold what could be read.
    """
    lines = list(read_lines(path, problems))
    split_at = _separator(separator, lines)
    tagged = [column for column in (tag_column if has_ents else None, chunk_column) if column is not None]
    wanted = [token_column, *tagged, *([] if pos_column is None else [pos_column])]
    documents = _split_documents(lines, split_at, path, problems)
    _check_widths(documents, split_at, wanted, path, problems)
    sents = [sent for document in documents for sent in document.sents]
    width = len(sents[0][0].cells) if sents else 0
    if width and len({column % width for column in tagged}) < len(tagged):
        column = tag_column % width + 1
        problems.append(Problem(str(path), 0, Errors.CT344.format(column=column, key=spans_key)))
    schemes = dict.fromkeys(tagged, scheme)
    if scheme == "auto":
        schemes = {column: guess_scheme([[row.cells[column] for row in sent] for sent in sents]) for column in tagged}
    records = []
    for document in _group(documents, n_sents):
        record = Record(sent_starts=[], ents=[] if has_ents else None, meta=dict(document.meta), line=document.line)
        record.tags = [] if pos_column is not None else None
        for sent in document.sents:
            offset = len(record.words)
            record.words.extend(row.cells[token_column] for row in sent)
            record.sent_starts = [*(record.sent_starts or []), *(i == 0 for i in range(len(sent)))]
            if record.tags is not None and pos_column is not None:
                record.tags.extend(_unknown_as_empty(row.cells[pos_column]) for row in sent)
            if record.ents is not None:
                record.missing.extend(offset + i for i, row in enumerate(sent) if row.cells[tag_column] == _MISSING)
                found = ["O" if row.cells[tag_column] == _MISSING else row.cells[tag_column] for row in sent]
                record.ents.extend(_read_spans(found, sent, schemes[tag_column], record, offset, path, problems))
            if chunk_column is not None:
                found = [row.cells[chunk_column] for row in sent]
                spans = _read_spans(found, sent, schemes[chunk_column], record, offset, path, problems)
                record.spans.setdefault(spans_key, []).extend(spans)
        if not document.has_rows:
            name = document.meta.get("id", path.stem)
            problems.append(Problem(str(path), document.line, Errors.CT313.format(id=name)))
        records.append(record)
    if tag_set == "upos":
        for row in (row for sent in sents for row in sent):
            if pos_column is not None and row.cells[pos_column] not in UPOS | {"_", _MISSING}:
                message = Errors.CT329.format(
                    form=row.cells[token_column], tag=row.cells[pos_column], expected=" ".join(sorted(UPOS))
                )
                problems.append(Problem(str(path), row.line, message))
                tag_set = "xpos"
    fill_tags(records, tag_set=tag_set)
    return records


def guess_scheme(sents: List[List[str]]) -> str:
    """The scheme of a file, by all its tags.

    E- or S- means BIOES, L- or U- BILUO. Otherwise an I- that continues nothing speaks for IOB1 and a B- that does not
    follow its own label for BIO; the scheme with fewer violations is taken, BIO where they are equal.

    sents (List[List[str]]): The tags of each sentence.
    RETURNS (str): One of SCHEMES.
    """
    prefixes = {tag[:1] for sent in sents for tag in sent if tag[1:2] == "-"}
    if prefixes & {"E", "S"}:
        return "BIOES"
    if prefixes & {"L", "U"}:
        return "BILUO"
    violations = {"BIO": 0, "IOB1": 0}
    for sent in sents:
        for before, tag in pairwise(["O", *sent]):
            follows = before[1:] == tag[1:] and before[:1] in ("B", "I")
            violations["BIO"] += tag.startswith("I-") and not follows
            violations["IOB1"] += tag.startswith("B-") and not follows
    return "IOB1" if violations["IOB1"] < violations["BIO"] else "BIO"


def _unknown_as_empty(tag: str) -> str:
    return "" if tag in ("_", _MISSING) else tag


def _separator(name: str, lines: List[Line]) -> Optional[str]:
    """The separating string, None for one or more spaces or tabs."""
    if name == "auto":
        name = "tab" if any("\t" in line for _, line in lines if not _BLANK.fullmatch(line)) else "space"
    found = SEPARATORS.get(name, name)
    return None if found == " " else found


def _split_documents(
    lines: List[Line], separator: Optional[str], path: Path, problems: List[Problem]
) -> List[_Document]:
    """Cut the lines into documents, sentences and cells. What stands before the first mark is a document, too."""
    documents: List[_Document] = []
    rows: List[_Row] = []  # of the sentence that is being read
    for number, line in [*lines, (0, "")]:
        comment = _comment(line, separator)
        cells = _cells(line, separator)
        is_named = comment is not None and comment[0] in ("doc", "newdoc id")
        is_mark = is_named or cells[:1] == [_DOCSTART] or _NEWDOC.fullmatch(line) is not None
        if rows and (not cells or comment is not None or is_mark):
            documents[-1].sents.append(rows)
            rows = []
        if comment is not None and is_mark:
            documents.append(_Document(number, {"id": comment[1].strip()}))
        elif is_mark:
            documents.append(_Document(number))
        elif comment is not None:
            key, value = comment
            if documents and not documents[-1].sents and key not in (*RESERVED_KEYS, "sent_id", "text"):
                documents[-1].meta[key] = value.strip()
        elif cells:
            if not documents:
                documents.append(_Document(number, is_marked=False))
            documents[-1].has_rows = True
            rows.append(_Row(number, cells))
    if len(documents) > 1 and not documents[0].is_marked:
        problems.append(Problem(str(path), documents[0].line, Errors.CT340.format(line=documents[1].line)))
    return documents


def _comment(line: str, separator: Optional[str]) -> Optional[Tuple[str, str]]:
    """Key and value of a comment line."""
    match = _COMMENT.fullmatch(line) if line.startswith("# ") else None
    if match is None or (separator is not None and separator in line):
        return None
    if separator is None and match.group(1) not in _WHITESPACE_COMMENTS:
        return None
    return match.group(1), match.group(2)


def _cells(line: str, separator: Optional[str]) -> List[str]:
    """The cells of a line; none for a blank one."""
    if _BLANK.fullmatch(line):
        return []
    if separator is None:
        return re.split(r"[ \t]+", line.strip(" \t"))
    return [cell.strip(" ") for cell in line.split(separator)]


def _check_widths(
    documents: List[_Document], separator: Optional[str], wanted: List[int], path: Path, problems: List[Problem]
) -> None:
    """Report and remove the rows that have too few columns, not as many as most rows have, or an empty cell."""
    widths = Counter(len(row.cells) for document in documents for sent in document.sents for row in sent)
    usual = widths.most_common(1)[0][0] if widths else 0
    needed = max(len(set(wanted)), *(i + 1 if i >= 0 else -i for i in wanted))
    name = "white space" if separator is None else repr(separator)
    if widths and usual < needed:
        problems.append(Problem(str(path), 0, Errors.CT341.format(needed=needed, met=usual, separator=name)))
    for document in documents:
        for i, sent in enumerate(document.sents):
            kept = []
            for row in sent:
                if len(row.cells) != usual:
                    met = repr((separator or " ").join(row.cells))
                    message = Errors.CT342.format(expected=usual, met=len(row.cells), separator=name, line=met)
                    problems.append(Problem(str(path), row.line, message))
                elif usual >= needed and not all(row.cells[column].strip() for column in wanted):
                    empty = next(column for column in wanted if not row.cells[column].strip())
                    problems.append(Problem(str(path), row.line, Errors.CT343.format(column=empty % usual + 1)))
                elif usual >= needed:
                    kept.append(row)
            document.sents[i] = kept
        document.sents = [sent for sent in document.sents if sent]


def _group(documents: List[_Document], n_sents: int) -> List[_Document]:
    """Cut a file without document marks into documents of `n_sents` sentences."""
    if len(documents) != 1 or documents[0].is_marked or not n_sents:
        return documents
    sents = documents[0].sents
    return [
        _Document(sents[i][0].line, sents=sents[i : i + n_sents], is_marked=False, has_rows=True)
        for i in range(0, len(sents), n_sents)
    ]


def _read_spans(
    tags: List[str],
    sent: List[_Row],
    scheme: str,
    record: Record,
    offset: int,
    path: Path,
    problems: List[Problem],
) -> List[EntitySpan]:
    """RETURNS (List[EntitySpan]): The spans of a sentence that begins at the token `offset` of its document."""
    spans, found = read_tags(tags, scheme)
    document = str(record.meta.get("id", ""))
    for each in found:
        line = sent[each.index].line
        problems.append(Problem(str(path), line, each.message, document=document, token=offset + each.index))
    return [(start + offset, end + offset, label) for start, end, label in spans]
