"""Attention in bf16 on a processor that multiplies such numbers: matrix products and a softmax, some texts at a time.

    y = softmax(q kᵀ / √D + m) v

PyTorch's fused attention is made for long texts and wide heads. For the windows of an encoder, products of whole
matrices are faster, as long as the scores stay in the processor's cache. It takes the fused one's place in prediction,
wherever an encoder calls it, in this thread alone.
"""

import contextlib
from typing import Any, ContextManager, Optional, Sequence

import torch
from torch.overrides import TorchFunctionMode

from .cpu import has_bf16

SCORES = 2**21  # that are computed at a time


class MatrixAttention(TorchFunctionMode):
    """In this context `scaled_dot_product_attention` is what this module does, for what it can do."""

    def __torch_function__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.nn.functional.scaled_dot_product_attention and _is_plain(*args, **kwargs):
            known = {name: kwargs[name] for name in ("query", "key", "value", "attn_mask", "scale") if name in kwargs}
            return attend(*args[:4], **known)
        return func(*args, **kwargs)


def attention_of(precision: str) -> ContextManager[Any]:
    """RETURNS (ContextManager[Any]): In it, the attention for a precision is used: this one, or PyTorch's own."""
    return MatrixAttention() if precision in ("bf16", "int8") and has_bf16() else contextlib.nullcontext()


def attend(query: Any, key: Any, value: Any, attn_mask: Any = None, *, scale: Optional[float] = None) -> Any:
    """Attention of B texts with H heads over P pieces.

    query, key, value (torch.Tensor): (B, H, P, D) floats.
    attn_mask (Optional[torch.Tensor]): Broadcasts to (B, H, P, P): what is added to the scores, or False to leave out.
    scale (Optional[float]): Instead of 1 / √D.
    RETURNS (torch.Tensor): (B, H, P, D), of the type of the query.
    """
    n_texts, n_heads, length, width = query.shape
    scaled = query * (width**-0.5 if scale is None else scale)
    mask = None if attn_mask is None else attn_mask.expand(n_texts, *attn_mask.shape[1:])
    if mask is not None and mask.dtype == torch.bool:
        mask = torch.zeros(mask.shape).masked_fill_(~mask, float("-inf"))
    output = torch.empty_like(query, memory_format=torch.contiguous_format)
    step = max(1, SCORES // (n_heads * length * length))
    for low in range(0, n_texts, step):
        some = slice(low, low + step)
        q, k, v = (each[some].bfloat16().reshape(-1, length, width) for each in (scaled, key, value))  # (B · H, P, D)
        scores = torch.bmm(q, k.transpose(1, 2))  # (B · H, P, P)
        if mask is not None:
            scores.view(-1, n_heads, length, length).add_(mask[some].bfloat16())
        output[some] = torch.bmm(torch.softmax(scores, dim=-1), v).view(-1, n_heads, length, width)
    return output


def _is_plain(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    **rest: Any,
) -> bool:
    like = query.dim() == 4 and query.shape == key.shape == value.shape and query.device.type == "cpu"
    grouped = rest.get("enable_gqa", False)
    return like and not (dropout_p or is_causal or grouped) and not torch.is_grad_enabled()
