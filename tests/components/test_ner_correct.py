"""`ctx_ner.correct`: what a person says is kept, and the rest decided given it; also where the vectors are gone."""

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
from ner_oracle import Analysis, Case, Found, enumerate_analyses, span_probs, stored
from pipelines import ENTITY_LABELS, HEADS, LINES, PERSON, PLACE, THING, annotation, entities, make_reference
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from thinc.api import Model

Make = Callable[..., Language]
TEXT = "Ada wrote to Charles in London ."
WORDS = "Frau Müller answered Ada Hamburg"
CASES = {
    "plain": Case(WORDS),
    "spaces": Case("_ Frau _ Müller answered Ada _"),
    "sentences": Case("Ada _ wrote Blue Kettle London", starts=(3,)),
    "presets": Case(WORDS, presets=[(1, 2, PLACE), (3, 4, "UNKNOWN")], blocked=[4]),
}
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
schemes = pytest.mark.parametrize("scheme", ["BIO", "BILUO"])


def clear(found: Found, start: int, end: int) -> bool:
    return found[1] <= start or end <= found[0]


def remaining(case: Case, start: int, end: int) -> Case:
    """RETURNS (Case): A case without the presets that overlap a span."""
    presets = [preset for preset in case.presets if clear(preset, start, end)]
    return case._replace(presets=presets, blocked=[i for i in case.blocked if not start <= i < end])


def analyses_given(pipe: Any, doc: Doc, case: Case, agrees: Callable[[Analysis], bool]) -> dict[Analysis, float]:
    """RETURNS (dict): All analyses that agree with a case and with a correction, best first."""
    given = case.given(ENTITY_LABELS)
    return enumerate_analyses(
        pipe, doc, starts=case.starts, given=lambda analysis: given(analysis) and agrees(analysis)
    )


# What is decided


@schemes
@cases
@pytest.mark.parametrize("start_end", [(1, 2), (3, 5)])
@pytest.mark.parametrize("has_run", [True, False])
def test_correct_decides_the_rest_given_the_span(
    scheme: str, case: Case, start_end: tuple[int, int], has_run: bool, with_settings: Make
) -> None:
    nlp = with_settings(scheme, within_sentences=bool(case.starts), alternatives=0.05)
    pipe, doc = nlp.get_pipe("ctx_ner"), case.make(nlp)
    doc = nlp(doc) if has_run else doc
    (start, end), label = start_end, THING
    if doc[start].is_space or doc[end - 1].is_space:
        start, end = 0, 3
    rest = remaining(case, start, end)
    said = (start, end, label)
    analyses = analyses_given(pipe, doc, rest, lambda analysis: said in analysis)
    assert pipe.correct(doc, doc[start:end], label) is doc
    best, probs = next(iter(analyses)), span_probs(analyses)
    foreign = [preset for preset in rest.presets if preset not in best]
    assert entities(doc) == sorted([*best, *foreign])
    assert stored(doc) == pytest.approx({found: probs[found] for found in best}, abs=1e-9)
    assert stored(doc)[said] == doc.ents[entities(doc).index(said)]._.ctx_score == 1.0
    others = {found: prob for found, prob in probs.items() if prob >= 0.05 and found not in best}
    assert stored(doc, "ctx_ner_alternatives") == pytest.approx(others, abs=1e-9)


@schemes
@cases
@pytest.mark.parametrize("start_end", [(0, 1), (1, 4)])
def test_correct_without_a_label_blocks_the_span(
    scheme: str, case: Case, start_end: tuple[int, int], with_settings: Make
) -> None:
    nlp = with_settings(scheme, within_sentences=bool(case.starts), alternatives=0.05)
    pipe, doc = nlp.get_pipe("ctx_ner"), nlp(case.make(nlp))
    start, end = start_end
    rest = remaining(case, start, end)
    analyses = analyses_given(pipe, doc, rest, lambda analysis: all(clear(found, start, end) for found in analysis))
    pipe.correct(doc, doc[start:end])
    best = next(iter(analyses))
    assert entities(doc) == sorted([*best, *(preset for preset in rest.presets if preset not in best)])
    assert {token.i for token in doc if token.ent_iob == 3 and not token.ent_type} == {
        *rest.blocked,
        *range(start, end),
    }
    for found, score in stored(doc).items():
        assert score == pytest.approx(span_probs(analyses)[found], abs=1e-9)


