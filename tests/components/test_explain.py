"""`explain` of ctx_ner and ctx_chunker: what it explains, that it adds up, and that it leaves everything as it is."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import torch
from backbones import WIDTH
from ner_oracle import cases, enumerate_analyses, schemes, span_probs
from pipelines import (
    CHUNKS,
    PERSON,
    PLACE,
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
from spacy.tokens import Doc, Span
from thinc.api import NumpyOps, fix_random_seed

from spacy_ctxtag.components.explain import SpanScore
from spacy_ctxtag.components.token_chains import find_chains
from spacy_ctxtag.evaluation.explanation import Explanation

pytestmark = pytest.mark.backbone
TEXT = "Ada wrote to Frau Müller in Hamburg today ."
ENOUGH = {"tolerance": 0.01, "max_steps": 4000}


class Float64Ops(NumpyOps):
    """CPU Ops in double precision throughout; Thinc's own gemm refuses it."""

    def asarray(self, data: Any, dtype: Any = None) -> Any:
        return super().asarray(data, dtype="float64" if dtype in ("f", "float32") else dtype)

    def alloc(self, shape: Any, *, dtype: Any = "float32", zeros: bool = True) -> Any:
        return super().alloc(shape, dtype="float64" if dtype in ("f", "float32") else dtype, zeros=zeros)

    def gemm(self, x: Any, y: Any, *, out: Any = None, trans1: bool = False, trans2: bool = False) -> Any:
        return np.matmul(x.T if trans1 else x, y.T if trans2 else y, out=out)


def explain(nlp: Language, doc: Doc, *span: Any, name: str = "ctx_ner", **settings: Any) -> Explanation:
    pipe: Any = nlp.get_pipe(name)
    found: Explanation = pipe.explain(doc, Span(doc, *span), **{**ENOUGH, **settings})
    return found


def assert_adds_up(found: Explanation) -> None:
    """Attributions add up to the difference of scores, and sources to attributions."""
    change = found.score - found.baseline
    assert sum(found.attributions) == pytest.approx(change, abs=0.01 * max(1.0, abs(change)))
    assert found.gap == pytest.approx(change - sum(found.attributions), abs=1e-9)
    np.testing.assert_allclose(np.sum(list(found.by_source.values()), axis=0), found.attributions, atol=1e-9)


@pytest.fixture(scope="module")
def learned(trained: dict[str, Path]) -> dict[str, Language]:
    """By name, trained pipelines; tests leave them as they are."""
    return {name: spacy.load(trained[name]) for name in ("ctx_ner", "ctx_chunker", "joint")}


# What is explained


