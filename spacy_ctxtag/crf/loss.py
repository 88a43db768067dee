"""The loss of a CRF under partial annotation, ``log Z(allowed) - log Z(allowed by the annotation)``, and its gradient.

The gradient is the difference of the expected counts of both (Lafferty et al. 2001; for partial annotation Tsuboi et
al. 2008). Both are computed as one batch of 2B chains. No reduction: divide as you like.
"""

from typing import Optional, Sequence, Tuple

import numpy as np

from ..errors import Errors
from ..tags import Grammar
from .chains import Bools, Chains, Floats, Mask, as_masks, build_lattice, prune
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
    lattice = build_lattice(chains, grammar, [*wide, *narrow])
    lattice = prune(lattice, grammar, ("the allowed tags", "the annotation, as far as it is allowed,"))
    run = sum_product(lattice)
    log_z = np.zeros(2 * size)
    log_z[lattice.rows] = run.log_z
    lengths = lattice.lengths[:size]
    owner = np.repeat(np.arange(size), lengths)  # (tokens,) the sequence of each token
    half = len(owner)
    wide_slot, narrow_slot = lattice.slot[:half], lattice.slot[half:]
    possible = lattice.potentials > -np.inf  # (N, K)
    excluded = (possible[wide_slot] != possible[narrow_slot]).any(axis=1)
    matters = np.bincount(owner, excluded, minlength=size) > 0  # (B,) whether the annotation excludes a path
    losses = np.where(matters, np.maximum(log_z[:size] - log_z[size:], 0.0), 0.0)
    signs = np.concatenate([matters, -1.0 * matters])[lattice.rows]  # (2B,)
    probs = lattice.unpack(run.tag_probs)
    emissions = [(p - q) * m for p, q, m in zip(probs[:size], probs[size:], matters, strict=True)]
    ends = np.array([[e[0], e[-1]] for e in emissions if len(e)]).reshape(-1, 2, k).sum(axis=0)  # (2, K)
    return losses, Chains(emissions, ends[0], run.transition_counts(lattice, signs), ends[1])
