"""The logger of JSON lines in spaCy's own training loop, alone and in a chain."""

import io
from pathlib import Path
from typing import Any

import pytest
from spacy.language import Language
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as spacy_train
from thinc.api import Config

from spacy_ctxtag.training.jsonl_logger import create_jsonl_logger_v1
from spacy_ctxtag.training.record import read_records

CHAIN = "spacy.ChainLogger.v1"
LABELS = {"per-son", "some thing", "Örtlichkeit"}


def chain(*loggers: dict[str, Any]) -> dict[str, Any]:
    return {"@loggers": CHAIN, **{f"logger{i}": each for i, each in enumerate(loggers, 1)}}


def run(config: Config, logger: dict[str, Any], output: Path | None = None) -> Language:
    """Train a pipeline as `spacy train` does."""
    config = config.copy()
    config["training"].update({"max_steps": 4, "eval_frequency": 2, "logger": logger})
    nlp = init_nlp(config)
    spacy_train(nlp, output, stdout=io.StringIO(), stderr=io.StringIO())
    return nlp


@pytest.mark.parametrize("chained", [False, True])
def test_jsonl_logger_writes_a_line_for_every_evaluation(config: Config, tmp_path: Path, chained: bool) -> None:
    logger: dict[str, Any] = {"@loggers": "spacy-ctxtag.JSONL.v1", "path": str(tmp_path / "new" / "training.jsonl")}
    console = {"@loggers": "spacy.ConsoleLogger.v3", "progress_bar": "eval"}
    run(config, chain(console, logger) if chained else logger)
    records = read_records(tmp_path / "new" / "training.jsonl")
    assert [each["step"] for each in records] == [0, 2, 4]
    for each in records:
        assert set(each) == {"step", "epoch", "score", "losses", "scores", "seconds", "words"}
        assert set(each["losses"]) >= {"ctx_ner", "ctx_tagger"}
        assert set(each["scores"]["ents_per_type"]) == LABELS
        assert each["words"] > 0


def test_jsonl_logger_appends(config: Config, tmp_path: Path) -> None:
    path = tmp_path / "training.jsonl"
    path.write_text('{"step": -5, "score": null, "losses": {}, "scores": {}}\n', encoding="utf8")
    run(config, {"@loggers": "spacy-ctxtag.JSONL.v1", "path": str(path)})
    assert [each["step"] for each in read_records(path)] == [-5, 0, 2, 4]


def test_jsonl_logger_writes_nothing_between_evaluations(tmp_path: Path) -> None:
    log_step, finalize = create_jsonl_logger_v1(tmp_path / "training.jsonl")(Language())
    log_step(None)
    finalize()
    assert list(tmp_path.iterdir()) == []
