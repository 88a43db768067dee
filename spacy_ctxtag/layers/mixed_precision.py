"""Mixed precision in training: most of the encoder computes in 16-bit floats, while its weights, their gradients, and
the vectors that it gives stay in 32-bit floats.

fp16 cannot hold small gradients, so those that go backward are made larger first, and as much smaller before a step
(Micikevicius et al. 2018, sections 3.1 and 3.2). bf16 has the range of fp32 and needs none of this.
"""

import contextlib
from typing import Any, ContextManager

from ..errors import Errors
from .precision import torch_dtype

FIRST_SCALE = 2.0**16
GROW_AFTER = 2000  # steps
REFUSED = ("cpu",)  # devices, for fp16


class MixedPrecision:
    """The precision in which one encoder is trained, and for fp16 the scale of its gradients.

    The scale is a power of two, so that scaling rounds nothing. It doubles after 2000 steps, and halves when a gradient
    does not fit, which leaves out that step of the encoder; the heads, whose gradients are in fp32, take theirs.

    precision (str): "fp32", "bf16" or "fp16".
    """

    def __init__(self, precision: str = "fp32") -> None:
        self.precision = precision
        self.scale = FIRST_SCALE if precision == "fp16" else 1.0
        self.good_steps = 0  # since the scale has changed

    def autocast(self, module: Any) -> ContextManager[None]:
        """RETURNS (ContextManager[None]): For the forward pass. RAISES (ValueError): CT017 for fp16 on a CPU."""
        import torch

        if self.precision == "fp32":
            return contextlib.nullcontext()
        device = next(module.parameters()).device.type
        if self.precision == "fp16" and device in REFUSED:
            raise ValueError(Errors.CT017)
        context: ContextManager[None] = torch.autocast(device, dtype=torch_dtype(self.precision))
        return context

    def scaled(self, gradient: Any) -> Any:
        """RETURNS (torch.Tensor): The gradient to go backward with. Several may before a step."""
        return gradient if self.precision != "fp16" else gradient * self.scale

    def unscale(self, module: Any) -> bool:
        """Make the gradients of the weights what they are without a scale, once before a step; zero where one of them
        is not finite.

        RETURNS (bool): Whether all are finite, so that a step can be taken.
        RAISES (ValueError): CT018 when they are not, although the scale is 1.
        """
        import torch

        if self.precision != "fp16":
            return True
        gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
        largest = torch.stack([torch.linalg.vector_norm(each, float("inf")) for each in gradients])
        if largest.isfinite().all():
            for each in gradients:
                each.mul_(1.0 / self.scale)
            self.good_steps += 1
            if self.good_steps == GROW_AFTER:
                self.scale, self.good_steps = self.scale * 2.0, 0
            return True
        for each in gradients:
            each.zero_()
        if self.scale <= 1.0:
            raise ValueError(Errors.CT018)
        self.scale, self.good_steps = self.scale / 2.0, 0
        return False