@schemes
@cases
def test_explain_score_is_the_exact_log_probability(
    case: Any, scheme: str, with_settings: Callable[..., Language]
) -> None:
    sentences = {"within_sentences": True} if case.starts else {}
    nlp = with_settings(scheme, respect_entities=True, temperature=1.5, **sentences)
    doc, pipe = case.make(nlp), nlp.get_pipe("ctx_ner")
    analyses = enumerate_analyses(pipe, doc, starts=case.starts, temperature=1.5, given=case.given(pipe.labels))
    probs = sorted(span_probs(analyses).items())
    for (start, end, label), prob in probs[:: max(1, len(probs) // 3)]:
        found = explain(nlp, doc, start, end, label, method="occlusion")
        assert found.score == pytest.approx(math.log(prob), abs=1e-4)


@pytest.mark.parametrize("name", ["ctx_ner", "ctx_chunker", "joint"])
def test_explain_adds_up(name: str, learned: dict[str, Language]) -> None:
    nlp, pipe = learned[name], "ctx_chunker" if name == "ctx_chunker" else "ctx_ner"
    doc = nlp(TEXT)
    chosen, other = ("v p", "nöun-phrase") if name == "ctx_chunker" else (PERSON, PLACE)
    for span in ((3, 5, chosen), (1, 2, other), (6, 8, other)):
        found = explain(nlp, doc, *span, name=pipe)
        assert_adds_up(found)
        assert (found.start, found.end, found.label, found.component) == (*span, pipe)
        assert found.tokens == tuple(token.text for token in doc)
        assert list(found.by_source) == ["context", "characters", "orthography"]
        [prob] = nlp.get_pipe(pipe).score_spans(doc, [Span(doc, *span)])
        assert found.score == pytest.approx(math.log(prob), abs=1e-3)
        assert found.probability == pytest.approx(prob, abs=1e-4)


def test_explain_of_a_shared_encoder_is_that_of_an_own_one(learned: dict[str, Language]) -> None:
    nlp = spacy.util.load_model_from_config(learned["joint"].config).from_bytes(learned["joint"].to_bytes())
    doc = nlp.make_doc(TEXT)
    shared = explain(nlp, doc, 3, 5, PERSON)
    nlp.replace_listeners("ctx_encoder", "ctx_ner", ["model.tok2vec.encoder"])
    own = explain(nlp, doc, 3, 5, PERSON)
    np.testing.assert_allclose(shared.attributions, own.attributions, atol=1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        {"pooling": "first"},
        {"pooling": "max"},
        {"window": 16, "overlap": 4, "max_pieces": 32},
        {"layers": "all"},
        {"lstm": True},
        {"fusion": "gate"},
        {"fusion": "add"},
        {"alone": True},
    ],
    ids=str,
)
def test_explain_adds_up_whatever_the_model(settings: dict[str, Any], tiny_backbone: str) -> None:
    inside = {
        key: value for key, value in settings.items() if key in ("pooling", "window", "overlap", "max_pieces", "layers")
    }
    tok2vec: dict[str, Any] = encoder(tiny_backbone, **inside)
    if "layers" in settings:
        tok2vec = {"@architectures": "spacy-ctxtag.LayerMix.v1", "n_layers": 2, "dropout": 0.5, "tok2vec": tok2vec}
    config = head("ctx_ner", tok2vec, small=not settings.get("alone"))
    config["model"]["tok2vec"].update(word_dropout=0.5, locked_dropout=0.5, fusion=settings.get("fusion", "concat"))
    if "lstm" in settings:
        config["model"]["lstm"] = {"@layers": "spacy-ctxtag.BiLSTM.v1", "width": 8}
    nlp = spacy.blank("en")
    nlp.add_pipe("ctx_ner", config=config)
    train(nlp, make_examples(nlp), steps=3)
    doc = nlp(f"{TEXT} {TEXT} {TEXT}")
    assert_adds_up(explain(nlp, doc, 12, 14, PERSON))


def test_explain_gives_nothing_to_sources_that_are_not_read(tiny_backbone: str) -> None:
    nlp = make_pipeline(["ctx_ner"], tiny_backbone)
    train(nlp, make_examples(nlp), steps=3)
    [fuse] = [node for node in nlp.get_pipe("ctx_ner").model.walk() if node.name == "fuse"]
    maxout = next(node for node in fuse.layers[-1].walk() if node.name == "maxout")
    without = maxout.get_param("W").copy()  # (W, pieces, inputs)
    without[..., :WIDTH] = 0.0
    maxout.set_param("W", without)
    found = explain(nlp, nlp.make_doc(TEXT), 3, 5, PERSON)
    assert set(found.by_source["context"]) == {0.0}
    assert np.abs(found.by_source["characters"]).max() > 0
    assert_adds_up(found)


def test_explain_counts_equal_words_apart(learned: dict[str, Language]) -> None:
    nlp = learned["ctx_ner"]
    doc = nlp.make_doc("Ada wrote to Ada")
    found = explain(nlp, doc, 0, 1, PERSON)
    assert abs(found.by_source["characters"][0]) > abs(found.by_source["characters"][3])


def test_explain_takes_a_label_of_its_own(learned: dict[str, Language]) -> None:
    nlp = learned["ctx_ner"]
    doc, pipe = nlp(TEXT), nlp.get_pipe("ctx_ner")
    assert pipe.explain(doc, doc[6:7], PLACE) == pipe.explain(doc, Span(doc, 6, 7, PLACE))
    assert pipe.explain(doc, Span(doc, 6, 7, PLACE), PERSON).label == PERSON


def test_explain_gives_words_their_due(learned: dict[str, Language]) -> None:
    nlp = learned["ctx_ner"]
    doc = nlp(TEXT)
    found = explain(nlp, doc, 0, 1, PERSON)
    assert int(np.argmax(found.attributions)) == 0  # Ada
    assert explain(nlp, doc, 0, 1, PLACE).attributions[0] < found.attributions[0]


@pytest.mark.parametrize("scheme", ["BIO", "BILUO"])
def test_span_score_slope_equals_central_differences(scheme: str, steady_backbone: str) -> None:
    nlp = make_pipeline(["ctx_ner"], steady_backbone, scheme=scheme)
    train(nlp, make_examples(nlp), steps=3)
    pipe: Any = nlp.get_pipe("ctx_ner")
    pipe.model._to_ops(Float64Ops())
    for node in pipe.model.walk():
        for shim in node.shims[:1]:
            shim.module.double()
    doc = nlp.make_doc("Ada wrote to Frau Müller")
    of_doc, mask = find_chains(doc), np.ones((5, len(pipe.grammar.tags)), dtype=bool)
    mask[0, 1:] = False
    score = SpanScore("ctx_ner", pipe.model, doc, of_doc, (0, (3, 5, 1)), pipe.grammar, mask, 1.7)
    at = np.random.default_rng(0).uniform(0.2, 0.8, 5)
    value, slope = score.slope(at)
    assert value == score.value(at)
    assert slope.shape == (3, 5)
    for i, unit in enumerate(1e-5 * np.eye(5)):
        expected = (score.value(at + unit) - score.value(at - unit)) / 2e-5
        assert slope.sum(axis=0)[i] == pytest.approx(expected, rel=1e-3, abs=1e-4 * np.abs(slope).max())


# Occlusion


def test_occlusion_is_what_a_word_less_takes_away(learned: dict[str, Language]) -> None:
    nlp = learned["ctx_ner"]
    doc = nlp(TEXT)
    found, integrated = (explain(nlp, doc, 0, 1, PERSON, method=m) for m in ("occlusion", "integrated_gradients"))
    assert (found.score, found.baseline) == pytest.approx((integrated.score, integrated.baseline), abs=1e-5)
    assert found.by_source == {}
    assert found.steps == len(doc) + 2
    assert found.gap == pytest.approx(found.score - found.baseline - sum(found.attributions))
    assert int(np.argmax(found.attributions)) == int(np.argmax(integrated.attributions)) == 0


def test_occlusion_of_the_only_word_takes_all(learned: dict[str, Language]) -> None:
    nlp = learned["ctx_ner"]
    found = explain(nlp, nlp("Hamburg"), 0, 1, PLACE, method="occlusion")
    assert found.attributions[0] == pytest.approx(found.score - found.baseline, abs=1e-9)


# Refinement


def test_explain_refines_until_it_adds_up(learned: dict[str, Language]) -> None:
    nlp = learned["ctx_ner"]
    doc = nlp(TEXT)
    rough, fine = (explain(nlp, doc, 6, 7, PLACE, tolerance=tolerance) for tolerance in (0.1, 1e-3))
    assert rough.steps < fine.steps
    assert abs(fine.gap) <= 1e-3 * max(1.0, abs(fine.score - fine.baseline))


def test_explain_warns_when_it_does_not_add_up(learned: dict[str, Language]) -> None:
    nlp = learned["ctx_ner"]
    doc = nlp(TEXT)
    with pytest.warns(UserWarning, match="CW430"):
        found = explain(nlp, doc, 6, 7, PLACE, tolerance=1e-12, max_steps=1)
    assert found.steps == 10


# What it leaves alone


@pytest.mark.parametrize("name", ["ctx_ner", "ctx_chunker", "joint"])
def test_explain_changes_nothing(name: str, learned: dict[str, Language]) -> None:
    nlp, pipe = learned[name], "ctx_chunker" if name == "ctx_chunker" else "ctx_ner"
    label = CHUNKS["NN-P"] if name == "ctx_chunker" else PERSON
    doc = nlp(TEXT)
    before, kept = (annotation(pipe, doc), probabilities(pipe, doc)), weights(nlp)
    seen = doc.to_bytes()
    for method in ("integrated_gradients", "occlusion"):
        explain(nlp, doc, 3, 5, label, name=pipe, method=method)
    assert doc.to_bytes() == seen
    assert weights(nlp) == kept
    again = nlp(TEXT)
    assert (annotation(pipe, again), probabilities(pipe, again)) == before
    for _, component in nlp.pipeline:
        for node in component.model.walk():
            assert not node.grad_names
            for shim in node.shims[:1]:
                assert not any(each.training for each in shim.module.modules())
                assert all(each.grad is None for each in shim.module.parameters())


@pytest.mark.parametrize("name", ["ctx_ner", "joint"])
def test_explain_while_others_predict(name: str, learned: dict[str, Language]) -> None:
    nlp = learned[name]
    texts = [TEXT, "She bought a Blue Kettle today .", f"{TEXT} {TEXT}"]
    expected = [(annotation("ctx_ner", doc), probabilities("ctx_ner", doc)) for doc in map(nlp, texts)]
    alone = explain(nlp, nlp.make_doc(TEXT), 3, 5, PERSON)

    def predict(_: int) -> list[Any]:
        return [
            [(annotation("ctx_ner", doc), probabilities("ctx_ner", doc)) for doc in map(nlp, texts)] for _ in range(5)
        ]

    def look(_: int) -> Explanation:
        return explain(nlp, nlp.make_doc(TEXT), 3, 5, PERSON)

    with ThreadPoolExecutor(4) as pool:
        predicted, explained = pool.map(predict, range(2)), pool.map(look, range(2))
    assert all(found == expected for each in predicted for found in each)
    for found in explained:
        np.testing.assert_allclose(found.attributions, alone.attributions, atol=1e-5)


@pytest.mark.parametrize("around", [torch.inference_mode, torch.no_grad])
def test_explain_works_where_gradients_are_off(around: Any, learned: dict[str, Language]) -> None:
    nlp = learned["ctx_ner"]
    doc = nlp(TEXT)
    with around():
        inside = explain(nlp, doc, 6, 7, PLACE)
    assert inside == explain(nlp, doc, 6, 7, PLACE)


def test_explain_needs_no_vectors_on_the_doc(learned: dict[str, Language]) -> None:
    nlp = learned["joint"]
    with_vectors, without = nlp(TEXT), nlp.make_doc(TEXT)
    assert explain(nlp, with_vectors, 6, 7, PLACE) == explain(nlp, without, 6, 7, PLACE)
    assert without.tensor.shape[0] == 0


# Other forms of the encoder


@pytest.mark.parametrize(
    "setting", [{"precision": "bf16"}, {"precision": "fp16"}, {"backend": "onnx"}, {"cache_mb": 1}], ids=str
)
def test_explain_is_in_32_bit_floats_whatever_predicts(
    setting: dict[str, Any], trained: dict[str, Path], learned: dict[str, Language]
) -> None:
    place = "components.ctx_ner.model.tok2vec.encoder"
    nlp = spacy.load(trained["ctx_ner"], config={f"{place}.{key}": value for key, value in setting.items()})
    expected = explain(learned["ctx_ner"], learned["ctx_ner"].make_doc(TEXT), 6, 7, PLACE)
    assert explain(nlp, nlp.make_doc(TEXT), 6, 7, PLACE) == expected


def test_explain_of_integers_is_that_of_their_floats(trained: dict[str, Path]) -> None:
    from spacy_ctxtag.layers.int8_module import dequantized, quantized, watched

    nlp, floats = spacy.load(trained["ctx_ner"]), spacy.load(trained["ctx_ner"])
    shims = [
        next(shim for node in each.get_pipe("ctx_ner").model.walk() for shim in node.shims) for each in (nlp, floats)
    ]
    with watched(shims[1].module) as ranges:
        floats(TEXT)
    shims[0].take(quantized(shims[1].module, ranges), {})
    shims[1].take(dequantized(shims[0].module), {})
    found = explain(nlp, nlp.make_doc(TEXT), 6, 7, PLACE)
    assert_adds_up(found)
    assert found == explain(floats, floats.make_doc(TEXT), 6, 7, PLACE)


# What is refused


def test_explain_refuses_what_cannot_be_explained(learned: dict[str, Language]) -> None:
    nlp = learned["ctx_ner"]
    pipe: Any = nlp.get_pipe("ctx_ner")
    doc, other = nlp(TEXT), nlp("Ada \n wrote")
    for code, asked, span, label in (
        ("CT411", doc, Span(other, 0, 1, PERSON), ""),
        ("CT410", doc, Span(doc, 0, 1, "dance"), ""),
        ("CT410", doc, doc[0:1], ""),
        ("CT410", doc, Span(doc, 0, 1, PERSON), "dance"),
        ("CT412", doc, Span(doc, 1, 1, PERSON), ""),
        ("CT412", other, Span(other, 0, 2, PERSON), ""),
    ):
        with pytest.raises(ValueError, match=code):
            pipe.explain(asked, span, label)
    empty = nlp("")
    with pytest.raises(ValueError, match="CT430"):
        pipe.explain(empty, empty[:], PERSON)


@pytest.mark.parametrize(
    "setting", [{"method": "dance"}, {"tolerance": 0.0}, {"tolerance": float("nan")}, {"max_steps": 0}], ids=str
)
def test_explain_refuses_settings_out_of_range(setting: dict[str, Any], learned: dict[str, Language]) -> None:
    doc = learned["ctx_ner"](TEXT)
    with pytest.raises(ValueError, match=f"CT404.*{next(iter(setting))}"):
        explain(learned["ctx_ner"], doc, 0, 1, PERSON, **setting)


def test_explain_of_a_span_that_others_exclude(with_settings: Callable[..., Language]) -> None:
    nlp = with_settings("BILUO", respect_entities=True)
    doc = nlp.make_doc(TEXT)
    doc.set_ents([Span(doc, 6, 7, PERSON)], blocked=[doc[0:1]], default="missing")
    for span in ((6, 7, PLACE), (5, 7, PERSON), (0, 1, PERSON)):
        with pytest.raises(ValueError, match="CT431"):
            explain(nlp, doc, *span)
    preset = explain(nlp, doc, 6, 7, PERSON)
    assert (preset.score, set(preset.attributions)) == (0.0, {0.0})


def test_explain_across_sentences_is_refused(with_settings: Callable[..., Language]) -> None:
    nlp = with_settings("BILUO", within_sentences=True)
    doc = Doc(nlp.vocab, TEXT.split(), sent_starts=[i in (0, 4) for i in range(9)])
    with pytest.raises(ValueError, match="CT412"):
        explain(nlp, doc, 3, 5, PERSON)


def test_explain_of_a_listener_that_has_nobody_behind_it(learned: dict[str, Language]) -> None:
    nlp = spacy.util.load_model_from_config(learned["joint"].config).from_bytes(learned["joint"].to_bytes())
    doc = nlp(TEXT)
    from spacy_ctxtag.components.ctx_pipe import UPSTREAM

    for node in nlp.get_pipe("ctx_ner").model.walk():
        if hasattr(node, UPSTREAM):
            delattr(node, UPSTREAM)
    with pytest.raises(ValueError, match=r"CT434.*'ctx_encoder'"):
        explain(nlp, doc, 6, 7, PLACE)


def test_explain_without_an_encoder_of_ours_is_refused() -> None:
    nlp = spacy.blank("en")
    tok2vec = {"@architectures": "spacy.HashEmbedCNN.v2", "width": 8, "depth": 1, "embed_size": 50, "window_size": 1}
    tok2vec.update(maxout_pieces=2, subword_features=True, pretrained_vectors=None)
    nlp.add_pipe("ctx_ner", config=head("ctx_ner", tok2vec))
    fix_random_seed(0)
    nlp.initialize(lambda: make_examples(nlp))
    doc = nlp.make_doc(TEXT)
    with pytest.raises(ValueError, match="CT435"):
        explain(nlp, doc, 6, 7, PLACE)
