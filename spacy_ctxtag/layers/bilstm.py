"""A bidirectional LSTM over the tokens of a text: each token gets what stands to its left, and what to its right.

    i, f, o = σ(W x_t + U h_{t-1} + b),   c_t = f ∘ c_{t-1} + i ∘ tanh(W' x_t + U' h_{t-1} + b'),   h_t = o ∘ tanh(c_t)

The weights are parameters of Thinc, PyTorch computes with them where they lie. Texts are packed by time step and not
padded, so that no text sees another one of its batch, nor any padding. Dropout is left to the layers around it.
"""

from functools import partial
from typing import Any, Callable, Dict, Optional, Tuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from thinc.api import Model, torch2xp, uniform_init
from torch.nn.utils.rnn import PackedSequence
from torch.utils.dlpack import from_dlpack

from ..errors import Errors
from ..types import TokenVectors


def BiLSTM(width: int = 256, *, depth: int = 1) -> Model[TokenVectors, TokenVectors]:
    """Read every text in both directions (Hochreiter & Schmidhuber 1997; Graves & Schmidhuber 2005).

    INPUT: B × (T, W'). OUTPUT: B × (T, W), the two directions side by side. Texts without tokens are passed on.
    PARAMS: for each of the layers l and both directions, named as in PyTorch: weight_ih (2W, W' or W), weight_hh
    (2W, W/2), bias_ih, bias_hh (2W,); at first all within ±√(2/W).
    GRADIENT: reaches all parameters and the input.

    width (int): W, one half for each direction.
    depth (int): Layers; from the second on each reads both directions of the one before.
    RETURNS (Model[TokenVectors, TokenVectors]): The layer. `nI` is W'.
    RAISES (ValueError): CT200 where a setting is too small, CT208 for an odd width.
    """
    for name, value, least in (("width", width, 2), ("depth", depth, 1)):
        if value < least:
            raise ValueError(Errors.CT200.format(layer="BiLSTM", name=name, value=value, least=least))
    if width % 2:
        raise ValueError(Errors.CT208.format(width=width))
    params = dict.fromkeys(_shapes(0, width, depth))
    forward, init = partial(_forward, depth), partial(_init, depth)
    return Model("bilstm", forward, init=init, dims={"nO": width, "nI": None}, params=params)


def _forward(
    depth: int, model: Model[TokenVectors, TokenVectors], X: TokenVectors, is_train: bool
) -> Tuple[TokenVectors, Callable[[TokenVectors], TokenVectors]]:
    ops: Any = model.ops
    lengths: Any = np.array([len(x) for x in X], dtype="int64")
    if not lengths.any():
        empty = model.get_dim("nI")
        return [ops.alloc2f(0, model.get_dim("nO")) for _ in X], lambda dY: [ops.alloc2f(0, empty) for _ in X]
    order, sizes = _by_time(lengths)
    forth, back = ops.asarray1i(order), ops.asarray1i(np.argsort(order))  # (T,) of all texts
    rows = from_dlpack(ops.flatten(X)[forth]).requires_grad_(is_train)  # (T, W')
    module = _module(depth, model)
    with torch.inference_mode(not is_train):
        states = module(PackedSequence(rows, torch.from_numpy(sizes)))[0].data  # (T, W)

    def backprop(dY: TokenVectors) -> TokenVectors:
        d_states = from_dlpack(ops.flatten(dY)[forth])
        weights = dict(module.named_parameters())
        found = torch.autograd.grad(states, [rows, *weights.values()], d_states)
        d_rows, *d_weights = (cast(Any, torch2xp(gradient, ops=ops)) for gradient in found)
        for name, gradient in zip(weights, d_weights, strict=True):
            model.inc_grad(name, gradient)
        return list(ops.unflatten(d_rows[back], lengths))

    flat: Any = torch2xp(states, ops=ops)
    return list(ops.unflatten(flat[back], lengths)), backprop


def _by_time(lengths: NDArray[np.int64]) -> Tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The order of a packed sequence: all first tokens, those of the longest texts in front, then all second ones, ….

    RETURNS (Tuple): (T,) the tokens of all texts in that order, and how many texts have a token at each time step.
    """
    rank = np.argsort(np.argsort(-lengths, kind="stable"), kind="stable")
    step = np.concatenate([np.arange(length) for length in lengths])  # (T,)
    return np.lexsort((np.repeat(rank, lengths), step)), np.bincount(step).astype("int64")


def _module(depth: int, model: Model[TokenVectors, TokenVectors]) -> torch.nn.LSTM:
    """RETURNS (LSTM): PyTorch's layer, with the memory of the parameters as its own, unless cuDNN wants a copy."""
    n_in, n_out = model.get_dim("nI"), model.get_dim("nO")
    module = torch.nn.LSTM(n_in, n_out // 2, depth, bidirectional=True, device="meta")
    for name in model.param_names:
        setattr(module, name, torch.nn.Parameter(from_dlpack(model.get_param(name))))
    module.flatten_parameters()
    return module


def _shapes(n_in: int, n_out: int, depth: int) -> Dict[str, Tuple[int, ...]]:
    """RETURNS (Dict): The parameters by their names in PyTorch."""
    shapes: Dict[str, Tuple[int, ...]] = {}
    for layer in range(depth):
        for suffix in (f"l{layer}", f"l{layer}_reverse"):
            shapes[f"weight_ih_{suffix}"] = (2 * n_out, n_out if layer else n_in)
            shapes[f"weight_hh_{suffix}"] = (2 * n_out, n_out // 2)
            shapes[f"bias_ih_{suffix}"] = shapes[f"bias_hh_{suffix}"] = (2 * n_out,)
    return shapes


def _init(depth: int, model: Model[Any, Any], X: Optional[TokenVectors] = None, Y: Any = None) -> None:
    if X:
        model.set_dim("nI", X[0].shape[1])
    bound = (2 / model.get_dim("nO")) ** 0.5
    for name, shape in _shapes(model.get_dim("nI"), model.get_dim("nO"), depth).items():
        model.set_param(name, uniform_init(model.ops, shape, lo=-bound, hi=bound))
