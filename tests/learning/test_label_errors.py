"""Findings of pipelines that know a corpus by heart, on copies of it with errors."""

from typing import Any

import pytest
import spacy
from pipelines import LINES, PERSON, PLACE, THING, make_examples, make_pipeline, make_reference, train
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span

from spacy_ctxtag.data.joined import ANNOTATED_LABELS
from spacy_ctxtag.data.records import USER_DATA_KEY
from spacy_ctxtag.learning.label_errors import PLACE as WHERE
from spacy_ctxtag.learning.label_errors import Finding, doubting, find_label_errors, rank

pytestmark = pytest.mark.backbone


@pytest.fixture(scope="module")
def nlp(tiny_backbone: str) -> Language:
    """A pipeline with all heads, that knows the corpus."""
    pipeline = make_pipeline(["ctx_ner", "ctx_tagger", "ctx_chunker"], tiny_backbone, shared=True)
    train(pipeline, make_examples(pipeline), steps=40)
    return pipeline


def corpus(nlp: Language) -> list[Doc]:
    return [make_reference(nlp, line) for line in LINES]


def with_ents(doc: Doc, *ents: tuple[int, int, str], **options: Any) -> Doc:
    doc.set_ents([Span(doc, *ent) for ent in ents], **options)
    return doc


def doubts(nlp: Language, *docs: Doc) -> list[Finding]:
    return find_label_errors(nlp, docs, temperature=1.0)  # so few documents, most of them wrong, tell none


def first(nlp: Language, doc: Doc, layer: str = "ents") -> Finding:
    """The most suspicious finding of a layer of a document."""
    return rank(each for each in doubts(nlp, doc) if each["layer"] == layer)[0]


def spans(finding: Finding, name: str) -> list[tuple[int, int, str]]:
    return [(each["start"], each["end"], each["label"]) for each in finding[name]]


def test_right_annotation_is_hardly_doubted(nlp: Language) -> None:
    assert rank(find_label_errors(nlp, corpus(nlp))) == []


@pytest.mark.parametrize(
    ("ents", "kind", "annotated", "proposed"),
    [
        ([(3, 4, PERSON)], "missing annotation", [], [(0, 2, PERSON)]),
        ([(0, 2, PLACE), (3, 4, PERSON)], "wrong label", [(0, 2, PLACE)], [(0, 2, PERSON)]),
        ([(1, 2, PERSON), (3, 4, PERSON)], "boundary", [(1, 2, PERSON)], [(0, 2, PERSON)]),
        ([(0, 2, PERSON), (2, 3, THING), (3, 4, PERSON)], "spurious annotation", [(2, 3, THING)], []),
        ([(0, 2, "PERSN"), (3, 4, PERSON)], "wrong label", [(0, 2, "PERSN")], [(0, 2, PERSON)]),
    ],
    ids=["missing", "label", "boundary", "spurious", "unknown"],
)
def test_planted_error_is_the_first_finding(
    ents: list, kind: str, annotated: list, proposed: list, nlp: Language
) -> None:
    doc = with_ents(make_reference(nlp, LINES[3]), *ents)
    found = first(nlp, doc)
    assert (found["rank"], found["kind"]) == (1, kind)
    assert (spans(found, "annotated"), spans(found, "proposed")) == (annotated, proposed)
    assert found["proposed_probability"] > found["annotated_probability"]
    assert found["text"] == doc.text.strip()
    start, end = found["start_char"], found["end_char"]
    assert doc.text[start:end] == doc[found["start"] : found["end"]].text
    for each in [*found["annotated"], *found["proposed"]]:
        assert doc.text[each["start_char"] : each["end_char"]] == each["text"]
        assert (each["probability"] is None) == (each["label"] == "PERSN")


def test_finding_says_where_it_is(nlp: Language) -> None:
    doc = with_ents(make_reference(nlp, LINES[3]), (3, 4, PERSON))
    assert {first(nlp, doc)[key] for key in ("document", "file", "number")} == {None}
    doc.user_data[USER_DATA_KEY] = {"id": "letters-4", "source": "letters.txt", "line": 7}
    doc.user_data[WHERE] = {"file": "corpus/train.spacy", "number": 3}
    found = first(nlp, doc)
    about = {key: found[key] for key in ("document", "file", "number", "source", "line", "component")}
    assert about == {
        "document": "letters-4",
        "file": "corpus/train.spacy",
        "number": 3,
        "source": "letters.txt",
        "line": 7,
        "component": "ctx_ner",
    }


