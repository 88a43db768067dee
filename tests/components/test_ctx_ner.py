"""`ctx_ner`: which entities it sets, what it learns from, and the probabilities."""

import pickle
from collections.abc import Callable, Sequence
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from pipelines import ENTITY_LABELS, PERSON, PLACE, encoder, entities, head, make_examples, weights
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from thinc.api import SGD

from spacy_ctxtag.components.ctx_ner import CtxNER
from spacy_ctxtag.tags import tags_to_spans

TEXT = "Ada wrote to Charles in London ."
SPACES = [" ", "\n", "\t", "\u00a0", "\u3000", "\u2028", "\r\n", "  "]


@pytest.fixture(scope="module")
def nlp(trained: dict[str, Path]) -> Language:
    """A trained ctx_ner; tests leave it as it is."""
    return spacy.load(trained["ctx_ner"])


@pytest.fixture
def fresh(trained: dict[str, Path]) -> Language:
    """A trained ctx_ner that a test may change."""
    return spacy.load(trained["ctx_ner"])


def span_scores(doc: Doc) -> list[float]:
    return list(doc.spans["ctx_ner"].attrs["scores"])


# White space


@settings(max_examples=40)
@given(st.lists(st.sampled_from(["Ada", "Charles", "London", "Blue", ".", "wrote", *SPACES]), max_size=12))
def test_ner_no_entity_begins_or_ends_with_white_space(untrained: dict[str, Language], words: list[str]) -> None:
    for nlp in untrained.values():
        text = " ".join(words)
        for doc in (nlp(text), nlp(Doc(nlp.vocab, words)), nlp(nlp.make_doc("".join(words)))):
            for span in (*doc.ents, *doc.spans["ctx_ner"]):
                assert not span[0].is_space
                assert not span[-1].is_space


def test_ner_entity_may_hold_white_space(nlp: Language) -> None:
    words = ["Frau", "\n", "Müller", "\n", "answered", "Ada"]
    doc = nlp(Doc(nlp.vocab, words))
    assert entities(doc)[0] == (0, 3, PERSON)


def test_ner_learns_from_gold_entities_with_white_space_at_their_ends(fresh: Language) -> None:
    words = [" ", "Ada", "\n", "wrote"]
    ref = Doc(fresh.vocab, words)
    ref.set_ents([Span(ref, 0, 3, PERSON)])
    for _ in range(20):
        losses = fresh.update([Example(Doc(fresh.vocab, words), ref)], sgd=SGD(0.01))
    assert losses["ctx_ner"] < 0.5
    assert entities(fresh(Doc(fresh.vocab, words))) == [(1, 2, PERSON)]


# What a Doc comes with


def test_ner_keeps_the_entities_of_an_entity_ruler(fresh: Language) -> None:
    ruler = fresh.add_pipe("entity_ruler", before="ctx_ner")
    ruler.add_patterns([{"label": PLACE, "pattern": "Ada wrote", "id": "x1"}, {"label": "UNKNOWN", "pattern": "in"}])
    doc = fresh(TEXT)
    assert (0, 2, PLACE) in entities(doc)
    assert (4, 5, "UNKNOWN") in entities(doc)
    assert (5, 6, PLACE) in entities(doc)  # its own
    assert doc.ents[0].ent_id_ == "x1"
    scores = {ent.text: ent._.ctx_score for ent in doc.ents}
    assert scores["Ada wrote"] == 1.0
    assert scores["in"] is None  # not one of its labels
    assert 0.5 < scores["London"] < 1.0


def test_ner_overwrites_entities_when_told_to(trained: dict[str, Path]) -> None:
    nlp = spacy.load(trained["ctx_ner"], config={"components.ctx_ner.respect_entities": False})
    ruler = nlp.add_pipe("entity_ruler", before="ctx_ner")
    ruler.add_patterns([{"label": PLACE, "pattern": "Ada wrote"}])
    assert entities(nlp(TEXT)) == [(0, 1, PERSON), (3, 4, PERSON), (5, 6, PLACE)]


