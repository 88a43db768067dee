"""`ctx_ner` on a corpus of which half the entities are gone: unknown where they were, or said to be no entity."""

import random
from functools import partial

from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from . import ctx
from .common import Run, Sentence, main, spans_of
from .spacy_loop import SpacySystem

SHARE = 0.5  # of the entities are dropped, each by a coin of its own
# Tighter than the defaults of `ctx_ner`, and better on dev: the share is known well here.
RATIO = {"entity_ratio_margin": 0.01, "entity_ratio_weight": 30.0}


def part_of_gold(run: Run, vocab: Vocab, sentence: Sentence) -> Doc:
    """The entities that are left; the words of the others are missing, or, in a "plain" system, outside."""
    coin = random.Random(f"{run.seed} {' '.join(sentence.words)}")
    doc = Doc(vocab, sentence.words)
    kept: list[Span] = []
    dropped: list[Span] = []
    for start, end, label in spans_of(sentence.tags["ner"]):
        (dropped if coin.random() < SHARE else kept).append(Span(doc, start, end, label=label))
    doc.set_ents(kept, missing=[] if run.system.endswith("plain") else dropped, default="outside")
    return doc


def entity_ratio(sentences: list[Sentence]) -> float:
    """RETURNS: the share of tokens that are in entities."""
    inside = [tag != "O" for sentence in sentences for tag in sentence.tags["ner"]]
    return sum(inside) / len(inside)


def build(run: Run, train: list[Sentence]) -> SpacySystem:
    settings = {"entity_ratio": entity_ratio(run.read("dev")), **RATIO} if run.system.endswith("ratio") else {}
    config = ctx.pipeline_of(ctx.shipped(**settings))
    gold = partial(part_of_gold, run)
    return SpacySystem(run, train, config, rate=ctx.HEAD_RATE * run.lr, gold=gold)


if __name__ == "__main__":
    main(build)
