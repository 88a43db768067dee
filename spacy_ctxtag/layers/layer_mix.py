"""A learned mix of an encoder's layers: scalars that sum to 1, and a scale (Peters et al. 2018, equation 1).

    y = γ Σ_l s_l x_l,   s = softmax(w)

In training, layers are dropped: the s of the others sum to 1 (Kondratyuk & Straka 2019, section 3.3).
"""

from functools import partial
from typing import Any, Callable, Optional, Tuple

import numpy as np
from thinc.api import Model

from ..errors import Errors
from ..types import TokenVectors


def layer_mix(n_layers: int, dropout: float) -> Model[TokenVectors, TokenVectors]:
    """Mix the vectors of several layers.

    INPUT: B × (T, L · W), those of a token side by side. OUTPUT: B × (T, W).
    PARAMS: w (L,), zeros at first, so that the mean is given; γ (1,), at first 1.
    GRADIENT: reaches w, γ and all layers that are not dropped.

    n_layers (int): L.
    dropout (float): Probability of a layer to be left out of a batch of training, in [0, 1).
    RETURNS (Model[TokenVectors, TokenVectors]): The layer.
    RAISES (ValueError): CT200, CT210; CT015 where L does not divide the width.
    """
    if n_layers < 1:
        raise ValueError(Errors.CT200.format(layer="LayerMix", name="n_layers", value=n_layers, least=1))
    if not 0.0 <= dropout < 1.0:
        raise ValueError(Errors.CT210.format(layer="LayerMix", name="dropout", value=dropout))
    forward, init = partial(_forward, n_layers, dropout), partial(_init, n_layers)
    return Model("layer_mix", forward, init=init, params={"w": None, "gamma": None}, dims={"nO": None})


def _forward(
    n_layers: int, dropout: float, model: Model[Any, Any], X: TokenVectors, is_train: bool
) -> Tuple[TokenVectors, Callable[[TokenVectors], TokenVectors]]:
    ops, xp = model.ops, model.ops.xp
    if not X:
        return [], lambda d_mixed: []
    ends = np.cumsum([len(vectors) for vectors in X])[:-1].tolist()
    rows = xp.vstack(X)  # (T, L · W) of all Docs
    layers = rows.reshape((len(rows), n_layers, _width(n_layers, X)))  # (T, L, W)
    weights, gamma = model.get_param("w"), model.get_param("gamma")
    kept = ops.get_dropout_mask((n_layers,), dropout if is_train else 0.0) > 0
    kept = kept | ~kept.any()  # all of them rather than none
    raised = xp.where(kept, xp.exp(weights - weights.max()), 0.0)
    share = (raised / raised.sum()).astype(rows.dtype)  # (L,)
    mixed = (layers * share[:, None]).sum(axis=1)  # (T, W)

    def backprop(d_mixed: TokenVectors) -> TokenVectors:
        dY = xp.vstack(d_mixed)
        model.inc_grad("gamma", (dY * mixed).sum().reshape((1,)))
        d_share = gamma * (layers * dY[:, None]).sum(axis=(0, 2))  # (L,)
        model.inc_grad("w", share * (d_share - (share * d_share).sum()))
        dX = (gamma * dY)[:, None] * share[:, None]
        return [ops.as_contig(part) for part in xp.split(dX.reshape(rows.shape), ends)]

    return [ops.as_contig(part) for part in xp.split(gamma * mixed, ends)], backprop


def _init(n_layers: int, model: Model[Any, Any], X: Optional[TokenVectors] = None, Y: Any = None) -> None:
    if X:
        model.set_dim("nO", _width(n_layers, X))
    model.set_param("w", model.ops.alloc1f(n_layers))
    model.set_param("gamma", model.ops.alloc1f(1) + 1)


def _width(n_layers: int, X: TokenVectors) -> int:
    width, rest = divmod(X[0].shape[1], n_layers)
    if rest:
        raise ValueError(Errors.CT015.format(width=X[0].shape[1], n=n_layers))
    return int(width)
