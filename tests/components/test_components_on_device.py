"""Components on a pretended device that refuses to mix with NumPy: they learn, predict and save as on the host.

The encoder's weights are PyTorch's, and stay where PyTorch is; what goes into them and comes out crosses its border.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from backbones import WIDTH
from numpy.testing import assert_allclose
from pipelines import HEADS, LISTENER, THING, annotation, encoder, head, make_examples, probabilities, train
from spacy.language import Language
from spacy.tokens import DocBin, Span
from strict_ops import DeviceArray, StrictOps, assert_on_device, strict_device

from spacy_ctxtag.layers import in_parts

pytestmark = pytest.mark.backbone
SETTINGS: dict[str, dict[str, Any]] = {
    "ctx_ner": {"incorrect_spans_key": "wrong", "costs": {"O": 0.5}, "label_smoothing": 0.1, "entity_ratio": 0.5},
    "ctx_tagger": {"label_smoothing": 0.1},
}


def make(backbone: str, shared: bool) -> Language:
    """Both heads, each with a BiLSTM over a learned mix of two layers of an encoder of its own or of a shared one."""
    nlp = spacy.blank("en")
    both = {**encoder(backbone, layers="all"), "width": 2 * WIDTH}
    if shared:
        nlp.add_pipe("ctx_encoder", config={"model": both})
    for kind in HEADS:
        tok2vec = {**LISTENER, "width": 2 * WIDTH} if shared else both
        mix = {"@architectures": "spacy-ctxtag.LayerMix.v1", "n_layers": 2, "dropout": 0.0, "tok2vec": tok2vec}
        config = head(kind, mix, **SETTINGS[kind])
        config["model"]["lstm"] = {"@layers": "spacy-ctxtag.BiLSTM.v1", "width": 8}
        nlp.add_pipe(kind, config=config)
    return nlp


@pytest.fixture(scope="module", params=[False, True], ids=["own", "shared"])
def host(request: pytest.FixtureRequest, steady_backbone: str) -> Language:
    """A pipeline that has learned on the host. It is left as it is."""
    nlp = make(steady_backbone, request.param)
    train(nlp, make_examples(nlp))
    return nlp


@pytest.fixture
def ops() -> Iterator[StrictOps]:
    with strict_device() as ops:
        yield ops


def clone(nlp: Language) -> Language:
    return spacy.util.load_model_from_config(nlp.config).from_bytes(nlp.to_bytes())


def to_device(nlp: Language, ops: StrictOps) -> Language:
    for _, pipe in nlp.pipeline:
        pipe.model._to_ops(ops)
    return nlp


def descend(key: Any, weights: Any, gradient: Any, *, lr_scale: float = 1.0) -> tuple[Any, Any]:
    """An optimizer that works anywhere; Thinc's own would look for CuPy."""
    return weights - 0.1 * lr_scale * gradient, gradient * 0


def assert_models_on_device(nlp: Language) -> None:
    for _, pipe in nlp.pipeline:
        assert_on_device(pipe.model)


def update(nlp: Language, drop: float = 0.0) -> dict[str, float]:
    examples = make_examples(nlp)
    for eg in examples:
        eg.reference.spans["wrong"] = [Span(eg.reference, 0, 1, label=THING)]  # no line begins with one
    losses: dict[str, float] = {}
    nlp.update(examples, sgd=False, losses=losses, drop=drop)
    for _, pipe in nlp.pipeline:
        pipe.finish_update(descend)
    return losses


def host_values(nlp: Language) -> Iterator[tuple[str, Any]]:
    """YIELDS (tuple): Names and values of all weights of a pipeline."""
    for name, pipe in nlp.pipeline:
        for node in pipe.model.walk():
            for param in node.param_names:
                value = node.get_param(param)
                yield f"{name} {node.name} {param}", value.get() if isinstance(value, DeviceArray) else value
            for shim in node.shims[:1]:
                for param, values in shim.module.named_parameters():
                    yield f"{name} {param}", values.detach().numpy()


def test_update_on_the_device_is_that_of_the_host(host: Language, ops: StrictOps) -> None:
    one, other = clone(host), to_device(clone(host), ops)
    for _ in range(2):
        expected, got = update(one), update(other)
        assert got == pytest.approx(expected, rel=1e-3)
    assert_models_on_device(other)
    moved = {}
    for (name, values), (_, start), (_, found) in zip(*map(host_values, (one, host, other)), strict=True):
        assert_allclose(found, values, rtol=1e-3, atol=1e-4, err_msg=name)
        moved[name] = np.abs(values - start).max()
    assert sum(each > 1e-3 for each in moved.values()) > 20