def test_correct_changes_more_than_the_span(with_settings: Make) -> None:
    nlp = with_settings("BILUO")
    before = nlp(WORDS)
    changed = []
    for i in range(len(before)):
        doc = nlp(WORDS)
        nlp.get_pipe("ctx_ner").correct(doc, doc[i : i + 1])
        changed.append(any(clear(found, i, i + 1) and found not in entities(before) for found in entities(doc)))
    assert any(changed)


def test_correct_takes_earlier_entities_that_overlap_away(with_settings: Make) -> None:
    nlp = with_settings("BILUO")
    pipe, doc = nlp.get_pipe("ctx_ner"), nlp.make_doc(WORDS)
    doc.set_ents([Span(doc, 0, 2, PLACE, kb_id="Q1"), Span(doc, 2, 3, "UNKNOWN"), Span(doc, 4, 5, PLACE, kb_id="Q2")])
    pipe.correct(nlp(doc), doc[1:3], PERSON)
    assert (1, 3, PERSON) in entities(doc)
    assert [(ent.start, ent.end, ent.kb_id_) for ent in doc.ents if ent.kb_id_] == [(4, 5, "Q2")]
    assert "UNKNOWN" not in [ent.label_ for ent in doc.ents]


def test_corrections_add_up_and_the_last_one_wins(with_settings: Make) -> None:
    nlp = with_settings("BILUO")
    pipe, doc = nlp.get_pipe("ctx_ner"), nlp(WORDS)
    pipe.correct(doc, doc[0:3])
    pipe.correct(doc, doc[3:5], PLACE)
    pipe.correct(doc, doc[0:1], PERSON)
    assert entities(doc) == [(0, 1, PERSON), (3, 5, PLACE)]  # 1 and 2 are closed still
    pipe.correct(doc, doc[4:5], THING)
    assert {(0, 1, PERSON), (4, 5, THING)} <= set(entities(doc))
    analyses = enumerate_analyses(
        pipe,
        doc,
        given=lambda found: {(0, 1, PERSON), (4, 5, THING)} <= set(found) and all(clear(each, 1, 3) for each in found),
    )
    assert entities(doc) == list(next(iter(analyses)))


@pytest.mark.parametrize("decode", ["mbr", "mbr_f"])
def test_correct_goes_with_any_decoder(decode: str, with_settings: Make) -> None:
    nlp = with_settings("BILUO", decode=decode, threshold=1.0, thresholds={PLACE: 1.0}, n_best=2)
    doc = nlp(WORDS)
    assert entities(doc) == []
    nlp.get_pipe("ctx_ner").correct(doc, doc[1:3], PLACE)
    assert entities(doc) == [(1, 3, PLACE)]
    assert all((1, 3) in [(span.start, span.end) for span in doc.spans[f"ctx_ner_best_{i}"]] for i in (1, 2))


def by_nothing(doc: Doc, nlp: Language) -> Doc:
    return doc


def by_doc_bin(doc: Doc, nlp: Language) -> Doc:
    return next(DocBin().from_bytes(DocBin(docs=[doc]).to_bytes()).get_docs(nlp.vocab))


def by_pickle(doc: Doc, nlp: Language) -> Doc:
    return pickle.loads(pickle.dumps(doc))


@pytest.mark.parametrize("way", [by_nothing, by_doc_bin, by_pickle])
@pytest.mark.parametrize("blocked", [(0, 2), (4, 5)])
def test_corrections_survive_a_second_run(
    way: Callable[[Doc, Language], Doc], blocked: Sequence[int], with_settings: Make
) -> None:
    nlp = with_settings("BILUO", alternatives=0.05)
    pipe, doc = nlp.get_pipe("ctx_ner"), nlp(WORDS)
    pipe.correct(doc, doc[2:4], THING)
    pipe.correct(doc, doc[slice(*blocked)])
    expected, scores = entities(doc), doc._.ctx_scores
    again = nlp(way(doc, nlp))
    assert entities(again) == expected
    assert again._.ctx_scores == scores
    corrected_again = pipe.correct(again, again[2:4], PLACE)
    assert not any(blocked[0] <= i < blocked[1] for ent in corrected_again.ents for i in range(ent.start, ent.end))


def test_corrections_are_overwritten_if_the_component_does_not_respect_entities(with_settings: Make) -> None:
    nlp = with_settings("BILUO", respect_entities=False)
    doc = nlp(WORDS)
    before = entities(doc)
    nlp.get_pipe("ctx_ner").correct(doc, doc[2:4], THING)
    assert (2, 4, THING) in entities(doc)
    assert entities(nlp(doc)) == before


