"""Label smoothing as a local term: the cross-entropy between the uniform distribution and a token's own softmax.

``Σ_t -1/K Σ_k log softmax(emissions_t)[k]``, to be added to the loss with a small weight (after Szegedy et al. 2016).
It is local: the emissions of a token are taken without its neighbours and moves. The same term of the exact marginals
would be global, but its gradient is a covariance of two tags, second-order quantities that need passes of their own.
Emissions that lie far apart are drawn together, so the model can be certain only where its neighbours and the moves
make it so; entities that rest on one token lose the most confidence. As nearly all tags are parts of entities, the pull
is away from "O". How confident the marginals then are is for a calibration to say.
"""

from typing import Optional, Sequence, Tuple

import numpy as np

from ..errors import Errors
from .chains import Chains, Floats, Mask, as_masks
from .log_space import log_sum_exp


def local_smoothing(chains: Chains, allowed: Optional[Sequence[Mask]] = None) -> Tuple[Floats, Chains]:
    """Compute the cross-entropy between the uniform distribution over tags and the local softmax of the emissions.

    chains (Chains): B sequences of any lengths, 0 included. Start, transition and end play no part.
    allowed (Optional[Sequence[Optional[ndarray]]]): B masks (T, K) of the tags that both distributions are over, for
        each token; None is all of them. What the grammar forbids next to other tags counts. A token that allows one
        tag, or none, costs nothing.
    RETURNS (Tuple[ndarray, Chains]): (B,) sums over tokens in nats, at least the sum of log(tags allowed), and the
        gradient of their sum: exactly 0 for tags that are not allowed, and for start, transition and end.
    RAISES (ValueError): Shapes (CT120), emissions that are not finite (CT121).
    """
    k = len(chains.start)
    losses, gradients = np.zeros(len(chains.emissions)), []
    for i, (scores, mask) in enumerate(zip(chains.emissions, as_masks(allowed, chains), strict=True)):
        if scores.ndim != 2 or scores.shape[1] != k:
            raise ValueError(Errors.CT120.format(name=f"emissions[{i}]", shape=scores.shape, expected=("T", k)))
        if mask is not None and mask.shape != scores.shape:
            raise ValueError(Errors.CT120.format(name=f"mask {i}", shape=mask.shape, expected=scores.shape))
        bad = ~np.isfinite(scores).all(axis=1)
        if bad.any():
            raise ValueError(Errors.CT121.format(sequence=i, token=bad.argmax()))
        over = np.ones(scores.shape, np.bool_) if mask is None else mask  # (T, K)
        uniform = over / np.maximum(over.sum(axis=1, keepdims=True), 1)
        values = np.where(over, scores.astype(np.float64), -np.inf)
        with np.errstate(invalid="ignore"):  # a token without tags
            log_probs = np.where(over, values - log_sum_exp(values, axis=1)[:, None], 0.0)
        losses[i] = -(uniform * log_probs).sum()
        gradients.append(np.where(over, np.exp(log_probs), 0.0) - uniform)
    return losses, Chains(gradients, np.zeros(k), np.zeros((k, k)), np.zeros(k))
