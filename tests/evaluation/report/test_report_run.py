"""The run: what it counts, and its memory.

Memory is the peak of a process of its own, so that other tests do not disturb.
"""

import subprocess
import sys
from typing import Any

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span

from spacy_ctxtag.evaluation.report.about import DataReport, find_setters
from spacy_ctxtag.evaluation.report.known import Known, known_of_docs, known_of_pipeline
from spacy_ctxtag.evaluation.report.run import Evaluation

MEMORY = """
import random, resource, sys
import spacy
from spacy.tokens import Doc, Span

from spacy_ctxtag.evaluation.report.about import DataReport
from spacy_ctxtag.evaluation.report.known import Known
from spacy_ctxtag.evaluation.report.run import Evaluation

nlp = spacy.blank("en")
nlp.add_pipe("entity_ruler").add_patterns([{"label": f"L{i % 5}", "pattern": f"w{i}"} for i in range(0, 500, 7)])
rng = random.Random(0)

def docs(count):
    for number in range(count):
        words = [f"w{rng.randrange(500)}" for _ in range(60)]
        doc = Doc(nlp.vocab, words=words, sent_starts=[i % 20 == 0 for i in range(60)])
        doc.set_ents([Span(doc, i, i + 1 + rng.randrange(2), label=f"L{rng.randrange(5)}") for i in range(0, 58, 6)])
        doc.user_data["ctx"] = {"id": f"document {number}", "domain": f"domain {number % 3}"}
        yield doc

def peak():
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return taken / 2**20 if sys.platform == "darwin" else taken / 2**10

evaluation = Evaluation(nlp, Known(), DataReport("test", "0" * 64, None), 64)
evaluation.add(docs(320))
before = peak()
evaluation.add(docs(1600))
print(peak() - before)
report = evaluation.result({}, "cpu", 100, 0)
assert report["data"]["tokens"] == 1920 * 60
"""


@pytest.fixture
def nlp() -> Language:
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "LOC", "pattern": "Lyon"}])
    return nlp


def make_doc(nlp: Language, words: list[str], *ents: tuple[int, int, str], **meta: Any) -> Doc:
    doc = Doc(nlp.vocab, words=words)
    doc.set_ents([Span(doc, start, end, label=label) for start, end, label in ents])
    doc.user_data["ctx"] = meta
    return doc


def run(nlp: Language, docs: list[Doc], known: Known | None = None, **settings: Any) -> dict[str, Any]:
    evaluation = Evaluation(nlp, known or Known(), DataReport("test", "0" * 64, settings.get("trained_on")), 2)
    evaluation.add(docs)
    return evaluation.result({}, "cpu", 0, 0)


def test_run_memory_does_not_grow_with_the_documents() -> None:
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 8


def test_run_leaves_the_references_alone(nlp: Language) -> None:
    docs = [make_doc(nlp, ["in", "Lyon"], (0, 1, "LOC")) for _ in range(5)]
    before = [doc.to_bytes() for doc in docs]
    run(nlp, docs)
    assert [doc.to_bytes() for doc in docs] == before


def test_run_names_domains_by_what_the_document_says_or_its_file(nlp: Language) -> None:
    docs = [make_doc(nlp, ["Lyon"], source="a/web.txt"), make_doc(nlp, ["Lyon"], domain="law"), make_doc(nlp, ["Lyon"])]
    docs[2].user_data["domain"] = "mail"
    names = [each["name"] for each in run(nlp, docs)["data"]["domains"]]
    assert names == ["law", "mail", "web"]


def test_run_counts_texts_that_were_trained_on(nlp: Language) -> None:
    docs = [make_doc(nlp, ["in", "Lyon"], (1, 2, "LOC")), make_doc(nlp, ["Lyon"], (0, 1, "LOC"))]
    report = run(nlp, docs, trained_on=lambda text: text.strip() == "Lyon")
    assert report["data"]["trained_on"] == 1


def test_run_leaves_out_layers_that_the_pipeline_does_not_set(nlp: Language) -> None:
    doc = make_doc(nlp, ["in", "Lyon"], (1, 2, "LOC"))
    doc[0].tag_ = "IN"
    doc.spans["chunks"] = [doc[0:2]]
    assert [each["id"] for each in run(nlp, [doc])["components"]] == ["ents"]


