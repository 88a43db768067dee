"""Heads with a BiLSTM between features and emissions."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from backbones import WIDTH
from pipelines import (
    HEADS,
    LISTENER,
    annotation,
    encoder,
    head,
    make_examples,
    make_pipeline,
    probabilities,
    train,
    weights,
)
from spacy.language import Language

from spacy_ctxtag.layers import in_parts

heads = pytest.mark.parametrize("kind", HEADS)
LAYER = {"@layers": "spacy-ctxtag.BiLSTM.v1", "width": 16, "depth": 2}


def make(kind: str, backbone: str, *, shared: bool = False) -> Language:
    nlp = spacy.blank("en")
    if shared:
        nlp.add_pipe("ctx_encoder", config={"model": encoder(backbone, width=WIDTH)})
    config = head(kind, LISTENER if shared else encoder(backbone))
    config["model"]["lstm"] = LAYER
    nlp.add_pipe(kind, config=config)
    return nlp


@pytest.fixture(scope="module")
def learned(tiny_backbone: str) -> dict[str, Language]:
    pipelines = {}
    for kind in HEADS:
        pipelines[kind] = make(kind, tiny_backbone)
        train(pipelines[kind], make_examples(pipelines[kind]), steps=80)
    return pipelines


def outcome(kind: str, nlp: Language) -> list[Any]:
    docs = list(nlp.pipe(eg.predicted.copy() for eg in make_examples(nlp)))
    return [(annotation(kind, doc), probabilities(kind, doc)) for doc in docs]


@pytest.mark.backbone
@heads
def test_lstm_overfit(kind: str, learned: dict[str, Language]) -> None:
    gold = [annotation(kind, eg.reference) for eg in make_examples(learned[kind])]
    assert [found for found, _ in outcome(kind, learned[kind])] == gold


@heads
@pytest.mark.parametrize("way", ["disk", "bytes", "pickle"])
def test_lstm_round_trip(kind: str, way: str, learned: dict[str, Language], tmp_path: Path) -> None:
    nlp = learned[kind]
    if way == "disk":
        nlp.to_disk(tmp_path)
        again = spacy.load(tmp_path)
    elif way == "bytes":
        again = spacy.util.load_model_from_config(nlp.config).from_bytes(nlp.to_bytes())
    else:
        again = pickle.loads(pickle.dumps(nlp))
    assert again.config["components"][kind]["model"]["lstm"] == LAYER
    assert outcome(kind, again) == outcome(kind, nlp)


@heads
def test_lstm_batch_changes_no_text(kind: str, learned: dict[str, Language]) -> None:
    nlp = learned[kind]
    for eg, (found, scores) in zip(make_examples(nlp), outcome(kind, nlp), strict=True):
        doc = nlp(eg.predicted)
        assert annotation(kind, doc) == found
        assert probabilities(kind, doc) == pytest.approx(scores, abs=1e-5)


@heads
def test_lstm_same_seed_gives_the_same_weights(kind: str, tiny_backbone: str) -> None:
    pipelines = [make(kind, tiny_backbone, shared=True) for _ in range(2)]
    for nlp in pipelines:
        train(nlp, make_examples(nlp), steps=2)
    assert weights(pipelines[0]) == weights(pipelines[1])


@heads
def test_lstm_stands_between_features_and_emissions(kind: str, learned: dict[str, Language]) -> None:
    model = learned[kind].get_pipe(kind).model
    assert model.get_ref("output_layer").get_dim("nI") == 16
    [layer] = [node for node in model.walk() if node.name == "bilstm"]
    assert layer.get_dim("nI") == model.get_ref("tok2vec").get_dim("nO")


@heads
def test_lstm_is_off_by_default(kind: str, tiny_backbone: str) -> None:
    nlp = make_pipeline([kind], tiny_backbone)
    assert nlp.config["components"][kind]["model"]["lstm"] is None
    assert not [node for node in nlp.get_pipe(kind).model.walk() if node.name == "bilstm"]


@heads
def test_lstm_reads_a_long_document_in_parts(
    kind: str, learned: dict[str, Language], monkeypatch: pytest.MonkeyPatch
) -> None:
    nlp = learned[kind]
    doc = nlp.make_doc("Ada wrote to Charles in London . " * 30)
    monkeypatch.setattr(in_parts, "CALL", 64)
    scores = nlp.get_pipe(kind).model.predict([doc])
    [rows] = scores.emissions if kind == "ctx_ner" else scores
    assert len(rows) == len(doc)
    assert np.isfinite(rows).all()
