"""Reads JSON lines with entities as character offsets: spaCy's and Prodigy's style, one document a line.

    {"id": "a1", "text": "Ilse left Porto", "entities": [[0, 4, "PERSON"], [10, 15, "LOC"]]}
    {"text": "Ilse left Porto", "spans": [{"start": 0, "end": 4, "label": "PERSON"}], "answer": "accept"}
    ["Ilse left Porto", {"entities": [[0, 4, "PERSON"]]}]

Tokens are those of "tokens" (Prodigy) where they are given, else of the tokenizer. A text with neither "entities" nor
"spans" has unknown entities. Offsets count Unicode code points, as Python and Prodigy do. There are no sentence starts.
"""

import json
from bisect import bisect_left, bisect_right
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

from spacy.language import Language

from ..errors import Errors
from .lines import read_lines
from .records import RESERVED_KEYS, Problem, Record, has_surrogate

ON_MISALIGNED = ("error", "drop", "expand")

Borders = List[Tuple[int, int]]  # first character and one after the last of each token
CharSpan = Tuple[int, int, str]


class _Invalid(ValueError):
    """A document that cannot be read; the text is a finished message."""


def read_jsonl(
    path: Path, problems: List[Problem], nlp: Language, *, on_misaligned: str = "error", has_ents: bool = True
) -> Iterator[Record]:
    """Read a file of JSON lines, lazily.

    path (Path): The file.
    problems (List[Problem]): Gets every problem (CT301-CT303, CT345, CT360-CT368, CT370, CT376), and warnings: spans
        expanded or dropped (CT367), documents that were rejected or ignored in Prodigy (CT369).
    nlp (Language): Its tokenizer makes the tokens.
    on_misaligned (str): What to do with a span that does not lie on token borders. "error": report it; "expand": take
        every token that it touches; "drop": leave it out, and the entities of the tokens it touches unknown.
    has_ents (bool): Whether to read entities.
    YIELDS (Record): The documents. Spans with errors are left out of them.
    """
    skipped = 0
    for number, line in read_lines(path, problems):
        if not line.strip():
            continue
        try:
            data = _load(line)
            if data.get("answer") in ("reject", "ignore"):
                skipped += 1
                continue
            words, spaces, borders = _tokens(data, nlp)
            record = Record(words=words, spaces=spaces, meta=_meta(data), line=number)
            spans = _spans(data) if has_ents else None
        except _Invalid as err:
            problems.append(Problem(str(path), number, str(err)))
            continue
        if spans is not None:
            record.ents = []
            document = str(record.meta.get("id", ""))
            for message, is_error, char in _add_spans(record, record.ents, data["text"], spans, borders, on_misaligned):
                problems.append(Problem(str(path), number, message, is_error, document, char=char))
        yield record
    if skipped:
        problems.append(Problem(str(path), 0, Errors.CT369.format(n=skipped), is_error=False))


def _load(line: str) -> Dict[str, Any]:
    """The line as an object with a text that spaCy takes."""
    try:
        data = json.loads(line)
    except ValueError as err:
        raise _Invalid(Errors.CT360.format(reason=err)) from None
    except RecursionError:
        raise _Invalid(Errors.CT360.format(reason="nested too deep")) from None
    if isinstance(data, list) and len(data) == 2 and isinstance(data[1], dict):
        data = {**data[1], "text": data[0]}
    if not isinstance(data, dict) or not isinstance(data.get("text"), str):
        raise _Invalid(Errors.CT361.format(met=line[:60]))
    if not data["text"]:
        raise _Invalid(Errors.CT362)
    try:
        data["text"].encode("utf8")
    except UnicodeEncodeError as err:
        raise _Invalid(Errors.CT363.format(offset=err.start, met=ascii(data["text"][err.start]))) from None
    return data


def _meta(data: Dict[str, Any]) -> Dict[str, Any]:
    """Metadata: what is in "meta", "id" and "domain", as far as it is a string, a number or a truth value."""
    meta = data.get("meta")
    found = {**(meta if isinstance(meta, dict) else {}), **{k: data[k] for k in ("id", "domain") if k in data}}
    found = {key: value for key, value in found.items() if isinstance(value, (str, int, float))}
    for key, value in found.items():
        if has_surrogate(key) or (isinstance(value, str) and has_surrogate(value)):
            raise _Invalid(Errors.CT376.format(key=ascii(key), met=ascii(value)[:60]))
    name = found.pop("id", None)
    kept = {key: value for key, value in found.items() if key not in RESERVED_KEYS}
    for key, value in kept.items():
        if isinstance(value, int) and not -(2**63) <= value < 2**64:
            raise _Invalid(Errors.CT376.format(key=key, met=str(value)[:60]))
    return {"id": str(name), **kept} if name not in (None, "") else kept


