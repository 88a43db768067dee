"""Copies of an encoder in smaller numbers, for prediction alone: training, and what is saved, stay in 32-bit floats."""

import contextlib
import copy
import threading
from typing import Any, Dict, Iterator, Tuple, Type

PRECISIONS = ("fp32", "bf16", "fp16")


class Copies:
    """The copies of one encoder, each made when it is first asked for. Threads may share them.

    A copy of this object, and what a pickle makes of it, is empty: copies are made again where they are needed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: Dict[str, Tuple[Any, Any]] = {}  # by precision: the module, and its copy

    def get(self, module: Any, precision: str) -> Any:
        """RETURNS (torch.nn.Module): The module itself in "fp32", else a copy of it in "bf16" or "fp16"."""
        if precision == "fp32":
            return module
        with self._lock:
            if precision not in self._made or self._made[precision][0] is not module:
                self._made[precision] = module, _converted(module, precision)
            return self._made[precision][1]

    def clear(self) -> None:
        """To be called when the module's weights have changed, or moved to another device."""
        with self._lock:
            self._made.clear()

    @contextlib.contextmanager
    def set_aside(self) -> Iterator[None]:
        """While the module computes with other weights."""
        self.clear()
        try:
            yield
        finally:
            self.clear()

    def __reduce__(self) -> Tuple[Type["Copies"], Tuple[()]]:
        return Copies, ()


def torch_dtype(precision: str) -> Any:
    """RETURNS (torch.dtype): That of "bf16" or "fp16"."""
    import torch

    return {"bf16": torch.bfloat16, "fp16": torch.float16}[precision]


def _converted(module: Any, precision: str) -> Any:
    return copy.deepcopy(module).requires_grad_(False).to(torch_dtype(precision))
