"""All analyses of one layer of spans: doc.ents, or a group of doc.spans."""

from collections import Counter
from functools import partial
from typing import Any, Dict, List, Optional, Sequence, Tuple

from .confusion import Confusion
from .known import Known
from .matching import CLASSES, CORRECT, SPURIOUS, Judged, judge
from .outcomes import Outcomes
from .parts import Parts, add_spans, find_nested
from .records import Mention, SpanRecord
from .schemes import Schemes
from .scores import Scores
from .worst import Worst, context, excerpt_spans, part_of_document

SHARES = ("all", "inside", "sequences")  # tokens, tokens inside annotated spans, sequences


class SpanReport:
    """Adds up the documents in which a layer is annotated.

    layer (str): Its identity in the report.
    known (Known): What is known of the training data.
    can_overlap (bool): Whether its spans may; tokens then have no tags as soon as some do.
    """

    def __init__(self, layer: str, known: Known, *, can_overlap: bool) -> None:
        self.layer = layer
        self.known = known
        self.can_overlap = can_overlap
        self.overlaps = False
        self.n_predicted = 0
        self.scores = Scores(SHARES)
        self.schemes = Schemes()
        self.parts = Parts()
        self.outcomes = Outcomes()
        self.spans, self.tokens = Confusion("spans", has_none=True), Confusion("tokens", has_none=True)
        self.cases: Counter[str] = Counter()
        self.gold: Counter[Tuple[str, str]] = Counter()  # class, label
        self.predicted: Counter[Tuple[str, str]] = Counter()
        self.confident, self.costly = Worst(), Worst()

    def add(self, record: SpanRecord) -> None:
        """Add a document."""
        gold, predicted = record.gold, record.predicted
        judged = judge(gold, predicted)
        self.n_predicted += len(predicted)
        self.overlaps |= self.can_overlap and (any(find_nested(gold)) or any(find_nested(predicted)))
        hits = Counter(each.label for each, name in zip(gold, judged.gold, strict=True) if name == CORRECT)
        found, wanted = (Counter(each.label for each in side) for side in (predicted, gold))
        self.scores.add(hits, found, wanted, {**self._add_tokens(record), "sequences": count_sequences(record)})
        self.schemes.add(gold, predicted)
        add_spans(self.parts, record, judged, self.known, self.layer)
        self.cases.update(judged.cases)
        self.gold.update((name, each.label) for each, name in zip(gold, judged.gold, strict=True))
        self.predicted.update((name, each.label) for each, name in zip(predicted, judged.predicted, strict=True))
        self.spans.pairs.update(
            (None if i is None else gold[i].label, None if j is None else predicted[j].label) for i, j in judged.pairs
        )
        for each, name in zip(predicted, judged.predicted, strict=True):
            self.outcomes.add(each.probability, name == CORRECT)
        self._offer(record, judged)

    def _add_tokens(self, record: SpanRecord) -> Dict[str, Tuple[int, int]]:
        """RETURNS (Dict): Of the tokens that can be judged, how many have the right BIO tag, and how many there are."""
        if self.overlaps:
            return {}
        n = len(record.known)
        gold, guesses = bio_tags(record.gold, n), bio_tags(record.predicted, n)
        counted = [i for i in range(n) if record.judged[i] and not record.frame.is_space[i]]
        self.tokens.pairs.update((gold[i][1], guesses[i][1]) for i in counted)
        inside = [i for i in counted if gold[i][1] is not None]
        counts = ((sum(gold[i] == guesses[i] for i in some), len(some)) for some in (counted, inside))
        return dict(zip(SHARES, counts, strict=False))

    def _offer(self, record: SpanRecord, judged: Judged) -> None:
        frame, predicted = record.frame, record.predicted
        wrong = [(each, name) for each, name in zip(predicted, judged.predicted, strict=True) if name != CORRECT]
        for each, name in wrong:
            if each.probability is not None:
                self.confident.offer(each.probability, partial(_error, record, judged, each, name))
        lost = [each for each, name in zip(record.gold, judged.gold, strict=True) if name != CORRECT]
        if wrong or lost:
            first = min(each.start for each in [*lost, *(each for each, _ in wrong)])
            counts = {"gold": len(record.gold), "predicted": len(predicted), "correct": len(predicted) - len(wrong)}

            def make() -> Dict[str, Any]:
                excerpt = excerpt_spans(record, judged, *part_of_document(frame, first))
                return {"cost": len(wrong) + len(lost), **counts, "excerpt": excerpt}

            self.costly.offer(len(wrong) + len(lost), make)

    def result(self, n_samples: int, seed: int) -> Dict[str, Any]:
        """RETURNS (Dict[str, Any]): What the schema has under `spans`, but for where the layer comes from."""
        scores = self.scores.result(n_samples, seed)
        breakdowns = self.parts.result()
        calibration = self.outcomes.result()
        return {
            "has_probabilities": calibration is not None,
            "documents": self.scores.tally.documents,
            "averages": scores["averages"],
            "schemes": self.schemes.result(),
            "labels": [{**each, "schemes": self.schemes.result(each["name"])} for each in scores["labels"]],
            "tokens": None if self.overlaps else {name: scores[name] for name in SHARES[:2]},
            "sequences": scores["sequences"],
            "breakdowns": breakdowns,
            "errors": [self._class(name) for name in CLASSES],
            "confusion": {"spans": self.spans.result(), "tokens": None if self.overlaps else self.tokens.result()},
            "calibration": calibration,
            "confident_errors": self.confident.result(),
            "costly_documents": self.costly.result(),
            "unavailable": self._unavailable([each["by"] for each in breakdowns], calibration is not None),
        }

    def _class(self, name: str) -> Dict[str, Any]:
        counts = self.predicted if name == SPURIOUS else self.gold
        labels = {label: n for (each, label), n in counts.items() if each == name}
        sides = (sum(n for (each, _), n in side.items() if each == name) for side in (self.gold, self.predicted))
        return {
            **dict(zip(("class", "gold", "predicted"), (name, *sides), strict=True)),
            "cases": self.cases[name],
            "by_label": dict(sorted(labels.items(), key=lambda each: (-each[1], each[0]))),
        }

    def _unavailable(self, found: Sequence[str], has_probabilities: bool) -> List[Dict[str, str]]:
        untrained = "the training data is not known: name it with --train"
        unnamed = "the training data is not named with --train"
        undivided = "sentences are not annotated"
        if not any(self.gold.values()):
            untrained = unnamed = undivided = "no span is annotated"
        elif self.known.has_counts:
            untrained = unnamed = "the training data has no such annotation"
        checks = (
            ("schemes", not self.schemes.is_possible, "nervaluate 1.2 is not installed; it needs Python 3.11"),
            ("tokens", self.overlaps, "spans overlap, so a token has no single label"),
            ("calibration", not has_probabilities, "no component reports probabilities"),
            ("sentence_length", "sentence_length" not in found, undivided),
            ("nesting", "nesting" not in found, "no annotated span overlaps another"),
            ("seen", "seen" not in found, untrained),
            ("train_frequency", "train_frequency" not in found, unnamed),
        )
        return [{"analysis": name, "reason": reason} for name, is_missing, reason in checks if is_missing]


