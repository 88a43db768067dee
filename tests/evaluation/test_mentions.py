"""Scores of entities that training has seen, and of others."""

from typing import Any

import pytest
import spacy
from pipelines import make_examples, make_pipeline, train
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_ctxtag.evaluation.mentions import hash_mention, hash_mentions, score_mentions
from spacy_ctxtag.evaluation.scorers import score_ner

NLP = spacy.blank("en")
WORDS = ["Ada", "met", "Bob", "in", "New", "York", "and", "Rom"]
TRAIN = ["B-PER", "O", "O", "O", "B-LOC", "I-LOC", "O", "O"]


def make(gold: list[str], guess: list[str], words: list[str] = WORDS) -> Example:
    return Example(Doc(NLP.vocab, words, ents=guess), Doc(NLP.vocab, words, ents=gold))


KNOWN = hash_mentions([make(TRAIN, TRAIN)])
GOLD = ["B-PER", "O", "B-PER", "O", "B-LOC", "I-LOC", "O", "B-LOC"]


@pytest.mark.parametrize(
    ("guess", "seen", "unseen"),
    [
        (GOLD, (1.0, 1.0, 1.0), (1.0, 1.0, 1.0)),
        (TRAIN, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)),
        (["O"] * 8, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        # Another label: Ada as LOC has not been seen. York alone, neither.
        (["B-LOC", "O", "B-PER", "O", "O", "B-LOC", "O", "O"], (0.0, 0.0, 0.0), (1 / 3, 1 / 2, 0.4)),
    ],
)
def test_mentions_equal_hand_computed_values(guess: list[str], seen: Any, unseen: Any) -> None:
    scores = score_mentions([make(GOLD, guess)], KNOWN)
    assert [scores[f"ents_{key}_seen"] for key in "prf"] == pytest.approx(seen)
    assert [scores[f"ents_{key}_unseen"] for key in "prf"] == pytest.approx(unseen)


def test_mentions_of_both_sides_are_those_of_the_ordinary_scores() -> None:
    guess = ["B-PER", "O", "O", "O", "B-LOC", "I-LOC", "B-PER", "B-LOC"]
    known, none, every = (
        score_ner([make(GOLD, guess)], train_mentions=each) for each in (KNOWN, [], hash_mentions([make(GOLD, guess)]))
    )
    assert none["ents_f_unseen"] == known["ents_f"]
    assert none["ents_f_seen"] is None
    assert every["ents_r_seen"] == known["ents_r"]


@pytest.mark.parametrize("examples", [[], [Example(Doc(NLP.vocab, WORDS), Doc(NLP.vocab, WORDS))]])
def test_mentions_without_annotation_give_none(examples: list[Example]) -> None:
    assert set(score_mentions(examples, KNOWN).values()) == {None}


def test_mentions_give_none_when_training_is_not_known() -> None:
    assert set(score_mentions([make(GOLD, GOLD)], None).values()) == {None}


def test_mentions_ignore_what_is_not_annotated() -> None:
    gold = Doc(NLP.vocab, WORDS)
    gold.set_ents([Span(gold, 0, 1, "PER")], outside=[gold[6:8]], default="missing")
    scores = score_mentions([Example(Doc(NLP.vocab, WORDS, ents=GOLD), gold)], KNOWN)
    assert (scores["ents_f_seen"], scores["ents_p_unseen"]) == (1.0, 0.0)


def test_mentions_are_aligned() -> None:
    words = ["Ada", "met", "Bob", "in", "New York", "and", "Rom"]
    guess = Doc(NLP.vocab, words, ents=["B-PER", "O", "B-PER", "O", "B-LOC", "O", "B-LOC"])
    scores = score_mentions([Example(guess, Doc(NLP.vocab, WORDS, ents=GOLD))], KNOWN)
    assert (scores["ents_f_seen"], scores["ents_f_unseen"]) == (1.0, 1.0)


def test_mention_hash_ignores_white_space_and_no_case() -> None:
    assert hash_mention("New  York", "LOC") == hash_mention("New\nYork", "LOC")
    assert len({hash_mention(text, label) for text in ("a", "A", "\ud800") for label in ("X", "Y")}) == 6


def test_ner_keeps_the_mentions_it_was_initialized_with(tiny_backbone: str, tmp_path: Any) -> None:
    nlp = make_pipeline(["ctx_ner"], tiny_backbone)
    examples = make_examples(nlp)
    train(nlp, examples[:2])
    nlp.to_disk(tmp_path)
    scores, again = nlp.evaluate(examples), spacy.load(tmp_path).evaluate(examples)
    assert scores["ents_r_seen"] == 1.0
    assert 0.0 <= scores["ents_r_unseen"] < 1.0
    assert {key: again[key] for key in scores if "seen" in key} == {key: scores[key] for key in scores if "seen" in key}
