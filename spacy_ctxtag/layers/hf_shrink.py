"""A smaller encoder out of a larger one: fewer feed-forward units in every layer, fewer layers, fewer attention heads.

What comes out is an ordinary folder of Hugging Face, so only what a config.json can describe: as many units in each
layer, and fewer heads where it knows `pruned_heads` (transformers 4). Which dimensions of which weights belong to units
or heads is read off an encoder of another size, so that no names of an architecture stand here.
"""

import copy
from pathlib import Path
from typing import Any, List, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import Errors
from .hf_config import layer_pattern, n_layers

UNITS = ("intermediate_size", "hidden_dim")  # what a config calls the number of feed-forward units of a layer


def n_units(module: Any) -> int:
    """RETURNS (int): Feed-forward units of each layer. RAISES (ValueError): CT030 where the config does not say."""
    return int(getattr(module.config, _units_name(module)))


def unit_weights(module: Any) -> List[str]:
    """RETURNS (List[str]): By layer the name of the weight (W, units) that reads the feed-forward units.
    RAISES (ValueError): CT012 where layers share their weights, CT030 where there is not one such weight in each layer.
    """
    config = copy.deepcopy(module.config)
    setattr(config, _units_name(module), n_units(module) - 1)
    return _readers(module, _outline(config))


def head_weights(module: Any) -> List[str]:
    """RETURNS (List[str]): By layer the name of the weight (W, heads · size) that reads the attention heads.
    RAISES (ValueError): CT031 where heads cannot be removed, or some are already.
    """
    outline, reason = _outline(module.config), "some of its heads are removed already"
    if not getattr(module.config, "pruned_heads", None):
        try:
            outline.prune_heads({layer: [0] for layer in range(n_layers(module))})
            return _readers(module, outline)
        except (AttributeError, NotImplementedError):  # transformers 5; some architectures of 4
            reason = "this release of transformers cannot do that"
    raise ValueError(Errors.CT031.format(kind=module.config.model_type, reason=reason))


def write_smaller(
    module: Any, tokenizer: Any, path: Path, *, layers: Sequence[int], units: Sequence[NDArray[np.intp]]
) -> None:
    """Write some layers of an encoder, with some of their feed-forward units, to a folder that does not exist yet.

    layers (Sequence[int]): Numbers of the layers to keep, rising.
    units (Sequence[ndarray]): For each layer of `module` the units to keep; everywhere as many.
    RAISES (ValueError): CT012 where layers share their weights, CT030 where other weights depend on a layer's place.
    """
    import torch
    from safetensors.torch import save_file

    config, pattern, before = copy.deepcopy(module.config), layer_pattern(module), n_units(module)
    config.num_hidden_layers = len(layers)
    if getattr(config, "layer_types", None):
        config.layer_types = [config.layer_types[layer] for layer in layers]
    if getattr(config, "pruned_heads", None):
        config.pruned_heads = {i: config.pruned_heads.get(layer, []) for i, layer in enumerate(layers)}
    setattr(config, _units_name(module), len(units[0]))
    all_weights, kept = module.state_dict(), {}
    for name, outline in _outline(config).state_dict().items():
        at = pattern.match(name)
        layer = layers[int(at[2])] if at else 0
        weight = all_weights.get(f"{at[1]}{layer}{at[3]}" if at else name)
        if weight is None and "pooler" in name:
            continue
        for dim, size in enumerate(() if weight is None else outline.shape):
            if weight.shape[dim] != size:  # one block of units, or two where they are gated
                blocks = [units[layer] + start for start in range(0, weight.shape[dim], before)]
                weight = weight.index_select(dim, torch.as_tensor(np.concatenate(blocks), device=weight.device))
        if weight is None or weight.shape != outline.shape:
            raise ValueError(Errors.CT030.format(kind=config.model_type, reason=f"{name} depends on the layer's place"))
        kept[name] = weight.cpu().contiguous()
    path.mkdir()
    config.save_pretrained(path)
    tokenizer.save_pretrained(path)
    save_file(kept, path / "model.safetensors", metadata={"format": "pt"})


def _units_name(module: Any) -> str:
    name = next((name for name in UNITS if hasattr(module.config, name)), None)
    if name is None:
        raise ValueError(Errors.CT030.format(kind=module.config.model_type, reason=f"its config has none of {UNITS}"))
    return name


def _outline(config: Any) -> Any:
    """RETURNS (torch.nn.Module): An encoder from a config, with the shapes of its weights and no memory for them."""
    import torch
    from transformers import AutoModel

    config = copy.deepcopy(config)
    heads, config.pruned_heads = getattr(config, "pruned_heads", {}), {}
    with torch.device("meta"):
        outline = AutoModel.from_config(config)
    if heads:  # not in there: it looks for the heads that stay
        outline.prune_heads(heads)
    return outline


def _readers(module: Any, other: Any) -> List[str]:
    """RETURNS (List[str]): By layer the one matrix whose input has another width in an encoder of another size."""
    pattern, shapes = layer_pattern(module), {name: weight.shape for name, weight in other.named_parameters()}
    names = [n for n, w in module.named_parameters() if n in shapes and w.ndim == 2 and w.shape[1] != shapes[n][1]]
    by_layer: List[List[str]] = [[] for _ in range(n_layers(module))]
    for name in names:
        by_layer[int(pattern.match(name)[2])].append(name)  # type: ignore[index]
    if any(len(each) != 1 for each in by_layer):
        reason = f"there is not one such weight in each of its layers: {names}"
        raise ValueError(Errors.CT030.format(kind=module.config.model_type, reason=reason))
    return [name for [name] in by_layer]
