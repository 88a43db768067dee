"""The loss of a CRF under partial annotation, ``log Z(allowed) - log Z(allowed by the annotation)``, and its gradient.

The gradient is the difference of the expected counts of both (Lafferty et al. 2001; for partial annotation Tsuboi et
al. 2008). Where the annotation leaves one path, its score and its counts are those of the path itself. No reduction:
divide as you like.
"""

from typing import Optional, Sequence, Tuple

import numpy as np

from ..errors import Errors
from ..tags import Grammar
from .chains import Bools, Chains, Floats, Ints, Mask, as_masks, build_lattice, prune
from .scaled import sum_product


def nll(
    chains: Chains, grammar: Grammar, gold: Sequence[Bools], allowed: Optional[Sequence[Mask]] = None
) -> Tuple[Floats, Chains]:
    """Compute the negative log-likelihood of the annotation, given the allowed tags.

    chains (Chains): B sequences of any lengths, 0 included.
    grammar (Grammar): The K tags and their moves.
    gold (Sequence[ndarray]): B masks (T, K) bool of the tags that the annotation admits; more than one per token, and
        all of them, are fine (see `constraint_mask`).
    allowed (Optional[Sequence[Optional[ndarray]]]): B masks of the tags that are possible at all; None allows all. A
        gold tag that is not allowed does not count as gold.
    RETURNS (Tuple[ndarray, Chains]): (B,) losses in nats, at least 0, and the gradient of their sum: exactly 0
        for forbidden tags and moves, and for a sequence whose annotation excludes no path.
    RAISES (ValueError): Shapes (CT120), scores that are not finite (CT121, CT123), a sequence without a path (CT122).
    """
    size, k = len(chains.emissions), len(grammar.tags)
    wide, narrow = as_masks(allowed, chains), as_masks(gold, chains)
    for i, (a, b) in enumerate(zip(wide, narrow, strict=True)):
        if b is not None and b.shape != chains.emissions[i].shape:
            raise ValueError(Errors.CT120.format(name=f"gold[{i}]", shape=b.shape, expected=chains.emissions[i].shape))
        if a is not None and b is not None and a.shape == b.shape:
            narrow[i] = a & b
    lattice = prune(build_lattice(chains, grammar, wide), grammar)
    run, lengths = sum_product(lattice), lattice.lengths
    owner = np.repeat(np.arange(size), lengths)  # (tokens,) the sequence of each token, in the order given
    probs = run.tag_probs.take(lattice.slot, axis=0)  # (tokens, K) in the order given; they become the gradient
    log_z, gold_log_z = np.zeros((2, size))
    log_z[lattice.rows] = run.log_z
    matters = np.zeros(size)  # 1 where the annotation excludes a path
    counts = np.zeros((k, k))

    # Annotation that leaves one path
    known, tags = _single_paths(grammar, narrow, lengths)
    at = known[owner].nonzero()[0]  # their tokens
    gold_log_z += np.bincount(owner[at], lattice.potentials[lattice.slot[at], tags[at]], minlength=size)
    matters[owner[at[probs[at, tags[at]] < 1]]] = 1.0
    probs[at, tags[at]] -= 1.0
    later = at[_has_previous(lengths)[at]]
    moves = tags[later - 1] * k + tags[later]
    gold_log_z += np.bincount(owner[later], chains.transition.ravel()[moves], minlength=size)
    counts -= np.bincount(moves, matters[owner[later]], minlength=k * k).reshape(k, k)

    # Any other
    others = (~known).nonzero()[0]
    if len(others):
        some = Chains([chains.emissions[i] for i in others], chains.start, chains.transition, chains.end)
        left = build_lattice(some, grammar, [narrow[i] for i in others])
        left = prune(left, grammar, "the annotation, as far as it is allowed,", others.tolist())
        left_run, at = sum_product(left), (~known)[owner].nonzero()[0]
        gold_log_z[others[left.rows]] = left_run.log_z
        excluded = (lattice.potentials[lattice.slot[at]] > -np.inf) != (left.potentials[left.slot] > -np.inf)
        matters[owner[at[excluded.any(axis=1)]]] = 1.0
        probs[at] -= left_run.tag_probs.take(left.slot, axis=0)
        counts -= left_run.transition_counts(left, matters[others[left.rows]])

    if not matters.all():
        probs *= matters[owner, None]
    counts += run.transition_counts(lattice, matters[lattice.rows])
    stops = np.cumsum(lengths)
    emissions = [probs[stop - length : stop] for stop, length in zip(stops.tolist(), lengths.tolist(), strict=True)]
    first, last = (stops - lengths)[lengths > 0], stops[lengths > 0] - 1
    losses = matters * np.maximum(log_z - gold_log_z, 0.0)
    return losses, Chains(emissions, probs[first].sum(axis=0), counts, probs[last].sum(axis=0))


def _has_previous(lengths: Ints) -> Bools:
    """RETURNS (ndarray): (tokens,) bool, False for the first token of each sequence."""
    later = np.ones(lengths.sum(), dtype=np.bool_)
    later[(np.cumsum(lengths) - lengths)[lengths > 0]] = False
    return later


def _single_paths(grammar: Grammar, masks: Sequence[Mask], lengths: Ints) -> Tuple[Bools, Ints]:
    """Find the sequences whose mask admits one tag for each token, and these tags form a path.

    RETURNS (Tuple[ndarray, ndarray]): (B,) bool, and (tokens,) the tags; meaningless in the other sequences.
    """
    k = len(grammar.tags)
    filled = [np.zeros((n, k), np.bool_) if m is None else m for n, m in zip(lengths.tolist(), masks, strict=True)]
    flat = np.concatenate([np.zeros((0, k), np.bool_), *filled])
    tags = flat.argmax(axis=1)
    legal = flat.sum(axis=1) == 1
    later = _has_previous(lengths).nonzero()[0]
    legal[later] &= grammar.transition[tags[later - 1], tags[later]]
    stops = np.cumsum(lengths)[lengths > 0]
    starts = stops - lengths[lengths > 0]
    legal[starts] &= grammar.start[tags[starts]]
    legal[stops - 1] &= grammar.end[tags[stops - 1]]
    known = np.zeros(len(lengths), dtype=np.bool_)
    if len(starts):
        known[lengths > 0] = np.logical_and.reduceat(legal, starts)
    return known, tags
