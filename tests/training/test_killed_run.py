"""`python -m spacy ctx train` in a process that is killed without warning, and in one that goes on."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from test_resume import assert_same, train_with_spacy
from thinc.api import Config

CODE = """
import os, signal
import spacy

@spacy.registry.callbacks("ctxtag_tests.Kill.v1")
def create_kill():
    def kill(nlp, info):
        if str(info["step"]) == os.environ.get("KILL_IN_STEP"):
            os.kill(os.getpid(), signal.SIGKILL)
    return kill
"""


@pytest.mark.backbone
def test_run_killed_and_resumed_ends_as_one_that_was_not(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config.copy()
    config["training"].update(max_steps=10, eval_frequency=3, before_update={"@callbacks": "ctxtag_tests.Kill.v1"})
    (tmp_path / "code.py").write_text(CODE, encoding="utf8")
    config.to_disk(tmp_path / "config.cfg")
    exec(CODE, {})  # for the run in this process
    output = tmp_path / "run"
    command = [sys.executable, "-m", "spacy", "ctx", "train", tmp_path / "config.cfg", "--output", output]
    command += ["--code", tmp_path / "code.py", "--training.dropout", "0.2"]
    monkeypatch.setenv("KILL_IN_STEP", "8")
    killed = subprocess.run([*command], capture_output=True, text=True, timeout=300, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert (output / "checkpoint").is_dir()
    monkeypatch.delenv("KILL_IN_STEP")
    resumed = subprocess.run([*command, "--resume"], capture_output=True, text=True, timeout=300, check=False)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert "Resumed after 7 steps" in resumed.stdout
    config["training"]["dropout"] = 0.2
    assert_same(output, train_with_spacy(config, tmp_path / "expected"))
    manifest = json.loads((output / "manifest.json").read_text(encoding="utf8"))
    assert (manifest["status"], manifest["steps"]) == ("finished", 11)
    assert manifest["command"][:5] == ["python", "-m", "spacy", "ctx", "train"]
