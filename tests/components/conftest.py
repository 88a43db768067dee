"""Pipelines that are trained once and loaded by many tests."""

from pathlib import Path

import pytest
from backbones import make_backbone
from pipelines import HEADS, make_examples, make_pipeline, train


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: str) -> dict[str, Path]:
    """RETURNS (dict[str, Path]): By the name of a head, the folder of a pipeline of it; "joint": both, sharing."""
    folder = tmp_path_factory.mktemp("trained")
    for name, kinds in {**{kind: [kind] for kind in HEADS}, "joint": list(HEADS)}.items():
        nlp = make_pipeline(kinds, tiny_backbone, shared=name == "joint")
        train(nlp, make_examples(nlp))
        nlp.to_disk(folder / name)
    return {name: folder / name for name in (*HEADS, "joint")}


@pytest.fixture(scope="session")
def steady_backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny encoder without dropout of its own, so that the same batch gives the same gradient."""
    path = tmp_path_factory.mktemp("steady") / "bert"
    return make_backbone("bert", path, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
