"""`ctx_tagger`: the tags it sets, what it learns from, and the probabilities."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from pipelines import encoder, head, make_examples, make_pipeline, train, weights
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

TEXT = "Ada wrote to Charles in London ."


@pytest.fixture(scope="module")
def nlp(trained: dict[str, Path]) -> Language:
    """A trained ctx_tagger; tests leave it as it is."""
    return spacy.load(trained["ctx_tagger"])


def tag_scores(doc: Doc) -> list[Any]:
    return [token._.ctx_tag_score for token in doc]


def make_tagger(backbone: str, **settings: Any) -> Language:
    nlp = spacy.blank("en")
    nlp.add_pipe("ctx_tagger", config=head("ctx_tagger", encoder(backbone), **settings))
    nlp.initialize(lambda: make_examples(nlp))
    return nlp


def test_tagger_probabilities_are_those_of_a_softmax(nlp: Language) -> None:
    doc = nlp(TEXT)
    (scores,) = nlp.get_pipe("ctx_tagger").model.predict([doc])
    expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(tag_scores(doc), expected.max(axis=1), atol=1e-6)
    assert [token.tag_ for token in doc] == [nlp.get_pipe("ctx_tagger").labels[i] for i in expected.argmax(axis=1)]


def test_tagger_white_space_has_its_own_tag(nlp: Language) -> None:
    doc = nlp("Ada \n wrote")
    assert [token.tag_ for token in doc] == ["NN-P", "_SP", "vérb"]
    assert tag_scores(doc)[1] == 1.0


def test_tagger_white_space_is_a_part_of_speech(tiny_backbone: str) -> None:
    doc = make_tagger(tiny_backbone, target="pos")("Ada \n wrote")
    assert doc[1].pos_ == "SPACE"
    assert doc[1]._.ctx_pos_score == 1.0
    assert doc[1]._.ctx_tag_score is None


def by_bytes(doc: Doc, nlp: Language) -> Doc:
    return Doc(nlp.vocab).from_bytes(doc.to_bytes())


def by_pickle(doc: Doc, nlp: Language) -> Doc:
    return pickle.loads(pickle.dumps(doc))


def by_copy(doc: Doc, nlp: Language) -> Doc:
    return doc.copy()


@pytest.mark.parametrize("way", [by_bytes, by_pickle, by_copy])
def test_tagger_probabilities_survive(way: Callable[[Doc, Language], Doc], nlp: Language) -> None:
    doc = nlp(TEXT)
    assert tag_scores(way(doc, nlp)) == tag_scores(doc)
    assert all(0.2 < score <= 1.0 for score in tag_scores(doc))


def test_tagger_probability_is_none_where_tokens_were_merged(nlp: Language) -> None:
    doc = nlp(TEXT)
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[0:2])
    assert tag_scores(doc)[0] is None
    assert None not in tag_scores(doc)[1:]


@pytest.mark.parametrize("overwrite", [True, False])
def test_tagger_respects_tags_unless_told_to_overwrite(overwrite: bool, trained: dict[str, Path]) -> None:
    nlp = spacy.load(trained["ctx_tagger"], config={"components.ctx_tagger.overwrite": overwrite})
    doc = Doc(nlp.vocab, ["Ada", "wrote"], tags=["given", ""])
    doc = nlp(doc)
    assert doc[0].tag_ == ("NN-P" if overwrite else "given")
    assert (doc[0]._.ctx_tag_score is None) is not overwrite
    assert doc[1].tag_ == "vérb"


def test_tagger_example_without_tags_is_skipped(trained: dict[str, Path]) -> None:
    nlp = spacy.load(trained["ctx_tagger"])
    before = weights(nlp)
    losses = nlp.update([Example(nlp.make_doc(TEXT), nlp.make_doc(TEXT))], sgd=nlp.create_optimizer())
    assert losses["ctx_tagger"] == 0.0
    assert weights(nlp) == before


@pytest.mark.parametrize("tag", ["", "not a label"])
def test_tagger_token_without_a_known_tag_gets_no_gradient(tag: str, nlp: Language) -> None:
    pipe = nlp.get_pipe("ctx_tagger")
    doc = Doc(nlp.vocab, ["Ada", "wrote"])
    example = Example(doc, Doc(nlp.vocab, ["Ada", "wrote"], tags=["NN-P", tag]))
    loss, (gradient,) = pipe.get_loss([example], pipe.model.predict([doc]))
    assert loss > 0
    assert np.any(gradient[0])
    assert not np.any(gradient[1])


def test_tagger_misaligned_tokens_get_no_gradient(nlp: Language) -> None:
    pipe = nlp.get_pipe("ctx_tagger")
    doc = Doc(nlp.vocab, ["Ada", "wrote"])
    gold = Doc(nlp.vocab, ["Ada", "wro", "te"], spaces=[True, False, False], tags=["NN-P", "vérb", "noun"])
    _, (gradient,) = pipe.get_loss([Example(doc, gold)], pipe.model.predict([doc]))
    assert np.any(gradient[0])
    assert not np.any(gradient[1])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_tagger_loss_and_gradient_with_smoothing(smoothing: float, tiny_backbone: str) -> None:
    pipe = make_tagger(tiny_backbone, label_smoothing=smoothing).get_pipe("ctx_tagger")
    doc = Doc(pipe.vocab, ["Ada"])
    example = Example(doc, Doc(pipe.vocab, ["Ada"], tags=["NN-P"]))
    scores = np.array([[0.5, -1.0, 2.0, 0.25, 1.0]], dtype="float32")
    loss, (gradient,) = pipe.get_loss([example], [scores])
    probs = np.exp(scores[0]) / np.exp(scores[0]).sum()
    target = np.full(5, smoothing / 5)
    target[pipe.labels.index("NN-P")] += 1 - smoothing
    assert loss == pytest.approx(-(target * np.log(probs)).sum(), rel=1e-5)
    np.testing.assert_allclose(gradient[0], probs - target, atol=1e-6)


def test_tagger_huge_scores_give_a_finite_loss(nlp: Language) -> None:
    pipe = nlp.get_pipe("ctx_tagger")
    doc = Doc(nlp.vocab, ["Ada"])
    example = Example(doc, Doc(nlp.vocab, ["Ada"], tags=["NN-P"]))
    scores = np.array([[1e4, -1e4, 0.0, 0.0, 0.0]], dtype="float32")
    assert np.isfinite(pipe.get_loss([example], [scores])[0])


def test_tagger_two_targets_in_one_pipeline(tiny_backbone: str) -> None:
    nlp = make_tagger(tiny_backbone, target="pos")
    nlp.add_pipe("ctx_tagger", name="fine", config=head("ctx_tagger", encoder(tiny_backbone)))
    nlp.initialize(lambda: make_examples(nlp))
    doc = nlp(TEXT)
    assert all(token.tag_ and token.pos_ for token in doc)
    assert all(token._.ctx_tag_score and token._.ctx_pos_score for token in doc)


def test_tag_scores_are_found_by_place_after_retokenizing(tiny_backbone: str) -> None:
    nlp = make_pipeline(["ctx_tagger"], tiny_backbone)
    train(nlp, make_examples(nlp), steps=2)
    doc = nlp("Ada left Elbe. Zoë left.")
    before = {token.idx: token._.ctx_tag_score for token in doc}
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[0:2])
        retokenizer.split(doc[4], ["Z", "oë"], heads=[doc[4], doc[4]])
    assert [token._.ctx_tag_score for token in doc] == [
        before[token.idx] if token.text in ("Elbe", ".", "left") else None for token in doc
    ]
