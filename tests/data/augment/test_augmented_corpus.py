"""The reader that makes new variants for every epoch."""

from pathlib import Path
from typing import Any, List

import pytest
from augment_helpers import annotate
from pipelines import LINES, write_corpus
from spacy import registry
from spacy.language import Language
from spacy.training import Example
from spacy.training.corpus import Corpus

from spacy_ctxtag.data.augment.char_noise import create_char_noise_v1
from spacy_ctxtag.data.augment.corpus import create_augmented_corpus_v1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "corpus.spacy")


def reader(path: Path, **settings: Any) -> Any:
    return create_augmented_corpus_v1(Corpus(path), create_char_noise_v1(level=0.9, rate=0.9), **settings)


def texts(examples: Any) -> List[str]:
    return [example.reference.text for example in examples]


def test_augmented_corpus_has_other_variants_in_another_order_in_every_epoch(nlp: Language, path: Path) -> None:
    corpus = reader(path)
    first, second = texts(corpus(nlp)), texts(corpus(nlp))
    assert len(first) == len(second) == len(LINES)
    assert sorted(first) != sorted(second)
    lengths = [[len(example.reference) for example in corpus(nlp)] for _ in range(8)]
    assert sorted(lengths[0]) == sorted(lengths[1])
    assert len({tuple(each) for each in lengths}) > 1


def test_augmented_corpus_with_the_same_seed_gives_the_same_epochs(nlp: Language, path: Path) -> None:
    one, other = reader(path, seed=1), reader(path, seed=1)
    assert [texts(one(nlp)) for _ in range(3)] == [texts(other(nlp)) for _ in range(3)]
    assert texts(reader(path, seed=1)(nlp)) != texts(reader(path, seed=2)(nlp))


def test_augmented_corpus_reads_once(nlp: Language) -> None:
    calls = []

    def corpus(nlp: Language) -> Any:
        calls.append(1)
        yield annotate(nlp, "[LOC Rome]")

    augmented = create_augmented_corpus_v1(corpus, create_char_noise_v1())
    for _ in range(3):
        list(augmented(nlp))
    assert len(calls) == 1


def test_augmented_corpus_begins_with_documents_that_show_all_labels(nlp: Language) -> None:
    lines = ["nothing"] * 200 + ["[LOC Rome] is big", "[ORG Acme] is big", "[PERSON Tom] is big"]
    examples = [annotate(nlp, line) for line in lines]
    chunked = annotate(nlp, "a chunk")
    chunked.reference.spans["chunks"] = [chunked.reference[0:2]]
    corpus = create_augmented_corpus_v1(lambda nlp: [*examples, chunked], lambda nlp, example: iter([example]))
    for _ in range(3):
        made: List[Example] = list(corpus(nlp))
        assert {ent.label_ for each in made[:4] for ent in each.reference.ents} == {"LOC", "ORG", "PERSON"}
        assert any(each.reference.spans for each in made[:4])
        assert len(made) == 204


def test_augmented_corpus_variants_have_the_metadata(nlp: Language, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("# doc = a\n# domain = web\n[LOC Rome] is far\n", encoding="utf8")
    inner = registry.readers.get("spacy-ctxtag.Corpus.v1")(tmp_path)
    corpus = create_augmented_corpus_v1(inner, create_char_noise_v1(level=1.0, rate=1.0))
    (made,) = corpus(nlp)
    assert made.reference.text != "Rome is far"
    assert made.predicted.user_data["ctx"]["domain"] == made.reference.user_data["ctx"]["domain"] == "web"
