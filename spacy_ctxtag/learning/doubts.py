"""Where an annotation and a model contradict each other: two readings of the same tokens, with exact probabilities.

A reading says all about a window of tokens: which entities they are, and that the others are outside. The odds of both
readings, ``P(proposed) / P(annotated)``, put wrong labels, wrong borders, spurious and missing spans on one scale. No
Docs here: a posterior of the CRF, or probabilities of tags, and the annotation as indices.
"""

import math
from itertools import groupby
from typing import AbstractSet, Dict, FrozenSet, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from ..crf import Posterior, span_log_probs, spans_above, window_log_probs
from ..tags import LabelSpan

LEAST = 0.05  # proposed spans have at least this probability, doubts at least this suspicion
UNKNOWN = -1  # the label of an annotated span that the model does not have
FLOOR = -50.0  # nats; nothing is less probable
NOTHING: FrozenSet[LabelSpan] = frozenset()

Rated = Tuple[LabelSpan, Optional[float]]  # a span, and its probability; None: the model does not have the label


class Doubt(NamedTuple):
    """Two readings of the tokens from start to end (exclusive).

    annotated, proposed (List[Tuple]): Their spans, each with its own probability.
    log_annotated, log_proposed (float): The log-probabilities of the whole readings, in nats.
    weakest (float): The lowest probability that one of the tokens has the annotated label, or none, as annotated; what
        doubts are ranked by. Where both readings give all tokens the same labels, and for a label that the model does
        not have, P(annotated) / (P(proposed) + P(annotated)).
    """

    start: int
    end: int
    annotated: List[Rated]
    proposed: List[Rated]
    log_annotated: float
    log_proposed: float
    weakest: float = 1.0

    @property
    def log_odds(self) -> float:
        """Of the proposed reading over the annotated one, in nats."""
        return self.log_proposed - self.log_annotated

    @property
    def suspicion(self) -> float:
        """P(proposed) / (P(proposed) + P(annotated))."""
        return 0.5 * (1.0 + math.tanh(0.5 * self.log_odds))

    @property
    def kind(self) -> str:
        """What would be wrong with the annotation."""
        if not self.annotated:
            return "missing annotation"
        if not self.proposed:
            return "spurious annotation"
        borders = [[span[:2] for span, _ in spans] for spans in (self.annotated, self.proposed)]
        return "wrong label" if borders[0] == borders[1] else "boundary"


def find_doubts(
    posterior: Posterior,
    gold: Sequence[LabelSpan],
    closed: NDArray[np.bool_],
    wrong: AbstractSet[LabelSpan] = NOTHING,
) -> List[Doubt]:
    """Find what speaks against the spans of a sequence, and for others.

    A span is proposed where it is more probable than every annotated span that it overlaps, and than that nothing
    stands in the place of that; the most probable ones first, none overlapping. Where no proposal overlaps an
    annotated span, or nothing at all is more probable, the other reading is that its tokens are outside.

    posterior (Posterior): Of the sequence, from a model that has not learned from it.
    gold (Sequence[Tuple]): The annotated spans, (start, end exclusive, label index or UNKNOWN), not overlapping.
    closed (ndarray): (T, labels) bool, where nothing is proposed, since it is not known what is right.
    wrong (AbstractSet[Tuple]): Spans that are known to be wrong, and so not proposed.
    RETURNS (List[Doubt]): In order, those of a suspicion of at least LEAST.
    """
    known = [span for span in gold if span[2] != UNKNOWN]
    probs = dict(zip(known, np.exp(span_log_probs(posterior, known)).tolist(), strict=True))
    outside = np.exp(window_log_probs(posterior, [(start, end, ()) for start, end, _ in gold])).tolist()
    standing = [max(probs.get(span, 0.0), each) for span, each in zip(gold, outside, strict=True)]
    proposed = _propose(posterior, gold, standing, closed, {*known, *wrong})
    doubts = []
    for old, new in _together(gold, [span for span, _ in proposed]):
        is_known = all(span[2] != UNKNOWN for span in old)
        start, end = min(span[0] for span in (*old, *new)), max(span[1] for span in (*old, *new))
        log_new, log_none = window_log_probs(posterior, [(start, end, new), (start, end, ())]).tolist()
        if old and log_none > log_new:
            log_new, new = log_none, []
        if not is_known and not new:
            continue  # the model cannot say anything about it
        if is_known:
            log_old = float(window_log_probs(posterior, [(start, end, old)])[0])
        else:  # the rest of the probability is all that it can have
            log_old = math.log(max(-math.expm1(log_new), math.exp(FLOOR)))
        ratings = dict(proposed)
        doubt = Doubt(
            start,
            end,
            [(span, probs.get(span)) for span in old],
            [(span, ratings[span]) for span in new],
            max(log_old, FLOOR),
            max(log_new, FLOOR),
        )
        doubt = doubt._replace(weakest=_weakest(posterior, doubt))
        if doubt.suspicion >= LEAST:
            doubts.append(doubt)
    return doubts


