"""project.yml: what a step needs is left by an earlier step of its workflow, shipped with the project, or an asset."""

from pathlib import Path

import pytest
from weasel.util import load_project_config

ROOT = Path(__file__).parents[1]
PROJECT = load_project_config(ROOT)
COMMANDS = {command["name"]: command for command in PROJECT["commands"]}


@pytest.mark.parametrize("workflow", PROJECT["workflows"])
def test_project_workflow_has_what_its_steps_need(workflow: str) -> None:
    made = {asset["dest"] for asset in PROJECT["assets"]}
    for name in PROJECT["workflows"][workflow]:
        command = COMMANDS[name]
        lacking = [path for path in command.get("deps", ()) if path not in made and not (ROOT / path).exists()]
        assert lacking == [], name
        made.update(command.get("outputs", ()))