def test_ner_decides_the_rest_given_the_presets(untrained: dict[str, Language]) -> None:
    nlp = untrained["BILUO"]
    doc = nlp.make_doc(TEXT)
    doc.set_ents([Span(doc, 2, 5, PERSON)], default="unmodified")
    for start, end, _ in entities(nlp(doc)):
        assert (start, end) == (2, 5) or end <= 2 or start >= 5


def test_ner_blocked_tokens_stay_free(nlp: Language) -> None:
    doc = nlp.make_doc(TEXT)
    doc.set_ents([], blocked=[doc[0:1], doc[5:6]], default="missing")
    doc = nlp(doc)
    assert entities(doc) == [(3, 4, PERSON)]
    again = nlp(doc.copy())  # still blocked
    assert entities(again) == [(3, 4, PERSON)]


def test_ner_blocked_tokens_are_overwritten_when_told_to(trained: dict[str, Path]) -> None:
    nlp = spacy.load(trained["ctx_ner"], config={"components.ctx_ner.respect_entities": False})
    doc = nlp.make_doc(TEXT)
    doc.set_ents([], blocked=[doc[0:1]], default="missing")
    assert (0, 1, PERSON) in entities(nlp(doc))


@pytest.mark.parametrize("default", ["missing", "outside"])
def test_ner_tokens_without_preset_entity_are_free(default: str, nlp: Language) -> None:
    doc = nlp.make_doc(TEXT)
    doc.set_ents([], default=default)
    assert {token.ent_iob for token in doc} == {0 if default == "missing" else 2}
    assert entities(nlp(doc)) == entities(nlp(TEXT)) != []


def test_ner_twice_gives_the_same(nlp: Language) -> None:
    doc = nlp(TEXT)
    assert entities(nlp(doc.copy())) == entities(doc)


def test_ner_preset_entity_with_white_space_at_its_end_is_kept(nlp: Language) -> None:
    doc = Doc(nlp.vocab, ["Ada", " ", "wrote", "to", "London"])
    doc.set_ents([Span(doc, 0, 2, PERSON)])
    assert entities(nlp(doc))[0] == (0, 2, PERSON)


# What is learned


def partial(nlp: Language, tags: Sequence[str], words: str = TEXT) -> Example:
    """An example from tags as spaCy has them, "-" for unknown."""
    return Example.from_dict(Doc(nlp.vocab, words.split()), {"entities": list(tags)})


def gradient(nlp: Language, example: Example) -> tuple[float, Any]:
    pipe = nlp.get_pipe("ctx_ner")
    loss, chains = pipe.get_loss([example], pipe.model.predict([example.predicted]))
    return loss, chains


def test_ner_unknown_tokens_get_no_gradient(untrained: dict[str, Language]) -> None:
    loss, chains = gradient(untrained["BIO"], partial(untrained["BIO"], ["-"] * 7))
    assert loss == 0.0
    assert all(not np.any(each) for each in (*chains.emissions, chains.start, chains.transition, chains.end))


def test_ner_unknown_tokens_are_summed_over(untrained: dict[str, Language]) -> None:
    nlp = untrained["BIO"]
    nlp.get_pipe("ctx_ner").model.get_ref("crf").set_param("transition", np.zeros((7, 7), dtype="float32"))
    example = partial(nlp, ["O", "-"], "Ada wrote")
    paths = list(enumerate_paths(nlp.get_pipe("ctx_ner"), example.predicted))
    admitted = sum(p for path, p in paths if path[0] == 0)
    assert gradient(nlp, example)[0] == pytest.approx(-np.log(admitted), abs=1e-9)


def test_ner_example_without_entity_annotation_is_skipped(fresh: Language) -> None:
    before = weights(fresh)
    examples = [Example(fresh.make_doc(TEXT), Doc(fresh.vocab, TEXT.split(), tags=["x"] * 7))]
    losses = fresh.update(examples, sgd=fresh.create_optimizer(), losses={"ctx_ner": 1.5})
    assert losses["ctx_ner"] == 1.5
    assert weights(fresh) == before