def find_tag_doubts(log_probs: NDArray[np.float64], gold: Sequence[int], known: Sequence[bool]) -> List[Doubt]:
    """Find what speaks against the tags of a sequence: for each token the most probable other tag.

    log_probs (ndarray): (T, K) log-probabilities of the tags of each token.
    gold (Sequence[int]): (T,) the annotated tags, UNKNOWN for one that the model does not have.
    known (Sequence[bool]): (T,) whether a token is annotated.
    RETURNS (List[Doubt]): As `find_doubts`.
    """
    doubts = []
    for at in np.flatnonzero(np.asarray(known, dtype=bool)).tolist():
        tag, row = int(gold[at]), np.maximum(log_probs[at], FLOOR)
        others = row.copy()
        if tag != UNKNOWN:
            others[tag] = -np.inf
        best = int(others.argmax())
        if not np.isfinite(others[best]):
            continue  # there is one tag only
        log_new = float(others[best])
        log_old = float(row[tag]) if tag != UNKNOWN else math.log(max(-math.expm1(min(log_new, 0.0)), math.exp(FLOOR)))
        old: Rated = ((at, at + 1, tag), None if tag == UNKNOWN else math.exp(log_old))
        doubt = Doubt(at, at + 1, [old], [((at, at + 1, best), math.exp(log_new))], log_old, log_new, math.exp(log_old))
        if doubt.suspicion >= LEAST:
            doubts.append(doubt)
    return doubts


def _weakest(posterior: Posterior, doubt: Doubt) -> float:
    labels = np.full((2, doubt.end - doubt.start), UNKNOWN)  # annotated and proposed; here UNKNOWN is outside
    for row, spans in zip(labels, (doubt.annotated, doubt.proposed), strict=True):
        for (start, end, label), prob in spans:
            if prob is None:
                return 1.0 - doubt.suspicion
            row[start - doubt.start : end - doubt.start] = label
    if (labels[0] == labels[1]).all():
        return 1.0 - doubt.suspicion
    probs = posterior.tag_probs[doubt.start : doubt.end]  # (T, K)
    width = len(posterior.grammar.prefixes)
    by_label = np.column_stack([probs[:, 1:].reshape(len(probs), -1, width).sum(axis=2), probs[:, 0]])
    return float(by_label[np.arange(len(probs)), labels[0]].min())


def _propose(
    posterior: Posterior,
    gold: Sequence[LabelSpan],
    standing: Sequence[float],
    closed: NDArray[np.bool_],
    passed_over: AbstractSet[LabelSpan],
) -> List[Tuple[LabelSpan, float]]:
    """The spans to propose, with their probabilities.

    standing (Sequence[float]): For each annotated span, what an overlapping one must be more probable than.
    """
    owner = np.full(len(closed), -1)  # (T,) which annotated span a token belongs to
    for n, (start, end, _) in enumerate(gold):
        owner[start:end] = n
    spans, log_probs = spans_above(posterior, LEAST)
    taken, proposed = np.zeros(len(closed), dtype=bool), []
    rivals: Dict[int, List[LabelSpan]] = {n: [] for n in range(len(gold))}  # what is proposed in place of each
    for at in np.argsort(-log_probs, kind="stable").tolist():
        start, end, label = span = tuple(spans[at].tolist())
        if span in passed_over or closed[start:end, label].any() or taken[start:end].any():
            continue
        touched = set(owner[start:end].tolist()) - {-1}
        others = sorted({span, *(each for n in touched for each in rivals[n])})
        [log_prob] = window_log_probs(posterior, [(others[0][0], others[-1][1], others)])  # of all of them together
        if any(standing[n] >= math.exp(log_prob) for n in touched):
            continue
        taken[start:end] = True
        proposed.append((span, math.exp(log_probs[at])))
        for n in touched:
            rivals[n].append(span)
    return proposed


def _together(
    gold: Sequence[LabelSpan], proposed: Sequence[LabelSpan]
) -> Iterator[Tuple[List[LabelSpan], List[LabelSpan]]]:
    """YIELDS (Tuple): Annotated and proposed spans that overlap each other, directly or through others, in order."""
    spans = sorted([(*span, False) for span in gold] + [(*span, True) for span in proposed])
    ends = np.maximum.accumulate([span[1] for span in spans]) if spans else np.zeros(0)
    group, groups = 0, []
    for n, span in enumerate(spans):
        group += n > 0 and span[0] >= ends[n - 1]
        groups.append((group, span))
    for _, members in groupby(groups, key=lambda pair: pair[0]):
        found = [span for _, span in members]
        yield ([span[:3] for span in found if not span[3]], [span[:3] for span in found if span[3]])
