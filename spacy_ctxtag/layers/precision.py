"""Other forms of an encoder, for prediction alone: in other numbers, or computed by ONNX Runtime. Training stays with
PyTorch in the encoder's own numbers, and so does what is saved, unless `ctx quantize` has made it smaller.

An encoder's own numbers are 32-bit floats, or the 8-bit integers that `ctx quantize` makes of them.
"""

import contextlib
import threading
from pathlib import Path
from typing import Any, Dict, Iterator, Tuple, Type, cast

import srsly

from ..errors import Errors
from .onnx_module import OnnxModule

BACKENDS = ("torch", "onnx")
FLOATS = ("fp32", "bf16", "fp16")
PRECISIONS = (*FLOATS, "int8", "auto")
MEASURED = "precisions.json"  # beside the weights

# By precision: "f", "words_per_second", "allowed" (whether F is good enough), "stored" (whether weights are saved so).
Measured = Dict[str, Dict[str, Any]]


def choose(precision: str, own: str, measured: Measured) -> str:
    """RETURNS (str): The precision that a setting means: "auto" is the fastest of those measured whose F is good
    enough, else the weights' own."""
    if precision != "auto":
        return precision
    allowed = [name for name, found in measured.items() if found["allowed"] and name in (own, "bf16", "fp16")]
    return max(allowed, key=lambda name: measured[name]["words_per_second"], default=own)


def stored(own: str, measured: Measured) -> str:
    """RETURNS (str): The precision in which weights are saved."""
    return next((name for name, found in measured.items() if found.get("stored")), own)


def read_measured(folder: Path) -> Measured:
    """RETURNS (Measured): What was measured for the weights of a folder; nothing if it does not say."""
    file = folder / MEASURED
    return cast(Measured, srsly.read_json(file)) if file.is_file() else {}


def write_measured(measured: Measured, folder: Path) -> None:
    if measured:
        srsly.write_json(folder / MEASURED, measured)


def own_precision(module: Any) -> str:
    """RETURNS (str): The numbers of an encoder's weights: "int8" or "fp32"."""
    from .int8_module import is_int8

    return "int8" if is_int8(module) else "fp32"


class Copies:
    """The copies of one encoder, each made when it is first asked for. Threads may share them.

    A copy of this object, and what a pickle makes of it, is empty: copies are made again where they are needed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: Dict[str, Tuple[Any, Any]] = {}  # by form: the module, and its copy

    def get(self, module: Any, own: str, form: str) -> Any:
        """RETURNS (Callable): The module itself in its `own` numbers, "fp32" or "int8", a copy of it in others, or what
        does the same in 32-bit floats, in "onnx".

        RAISES (ValueError): CT019 for "int8" where the encoder has no integers.
        """
        if form == own:
            return module
        if form == "int8":
            raise ValueError(Errors.CT019)
        with self._lock:
            if form not in self._made or self._made[form][0] is not module:
                self._made[form] = module, _made(module, own, form)
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


def torch_dtype(precision: str) -> Any:
    """RETURNS (torch.dtype): That of a precision in floats."""
    import torch

    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


def _made(module: Any, own: str, form: str) -> Any:
    if form != "onnx":
        return _converted(module, form)
    return OnnxModule(module if own == "fp32" else _converted(module, "fp32"))


def _converted(module: Any, precision: str) -> Any:
    from .int8_module import dequantized

    return dequantized(module).requires_grad_(False).to(torch_dtype(precision))