def test_ner_example_without_entity_annotation_changes_no_other(fresh: Language) -> None:
    annotated = make_examples(fresh)
    bare = Example(fresh.make_doc(TEXT), fresh.make_doc(TEXT))
    pipe = fresh.get_pipe("ctx_ner")
    docs = [eg.predicted for eg in (*annotated, bare)]
    loss, chains = pipe.get_loss([*annotated, bare], pipe.model.predict(docs))
    assert loss == pytest.approx(pipe.get_loss(annotated, pipe.model.predict(docs[:-1]))[0], rel=1e-6)
    assert not np.any(chains.emissions[-1])


def test_ner_misaligned_gold_entities_are_unknown(nlp: Language) -> None:
    reference = Doc(nlp.vocab, ["Ada", "Love", "lace", "wrote"], spaces=[True, False, True, False])
    reference.set_ents([Span(reference, 0, 2, PERSON)])
    example = Example(Doc(nlp.vocab, ["Ada", "Lovelace", "wrote"]), reference)
    _, chains = gradient(nlp, example)
    alone = gradient(nlp, partial(nlp, ["-", "-", "O"], "Ada Lovelace wrote"))[1]
    np.testing.assert_array_equal(chains.emissions[0], alone.emissions[0])


def test_ner_label_that_it_does_not_have_counts_as_outside(nlp: Language) -> None:
    with pytest.warns(UserWarning, match=r"CW420.*labels other,"):
        other = gradient(nlp, partial(nlp, ["U-other", *["O"] * 6]))
    outside = gradient(nlp, partial(nlp, ["O"] * 7))
    assert other[0] == outside[0] > 0
    np.testing.assert_array_equal(other[1].emissions[0], outside[1].emissions[0])


def test_ner_gradient_is_that_of_the_loss(untrained: dict[str, Language]) -> None:
    nlp = untrained["BILUO"]
    pipe, examples = nlp.get_pipe("ctx_ner"), make_examples(nlp)[:2]
    chains = pipe.model.predict([eg.predicted for eg in examples])
    _, d_chains = pipe.get_loss(examples, chains)
    for at in ((0, 0, 1), (1, 2, 3), (1, 5, 0)):
        losses = []
        for change in (1e-4, -1e-4):
            chains.emissions[at[0]][at[1:]] += change
            losses.append(pipe.get_loss(examples, chains)[0])
            chains.emissions[at[0]][at[1:]] -= change
        assert d_chains.emissions[at[0]][at[1:]] == pytest.approx((losses[0] - losses[1]) / 2e-4, abs=1e-5)


# Sentences


@pytest.fixture(scope="module")
def within(tiny_backbone: str) -> Language:
    """A ctx_ner with random scores that stays within sentences."""
    nlp = spacy.blank("en")
    nlp.add_pipe("ctx_ner", config=head("ctx_ner", encoder(tiny_backbone), within_sentences=True))
    nlp.initialize(lambda: make_examples(nlp))
    output = nlp.get_pipe("ctx_ner").model.get_ref("output_layer")
    output.set_param("b", np.array([-4.0] + [0.0] * 12, dtype="float32"))  # entities everywhere
    return nlp


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(["Ada", "wrote", "\n", "London"]), st.booleans()), min_size=1, max_size=12))
def test_ner_within_sentences_crosses_none(within: Language, tokens: list[tuple[str, bool]]) -> None:
    words, starts = zip(*tokens, strict=True)
    doc = within(Doc(within.vocab, words, sent_starts=[i == 0 or start for i, start in enumerate(starts)]))
    for ent in doc.ents:
        assert ent.sent.start <= ent.start < ent.end <= ent.sent.end


def test_ner_within_sentences_accepts_sentences_of_a_user_hook(within: Language) -> None:
    doc = Doc(within.vocab, ["Ada", "wrote", "to", "London"])
    doc.user_hooks["sents"] = lambda doc: iter([doc[:1], doc[1:]])
    assert all(ent.end <= 1 or ent.start >= 1 for ent in within(doc).ents)


