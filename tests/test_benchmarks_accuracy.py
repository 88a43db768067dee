"""The benchmark of accuracy: what its command line takes, and what it refuses."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmark_modules import benchmark


@pytest.fixture(scope="module")
def accuracy() -> Iterator[Any]:
    with benchmark("accuracy") as module:
        yield module


@pytest.fixture
def parse(accuracy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    for corpus in accuracy.CORPORA:
        (tmp_path / corpus).mkdir()

    def run(*args: str) -> Any:
        monkeypatch.setattr(sys, "argv", ["accuracy.py", "--data", str(tmp_path), *args])
        return accuracy.parse()

    return run


def test_accuracy_benchmark_takes_epochs_by_corpus_and_rates_by_system(accuracy: Any, parse: Any) -> None:
    options = parse("--epochs", "wnut17=2", "re3d=7", "--lr", "ctx=2e-4", "hf_linear=1e-5")
    runs = accuracy.plan(options, {}, parts=[0], systems=["ctx", "ctx-no-augmentation", "hf_linear", "flair"])
    assert {run.epochs for run in runs if run.corpus == "wnut17"} == {2}
    assert {run.epochs for run in runs if run.corpus == "re3d"} == {7}
    assert {run.epochs for run in runs if run.corpus == "wikigold"} == {accuracy.CORPORA["wikigold"].epochs}
    rates = {run.system: run.lr for run in runs}
    assert rates == {"ctx": 2e-4, "ctx-no-augmentation": 2e-4, "hf_linear": 1e-5, "flair": accuracy.SYSTEMS["flair"].lr}


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--epochs", "ctx=3", "'ctx' is no corpus. Expected NAME=NUMBER, NAME one of wnut17, wikigold"),
        ("--epochs", "wnut17=2.5", "'2.5' is no number for wnut17"),
        ("--epochs", "wnut17", "'' is no number for wnut17"),
        (
            "--lr",
            "wnut17=1e-4",
            "'wnut17' is no system with a rate of its own. Expected NAME=NUMBER, NAME one of ctx, spacy_trf",
        ),
        ("--lr", "ctx-no-augmentation=1e-4", "'ctx-no-augmentation' is no system with a rate of its own"),
        ("--lr", "ctx=fast", "'fast' is no number for ctx"),
    ],
)
def test_accuracy_benchmark_refuses_names_that_do_not_belong(
    parse: Any, capsys: pytest.CaptureFixture[str], option: str, value: str, expected: str
) -> None:
    with pytest.raises(SystemExit):
        parse(option, value)
    assert expected in " ".join(capsys.readouterr().err.split())


def test_accuracy_benchmark_tries_no_rate_again(
    accuracy: Any, parse: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []

    def execute(runs: list[Any], options: Any, folder: Path) -> list[dict[str, Any]]:
        done.extend((run.system, run.lr) for run in runs)
        return [{"dev": {"ner": {"f": 50 - abs(run.lr - 2e-4) * 1e4}}} for run in runs]

    monkeypatch.setattr(accuracy, "execute", execute)
    args = ["--corpora", "wnut17", "--tune", "wnut17", "--tune-systems", "hf_linear", "flair"]
    best, tried = accuracy.tune(parse(*args), tmp_path)
    assert best == {("wnut17", "hf_linear"): 2e-4, ("wnut17", "flair"): 2e-4}
    assert len(done) == len(tried) == 8
    known = [each for each in tried if each["system"] == "hf_linear"]
    (tmp_path / "before.json").write_text(json.dumps({"tuning": known}), encoding="utf8")
    done.clear()
    again = accuracy.tune(parse(*args, "--tuned", str(tmp_path / "before.json")), tmp_path)
    assert again[0] == best
    assert len(again[1]) == 8
    assert {system for system, _ in done} == {"flair"}