def test_run_takes_layers_that_a_component_sets_without_saying_so(nlp: Language) -> None:
    @Language.component("test_report_chunks")
    def chunks(doc: Doc) -> Doc:
        doc.spans["chunks"] = [Span(doc, 0, 1, label="NP")]
        return doc

    nlp.add_pipe("test_report_chunks")
    doc = make_doc(nlp, ["in", "Lyon"], (1, 2, "LOC"))
    doc.spans["chunks"] = [Span(doc, 0, 2, label="NP")]
    ents, group = run(nlp, [doc])["components"]
    assert (ents["set_by"], group["id"], group["set_by"]) == (["entity_ruler"], "spans:chunks", [])


def test_run_takes_layers_that_are_called_like_a_component(nlp: Language) -> None:
    nlp.add_pipe("span_ruler", name="names", config={"spans_key": "names_fine"}).add_patterns(
        [{"label": "CITY", "pattern": "Lyon"}]
    )
    doc = make_doc(nlp, ["in", "Lyon"], (1, 2, "LOC"))
    doc.spans["names_coarse"] = [Span(doc, 1, 2, label="PLACE")]
    evaluation = Evaluation(nlp, Known(), DataReport("test", "0" * 64, None), 64)
    evaluation.add([doc])
    assert "spans:names_coarse" in evaluation.reports


def test_run_has_no_sentences_of_a_document_with_one_word(nlp: Language) -> None:
    docs = [make_doc(nlp, ["Lyon"], (0, 1, "LOC")), make_doc(nlp, ["in", "Lyon"], (1, 2, "LOC"))]
    [ents] = run(nlp, docs)["components"]
    assert "sentence_length" in [each["analysis"] for each in ents["unavailable"]]


def test_run_does_not_judge_tokens_under_entities_that_are_not_judged(nlp: Language) -> None:
    nlp.get_pipe("entity_ruler").add_patterns([{"label": "LOC", "pattern": "New York"}])
    doc = Doc(nlp.vocab, ["New", "York", "and", "Lyon"])
    doc.set_ents([Span(doc, 3, 4, label="LOC")], missing=[doc[1:2]], default="outside")
    [ents] = run(nlp, [doc])["components"]
    assert (ents["tokens"]["all"]["correct"], ents["tokens"]["all"]["total"]) == (2, 2)
    assert ents["confusion"]["tokens"]["pairs"] == []


def test_run_says_why_there_is_no_comparison_with_training(nlp: Language) -> None:
    doc = make_doc(nlp, ["in", "Lyon"], (1, 2, "LOC"))
    named = known_of_docs([Doc(nlp.vocab, ["in", "Lyon"])], "train", "0" * 64)
    reasons = []
    for known in (Known(), named):
        evaluation = Evaluation(nlp, known, DataReport("test", "0" * 64, None), 64)
        evaluation.add([doc])
        [ents] = evaluation.components(0, 0)
        reasons.append({each["analysis"]: each["reason"] for each in ents["unavailable"]}["seen"])
    assert "name it with --train" in reasons[0]
    assert reasons[1] == "the training data has no such annotation"


def test_setters_are_told_by_what_components_say(nlp: Language) -> None:
    nlp.add_pipe("tagger")
    nlp.add_pipe("morphologizer")
    nlp.add_pipe("span_ruler", config={"spans_key": "rules"})
    nlp.add_pipe("ner", name="second")
    nlp.add_pipe("span_finder", config={"spans_key": "found"})
    assert find_setters(nlp) == {
        "ents": ["entity_ruler", "second"],
        "tag": ["tagger"],
        "pos": ["morphologizer"],
        "spans:rules": ["span_ruler"],
        "spans:found": ["span_finder"],
    }


def test_known_counts_mentions_and_words(nlp: Language) -> None:
    docs = [make_doc(nlp, ["in", "Lyon"], (1, 2, "LOC")), make_doc(nlp, ["Lyon"], (0, 1, "LOC"))]
    docs[0].spans["sc"] = [Span(docs[0], 0, 2, label="NP")]
    known = known_of_docs(docs, "train.spacy", "0" * 64)
    assert list(known.mentions["ents"].values()) == [2]
    assert list(known.mentions["spans:sc"].values()) == [1]
    assert known.words == {"in": 1, "Lyon": 2}
    assert known.about == {
        "source": "file", "path": "train.spacy", "sha256": "0" * 64, "documents": 2, "tokens": 3,
    }  # fmt: skip


def test_known_is_nothing_of_a_pipeline_that_keeps_no_mentions(nlp: Language) -> None:
    assert known_of_pipeline(nlp) == Known()
