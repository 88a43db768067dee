"""spaCy's own training loop on our components: seeds, frozen encoders, and what the meta keeps."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy
from pipelines import HEADS, LINES, make_examples, make_pipeline, make_reference, train, weights
from spacy.language import Language
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as spacy_train
from thinc.api import Config

from spacy_ctxtag import __version__
from spacy_ctxtag.training.fingerprint import META_KEY, hash_text, record_training_texts
from spacy_ctxtag.training.requirements import create_requirements_v1


def run(config: Config, **settings: Any) -> Language:
    """Train a pipeline as `spacy train` does."""
    config = config.copy()
    config["training"].update({"max_steps": 6, "eval_frequency": 3, **settings})
    nlp = init_nlp(config)
    spacy_train(nlp, stdout=io.StringIO(), stderr=io.StringIO())
    return nlp


@pytest.fixture(scope="module")
def first(config: Config) -> Language:
    return run(config)


@pytest.mark.backbone
def test_training_same_seed_gives_identical_weights(first: Language, config: Config) -> None:
    assert weights(run(config)) == weights(first)


def test_training_other_seed_gives_other_weights(first: Language, config: Config) -> None:
    assert weights(run(config, seed=1)) != weights(first)


def test_training_with_accumulated_gradients_and_averages_runs(config: Config) -> None:
    optimizer = {"@optimizers": "Adam.v1", "learn_rate": 0.01, "use_averages": True}
    nlp = run(config, accumulate_gradient=2, optimizer=optimizer)
    assert set(nlp.pipe_names) == {"ctx_encoder", *HEADS}


def test_training_with_a_frozen_encoder_of_another_pipeline(first: Language, config: Config, tmp_path: Path) -> None:
    first.to_disk(tmp_path)
    config = config.copy()
    config["components"]["ctx_encoder"] = {"source": str(tmp_path)}
    nlp = run(config, frozen_components=["ctx_encoder"], annotating_components=["ctx_encoder"])
    after, before = (each.get_pipe("ctx_encoder").model.to_bytes() for each in (nlp, first))
    assert after == before


# The texts that a pipeline was trained on


def test_fingerprint_is_kept_in_the_meta(tiny_backbone: str, tmp_path: Path) -> None:
    nlp = make_pipeline(HEADS, tiny_backbone)
    train(nlp, make_examples(nlp), steps=0)
    nlp.to_disk(tmp_path)
    expected = sorted(hash_text(make_reference(nlp, line).text) for line in LINES)
    assert nlp.meta[META_KEY] == spacy.load(tmp_path).meta[META_KEY] == expected


def test_fingerprint_grows_with_further_texts() -> None:
    meta: dict[str, Any] = {}
    record_training_texts(meta, ["b", "a", "b"])
    record_training_texts(meta, ["c", "a"])
    assert meta[META_KEY] == sorted(hash_text(text) for text in "abc")


@pytest.mark.parametrize("text", ["", "é", "\ud800", "a\0b"])
def test_fingerprint_of_odd_texts(text: str) -> None:
    assert len(hash_text(text)) == 16
    assert hash_text(text) != hash_text(text + " ")


@pytest.mark.parametrize("before", [[], ["other>=1", "spacy-ctxtag>=0.0.1,<0.1.0"]])
def test_requirements_have_no_upper_bound(before: list[str]) -> None:
    nlp = spacy.blank("en")
    nlp.meta["requirements"] = before
    callback: Callable[[Language], Language] = create_requirements_v1()
    assert callback(callback(nlp)) is nlp
    assert nlp.meta["requirements"] == [*before[:1], f"spacy-ctxtag>={__version__}"]


@pytest.mark.backbone
@pytest.mark.parametrize("max_epochs", [0, -1])
def test_training_with_batches_by_pieces_and_sampling_follows_the_seed(
    max_epochs: int, config: Config, tiny_backbone: str
) -> None:
    config = config.copy()
    corpus = config["corpora"]["train"]
    mixed = {"@readers": "spacy-ctxtag.MixedCorpora.v1", "corpora": {"a": corpus, "b": corpus}, "temperature": 2.0}
    config["corpora"]["train"] = {"@readers": "spacy-ctxtag.RareLabels.v1", "corpus": mixed, "threshold": 0.9}
    backbone = {"@misc": "spacy-ctxtag.Backbone.v1", "name": tiny_backbone}
    batcher = {"@batchers": "spacy-ctxtag.batch_by_pieces.v1", "size": 60, "backbone": backbone}
    optimizer = {"@optimizers": "spacy-ctxtag.Adam.v1", "learn_rate": 0.01, "use_averages": True}
    settings = {"batcher": batcher, "optimizer": optimizer, "max_epochs": max_epochs}
    first, second = (run(config, **settings) for _ in range(2))
    assert weights(first) == weights(second)
    assert weights(run(config, **settings, seed=1)) != weights(first)
