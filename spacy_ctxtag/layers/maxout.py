"""Thinc's Maxout (Goodfellow et al. 2013), which in prediction on a CPU computes one piece after the other by PyTorch.

    y = max_p (W_p x + b_p)

Thinc's own also notes which piece was the greatest, which only training needs.
"""

from functools import partial
from typing import Any, Callable, Tuple

import torch
from thinc.api import Model, NumpyOps, glorot_uniform_init, zero_init
from thinc.layers.maxout import forward, init
from thinc.types import Floats2d

from ..errors import Errors
from .cpu import has_bf16
from .torch_ops import fits

PRECISIONS = ("fp32", "bf16")


def maxout(width: int, *, precision: str = "fp32") -> Model[Floats2d, Floats2d]:
    """INPUT: (T, W_i). OUTPUT: (T, W). PARAMS: W (W, 3, W_i), b (W, 3). The gradient reaches both and the input; an
    empty batch gives an empty array.

    width (int): W.
    precision (str): "fp32", or "bf16": in prediction the products are in bf16 on a CPU that multiplies such numbers.
    RETURNS (Model[Floats2d, Floats2d]): The layer; its parameters are those of `thinc.api.Maxout`.
    RAISES (ValueError): CT016 for another precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(Errors.CT016.format(precision=precision, known=", ".join(PRECISIONS)))
    return Model(
        "maxout",
        partial(_forward, precision),
        init=partial(init, glorot_uniform_init, zero_init),
        dims={"nO": width, "nI": None, "nP": 3},
        params={"W": None, "b": None},
    )


def _forward(
    precision: str, model: Model[Floats2d, Floats2d], X: Floats2d, is_train: bool
) -> Tuple[Floats2d, Callable[[Floats2d], Any]]:
    weights: Any = [model.get_param("W"), model.get_param("b")]
    if is_train or not isinstance(model.ops, NumpyOps) or not all(map(fits, (X, *weights))):
        return forward(model, X, is_train)
    dtype = torch.bfloat16 if precision == "bf16" and has_bf16() else torch.float32
    with torch.inference_mode():
        x, W, b = (torch.from_numpy(array).to(dtype) for array in (X, *weights))
        best = torch.addmm(b[:, 0], x, W[:, 0].T)  # (T, W)
        for piece in range(1, W.shape[1]):
            torch.maximum(best, torch.addmm(b[:, piece], x, W[:, piece].T), out=best)
        found: Any = best.float().numpy()
    return found, lambda dY: []
