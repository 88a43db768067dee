"""Runs tests of behaviour, as CheckList has them (Ribeiro et al. 2020): does a pipeline do what must not fail?

- *minimal*: in these texts it finds what is marked in them.
- *invariance*: a change of a text does not change what it finds there; what that is does not matter.
- *directional*: from one text to another, what it finds changes as the marks do, and in nothing else.
"""

import random
from collections import Counter
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from spacy.language import Language

from ..data.records import UPOS
from .behaviour_changes import TAGS, bare_copy, read_layer
from .behaviour_file import Behaviour, Suite
from .behaviour_text import Filled, Item, make_cases

Record = Dict[str, Any]
Mention = Tuple[str, str]  # text, label
_ASSIGNS = {"ents": "doc.ents", "tag": "token.tag"}


class Case(NamedTuple):
    """What was expected, and what was found; the same where it is right."""

    text: str
    expected: List[Record]
    got: List[Record]
    original: Optional[str] = None  # the text before a change


def run_behaviours(nlp: Language, suite: Suite) -> Dict[str, Any]:
    """Run all tests of a suite. The same suite, seed included, makes the same texts.

    RETURNS (Dict[str, Any]): For a JSON file: "file", "seed", "passed" (all of them), and "tests", for each: "name",
        "description", "type", "severity", "layer", "max_failure_rate", "cases" and "failures" (numbers),
        "failure_rate", "passed", "unknown_labels" (that the test expects and the pipeline does not know),
        "known_labels" (None: the pipeline does not say), and "failed_cases", for each: "text", "original" (the text
        before the change, or None), "expected" and "got". These are lists of {"start", "end", "text", "label"}, with
        offsets in characters; in a directional test of {"change", "text", "label"}, with "added" or "removed". A test
        without a case, since nothing could be changed, has not passed, and its failure rate is None.
    """
    tests = [_run(nlp, test, suite.seed) for test in suite.tests]
    passed = all(test["passed"] for test in tests)
    return {"file": suite.path.name, "seed": suite.seed, "passed": passed, "tests": tests}


def _run(nlp: Language, test: Behaviour, seed: int) -> Record:
    cases = list(_RUN[test.type](nlp, test, seed))
    failed = [case for case in cases if case.expected != case.got]
    rate = len(failed) / len(cases) if cases else None
    known = known_labels(nlp, test.layer)
    return {
        "name": test.name,
        "description": test.description,
        "type": test.type,
        "severity": test.severity,
        "layer": test.layer,
        "max_failure_rate": test.max_failure_rate,
        "cases": len(cases),
        "failures": len(failed),
        "failure_rate": rate,
        "passed": rate is not None and rate <= test.max_failure_rate,
        "unknown_labels": [] if known is None else sorted(test.expected_labels - known),
        "known_labels": None if known is None else sorted(known),
        "failed_cases": [case._asdict() for case in failed],
    }


def known_labels(nlp: Language, layer: str) -> Optional[Set[str]]:
    """RETURNS (Optional[Set[str]]): The labels that the components of a pipeline set in a layer; None where one of
    them does not say, or there is none."""
    if layer == "pos":
        return set(UPOS)
    assigns = _ASSIGNS.get(layer, "doc.spans")
    names = [name for name in nlp.pipe_names if assigns in nlp.get_pipe_meta(name).assigns]
    labels = [nlp.pipe_labels.get(name, []) for name in names]
    return {label for each in labels for label in each} if labels and all(labels) else None


# The types of tests


def _run_minimal(nlp: Language, test: Behaviour, seed: int) -> Iterator[Case]:
    filled = [text for [text] in _fill(test, seed)]
    for (text, marks), doc in zip(filled, nlp.pipe(text for text, _ in filled), strict=True):
        got = read_layer(doc, test.layer)
        if test.layer in TAGS:
            got = {item for item in got if any(_overlap(item, mark) for mark in marks)}
        yield Case(text, _records(text, marks, test), _records(text, got, test))


def _run_invariance(nlp: Language, test: Behaviour, seed: int) -> Iterator[Case]:
    if test.change is None:
        return
    vary = test.change(seed, test.variants)
    originals = [text for [(text, _)] in _fill(test, seed)]
    docs = [bare_copy(doc, test.layer) for doc in nlp.pipe(originals)]
    made = [(doc.text, variant) for doc in docs for variant in vary(nlp, doc)]
    for (original, variant), doc in zip(made, nlp.pipe(variant.text for _, variant in made), strict=True):
        got = read_layer(doc, test.layer)
        if test.layer in TAGS:  # words that were added may have any
            got = {item for item in got if any(_overlap(item, other) for other in variant.expected)}
        got = {item for item in got if _overlap(item, (variant.start, variant.end, ""))}
        expected = _records(variant.text, variant.expected, test)
        yield Case(variant.text, expected, _records(variant.text, got, test), original)


def _run_directional(nlp: Language, test: Behaviour, seed: int) -> Iterator[Case]:
    pairs = _fill(test, seed)
    docs = nlp.pipe(filled.text for pair in pairs for filled in pair)
    for (before, after), (first, second) in zip(pairs, zip(docs, docs, strict=True), strict=True):
        wanted = [_mentions(filled.text, filled.marks, test) for filled in (before, after)]
        found = [_mentions(doc.text, read_layer(doc, test.layer), test) for doc in (first, second)]
        if test.layer in TAGS:
            words = {text for mentions in wanted for text, _ in mentions}
            found = [Counter({item: n for item, n in mentions.items() if item[0] in words}) for mentions in found]
        yield Case(after.text, _difference(*wanted), _difference(*found), before.text)


_RUN: Dict[str, Callable[[Language, Behaviour, int], Iterator[Case]]] = {
    "minimal": _run_minimal,
    "invariance": _run_invariance,
    "directional": _run_directional,
}


def _fill(test: Behaviour, seed: int) -> List[List[Filled]]:
    rng = random.Random(f"{seed} {test.name}")
    return [case for group in test.texts for case in make_cases(group, test.max_cases, rng)]


def _overlap(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return bool(one[0] < other[1] and other[0] < one[1])


def _counts(test: Behaviour, label: str) -> bool:
    return test.labels is None or label in test.labels


def _records(text: str, items: Iterable[Item], test: Behaviour) -> List[Record]:
    return [
        {"start": start, "end": end, "text": text[start:end], "label": label}
        for start, end, label in sorted(items)
        if _counts(test, label)
    ]


def _mentions(text: str, items: Iterable[Item], test: Behaviour) -> "Counter[Mention]":
    return Counter((text[start:end], label) for start, end, label in items if _counts(test, label))


def _difference(before: "Counter[Mention]", after: "Counter[Mention]") -> List[Record]:
    """RETURNS (List[Record]): What is removed, then what is added."""
    return [
        {"change": change, "text": text, "label": label}
        for change, mentions in (("removed", before - after), ("added", after - before))
        for text, label in sorted(mentions.elements())
    ]
