"""Run an encoder over buckets of word pieces, and pool the vectors of pieces to vectors of tokens. PyTorch.

mean: the mean over the token's pieces; max: their maximum, number by number; first: as mean, over the first piece only
(the alignment is cut beforehand).
"""

import warnings
from functools import partial
from typing import Any, Optional, Sequence
from weakref import WeakSet

import numpy as np

from ..warnings import Warnings
from .buckets import Bucket

NO_MEMORY = "DefaultCPUAllocator: can't allocate memory"  # what a CPU's error says, which has no type of its own
_warned: WeakSet[Any] = WeakSet()  # encoders


def encode(
    buckets: Sequence[Bucket], n_tokens: int, width: int, pooling: str, layers: Optional[Sequence[int]], module: Any
) -> Any:
    """Run an encoder over all buckets of a batch.

    layers (Optional[Sequence[int]]): Layers whose vectors stand side by side in a row; None for the last one alone.
    RETURNS (torch.Tensor): (T, W), fp32 or finer, a row for each token of the batch; zeros for one without a piece.
    """
    import torch

    weight = next(module.parameters())
    to_device = partial(torch.as_tensor, device=weight.device)
    dtype = torch.promote_types(weight.dtype, torch.float32)
    output = torch.zeros((n_tokens, width), device=weight.device, dtype=dtype)
    if not buckets:
        return output
    parts = []
    token = np.concatenate([bucket.token for bucket in buckets])  # (E,) of all buckets
    share = to_device(1.0 / np.maximum(np.bincount(token, minlength=n_tokens), 1), dtype=dtype)[:, None]  # (T, 1)
    for bucket in buckets:
        hidden = _hidden(module, to_device(bucket.ids), to_device(bucket.mask), layers)  # (N, P, W)
        entries = hidden.reshape(-1, width).index_select(0, to_device(bucket.source)).to(dtype)  # (E, W)
        if pooling == "max":
            parts.append(entries)
        else:
            index = to_device(bucket.token)
            output.index_add_(0, index, entries * share[index])
    if pooling == "max":
        index = to_device(token)[:, None].expand(-1, width)
        return output.scatter_reduce(0, index, torch.cat(parts), "amax", include_self=False)
    return output


def _hidden(module: Any, ids: Any, mask: Any, layers: Optional[Sequence[int]]) -> Any:
    """Run the encoder; where memory is too small, over halves, with one warning. RETURNS (torch.Tensor): (N, P, W)."""
    import torch

    try:
        found = module(input_ids=ids, attention_mask=mask, output_hidden_states=layers is not None)
        if layers is None:
            return found.last_hidden_state
        states = [*found.hidden_states[1:-1], found.last_hidden_state]  # the first are the embeddings
        return torch.cat([states[layer] for layer in layers], dim=-1)
    except RuntimeError as error:
        is_cuda = isinstance(error, torch.cuda.OutOfMemoryError)
        if len(ids) == 1 or not (is_cuda or NO_MEMORY in str(error)):
            raise
    if module not in _warned:  # after the except block, which keeps what did not fit alive
        _warned.add(module)
        warnings.warn(Warnings.CW001.format(rows=len(ids), length=ids.shape[1], pieces=ids.numel() // 2), stacklevel=2)
    half = len(ids) // 2
    return torch.cat([_hidden(module, ids[at], mask[at], layers) for at in (slice(half), slice(half, None))])