# Refused


def test_correct_refuses_a_label_that_it_does_not_have(with_settings: Make) -> None:
    nlp = with_settings("BILUO")
    doc = nlp(WORDS)
    before = doc.to_bytes()
    with pytest.raises(ValueError, match=r"CT410.*'Frau Müller'.*'UNKNOWN'"):
        nlp.get_pipe("ctx_ner").correct(doc, doc[0:2], "UNKNOWN")
    assert doc.to_bytes() == before


@pytest.mark.parametrize("label", ["", PERSON])
def test_correct_refuses_a_span_of_another_doc(label: str, with_settings: Make) -> None:
    nlp = with_settings("BILUO")
    doc = nlp(WORDS)
    with pytest.raises(ValueError, match=r"CT411.*'Frau'"):
        nlp.get_pipe("ctx_ner").correct(doc, doc.copy()[0:1], label)


@pytest.mark.parametrize("start_end", [(0, 1), (0, 2), (1, 3), (1, 6), (4, 4), (0, 0), (6, 6)])
def test_correct_refuses_a_span_that_cannot_be_an_entity(start_end: tuple[int, int], with_settings: Make) -> None:
    nlp = with_settings("BILUO", within_sentences=True)
    doc = nlp(Case("_ Frau _ Müller answered Ada", starts=(4,)).make(nlp))
    before = doc.to_bytes()
    with pytest.raises(ValueError, match="CT412"):
        nlp.get_pipe("ctx_ner").correct(doc, doc[slice(*start_end)], PERSON)
    assert doc.to_bytes() == before
    nlp.get_pipe("ctx_ner").correct(doc, doc[1:4], PERSON)
    assert (1, 4, PERSON) in entities(doc)


# With a shared encoder whose vectors are gone


@pytest.fixture(scope="module")
def joint(trained: dict[str, Path]) -> Language:
    """Both heads with a shared encoder, whose vectors stay on the Doc."""
    return spacy.load(trained["joint"])


@pytest.fixture(scope="module")
def cleaned(trained: dict[str, Path]) -> Language:
    """The same with a ctx_cleaner."""
    nlp = spacy.load(trained["joint"])
    nlp.add_pipe("ctx_cleaner")
    return nlp


def ask(nlp: Language, doc: Doc) -> list[Any]:
    """RETURNS (list): What the heads of a pipeline say about a Doc that they have run on."""
    pipe = nlp.get_pipe("ctx_ner")
    spans = [Span(doc, i, i + 1, label) for i in range(len(doc)) for label in ENTITY_LABELS]
    answers = [pipe.score_spans(doc, spans), pipe.tag_probs(doc), nlp.get_pipe("ctx_tagger").tag_probs(doc)]
    pipe.correct(doc, doc[0:2], PLACE)
    pipe.correct(doc, doc[3:4])
    return [*(np.asarray(each).tolist() for each in answers), entities(doc), doc._.ctx_scores]


def test_cleaned_docs_can_be_asked(joint: Language, cleaned: Language) -> None:
    doc = cleaned(TEXT)
    assert doc.tensor.shape == (0,)
    answers = ask(cleaned, doc)
    assert doc.tensor.shape == (0,)
    assert answers == ask(joint, joint(TEXT))
    assert (0, 2, PLACE) in answers[3]


def test_docs_that_were_not_run_can_be_asked(joint: Language) -> None:
    doc = joint.make_doc(TEXT)
    assert ask(joint, doc)[:3] == ask(joint, joint(TEXT))[:3]
    assert doc.tensor.shape == (0,)


def test_docs_from_worker_processes_can_be_asked(joint: Language, cleaned: Language) -> None:
    (doc,) = cleaned.pipe([TEXT], n_process=2)
    assert ask(cleaned, doc) == ask(joint, joint(TEXT))


def test_predict_gives_all_tensors_back(joint: Language) -> None:
    docs = [joint.make_doc(line) for line in (TEXT, "", "Ada wrote")] + [joint("The river Elbe")]
    other = np.ones((5, 3), dtype="float32")  # of something else
    docs[2].tensor = other
    before = [doc.tensor for doc in docs]
    found = joint.get_pipe("ctx_ner").predict(docs)
    assert all(doc.tensor is tensor for doc, tensor in zip(docs, before, strict=True))
    singly = [joint.get_pipe("ctx_ner").predict([joint(doc.text)])[0] for doc in docs]
    assert [each.spans for each in found] == [each.spans for each in singly]


