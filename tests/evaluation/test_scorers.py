"""The registered scorers, against values computed by hand, spaCy's Scorer and seqeval."""

from typing import Any

import pytest
import spacy
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score, precision_score, recall_score
from spacy.scorer import Scorer
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import registry

from spacy_ctxtag.evaluation.scorers import (
    make_chunker_scorer_v1,
    make_ner_scorer_v1,
    make_parser_scorer_v1,
    make_tagger_scorer_v1,
)

NLP = spacy.blank("en")
score_ner, score_tagger, score_parser = make_ner_scorer_v1(), make_tagger_scorer_v1(), make_parser_scorer_v1()
GOLD = [["B-PER", "O", "B-LOC", "I-LOC", "O"], ["O", "B-PER", "I-PER"], ["O", "O"], ["B-ORG", "O"]]
GUESS = [["B-PER", "O", "B-LOC", "O", "O"], ["B-LOC", "B-PER", "I-PER"], ["O", "O"], ["B-ORG", "O"]]


def make_doc(length: int, **annotation: Any) -> Doc:
    return Doc(NLP.vocab, [f"w{i}" for i in range(length)], **annotation)


def ner_examples(gold: list[list[str]] = GOLD, guess: list[list[str]] = GUESS) -> list[Example]:
    pairs = zip(gold, guess, strict=True)
    return [Example(make_doc(len(b), ents=b), make_doc(len(a), ents=a)) for a, b in pairs]


def test_ner_scorer_equals_hand_computed_values() -> None:
    # PER: 2 right of 2 and 2. LOC: 0 right of 2 predicted, 1 in the reference. ORG: 1 right.
    scores = score_ner(ner_examples())
    assert scores["ents_p"] == pytest.approx(3 / 5)
    assert scores["ents_r"] == pytest.approx(3 / 4)
    assert scores["ents_f"] == pytest.approx(2 / 3)
    assert scores["ents_macro_p"] == pytest.approx(2 / 3)
    assert scores["ents_macro_r"] == pytest.approx(2 / 3)
    assert scores["ents_macro_f"] == pytest.approx(2 / 3)
    assert scores["ents_seq_acc"] == pytest.approx(2 / 4)
    assert scores["ents_per_type"]["LOC"] == {"p": 0.0, "r": 0.0, "f": 0.0}


def test_ner_scorer_equals_seqeval() -> None:
    scores = score_ner(ner_examples())
    assert scores["ents_p"] == pytest.approx(precision_score(GOLD, GUESS))
    assert scores["ents_r"] == pytest.approx(recall_score(GOLD, GUESS))
    assert scores["ents_f"] == pytest.approx(f1_score(GOLD, GUESS))
    assert scores["ents_macro_f"] == pytest.approx(f1_score(GOLD, GUESS, average="macro"))


def test_ner_scorer_agrees_with_spacy() -> None:
    expected = Scorer.score_spans(ner_examples(), "ents")
    scores = score_ner(ner_examples())
    assert {key: scores[key] for key in expected} == expected


def test_ner_scorer_macro_counts_labels_of_the_reference_only() -> None:
    scores = score_ner(ner_examples([["B-PER", "O"]], [["B-PER", "B-ODD"]]))
    assert scores["ents_macro_f"] == 1.0
    assert scores["ents_p"] == 0.5


@pytest.mark.parametrize("examples", [[], [Example(make_doc(2), make_doc(2))], [Example(make_doc(0), make_doc(0))]])
def test_ner_scorer_gives_none_without_annotation(examples: list[Example]) -> None:
    scores = score_ner(examples)
    assert [scores[f"ents_{key}"] for key in ("p", "r", "f", "macro_p", "macro_r", "macro_f", "seq_acc")] == [None] * 7


@pytest.mark.parametrize(
    ("gold", "guess", "collapsed"),
    [(["B-PER", "O"], ["O", "O"], 1.0), (["B-PER", "O"], ["O", "B-LOC"], 0.0), (["O", "O"], ["O", "O"], None)],
)
def test_ner_scorer_tells_no_entity_at_all(gold: list[str], guess: list[str], collapsed: float) -> None:
    assert score_ner(ner_examples([gold], [guess]))["ents_collapsed"] == collapsed


