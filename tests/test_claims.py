"""The check of benchmark results and of the figures that the documentation quotes."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "check_claims.py"
SPEC = importlib.util.spec_from_file_location("check_claims", SCRIPT)
assert SPEC is not None
assert SPEC.loader is not None
check_claims = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(check_claims)

CLAIM = {"claim": "f", "value": 62.1499, "at_least": 60.0, "holds": True}


def make_result(**changes: Any) -> dict[str, Any]:
    result = {
        "date": "2026-11-20T10:00:00",
        "machine": {"cores": 2},
        "load_average": [0.1, 0.2, 0.3],
        "versions": {"spacy": "3.8.18"},
        "raw": {"f": [62.0, 62.2998]},
        "claims": [CLAIM],
    }
    return {key: value for key, value in {**result, **changes}.items() if value is not None}


def check(root: Path, result: Any, page: str) -> int:
    results = root / "benchmarks" / "results"
    results.mkdir(parents=True)
    (results / "accuracy.json").write_text(json.dumps(result), encoding="utf8")
    (root / "README.md").write_text(page, encoding="utf8")
    return check_claims.main(root)


@pytest.mark.parametrize(
    "page",
    [
        "F is <!-- claim: accuracy/f -->62.1 here.",
        "F is <!-- claim: accuracy/f -->62.1.",
        "| <!--claim:accuracy/f--> **62.15** | <!-- claim: accuracy/f -->62 |",
        "No figure at all.",
    ],
)
def test_claims_right_figure_passes(tmp_path: Path, page: str) -> None:
    assert check(tmp_path, make_result(), page) == 0


@pytest.mark.parametrize(
    "page",
    [
        "F is <!-- claim: accuracy/f -->62.2 here.",
        "F is <!-- claim: accuracy/f -->62.14 here.",
        "F is <!-- claim: accuracy/f -->good here.",
        "F is <!-- claim: accuracy/g -->62.1 here.",
        "F is <!-- claim: speed/f -->62.1 here.",
        "<!-- claim: accuracy/f -->62.1 and <!-- claim: accuracy/f -->62.3",
    ],
)
def test_claims_wrong_figure_fails(tmp_path: Path, page: str) -> None:
    assert check(tmp_path, make_result(), page) == 1


@pytest.mark.parametrize(
    "changes",
    [
        *({field: None} for field in check_claims.FIELDS),
        {"date": "last week"},
        {"quick": True},
        {"raw": []},
        {"claims": [{"claim": "f", "value": 1.0, "holds": True}]},
        {"claims": [{"claim": "f", "value": "1", "at_least": 0, "holds": True}]},
        {"claims": [{"claim": "f", "value": float("nan"), "at_least": 0, "holds": False}]},
        {"claims": [{"claim": "a b", "value": 1.0, "at_least": 0, "holds": True}]},
        {"claims": [{**CLAIM, "holds": False}]},
        {"claims": [{**CLAIM, "at_most": 61, "holds": True}]},
        {"claims": [CLAIM, CLAIM]},
    ],
    ids=json.dumps,
)
def test_claims_malformed_result_fails(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert check(tmp_path, make_result(**changes), "") == 1


def test_claims_claim_that_fails_may_be_kept(tmp_path: Path) -> None:
    claim = {**CLAIM, "at_least": 70, "holds": False}
    assert check(tmp_path, make_result(claims=[claim]), "") == 0


def test_claims_claim_that_fails_may_not_be_quoted(tmp_path: Path) -> None:
    claim = {**CLAIM, "at_least": 70, "holds": False}
    assert check(tmp_path, make_result(claims=[claim]), "<!-- claim: accuracy/f -->62.1") == 1


@pytest.mark.parametrize(
    ("value", "quoted"), [(1970.4, "1,970"), (-0.25, "-0.25"), (-0.25, "−0.2"), (13, "13"), (0.125, "0.12")]
)
def test_claims_figure_may_be_written_as_people_write(tmp_path: Path, value: float, quoted: str) -> None:
    claim = {"claim": "f", "value": value, "at_least": -1, "holds": True}
    assert check(tmp_path, make_result(claims=[claim]), f"<!-- claim: accuracy/f -->{quoted} words") == 0


def test_claims_broken_json_fails(tmp_path: Path) -> None:
    assert check(tmp_path, ["no", "object"], "") == 1
