"""The record of a training: what is written of an evaluation, and what is read again."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spacy_ctxtag.data.records import DataError
from spacy_ctxtag.training.record import append_record, read_records, record_of

INFO: dict[str, Any] = {
    "step": 20,
    "epoch": 1,
    "score": np.float32(0.5),
    "losses": {"ctx_ner": np.float64(2.5), "other": np.zeros(())},
    "other_scores": {"ents_f": 0.5, "ents_per_type": {"per-son": {"p": 1.0, "f": np.float64(0.25)}}, "cats": None},
    "seconds": 3,
    "words": 40,
    "checkpoints": [(0.5, 20)],
}


def record(step: int, **changes: Any) -> dict[str, Any]:
    return record_of({**INFO, "step": step, **changes})


def test_record_has_plain_numbers_and_keeps_what_is_nested() -> None:
    assert record_of(INFO) == {
        "step": 20,
        "epoch": 1,
        "score": 0.5,
        "losses": {"ctx_ner": 2.5, "other": 0.0},
        "scores": {"ents_f": 0.5, "ents_per_type": {"per-son": {"p": 1.0, "f": 0.25}}, "cats": None},
        "seconds": 3,
        "words": 40,
    }
    json.dumps(record_of(INFO))


def test_record_has_null_for_what_is_no_number() -> None:
    found = record(0, losses={"ctx_ner": float("nan")}, score=float("inf"), other_scores=None)
    assert (found["losses"], found["score"], found["scores"]) == ({"ctx_ner": None}, None, {})


def test_records_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "new" / "training.jsonl"
    for step in (0, 10):
        append_record(path, record(step))
    lines = path.read_text(encoding="utf8").split("\n")
    assert [json.loads(line)["step"] for line in lines if line] == [0, 10]
    assert lines[-1] == ""
    assert read_records(path) == [record(0), record(10)]


def test_line_that_was_cut_off_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "training.jsonl"
    for step in (0, 20):
        path.write_bytes((path.read_bytes() if path.exists() else b"") + b'{"step": 10, "lo')
        append_record(path, record(step))
    assert read_records(path) == [record(0), record(20)]
    path.write_bytes(path.read_bytes() + b'{"step": 30, "lo')
    assert read_records(path) == [record(0), record(20)]


def test_steps_that_were_repeated_count_as_they_were_last(tmp_path: Path) -> None:
    path = tmp_path / "training.jsonl"
    for step, words in ((0, 1), (10, 1), (20, 1), (10, 2), (30, 2)):
        append_record(path, record(step, words=words))
    assert [(each["step"], each["words"]) for each in read_records(path)] == [(0, 1), (10, 2), (30, 2)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "CT563"),
        ("{}\n[1]\n", r":1: \[CT562\].*step"),
        ('{"step": 1, "losses": 3, "scores": {}}\n\n', "losses"),
        ('{"step": 1, "losses": {}, "scores": {}}\n\n', "'score' is 'not there'"),
        ('{"step": 1, "losses": {}, "scores": {}, "score": []}\n\n', "'score'"),
        ("no JSON\n", "CT562"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, code: str) -> None:
    (tmp_path / "x.jsonl").write_text(text, encoding="utf8")
    with pytest.raises(DataError, match=code):
        read_records(tmp_path / "x.jsonl")


def test_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.jsonl: \[CT301\]"):
        read_records(tmp_path / "absent.jsonl")