def test_predict_gives_tensors_back_when_it_fails(joint: Language, monkeypatch: pytest.MonkeyPatch) -> None:
    doc, pipe, predict = joint.make_doc(TEXT), joint.get_pipe("ctx_ner"), Model.predict
    before = doc.tensor

    def fail(model: Any, docs: Any) -> Any:
        if model is not pipe.model:
            return predict(model, docs)
        assert docs[0].tensor.shape[0] == len(docs[0])
        raise RuntimeError

    monkeypatch.setattr(Model, "predict", fail)
    with pytest.raises(RuntimeError):
        pipe.score_spans(doc, [Span(doc, 0, 1, PERSON)])
    assert doc.tensor is before


@pytest.mark.parametrize("how", ["exclude", "sourced"])
@pytest.mark.parametrize("kind", HEADS)
def test_head_without_its_encoder_says_so(kind: str, how: str, trained: dict[str, Path], tmp_path: Path) -> None:
    if how == "exclude":
        nlp = spacy.load(trained["joint"], exclude=["ctx_encoder"])
    else:
        alone = spacy.blank("en")
        alone.add_pipe(kind, source=spacy.load(trained["joint"]))
        alone.to_disk(tmp_path)
        nlp = spacy.load(tmp_path)
    with pytest.raises(ValueError, match=rf"CT408.*'{kind}' listens to 'ctx_encoder'.*nlp.replace_listeners"):
        nlp.get_pipe(kind)(nlp.make_doc(TEXT))
    with pytest.raises(ValueError, match="CT408"):
        nlp.get_pipe(kind).tag_probs(nlp.make_doc(TEXT))
    assert nlp("").text == ""


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("how", ["select", "load"])
def test_head_asks_an_encoder_that_is_disabled(kind: str, how: str, joint: Language, trained: dict[str, Path]) -> None:
    nlp = spacy.load(trained["joint"], disable=["ctx_encoder"] if how == "load" else [])
    expected = [annotation(kind, joint(make_reference(joint, line).text)) for line in LINES]
    with nlp.select_pipes(disable=["ctx_encoder"]):
        docs = [nlp(make_reference(nlp, line).text) for line in LINES]
    assert [annotation(kind, doc) for doc in docs] == expected
    assert docs[0].tensor.shape == (0,)


def test_pickled_pipelines_keep_the_link(cleaned: Language, joint: Language) -> None:
    nlp = pickle.loads(pickle.dumps(cleaned))
    for kind in HEADS:
        assert nlp.get_pipe(kind).upstream is nlp.get_pipe("ctx_encoder")
    assert ask(nlp, nlp(TEXT)) == ask(joint, joint(TEXT))


def test_loaded_pipelines_keep_the_link(cleaned: Language, joint: Language, tmp_path: Path) -> None:
    cleaned.to_disk(tmp_path)
    nlp = spacy.load(tmp_path)
    assert nlp.get_pipe("ctx_ner").upstream is nlp.get_pipe("ctx_encoder")
    assert ask(nlp, nlp(TEXT)) == ask(joint, joint(TEXT))


def test_replaced_listeners_let_go_of_the_encoder(trained: dict[str, Path], joint: Language) -> None:
    nlp = spacy.load(trained["joint"])
    shared = nlp.get_pipe("ctx_encoder")
    size = len(pickle.dumps(nlp.get_pipe("ctx_ner")))
    nlp.replace_listeners("ctx_encoder", "ctx_ner", ["model.tok2vec.encoder"])
    assert nlp.get_pipe("ctx_ner").upstream is None
    assert len(pickle.dumps(nlp.get_pipe("ctx_ner"))) < size + 10_000  # one encoder, as before
    assert nlp.get_pipe("ctx_tagger").upstream is shared
    expected = joint(TEXT)
    with nlp.select_pipes(enable=["ctx_ner"]):
        doc = nlp(TEXT)
    assert entities(doc) == entities(expected)
    scores = nlp.get_pipe("ctx_ner").score_spans(doc, doc.ents)
    assert scores == pytest.approx(expected.spans["ctx_ner"].attrs["scores"], abs=1e-6)


def test_head_sourced_into_a_pipeline_with_an_encoder_asks_that_one(trained: dict[str, Path]) -> None:
    nlp = spacy.load(trained["joint"], exclude=["ctx_ner"])
    nlp.add_pipe("ctx_ner", source=spacy.load(trained["joint"]))
    assert nlp.get_pipe("ctx_ner").upstream is nlp.get_pipe("ctx_encoder")
