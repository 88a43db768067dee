"""`ctx_ner` with wrong tags on rare labels made dearer, with their sentences repeated, and with both."""

import random
from dataclasses import dataclass

from spacy_ctxtag.data.rare_labels import repeat_factors

from . import ctx
from .common import Run, Sentence, main, spans_of
from .spacy_loop import SpacySystem

COST = 2.0
THRESHOLD = 0.3  # of `spacy-ctxtag.RareLabels.v1`: labels in fewer sentences are repeated
MAX_REPEAT = 10.0


def labels_of(sentence: Sentence) -> set[str]:
    return {label for _, _, label in spans_of(sentence.tags["ner"])}


def rare_labels(sentences: list[Sentence], n: int = 3) -> list[str]:
    """RETURNS: the labels that the fewest sentences have, the rarest first."""
    found = [label for sentence in sentences for label in labels_of(sentence)]
    return sorted(set(found), key=lambda label: (found.count(label), label))[:n]


@dataclass(frozen=True)
class RareRun(Run):
    """A training that reads sentences with rare labels several times in an epoch, where the system says so."""

    def read(self, split: str) -> list[Sentence]:
        sentences = super().read(split)
        if split != "train" or "repeated" not in self.system:
            return sentences
        factors = repeat_factors([labels_of(sentence) for sentence in sentences], THRESHOLD, MAX_REPEAT)
        chance = random.Random(self.seed)
        times = [max((factors[label] for label in labels_of(sentence)), default=1.0) for sentence in sentences]
        return [s for s, n in zip(sentences, times, strict=True) for _ in range(int(n + chance.random()))]


def build(run: Run, train: list[Sentence]) -> SpacySystem:
    costs = dict.fromkeys(rare_labels(Run.read(run, "train")), COST) if "costs" in run.system else {}
    return SpacySystem(run, train, ctx.pipeline_of(ctx.shipped(costs=costs)), rate=ctx.HEAD_RATE * run.lr)


if __name__ == "__main__":
    main(build, RareRun)
