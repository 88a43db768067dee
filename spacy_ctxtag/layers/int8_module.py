"""An encoder whose linear layers and large tables are 8-bit integers: made, taken back, written and read."""

import contextlib
import copy
from typing import Any, Dict, Iterator, Mapping

import torch

from .int8 import Int8Linear, Range
from .int8_embedding import Int8Embedding

LARGE = 1000  # rows of a table of vectors, from which on it is rounded


@contextlib.contextmanager
def watched(module: Any) -> Iterator[Dict[str, Range]]:
    """In this context the ranges of what the linear layers of an encoder get are widened to all that they see.

    YIELDS (Dict[str, Range]): By the name of a layer.
    """
    ranges: Dict[str, Range] = {}

    def watch(name: str, layer: Any, inputs: Any) -> None:
        rows = inputs[0].detach().reshape(-1, inputs[0].shape[-1])
        low, high = torch.aminmax(rows, dim=0)
        before = ranges.get(name, (low, high))
        ranges[name] = torch.minimum(low, before[0]), torch.maximum(high, before[1])

    hooks = [
        each.register_forward_pre_hook(lambda layer, inputs, name=name: watch(name, layer, inputs))
        for name, each in module.named_modules()
        if isinstance(each, torch.nn.Linear)
    ]
    try:
        yield ranges
    finally:
        for hook in hooks:
            hook.remove()


def quantized(module: Any, ranges: Mapping[str, Range]) -> Any:
    """RETURNS (torch.nn.Module): A copy of an encoder in integers. A linear layer without a range stays as it is."""
    new = copy.deepcopy(module).requires_grad_(False)
    for name, each in list(new.named_modules()):
        if isinstance(each, torch.nn.Linear) and name in ranges:
            _put(new, name, Int8Linear.of(each, ranges[name]))
        elif isinstance(each, torch.nn.Embedding) and each.num_embeddings >= LARGE:
            _put(new, name, Int8Embedding.of(each))
    return _linked(new)


def dequantized(module: Any) -> Any:
    """RETURNS (torch.nn.Module): A copy of an encoder in integers that computes in floats with the rounded weights."""
    new = _unlinked(copy.deepcopy(module))
    for name, each in list(new.named_modules()):
        if isinstance(each, Int8Linear | Int8Embedding):
            _put(new, name, each.dequantized())
    return new.eval()


def is_int8(module: Any) -> bool:
    """RETURNS (bool): Whether an encoder is one in integers."""
    return any(isinstance(each, Int8Linear) for each in module.modules())


def with_tensors(module: Any, tensors: Mapping[str, Any]) -> Any:
    """RETURNS (torch.nn.Module): An encoder in floats turned into the one in integers that the tensors are of.
    RAISES (RuntimeError): Where a tensor is missing, left over, or of another shape."""
    for name, each in list(module.named_modules()):
        if f"{name}.weight_scale" not in tensors:
            continue
        if isinstance(each, torch.nn.Linear):
            _put(module, name, Int8Linear(each.in_features, each.out_features, each.bias is not None))
        else:
            _put(module, name, Int8Embedding(each.num_embeddings, each.embedding_dim))
    module.load_state_dict(tensors)
    return _linked(module.requires_grad_(False).eval())


def _put(module: Any, name: str, new: Any) -> None:
    parent, _, last = name.rpartition(".")
    setattr(module.get_submodule(parent), last, new)


def _linked(module: Any) -> Any:
    """Let the GELU of a BERT-like layer be done by the linear map before it."""
    for each in list(module.modules()):
        has_gelu = hasattr(each, "intermediate_act_fn") and module.config.hidden_act == "gelu"
        if has_gelu and isinstance(getattr(each, "dense", None), Int8Linear):
            each.dense.gelu, each.unlinked, each.intermediate_act_fn = (
                True,
                each.intermediate_act_fn,
                torch.nn.Identity(),
            )
    return module


def _unlinked(module: Any) -> Any:
    for each in list(module.modules()):
        if hasattr(each, "unlinked"):
            each.intermediate_act_fn = each.unlinked
    return module
