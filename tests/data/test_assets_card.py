"""The data card of the shipped corpus says what is true: counts, and the agreement of its two annotations."""

import re
from collections import Counter
from pathlib import Path

import pytest

from spacy_ctxtag.data.sources import ReadOptions, SourceReader, find_files

ASSETS = Path(__file__).parents[2] / "assets"
CARD = (ASSETS / "README.md").read_text(encoding="utf8")


@pytest.fixture(scope="module")
def folders(nlp):
    """By the name of a folder, its documents by their ids."""
    problems, docs = [], {}
    for name in ("train", "dev", "test", "second"):
        reader = SourceReader(nlp, ReadOptions(format="inline"))
        paths = find_files([ASSETS / name], problems, format="inline")
        docs[name] = {doc.user_data["ctx"]["id"]: doc for path in paths for doc in reader.read(path, problems)}
    assert problems == []
    return docs


@pytest.fixture(scope="module")
def twice(folders):
    """Pairs of a document in the first and in the second annotation."""
    first = {**folders["train"], **folders["dev"], **folders["test"]}
    return [(first[name], doc) for name, doc in folders["second"].items()]


def kappa(one, other):
    """Cohen's kappa (Cohen 1960): agreement beyond what the two distributions of labels give by chance."""
    observed = sum(a == b for a, b in zip(one, other, strict=True)) / len(one)
    left, right = Counter(one), Counter(other)
    chance = sum(left[label] * right[label] for label in left) / len(one) ** 2
    return (observed - chance) / (1 - chance)


def figure(line):
    """The number in the last column of the row of the card that begins with `line`."""
    return float(re.search(rf"^\| {re.escape(line)}.*\| ([\d.]+) \|$", CARD, re.M).group(1))


@pytest.mark.parametrize(("column", "split"), [(0, "train"), (1, "dev"), (2, "test")])
def test_card_counts_are_true(folders, column, split):
    docs = folders[split].values()
    counts = Counter(ent.label_ for doc in docs for ent in doc.ents)
    counts["documents"], counts["sentences"] = len(docs), sum(len(list(doc.sents)) for doc in docs)
    counts["tokens"] = sum(len(doc) for doc in docs)
    rows = dict(re.findall(r"^\| (\w+) \| (.*) \|$", CARD, re.M))
    assert {name: int(rows[name].split(" | ")[column].replace(",", "")) for name in counts} == counts


def test_card_second_annotation_covers_a_tenth_with_the_same_tokens(folders, twice):
    n_docs = sum(len(folders[split]) for split in ("train", "dev", "test"))
    assert len(twice) >= n_docs // 10
    assert all([t.text for t in a] == [t.text for t in b] for a, b in twice)
    n_sents, n_tokens = sum(len(list(b.sents)) for _, b in twice), sum(len(b) for _, b in twice)
    assert f"({n_sents} sentences, {n_tokens:,} tokens)" in CARD


def test_card_agreement_is_true(twice):
    spans = [[{(e.start, e.end, e.label) for e in doc.ents} for doc in pair] for pair in twice]
    same = sum(len(a & b) for a, b in spans)
    assert figure("entities: F") == round(2 * same / sum(len(a) + len(b) for a, b in spans), 3)
    for row, attr in (("entities: Cohen's kappa", "ent_type"), ("parts of speech: Cohen's kappa", "pos")):
        one, other = ([getattr(token, attr) for pair in twice for token in pair[i]] for i in (0, 1))
        assert figure(row) == round(kappa(one, other), 3)
