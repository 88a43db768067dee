"""Matrix products of Thinc layers on the CPU by PyTorch, which uses all threads. Thinc's own use one."""

from typing import Any, Optional, cast

import numpy
import torch
from thinc.api import Model, NumpyOps
from thinc.types import Floats2d


class TorchGemmOps(NumpyOps):
    """Thinc's operations on NumPy arrays, with another `gemm`."""

    def gemm(
        self, x: Floats2d, y: Floats2d, out: Optional[Floats2d] = None, trans1: bool = False, trans2: bool = False
    ) -> Floats2d:
        """RETURNS (Floats2d): x y, each transposed first if so told, in `out` where that is given."""
        if not all(fits(array) for array in (x, y, out)):
            return cast(Floats2d, super().gemm(x, y, out=out, trans1=trans1, trans2=trans2))
        left, right = torch.from_numpy(x), torch.from_numpy(y)
        left, right = left.T if trans1 else left, right.T if trans2 else right
        if out is None:
            out = self.alloc2f(left.shape[0], right.shape[1], zeros=False)
        with torch.inference_mode():
            torch.mm(left, right, out=torch.from_numpy(out))
        return out


def by_torch(model: Model[Any, Any]) -> Model[Any, Any]:
    """RETURNS (Model): The same model, whose layers on the CPU multiply matrices by PyTorch."""
    for node in model.walk():
        if type(node.ops) is NumpyOps:
            node.ops = TorchGemmOps()
    return model


def fits(array: Any) -> bool:
    """Whether PyTorch can take an array without a copy, and may write into it."""
    if array is None:
        return True
    plain = isinstance(array, numpy.ndarray) and array.dtype == "float32"
    return plain and array.flags.writeable and min(array.strides) > 0
