"""The expected entity ratio, a loss for annotations with missing entities (Effland & Collins, TACL 2021).

``max(0, |ratio - ρ| - margin)``, with ρ the expected share of tokens in entities. ρ is linear in the marginals, so its
derivative in the scores is a covariance: ``∂E[f]/∂θ = Cov(f, counts) = d/dε E_ε[counts]``, where f counts the tokens in
entities and E_ε has ε added to the emissions of all their tags. Taken as a central difference of exact marginals.
"""

from dataclasses import replace
from typing import Optional, Sequence, Tuple

import numpy as np

from ..errors import Errors
from ..tags import Grammar
from .chains import Chains, Mask, as_masks, build_lattice, prune
from .scaled import sum_product

# Rounding costs about 1e-15 / STEP, cutting the series off STEP² / 6 of the third derivative: both below 1e-9 here.
STEP = 1e-5


def entity_ratio_loss(
    chains: Chains, grammar: Grammar, ratio: float, margin: float, allowed: Optional[Sequence[Mask]] = None
) -> Tuple[float, Chains]:
    """Compute how far the expected share of tokens in entities is from what it should be, over the whole batch.

    The gradient costs two passes more, and none where it is 0. Against enumeration it is good to 1e-9, with scores up
    to 1e3; in a sequence of T tokens that all depend on one, to (STEP · T)² / 48 (5e-7 for 500).

    chains (Chains): B sequences of any lengths, 0 included.
    grammar (Grammar): The K tags and their moves.
    ratio (float): The share of tokens in entities to be expected, in [0, 1].
    margin (float): How far from it costs nothing, in [0, 1].
    allowed (Optional[Sequence[Optional[ndarray]]]): B masks (T, K) of allowed tags, such as those that a partial
        annotation admits; None allows all.
    RETURNS (Tuple[float, Chains]): The loss, in [0, 1], and its gradient: exactly 0 for forbidden tags and moves, and
        all of it within the margin. A batch without tokens costs 0.
    RAISES (ValueError): Shapes (CT120), scores that are not finite (CT121, CT123), a sequence without a path (CT122),
        ratio or margin out of range (CT129).
    """
    for name, value in (("ratio", ratio), ("margin", margin)):
        if not 0 <= value <= 1:
            raise ValueError(Errors.CT129.format(name=name, value=value))
    k, masks = len(grammar.tags), as_masks(allowed, chains)
    lattice = prune(build_lattice(chains, grammar, masks), grammar)
    tokens = len(lattice.row)
    found = float(sum_product(lattice).tag_probs[:, 1:].sum()) / max(1, tokens)
    loss = max(0.0, abs(ratio - found) - margin) if tokens else 0.0
    if not loss:
        zeros = [np.zeros(e.shape) for e in chains.emissions]
        return 0.0, Chains(zeros, np.zeros(k), np.zeros((k, k)), np.zeros(k))
    scale = (1.0 if found > ratio else -1.0) / (2 * STEP * tokens)
    probs, moves = np.zeros(lattice.potentials.shape), np.zeros((k, k))
    for sign in (1.0, -1.0):
        moved = replace(lattice, potentials=lattice.potentials + sign * STEP * (np.arange(k) > 0))
        run = sum_product(moved)
        probs += sign * scale * run.tag_probs
        moves += run.transition_counts(moved, np.full(len(lattice.rows), sign * scale))
    emissions = lattice.unpack(probs)
    ends = np.array([[e[0], e[-1]] for e in emissions if len(e)]).reshape(-1, 2, k).sum(axis=0)  # (2, K)
    return loss, Chains(emissions, ends[0], moves, ends[1])
