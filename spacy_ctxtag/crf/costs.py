"""Costs of wrong tags, added to the scores: the softmax-margin loss (Gimpel & Smith 2010).

``loss = log Σ_y exp(score(y) + cost(y)) - log Σ_gold exp(score(y))``, where the cost of a path is the sum over its
tokens. Paths that the annotation admits cost nothing, so this is `nll` of the chains with their costs, and its gradient
is that with respect to the original scores. For training only: decode, and compute probabilities, without costs.
"""

from typing import Sequence

import numpy as np

from ..errors import Errors
from .chains import Chains, Floats, Mask, as_masks


def add_costs(chains: Chains, gold: Sequence[Mask], costs: Floats) -> Chains:
    """Add to every tag that is wrong what it costs, as `nll` takes it.

    A token whose gold tag is g costs `costs[g]` under any other tag: what it costs to miss g. A token that admits
    several tags costs the least of theirs, under the tags that it does not admit: its gold tag may be the cheapest. One
    that admits all has no wrong tag, and costs nothing; so does one that admits none, which `nll` refuses.

    chains (Chains): B sequences of any lengths, 0 included.
    gold (Sequence[ndarray]): B masks (T, K) bool of the tags that the annotation admits, as given to `nll`.
    costs (ndarray): (K,) in nats, of the gold tag; finite and at least 0.
    RETURNS (Chains): The chains with other emissions, float64.
    RAISES (ValueError): Shapes (CT120), costs that are negative or not finite (CT127).
    """
    costs = np.asarray(costs, dtype=np.float64)
    if costs.shape != chains.start.shape:
        raise ValueError(Errors.CT120.format(name="costs", shape=costs.shape, expected=chains.start.shape))
    bad = ~(np.isfinite(costs) & (costs >= 0))
    if bad.any():
        raise ValueError(Errors.CT127.format(tag=bad.argmax(), cost=costs[bad.argmax()]))
    emissions = []
    for i, (scores, mask) in enumerate(zip(chains.emissions, as_masks(gold, chains), strict=True)):
        if mask is not None and mask.shape != scores.shape:
            raise ValueError(Errors.CT120.format(name=f"gold[{i}]", shape=mask.shape, expected=scores.shape))
        if mask is not None:
            least = np.where(mask, costs, np.inf).min(axis=1, keepdims=True)  # (T, 1)
            scores = scores + np.where(mask | (least == np.inf), 0.0, least)
        emissions.append(scores.astype(np.float64))
    return Chains(emissions, chains.start, chains.transition, chains.end)