def test_temperature_is_fitted_to_the_annotation(nlp: Language) -> None:
    wrong = with_ents(make_reference(nlp, LINES[3]), (0, 2, PLACE), (3, 4, PERSON))
    docs = [*corpus(nlp)[:3], wrong]
    raw, fitted = (rank(each) for each in (doubts(nlp, *docs), find_label_errors(nlp, docs)))
    assert [(each["kind"], each["start"]) for each in fitted] == [("wrong label", 0)]
    assert [(each["kind"], each["start"]) for each in raw] == [("wrong label", 0)]
    assert fitted[0]["suspicion"] < raw[0]["suspicion"]


def test_documents_stay_as_they_are(nlp: Language) -> None:
    docs = corpus(nlp)
    before = DocBin(docs=docs, store_user_data=True).to_bytes()
    find_label_errors(nlp, docs)
    assert DocBin(docs=docs, store_user_data=True).to_bytes() == before


def test_chunks_and_tags_are_doubted_too(nlp: Language) -> None:
    doc = make_reference(nlp, LINES[0])
    group = [span for span in doc.spans["chunks"] if span.start]
    doc.spans["chunks"] = group
    found = first(nlp, doc, "spans:chunks")
    assert (found["component"], found["kind"]) == ("ctx_chunker", "missing annotation")
    assert found["proposed"][0]["start"] == 0
    doc[1].tag_ = "noun"
    found = first(nlp, doc, "tag")
    assert (found["component"], found["kind"], found["start"]) == ("ctx_tagger", "wrong label", 1)
    assert (spans(found, "annotated"), spans(found, "proposed")) == ([(1, 2, "noun")], [(1, 2, "vérb")])


def test_documents_and_tokens_without_annotation_give_no_findings(nlp: Language) -> None:
    doc = Doc(nlp.vocab, [token.text for token in make_reference(nlp, LINES[3])])
    assert doubts(nlp, doc, Doc(nlp.vocab, [])) == []
    assert find_label_errors(nlp, []) == []
    doc = make_reference(nlp, LINES[3])
    with_ents(doc, (3, 4, PERSON), missing=[Span(doc, 0, 1)])
    assert [each for each in doubts(nlp, doc) if each["layer"] == "ents" and each["start"] < 2] == []


def test_labels_that_were_not_annotated_are_not_missed(nlp: Language) -> None:
    doc = with_ents(make_reference(nlp, LINES[0]), (0, 1, PERSON), (3, 4, PERSON))
    assert spans(first(nlp, doc), "proposed") == [(5, 6, PLACE)]
    doc.user_data[ANNOTATED_LABELS] = [PERSON]
    assert [each for each in doubts(nlp, doc) if each["layer"] == "ents" and each["start"] == 5] == []


def test_white_space_is_no_reason_to_doubt(nlp: Language) -> None:
    words = [*(token.text for token in make_reference(nlp, LINES[3])), "\n"]
    doc = with_ents(Doc(nlp.vocab, words), (0, 2, PERSON), (3, 4, PERSON), (4, 6, THING))
    assert [each for each in doubts(nlp, doc) if each["start"] >= 4] == []


def test_sentence_is_shown_or_what_is_around(nlp: Language) -> None:
    filler = ["wrote"] * 50
    doc = with_ents(Doc(nlp.vocab, [*filler, "Frau", "Müller", "answered", "Ada", *filler]))
    [found] = [each for each in rank(doubts(nlp, doc), 0.05) if each["start"] == 50][:1]
    assert found["text"].split()[20:22] == ["Frau", "Müller"]
    assert doc.text[found["text_start"] :].startswith(found["text"])


@pytest.mark.parametrize("frozen", [[], ["ctx_ner"], ["ctx_ner", "ctx_tagger", "ctx_chunker"]])
def test_trained_components_doubt(frozen: list[str], tiny_backbone: str) -> None:
    pipeline = make_pipeline(["ctx_ner", "ctx_tagger", "ctx_chunker"], tiny_backbone)
    pipeline.config["training"]["frozen_components"] = frozen
    assert set(doubting(pipeline)) == {"ctx_ner", "ctx_tagger", "ctx_chunker"} - set(frozen)
    assert doubting(spacy.blank("en")) == []


def test_rank_sorts_and_leaves_out() -> None:
    def make(odds: float, suspicion: float, start: int = 0) -> Finding:
        about = {"file": "a", "number": 0, "start": start, "component": "ctx_ner"}
        return {"log_odds": odds, "suspicion": suspicion, "weakest": 1 - suspicion, **about}

    given = [make(-1.0, 0.3), make(2.0, 0.9), make(5.0, 1.0, start=3), make(5.0, 1.0, start=1)]
    found = rank(given)
    assert [(each["log_odds"], each["start"]) for each in found] == [(5.0, 1), (5.0, 3), (2.0, 0)]
    assert [each["rank"] for each in found] == [1, 2, 3]
    assert len(rank(given, 0.2)) == 4