def test_ner_within_sentences_asks_for_sentences(within: Language) -> None:
    with pytest.raises(ValueError, match="CT403"):
        within("There is no sentencizer.")


def test_ner_within_sentences_takes_docs_of_one_token_or_none(within: Language) -> None:
    assert [len(doc) for doc in within.pipe(["", "Ada"])] == [0, 1]


def test_ner_within_sentences_learns_with_the_sentences_of_the_reference(within: Language) -> None:
    examples = make_examples(within)  # predicted Docs have no sentences
    assert within.update(examples, sgd=False)["ctx_ner"] > 0


def test_ner_gold_entity_across_sentences_is_unknown(within: Language) -> None:
    words = TEXT.split()
    ref = Doc(within.vocab, words, sent_starts=[i in (0, 4) for i in range(7)])
    ref.set_ents([Span(ref, 3, 6, PERSON)])
    _, chains = gradient(within, Example(Doc(within.vocab, words), ref))
    assert np.isfinite(chains.emissions[0]).all()


# Probabilities


def enumerate_paths(pipe: CtxNER, doc: Doc) -> list[tuple[tuple[int, ...], float]]:
    """RETURNS (list): Every path of tags that the scheme allows for a Doc, with its probability."""
    chains, grammar = pipe.model.predict([doc]), pipe.grammar
    scores = chains.emissions[0]
    found = {}
    for path in product(range(len(grammar.tags)), repeat=len(doc)):
        moves = list(pairwise(path))
        if grammar.start[path[0]] and grammar.end[path[-1]] and all(grammar.transition[move] for move in moves):
            total = sum(scores[i, tag] for i, tag in enumerate(path)) + sum(chains.transition[move] for move in moves)
            found[path] = np.exp(total + chains.start[path[0]] + chains.end[path[-1]])
    z = sum(found.values())
    return [(path, score / z) for path, score in found.items()]


@pytest.mark.parametrize("scheme", ["BIO", "BILUO"])
@pytest.mark.parametrize("text", ["Ada", "Frau Müller answered", "Blue Kettle Ada"])
def test_ner_probabilities_equal_enumeration(scheme: str, text: str, untrained: dict[str, Language]) -> None:
    pipe = untrained[scheme].get_pipe("ctx_ner")
    doc = untrained[scheme].make_doc(text)
    paths = enumerate_paths(pipe, doc)
    (found,) = pipe.predict([doc])
    best = max(paths, key=lambda each: each[1])[0]
    assert found.spans == tags_to_spans(pipe.grammar, best)
    for span, score in zip(found.spans, found.scores, strict=True):
        expected = sum(p for path, p in paths if span in tags_to_spans(pipe.grammar, path))
        assert score == pytest.approx(expected, abs=1e-9)


