"""`training.jsonl`: a line for every evaluation of a run, with all scores, those of each label included."""

import json
from pathlib import Path
from typing import Any, Dict, List

FILE = "training.jsonl"


def append_line(output: Path, line: Dict[str, Any]) -> None:
    """Write the line of an evaluation; it has a `step`."""
    with (output / FILE).open("a", encoding="utf8") as file:
        file.write(json.dumps(line, ensure_ascii=False, default=_plain) + "\n")


def read_lines(output: Path) -> List[Dict[str, Any]]:
    """RETURNS (List[Dict[str, Any]]): All whole lines; the last one may be cut where a process was killed."""
    path = output / FILE
    found = []
    for line in path.read_text(encoding="utf8").splitlines(keepends=True) if path.is_file() else ():
        if line.endswith("\n"):
            found.append(json.loads(line))
    return found


def keep_lines(output: Path, steps: int) -> None:
    """Leave only evaluations of the first so many steps, before a run goes on from there."""
    lines = [line for line in read_lines(output) if line["step"] < steps]
    unfinished = output / f"{FILE}.tmp"
    unfinished.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf8")
    unfinished.replace(output / FILE)


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)
