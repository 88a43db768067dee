"""Reads the files of augmenters: one entry a line, in columns with tabs between them, or as JSON (`.jsonl`)."""

import json
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, TypeVar

from ...errors import Errors
from ..lines import read_lines
from ..records import DataError, Problem, has_surrogate

T = TypeVar("T")


def read_entries(
    path: Path, columns: Sequence[str], parse: Callable[[Dict[str, Any]], Optional[T]], expected: str
) -> List[T]:
    """Read a file of entries. Blank lines are left out.

    path (Path): The file.
    columns (Sequence[str]): The names of the columns; the last ones may be absent. None: JSON only.
    parse (Callable): Makes an entry from a line's columns, or its JSON object; None if it is none.
    expected (str): How an entry looks, for the message.
    RETURNS (List[T]): The entries.
    RAISES (DataError): All lines that are no entry (CT360, CT391), a file that cannot be read (CT301-CT303), or has
        no entry (CT392).
    """
    problems: List[Problem] = []
    entries: List[T] = []
    is_json = path.suffix.lower() == ".jsonl" or not columns
    for number, line in read_lines(path, problems):
        if not line.strip():
            continue
        if is_json:
            try:
                data = json.loads(line)
            except ValueError as err:
                problems.append(Problem(str(path), number, Errors.CT360.format(reason=err)))
                continue
        else:
            cells = [cell.strip() for cell in line.split("\t")]
            data = dict(zip(columns, cells, strict=False)) if len(cells) <= len(columns) else None
        entry = parse(data) if isinstance(data, dict) else None
        if entry is None:
            problems.append(Problem(str(path), number, Errors.CT391.format(line=line[:80], expected=expected)))
        else:
            entries.append(entry)
    if not entries and not problems:
        problems.append(Problem(str(path), 0, Errors.CT392.format(expected=expected)))
    if problems:
        raise DataError(problems)
    return entries


def text_of(data: Dict[str, Any], key: str) -> Optional[str]:
    """RETURNS (Optional[str]): A string of an entry, not blank and such as a Doc takes, without white space around it;
    else None."""
    value = data.get(key)
    return value.strip() or None if isinstance(value, str) and not has_surrogate(value) else None


def texts_of(data: Dict[str, Any], key: str) -> Optional[List[str]]:
    """RETURNS (Optional[List[str]]): A list of such strings, at least one; a single string is a list of one."""
    value = data.get(key)
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values:
        return None
    texts = [each.strip() for each in values if isinstance(each, str) and each.strip() and not has_surrogate(each)]
    return texts if len(texts) == len(values) else None
