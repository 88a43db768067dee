"""project.yml: what a step needs is left by an earlier step of its workflow, shipped with the project, or an asset."""

from pathlib import Path

import pytest
from weasel.util import load_project_config

ROOT = Path(__file__).parents[1]
PROJECT = load_project_config(ROOT)
MADE = ("corpus/", "training/", "metrics/", "packages/")  # folders that steps write into: no part of a checkout
COMMANDS = {command["name"]: command for command in PROJECT["commands"]}


@pytest.mark.parametrize("workflow", PROJECT["workflows"])
def test_project_workflow_has_what_its_steps_need(workflow: str) -> None:
    made = {asset["dest"] for asset in PROJECT["assets"]}
    for name in PROJECT["workflows"][workflow]:
        command = COMMANDS[name]
        shipped = [path for path in command.get("deps", ()) if not path.startswith(MADE) and (ROOT / path).exists()]
        lacking = set(command.get("deps", ())) - made - set(shipped)
        assert lacking == set(), name
        made.update(command.get("outputs", ()))
