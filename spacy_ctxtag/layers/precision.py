"""Other forms of an encoder, for prediction alone: in smaller numbers, or computed by ONNX Runtime. Training, and what
is saved, stay with PyTorch in 32-bit floats."""

import contextlib
import copy
import threading
from typing import Any, Dict, Iterator, Tuple, Type

from .onnx_module import OnnxModule

BACKENDS = ("torch", "onnx")
PRECISIONS = ("fp32", "bf16", "fp16")


class Copies:
    """The copies of one encoder, each made when it is first asked for. Threads may share them.

    A copy of this object, and what a pickle makes of it, is empty: copies are made again where they are needed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: Dict[str, Tuple[Any, Any]] = {}  # by form: the module, and its copy

    def get(self, module: Any, form: str) -> Any:
        """RETURNS (Callable): The module itself in "fp32", a copy of it in "bf16" or "fp16", or what does the same, in
        "onnx"."""
        if form == "fp32":
            return module
        with self._lock:
            if form not in self._made or self._made[form][0] is not module:
                self._made[form] = module, OnnxModule(module) if form == "onnx" else _converted(module, form)
            return self._made[form][1]

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


def _converted(module: Any, precision: str) -> Any:
    import torch

    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    return copy.deepcopy(module).requires_grad_(False).to(dtype)
