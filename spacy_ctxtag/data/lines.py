"""Reads a text file line by line: UTF-8, with or without a byte order mark, LF or CRLF.

A CR elsewhere is a problem: a file whose lines end with CR alone would be one line.

Lines end at LF only. `str.splitlines` would also cut at U+2028, U+0085 or a form feed, which occur inside tokens.
A line that is not UTF-8 is a problem of its own and does not hide the problems of the other lines.
"""

import codecs
from pathlib import Path
from typing import Iterator, List, Tuple

from ..errors import Errors
from .records import Problem

GZIP = b"\x1f\x8b"
Line = Tuple[int, str]  # number, counted from 1, and text without its end


def read_lines(path: Path, problems: List[Problem]) -> Iterator[Line]:
    """The lines of a file.

    path (Path): The file.
    problems (List[Problem]): Gets one problem for each line that is not UTF-8 (CT302) or holds a CR (CT345), or for the
        file (CT301, CT303).
    YIELDS (Line): Line number and text. A line with a problem is left out.
    """
    try:
        handle = path.open("rb")
    except OSError as err:
        problems.append(Problem(str(path), 0, Errors.CT301.format(reason=err.strerror or err)))
        return
    with handle:
        for number, raw in enumerate(handle, 1):
            if number == 1:
                if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                    problems.append(Problem(str(path), 1, Errors.CT303))
                    return
                if raw.startswith(GZIP):
                    problems.append(
                        Problem(str(path), 0, Errors.CT301.format(reason="gzip has compressed it; unpack it"))
                    )
                    return
                raw = raw.removeprefix(codecs.BOM_UTF8)
            raw = raw.removesuffix(b"\n").rstrip(b"\r")
            if b"\r" in raw:
                problems.append(Problem(str(path), number, Errors.CT345.format(column=raw.index(b"\r") + 1)))
                continue
            try:
                yield number, raw.decode("utf8")
            except UnicodeDecodeError as err:
                message = Errors.CT302.format(byte=f"0x{raw[err.start]:02x}", column=err.start + 1)
                problems.append(Problem(str(path), number, message))
