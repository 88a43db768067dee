"""Locked dropout: in training, some dimensions of the vectors become zeros, the same ones throughout a sequence.

    y_t = m ∘ x_t for all t of a sequence,   m_i ∈ {0, 1 / (1 - rate)},   P(m_i = 0) = rate

A sequence is a Doc, whether it has one sentence or many.
"""

from functools import partial
from typing import Any, Callable, Tuple

from thinc.api import Model

from ..errors import Errors
from ..types import TokenVectors


def LockedDropout(rate: float) -> Model[TokenVectors, TokenVectors]:
    """Drop dimensions with one mask for each sequence (Gal & Ghahramani 2016), so that no token of it tells what was
    taken from another.

    INPUT, OUTPUT: B × (T, W); in prediction, and with a rate of 0, the input itself. PARAMS: none.
    GRADIENT: reaches the dimensions that are left; it is 0 for the others. An empty batch is passed on.

    rate (float): Probability of each dimension to be dropped, in [0, 1). spaCy's `[training] dropout` does not set it.
    RETURNS (Model[TokenVectors, TokenVectors]): The layer.
    RAISES (ValueError): CT210.
    """
    if not 0.0 <= rate < 1.0:
        raise ValueError(Errors.CT210.format(layer="LockedDropout", name="rate", value=rate))
    return Model("locked_dropout", partial(_forward, rate))


def _forward(
    rate: float, model: Model[Any, Any], X: TokenVectors, is_train: bool
) -> Tuple[TokenVectors, Callable[[TokenVectors], TokenVectors]]:
    if not X or not is_train or not rate:
        return X, lambda dY: dY
    masks: Any = model.ops.get_dropout_mask((len(X), X[0].shape[1]), rate)  # (B, W)

    def backprop(dY: TokenVectors) -> TokenVectors:
        return [d * masks[i] for i, d in enumerate(dY)]

    return [vectors * masks[i] for i, vectors in enumerate(X)], backprop
