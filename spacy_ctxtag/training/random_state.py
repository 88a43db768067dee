"""The state of all random numbers: read, put back, written as JSON; and what else makes a run come out the same.

CuPy cannot tell the state of its generator, so on a GPU it is seeded anew in every step, from the seed and the step.
"""

import base64
import contextlib
import os
import random
from typing import Any, Dict, Iterator

import numpy as np
from thinc.api import CupyOps, get_current_ops

State = Dict[str, Any]  # by the name of a generator; made of tuples, numbers, strings and bytes


def read_host() -> State:
    """RETURNS (State): Of the generators that live on the processor: "python", "numpy" and "torch"."""
    import torch

    of_numpy: Any = np.random.get_state()
    name, keys, *rest = of_numpy
    return {
        "python": random.getstate(),
        "numpy": (name, keys.tobytes(), *rest),
        "torch": torch.get_rng_state().numpy().tobytes(),
    }


def read_all() -> State:
    """RETURNS (State): Also of torch's generators on GPUs: "cuda"."""
    import torch

    on_gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {**read_host(), "cuda": tuple(state.numpy().tobytes() for state in on_gpus)}


def put_back(states: State) -> None:
    """Set the generators that are named; those of GPUs that are not here any more are left out."""
    import torch

    if "python" in states:
        random.setstate(states["python"])
    if "numpy" in states:
        name, keys, *rest = states["numpy"]
        np.random.set_state((name, np.frombuffer(keys, dtype=np.uint32), *rest))
    if "torch" in states:
        torch.set_rng_state(_tensor(states["torch"]))
    for device, state in enumerate(states.get("cuda", ())):
        if device < torch.cuda.device_count():
            torch.cuda.set_rng_state(_tensor(state), device)


def encode(state: Any) -> Any:
    """RETURNS (Any): A state as JSON can hold it."""
    if isinstance(state, bytes):
        return {"base64": base64.b64encode(state).decode("ascii")}
    if isinstance(state, dict):
        return {name: encode(each) for name, each in state.items()}
    return [encode(each) for each in state] if isinstance(state, tuple) else state


def decode(state: Any) -> Any:
    """RETURNS (Any): What `encode` was given."""
    if isinstance(state, dict) and set(state) == {"base64"}:
        return base64.b64decode(state["base64"])
    if isinstance(state, dict):
        return {name: decode(each) for name, each in state.items()}
    return tuple(decode(each) for each in state) if isinstance(state, list) else state


def seed_device(seed: int, step: int) -> None:
    """Seed CuPy for a step, where it computes."""
    ops: Any = get_current_ops()
    if isinstance(ops, CupyOps):
        ops.xp.random.seed((seed * 1_000_003 + step) % 2**32)


def prepare_cublas() -> None:
    """Let matrix products on a GPU be deterministic; before CUDA is first used."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


@contextlib.contextmanager
def deterministic(threads: int) -> Iterator[None]:
    """In this context torch refuses algorithms that may give other bits each time, and sums in this many threads.

    threads (int): Torch's threads on the processor: sums are grouped by thread, so their number changes the last bits.
    """
    import torch

    prepare_cublas()
    before = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.set_num_threads(before[1])


def _tensor(state: bytes) -> Any:
    import torch

    return torch.frombuffer(bytearray(state), dtype=torch.uint8)
