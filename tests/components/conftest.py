"""Pipelines that are trained once and loaded by many tests."""

from pathlib import Path

import pytest
from pipelines import HEADS, make_examples, make_pipeline, train


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: str) -> dict[str, Path]:
    """RETURNS (dict[str, Path]): By the name of a head, the folder of a pipeline of it alone; "joint": both, sharing."""
    folder = tmp_path_factory.mktemp("trained")
    for name, kinds in {**{kind: [kind] for kind in HEADS}, "joint": list(HEADS)}.items():
        nlp = make_pipeline(kinds, tiny_backbone, shared=name == "joint")
        train(nlp, make_examples(nlp))
        nlp.to_disk(folder / name)
    return {name: folder / name for name in (*HEADS, "joint")}
