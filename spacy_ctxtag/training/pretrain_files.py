"""The files of a pretraining run: the finished backbone, and beside it, while it runs, what is needed to go on.

    OUT/            config.json, model.safetensors, tokenizer files, pretrain.json
    OUT.partial/    plan.json (what the run was asked to do), held_out.jsonl, checkpoint.pt
    .OUT.lock       held while a process writes there; it may stay

Every file is written under another name first, so that it is a whole one, or not there.
"""

import json
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

from ..errors import Errors
from .folders import replace_folder, write_json

Plan = Dict[str, Any]
REPORT = "pretrain.json"


class RunFiles:
    """The files of one run.

    output (Path): The folder of the finished backbone.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self.work = output.with_name(output.name + ".partial")
        self.lock = output.with_name(f".{output.name}.lock")
        self._plan, self._held_out = self.work / "plan.json", self.work / "held_out.jsonl"
        self._checkpoint = self.work / "checkpoint.pt"

    def check(self, *, resume: bool, force: bool) -> None:
        """RAISES (ValueError): CT555 where something would be replaced that is no result of pretraining, or without
        `force`; CT556 for a run that was cut off, without `force` or `resume`."""
        if self.plan() is not None and not (force or resume):
            raise ValueError(Errors.CT556.format(path=self.work))
        problem, remedy = "", "Name another folder."
        if self.output.exists() and not self.output.is_dir():
            problem = "is a file"
        elif self.output.is_dir() and any(self.output.iterdir()) and not self.is_finished():
            problem = "is not empty and no result of pretraining"
        elif self.is_finished() and not (force or resume):
            problem, remedy = "is there already", "Name another folder, or replace it with --force."
        if problem:
            raise ValueError(Errors.CT555.format(path=self.output, problem=problem, remedy=remedy))

    def is_finished(self) -> bool:
        return (self.output / REPORT).is_file()

    def report(self) -> Dict[str, Any]:
        """RETURNS (Dict[str, Any]): What the finished run has written."""
        return dict(json.loads((self.output / REPORT).read_text(encoding="utf8")))

    def begin(self, plan: Plan, held_out: List[str]) -> None:
        """Begin anew."""
        self.work.mkdir(parents=True, exist_ok=True)
        for path in self.work.iterdir():
            if path.is_file():
                path.unlink()
        lines = [json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in held_out]
        self._held_out.write_text("".join(lines), encoding="utf8", newline="\n")
        write_json(self._plan, plan)

    def plan(self) -> Optional[Plan]:
        """RETURNS (Optional[Plan]): That of the run that was cut off, if there is one."""
        return dict(json.loads(self._plan.read_text(encoding="utf8"))) if self._plan.is_file() else None

    def held_out(self) -> List[str]:
        lines = self._held_out.read_text(encoding="utf8").split("\n")
        return [json.loads(line)["text"] for line in lines if line]

    def save(self, state: Dict[str, Any]) -> None:
        """Replace the checkpoint."""
        import torch

        unfinished = self._checkpoint.with_name(self._checkpoint.name + ".tmp")
        torch.save(state, unfinished)
        unfinished.replace(self._checkpoint)

    def load(self) -> Optional[Dict[str, Any]]:
        """RETURNS (Optional[Dict[str, Any]]): The checkpoint, if there is one."""
        import torch

        if not self._checkpoint.is_file():
            return None
        return dict(torch.load(self._checkpoint, map_location="cpu", weights_only=True))

    def finish(self, save: Callable[[Path], None], report: Dict[str, Any]) -> None:
        """Write the backbone, and remove what was needed to go on."""

        def write(path: Path) -> None:
            save(path)
            write_json(path / REPORT, report)

        replace_folder(self.output, write)
        shutil.rmtree(self.work)
