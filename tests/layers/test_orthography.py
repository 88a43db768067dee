"""What the orthography layer sees of a token; the contract is in `test_contract.py`."""

import numpy
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import fix_random_seed

from spacy_ctxtag.layers.orthography import Orthography
from spacy_ctxtag.layers.word_flags import FLAGS, REACH, extract_flags

VOCAB = spacy.blank("en").vocab


def read_flags(words):
    """Per token, the names of its flags, but for those of its neighbourhood."""
    flags = extract_flags().predict([Doc(VOCAB, words=words)])[0]
    return [{name for name, flag in zip(FLAGS[:-2], row[:-2], strict=True) if flag} for row in flags]


@pytest.mark.parametrize(
    ("word", "flags"),
    [
        ("house", {"lower", "letters"}),
        ("EU", {"upper", "letters"}),
        ("Paris", {"title", "letters"}),
        ("I", {"upper", "title", "letters", "single"}),
        ("iPhone", {"mixed", "letters"}),
        ("McDonald's", {"mixed", "mark"}),
        ("B-52s", {"mixed", "digit", "mark"}),
        ("1984", {"digit", "digits"}),
        ("3.5", {"digit", "mark"}),
        ("...", {"mark", "marks"}),
        ("$", {"mark", "marks", "single"}),
        ("_", {"mark", "marks", "single"}),
        ("😀", {"mark", "marks", "single"}),
        ("東京", {"letters"}),
        (" \n", {"space"}),
        ("٣", {"digit", "digits", "single"}),
        ("ÅNGSTRÖM", {"upper", "letters"}),
    ],
)
def test_flags_of_a_word(word, flags):
    assert read_flags(["x", word])[1] == flags


@pytest.mark.parametrize(
    "words",
    [
        "The* end . Next* one ! “* Quoted* ” she said ? \n * Bullet*",
        "(* See* Mr. X . )* Then* U.S. troops ... Ellipsis* 。 東京*",
    ],
)
def test_first_marks_the_beginnings_of_sentences(words):
    words = words.replace("\n *", "\n*").split(" ")
    expected = [word.endswith("*") for word in words]
    assert ["first" in flags for flags in read_flags([word.rstrip("*") or "*" for word in words])] == expected


def test_first_starts_anew_with_each_doc():
    docs = [Doc(VOCAB, words=words) for words in (["a", "b"], [], ["c"], ["d", "."])]
    flags = extract_flags().predict(docs)
    assert [each[:, FLAGS.index("first")].tolist() for each in flags] == [[1, 0], [], [1], [1, 0]]


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("rosa left porto at 5", (1, 0)),
        ("ROSA LEFT PORTO !", (0, 1)),
        ("Rosa left Porto", (0, 0)),
        ("東京 5 !", (0, 0)),  # no case, and nothing to say of it
        ("ǅ 5", (0, 0)),  # a capital with a small letter, in one
    ],
)
def test_case_of_the_neighbourhood_is_seen(text, flags):
    found = extract_flags().predict([Doc(VOCAB, words=text.split())])[0]
    assert {tuple(row[-2:]) for row in found.tolist()} == {flags}


@given(st.lists(st.lists(st.sampled_from(["a", "A", "aB", "5"]), max_size=100), min_size=1, max_size=4))
@settings(max_examples=100)
def test_case_of_the_neighbourhood_is_that_of_the_doc_within_reach(docs):
    found = extract_flags().predict([Doc(VOCAB, words=words) for words in docs])
    for words, rows in zip(docs, found, strict=True):
        for i, row in enumerate(rows.tolist()):
            near = "".join(words[max(0, i - REACH) : i + REACH + 1])
            small, capital = near.upper() != near, near.lower() != near
            assert row[-2:] == [small and not capital, capital and not small]


@pytest.mark.parametrize(
    ("attrs", "one", "other"),
    [
        (["PREFIX"], "alpha", "beta"),
        (["SUFFIX"], "walking", "walked"),
        (["SHAPE"], "ab", "abc"),
        (["NORM"], "alpha", "aleph"),
    ],
)
def test_attributes_tell_words_apart(attrs, one, other):
    fix_random_seed(0)
    model = Orthography(4, attrs=attrs, rows=[50]).initialize()
    Y = model.predict([Doc(VOCAB, words=["x", one, other])])[0]
    assert not numpy.allclose(Y[1], Y[2])


def test_words_alike_in_spelling_are_alike():
    fix_random_seed(0)
    model = Orthography(4, attrs=["SHAPE"], rows=[50]).initialize()
    Y = model.predict([Doc(VOCAB, words=["x", "walk", "talk"])])[0]
    assert_allclose(Y[1], Y[2])


def test_two_layers_of_one_seed_hash_alike():
    docs, Y = [Doc(VOCAB, words=["EU", "rejects"])], []
    for _ in range(2):
        fix_random_seed(5)
        Y.append(Orthography(4).initialize().predict(docs)[0])
    assert_array_equal(*Y)


def test_vocab_without_lexical_attributes_is_taken():
    model = Orthography(4).initialize()
    assert model.predict([Doc(Vocab(), words=["EU", "rejects"])])[0].shape == (2, 4)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30), min_size=1, max_size=8))
@settings(max_examples=60)
def test_orthography_takes_any_text(words):
    fix_random_seed(0)
    Y = Orthography(4, rows=[30, 30, 30]).initialize().predict([Doc(VOCAB, words=words)])[0]
    assert Y.shape == (len(words), 4)
    assert numpy.isfinite(Y).all()


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_flags_do_not_contradict_each_other(word):
    flags = read_flags(["x", word])[1]
    assert len(flags & {"lower", "upper", "mixed"}) <= 1
    assert not {"lower", "title"} <= flags
    assert not {"marks", "letters"} <= flags
    assert "mark" in flags or "marks" not in flags


@pytest.mark.parametrize(
    ("setting", "match"),
    [
        ({"attrs": ["PREFIX", "COLOUR"], "rows": [1, 1]}, "'COLOUR' is no token attribute"),
        ({"attrs": ["PREFIX"]}, "met 3 rows for 1 attributes"),
        ({"attrs": [], "rows": []}, "number of attrs is 0"),
        ({"width": 0}, "width is 0"),
        ({"rows": [10, 0, 10]}, "rows is 0"),
    ],
)
def test_orthography_refuses_wrong_settings(setting, match):
    with pytest.raises(ValueError, match=match):
        Orthography(**setting)
