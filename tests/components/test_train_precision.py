"""Pipelines trained in mixed precision: they learn, are saved in fp32, and accumulate gradients as in fp32."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from backbones import WIDTH
from pipelines import HEADS, LISTENER, annotation, encoder, entities, head, make_examples, parameters, train
from safetensors.numpy import load_file
from spacy.language import Language
from thinc.api import Adam, fix_random_seed

from spacy_ctxtag.layers.mixed_precision import MixedPrecision

pytestmark = pytest.mark.backbone
shared_or_not = pytest.mark.parametrize("shared", [False, True])


def make(backbone: str, shared: bool, train_precision: str) -> Language:
    nlp = spacy.blank("en")
    tiny = encoder(backbone, train_precision=train_precision, width=WIDTH)
    if shared:
        nlp.add_pipe("ctx_encoder", config={"model": tiny})
    for kind in HEADS:
        nlp.add_pipe(kind, config=head(kind, LISTENER if shared else tiny))
    return nlp


@shared_or_not
def test_pipeline_trained_in_bf16_learns_and_is_saved_in_fp32(shared: bool, tiny_backbone: str, tmp_path: Path) -> None:
    nlp = make(tiny_backbone, shared, "bf16")
    examples = make_examples(nlp)
    train(nlp, examples)
    for eg in examples:
        doc = nlp(eg.reference.text)
        assert entities(doc) == entities(eg.reference)
        assert [token.tag_ for token in doc] == [token.tag_ for token in eg.reference]
    nlp.to_disk(tmp_path)
    [stored, *_] = tmp_path.rglob("model.safetensors")
    assert {array.dtype.name for array in load_file(stored).values()} == {"float32"}
    loaded = spacy.load(tmp_path)
    for (name, values), (_, expected) in zip(parameters(loaded), parameters(nlp), strict=True):
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, expected, err_msg=name)
    for eg in examples:
        for kind in HEADS:
            assert annotation(kind, loaded(eg.reference.text)) == annotation(kind, nlp(eg.reference.text))


@shared_or_not
def test_scale_of_fp16_changes_no_step_over_several_updates(
    shared: bool, steady_backbone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MixedPrecision, "autocast", lambda self, module: contextlib.nullcontext())
    pipelines = []
    for train_precision in ("fp32", "fp16"):
        nlp = make(steady_backbone, shared, train_precision)
        examples = make_examples(nlp)
        fix_random_seed(0)
        nlp.initialize(lambda examples=examples: examples)
        optimizer = Adam(0.02)
        for _ in range(2):
            for part in (examples[:2], examples[2:3], examples[3:]):
                nlp.update(part, sgd=False)
            for _, pipe in nlp.pipeline:
                pipe.finish_update(optimizer)
        pipelines.append(nlp)
    for (name, values), (_, expected) in zip(*map(parameters, pipelines), strict=True):
        np.testing.assert_array_equal(values, expected, err_msg=name)


def test_fp16_on_a_cpu_is_refused_by_training_alone(trained: dict[str, Path]) -> None:
    setting: dict[str, Any] = {"components.ctx_ner.model.tok2vec.encoder.train_precision": "fp16"}
    nlp = spacy.load(trained["ctx_ner"], config=setting)
    assert nlp("Ada wrote").text == "Ada wrote"
    with pytest.raises(ValueError, match="CT017"):
        nlp.update(make_examples(nlp))


def test_load_train_precision_wins(trained: dict[str, Path]) -> None:
    weights = []
    for train_precision in ("fp32", "bf16"):
        setting: dict[str, Any] = {"components.ctx_ner.model.tok2vec.encoder.train_precision": train_precision}
        nlp = spacy.load(trained["ctx_ner"], config=setting)
        fix_random_seed(0)
        nlp.update(make_examples(nlp), sgd=Adam(0.01))
        weights.append(dict(parameters(nlp))["ctx_ner.encoder.layer.0.output.dense.weight"])
    assert (weights[0] != weights[1]).any()
