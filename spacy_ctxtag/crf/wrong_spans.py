"""The loss of spans that are known to be wrong, ``-log(1 - P(span))`` each, and its gradient.

``log P = log Z(paths that hold the span) - log Z``, from one clamped chain a span and one free chain a sequence; the
gradient is ``P / (1 - P) · (E[counts | span] - E[counts])``. Of a span more likely than not, 1 - P and that difference
are what rounding leaves of nearly equal numbers, and a cap on P would take the gradient from just those errors that
the model is certain of. There the paths without the span are summed themselves, in disjoint sets: by the token at which
a path departs from the span, a clamped chain each. The gradient, ``E[counts] - E[counts | not the span]``, is then at
most 1 for any tag of a token, and nothing has to be capped. No reduction: divide as you like.
"""

from dataclasses import dataclass
from typing import Iterator, Optional, Sequence, Tuple, Union

import numpy as np

from ..errors import Errors
from ..tags import Grammar, constraint_mask
from .chains import Bools, Chains, Floats, Ints, Lattice, Mask, as_masks, build_lattice, prune
from .scaled import Pass, sum_product


def wrong_span_nll(
    chains: Chains,
    grammar: Grammar,
    spans: Union[Sequence[Tuple[int, int, int, int]], Ints],
    allowed: Optional[Sequence[Mask]] = None,
) -> Tuple[Floats, Chains]:
    """Compute -log(1 - P) of spans that are no entities, given the allowed tags. Several in a sequence add up.

    P is the probability that the tokens are one entity of the label, neither more nor less.

    chains (Chains): B sequences of any lengths, 0 included. Those without a span are not looked at.
    grammar (Grammar): The K tags and their moves.
    spans (ndarray): (M, 4) ints: sequence, start, end exclusive, label index. They may overlap.
    allowed (Optional[Sequence[Optional[ndarray]]]): B masks (T, K) of allowed tags; None allows all.
    RETURNS (Tuple[ndarray, Chains]): (M,) losses in nats, finite and at least 0, and the gradient of their sum: exactly
        0 for forbidden tags and moves. A span that no admissible path holds has loss and gradient 0, exactly; so has
        one that all of them hold, which no score can change.
    RAISES (ValueError): Shapes (CT120), scores that are not finite (CT121, CT123), a sequence without a path (CT122),
        a span out of range (CT103) or of no sequence (CT128).
    """
    size, k = len(chains.emissions), len(grammar.tags)
    table = np.asarray(spans, dtype=np.intp).reshape(-1, 4)  # (M, 4)
    owner = table[:, 0]  # (M,)
    bad = (owner < 0) | (owner >= size)
    if bad.any():
        raise ValueError(Errors.CT128.format(span=tuple(table[bad.argmax()].tolist()), sequences=size))
    used = np.bincount(owner, minlength=size) > 0  # (B,); the other sequences are taken as empty
    emissions = [e if u else e[:0] for e, u in zip(chains.emissions, used, strict=True)]
    parts = Chains(emissions, chains.start, chains.transition, chains.end)
    masks = [mask if u else None for mask, u in zip(as_masks(allowed, chains), used, strict=True)]
    free = _solve(parts, grammar, np.arange(size), masks)
    possible = free.lattice.unpack(free.lattice.potentials > -np.inf)  # B × (T, K)

    clamps = [_clamp(grammar, (start, end, label), possible[i]) for i, start, end, label in table.tolist()]
    holds = np.array([m for m, clamp in enumerate(clamps) if clamp is not None], dtype=np.intp)  # (H,) spans
    held = _solve(parts, grammar, owner[holds], [clamp for clamp in clamps if clamp is not None])
    log_p = np.full(len(table), -np.inf)  # (M,)
    log_p[holds] = held.log_z - free.log_z[owner[holds]]
    sure = log_p > -np.log(2)  # (M,)
    p = np.exp(np.where(sure, -np.inf, log_p))
    losses, factors = -np.log1p(-p), p / (1 - p)

    departures = [
        (m, mask)
        for m, clamp in enumerate(clamps)
        if clamp is not None and sure[m]
        for mask in _departures(grammar, table[m, 1:3].tolist(), clamp, possible[owner[m]])
    ]
    lacks = np.array([m for m, _ in departures], dtype=np.intp)  # (R,) spans
    lacking = _solve(parts, grammar, owner[lacks], [mask for _, mask in departures])
    log_rest = np.full(len(table), -np.inf)  # (M,) log Z of the paths without the span
    np.logaddexp.at(log_rest, lacks, lacking.log_z)
    avoided = log_rest > -np.inf  # (M,) sure, but not certain under the mask
    losses[avoided] = np.maximum(free.log_z[owner] - log_rest, 0.0)[avoided]

    gradient = Chains([np.zeros(e.shape) for e in chains.emissions], np.zeros(k), np.zeros((k, k)), np.zeros(k))
    free.add_counts(gradient, np.bincount(owner, avoided - factors, minlength=size).astype(np.float64))
    held.add_counts(gradient, factors[holds])
    lacking.add_counts(gradient, -np.exp(lacking.log_z - log_rest[lacks]))
    for e in gradient.emissions:
        if len(e):
            gradient.start[:] += e[0]
            gradient.end[:] += e[-1]
    return losses, gradient


