"""The loss of spans that are known to be wrong, ``-log(1 - P(span))`` each, and its gradient.

``log P = log Z(paths that hold the span) - log Z(all)``, from one clamped chain a span and one free chain a sequence,
and the gradient is ``P / (1 - P) · (E[counts | span] - E[counts])``. That equals ``P · (E[counts | span] - E[counts |
not the span])``, never more than 1 a token: the difference shrinks as the factor grows, and with it the digits that
rounding has left of it. So the factor stops growing at ``P = 1 - MARGIN``. No reduction: divide as you like.
"""

from typing import Optional, Sequence, Tuple, Union

import numpy as np

from ..errors import Errors
from ..tags import Grammar, constraint_mask
from .chains import Bools, Chains, Floats, Ints, Mask, as_masks, build_lattice, prune
from .scaled import sum_product

# log P is good to 1e-12 in a chain of 500 tokens, so 1 - P keeps four digits up to here. A larger margin would keep
# more, and would take the gradient from spans of which the model is certain: those that need it most.
MARGIN = 1e-8


def wrong_span_nll(
    chains: Chains,
    grammar: Grammar,
    spans: Union[Sequence[Tuple[int, int, int, int]], Ints],
    allowed: Optional[Sequence[Mask]] = None,
) -> Tuple[Floats, Chains]:
    """Compute -log(1 - P) of spans that are no entities, given the allowed tags. Several in a sequence add up.

    P is the probability that the tokens are one entity of the label, neither more nor less. Above 1 - MARGIN the loss
    follows its tangent in log P, up to 1 - log(MARGIN) nats (19.4) at P = 1. The gradient is that of this loss: there
    it keeps its direction, and fades like (1 - P) / MARGIN.

    chains (Chains): B sequences of any lengths, 0 included. Those without a span are not looked at.
    grammar (Grammar): The K tags and their moves.
    spans (ndarray): (M, 4) ints: sequence, start, end exclusive, label index. They may overlap.
    allowed (Optional[Sequence[Optional[ndarray]]]): B masks (T, K) of allowed tags; None allows all.
    RETURNS (Tuple[ndarray, Chains]): (M,) losses in nats, at least 0, and the gradient of their sum: exactly 0 for
        forbidden tags and moves. A span that no admissible path holds costs 0, one that all of them hold costs the
        most; the gradient of both is exactly 0.
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
    masks = [mask if u else None for mask, u in zip(as_masks(allowed, chains), used, strict=True)]
    wide = prune(build_lattice(_with(chains, emissions), grammar, masks), grammar)
    possible = wide.unpack(wide.potentials > -np.inf)  # B × (T, K)
    clamps = [_clamp(grammar, (start, end, label), possible[i]) for i, start, end, label in table.tolist()]
    held = [emissions[i][: None if c is not None else 0] for i, c in zip(owner.tolist(), clamps, strict=True)]
    narrow = prune(build_lattice(_with(chains, held), grammar, clamps), grammar)
    wide_run, narrow_run = sum_product(wide), sum_product(narrow)
    log_z, log_held = np.zeros(size), np.full(len(table), -np.inf)
    log_z[wide.rows], log_held[narrow.rows] = wide_run.log_z, narrow_run.log_z
    losses, factors = _cost(np.minimum(log_held - log_z[owner], 0.0))  # (M,)
    tags = np.array([p.sum() for p in possible], dtype=np.intp)  # (B,)
    kept = np.array([p.sum() for p in narrow.unpack(narrow.potentials > -np.inf)], dtype=np.intp)  # (M,)
    factors[kept == tags[owner]] = 0.0  # the span excludes no path
    totals = np.bincount(owner, factors, minlength=size).astype(np.float64)  # (B,)
    gradients = [-total * p for total, p in zip(totals, wide.unpack(wide_run.tag_probs), strict=True)]
    for i, factor, q, c in zip(owner.tolist(), factors, narrow.unpack(narrow_run.tag_probs), clamps, strict=True):
        if c is not None:
            gradients[i] += factor * q
    ends = np.array([[g[0], g[-1]] for g in gradients if len(g)]).reshape(-1, 2, k).sum(axis=0)  # (2, K)
    moves = narrow_run.transition_counts(narrow, factors[narrow.rows])
    moves -= wide_run.transition_counts(wide, totals[wide.rows])
    full = [g if u else np.zeros(e.shape) for g, e, u in zip(gradients, chains.emissions, used, strict=True)]
    return losses, Chains(full, ends[0], moves, ends[1])


def _with(chains: Chains, emissions: Sequence[Floats]) -> Chains:
    """Chains of the same moves and other emissions."""
    return Chains(list(emissions), chains.start, chains.transition, chains.end)


def _clamp(grammar: Grammar, span: Tuple[int, int, int], possible: Bools) -> Mask:
    """The (T, K) tags left by a span, None if no path holds it.

    Every possible tag has a beginning and an ending of its own, so a path holds the span if all its tags are possible,
    and one that may follow it.

    possible (ndarray): (T, K) bool, tags that a complete path passes through.
    """
    mask = constraint_mask(grammar, [span], np.ones(len(possible), np.bool_))
    end = span[1]
    if end < len(mask):
        mask[end] &= grammar.transition[mask[end - 1].argmax()]
    mask &= possible
    return mask if mask.any(axis=1).all() else None


def _cost(log_p: Floats) -> Tuple[Floats, Floats]:
    """(M,) -log(1 - P), tangent in log P above 1 - MARGIN, and (M,) its derivative in log P, at most 1 / MARGIN."""
    bend = np.log1p(-MARGIN)
    low = np.minimum(log_p, bend)
    rest = -np.expm1(low)  # 1 - P
    slope = np.exp(low) / rest
    losses = -np.where(low > -np.log(2), np.log(rest), np.log1p(-np.exp(low)))  # log1mexp (Mächler 2012)
    return losses + slope * (np.maximum(log_p, bend) - bend), slope
