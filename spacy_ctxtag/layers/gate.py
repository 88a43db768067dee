"""A gated sum of several vectors of the same token: each is projected, and all together decide how much of each passes.

    y = Σ_i g_i ∘ h_i,   h_i = W_i x_i + b_i,   [g_1; …; g_n] = σ(U [h_1; …; h_n] + c)

It has no nonlinearity but the gate.
"""

from typing import Callable, List, Optional, Tuple

from thinc.api import Linear, Model
from thinc.types import Floats2d

InT = List[Floats2d]  # n × (T, W_i)
OutT = Floats2d


def gate(n_parts: int, width: int) -> Model[InT, OutT]:
    """The gated multimodal unit (Arevalo et al. 2017, eq. 2, for n inputs) with a linear h.

    INPUT: n arrays (T, W_i), T > 0. OUTPUT: (T, W).
    PARAMS: for each input W (W, W_i), b (W,); U (n·W, n·W), c (n·W,).
    GRADIENT: reaches all parameters and all inputs. An empty batch is the caller's business.

    n_parts (int): n.
    width (int): W.
    RETURNS (Model[List[Floats2d], Floats2d]): The layer; the W_i are read from a sample in `initialize`.
    """
    projections: List[Model[Floats2d, Floats2d]] = [Linear(width) for _ in range(n_parts)]
    layers = [*projections, Linear(n_parts * width, n_parts * width)]
    return Model("gate", _forward, init=_init, dims={"nO": width}, layers=layers)


def _forward(model: Model[InT, OutT], parts: InT, is_train: bool) -> Tuple[OutT, Callable[[OutT], InT]]:
    ops, n_parts = model.ops, len(parts)
    *projections, decide = model.layers
    projected, callbacks = zip(*[f(x, is_train) for f, x in zip(projections, parts, strict=True)], strict=True)
    h = ops.xp.hstack(projected)  # (T, n·W)
    a, backprop_decide = decide(h, is_train)  # (T, n·W)
    g = ops.sigmoid(a)  # (T, n·W)

    def backprop(dY: OutT) -> InT:
        d_gh = ops.xp.tile(dY, (1, n_parts))  # (T, n·W)
        dh = d_gh * g + backprop_decide(ops.backprop_sigmoid(d_gh * h, g))  # (T, n·W)
        d_projected = ops.xp.split(dh, n_parts, axis=1)  # n × (T, W)
        return [callback(ops.as_contig(d)) for callback, d in zip(callbacks, d_projected, strict=True)]

    return ops.reshape3f(g * h, len(h), n_parts, -1).sum(axis=1, keepdims=False), backprop


def _init(model: Model[InT, OutT], X: Optional[InT] = None, Y: Optional[OutT] = None) -> None:
    *projections, decide = model.layers
    for i, projection in enumerate(projections):
        projection.initialize(X=None if X is None else X[i])
    decide.initialize()
