r"""Reads the inline markup: one sentence a line, tokens with their tags, entities in brackets.

    # doc = travel-04
    # domain = travel
    [PERSON Ilse/PROPN Marchetti/PROPN] left/VERB [- Porto/PROPN] ~./PUNCT

A line that begins with `# ` must be `# key = value` (a sentence without tags whose first token is `#` begins with
`\#`); `# doc` opens a document, and a file without it is one. What is not marked is outside every entity. Sentences
are joined by one space in the text, unless the next one begins with `~`. The pieces of a line are read by `markup`.
"""

from pathlib import Path
from typing import List, NamedTuple, Optional, Tuple

from ..errors import Errors
from .lines import read_lines
from .markup import HEADER, MISSING, MarkupError, closes, opens, read_label, read_token
from .records import RESERVED_KEYS, UPOS, Problem, Record


class _Tagging(NamedTuple):
    """Where a token stands and what tag it has."""

    line: int
    column: int
    form: str
    tag: str


def read_inline(path: Path, problems: List[Problem], *, tag_set: str = "auto", has_ents: bool = True) -> List[Record]:
    """Read a file in the inline markup.

    path (Path): The file.
    problems (List[Problem]): Gets every problem (CT301-CT303, CT310-CT329) and a warning (CT315).
    tag_set (str): "xpos": any tags, for `tag_`; "upos" and "auto": universal tags, for `pos_` and `tag_`.
    has_ents (bool): Whether entities are annotated; if not, it is unknown of all tokens whether they belong to one.
    RETURNS (List[Record]): The documents. Where there are errors, they hold what could be read.
    """
    records: List[Record] = []
    taggings: List[_Tagging] = []
    attempted = set()  # documents with a line that was meant to be a sentence
    for number, line in read_lines(path, problems):
        if not line.strip(" \t"):
            continue
        if line.startswith("# "):
            _read_header(line, number, records, path, problems)
            continue
        if not records:
            records.append(_new_record(number))
        attempted.add(len(records) - 1)
        _read_sentence(line, number, records[-1], taggings, path, problems)
    _check_tags(taggings, path, problems, universal=tag_set != "xpos")
    for i, record in enumerate(records):
        name = record.meta.get("id", path.stem)
        if i not in attempted:
            problems.append(Problem(str(path), record.line, Errors.CT313.format(id=name)))
        elif record.spaces:
            record.spaces[-1] = False
        if not any(record.tags or ()):
            record.tags = None
        elif tag_set != "xpos":  # what is no part of speech is reported already, and no Doc takes it
            record.pos = [tag if tag in UPOS else "" for tag in record.tags or ()]
        if not has_ents and (record.ents or record.missing):
            problems.append(Problem(str(path), record.line, Errors.CT314.format(id=name)))
    if not has_ents:
        for record in records:
            record.ents, record.missing = None, []
    elif any(record.tags for record in records) and not any(record.ents or record.missing for record in records):
        problems.append(Problem(str(path), 0, Errors.CT315, is_error=False))
    return records


def _new_record(line: int) -> Record:
    return Record(spaces=[], sent_starts=[], ents=[], tags=[], line=line)


def _read_header(line: str, number: int, records: List[Record], path: Path, problems: List[Problem]) -> None:
    """Read `# key = value`: open a document, or add to the metadata of the last one."""
    match = HEADER.fullmatch(line)
    key, value = (match.group(1), match.group(2).strip()) if match else ("", "")
    if not value:
        problems.append(Problem(str(path), number, Errors.CT310.format(line=line)))
    elif key == "doc":
        if len(records) == 1 and "id" not in records[0].meta:
            problems.append(Problem(str(path), records[0].line, Errors.CT312.format(line=number)))
        records.append(_new_record(number))
        records[-1].meta["id"] = value
    elif key in RESERVED_KEYS or (records and key in records[-1].meta):
        problems.append(Problem(str(path), number, Errors.CT311.format(key=key)))
    else:
        if not records:
            records.append(_new_record(number))
        records[-1].meta[key] = value


def _read_sentence(
    line: str, number: int, record: Record, taggings: List[_Tagging], path: Path, problems: List[Problem]
) -> None:
    """Add one sentence to a record; a piece that is not well-formed is a problem and is left out."""
    opened: Optional[Tuple[int, Optional[str]]] = None  # first token and label (None: not known) of the open entity
    first, column = len(record.words), 1
    document = str(record.meta.get("id", ""))
    for piece in line.split(" "):
        try:
            if opens(piece):
                if opened is not None:
                    raise MarkupError(Errors.CT316.format(piece=piece, label=opened[1] or MISSING))
                if closes(piece):
                    raise MarkupError(Errors.CT318.format(piece=piece))
                opened = (len(record.words), read_label(piece[1:]))
            else:
                is_last = closes(piece)
                if is_last and opened is None:
                    raise MarkupError(Errors.CT319.format(piece=piece))
                form, tag, glued = read_token(piece[:-1] if is_last else piece)
                if glued and not record.words:
                    raise MarkupError(Errors.CT320.format(piece=piece))
                _add_token(record, form, tag, glued=glued, is_first=len(record.words) == first)
                taggings.append(_Tagging(number, column, form, tag))
                if is_last and opened is not None:
                    _close(record, *opened)
                    opened = None
        except MarkupError as err:
            message = f"{err} (column {column})"
            problems.append(Problem(str(path), number, message, document=document, token=len(record.words)))
            if closes(piece):
                opened = None
        column += len(piece) + 1
    if opened is not None:
        message = Errors.CT321.format(label=opened[1] or MISSING)
        problems.append(Problem(str(path), number, message, document=document, token=opened[0]))


def _add_token(record: Record, form: str, tag: str, *, glued: bool, is_first: bool) -> None:
    spaces, starts, tags = record.spaces, record.sent_starts, record.tags
    if spaces is None or starts is None or tags is None:
        return
    if glued:
        spaces[-1] = False
    record.words.append(form)
    spaces.append(True)
    starts.append(is_first)
    tags.append(tag)


def _close(record: Record, start: int, label: Optional[str]) -> None:
    end = len(record.words)
    if label is None:
        record.missing.extend(range(start, end))
    elif record.ents is not None and start < end:
        record.ents.append((start, end, label))


def _check_tags(taggings: List[_Tagging], path: Path, problems: List[Problem], *, universal: bool) -> None:
    """Report tokens without a tag in a file that has tags, the reverse, and tags that are not universal ones."""
    tagged = sum(bool(tagging.tag) for tagging in taggings)
    has_tags = tagged * 2 >= len(taggings)
    for line, column, form, tag in taggings:
        message = ""
        if tag and not has_tags:
            message = Errors.CT327.format(form=form, tag=tag)
        elif has_tags and not tag:
            message = Errors.CT328.format(form=form)
        elif tag and universal and tag not in UPOS:
            message = Errors.CT329.format(form=form, tag=tag, expected=" ".join(sorted(UPOS)))
        if message:
            problems.append(Problem(str(path), line, f"{message} (column {column})"))
