"""The weights of a pipeline as they are in training (not their averages), and their gradients, by place.

A gradient is zero between two steps, but that it is there counts: an optimizer also moves weights whose gradient is
zero, by their momentum, and leaves those alone that never had one.
"""

from typing import Any, Dict, Tuple

import numpy as np
from numpy.typing import NDArray

from ..errors import Errors
from ..exceptions import TrainingError
from .places import Places

Arrays = Dict[str, NDArray[Any]]
DROPOUT = "dropout_rate"  # an attribute of nodes, that of the last batch
SCALER = ("_scale", "_growth_tracker")  # tensors of the gradient scaler in Thinc's shim


def read_weights(places: Places) -> Tuple[Dict[str, Any], Arrays]:
    """RETURNS (Tuple): What else there is to know of nodes and shims, and all arrays.

    RAISES (TrainingError): CT605 for a shim of another library than torch.
    """
    arrays: Arrays = {}
    nodes = {place: node.attrs[DROPOUT] for place, node in places.nodes.items() if DROPOUT in node.attrs}
    shims: Dict[str, Any] = {}
    for place, node in places.nodes.items():
        ops: Any = node.ops
        for name in node.param_names:
            if node.has_param(name):
                arrays[f"weights/{place}/{name}"] = ops.to_numpy(node.get_param(name))
            if node.has_grad(name):
                arrays[f"gradients/{place}/{name}"] = ops.to_numpy(node.get_grad(name))
    for place, shim in places.shims.items():
        module = getattr(shim, "_model", None)
        if module is None:
            continue
        if not hasattr(module, "named_parameters"):
            raise TrainingError(Errors.CT605.format(what=f"the model {type(module).__name__} in {place}"))
        for name, tensor in _tensors(shim):
            arrays[f"weights/{place}/{name}"] = _to_numpy(tensor)
        with_gradient = [name for name, parameter in module.named_parameters() if parameter.grad is not None]
        state = shim.training_state() if hasattr(shim, "training_state") else None
        shims[place] = {"with_gradient": with_gradient, "state": state}
    return {"dropout": nodes, "shims": shims}, arrays


def put_back_weights(places: Places, info: Dict[str, Any], arrays: Arrays) -> None:
    """Set all weights and gradients. RAISES (TrainingError): CT603 when they are not those of this pipeline."""
    here, there = _shapes(read_weights(places)[1]), _shapes(arrays)
    if here != there:
        other = sorted(name for name in {*here, *there} if here.get(name) != there.get(name))
        raise TrainingError(Errors.CT603.format(what=f"weights {', '.join(other[:5])}"))
    for place, node in places.nodes.items():
        ops: Any = node.ops
        for name in node.param_names:
            if f"weights/{place}/{name}" in arrays:
                node.set_param(name, ops.asarray(np.array(arrays[f"weights/{place}/{name}"])))
            if f"gradients/{place}/{name}" in arrays:
                node.set_grad(name, ops.asarray(np.array(arrays[f"gradients/{place}/{name}"])))
    for place, rate in info["dropout"].items():
        places.nodes[place].attrs[DROPOUT] = rate
    for place, about in info["shims"].items():
        _put_back_shim(places.shims[place], place, about, arrays)


def _put_back_shim(shim: Any, place: str, about: Dict[str, Any], arrays: Arrays) -> None:
    import torch

    with torch.no_grad():
        for name, tensor in _tensors(shim):
            value = torch.from_numpy(np.array(arrays[f"weights/{place}/{name}"]))
            value = value.view(tensor.dtype) if tensor.dtype == torch.bfloat16 else value
            if tensor.is_floating_point() or not torch.equal(
                tensor.cpu(), value
            ):  # positions may be a view to read only
                tensor.copy_(value)
        for name, parameter in shim._model.named_parameters():
            parameter.grad = torch.zeros_like(parameter) if name in about["with_gradient"] else None
    if about["state"] is not None:
        shim.set_training_state(about["state"])


def _tensors(shim: Any) -> Any:
    """YIELDS (Tuple): Names and tensors of all that a module holds, and of the scaler of Thinc's shim."""
    for named in (shim._model.named_parameters(), shim._model.named_buffers()):
        yield from ((name, tensor.detach()) for name, tensor in named)
    scaler = getattr(shim, "_grad_scaler", None)
    if scaler is not None:
        yield from ((f"scaler.{name}", getattr(scaler, name)) for name in SCALER)


def _to_numpy(tensor: Any) -> NDArray[Any]:
    import torch

    array: NDArray[Any] = (tensor.view(torch.int16) if tensor.dtype == torch.bfloat16 else tensor).cpu().numpy()
    return array


def _shapes(arrays: Arrays) -> Dict[str, Tuple[int, ...]]:
    return {name: array.shape for name, array in arrays.items() if name.startswith("weights/")}
