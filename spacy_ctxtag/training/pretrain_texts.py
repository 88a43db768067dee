"""Raw texts for pretraining, read lazily: JSON lines with a "text", or plain text with one a line, as they are or in
gzip. Reading can begin behind any text, so that a run that was cut off goes on where it stopped.

Which texts are held out depends on their hashes alone: not on their order, nor on the seed.
"""

import codecs
import gzip
import heapq
import json
import zlib
from pathlib import Path
from typing import IO, Dict, Generator, Iterable, List, NamedTuple, Optional, Sequence, Tuple, cast

from ..data.records import DataError, Problem
from ..errors import Errors
from .fingerprint import hash_text

SUFFIXES = (".jsonl", ".jsonl.gz", ".txt", ".txt.gz")
MOST_PROBLEMS = 50  # then reading ends
BROKEN = (OSError, EOFError, zlib.error)  # what a file in gzip may raise


class Place(NamedTuple):
    """Where reading goes on: the number of the file, the byte in it (unpacked), and the lines before that."""

    file: int = 0
    offset: int = 0
    line: int = 0


BEGIN = Place()


def raw_files(inputs: Iterable[Path]) -> List[Path]:
    """The files that inputs mean: a file itself, a folder all files below it with one of SUFFIXES, sorted. Hidden ones
    are left out.

    RAISES (DataError): CT305, CT306, or CT552 for a file with another suffix.
    """
    found: List[Path] = []
    problems: List[Problem] = []
    for path in inputs:
        if path.is_dir():
            inside = [each for each in sorted(path.rglob("*")) if _is_raw(each) and not _is_hidden(each, path)]
            if not inside:
                problems.append(Problem(str(path), 0, Errors.CT306.format(suffixes=", ".join(SUFFIXES))))
            found += inside
        elif not path.exists():
            problems.append(Problem(str(path), 0, Errors.CT305))
        elif not _is_raw(path):
            problems.append(Problem(str(path), 0, Errors.CT552.format(suffixes=", ".join(SUFFIXES))))
        else:
            found.append(path)
    if problems:
        raise DataError(problems)
    return found


def _is_raw(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES) and path.is_file()


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def read_texts(
    files: Sequence[Path], problems: List[Problem], start: Place = BEGIN
) -> Generator[Tuple[str, Place], None, None]:
    """Read texts, one at a time. Lines without anything but white space, and such texts, are left out.

    files (Sequence[Path]): The files, in order.
    problems (List[Problem]): Gets what is wrong, with file and line; reading ends after 50.
    start (Place): Where to begin.
    YIELDS (Tuple[str, Place]): A text, and the place behind it.
    """
    for number in range(start.file, len(files)):
        path = files[number]
        offset, line = (start.offset, start.line) if number == start.file else (0, 0)
        try:
            with _opened(path) as stream:
                stream.seek(offset)
                for raw in stream:
                    offset, line = offset + len(raw), line + 1
                    text = _text(raw, path, line, problems)
                    if text and not text.isspace():
                        yield text, Place(number, offset, line)
                    elif len(problems) >= MOST_PROBLEMS:
                        return
        except BROKEN as error:
            problems.append(Problem(str(path), line + 1, Errors.CT301.format(reason=error)))


def _opened(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if path.name.lower().endswith(".gz") else path.open("rb")


def _text(raw: bytes, path: Path, line: int, problems: List[Problem]) -> str:
    """RETURNS (str): The text of a line; "" where there is none, or a problem."""
    try:
        return _parse(raw, is_json=".jsonl" in path.name.lower()[-9:], is_first=line == 1)
    except ValueError as error:
        problems.append(Problem(str(path), line, str(error)))
        return ""


def _parse(raw: bytes, *, is_json: bool, is_first: bool) -> str:
    """RAISES (ValueError): CT302, CT303, CT360, CT363, CT553, without their place."""
    if is_first and raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError(Errors.CT303)
    raw = raw.removeprefix(codecs.BOM_UTF8) if is_first else raw
    try:
        content = raw.decode("utf8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        found = Errors.CT302.format(byte=f"0x{raw[error.start]:02x}", column=error.start + 1)
        raise ValueError(found) from None
    if not is_json or not content.strip():
        return content
    try:
        data = json.loads(content)
    except ValueError as error:
        raise ValueError(Errors.CT360.format(reason=error)) from None
    except RecursionError:
        raise ValueError(Errors.CT360.format(reason="nested too deep")) from None
    text = data.get("text") if isinstance(data, dict) else None
    if not isinstance(text, str):
        raise ValueError(Errors.CT553.format(met=content[:60]))
    try:
        text.encode("utf8")
    except UnicodeEncodeError as error:
        raise ValueError(Errors.CT363.format(offset=error.start, met=ascii(text[error.start]))) from None
    return text


# What is held out


def number_of(text: str) -> int:
    """RETURNS (int): 64 bits that belong to a text, as if drawn at random."""
    return int(hash_text(text), 16)


class Survey(NamedTuple):
    """What there is: how many texts to learn from, and the texts that are held out, each once."""

    to_learn: int
    held_out: List[str]


def survey(files: Sequence[Path], *, share: float, most: int, dev: Optional[Sequence[Path]] = None) -> Survey:
    """Read all texts once, find every problem, and hold texts out: those with the lowest hashes. Keeps `most` texts in
    memory at once, or those of `dev`. Texts to learn from that are also in `dev` are left out.

    files (Sequence[Path]): Texts to learn from.
    share (float): Of these, how many are held out; at least one.
    most (int): But not more than so many.
    dev (Optional[Sequence[Path]]): The texts to hold out, instead.
    RAISES (DataError): For what cannot be read.
    RAISES (ValueError): CT554 where nothing is left to learn from, or to hold out.
    """
    problems: List[Problem] = []
    held = {number_of(text): text for text, _ in read_texts(dev, problems)} if dev is not None else {}
    seen = dict.fromkeys(held, 0)  # how often, among the texts to learn from
    highest: List[int] = []  # a heap of the hashes held so far, each negative
    total = 0
    for text, _ in read_texts(files, problems):
        total += 1
        number = number_of(text)
        if number in seen:
            seen[number] += 1
        elif dev is None and (len(held) < most or number < -highest[0]):
            held[number], seen[number] = text, 1
            heapq.heappush(highest, -number)
            if len(held) > most:
                gone = -heapq.heappop(highest)
                del held[gone], seen[gone]
    if problems:
        raise DataError(problems)
    kept = _lowest(held, len(held) if dev is not None else max(1, min(most, round(share * total))))
    to_learn = total - sum(seen[number] for number in kept)
    if not kept or not to_learn:
        raise ValueError(Errors.CT554.format(total=total, held_out=len(kept)))
    return Survey(to_learn, list(kept.values()))


def _lowest(held: Dict[int, str], count: int) -> Dict[int, str]:
    return {number: held[number] for number in sorted(held)[:count]}
