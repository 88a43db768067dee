"""Oracles of `ctx_ner` by enumeration: every analysis of a short Doc. They share no code with the package."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np
import pytest
from pipelines import PERSON, PLACE
from spacy.language import Language
from spacy.tokens import Doc, Span

Found = tuple[int, int, str]  # start, end exclusive, label; in tokens of the Doc
Analysis = tuple[Found, ...]  # all entities of a Doc, in order


class Case(NamedTuple):
    """A short Doc. starts: where sentences begin. presets, blocked: what others have set in it."""

    words: str
    starts: Sequence[int] = ()
    presets: Sequence[Found] = ()
    blocked: Sequence[int] = ()

    def make(self, nlp: Language) -> Doc:
        words = [word.replace("_", "\n") for word in self.words.split()]
        starts = [i == 0 or i in self.starts for i in range(len(words))] if self.starts else None
        doc = Doc(nlp.vocab, words, sent_starts=starts)
        if self.presets or self.blocked:
            spans = [Span(doc, *preset) for preset in self.presets]
            doc.set_ents(spans, blocked=[doc[i : i + 1] for i in self.blocked], default="missing")
        return doc

    def given(self, labels: Iterable[str]) -> Callable[[Analysis], bool]:
        """RETURNS (Callable): Whether an analysis agrees with what others have set."""
        held = {trim(self.words.split(), preset) for preset in self.presets if self.is_possible(preset, labels)}
        closed = {i for preset in self.presets if not self.is_possible(preset, labels) for i in range(*preset[:2])}
        closed |= set(self.blocked)

        def agrees(analysis: Analysis) -> bool:
            return held <= set(analysis) and closed.isdisjoint(
                i for start, end, _ in analysis for i in range(start, end)
            )

        return agrees

    def is_possible(self, found: Found, labels: Iterable[str]) -> bool:
        """Whether an entity has one of the labels, and lies within a sentence."""
        return found[2] in labels and not any(found[0] < start < found[1] for start in self.starts)


def trim(words: Sequence[str], found: Found) -> Found:
    """Take white space, "_", from both ends of an entity."""
    inside = [i for i in range(*found[:2]) if words[i] != "_"]
    return inside[0], inside[-1] + 1, found[2]


def enumerate_analyses(
    pipe: Any,
    doc: Doc,
    *,
    starts: Sequence[int] = (),
    temperature: float = 1.0,
    given: Callable[[Analysis], bool] = lambda analysis: True,
) -> dict[Analysis, float]:
    """RETURNS (dict): Every analysis of a Doc that agrees with `given`, with its probability, best first.

    starts (Sequence[int]): Where further chains begin.
    """
    scores = pipe.model.predict([doc])
    chains = [
        [(analysis, value / temperature) for analysis, value in chain_analyses(pipe, scores, words)]
        for low, high in pairwise([0, *starts, len(doc)])
        if (words := [token.i for token in doc[low:high] if not token.is_space])
    ]
    found: dict[Analysis, float] = {}
    for parts in product(*chains):
        analysis = tuple(span for part, _ in parts for span in part)
        if given(analysis):
            found[analysis] = sum(value for _, value in parts)
    total = np.logaddexp.reduce(list(found.values()))
    best_first = sorted(found.items(), key=lambda item: -item[1])
    return {analysis: float(np.exp(value - total)) for analysis, value in best_first}


def chain_analyses(pipe: Any, scores: Any, words: Sequence[int]) -> Iterator[tuple[Analysis, float]]:
    """YIELDS (tuple): Every analysis of the words of a chain, with its score in nats."""
    names = pipe.grammar.tags
    emissions = scores.emissions[0][list(words)]
    for path in legal_paths(pipe.scheme, names, len(words)):
        value = scores.start[path[0]] + scores.end[path[-1]] + sum(emissions[t, tag] for t, tag in enumerate(path))
        value += sum(scores.transition[move] for move in pairwise(path))
        spans = read_path([names[tag] for tag in path])
        yield tuple((words[i], words[j - 1] + 1, label) for i, j, label in spans), float(value)


def legal_paths(scheme: str, names: Sequence[str], length: int) -> Iterator[tuple[int, ...]]:
    """YIELDS (tuple): Every path of tags that a scheme allows."""

    def may_follow(before: str, after: str) -> bool:
        if scheme == "BILUO" and before[0] in "BI":
            return after[0] in "IL" and before[2:] == after[2:]
        if scheme == "BIO" and after[0] == "I":
            return before[0] in "BI" and before[2:] == after[2:]
        return after[0] not in "IL"

    def onward(path: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        before = names[path[-1]] if path else "O"
        if len(path) < length:
            for tag, name in enumerate(names):
                if may_follow(before, name):
                    yield from onward((*path, tag))
        elif may_follow(before, "O"):
            yield path

    return onward(())


def read_path(tags: Sequence[str]) -> Iterator[Found]:
    """YIELDS (Found): The entities of a path, in words of the chain."""
    start = 0
    for i, (tag, after) in enumerate(pairwise([*tags, "O"])):
        start = i if tag[0] in "BU" else start
        if tag != "O" and after[0] not in "IL":
            yield start, i + 1, tag[2:]


def span_probs(analyses: dict[Analysis, float]) -> dict[Found, float]:
    """RETURNS (dict): The probability of every span that is in any analysis."""
    probs: Counter[Found] = Counter()
    for analysis, prob in analyses.items():
        probs.update(dict.fromkeys(analysis, prob))
    return dict(probs)


def write_tags(analysis: Analysis, doc: Doc, scheme: str) -> list[str]:
    """RETURNS (list): The tags of an analysis; white space has "O"."""
    tags = ["O"] * len(doc)
    for start, end, label in analysis:
        words = [i for i in range(start, end) if not doc[i].is_space]
        letters = "B" + "I" * (len(words) - 1)
        if scheme == "BILUO":
            letters = "U" if len(words) == 1 else letters[:-1] + "L"
        for i, letter in zip(words, letters, strict=True):
            tags[i] = f"{letter}-{label}"
    return tags


def stored(doc: Doc, key: str = "ctx_ner", attr: str = "scores") -> dict[Found, float]:
    """RETURNS (dict): The spans of a group of a Doc, each with its score."""
    spans = [(span.start, span.end, span.label_) for span in doc.spans[key]]
    return dict(zip(spans, doc.spans[key].attrs[attr], strict=True))


Make = Callable[..., Language]
TEXT = "Ada wrote to Charles in London and Frau Müller answered him in Hamburg today"
CASES = {
    "plain": Case("Frau Müller answered Ada Hamburg"),
    "spaces": Case("_ Frau _ Müller answered Ada _ _"),
    "sentences": Case("Ada wrote _ Blue Kettle London", starts=(2, 4)),
    "presets": Case("Frau Müller answered Ada Hamburg", presets=[(1, 2, PLACE), (3, 4, "UNKNOWN")], blocked=[4]),
    "preset spaces": Case("Ada _ wrote _ to Charles", presets=[(0, 2, PERSON), (4, 5, PERSON)], blocked=[3]),
    "preset across": Case("Ada wrote to Blue Kettle", starts=(2,), presets=[(1, 3, PLACE)], blocked=[4]),
}
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
schemes = pytest.mark.parametrize("scheme", ["BIO", "BILUO"])
