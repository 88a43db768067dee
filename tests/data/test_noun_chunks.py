"""The rule that derives noun chunks from parts of speech."""

import pytest
from spacy.tokens import Doc

from spacy_ctxtag.data.noun_chunks import add_noun_chunks, noun_chunks


def make_doc(nlp, line, **annotation):
    """A Doc from `word/POS`; "word" alone has no part of speech."""
    words, pos = zip(*(piece.partition("/")[::2] for piece in line.split()), strict=True)
    return Doc(nlp.vocab, words=list(words), pos=list(pos), **annotation)


CASES = {
    "she/PRON left/VERB Porto/PROPN": ["she", "Porto"],
    "all/DET his/PRON three/NUM old/ADJ friends/NOUN left/VERB": ["all his three old friends"],
    "the/DET man/NOUN in/ADP the/DET street/NOUN": ["the man", "the street"],
    "the/DET man/NOUN the/DET dog/NOUN bit/VERB": ["the man", "the dog"],
    "the/DET man/NOUN that/PRON I/PRON saw/VERB": ["the man", "that", "I"],
    "the/DET red/ADJ one/PRON": ["the red one"],
    "all/DET those/PRON": ["all those"],
    "glad/ADJ you/PRON came/VERB": ["you"],
    "a/DET city/NOUN council/NOUN meeting/NOUN": ["a city council meeting"],
    "a/DET man/NOUN happy/ADJ and/CCONJ rich/ADJ": ["a man"],
    "the/DET two/NUM left/VERB": [],
    "Anna/PROPN 's/PART old/ADJ friend/NOUN": ["Anna", "old friend"],
    "gave/VERB him/PRON new/ADJ books/NOUN": ["him new books"],  # what the rule does not tell apart
    "go/VERB !/PUNCT": [],
}


@pytest.mark.parametrize("line", CASES)
def test_noun_chunks_are_those_of_the_rule(nlp, line):
    found = noun_chunks(make_doc(nlp, line))
    assert [span.text for span in found] == CASES[line]
    assert {span.label_ for span in found} <= {"NP"}


def test_noun_chunks_cross_no_sentence(nlp):
    line = "old/ADJ men/NOUN women/NOUN"
    assert [len(span) for span in noun_chunks(make_doc(nlp, line))] == [3]
    assert [len(span) for span in noun_chunks(make_doc(nlp, line, sent_starts=[True, False, True]))] == [2, 1]


def test_noun_chunks_of_an_empty_doc(nlp):
    assert noun_chunks(Doc(nlp.vocab)) == []


def test_add_noun_chunks_leaves_what_is_there(nlp):
    doc = make_doc(nlp, "she/PRON left/VERB")
    doc.spans["chunks"] = [doc[0:2]]
    add_noun_chunks(doc, "chunks")
    add_noun_chunks(doc, "other")
    assert [[span.text for span in doc.spans[key]] for key in ("chunks", "other")] == [["she left"], ["she"]]


@pytest.mark.parametrize(("line", "is_known"), [("she left", False), ("she/PRON left", False), ("go/VERB", True)])
def test_add_noun_chunks_knows_nothing_without_parts_of_speech(nlp, line, is_known):
    doc = make_doc(nlp, line)
    add_noun_chunks(doc, "chunks")
    assert ("chunks" in doc.spans) == is_known


def test_add_noun_chunks_needs_no_part_of_speech_for_white_space(nlp):
    doc = Doc(nlp.vocab, words=["she", "\n"], pos=["PRON", ""])
    add_noun_chunks(doc, "chunks")
    assert [span.text for span in doc.spans["chunks"]] == ["she"]


def test_white_space_cuts_no_chunk(nlp):
    words, pos = ["the", " ", "old", "\n", "dog", "barks"], ["DET", "SPACE", "ADJ", "SPACE", "NOUN", "VERB"]
    doc = Doc(nlp.vocab, words, [True, False, True, False, True, False], pos=pos)
    assert [(chunk.start, chunk.end) for chunk in noun_chunks(doc)] == [(0, 5)]