def test_update_drops_out_on_the_device(host: Language, ops: StrictOps) -> None:
    nlp = to_device(clone(host), ops)
    assert all(np.isfinite(each) for each in update(nlp, drop=0.3).values())
    assert_models_on_device(nlp)


def test_prediction_on_the_device_is_that_of_the_host(host: Language, ops: StrictOps) -> None:
    nlp = to_device(clone(host), ops)
    texts = [*(eg.reference.text for eg in make_examples(nlp)), "", "Ada \n\n wrote  "]
    for found, expected in zip(nlp.pipe(texts), host.pipe(texts), strict=True):
        if "ctx_encoder" in nlp.pipe_names:
            assert_on_device(found.tensor)
        for kind in HEADS:
            assert annotation(kind, found) == annotation(kind, expected)
            assert_allclose(probabilities(kind, found), probabilities(kind, expected), atol=1e-4)


@pytest.mark.parametrize("setting", ["parts", "cache"])
def test_parts_and_the_cache_stay_on_the_device(
    setting: str, host: Language, ops: StrictOps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_parts, "CALL", 3 if setting == "parts" else 1000)
    monkeypatch.setattr(in_parts, "CONTEXT", 2)
    one, other = clone(host), to_device(clone(host), ops)
    limit = 1_000_000 if setting == "cache" else 0
    results = []
    for nlp in (one, other):
        caches = [shim for _, pipe in nlp.pipeline for node in pipe.model.walk() for shim in node.shims[1:]]
        for cache in caches:
            cache.limit = limit
        docs = list(nlp.pipe(["Ada wrote to Charles in London .", "Ada wrote today"] * 2))
        results.append([probabilities(kind, doc) for kind in HEADS for doc in docs])
        assert [cache.info().texts for cache in caches] == [2 if limit else 0] * len(caches)
    for found, expected in zip(*results, strict=True):
        assert_allclose(found, expected, atol=1e-4)


def test_scores_on_the_device_are_those_of_the_host(host: Language, ops: StrictOps) -> None:
    nlp = to_device(clone(host), ops)
    got, expected = [], []
    for each, into in ((nlp, got), (host, expected)):
        doc = each("Ada wrote to Charles in London .")
        into.append(each.get_pipe("ctx_ner").score_spans(doc, doc.ents))
        into.append(each.get_pipe("ctx_ner").tag_probs(doc))
        into.append(each.get_pipe("ctx_tagger").tag_probs(doc))
    for y, z in zip(got, expected, strict=True):
        assert_allclose(y, z, atol=1e-4)


def test_pipeline_is_saved_from_the_device(host: Language, ops: StrictOps, tmp_path: Path) -> None:
    nlp = to_device(clone(host), ops)
    nlp.to_disk(tmp_path)
    for loaded in (spacy.load(tmp_path), clone(nlp)):
        for (name, found), (_, expected) in zip(host_values(loaded), host_values(host), strict=True):
            np.testing.assert_array_equal(found, expected, err_msg=name)


def test_pipeline_is_initialized_on_the_device(host: Language, ops: StrictOps) -> None:
    nlp = to_device(spacy.util.load_model_from_config(host.config, auto_fill=True), ops)
    nlp.initialize(lambda: make_examples(nlp))
    assert all(np.isfinite(each) for each in update(nlp).values())
    assert_models_on_device(nlp)


@pytest.mark.parametrize("kind", HEADS)
def test_label_is_added_on_the_device(kind: str, host: Language, ops: StrictOps) -> None:
    nlp = to_device(clone(host), ops)
    assert nlp.get_pipe(kind).add_label("new") == 1
    update(nlp)
    assert_models_on_device(nlp)


def test_cleaned_docs_of_the_device_are_stored(host: Language, ops: StrictOps) -> None:
    nlp = to_device(clone(host), ops)
    nlp.add_pipe("ctx_cleaner")
    docs = list(nlp.pipe(["Ada wrote to Charles in London ."]))
    [stored] = DocBin(docs=docs, store_user_data=True).get_docs(nlp.vocab)
    assert annotation("ctx_ner", stored) == annotation("ctx_ner", docs[0])
    assert isinstance(docs[0].tensor, np.ndarray)
