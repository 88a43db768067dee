"""Every span whose exact probability reaches a threshold, and how many entities to expect; not which to choose.

The probability that an entity of a label begins at a token and has not ended after l tokens falls as l rises. So all
starts and labels are followed at once, one token longer at each step, and what falls below the threshold is dropped.
Entities that share a token exclude each other, so at most T / least spans are ever looked at, and not T².
"""

from math import log
from typing import Tuple

import numpy as np

from ..errors import Errors
from .chains import Floats, Ints
from .forward_backward import Posterior
from .spans import span_log_probs


def spans_above(posterior: Posterior, least: float) -> Tuple[Ints, Floats]:
    """Find every span of at least a probability, overlapping ones included.

    posterior (Posterior): Of the sequence, under any mask.
    least (float): Probability above 0, at most 1.
    RETURNS (Tuple[ndarray, ndarray]): (N, 3) intp: start, end exclusive, label index, sorted in this order; (N,)
        log-probabilities in nats, those of `span_log_probs`, all of them at least log(least).
    RAISES (ValueError): `least` out of range (CT125).
    """
    if not 0.0 < least <= 1.0:
        raise ValueError(Errors.CT125.format(least=least))
    spans = _candidates(posterior, least / 2)  # with room for rounding
    spans = spans[np.lexsort(spans.T[::-1])]
    log_probs = span_log_probs(posterior, spans)
    enough = log_probs >= log(least)
    return spans[enough], log_probs[enough]


def expected_entities(posterior: Posterior) -> float:
    """RETURNS (float): Entities that a path of the sequence has, on average: Σ P(one begins) over its tokens."""
    width = len(posterior.grammar.prefixes)
    firsts = "BU" if posterior.grammar.scheme == "BILUO" else "B"
    columns = [posterior.grammar.tag_index(prefix) for prefix in firsts]
    return float(sum(posterior.tag_probs[:, column::width].sum() for column in columns))


def _candidates(posterior: Posterior, least: float) -> Ints:
    """(N, 3) Spans among which are all those of at least the probability, each once, in no order."""
    probs, phi, move = posterior.tag_probs, posterior.potentials, posterior.transition
    width, bio = len(posterior.grammar.prefixes), posterior.grammar.scheme == "BIO"
    onward = phi + posterior.log_beta - posterior.log_z  # (T, K)
    start, label = (probs[:, 1::width] >= least).nonzero()  # (n,) entities that have begun and go on
    tag, end = 1 + width * label, start + 1
    score = posterior.log_alpha[start, tag]  # (n,) log-sum over all beginnings up to and with token end - 1
    found = [(start, end, label)]
    if not bio:  # one token: a tag of its own, and not the beginning of something longer
        alone, owner = (probs[:, 4::width] >= least).nonzero()
        found = [(alone, alone + 1, owner)]
    while len(start):
        ahead = end < len(probs)
        start, end, label, tag, score = start[ahead], end[ahead], label[ahead], tag[ahead], score[ahead]
        inner = 2 + width * label
        if not bio:
            closed = probs[end, inner + 1] >= least
            found.append((start[closed], end[closed] + 1, label[closed]))
        step = score + move[tag, inner]
        open_ = step + onward[end, inner] >= log(least)
        start, end, label, tag = start[open_], end[open_], label[open_], inner[open_]
        score, end = (step[open_] + phi[end, tag]), end + 1
        if bio:
            found.append((start, end, label))
    return np.concatenate([np.stack(part, axis=1) for part in found])