@pytest.mark.parametrize(
    ("gold", "guess", "collapsed"),
    [
        ([(0, 1, "NP")], [], 1.0),
        ([(0, 1, "NP")], None, 1.0),
        ([(0, 1, "NP")], [(1, 2, "VP")], 0.0),
        ([], [], None),
        (None, [], None),
    ],
)
def test_chunker_scorer_is_that_of_spancat_and_tells_no_span_at_all(gold: Any, guess: Any, collapsed: float) -> None:
    docs = [make_doc(3), make_doc(3)]
    for doc, spans in zip(docs, (guess, gold), strict=True):
        if spans is not None:
            doc.spans["np"] = [Span(doc, *span) for span in spans]
    examples = [Example(*docs)]
    scores = make_chunker_scorer_v1()(examples, spans_key="np")
    assert scores.pop("spans_np_collapsed") == collapsed
    assert scores == spacy.registry.get("scorers", "spacy.spancat_scorer.v1")()(examples, spans_key="np")


def test_ner_scorer_reference_without_entities_is_right_when_nothing_is_found() -> None:
    assert score_ner(ner_examples([["O", "O"]], [["O", "O"]]))["ents_seq_acc"] == 1.0


def test_ner_scorer_ignores_what_is_not_annotated() -> None:
    gold = make_doc(3)
    gold.set_ents([Span(gold, 0, 1, "PER")], outside=[gold[1:2]], default="missing")
    scores = score_ner([Example(make_doc(3, ents=["B-PER", "O", "B-LOC"]), gold)])
    assert (scores["ents_p"], scores["ents_seq_acc"]) == (1.0, 1.0)


def test_ner_scorer_aligns_tokens() -> None:
    gold = Doc(
        NLP.vocab, ["New", "York", "-", "based"], spaces=[True, False, False, False], ents=["B-LOC", "I-LOC", "O", "O"]
    )
    same = Doc(NLP.vocab, ["New", "York", "-based"], spaces=[True, False, False], ents=["B-LOC", "I-LOC", "O"])
    more = Doc(NLP.vocab, ["New", "York-based"], spaces=[True, False], ents=["B-LOC", "I-LOC"])
    assert score_ner([Example(same, gold)])["ents_seq_acc"] == 1.0
    assert score_ner([Example(more, gold)])["ents_seq_acc"] == 0.0


def test_ner_scorer_counts_sentences_where_there_are_some() -> None:
    starts = [True, False, True, False]
    gold = make_doc(4, ents=["B-PER", "O", "B-LOC", "O"], sent_starts=starts)
    guess = make_doc(4, ents=["B-PER", "O", "O", "O"])
    assert score_ner([Example(guess, gold)])["ents_seq_acc"] == 0.5


TAGS = [["A", "B", "C"], ["A", "A"], ["C"]]
GUESSED = [["A", "B", "B"], ["A", "A"], ["C"]]


def test_tagger_scorer_equals_hand_computed_values() -> None:
    pairs = zip(TAGS, GUESSED, strict=True)
    scores = score_tagger([Example(make_doc(len(b), tags=b), make_doc(len(a), tags=a)) for a, b in pairs])
    assert scores == {
        "tag_acc": pytest.approx(5 / 6),
        "tag_seq_acc": pytest.approx(2 / 3),
        "pos_acc": None,
        "pos_seq_acc": None,
        "tag_collapsed": 0.0,
        "pos_collapsed": None,
    }


def test_tagger_scorer_scores_parts_of_speech() -> None:
    gold, guess = make_doc(2, pos=["NOUN", "VERB"]), make_doc(2, pos=["NOUN", "ADJ"])
    scores = score_tagger([Example(guess, gold)])
    assert (scores["pos_acc"], scores["pos_seq_acc"], scores["tag_acc"]) == (0.5, 0.0, None)


def test_tagger_scorer_agrees_with_spacy_on_misaligned_tokens() -> None:
    gold = Doc(NLP.vocab, ["a", "b", "c"], spaces=[True, False, False], tags=["A", "B", "C"])
    guess = Doc(NLP.vocab, ["a", "bc"], spaces=[True, False], tags=["A", "B"])
    example = Example(guess, gold)
    scores = score_tagger([example])
    assert scores["tag_acc"] == Scorer.score_token_attr([example], "tag")["tag_acc"]
    assert scores["tag_seq_acc"] == 0.0