def _tokens(data: Dict[str, Any], nlp: Language) -> Tuple[List[str], List[bool], Borders]:
    """Words, spaces and borders: the document's own tokens where it has them, else the tokenizer's."""
    text: str = data["text"]
    given = data.get("tokens")
    if given is None:
        if len(text) > nlp.max_length:
            raise _Invalid(Errors.CT368.format(met=len(text), most=nlp.max_length))
        doc = nlp.make_doc(text)
        borders = [(token.idx, token.idx + len(token)) for token in doc]
        return [token.text for token in doc], [bool(token.whitespace_) for token in doc], borders
    borders = []
    if not isinstance(given, list) or not given:
        raise _Invalid(Errors.CT364.format(index=0, met=str(given)[:60], text=text[:30]))
    for i, token in enumerate(given):
        start: Any = token.get("start") if isinstance(token, dict) else None
        end: Any = token.get("end") if isinstance(token, dict) else None
        at = borders[-1][1] if borders else 0
        if (
            not (_is_offset(start, text) and _is_offset(end, text) and start < end)
            or text[start:end] != token.get("text", text[start:end])
            or not (start == at or (borders and start == at + 1 and text[at] == " "))
        ):
            raise _Invalid(Errors.CT364.format(index=i, met=str(token)[:80], text=text[at : at + 20]))
        borders.append((start, end))
    rest = text[borders[-1][1] :]
    if rest not in ("", " "):
        raise _Invalid(Errors.CT364.format(index=len(given), met="the end", text=rest[:20]))
    starts = [start for start, _ in borders[1:]] + [len(text)]
    return [text[s:e] for s, e in borders], [e < after for (_, e), after in zip(borders, starts, strict=True)], borders


def _is_offset(value: Any, text: str) -> bool:
    return type(value) is int and 0 <= value <= len(text)


def _spans(data: Dict[str, Any]) -> Optional[List[Any]]:
    """The spans as they stand in the file, None where entities are not annotated."""
    key = "entities" if data.get("entities") is not None else "spans"
    spans = data.get(key)
    if spans is not None and not isinstance(spans, list):
        raise _Invalid(Errors.CT365.format(key=key, met=str(spans)[:60]))
    return spans


def _add_spans(
    record: Record, ents: List[CharSpan], text: str, spans: List[Any], borders: Borders, on_misaligned: str
) -> Iterator[Tuple[str, bool, int]]:
    """Add spans to a record as token offsets.

    YIELDS (Tuple[str, bool, int]): Problems: message, whether it is an error, where the span begins (-1: nowhere).
    """
    starts, ends = [first for first, _ in borders], [last for _, last in borders]
    owner: Dict[int, CharSpan] = {}  # token → the span that has it
    dropped: List[int] = []
    for i, span in enumerate(spans):
        found = _char_span(span, text)
        if found is None:
            yield Errors.CT366.format(index=i, met=str(span)[:80], length=len(text)), True, -1
            continue
        start, end, label = found
        touched = list(range(bisect_right(ends, start), bisect_left(starts, end)))
        if not touched or borders[touched[0]][0] != start or borders[touched[-1]][1] != end:
            message = _misaligned(found, text, touched, borders)
            if on_misaligned == "error":
                yield message, True, start
                continue
            is_dropped = on_misaligned == "drop" or not touched  # white space alone touches no token
            yield f"{message} It was {'dropped' if is_dropped else 'expanded'}.", False, start
            if is_dropped:
                dropped.extend(touched)
                continue
        taken = next((owner[t] for t in touched if t in owner), None)
        if taken is not None:
            yield Errors.CT370.format(start=start, end=end, label=label, text=text[start:end], other=taken), True, start
            continue
        owner.update(dict.fromkeys(touched, found))
        ents.append((touched[0], touched[-1] + 1, label))
    record.missing = sorted(set(dropped) - set(owner))


def _char_span(span: Any, text: str) -> Optional[CharSpan]:
    """`[start, end, label]` or `{"start", "end", "label"}` with valid values, else None."""
    values = [span.get(k) for k in ("start", "end", "label")] if isinstance(span, dict) else span
    if not isinstance(values, list) or len(values) != 3:
        return None
    start, end, label = values
    label = label.strip() if isinstance(label, str) else label
    if not (_is_offset(start, text) and _is_offset(end, text) and start < end and isinstance(label, str) and label):
        return None
    if has_surrogate(label):
        return None
    return start, end, label


def _misaligned(span: CharSpan, text: str, touched: List[int], borders: Borders) -> str:
    start, end, label = span
    tokens = ", ".join(f"{text[s:e]!r} ({s} to {e})" for s, e in (borders[t] for t in touched[:5])) or "none"
    nearest = tuple(
        min((b[side] for b in borders), key=lambda border: abs(border - wanted), default=0)
        for side, wanted in ((0, start), (1, end))
    )
    return Errors.CT367.format(
        start=start, end=end, text=text[start:end], label=label, tokens=tokens, first=nearest[0], last=nearest[1]
    )