@dataclass(frozen=True, eq=False)
class _Rows:
    """R chains after both passes: which sequence each of them is, and their log Z, both (R,)."""

    owner: Ints
    log_z: Floats
    lattice: Lattice
    run: Pass

    def add_counts(self, gradient: Chains, weights: Floats) -> None:
        """Add the expected counts of tags and moves, with weights (R,), to emissions and transition."""
        probs = self.lattice.unpack(self.run.tag_probs)
        for i, weight, part in zip(self.owner.tolist(), weights.tolist(), probs, strict=True):
            gradient.emissions[i][: len(part)] += weight * part
        gradient.transition[:] += self.run.transition_counts(self.lattice, weights[self.lattice.rows])


def _solve(chains: Chains, grammar: Grammar, owner: Ints, masks: Sequence[Mask]) -> _Rows:
    """Run both passes over R rows: sequence `owner[r]` under mask r."""
    emissions = [chains.emissions[i] for i in owner.tolist()]
    rows = Chains(emissions, chains.start, chains.transition, chains.end)
    lattice = prune(build_lattice(rows, grammar, masks), grammar)
    run, log_z = sum_product(lattice), np.zeros(len(masks))
    log_z[lattice.rows] = run.log_z
    return _Rows(owner, log_z, lattice, run)


def _clamp(grammar: Grammar, span: Tuple[int, int, int], possible: Bools) -> Mask:
    """The (T, K) tags left by a span, None if no path holds it.

    A possible tag (one that a path passes through) has a beginning and an ending of its own. So a path holds the span
    if the tags of the span are possible, and one that may follow them.
    """
    mask = constraint_mask(grammar, [span], np.ones(len(possible), np.bool_))
    end = span[1]
    if end < len(mask):
        mask[end] &= grammar.transition[mask[end - 1].argmax()]
    mask &= possible
    return mask if mask.any(axis=1).all() else None


def _departures(grammar: Grammar, bounds: Sequence[int], clamp: Bools, possible: Bools) -> Iterator[Bools]:
    """YIELDS (ndarray): (T, K) masks of the paths that hold the tags of a span up to a token, and depart from it there.

    In BIO a path may also depart at the token after the span, by continuing it. Sets without a path are left out.
    """
    start, end = bounds
    for t in range(start, min(end + 1, len(clamp))):
        mask = possible.copy()
        mask[start:t] = clamp[start:t]
        mask[t] &= ~clamp[t]
        if t > start:
            mask[t] &= grammar.transition[clamp[t - 1].argmax()]
        if mask[t].any():
            yield mask
