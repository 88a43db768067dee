"""The record of a training: a JSON line for every evaluation, which `ctx curves` draws.

    {"step": 200, "epoch": 3, "score": 0.61, "losses": {"ctx_ner": 41.7}, "scores": {"ents_f": 0.61,
     "ents_per_type": {"PERSON": {"p": …, "r": …, "f": …}}}, "seconds": 73, "words": 21044}

Losses are summed since the evaluation before. What is not a number is null. `ctx train` adds "is_best", "learn_rate"
and "gradient_norms".
"""

import json
import math
from pathlib import Path
from typing import Any, Dict, List, Mapping

from ..data.records import DataError, Problem
from ..errors import Errors

FILE = "training.jsonl"  # in the folder of a run of `ctx train`

Record = Dict[str, Any]


def record_of(info: Mapping[str, Any]) -> Record:
    """RETURNS (Record): What spaCy's training loop tells its logger at an evaluation, as it is written."""
    return {
        "step": int(info["step"]),
        "epoch": int(info["epoch"]),
        "score": _plain(info["score"]),
        "losses": _plain(info["losses"]),
        "scores": _plain(info["other_scores"] or {}),
        "seconds": _plain(info["seconds"]),
        "words": int(info["words"]),
    }


def _plain(value: Any) -> Any:
    """The same in the types of JSON: an array of one number, on whatever device, is a number."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, (str, bool, int)):
        return value
    number = float(value)
    return number if math.isfinite(number) else None


def append_record(path: Path, record: Record) -> None:
    """Append a line in one go. A line that was cut off, when a run was killed, is removed first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"
    with path.open("ab+") as file_:
        file_.seek(0)
        before = file_.read()
        if not before.endswith(b"\n"):
            file_.truncate(before.rfind(b"\n") + 1)
        file_.write(line.encode("utf8"))


def keep_records(path: Path, steps: int) -> None:
    """Leave only the evaluations of the first so many steps, before a run goes on from there."""
    text = path.read_text(encoding="utf8") if path.is_file() else ""
    lines = [f"{line}\n" for line in text.split("\n")[:-1]]  # what follows the last one was cut off
    unfinished = path.with_name(f"{path.name}.tmp")
    unfinished.write_text("".join(line for line in lines if json.loads(line)["step"] < steps), encoding="utf8")
    unfinished.replace(path)


def read_records(path: Path) -> List[Record]:
    """Read what was appended. A run that goes on from a checkpoint repeats some steps: what it said last counts.

    RETURNS (List[Record]): By step, each once.
    RAISES (DataError): CT301, CT562 with the line, CT563 for a file without any. The last line may be cut off.
    """
    try:
        lines = path.read_text(encoding="utf8", errors="replace").split("\n")
    except OSError as error:
        raise DataError([Problem(str(path), 0, Errors.CT301.format(reason=error.strerror or error))]) from error
    records: List[Record] = []
    problems: List[Problem] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = _parse(line)
        except ValueError as error:
            problems.append(Problem(str(path), number, Errors.CT562.format(reason=error)))
            continue
        while records and records[-1]["step"] >= record["step"]:
            records.pop()
        records.append(record)
    if problems and not (len(problems) == 1 and problems[0].line == len(lines)):
        raise DataError(problems)
    if not records:
        raise DataError([Problem(str(path), 0, Errors.CT563)])
    return records


def _parse(line: str) -> Record:
    """RAISES (ValueError): For what is no record, with the reason."""
    record = json.loads(line)
    if not isinstance(record, dict):
        raise ValueError("it is no object")
    for key, kind in (("step", int), ("losses", dict), ("scores", dict)):
        if not isinstance(record.get(key), kind):
            raise ValueError(f"{key!r} is {record.get(key)!r}")
    if not isinstance(record.get("score", ""), (int, float, type(None))):
        raise ValueError(f"'score' is {record.get('score', 'not there')!r}")
    return record