def test_tagger_scorer_ignores_tokens_without_gold_tag_and_white_space() -> None:
    words = ["a", "\n", "b"]
    gold = Doc(NLP.vocab, words, tags=["A", "_SP", ""])
    guess = Doc(NLP.vocab, words, tags=["A", "X", "X"])
    scores = score_tagger([Example(guess, gold)])
    assert scores["tag_seq_acc"] == 1.0


@pytest.mark.parametrize(
    ("gold", "guess", "collapsed"),
    [
        (["A", "B"], ["A", "B"], 0.0),
        (["A", "B"], ["A", "A"], 1.0),
        (["A", "B"], ["", ""], 1.0),
        (["A", "A"], ["A", "A"], 0.0),
        (["A", ""], ["A", "A"], 0.0),
    ],
)
def test_tagger_scorer_tells_one_tag_for_everything(gold: list[str], guess: list[str], collapsed: float) -> None:
    scores = score_tagger([Example(make_doc(2, tags=guess), make_doc(2, tags=gold))])
    assert scores["tag_collapsed"] == collapsed


@pytest.mark.parametrize("examples", [[], [Example(make_doc(2), make_doc(2))], [Example(make_doc(0), make_doc(0))]])
def test_tagger_scorer_gives_none_without_annotation(examples: list[Example]) -> None:
    assert set(score_tagger(examples).values()) == {None}


def tree_examples() -> list[Example]:
    """One document without a tree, one with a tree and a sentence border."""
    heads, deps = [1, 1, 1, 3], ["nsubj", "ROOT", "obj", "ROOT"]
    gold = make_doc(4, heads=heads, deps=deps)
    guess = make_doc(4, heads=[1, 1, 0, 3], deps=["nsubj", "ROOT", "obj", "ROOT"])
    bare = make_doc(4, heads=heads, deps=deps)
    return [Example(bare, make_doc(4)), Example(guess, gold)]


def test_parser_scorer_scores_the_documents_that_have_trees() -> None:
    scores = score_parser(tree_examples())
    assert (scores["dep_uas"], scores["dep_las"]) == (0.75, 0.75)
    assert scores["dep_las_per_type"]["nsubj"]["f"] == 1.0


def test_parser_scorer_agrees_with_spacy_where_all_have_trees() -> None:
    examples = tree_examples()[1:]
    assert score_parser(examples) == spacy.blank("en").add_pipe("parser").scorer(examples)


def test_parser_scorer_counts_sentences_of_documents_without_trees() -> None:
    gold = make_doc(2, sent_starts=[True, True])
    scores = score_parser([Example(make_doc(2, heads=[0, 0], deps=["ROOT", "dep"]), gold)])
    assert (scores["sents_p"], scores["sents_r"], scores["dep_uas"]) == (0.0, 0.0, None)


WORDS = ["ab", "c", "\n", "de", "f"]
DEPS = st.sampled_from(["nsubj", "OBJ", "punct", ""])


@st.composite
def partial_trees(draw: Any) -> Example:
    """A tree that is annotated in part or not at all, and a predicted one over the text, perhaps cut differently."""
    docs = []
    for words in (["abc", *WORDS[2:]] if draw(st.booleans()) else WORDS, WORDS):
        heads = [draw(st.integers(0, i)) for i in range(len(words))]
        deps = draw(st.one_of(st.just([""] * len(words)), st.lists(DEPS, min_size=len(words), max_size=len(words))))
        docs.append(Doc(NLP.vocab, words, [False] * len(words), heads=heads, deps=deps))
    return Example(*docs)


@given(examples=st.lists(partial_trees(), min_size=2, max_size=4), rng=st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_parser_scorer_does_not_depend_on_the_order_of_documents(examples: list[Example], rng: Any) -> None:
    scores = score_parser(examples)
    rng.shuffle(examples)
    assert score_parser(examples) == scores


@given(examples=st.lists(partial_trees(), min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
def test_parser_scorer_equals_spacy_on_all_trees_as_one_document(examples: list[Example]) -> None:
    trees = [eg for eg in examples if eg.reference.has_annotation("DEP")]
    assume(trees)
    joined = Example(*(Doc.from_docs([getattr(eg, side) for eg in trees]) for side in ("predicted", "reference")))
    expected = registry.get("scorers", "spacy.parser_scorer.v1")()([joined])
    scores = score_parser(examples)
    assert {key: scores[key] for key in scores if key.startswith("dep_")} == {
        key: expected[key] for key in expected if key.startswith("dep_")
    }
