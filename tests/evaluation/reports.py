"""Reports for the tests of their page: the sample, and what odd names and missing parts make of it."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

SAMPLE = Path(__file__).with_name("report_sample.json")
# Strings that come from outside: from the data, the pipeline, the command line.
FREE = {
    *("name", "label", "document", "source", "domain", "path", "description", "license", "attribute", "reason"),
    *("text", "gold", "predicted", "version", "lang", "device"),
}
LISTS = {"labels", "set_by", "pipeline"}
KEYS = {"by_label", "versions"}


def sample() -> dict[str, Any]:
    """RETURNS (dict): The sample of a report."""
    return json.loads(SAMPLE.read_text(encoding="utf8"))


def renamed(value: Any, rename: Callable[[str], str], key: str = "") -> Any:
    """RETURNS (Any): A report, or a part of one, in which all strings from outside are replaced."""
    if isinstance(value, dict):
        new = {rename(name) if key in KEYS else name: each for name, each in value.items()}
        return {name: renamed(each, rename, name) for name, each in new.items()}
    if isinstance(value, list):
        return [
            rename(each) if key in LISTS and isinstance(each, str) else renamed(each, rename, key) for each in value
        ]
    if key == "id" and value.startswith("spans:"):
        return "spans:" + rename(value)
    return rename(value) if key in FREE and isinstance(value, str) else value


def without_parts() -> dict[str, Any]:
    """RETURNS (dict): The sample of a pipeline that reports nothing but counts, on data that say nothing else."""
    report = copy.deepcopy(sample())
    report["train"] = report["data"]["trained_on"] = report["run"]["words_per_second"] = None
    report["run"]["n_samples"] = 0
    for component in report["components"]:
        component.update(breakdowns=[], calibration=None, confident_errors=[], costly_documents=[], set_by=[])
        component.update(has_probabilities=False, unavailable=[{"analysis": "seen", "reason": "no training data"}])
        component["sequences"].update(accuracy=None, correct=0, total=0, interval=None)
        if component["kind"] == "spans":
            component["tokens"] = component["confusion"]["tokens"] = component["schemes"] = None
            component["unavailable"].append({"analysis": "schemes", "reason": "nervaluate is not installed"})
            for each in component["labels"]:
                each["schemes"] = None
            for each in component["errors"]:
                each.update(cases=0, gold=0, predicted=0, by_label={})
        for row in [*component["labels"], *component["averages"].values()]:
            row["intervals"] = dict.fromkeys(("precision", "recall", "f1"))
    return report


def empty() -> dict[str, Any]:
    """RETURNS (dict): The sample with components of which nothing is annotated or predicted."""
    report = without_parts()
    for component in report["components"]:
        component["labels"] = []
        nothing = {"labels": [], "matrix": [], "pairs": []}
        confusions = [component["confusion"]["spans"]] if component["kind"] == "spans" else [component["confusion"]]
        for each in confusions:
            each.update(nothing)
    return report
