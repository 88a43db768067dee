"""A corpus and a config of a joint pipeline for spaCy's commands, small enough to train in seconds."""

from pathlib import Path
from typing import Any

import pytest
from pipelines import HEADS, make_pipeline, write_corpus
from thinc.api import Config

TRAINING: dict[str, Any] = {
    "seed": 0,
    "dropout": 0.1,
    "max_steps": 30,
    "eval_frequency": 15,
    "patience": 0,
    "logger": {"@loggers": "spacy.ConsoleLogger.v2", "progress_bar": False},
    "batcher": {"@batchers": "spacy.batch_by_sequence.v1", "size": 4, "get_length": None},
    "optimizer": {"@optimizers": "Adam.v1", "learn_rate": 0.02},
    "before_to_disk": {"@callbacks": "spacy-ctxtag.Requirements.v1"},
}


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus of `pipelines` as a .spacy file."""
    return write_corpus(tmp_path_factory.mktemp("corpus") / "corpus.spacy")


@pytest.fixture(scope="session")
def config(corpus: Path, tiny_backbone: str) -> Config:
    """The config of a joint pipeline."""
    config = make_pipeline(HEADS, tiny_backbone, shared=True).config.copy()
    config["paths"].update(train=str(corpus), dev=str(corpus))
    config["training"].update(TRAINING)
    return config
