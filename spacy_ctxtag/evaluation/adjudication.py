"""One annotation from several: what they agree on, and the answers that somebody has given where they do not.

The documents are those of the first annotator who has them. An answer stands in "adjudicated" of a line of
`disagreements.jsonl`: the name of an annotator, who is right; or the answer itself, for entities a list of [start, end,
label], empty for none, else a tag. Without an answer it stays unknown.
"""

import json
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from spacy.tokens import Doc, Span

from ..data.records import UPOS, DataError, Problem
from ..errors import Errors
from .annotations import ENTITIES, SharedDoc
from .disagreements import Disagreement

_Key = Tuple[Any, ...]  # document, layer, start, end
_Answers = Dict[_Key, Tuple[int, Any]]  # line and answer


def adjudicate(shared: Sequence[SharedDoc], found: Sequence[Disagreement], path: Path) -> Tuple[List[Doc], int]:
    """Make one annotation.

    shared (Sequence[SharedDoc]): The documents.
    found (Sequence[Disagreement]): All disagreements in them.
    path (Path): The file with the answers.
    RETURNS (Tuple[List[Doc], int]): Copies of the documents; how many answers are still open.
    RAISES (DataError): With file and line: CT752 for a line that is no disagreement of these annotations, CT753 for an
        answer that cannot be used.
    """
    keys = {_key(each) for each in found}
    problems: List[Problem] = []
    answers = _read_answers(path, keys, problems)
    by_doc: Dict[str, List[Disagreement]] = {}
    for each in found:
        by_doc.setdefault(each["document"], []).append(each)
    docs = []
    for each_doc in shared:
        doc = each_doc.base.copy()
        mine = by_doc.get(each_doc.name, [])
        entities = [each for each in mine if each["layer"] == ENTITIES]
        if entities:
            _set_entities(doc, entities, answers, path, problems)
        for each in mine:
            if each["layer"] != ENTITIES:
                _set_tag(doc, each, answers, path, problems)
        docs.append(doc)
    if problems:
        raise DataError(sorted(problems, key=lambda problem: problem.line))
    return docs, sum(answers.get(key, (0, None))[1] is None for key in keys)


def has_answers(path: Path) -> bool:
    """RETURNS (bool): Whether somebody has written answers into a file, or something else that is not ours."""
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf8").splitlines() if line.strip()]
        return any(line["adjudicated"] is not None for line in lines)
    except (ValueError, KeyError, TypeError):
        return True


def _key(each: Any) -> _Key:
    return tuple(each[name] for name in ("document", "layer", "start", "end"))


def _read_answers(path: Path, keys: Any, problems: List[Problem]) -> _Answers:
    answers: _Answers = {}
    try:
        lines = path.read_text(encoding="utf8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError([Problem(str(path), 0, Errors.CT301.format(reason=error))]) from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            each = json.loads(line)
            key, answer = _key(each), each["adjudicated"]
            is_known = key in keys
        except (ValueError, KeyError, TypeError) as error:
            problems.append(Problem(str(path), number, Errors.CT754.format(reason=f"{type(error).__name__}: {error}")))
            continue
        if not is_known:
            message = Errors.CT752.format(document=key[0], start=key[2], end=key[3], layer=key[1])
            problems.append(Problem(str(path), number, message))
        answers[key] = (number, answer)
    return answers


def _set_entities(
    doc: Doc, found: Sequence[Disagreement], answers: _Answers, path: Path, problems: List[Problem]
) -> None:
    """Replace the entities of the places in question."""
    places = [doc.char_span(each["start"], each["end"], alignment_mode="expand") for each in found]
    asked = {token.i for place in places if place is not None for token in place}
    ents = [ent for ent in doc.ents if not asked & set(range(ent.start, ent.end))]
    unknown = {token.i for token in doc if token.ent_iob == 0} - asked
    for each, place in zip(found, places, strict=True):
        line, answer = answers.get(_key(each), (0, None))
        if isinstance(answer, str):
            answer = each["says"].get(answer, answer)
        if answer is None:
            unknown |= {token.i for token in place or ()}
            continue
        spans = [_span(doc, one) for one in answer] if isinstance(answer, list) else [None]
        taken = {i for ent in ents for i in range(ent.start, ent.end)}
        for one in spans:
            tokens = set() if one is None else set(range(one.start, one.end))
            if one is None or tokens & taken:
                problems.append(Problem(str(path), line, _refuse(each, answer)))
                break
            ents.append(one)
            taken |= tokens
    unknown -= {i for ent in ents for i in range(ent.start, ent.end)}
    doc.set_ents(ents, missing=[doc[i : i + 1] for i in sorted(unknown)], default="outside")


def _span(doc: Doc, given: Any) -> Optional[Span]:
    """RETURNS (Optional[Span]): That of [start, end, label], if it is one."""
    if not isinstance(given, list) or [type(each) for each in given] != [int, int, str]:
        return None
    start, end, label = given
    return doc.char_span(start, end, label=label) if label and 0 <= start < end <= len(doc.text) else None


def _set_tag(doc: Doc, each: Disagreement, answers: _Answers, path: Path, problems: List[Problem]) -> None:
    line, answer = answers.get(_key(each), (0, None))
    if isinstance(answer, str):
        answer = each["says"].get(answer, answer)
    is_pos = each["layer"] == "pos"
    if answer is not None and (not isinstance(answer, str) or not answer or (is_pos and answer not in UPOS)):
        problems.append(Problem(str(path), line, _refuse(each, answer)))
        return
    place = doc.char_span(each["start"], each["end"])
    if place is None or len(place) != 1:  # this annotator has other tokens there, and so none that could have the tag
        return
    token = place[0]
    if not is_pos or token.tag_ == token.pos_:
        token.tag_ = answer or ""
    if is_pos:
        token.pos_ = answer or ""


def _refuse(each: Disagreement, answer: Any) -> str:
    names = ", ".join(each["says"])
    return Errors.CT753.format(met=json.dumps(answer, ensure_ascii=False)[:80], text=each["text"][:60], names=names)
