"""Dropout of an encoder on a processor, whose own draws a float for every number, one after the other.

    y = x ∘ m / P(m = 1),   m = [u ≥ ⌊65536 p⌉],   u uniform in 0 … 65535

16 random bits a number, from NumPy's SFC64, which starts from a number of torch's generator at every call: so the seed
of torch decides, and what is computed again for checkpointing gets the same masks. It takes the place of PyTorch's in
training, wherever an encoder calls it, in this thread alone, for all that is large.
"""

import math
from contextlib import nullcontext
from typing import Any, ContextManager, Optional, Sequence, Tuple

import numpy as np
import torch
from torch.nn.functional import dropout, scaled_dot_product_attention, softmax
from torch.overrides import TorchFunctionMode

LEVELS = 65536
LEAST = 1 << 14  # numbers; below, PyTorch's own is as fast


class FastDropout(TorchFunctionMode):
    """In this context `dropout`, and that inside of `scaled_dot_product_attention`, are what this module does."""

    def __torch_function__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is dropout:
            return _dropout(*args, **kwargs)
        if func is scaled_dot_product_attention and _is_plain(*args, **kwargs):
            return _attend(*args, **kwargs)
        return func(*args, **kwargs)


def when_recomputed() -> Tuple[ContextManager[Any], ContextManager[Any]]:
    """The `context_fn` of checkpointing. RETURNS (Tuple): Contexts for the first time, and for what is computed again,
    where PyTorch has left the one around it."""
    return nullcontext(), FastDropout()


def drop(x: Any, p: float) -> Any:
    """Set each number of a tensor to 0 with probability p, and make the others larger, so that the mean stays.

    p (float): In [0, 1); taken to the next multiple of 1 / LEVELS.
    """
    level = round(p * LEVELS)
    masked: Any = _Masked.apply  # not typed
    return masked(x, _mask(x.shape, level), LEVELS / max(1, LEVELS - level)) if level else x


class _Masked(torch.autograd.Function):
    """y = x ∘ mask · factor, which keeps one byte a number for the way back."""

    @staticmethod
    def forward(ctx: Any, x: Any, mask: Any, factor: float) -> Any:
        ctx.save_for_backward(mask)
        ctx.factor = factor
        return torch.mul(x, mask).mul_(factor)

    @staticmethod
    def backward(ctx: Any, *d_y: Any) -> Tuple[Any, None, None]:
        (mask,) = ctx.saved_tensors
        return torch.mul(d_y[0], mask).mul_(ctx.factor), None, None


def _mask(shape: Any, level: int) -> Any:
    seed = int(torch.randint(1 << 62, (1,)))
    count = math.prod(shape)
    bits = np.random.SFC64(seed).random_raw(-(-count // 4)).view("int16")[:count]
    return torch.from_numpy(bits >= level - LEVELS // 2).reshape(shape)


def _dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    ours = training and 0 < p < 1 and not inplace and input.device.type == "cpu" and input.numel() >= LEAST
    return drop(input, p) if ours else dropout(input, p, training, inplace)


def _attend(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: Optional[float] = None,
    enable_gqa: bool = False,
) -> Any:
    """Attention as its formula says: PyTorch does the same as soon as there is dropout on a processor. Padding that may
    look at nothing, as far off in a sliding window, gets a mean: -inf would give no number, and that spreads."""
    scores = torch.matmul(query * (query.shape[-1] ** -0.5 if scale is None else scale), key.transpose(-2, -1))
    if attn_mask is not None:
        lowest = torch.finfo(scores.dtype).min
        boolean = attn_mask.dtype == torch.bool
        scores = scores.masked_fill(~attn_mask, lowest) if boolean else scores + attn_mask
    return torch.matmul(drop(softmax(scores, dim=-1), dropout_p), value)


def _is_plain(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    enable_gqa: bool = False,
    **rest: Any,
) -> bool:
    n_scores = math.prod(query.shape[:-1]) * key.shape[-2]
    plain = query.device.type == "cpu" and not is_causal and not enable_gqa
    return plain and 0 < dropout_p < 1 and n_scores >= LEAST
