"""Pipelines that are trained once, and documents that they have not seen."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy
from backbones import make_backbone
from pipelines import HEADS, make_examples, make_pipeline, train
from spacy.language import Language


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of trained pipelines: "joint", two heads on one encoder; "apart", each with its own."""
    folder = tmp_path_factory.mktemp("teachers")
    backbone = make_backbone("bert", folder / "bert", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    for name in ("joint", "apart"):
        nlp = make_pipeline(HEADS, backbone, shared=name == "joint")
        train(nlp, make_examples(nlp))
        nlp.to_disk(folder / name)
    return {name: folder / name for name in ("joint", "apart")}


@pytest.fixture
def load(folders: dict[str, Path]) -> Callable[..., tuple[Language, Language]]:
    """From a name to the pipeline, and to the same once more with its vocabulary: teacher and student."""

    def load_both(name: str = "joint", **config: Any) -> tuple[Language, Language]:
        teacher = spacy.load(folders[name], config=config)
        return teacher, spacy.load(folders[name], vocab=teacher.vocab, config=config)

    return load_both
