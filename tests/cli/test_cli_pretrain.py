"""`pretrain` on the command line."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from spacy_ctxtag.cli import app
from spacy_ctxtag.cli import pretrain as command
from spacy_ctxtag.layers.backbone import MINILM_PACKAGE
from spacy_ctxtag.training import pretrain as module
from spacy_ctxtag.training.pretrain_settings import Settings

QUICK = ["--steps", "2", "--batch-pieces", "64", "--window", "20"]


@pytest.fixture
def raw(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "raw" / "a.jsonl", tmp_path / "raw" / "b.txt"]
    paths[0].parent.mkdir()
    paths[0].write_text('{"text": "Ada wrote to Charles."}\n{"text": "The river flows."}\n', encoding="utf8")
    paths[1].write_text("Nobody answered.\n3,000 ships passed Hamburg.\n", encoding="utf8")
    return paths


def pretrain(*args: Any, fails: str = "") -> str:
    """Run the command; with `fails`, it has to end with this code. RETURNS (str): What it printed."""
    result = CliRunner().invoke(app, ["pretrain", *map(str, args)])
    assert result.exit_code == (1 if fails else 0), result.output
    assert fails in result.output
    return result.output


@pytest.mark.backbone
def test_pretrain_command_writes_a_backbone(raw: list[Path], tiny_backbone: str, tmp_path: Path) -> None:
    output = pretrain(*raw, tmp_path / "out", "--backbone", tiny_backbone, *QUICK)
    assert "3 texts to learn from, 1 held out" in output
    for line in ("as it was, with a new head", "after 2 steps of the head alone", "after 2 steps of all weights"):
        assert line in output
    report = json.loads((tmp_path / "out" / "pretrain.json").read_text(encoding="utf8"))
    assert [name for name, _ in report["files"]] == ["a.jsonl", "b.txt"]
    for name in ("before", "after_head", "after"):
        assert f"{report['perplexity'][name]:,.2f}" in output
    pretrain(raw[0].parent, tmp_path / "out", "--backbone", tiny_backbone, *QUICK, fails="CT555")


def test_pretrain_command_passes_every_option_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given: dict[str, Any] = {}
    settings = {
        "steps": 7,
        "head_steps": 3,
        "learn_rate": 0.25,
        "head_learn_rate": 0.5,
        "warmup": 0.75,
        "weight_decay": 0.125,
        "batch_pieces": 11,
        "accumulate": 2,
        "window": 33,
        "mask_share": 0.375,
        "train_precision": "bf16",
        "seed": 5,
        "save_every": 13,
        "dev_share": 0.625,
        "dev_texts": 17,
    }

    def fake(inputs: Any, output: Any, backbone: Any, settings: Any, **rest: Any) -> dict[str, Any]:
        given.update(inputs=inputs, output=output, backbone=backbone, settings=settings, **rest)
        values = {"before": 3.0, "after_head": None, "after": 2.0}
        about = {"head": "found", "head_steps": 0, "settings": {"steps": 7}, "masked_pieces": 5, "held_out": 2}
        return {**about, "perplexity": values}

    monkeypatch.setattr(module, "pretrain", fake)
    options = [part for name, value in settings.items() for part in (f"--{name.replace('_', '-')}", value)]
    other = ["--backbone", "some/name", "--revision", "abc", "--dev", "dev.txt", "--resume"]
    output = pretrain("a.txt", "b.txt", tmp_path / "out", *options, *other)
    assert given["settings"] == Settings(**settings)
    assert given["inputs"] == [Path("a.txt"), Path("b.txt")]
    assert (given["backbone"].name, given["backbone"].revision) == ("some/name", "abc")
    assert (given["dev"], given["resume"], given["force"]) == (Path("dev.txt"), True, False)
    assert "head alone" not in output


def test_pretrain_command_knows_the_packaged_encoder() -> None:
    assert command.find("minilm", None).package == MINILM_PACKAGE
    assert command.find("./minilm", None).package is None


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["absent.txt", "out"], "CT305"),
        (["raw", "out", "--backbone", "./absent"], "CT002"),
        (["raw", "out", "--window", "2"], "CT304"),
        (["raw", "out", "--resume", "--force"], "CT304"),
    ],
)
def test_pretrain_command_says_what_is_wrong(
    raw: list[Path], tiny_backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], code: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    backbone = [] if "--backbone" in args else ["--backbone", tiny_backbone]
    pretrain(*args, "--steps", "2", *backbone, fails=code)
    assert not (tmp_path / "out").exists()


def test_pretrain_command_names_file_and_line(raw: list[Path], tiny_backbone: str, tmp_path: Path) -> None:
    raw[0].write_text('{"text": "fine"}\n{"txt": "no"}\n', encoding="utf8")
    output = pretrain(*raw, tmp_path / "out", "--backbone", tiny_backbone, *QUICK, fails="CT553")
    assert f"{raw[0]}:2: [CT553]" in output
