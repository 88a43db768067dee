"""Counts: summed over documents they give the scores of spaCy's own Scorer, to the last digit."""

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.scorer import Scorer, get_ner_prf
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_ctxtag.evaluation.counts import count_examples, f_score

VOCAB = spacy.blank("en").vocab
TAGS = st.sampled_from(["O", "B-A", "I-A", "B-B", "-"])
POS = st.sampled_from(["NOUN", "VERB", ""])
WORDS = ["ab", "c", "\n", "de", "f"]


def as_bio(tags):
    """Tags that spaCy takes: an inside follows its beginning."""
    found = []
    for tag in tags:
        ok = tag != "I-A" or (found and found[-1] in ("B-A", "I-A"))
        found.append(tag if ok else "B-A")
    return found


@st.composite
def example(draw):
    """A reference, and predictions over the same text that is perhaps cut differently."""
    joined = draw(st.booleans())
    guess_words = ["abc", *WORDS[2:]] if joined else WORDS
    docs = []
    for words, known in ((guess_words, False), (WORDS, draw(st.booleans()))):
        n = len(words)
        drawn = draw(st.lists(TAGS, min_size=n, max_size=n))
        pos = draw(st.lists(POS, min_size=n, max_size=n))
        ents = as_bio(["O" if tag == "-" else tag for tag in drawn])
        doc = Doc(VOCAB, words=words, spaces=[False] * n, ents=ents, tags=pos, pos=pos)
        if known:
            missing = [doc[i : i + 1] for i, tag in enumerate(drawn) if tag == "-"]
            doc.set_ents(list(doc.ents), missing=missing, default="outside")
        if draw(st.booleans()):
            doc.spans["sc"] = [Span(doc, a, b, label=tag) for a, b, tag in draw(spans(n))]
        docs.append(doc)
    return Example(*docs)


def spans(n):
    borders = st.tuples(st.integers(0, n - 1), st.integers(1, n), st.sampled_from("XY")).filter(lambda s: s[0] < s[1])
    return st.lists(borders, max_size=4, unique=True)


@given(examples=st.lists(example(), min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_sums_give_spacys_scores(examples):
    counts = count_examples(examples)
    expected = {"ents_f": get_ner_prf(examples)["ents_f"]}
    for attr in ("tag", "pos"):
        annotated = [eg for eg in examples if eg.reference.has_annotation(attr.upper())]
        expected[f"{attr}_acc"] = Scorer.score_token_attr(annotated, attr)[f"{attr}_acc"] if annotated else None
    for name, score in expected.items():
        if score is None:
            assert name not in counts or not counts[name].any()
        else:
            assert f_score(counts[name].sum(axis=0)) == pytest.approx(score, abs=1e-15)


@given(examples=st.lists(example(), min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
def test_span_groups_give_spacys_scores(examples):
    counts = count_examples(examples)
    annotated = [eg for eg in examples if "sc" in eg.reference.spans]
    assert ("spans_sc_f" in counts) == bool(annotated)
    if annotated:
        scores = Scorer.score_spans(
            annotated, "spans_sc", getter=lambda doc, _: doc.spans.get("sc", []), has_annotation=lambda doc: True,
            allow_overlap=True, labeled=True,
        )  # fmt: skip
        assert f_score(counts["spans_sc_f"].sum(axis=0)) == pytest.approx(scores["spans_sc_f"] or 0.0, abs=1e-15)


def test_documents_keep_their_rows():
    gold = [Doc(VOCAB, ["a", "b"], ents=["B-A", "O"]), Doc(VOCAB, ["c"]), Doc(VOCAB, ["d"], ents=["B-B"])]
    guess = [Doc(VOCAB, ["a", "b"], ents=["B-A", "B-A"]), Doc(VOCAB, ["c"]), Doc(VOCAB, ["d"], ents=["O"])]
    counts = count_examples(Example(*pair) for pair in zip(guess, gold, strict=True))
    assert set(counts) == {"ents_f"}
    assert counts["ents_f"].tolist() == [[1, 2, 1], [0, 0, 0], [0, 0, 1]]
