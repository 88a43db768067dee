"""Run the graph of an encoder with ONNX Runtime, on the weights and the device of the PyTorch module."""

import os
from typing import Any, Dict, List, NamedTuple, Tuple

import numpy as np

from ..errors import Errors
from . import forking
from .onnx_graph import Graph

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class Session(NamedTuple):
    """A graph that is ready to run.

    process, threads (int): where it can run: the threads do not exist in a forked process.
    inner (onnxruntime.InferenceSession): what runs it. Threads may share it.
    weights (List[onnxruntime.OrtValue]): what it reads, which has to live as long.
    width (int): W of hidden states.
    """

    process: int
    threads: int
    inner: Any
    weights: List[Any]
    width: int


def runtime() -> Any:
    """Import ONNX Runtime, which from 1.29 on would report its use to its makers: over the network, by a thread that no
    forked child survives. RETURNS (ModuleType): onnxruntime.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


def start(module: Any, graph: Graph) -> Session:
    """Make a session with as many threads as PyTorch has now. Weights that ONNX Runtime wants in another order are
    copied: when they change, the session keeps the old ones.

    RAISES (ValueError): CT036 when the encoder is on a device that ONNX Runtime cannot use.
    """
    import torch

    onnxruntime, (provider, settings) = runtime(), find_provider(module)
    tensors = dict((*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)))
    arrays = [tensors[name.removeprefix("module.")].detach().cpu().numpy() for name in graph.weights]
    weights = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in arrays]
    threads = torch.get_num_threads()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.enable_mem_pattern = False  # would remember every size of a bucket
    options.log_severity_level = 4  # errors are raised anyway
    options.add_external_initializers(graph.weights, weights)
    inner = onnxruntime.InferenceSession(graph.model, options, providers=[(provider, settings)])
    forking.never_end_in_child(inner)
    if inner.get_providers()[0] != provider:  # it takes the CPU where CUDA's libraries are missing
        raise ValueError(Errors.CT036.format(device=provider, available=inner.get_providers()))
    return Session(os.getpid(), threads, inner, weights, int(module.config.hidden_size))


def find_provider(module: Any) -> Tuple[str, Dict[str, Any]]:
    """RETURNS (Tuple[str, Dict[str, Any]]): The part of ONNX Runtime for the encoder's device.
    RAISES (ValueError): CT036 where there is none."""
    device = next(module.parameters()).device
    provider, available = PROVIDERS.get(device.type, ""), runtime().get_available_providers()
    if provider not in available:
        raise ValueError(Errors.CT036.format(device=device, available=available))
    return provider, {"device_id": device.index or 0} if device.type == "cuda" else {}


def run(session: Session, ids: Any, mask: Any) -> List[Any]:
    """Compute what the graph gives, on the device where the pieces are.

    ids, mask (torch.Tensor): (N, P), int64.
    RETURNS (List[torch.Tensor]): Hidden states, each (N, P, W).
    """
    import torch

    shape = (*ids.shape, session.width)
    binding, where = session.inner.io_binding(), (ids.device.type, ids.device.index or 0)
    for each, tensor in zip(session.inner.get_inputs(), (ids, mask), strict=True):
        binding.bind_input(each.name, *where, np.int64, tuple(ids.shape), tensor.data_ptr())
    states = []
    for each in session.inner.get_outputs():
        states.append(torch.empty(shape, device=ids.device))  # (N, P, W)
        binding.bind_output(each.name, *where, np.float32, shape, states[-1].data_ptr())
    if ids.is_cuda:
        torch.cuda.current_stream(ids.device).synchronize()  # ONNX Runtime has a stream of its own
    session.inner.run_with_iobinding(binding)
    return states