def count_sequences(record: SpanRecord) -> Tuple[int, int]:
    """RETURNS (Tuple[int, int]): Of the sequences in which anything is known, how many have no mistake in the spans
    that begin there; and how many there are."""
    frame = record.frame
    sides: List[Dict[int, List[Tuple[int, int, str]]]] = [{}, {}]
    for side, mentions in zip(sides, (record.gold, record.predicted), strict=True):
        for mention in mentions:
            side.setdefault(frame.sequence_at(mention.start), []).append(mention[:3])
    known = [i for i, (start, end) in enumerate(frame.sequences) if any(record.known[start:end])]
    return sum(sides[0].get(i) == sides[1].get(i) for i in known), len(known)


def bio_tags(mentions: Sequence[Mention], n: int) -> List[Tuple[bool, Optional[str]]]:
    """RETURNS (List[Tuple]): For each of n tokens whether a span begins there, and its label or None. Of spans that
    overlap, the first has the token."""
    tags: List[Tuple[bool, Optional[str]]] = [(False, None)] * n
    reach = 0
    for mention in mentions:
        for i in range(max(reach, mention.start), mention.end):
            tags[i] = (i == mention.start, mention.label)
        reach = max(reach, mention.end)
    return tags


def _error(record: SpanRecord, judged: Judged, mention: Mention, name: str) -> Dict[str, Any]:
    near = [each for each in record.gold if each.start < mention.end and mention.start < each.end]
    start, end = context(record.frame, mention.start, mention.end, near)
    shown = [each for each in record.predicted if each.start < end and start < each.end]
    return {
        "class": name,
        "label": mention.label,
        "probability": mention.probability,
        "text": record.frame.words(mention.start, min(mention.end, end)),
        "index": next(i for i, each in enumerate(shown) if each is mention),
        "excerpt": excerpt_spans(record, judged, start, end),
    }
