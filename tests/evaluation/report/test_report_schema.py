"""The schema of reports, its sample, and that what is made fits it."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from spacy_ctxtag.evaluation.report import SCHEMA, SCHEMA_VERSION

ROOT = Path(__file__).parents[3]
SAMPLE = json.loads((ROOT / "tests" / "evaluation" / "report_sample.json").read_text(encoding="utf8"))


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json.loads(SCHEMA.read_text(encoding="utf8"))


def problems(schema: dict[str, Any], report: dict[str, Any]) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(report)]


def test_schema_is_one(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    assert schema["properties"]["schema_version"]["const"] == SCHEMA_VERSION


def test_schema_fits_the_sample(schema: dict[str, Any]) -> None:
    assert problems(schema, SAMPLE) == []


@pytest.mark.parametrize("name", ["components", "data", "run"])
def test_schema_misses_what_is_left_out(schema: dict[str, Any], name: str) -> None:
    assert problems(schema, {key: value for key, value in SAMPLE.items() if key != name}) != []


def test_schema_describes_every_field(schema: dict[str, Any]) -> None:
    def fields(node: Any, path: str) -> Any:
        if isinstance(node, dict):
            for name, value in node.get("properties", {}).items():
                yield f"{path}.{name}", value
            for key, value in node.items():
                yield from fields(value, f"{path}.{key}")
        elif isinstance(node, list):
            for i, value in enumerate(node):
                yield from fields(value, f"{path}[{i}]")

    def says(value: dict[str, Any]) -> bool:
        target = schema["$defs"].get(value.get("$ref", "").removeprefix("#/$defs/"), {})
        return bool({"description", "const"} & {*value, *target})

    assert [path for path, value in fields(schema, "") if not says(value)] == []
