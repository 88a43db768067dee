"""Where gold is read: spaCy's own, slower way is the oracle."""

import numpy as np
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.training import Example

from spacy_ctxtag.components.span_gold import ENTITIES

VOCAB = spacy.blank("en").vocab
CUTS = [["ab", "c", "\n", "de", "f"], ["abc", "\n", "d", "ef"], ["a", "b", "c", "\n", "def"]]
TAG = st.sampled_from(["O", "B-A", "I-A", "B-B", "?", ""])


@st.composite
def example(draw):
    """A reference with entities, blocked and unknown tokens; a predicted Doc that is perhaps cut differently."""
    words, others = draw(st.sampled_from(CUTS)), draw(st.sampled_from(CUTS))
    tags = draw(st.lists(TAG, min_size=len(words), max_size=len(words)))
    ents = ["O" if tag in ("?", "") else tag for tag in tags]
    for i, tag in enumerate(ents):
        if tag == "I-A" and (i == 0 or not ents[i - 1].endswith("-A")):
            ents[i] = "B-A"
    reference = Doc(VOCAB, words, [False] * len(words), ents=ents)
    if draw(st.booleans()):
        missing = [reference[i : i + 1] for i, tag in enumerate(tags) if tag == "?"]
        blocked = [reference[i : i + 1] for i, tag in enumerate(tags) if tag == ""]
        reference.set_ents(list(reference.ents), missing=missing, blocked=blocked, default="outside")
    return Example(Doc(VOCAB, others, [False] * len(others)), reference)


@given(example())
@settings(max_examples=300, deadline=None)
def test_entities_are_those_that_spacy_reads(example):
    ents, tags = example.get_aligned_ents_and_ner()
    found = ENTITIES.read(example, ["A", "B"])
    assert [(ent.start, ent.end, ent.label) for ent in found.spans] == [(e.start, e.end, e.label) for e in ents]
    assert found.missing.tolist() == [tag is None or tag == "-" for tag in tags]


def test_nothing_annotated_is_all_missing():
    example = Example(Doc(VOCAB, ["a", "b"]), Doc(VOCAB, ["a", "b"]))
    found = ENTITIES.read(example, ["A"])
    assert (found.spans, found.missing.tolist()) == ([], [True, True])
    assert found.missing.dtype == np.bool_
