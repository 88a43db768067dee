"""What a manifest says of a run, and what of two of them differs."""

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from thinc.api import Config

from spacy_ctxtag.data.config_files import hash_data
from spacy_ctxtag.training.manifest import (
    differences,
    make_manifest,
    other_machine,
    read_git,
)

CONFIG = """
[paths]
train = "train.spacy"
folder = "data"

[corpora]
train = ${paths.train}

[training]
seed = 7
dropout = 0.1

[training.logger]
@loggers = "spacy.ConsoleLogger.v3"
output_file = "log.jsonl"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.spacy").write_text("one")
    (tmp_path / "log.jsonl").write_text("log")
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "deep" / "a.txt").write_text("a")
    return tmp_path


def make(**changes: Any) -> dict[str, Any]:
    config = Config().from_str(CONFIG, overrides=changes, interpolate=False)
    return json.loads(json.dumps(make_manifest(config, Path("out"), command=["x"])))


def test_manifest_says_what_a_run_was_made_of(folder: Path) -> None:
    manifest = make()
    assert manifest["config"]["corpora"]["train"] == "train.spacy"
    assert set(manifest["data"]) == {"train.spacy", "data"}  # not the log
    assert (manifest["seed"], manifest["status"], manifest["command"]) == (7, "running", ["x"])
    assert {"spacy", "thinc", "torch", "spacy-ctxtag"} <= set(manifest["packages"])
    assert {"python", "cpu", "cores", "threads", "gpus", "platform"} <= set(manifest["machine"])


def test_manifest_without_a_change_has_no_differences(folder: Path) -> None:
    assert differences(make(), make()) == other_machine(make(), make()) == []


def test_differences_in_settings_are_named(folder: Path) -> None:
    changes = {"training.dropout": 0.2, "training.logger.output_file": None}
    assert differences(make(), make(**changes)) == ["training.dropout: 0.1 → 0.2"]


@pytest.mark.parametrize("path", ["train.spacy", "data/deep/a.txt", "data/new.txt"])
def test_differences_in_data_are_named(folder: Path, path: str) -> None:
    before = make()
    (folder / path).write_text("two")
    assert differences(before, make()) == [f"{path.split('/')[0]}: the data"]


@pytest.mark.parametrize(
    ("section", "is_data"),
    [("corpora.train.corpus.texts", True), ("initialize.lookups", True), ("training.seed", False)],
)
def test_folders_without_a_slash_are_data_where_data_are_named(section: str, is_data: bool, folder: Path) -> None:
    (folder / "annotated").mkdir()
    (folder / "annotated" / "a.txt").write_text("one")
    nested: dict[str, Any] = {}
    inner = nested
    *parents, last = section.split(".")
    for part in parents:
        inner = inner.setdefault(part, {})
    inner[last] = "annotated"
    assert list(hash_data(nested)) == (["annotated"] if is_data else [])


def test_differences_in_code_and_options_are_named(folder: Path) -> None:
    before = make()
    after = {**copy.deepcopy(before), "code": "abc", "deterministic": True}
    assert differences(before, after) == ["the file of --code", "--deterministic: False → True"]


def test_other_machine_is_told(folder: Path) -> None:
    before = make()
    after = copy.deepcopy(before)
    after["packages"]["torch"], after["machine"]["threads"] = "9.9", 99
    assert other_machine(before, after) == [
        f"torch {before['packages']['torch']} → 9.9",
        f"threads {before['machine']['threads']} → 99",
    ]


def test_git_commit_and_changes(folder: Path) -> None:
    def git(*words: str) -> None:
        names = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *names, *words], check=True, capture_output=True)

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "first")
    about = read_git()
    assert about is not None
    assert (len(about["commit"]), about["dirty"]) == (40, False)
    (folder / "train.spacy").write_text("changed")
    assert read_git() == {**about, "dirty": True}


def test_git_outside_of_a_repository_is_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(folder.parent))
    assert read_git() is None
