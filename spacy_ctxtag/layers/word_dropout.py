"""Word dropout: in training, the whole vectors of some tokens become zeros.

    y_t = k_t x_t,   k_t ∈ {0, 1},   P(k_t = 0) = rate

Unlike in ordinary dropout what is left is not made larger: a token is there as it is in prediction, or it is missing.
"""

from functools import partial
from typing import Any, Callable, Tuple

import numpy as np
from thinc.api import Model

from ..errors import Errors
from ..types import TokenVectors


def WordDropout(rate: float) -> Model[TokenVectors, TokenVectors]:
    """Leave out whole tokens (Iyyer et al. 2015), so that a head learns to read them off their neighbours.

    INPUT, OUTPUT: B × (T, W); in prediction, and with a rate of 0, the input itself. PARAMS: none.
    GRADIENT: reaches the vectors that are left; it is 0 for the others. An empty batch is passed on.

    rate (float): Probability of each token to be left out, in [0, 1). spaCy's `[training] dropout` does not set it.
    RETURNS (Model[TokenVectors, TokenVectors]): The layer.
    RAISES (ValueError): CT210.
    """
    if not 0.0 <= rate < 1.0:
        raise ValueError(Errors.CT210.format(layer="WordDropout", name="rate", value=rate))
    return Model("word_dropout", partial(_forward, rate))


def _forward(
    rate: float, model: Model[Any, Any], X: TokenVectors, is_train: bool
) -> Tuple[TokenVectors, Callable[[TokenVectors], TokenVectors]]:
    if not X or not is_train or not rate:
        return X, lambda dY: dY
    ops, xp = model.ops, model.ops.xp
    lengths = [len(vectors) for vectors in X]
    there = ops.get_dropout_mask((sum(lengths), 1), rate) > 0  # (T, 1) of all sequences
    masks = xp.split(there, np.cumsum(lengths)[:-1].tolist())

    def backprop(dY: TokenVectors) -> TokenVectors:
        return [d * mask for d, mask in zip(dY, masks, strict=True)]

    return [vectors * mask for vectors, mask in zip(X, masks, strict=True)], backprop
