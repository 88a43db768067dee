"""`ctx_chunker`: which spans it sets, what it learns from, and several of them beside each other.

What it shares with `ctx_ner` as a component is in `test_pipe_contract`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from backbones import WIDTH
from ner_oracle import enumerate_analyses, span_probs, stored
from pipelines import (
    CHUNKS,
    LISTENER,
    PERSON,
    encoder,
    entities,
    head,
    make_examples,
    make_pipeline,
    runs,
    train,
    weights,
)
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from thinc.api import SGD, fix_random_seed

from spacy_ctxtag.components.ner_decoder import Decoding
from spacy_ctxtag.components.ner_writer import keys_clash
from spacy_ctxtag.data.joined import ANNOTATED_LABELS

TEXT = "Ada wrote to Charles in London ."
LABELS = tuple(sorted(CHUNKS.values()))
ENDINGS = ("", "_alternatives", "_best_1", "_best_2")


@pytest.fixture(scope="module")
def nlp(trained: dict[str, Path]) -> Language:
    """A trained ctx_chunker; tests leave it as it is."""
    return spacy.load(trained["ctx_chunker"])


@pytest.fixture(scope="module", params=["BIO", "BILUO"])
def unsure(request: pytest.FixtureRequest, tiny_backbone: str) -> Language:
    """A ctx_chunker whose scores are random, so that all tags are likely; it stores all spans."""
    nlp = make_pipeline(["ctx_chunker"], tiny_backbone, scheme=request.param, alternatives=1e-9, n_best=2)
    fix_random_seed(0)
    nlp.initialize(lambda: make_examples(nlp))
    output = nlp.get_pipe("ctx_chunker").model.get_ref("output_layer")
    values = np.random.default_rng(1).normal(0, 0.35, output.get_param("W").shape)
    output.set_param("W", values.astype("float32"))
    return nlp


def found(doc: Doc, key: str = "chunks") -> list[tuple[int, int, str]]:
    return [(span.start, span.end, span.label_) for span in doc.spans[key]]


def example(nlp: Language, spans: Sequence[tuple[int, int, str]] | None, words: str = TEXT) -> Example:
    """An example with gold chunks; None: the reference does not have the key."""
    ref = Doc(nlp.vocab, words.split())
    if spans is not None:
        ref.spans["chunks"] = [Span(ref, *span) for span in spans]
    return Example(Doc(nlp.vocab, words.split()), ref)


def gradient(nlp: Language, eg: Example) -> tuple[float, Any]:
    pipe: Any = nlp.get_pipe("ctx_chunker")
    return pipe.get_loss([eg], pipe.model.predict([eg.predicted]))


# Prediction


def test_chunker_probabilities_equal_enumeration(unsure: Language) -> None:
    doc = unsure("Frau Müller answered Ada")
    analyses = enumerate_analyses(unsure.get_pipe("ctx_chunker"), doc)
    probs, best = span_probs(analyses), next(iter(analyses))
    assert stored(doc, "chunks") == pytest.approx({span: probs[span] for span in best}, abs=1e-9)
    others = {span: prob for span, prob in probs.items() if span not in best}
    assert stored(doc, "chunks_alternatives") == pytest.approx(others, abs=1e-9)
    assert found(doc, "chunks_best_1") == list(best)
    assert doc.spans["chunks_best_1"].attrs["probability"] == pytest.approx(analyses[best], abs=1e-9)


def test_chunker_scores_any_spans(unsure: Language) -> None:
    pipe: Any = unsure.get_pipe("ctx_chunker")
    doc = unsure.make_doc("Ada wrote to")
    probs = span_probs(enumerate_analyses(pipe, doc))
    spans = [Span(doc, i, j, label) for i in range(3) for j in range(i + 1, 4) for label in LABELS]
    expected = [probs[span.start, span.end, span.label_] for span in spans]
    assert pipe.score_spans(doc, spans) == pytest.approx(expected, abs=1e-9)
    np.testing.assert_allclose(pipe.tag_probs(doc).sum(axis=1), 1.0, atol=1e-9)


def test_chunker_takes_no_notice_of_entities_and_sets_none(nlp: Language) -> None:
    doc = nlp.make_doc(TEXT)
    doc.set_ents([Span(doc, 0, 2, "other")], blocked=[doc[3:4]], default="missing")
    doc = nlp(doc)
    noun, verb = LABELS
    assert found(doc) == found(nlp(TEXT)) == [(0, 1, noun), (1, 2, verb), (3, 4, noun), (5, 6, noun)]
    assert entities(doc) == [(0, 2, "other")]


def test_chunker_replaces_a_group_that_is_there(nlp: Language) -> None:
    doc = nlp.make_doc(TEXT)
    doc.spans["chunks"] = [Span(doc, 0, 7, "old")]
    doc.spans["other"] = [Span(doc, 0, 7, "old")]
    assert found(nlp(doc)) == found(nlp(TEXT))
    assert found(doc, "other") == [(0, 7, "old")]


def test_chunker_spans_know_their_probability(nlp: Language) -> None:
    doc = nlp(TEXT)
    again = next(DocBin().from_bytes(DocBin(docs=[doc]).to_bytes()).get_docs(nlp.vocab))
    for each in (doc, again):
        scores = each.spans["chunks"].attrs["scores"]
        assert [span._.ctx_score for span in each.spans["chunks"]] == scores
        assert len(scores) == 4


def test_chunker_threshold_drops_what_is_less_probable(nlp: Language, trained: dict[str, Path]) -> None:
    doc = nlp("The Old Kettle answered Bob in Rome")
    scores = sorted(stored(doc, "chunks").values())
    strict = spacy.load(trained["ctx_chunker"], config={"components.ctx_chunker.threshold": scores[-1]})
    assert list(stored(strict(doc.text), "chunks").values()) == [scores[-1]]


# What is learned


def test_chunker_document_without_the_key_is_not_annotated(trained: dict[str, Path]) -> None:
    nlp = spacy.load(trained["ctx_chunker"])
    before = weights(nlp)
    assert nlp.update([example(nlp, None)], sgd=nlp.create_optimizer()) == {"ctx_chunker": 0.0}
    assert weights(nlp) == before
    loss, chains = gradient(nlp, example(nlp, None))
    assert loss == 0.0
    assert not any(np.any(each) for each in (*chains.emissions, chains.start, chains.transition, chains.end))


def test_chunker_document_with_an_empty_group_has_no_spans(nlp: Language) -> None:
    loss, chains = gradient(nlp, example(nlp, []))
    outside = nlp.get_pipe("ctx_chunker").tag_probs(example(nlp, []).predicted)[:, 0]
    assert loss > -np.log(outside).max() > 0
    assert np.any(chains.emissions[0])


def test_chunker_unannotated_document_changes_no_other(nlp: Language) -> None:
    pipe: Any = nlp.get_pipe("ctx_chunker")
    examples = [*make_examples(nlp), example(nlp, None)]
    loss, chains = pipe.get_loss(examples, pipe.model.predict([eg.predicted for eg in examples]))
    alone = pipe.get_loss(examples[:-1], pipe.model.predict([eg.predicted for eg in examples[:-1]]))[0]
    assert loss == pytest.approx(alone, rel=1e-6)
    assert not np.any(chains.emissions[-1])


def test_chunker_spans_that_are_not_on_the_tokens_are_unknown(nlp: Language) -> None:
    ref = Doc(nlp.vocab, ["Ada", "Love", "lace", "wrote"], spaces=[True, False, True, False])
    ref.spans["chunks"] = [Span(ref, 0, 2, LABELS[0]), Span(ref, 3, 4, LABELS[1])]
    eg = Example(Doc(nlp.vocab, ["Ada", "Lovelace", "wrote"]), ref)
    read = nlp.get_pipe("ctx_chunker").loss.read(eg, nlp.get_pipe("ctx_chunker").grammar)
    assert read.spans == [(2, 3, 1)]
    assert read.missing.tolist()[:2] == [True, True]
    _, chains = gradient(nlp, eg)
    assert np.isfinite(chains.emissions[0]).all()


def test_chunker_takes_spans_that_other_tokens_spell(nlp: Language) -> None:
    ref = Doc(nlp.vocab, ["Ada", "Lovelace", "wrote"])
    ref.spans["chunks"] = [Span(ref, 0, 2, LABELS[0])]
    eg = Example(Doc(nlp.vocab, ["Ada", "Love", "lace", "wrote"], spaces=[True, False, True, False]), ref)
    assert nlp.get_pipe("ctx_chunker").loss.read(eg, nlp.get_pipe("ctx_chunker").grammar).spans == [(0, 3, 0)]


def test_chunker_label_that_it_does_not_have_counts_as_outside(nlp: Language) -> None:
    other, outside = (gradient(nlp, example(nlp, spans)) for spans in ([(0, 1, "other")], []))
    assert other[0] == outside[0] > 0


def test_chunker_takes_no_notice_of_which_entities_were_annotated(nlp: Language) -> None:
    eg = example(nlp, [(0, 1, LABELS[0])])
    expected = gradient(nlp, eg)[0]
    eg.reference.user_data[ANNOTATED_LABELS] = [PERSON]
    assert gradient(nlp, eg)[0] == expected


@pytest.mark.parametrize("method", ["initialize", "update"])
def test_chunker_refuses_gold_spans_that_overlap(method: str, trained: dict[str, Path]) -> None:
    nlp = spacy.load(trained["ctx_chunker"])
    eg = example(nlp, [(3, 6, LABELS[0]), (0, 1, LABELS[0]), (5, 7, LABELS[1])])
    eg.reference.user_data["ctx"] = {"id": "letter-7"}
    where = r"CT420.*'chunks'.*13 to 30 \('Charles in London'.*24 to 32 \('London \.'.*'letter-7'"
    with pytest.raises(ValueError, match=where):
        nlp.initialize(lambda: [eg]) if method == "initialize" else nlp.update([eg], sgd=False)


def test_chunker_learns_one_layer_of_a_group_whose_layers_overlap(trained: dict[str, Path]) -> None:
    nlp = spacy.load(trained["ctx_chunker"])
    eg = example(nlp, [(0, 1, LABELS[0]), (0, 7, "clause")])
    assert gradient(nlp, eg)[0] == gradient(nlp, example(nlp, [(0, 1, LABELS[0])]))[0]


def test_chunkers_refuse_to_write_to_one_key(tiny_backbone: str) -> None:
    nlp = make_pipeline(["ctx_chunker"], tiny_backbone)
    nlp.add_pipe("ctx_chunker", name="second", config=head("ctx_chunker", encoder(tiny_backbone)))
    with pytest.raises(ValueError, match=r"CT421.*'ctx_chunker' and 'second'"):
        nlp.initialize(lambda: make_examples(nlp))


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("chunks", "chunks"),
        ("found", "found_alternatives"),
        ("found", "found_best_1"),
        ("found_alternatives", "found"),
        ("found_best_12", "found"),
    ],
)
def test_chunker_and_ner_refuse_to_write_to_one_key(name: str, key: str, tiny_backbone: str) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("ctx_ner", name=name, config=head("ctx_ner", encoder(tiny_backbone)))
    nlp.add_pipe("ctx_chunker", config=head("ctx_chunker", encoder(tiny_backbone), spans_key=key))
    with pytest.raises(ValueError, match=rf"CT421.*'{name}' and 'ctx_chunker'"):
        nlp.initialize(lambda: make_examples(nlp))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("a", "a", True),
        ("a", "a_best_2", True),
        ("a_alternatives", "a", True),
        ("a", "b", False),
        ("a", "a_best", False),
        ("a", "a_best_of_mine", False),
        ("a", "a_alternatives_2", False),
        ("a.", "ab", False),
    ],
)
def test_keys_clash_where_one_would_replace_the_other(one: str, other: str, expected: bool) -> None:
    assert keys_clash(one, other) is keys_clash(other, one) is expected


def test_components_leave_the_groups_of_others_alone(tiny_backbone: str) -> None:
    nlp = spacy.blank("en")
    own = {"alternatives": 1e-9, "n_best": 2}
    for name in ("ner", "ner_best_of_all", "ner_alternatives_2"):
        nlp.add_pipe(
            "ctx_ner", name=name, config=head("ctx_ner", encoder(tiny_backbone), **own, respect_entities=False)
        )
    nlp.add_pipe("ctx_chunker", config=head("ctx_chunker", encoder(tiny_backbone), spans_key="ner_best_1st", **own))
    examples = make_examples(nlp)
    for eg in examples:
        eg.reference.spans["ner_best_1st"] = list(eg.reference.spans["chunks"])
    nlp.initialize(lambda: examples)
    once = nlp(TEXT)
    expected = [f"{key}{end}" for key in (*nlp.pipe_names[:3], "ner_best_1st") for end in ENDINGS]
    assert sorted(once.spans) == sorted(expected)
    doc = nlp.get_pipe("ner")(once.copy())
    assert {key: found(doc, key) for key in doc.spans} == {key: found(once, key) for key in once.spans}
    nlp.get_pipe("ner").decoding = Decoding("ner")  # neither alternatives nor whole analyses
    doc = nlp.get_pipe("ner")(once.copy())
    assert sorted(doc.spans) == sorted(set(expected) - {"ner_alternatives", "ner_best_1", "ner_best_2"})


def test_chunker_refuses_spans_that_are_gold_and_wrong(tiny_backbone: str) -> None:
    nlp = make_pipeline(["ctx_chunker"], tiny_backbone, incorrect_spans_key="wrong")
    nlp.initialize(lambda: make_examples(nlp))
    eg = example(nlp, [(0, 1, LABELS[0])])
    eg.reference.spans["wrong"] = [Span(eg.reference, 2, 3, LABELS[0])]
    assert gradient(nlp, eg)[0] > gradient(nlp, example(nlp, [(0, 1, LABELS[0])]))[0]
    eg.reference.spans["wrong"] = [Span(eg.reference, 0, 1, LABELS[0])]
    with pytest.raises(ValueError, match="CT407"):
        gradient(nlp, eg)


# Scores


def test_chunker_scores_exact_spans_by_label(nlp: Language) -> None:
    pred = Doc(nlp.vocab, ["a", "b", "c", "d"])
    pred.spans["chunks"] = [Span(pred, 0, 1, "X"), Span(pred, 1, 3, "Y"), Span(pred, 3, 4, "X")]
    ref = Doc(nlp.vocab, ["a", "b", "c", "d"])
    ref.spans["chunks"] = [Span(ref, 0, 1, "X"), Span(ref, 1, 2, "Y")]
    bare = Example(pred.copy(), Doc(nlp.vocab, ["a", "b", "c", "d"]))
    scores = nlp.get_pipe("ctx_chunker").score([Example(pred, ref), bare])
    assert scores["spans_chunks_p"] == pytest.approx(1 / 3)
    assert scores["spans_chunks_r"] == pytest.approx(1 / 2)
    assert scores["spans_chunks_f"] == pytest.approx(2 / 5)
    assert scores["spans_chunks_per_type"]["X"]["f"] == pytest.approx(2 / 3)
    assert nlp.get_pipe("ctx_chunker").score([bare])["spans_chunks_f"] is None


def test_chunker_scores_stand_under_its_key(tiny_backbone: str) -> None:
    nlp = make_pipeline(["ctx_chunker"], tiny_backbone, spans_key="phrases")
    examples = make_examples(nlp)
    train(nlp, examples)
    assert nlp.evaluate(examples)["spans_phrases_f"] == 1.0


# Several on one encoder


def layers(nlp: Language) -> list[Example]:
    """Three layers over the same words: chunks, sentences ("S"), and pairs of words that cross the chunks ("2")."""
    examples = make_examples(nlp)
    for eg in examples:
        n = len(eg.reference)
        eg.reference.spans["clauses"] = runs(eg.reference, ["S"] * n)
        eg.reference.spans["pairs"] = runs(eg.reference, ["", *(("2", "2", "") * n)[: n - 1]])
    return examples


def test_chunkers_of_overlapping_layers_learn_on_one_encoder(tiny_backbone: str, tmp_path: Path) -> None:
    nlp = make_pipeline(["ctx_ner", "ctx_tagger", "ctx_chunker"], tiny_backbone, shared=True)
    for key in ("clauses", "pairs"):
        nlp.add_pipe("ctx_chunker", name=key, config=head("ctx_chunker", LISTENER, spans_key=key))
    examples = layers(nlp)
    train(nlp, examples, steps=50)
    nlp.to_disk(tmp_path)
    for pipeline in (nlp, spacy.load(tmp_path)):
        for eg in examples:
            doc = pipeline(eg.predicted.copy())
            assert entities(doc) == entities(eg.reference)
            assert [token.tag_ for token in doc] == [token.tag_ for token in eg.reference]
            for key in ("chunks", "clauses", "pairs"):
                assert found(doc, key) == found(eg.reference, key), key
    scores = nlp.evaluate(examples)
    assert [scores[f"spans_{key}_f"] for key in ("chunks", "clauses", "pairs")] == [1.0] * 3


# Loss weights


def weighted(backbone: str, **factors: float) -> Language:
    """Three heads on one encoder, all with the same weights whatever their loss weights."""
    nlp = spacy.blank("en")
    nlp.add_pipe("ctx_encoder", config={"model": encoder(backbone, width=WIDTH)})
    for kind in ("ctx_ner", "ctx_tagger", "ctx_chunker"):
        nlp.add_pipe(kind, config=head(kind, LISTENER, loss_weight=factors.get(kind, 1.0)))
    train(nlp, make_examples(nlp), steps=0)
    return nlp


def step(nlp: Language, *kinds: str) -> dict[str, Any]:
    """RETURNS (dict): By how much a step of plain gradient descent of some heads moves the encoder and each head."""
    pipes = {name: pipe for name, pipe in nlp.pipeline if name in ("ctx_encoder", *kinds)}
    before = {name: vector(pipe) for name, pipe in pipes.items()}
    losses = nlp.update(make_examples(nlp), sgd=False, exclude=[n for n in nlp.pipe_names if n not in pipes])
    for pipe in pipes.values():
        pipe.finish_update(SGD(0.001, grad_clip=0.0))
    return {"losses": losses, **{name: vector(pipe) - before[name] for name, pipe in pipes.items()}}


def vector(pipe: Any) -> Any:
    """RETURNS (ndarray): All weights of a component, float64."""
    nodes = list(pipe.model.walk())
    arrays = [node.get_param(name).ravel() for node in nodes for name in node.param_names if node.has_param(name)]
    modules = [shim.module for node in nodes for shim in node.shims[:1]]
    arrays += [values.detach().numpy().ravel() for module in modules for _, values in module.named_parameters()]
    return np.concatenate(arrays).astype("float64")


@pytest.mark.parametrize("kind", ["ctx_ner", "ctx_tagger", "ctx_chunker"])
def test_loss_weight_scales_what_the_head_and_the_encoder_learn(kind: str, steady_backbone: str) -> None:
    plain, heavy = (step(weighted(steady_backbone, **{kind: factor}), kind) for factor in (1.0, 3.0))
    assert heavy["losses"][kind] == pytest.approx(3 * plain["losses"][kind], rel=1e-5)
    for name in ("ctx_encoder", kind):
        assert np.abs(plain[name]).max() > 1e-5
        np.testing.assert_allclose(heavy[name], 3 * plain[name], rtol=2e-2, atol=2e-6, err_msg=name)


def test_loss_weights_mix_what_the_encoder_learns(steady_backbone: str) -> None:
    alone = [step(weighted(steady_backbone), kind)["ctx_encoder"] for kind in ("ctx_ner", "ctx_tagger", "ctx_chunker")]
    factors = {"ctx_ner": 0.5, "ctx_tagger": 2.0, "ctx_chunker": 0.0}
    mixed = step(weighted(steady_backbone, **factors), *factors)
    expected = sum(factor * each for factor, each in zip(factors.values(), alone, strict=True))
    np.testing.assert_allclose(mixed["ctx_encoder"], expected, rtol=2e-2, atol=2e-6)
    assert mixed["losses"]["ctx_chunker"] == 0.0
    assert np.abs(mixed["ctx_chunker"]).max() == 0.0


# Documents that lack a layer


def only(examples: list[Example], *keep: str) -> list[Example]:
    """The same examples with some of "ents", "tags", "chunks" and "trees"; what is not named is missing."""
    made = []
    for eg in examples:
        old, words = eg.reference, [token.text for token in eg.reference]
        trees = {"heads": [0] * len(words), "deps": ["ROOT", *["dep"] * (len(words) - 1)]} if "trees" in keep else {}
        ref = Doc(old.vocab, words, tags=[token.tag_ for token in old] if "tags" in keep else None, **trees)
        if "ents" in keep:
            ref.set_ents([Span(ref, ent.start, ent.end, ent.label_) for ent in old.ents])
        if "chunks" in keep:
            ref.spans["chunks"] = [Span(ref, span.start, span.end, span.label_) for span in old.spans["chunks"]]
        made.append(Example(eg.predicted.copy(), ref))
    return made


def add_parser(nlp: Language) -> None:
    parser = {"@architectures": "spacy.TransitionBasedParser.v2", "state_type": "parser", "extra_state_tokens": False}
    sizes = {"hidden_width": 16, "maxout_pieces": 2, "use_upper": False}
    nlp.add_pipe("parser", config={"model": {**parser, **sizes, "tok2vec": LISTENER}, "min_action_freq": 1})


def test_heads_learn_each_layer_from_the_documents_that_have_it(tiny_backbone: str) -> None:
    nlp = make_pipeline(["ctx_ner", "ctx_tagger", "ctx_chunker"], tiny_backbone, shared=True)
    add_parser(nlp)
    examples = make_examples(nlp)
    parts = {"ents": ["ctx_ner"], "tags": ["ctx_tagger"], "chunks": ["ctx_chunker"], "trees": ["parser"]}
    train(nlp, [eg for part in parts for eg in only(examples, part)], steps=80, learn_rate=0.01)
    gold = only(examples, *parts)
    scores = nlp.evaluate(gold)
    for score in ("ents_f", "tag_acc", "spans_chunks_f", "dep_uas"):
        assert scores[score] == 1.0, score
    for part, heads in parts.items():
        before = {name: vector(pipe) for name, pipe in nlp.pipeline}
        nlp.update(only(examples, part), sgd=SGD(0.01))
        changed = [name for name, pipe in nlp.pipeline if not np.array_equal(vector(pipe), before[name])]
        assert changed == ["ctx_encoder", *heads]


def test_ctx_score_of_a_chunk_is_not_that_of_an_entity(tiny_backbone: str) -> None:
    nlp = make_pipeline(["ctx_ner", "ctx_chunker"], tiny_backbone, shared=True)
    train(nlp, make_examples(nlp))
    doc = nlp("Ada wrote to Hamburg")
    assert [ent._.ctx_score for ent in doc.ents] == doc.spans["ctx_ner"].attrs["scores"]
    assert [span._.ctx_score for span in doc.spans["chunks"]] == doc.spans["chunks"].attrs["scores"]
