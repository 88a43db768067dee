"""Exact probabilities of spans: that tokens start..end are one entity of a label, and neither more nor less.

``log P = log α(start, first tag) + the moves and scores inside + log β(end - 1, last tag) - log Z``, with the scores
inside from prefix sums, so a span costs the same whatever its length (Culotta & McCallum 2004, who fix the tags and
run the forward pass again for each span). A prefix sum of logs keeps a second count for -inf, or it turns into NaN.
"""

from typing import Sequence, Tuple, Union

import numpy as np

from ..errors import Errors
from ..tags import LabelSpan, spans_to_tags
from .chains import Floats, Ints
from .forward_backward import Posterior
from .log_space import log_sum_exp

Window = Tuple[int, int, Sequence[LabelSpan]]

_BLOCK = 1 << 14  # spans at a time


def span_log_probs(posterior: Posterior, spans: Union[Sequence[Tuple[int, int, int]], Ints]) -> Floats:
    """Compute the log-probability of any spans of a sequence, overlapping ones included.

    posterior (Posterior): Of the sequence, under any mask.
    spans (ndarray): (N, 3) ints: start, end exclusive, label index.
    RETURNS (ndarray): (N,) log-probabilities in nats, at most 0; -inf if no admissible path holds the entity.
    RAISES (ValueError): A span out of range (CT103).
    """
    grammar, phi = posterior.grammar, posterior.potentials
    start, end, label = np.asarray(spans, dtype=np.intp).reshape(-1, 3).T  # (N,)
    bad = (start < 0) | (start >= end) | (end > len(phi)) | (label < 0) | (label >= len(grammar.labels))
    if bad.any():
        i = bad.argmax()
        raise ValueError(
            Errors.CT103.format(start=start[i], end=end[i], label=label[i], length=len(phi), labels=len(grammar.labels))
        )
    if not len(start):
        return np.zeros(0)
    bio, many = grammar.scheme == "BIO", end - start > 1
    width = len(grammar.prefixes)
    first, inner = 1 + width * label, 2 + width * label  # (N,) tags
    if bio:
        last = np.where(many, inner, first)
    else:
        first, last = np.where(many, first, first + 3), first + np.where(many, 2, 3)
    # the tokens between the first and the last, all of them `inner`: scores from prefix sums
    scores = phi[:, 2::width]  # (T, labels)
    missing = scores == -np.inf
    sums = np.pad(np.cumsum(np.where(missing, 0.0, scores), axis=0), ((1, 0), (0, 0)))  # (T + 1, labels)
    gaps = np.pad(np.cumsum(missing, axis=0), ((1, 0), (0, 0)))
    stop = np.maximum(end - 1, start + 1)
    move, three = posterior.transition, end - start > 2
    inside = sums[stop, label] - sums[start + 1, label]
    inside += np.where(three, move[first, inner] + (end - start - 3) * move[inner, inner] + move[inner, last], 0.0)
    inside += np.where(end - start == 2, move[first, last], 0.0)
    inside += np.where(many, phi[end - 1, last], 0.0)
    inside[gaps[stop, label] > gaps[start + 1, label]] = -np.inf
    after = _log_exit(posterior, end, last, inner) if bio else posterior.log_beta[end - 1, last]
    log_probs: Floats = posterior.log_alpha[start, first] + inside + after - posterior.log_z
    return np.minimum(log_probs, 0.0)


def window_log_probs(posterior: Posterior, windows: Sequence[Window]) -> Floats:
    """Compute the log-probability that some tokens hold exactly these entities, and that none crosses their borders.

    posterior (Posterior): Of the sequence, under any mask.
    windows (Sequence[Tuple]): N times start, end exclusive, and the entities of these tokens, as (start, end exclusive,
        label index) in tokens of the sequence, not overlapping; none: all tokens are outside.
    RETURNS (ndarray): (N,) log-probabilities in nats, at most 0; -inf if there is no such admissible path. For an
        entity that fills its window, that of `span_log_probs`.
    RAISES (ValueError): An empty window, or an entity out of its window (CT103), or overlapping another one (CT104).
    """
    grammar, phi, move = posterior.grammar, posterior.potentials, posterior.transition
    log_probs: Floats = np.full(len(windows), -posterior.log_z)
    for n, (start, end, spans) in enumerate(windows):
        if not 0 <= start < end <= len(phi):
            raise ValueError(
                Errors.CT103.format(start=start, end=end, label="any", length=len(phi), labels=len(grammar.labels))
            )
        tags = spans_to_tags(grammar, [(i - start, j - start, label) for i, j, label in spans], end - start)
        log_probs[n] += posterior.log_alpha[start, tags[0]] + move[tags[:-1], tags[1:]].sum()
        log_probs[n] += phi[np.arange(start + 1, end), tags[1:]].sum()
        last, at = tags[-1:], np.array([end])
        if grammar.scheme == "BIO" and last[0]:
            log_probs[n] += _log_exit(posterior, at, last, 2 + 2 * ((last - 1) // 2))[0]
        else:
            log_probs[n] += posterior.log_beta[end - 1, last[0]]
    return log_probs.clip(max=0.0)


def _log_exit(posterior: Posterior, end: Ints, last: Ints, inner: Ints) -> Floats:
    """(N,) log-sum over all endings after a BIO entity whose last tag stands at end - 1 and that ends there."""
    after = np.zeros(len(end))
    ahead = (end < len(posterior.potentials)).nonzero()[0]
    onward = posterior.potentials + posterior.log_beta  # (T, K)
    for low in range(0, len(ahead), _BLOCK):
        part = ahead[low : low + _BLOCK]
        values = posterior.transition[last[part]] + onward[end[part]]  # (n, K)
        values[np.arange(len(part)), inner[part]] = -np.inf
        after[part] = log_sum_exp(values, axis=1)
    return after
