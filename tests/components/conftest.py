"""Pipelines that are trained once and loaded by many tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pipelines import HEADS, KINDS, make_examples, make_pipeline, train
from spacy.language import Language
from thinc.api import fix_random_seed


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: str) -> dict[str, Path]:
    """RETURNS (dict[str, Path]): By the name of a head, the folder of a pipeline of it; "joint": two, sharing."""
    folder = tmp_path_factory.mktemp("trained")
    for name, kinds in {**{kind: [kind] for kind in KINDS}, "joint": list(HEADS)}.items():
        nlp = make_pipeline(kinds, tiny_backbone, shared=name == "joint")
        train(nlp, make_examples(nlp))
        nlp.to_disk(folder / name)
    return {name: folder / name for name in (*KINDS, "joint")}


@pytest.fixture(scope="session")
def untrained(tiny_backbone: str) -> dict[str, Language]:
    """By the scheme: a ctx_ner whose scores are random, so that all tags and moves are likely."""
    pipelines = {}
    for scheme in ("BIO", "BILUO"):
        nlp = make_pipeline(["ctx_ner"], tiny_backbone, scheme=scheme)
        fix_random_seed(0)
        nlp.initialize(lambda nlp=nlp: make_examples(nlp))
        rng = np.random.default_rng(1)
        for name in ("start", "transition", "end"):
            crf = nlp.get_pipe("ctx_ner").model.get_ref("crf")
            crf.set_param(name, rng.normal(0, 0.1, crf.get_param(name).shape).astype("float32"))
        output = nlp.get_pipe("ctx_ner").model.get_ref("output_layer")
        output.set_param("W", rng.normal(0, 0.35, output.get_param("W").shape).astype("float32"))
        pipelines[scheme] = nlp
    return pipelines


@pytest.fixture(scope="session")
def with_settings(untrained: dict[str, Language], tiny_backbone: str) -> Callable[..., Language]:
    """RETURNS (Callable): From a scheme and settings to `untrained` with these, always the same: leave it as it is."""
    made: dict[str, Language] = {}

    def make(scheme: str = "BILUO", **settings: Any) -> Language:
        key = f"{scheme} {sorted(settings.items())}"
        if key not in made:
            nlp = make_pipeline(["ctx_ner"], tiny_backbone, scheme=scheme, **settings)
            made[key] = nlp.from_bytes(untrained[scheme].to_bytes())
        return made[key]

    return make