def test_ner_threshold_drops_what_is_less_probable(nlp: Language, trained: dict[str, Path]) -> None:
    texts = ["Ada wrote to Hamburg and Bob", "The Old Kettle answered Charles in Rome"]
    docs = list(nlp.pipe(texts))
    scores = sorted(score for doc in docs for score in span_scores(doc))
    middle = scores[len(scores) // 2]
    strict = spacy.load(trained["ctx_ner"], config={"components.ctx_ner.threshold": middle})
    for doc, fewer in zip(docs, strict.pipe(texts), strict=True):
        pairs = zip(doc.ents, span_scores(doc), strict=True)
        assert entities(fewer) == [(e.start, e.end, e.label_) for e, score in pairs if score >= middle]
        assert [(s.start, s.end, s.label_) for s in fewer.spans["ctx_ner"]] == entities(fewer)


def test_ner_prediction_does_not_change_the_doc(nlp: Language) -> None:
    doc = nlp.make_doc(TEXT)
    before = doc.to_bytes()
    nlp.get_pipe("ctx_ner").predict([doc])
    assert doc.to_bytes() == before


def test_ner_leaves_no_tensor(nlp: Language) -> None:
    assert nlp(TEXT).tensor.size == 0


def by_doc_bin(doc: Doc, nlp: Language) -> Doc:
    return next(DocBin().from_bytes(DocBin(docs=[doc]).to_bytes()).get_docs(nlp.vocab))


def by_bytes(doc: Doc, nlp: Language) -> Doc:
    return Doc(nlp.vocab).from_bytes(doc.to_bytes())


def by_pickle(doc: Doc, nlp: Language) -> Doc:
    return pickle.loads(pickle.dumps(doc))


def by_copy(doc: Doc, nlp: Language) -> Doc:
    return doc.copy()


@pytest.mark.parametrize("way", [by_doc_bin, by_bytes, by_pickle, by_copy])
def test_ner_probabilities_survive(way: Callable[[Doc, Language], Doc], nlp: Language) -> None:
    doc = nlp(TEXT)
    again = way(doc, nlp)
    assert len(again.ents) == 3
    assert span_scores(again) == span_scores(doc)
    assert [ent._.ctx_score for ent in again.ents] == span_scores(doc)


def test_ner_probabilities_survive_merged_entities(fresh: Language) -> None:
    expected = [ent._.ctx_score for ent in fresh("Frau Müller answered Ada .").ents]
    fresh.add_pipe("merge_entities")
    doc = fresh("Frau Müller answered Ada .")
    assert doc[0].text == "Frau Müller"
    assert [ent._.ctx_score for ent in doc.ents] == expected
    assert len(expected) == 2


def test_ner_score_is_none_for_other_spans(nlp: Language) -> None:
    doc = nlp(TEXT)
    assert doc[0:1]._.ctx_score is None  # no label
    assert Span(doc, 0, 2, PERSON)._.ctx_score is None
    assert Span(doc, 0, 1, PLACE)._.ctx_score is None
    assert Span(doc, 0, 1, PERSON)._.ctx_score == span_scores(doc)[0]


def test_ner_score_ignores_span_groups_of_others(nlp: Language) -> None:
    doc = nlp(TEXT)
    expected = doc.ents[0]._.ctx_score
    doc.spans["other"] = [doc[0:2]]
    assert doc.ents[0]._.ctx_score == expected


def test_ner_score_is_none_when_the_group_was_changed(nlp: Language) -> None:
    doc = nlp(TEXT)
    doc.spans["ctx_ner"].append(Span(doc, 6, 7, PLACE))
    assert [ent._.ctx_score for ent in doc.ents] == [None] * 3


def test_ner_probabilities_of_joined_docs_are_right_or_none(nlp: Language) -> None:
    docs = [nlp(TEXT), nlp("Frau Müller answered Ada .")]
    expected = [ent._.ctx_score for doc in docs for ent in doc.ents]
    joined = Doc.from_docs(docs)
    assert len(joined.ents) == 5
    for ent, score in zip(joined.ents, expected, strict=True):
        assert ent._.ctx_score in (None, score)


def test_ner_two_components_keep_their_scores_apart(fresh: Language, trained: dict[str, Path]) -> None:
    fresh.add_pipe("ctx_ner", name="second", source=spacy.load(trained["ctx_ner"]))
    doc = fresh(TEXT)
    assert len(doc.spans["ctx_ner"]) == len(doc.spans["second"]) == 3
    assert doc.spans["second"].attrs["scores"] == [1.0] * 3  # it found them set


def test_ner_labels_are_interned_outside_a_memory_zone(trained: dict[str, Path]) -> None:
    nlp = spacy.load(trained["ctx_ner"])
    for label in ENTITY_LABELS:
        assert label in nlp.vocab.strings
    with nlp.memory_zone():
        labels = {ent.label_ for ent in nlp(TEXT).ents}
    assert {ent.label_ for ent in nlp(TEXT).ents} == labels == {PERSON, PLACE}


def test_ner_long_text_is_read_whole(nlp: Language) -> None:
    text = " ".join(line for line in ["nobody wrote today"] * 60 + ["Ada wrote to Charles in London ."])
    doc = nlp(text)
    assert len(doc) == 187
    assert any(ent.start >= 180 for ent in doc.ents)
