"""The computation of an encoder as an ONNX graph, traced by PyTorch. It holds no weights, so it is small, right for
any of them, and not bound by what a protobuf can hold (2 GB)."""

import inspect
import io
import warnings
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

from .hf_config import n_layers, positions

OPSET = 17  # the first with layer normalization
_TRACED = (2, 7)  # windows and pieces; both may vary
_INPUTS = ["input_ids", "attention_mask"]
Compute = Callable[[Any, Any], List[Any]]


class Graph(NamedTuple):
    """An ONNX model without its weights.

    model (bytes): what ONNX Runtime reads.
    weights (List[str]): names of the tensors to be given along with it, in the graph; an encoder's own names have no
        "module." in front.
    """

    model: bytes
    weights: List[str]


def export(module: Any, every: bool) -> Graph:
    """Trace an encoder.

    every (bool): Whether the graph gives all hidden states, from those of the embeddings on, or the last ones alone.
    RAISES (Exception): What PyTorch does where it finds no way.
    """
    import onnx
    import torch

    class States(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, ids: Any, mask: Any) -> Any:
            found = self.module(input_ids=ids, attention_mask=mask, output_hidden_states=every)
            return (*found.hidden_states[:-1], found.last_hidden_state) if every else found.last_hidden_state

    outputs = [f"states_{layer}" for layer in range(n_layers(module) + 1 if every else 1)]
    settings: Dict[str, Any] = {
        "input_names": _INPUTS,
        "output_names": outputs,
        "dynamic_axes": {name: {0: "windows", 1: "pieces"} for name in (*_INPUTS, *outputs)},
        "opset_version": OPSET,
        "export_params": False,
        "do_constant_folding": False,
    }
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:  # torch 2.5
        settings["dynamo"] = False  # the other exporter takes many times as long, and needs a further package
    traced: Any = io.BytesIO()
    with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sizes may have become constants: `largest_difference` would show it
        torch.onnx.export(States().eval(), example(module, *_TRACED), traced, **settings)
    return _with_weights_elsewhere(onnx.load_model_from_string(traced.getvalue()))


def example(module: Any, windows: int, pieces: int) -> Tuple[Any, Any]:
    """RETURNS (Tuple[torch.Tensor, torch.Tensor]): Pieces and their mask, (N, P); the last window has some padding."""
    import torch

    device = next(module.parameters()).device
    ids = torch.arange(windows * pieces, device=device).reshape(windows, pieces) % int(module.config.vocab_size)
    mask = torch.ones_like(ids)
    mask[-1, pieces - pieces // 3 :] = 0
    return ids, mask


def largest_difference(module: Any, compute: Compute, every: bool) -> float:
    """Compare what an encoder gives with what its graph does, for windows of other sizes than the traced ones.

    compute (Compute): From pieces and mask to the states that the graph gives.
    RETURNS (float): The largest distance of two states, as a share of the norm of the encoder's.
    """
    import torch

    shares = []
    for shape in ((1, min(positions(module), 512)), (3, 1)):
        ids, mask = example(module, *shape)
        with torch.inference_mode():
            found = module(input_ids=ids, attention_mask=mask, output_hidden_states=every)
            states = torch.stack([*(found.hidden_states[:-1] if every else ()), found.last_hidden_state])
            distance = (torch.stack(compute(ids, mask)) - states).norm(dim=-1)  # (L, N, P)
            shares.append((distance / states.norm(dim=-1).clamp(min=1e-6))[:, mask > 0].max())
    return float(torch.stack(shares).max())


def _with_weights_elsewhere(model: Any) -> Graph:
    """What the exporter made inputs, because it was to leave the weights out, becomes data outside of the file."""
    import onnx

    weights = [each for each in model.graph.input if each.name not in _INPUTS]
    for each in weights:
        tensor = each.type.tensor_type
        shape = [axis.dim_value for axis in tensor.shape.dim]
        outside = onnx.TensorProto(name=each.name, data_type=tensor.elem_type, dims=shape)
        outside.data_location = onnx.TensorProto.EXTERNAL
        outside.external_data.add(key="location", value="weights")
        model.graph.initializer.append(outside)
        model.graph.input.remove(each)
    return Graph(model.SerializeToString(), [each.name for each in weights])
