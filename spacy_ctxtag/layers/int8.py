"""Layers of 8-bit integers: weights with a scale for each output, inputs with one for each channel, all of them fixed.

    y = s_w ∘ (W_q (x_q − z)) + b,   x_q = clip(round(x / s_x + z), 0, 255),  W_q = round(W diag(s_x) / s_w), −127 … 127

(Jacob et al. 2018, equations 3 and 11; s_x as in SmoothQuant, Xiao et al. 2023, equation 4.) Nothing is read off a
batch, so a text's result does not depend on its neighbours. A GPU, or a processor without instructions for it, computes
the same in 32-bit floats and gains nothing.
"""

from functools import cache
from typing import Any, Optional, Tuple

import torch

from .cpu import has_vnni
from .int8_embedding import float_rows, rounded_rows

SMOOTHING = 0.9  # how much of the spread of the inputs is moved into the weights, in [0, 1]

Range = Tuple[Any, Any]  # the least and the largest input of each channel, (K,)


class Int8Linear(torch.nn.Module):
    """A linear map, with a GELU behind it where `gelu` is set.

    INPUT: (…, K) floats. OUTPUT: (…, N) float32. BUFFERS: weight (N, K) int8; weight_scale (N,); input_scale (K,);
    input_zero () int64; bias (N,). There is no gradient.
    """

    def __init__(self, n_in: int, n_out: int, bias: bool) -> None:
        super().__init__()
        self.gelu = False
        self.weight: torch.Tensor
        self.weight_scale: torch.Tensor
        self.input_scale: torch.Tensor
        self.input_zero: torch.Tensor
        self.bias: Optional[torch.Tensor]
        self.register_buffer("weight", torch.zeros((n_out, n_in), dtype=torch.int8))
        self.register_buffer("weight_scale", torch.ones((n_out,)))
        self.register_buffer("input_scale", torch.ones((n_in,)))
        self.register_buffer("input_zero", torch.zeros((), dtype=torch.int64))
        self.register_buffer("bias", torch.zeros((n_out,)) if bias else None)
        self._packed: Optional[Tuple[Any, ...]] = None

    @classmethod
    def of(cls, linear: torch.nn.Linear, within: Range) -> "Int8Linear":
        """RETURNS (Int8Linear): A linear map in integers, for inputs within a range; zero is always one of them."""
        new = cls(linear.in_features, linear.out_features, linear.bias is not None)
        weight = linear.weight.detach().float()
        low, high = (edge.float() for edge in within)
        spread = torch.maximum(low.abs(), high.abs()).clamp(min=1e-5)
        smooth = spread**SMOOTHING / weight.abs().amax(dim=0).clamp(min=1e-5) ** (1 - SMOOTHING)  # (K,)
        lowest, highest = (low / smooth).min().clamp(max=0), (high / smooth).max().clamp(min=0)
        step = (highest - lowest).clamp(min=1e-12) / 255
        new.input_scale, new.input_zero = smooth * step, torch.round(-lowest / step).long()
        new.weight, new.weight_scale = rounded_rows(weight * new.input_scale)
        if linear.bias is not None:
            new.bias = linear.bias.detach().float().clone()
        return new

    def dequantized(self) -> torch.nn.Linear:
        """RETURNS (torch.nn.Linear): The map of the rounded weights, in floats, without a GELU."""
        linear = torch.nn.Linear(self.weight.shape[1], len(self.weight), bias=self.bias is not None, device="meta")
        linear.weight = torch.nn.Parameter(float_rows(self.weight, self.weight_scale) / self.input_scale)
        if self.bias is not None:
            linear.bias = torch.nn.Parameter(self.bias.clone())
        return linear

    def forward(self, x: Any) -> Any:
        rows = x.reshape(-1, x.shape[-1])
        y = self._in_integers(rows) if x.device.type == "cpu" and has_kernel() else self._in_floats(rows)
        return y.reshape(*x.shape[:-1], len(self.weight))

    def _in_integers(self, rows: Any) -> Any:
        if self._packed is None:
            zeros = torch.zeros_like(self.weight_scale, dtype=torch.int64)
            weight = torch.ops.onednn.qlinear_prepack(self.weight, None)
            self._packed = 1.0, int(self.input_zero), weight, self.weight_scale, zeros, self.bias
        goal: Tuple[Any, ...] = 1.0, 0, torch.float32, *(("gelu", [], "none") if self.gelu else ("none", [], ""))
        return torch.ops.onednn.qlinear_pointwise(self._quantized(rows), *self._packed, *goal)

    def _in_floats(self, rows: Any) -> Any:
        x = self._quantized(rows).float() - self.input_zero
        y = torch.nn.functional.linear(x, float_rows(self.weight, self.weight_scale), self.bias)
        return torch.nn.functional.gelu(y) if self.gelu else y

    def _quantized(self, rows: Any) -> Any:
        zero = (self.input_zero - 128).float()
        moved = torch.addcmul(zero, rows.float(), self.input_scale.reciprocal()).round_().clamp_(-128, 127)
        return moved.to(torch.int8).view(torch.uint8).bitwise_xor_(128)  # thrice as fast as `to(torch.uint8)`

    def __getstate__(self) -> Any:
        return {**self.__dict__, "_packed": None}  # cannot be pickled, and is soon made again


@cache
def has_kernel() -> bool:
    """RETURNS (bool): Whether this torch and this processor multiply integers, and rightly."""
    if not has_vnni():
        return False
    torch_state = torch.get_rng_state()
    linear = Int8Linear.of(torch.nn.Linear(40, 24), (torch.full((40,), -3.0), torch.full((40,), 5.0)))
    torch.set_rng_state(torch_state)
    x = torch.linspace(-4.0, 6.0, 7 * 40).reshape(7, 40).sin() * 4
    try:
        linear.gelu = True
        return bool(torch.allclose(linear._in_integers(x), linear._in_floats(x), atol=1e-3))
    except (AttributeError, RuntimeError, TypeError):
        return False
