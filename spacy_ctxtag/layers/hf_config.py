"""What can be read off any Hugging Face encoder: how many pieces it takes, and its layers."""

import re
from typing import Any, Dict, List, Optional, Pattern, Sequence, Union

from ..errors import Errors
from .once import once

Layers = Union[str, Sequence[int]]


def max_length(module: Any, tokenizer: Any) -> int:
    """RETURNS (int): Word pieces that encoder and tokenizer take at once, special pieces included."""
    return int(min(positions(module), tokenizer.model_max_length))


@once
def positions(module: Any) -> int:
    """RETURNS (int): Word pieces that the encoder takes at once."""
    found = getattr(module.config, "max_position_embeddings", None) or 0
    reserved = 0
    for name, each in module.named_modules():
        if name.endswith("position_embeddings") and getattr(each, "padding_idx", None) is not None:
            reserved = each.padding_idx + 1  # RoBERTa and its kin count positions from behind the padding
    return int(found - reserved if found > 0 else 512)


def n_layers(module: Any) -> int:
    """RETURNS (int): L, the layers of the encoder."""
    return int(module.config.num_hidden_layers)


def pick_layers(layers: Layers, n: int) -> Optional[List[int]]:
    """Read the setting `layers`.

    layers (Union[str, Sequence[int]]): "last", "all", or numbers from 0 (the lowest) to n - 1.
    n (int): Layers that there are.
    RETURNS (Optional[List[int]]): Their numbers; None for the last one alone.
    RAISES (ValueError): CT011 for anything else.
    """
    if layers == "last":
        return None
    if layers == "all":
        return list(range(n))
    if isinstance(layers, str) or not layers or not all(0 <= layer < n for layer in layers):
        raise ValueError(Errors.CT011.format(layers=layers, n=n, last=n - 1))
    return list(layers)


def layer_pattern(module: Any) -> Pattern[str]:
    """RETURNS (Pattern): Matches the names of what belongs to a layer, such as "encoder.layer.5.output.dense.weight" in
    BERT, in three groups: what stands before the number of the layer, the number, the rest.
    RAISES (ValueError): CT012 where layers share their weights (ALBERT).
    """
    n = n_layers(module)
    found = [name for name, _ in module.named_modules() if re.fullmatch(rf"(.*\.)?layers?\.{n - 1}", name)]
    if not found:
        raise ValueError(Errors.CT012.format(kind=module.config.model_type))
    return re.compile(rf"({re.escape(min(found, key=len).rpartition('.')[0])}\.)(\d+)(\..+)")


def heights(module: Any) -> Dict[str, int]:
    """Find where in an encoder each weight belongs.

    RETURNS (Dict[str, int]): By the name of a parameter: 0 for embeddings, and for whatever else all layers read
        (DeBERTa's relative positions); i + 1 for layer i; L + 1 for what comes behind the last one.
    RAISES (ValueError): CT012 where layers share their weights (ALBERT).
    """
    n, layer = n_layers(module), layer_pattern(module)
    inside = {name: layer.match(name) for name, _ in module.named_parameters()}
    return {name: int(at[2]) + 1 if at else n + 1 if "final" in name else 0 for name, at in inside.items()}
