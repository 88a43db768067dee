"""Probabilities of any spans and tags, and the groups of a Doc where they are kept."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from ner_oracle import (
    TEXT,
    Analysis,
    Case,
    Make,
    cases,
    enumerate_analyses,
    schemes,
    span_probs,
    stored,
    write_tags,
)
from pipelines import ENTITY_LABELS, PERSON, PLACE, THING, entities
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span

from spacy_ctxtag.components.ctx_ner import CtxNER

ALL = {"alternatives": 0.05, "n_best": 3, "score_maps": {PERSON: [[0.0, 1.0], [0.25, 0.75]]}}


def prepare(make: Make, scheme: str, case: Case, **settings: Any) -> tuple[CtxNER, Doc, dict[Analysis, float]]:
    """RETURNS (tuple): A ctx_ner, a Doc that it has not seen, and all analyses with their probabilities."""
    nlp = make(scheme, within_sentences=bool(case.starts), **settings)
    pipe, doc = nlp.get_pipe("ctx_ner"), case.make(nlp)
    temperature = settings.get("temperature", 1.0)
    return (
        pipe,
        doc,
        enumerate_analyses(pipe, doc, starts=case.starts, temperature=temperature, given=case.given(ENTITY_LABELS)),
    )


def clone(nlp: Language) -> Language:
    """RETURNS (Language): A pipeline that a test may change."""
    copied: Language = pickle.loads(pickle.dumps(nlp))
    return copied


def all_spans(doc: Doc) -> list[Span]:
    borders = [(i, j) for i in range(len(doc)) for j in range(i + 1, len(doc) + 1)]
    return [Span(doc, i, j, label) for i, j in borders for label in ENTITY_LABELS]


def groups(doc: Doc) -> list[Any]:
    """RETURNS (list): All that the groups of a Doc hold."""
    return [
        (key, [(span.start, span.end, span.label_, span.text) for span in group], group.attrs)
        for key, group in doc.spans.items()
    ]


# Any span, any tag


@schemes
@cases
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_score_spans_equals_enumeration(scheme: str, case: Case, temperature: float, with_settings: Make) -> None:
    pipe, doc, analyses = prepare(with_settings, scheme, case, temperature=temperature)
    probs, spans = span_probs(analyses), all_spans(doc)
    expected = [probs.get((span.start, span.end, span.label_), 0.0) for span in spans]
    assert pipe.score_spans(doc, spans) == pytest.approx(expected, abs=1e-9)
    assert sum(expected) > 0.5


def test_score_spans_keeps_the_order_and_the_doc(with_settings: Make) -> None:
    nlp = with_settings("BILUO")
    pipe, doc = nlp.get_pipe("ctx_ner"), nlp.make_doc(TEXT)
    before, spans = doc.to_bytes(), all_spans(doc)
    picked = [spans[i] for i in (70, 3, 3, 41)]
    scores = dict(zip(map(str, range(len(spans))), pipe.score_spans(doc, iter(spans)), strict=True))
    assert pipe.score_spans(doc, picked) == [scores[str(i)] for i in (70, 3, 3, 41)]
    assert doc.to_bytes() == before


def test_score_spans_reports_what_stands_in_the_group(with_settings: Make) -> None:
    nlp = with_settings("BILUO", alternatives=0.01)
    doc = nlp(TEXT)  # its own entities are no presets
    for key in ("ctx_ner", "ctx_ner_alternatives"):
        scores = nlp.get_pipe("ctx_ner").score_spans(doc, doc.spans[key])
        assert scores == pytest.approx(doc.spans[key].attrs["scores"], abs=1e-12)


def test_score_spans_is_exact_where_a_map_reports_others(with_settings: Make) -> None:
    nlp = with_settings("BILUO", **ALL)
    doc = nlp(TEXT)
    scores = nlp.get_pipe("ctx_ner").score_spans(doc, doc.ents)
    assert scores == pytest.approx(doc.spans["ctx_ner"].attrs["exact"], abs=1e-12)
    assert scores != pytest.approx([ent._.ctx_score for ent in doc.ents], abs=1e-3)


def test_score_spans_of_nothing(with_settings: Make) -> None:
    nlp = with_settings("BILUO")
    pipe, doc, empty = nlp.get_pipe("ctx_ner"), nlp.make_doc("Ada wrote \n"), nlp.make_doc("")
    assert pipe.score_spans(doc, []) == []
    assert pipe.score_spans(doc, [Span(doc, i, i, PERSON) for i in range(4)]) == [0.0] * 4
    assert pipe.score_spans(empty, [Span(empty, 0, 0, PERSON)]) == [0.0]
    assert pipe.score_spans(doc, [Span(doc, 2, 3, PERSON), Span(doc, 0, 3, PERSON)]) == [0.0, 0.0]


@pytest.mark.parametrize("label", ["", "UNKNOWN"])
def test_score_spans_refuses_a_label_that_it_does_not_have(label: str, with_settings: Make) -> None:
    nlp = with_settings("BILUO")
    doc = nlp.make_doc("Ada wrote")
    with pytest.raises(ValueError, match=rf"CT410.*'Ada'.*'{label}'.*{THING}"):
        nlp.get_pipe("ctx_ner").score_spans(doc, [Span(doc, 0, 1, label)])


def test_score_spans_refuses_a_span_of_another_doc(with_settings: Make) -> None:
    nlp = with_settings("BILUO")
    doc = nlp.make_doc("Ada wrote")
    with pytest.raises(ValueError, match=r"CT411.*'Ada'"):
        nlp.get_pipe("ctx_ner").score_spans(doc.copy(), [Span(doc, 0, 1, PERSON)])


@schemes
@cases
def test_tag_probs_equal_enumeration(scheme: str, case: Case, with_settings: Make) -> None:
    pipe, doc, analyses = prepare(with_settings, scheme, case, temperature=2.5)
    names = list(pipe.grammar.tags)
    expected = np.zeros((len(doc), len(names)))
    for analysis, prob in analyses.items():
        tags = write_tags(analysis, doc, scheme)
        expected[range(len(doc)), [names.index(tag) for tag in tags]] += prob
    np.testing.assert_allclose(pipe.tag_probs(doc), expected, atol=1e-9)


@pytest.mark.parametrize("text", ["", " \n"])
def test_tag_probs_of_no_words_are_outside(text: str, with_settings: Make) -> None:
    nlp = with_settings("BIO")
    doc = nlp.make_doc(text)
    expected = np.tile([1.0, *[0.0] * 6], (len(doc), 1))
    np.testing.assert_array_equal(nlp.get_pipe("ctx_ner").tag_probs(doc), expected)


def test_tagger_tag_probs_are_those_of_its_tags(trained: dict[str, Path]) -> None:
    nlp = spacy.load(trained["ctx_tagger"])
    tagger, doc = nlp.get_pipe("ctx_tagger"), nlp("Ada wrote to Karl \n in Rome")
    probs = tagger.tag_probs(doc)
    assert probs.shape == (len(doc), len(tagger.labels))
    np.testing.assert_allclose(probs.sum(axis=1), 1.0, rtol=1e-6)
    for token, row in zip(doc, probs, strict=True):
        if not token.is_space:
            assert tagger.labels[row.argmax()] == token.tag_
            assert row.max() == pytest.approx(token._.ctx_tag_score, rel=1e-6)
    assert tagger.tag_probs(nlp.make_doc("")).shape == (0, len(tagger.labels))


# What is kept


def by_doc_bin(doc: Doc, nlp: Language) -> Doc:
    data = DocBin(docs=[doc]).to_bytes()
    return next(DocBin().from_bytes(data).get_docs(spacy.blank("en").vocab))


def by_bytes(doc: Doc, nlp: Language) -> Doc:
    return Doc(spacy.blank("en").vocab).from_bytes(doc.to_bytes())


def by_pickle(doc: Doc, nlp: Language) -> Doc:
    return pickle.loads(pickle.dumps(doc))


def by_copy(doc: Doc, nlp: Language) -> Doc:
    return doc.copy()


ways = pytest.mark.parametrize("way", [by_doc_bin, by_bytes, by_pickle, by_copy])


@pytest.fixture(scope="module")
def ruled(with_settings: Make) -> Language:
    """A ctx_ner that stores all it can, behind an entity_ruler with a label that it has and one that it has not."""
    nlp = clone(with_settings("BILUO", **ALL))
    ruler = nlp.add_pipe("entity_ruler", before="ctx_ner")
    ruler.add_patterns([{"label": PLACE, "pattern": "Frau Müller"}, {"label": "UNKNOWN", "pattern": "him"}])
    return nlp


@ways
def test_groups_survive(way: Callable[[Doc, Language], Doc], ruled: Language) -> None:
    doc = ruled(TEXT)
    again = way(doc, ruled)
    assert groups(again) == groups(doc)
    assert len(groups(doc)) == 5
    assert again._.ctx_scores == doc._.ctx_scores
    for key in ("ctx_ner", "ctx_ner_alternatives"):
        assert [span._.ctx_score for span in again.spans[key]] == doc.spans[key].attrs["scores"]


@ways
def test_second_run_is_the_same_after(way: Callable[[Doc, Language], Doc], ruled: Language) -> None:
    doc = ruled(TEXT)
    again = ruled(way(doc, ruled))
    assert entities(again) == entities(doc)
    assert groups(again) == groups(doc)


def test_groups_survive_worker_processes(ruled: Language) -> None:
    texts = [TEXT, "", "Ada"]
    docs = list(ruled.pipe(texts, n_process=2, batch_size=1))
    assert [groups(doc) for doc in docs] == [groups(ruled(text)) for text in texts]


def test_groups_hold_what_is_documented(ruled: Language) -> None:
    doc = ruled(TEXT)
    attrs = doc.spans["ctx_ner"].attrs
    labels = [ent.label_ for ent in doc.ents if ent.label_ != "UNKNOWN"]
    assert [span.label_ for span in doc.spans["ctx_ner"]] == labels
    given = [i for i, span in enumerate(doc.spans["ctx_ner"]) if span.text == "Frau Müller"]
    assert attrs["preset"] == given == [i for i, score in enumerate(attrs["scores"]) if score == 1.0]
    assert attrs["temperature"] == 1.0
    assert {ent.text: ent._.ctx_score for ent in doc.ents}["him"] is None


def test_json_has_all_scores_with_their_characters(ruled: Language) -> None:
    doc = ruled("🙂 Ada\n schrieb  an Frau Müller 🙂🙂 und Charles in Kopenhagen.")
    read = json.loads(json.dumps(doc.to_json(underscore=["ctx_scores"])))
    listed = read["_"]["ctx_scores"]
    assert [list(each) for each in listed] == [["group", "start", "end", "label", "score"]] * len(listed)
    for key in ("ctx_ner", "ctx_ner_alternatives"):
        of_group = [each for each in listed if each["group"] == key]
        assert [read["text"][each["start"] : each["end"]] for each in of_group] == [s.text for s in doc.spans[key]]
        assert [each["label"] for each in of_group] == [span.label_ for span in doc.spans[key]]
        assert [each["score"] for each in of_group] == doc.spans[key].attrs["scores"]
        assert len(of_group) > 1
    assert {"start": 19, "end": 30, "label": PLACE, "score": 1.0, "group": "ctx_ner"} in listed
    assert spacy.blank("en")("Ada")._.ctx_scores == []


# Tokens that are merged and split afterwards


@pytest.fixture
def merged(ruled: Language) -> Doc:
    """A Doc whose last entities stand behind merged ones, so that their old token indices are out of range."""
    doc = ruled("Frau Müller answered Ada in Hamburg")
    before = {(span.text, span.label_): span._.ctx_score for span in doc.spans["ctx_ner"]}
    assert len(before) > 2
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[0:2])
        retokenizer.merge(doc[3:6])
    assert len(doc) == 3
    return doc


def test_scores_are_found_after_merging(ruled: Language) -> None:
    plain = ruled(TEXT)
    expected = plain._.ctx_scores
    scores = {(ent.text, ent.label_): ent._.ctx_score for ent in plain.ents}
    nlp = clone(ruled)
    nlp.add_pipe("merge_entities")
    doc = nlp(TEXT)
    assert len(doc) < len(plain)
    assert {(ent.text, ent.label_): ent._.ctx_score for ent in doc.ents} == scores
    assert doc._.ctx_scores == expected
    assert [span.text for span in doc.spans["ctx_ner"]] == [span.text for span in plain.spans["ctx_ner"]]


def test_groups_follow_merged_tokens(merged: Doc) -> None:
    words = [token.text for token in merged]
    for group in merged.spans.values():
        for span in group:
            assert all(token.text in words for token in span)
    assert merged.spans["ctx_ner"][0].text == "Frau Müller"
    assert merged.spans["ctx_ner"][-1].end <= 3


@ways
def test_groups_survive_after_merging(way: Callable[[Doc, Language], Doc], merged: Doc, ruled: Language) -> None:
    again = way(merged, ruled)
    assert groups(again) == groups(merged)
    assert again._.ctx_scores == merged._.ctx_scores
    assert merged.to_json(underscore=["ctx_scores"]) == again.to_json(underscore=["ctx_scores"])


def test_groups_survive_worker_processes_after_merging(ruled: Language) -> None:
    nlp = clone(ruled)
    nlp.add_pipe("merge_entities")
    docs = list(nlp.pipe([TEXT] * 2, n_process=2, batch_size=1))
    assert [groups(doc) for doc in docs] == [groups(nlp(TEXT))] * 2


@ways
def test_scores_are_found_when_merged_after(way: Callable[[Doc, Language], Doc], ruled: Language) -> None:
    doc = way(ruled("Frau Müller answered Ada in Hamburg"), ruled)
    expected = doc._.ctx_scores
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[0:2])
        retokenizer.merge(doc[3:6])
    assert doc._.ctx_scores == expected
    assert doc.ents[0]._.ctx_score == 1.0
    assert ruled(doc).ents[0]._.ctx_score == 1.0


def test_scores_are_found_after_splitting(ruled: Language) -> None:
    doc = ruled("Frau Müller answered Ada in Hamburg")
    expected, texts = doc._.ctx_scores, [span.text for span in doc.spans["ctx_ner"]]
    with doc.retokenize() as retokenizer:
        retokenizer.split(doc[2], ["answ", "ered"], heads=[doc[1], doc[1]])
    assert doc._.ctx_scores == expected
    assert [span.text for span in doc.spans["ctx_ner"]] == texts
    assert all(ent._.ctx_score is not None for ent in doc.ents)


def test_second_run_on_merged_tokens_decides_anew(ruled: Language) -> None:
    nlp = clone(ruled)
    nlp.add_pipe("merge_entities")
    doc = nlp(nlp(TEXT))
    for group in (doc.spans["ctx_ner"], doc.spans["ctx_ner_alternatives"]):
        presets = [span.text for i, span in enumerate(group) if i in group.attrs["preset"]]
        assert presets == (["Frau Müller"] if group.name == "ctx_ner" else [])


# A second run


def test_second_run_decides_own_entities_anew(with_settings: Make) -> None:
    fresh = with_settings("BILUO", threshold=0.6)(TEXT)
    doc = with_settings("BILUO", threshold=0.6)(with_settings("BILUO")(TEXT))
    assert entities(doc) == entities(fresh)
    assert groups(doc) == groups(fresh)
    assert max(stored(doc).values()) < 1.0


def test_second_run_keeps_presets(ruled: Language, with_settings: Make) -> None:
    doc = with_settings("BILUO", threshold=1.0)(ruled(TEXT))  # the ruler does not run again
    assert entities(doc) == [(7, 9, PLACE), (10, 11, "UNKNOWN")]
    assert stored(doc) == {(7, 9, PLACE): 1.0}
    assert doc.spans["ctx_ner"].attrs["preset"] == [0]


def test_second_run_keeps_blocked_tokens(with_settings: Make) -> None:
    nlp = with_settings("BILUO")
    doc = nlp.make_doc(TEXT)
    doc.set_ents([], blocked=[doc[3:6]], default="missing")
    doc = nlp(doc)
    first = entities(doc)
    assert not any(start < 6 and end > 3 for start, end, _ in first)
    assert entities(nlp(by_doc_bin(doc, nlp))) == first


def test_second_run_finds_deleted_entities_again(with_settings: Make) -> None:
    nlp = with_settings("BILUO")
    doc = nlp(TEXT)
    first = groups(doc)
    doc.ents = doc.ents[2:]
    assert groups(nlp(doc)) == first


@pytest.mark.parametrize("by_hand", [(0, 1, THING), (0, 2, PLACE), (1, 3, PLACE)])
def test_second_run_keeps_what_was_changed_by_hand(by_hand: tuple[int, int, str], with_settings: Make) -> None:
    nlp = with_settings("BILUO")
    case = Case("Frau Müller answered Ada Hamburg")
    doc = nlp(case.make(nlp))
    assert by_hand not in entities(doc)
    kept = [ent for ent in doc.ents if ent.end <= by_hand[0] or ent.start >= by_hand[1]]
    doc.ents = [*kept, Span(doc, *by_hand)]
    doc = nlp(doc)
    given = enumerate_analyses(nlp.get_pipe("ctx_ner"), doc, given=lambda analysis: by_hand in analysis)
    assert entities(doc) == list(next(iter(given)))
    assert stored(doc) == pytest.approx({**{f: span_probs(given)[f] for f in entities(doc)}, by_hand: 1.0}, abs=1e-9)


# Several components


@pytest.fixture(scope="module")
def two(with_settings: Make) -> Language:
    """A ctx_ner that is rarely sure enough, and one with other weights behind it."""
    nlp, other = clone(with_settings("BILUO", threshold=0.5)), clone(with_settings("BILUO"))
    output = other.get_pipe("ctx_ner").model.get_ref("output_layer")
    output.set_param("W", -output.get_param("W"))
    nlp.add_pipe("ctx_ner", name="second", source=other)
    return nlp


def test_two_components_have_their_own_scores(two: Language) -> None:
    doc = two(TEXT)
    first, second = doc.spans["ctx_ner"], doc.spans["second"]
    assert [second[i].text for i in second.attrs["preset"]] == [span.text for span in first]
    assert 0 < len(first) < len(second) == len(doc.ents)
    own = [score for i, score in enumerate(second.attrs["scores"]) if i not in second.attrs["preset"]]
    assert max(own) < 1.0
    assert sorted(ent._.ctx_score for ent in doc.ents) == sorted([*first.attrs["scores"], *own])


def test_two_components_have_their_own_scores_in_a_second_run(two: Language) -> None:
    doc = two(two(TEXT))
    for ent in doc.ents:  # each found the entities of the other set
        assert ent._.ctx_score < 1.0
