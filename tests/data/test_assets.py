"""The corpus that ships with the project: what its README and the configs rely on."""

import re
from collections import Counter
from pathlib import Path

import pytest

from spacy_ctxtag.data.records import UPOS
from spacy_ctxtag.data.sources import ReadOptions, SourceReader, find_files
from spacy_ctxtag.data.statistics import unseen_share
from spacy_ctxtag.data.validate import validate

ASSETS = Path(__file__).parents[2] / "assets"
SPLITS = ("train", "dev", "test")
LABELS = {"PERSON", "ORG", "LOC", "PRODUCT", "EVENT", "DATE", "MONEY"}


@pytest.fixture(scope="module")
def corpus(nlp):
    """Documents of each split, and the problems of reading them."""
    reader = SourceReader(nlp, ReadOptions(format="inline"))
    problems = []
    files = {name: find_files([ASSETS / name], problems, format="inline") for name in SPLITS}
    docs = {name: [doc for path in paths for doc in reader.read(path, problems)] for name, paths in files.items()}
    return docs, problems


@pytest.fixture(scope="module")
def validation(nlp):
    return validate({name: [ASSETS / name] for name in SPLITS}, nlp)


def where(doc, sent):
    return f"{doc.user_data['ctx']['id']}: {sent.text}"


def test_assets_have_no_problem(corpus, validation):
    assert corpus[1] == []
    assert [str(problem) for problem in validation.errors] == []


def test_assets_are_large_enough(corpus):
    docs = [doc for docs in corpus[0].values() for doc in docs]
    assert len(docs) >= 120
    assert sum(len(list(doc.sents)) for doc in docs) >= 600


@pytest.mark.parametrize("split", SPLITS)
def test_assets_have_six_domains_in_every_split(corpus, split):
    assert len({doc.user_data["ctx"]["domain"] for doc in corpus[0][split]}) >= 6


@pytest.mark.parametrize("split", SPLITS)
def test_assets_have_every_label_in_every_split(corpus, split):
    assert {ent.label_ for doc in corpus[0][split] for ent in doc.ents} == LABELS


def test_assets_mentions_are_mostly_new_in_the_test_split(validation):
    train, _, test = validation.splits
    assert unseen_share(train, test) >= 0.4


def test_assets_sentence_frames_are_not_repeated(corpus):
    frames = {}
    for docs in corpus[0].values():
        for doc in docs:
            for sent in doc.sents:
                labels = {ent.start: ent.label_ for ent in sent.ents}
                words = [
                    labels.get(token.i, "") if token.ent_type else re.sub(r"\d+", "0", token.lower_) for token in sent
                ]
                frames.setdefault(" ".join(word for word in words if word), []).append(where(doc, sent))
    assert [places for places in frames.values() if len(places) > 1] == []


def test_assets_have_a_part_of_speech_for_every_token(corpus):
    docs = [doc for docs in corpus[0].values() for doc in docs]
    assert [where(doc, token) for doc in docs for token in doc if token.pos_ not in UPOS] == []


def test_assets_have_the_tokens_of_the_tokenizer(corpus, nlp):
    different = []
    for docs in corpus[0].values():
        for doc in docs:
            for sent in doc.sents:
                expected = [token.text for token in nlp.make_doc(sent.text)]
                found = [token.text for token in sent]
                if expected != found:
                    different.append((where(doc, sent), list((Counter(expected) - Counter(found)).elements())))
            if not different and [token.text for token in nlp.make_doc(doc.text)] != [token.text for token in doc]:
                different.append((doc.user_data["ctx"]["id"], "as a whole"))
    assert different == []


def test_assets_entities_have_no_white_space_at_an_edge(corpus):
    ents = [ent for docs in corpus[0].values() for doc in docs for ent in doc.ents]
    assert [ent.text for ent in ents if ent.text != ent.text.strip()] == []
