"""A table of vectors in 8-bit integers, and how the rows of a matrix are rounded: W ≈ s_w ∘ W_q, W_q in −127 … 127."""

from typing import Any, Tuple

import torch


class Int8Embedding(torch.nn.Module):
    """A table of vectors. INPUT: integers. OUTPUT: (…, W) float32. BUFFERS: weight (V, W) int8; weight_scale (V,)."""

    def __init__(self, n_rows: int, width: int) -> None:
        super().__init__()
        self.weight: torch.Tensor
        self.weight_scale: torch.Tensor
        self.register_buffer("weight", torch.zeros((n_rows, width), dtype=torch.int8))
        self.register_buffer("weight_scale", torch.ones((n_rows,)))

    @classmethod
    def of(cls, embedding: torch.nn.Embedding) -> "Int8Embedding":
        """RETURNS (Int8Embedding): The table in integers."""
        new = cls(embedding.num_embeddings, embedding.embedding_dim)
        new.weight, new.weight_scale = rounded_rows(embedding.weight)
        return new

    def dequantized(self) -> torch.nn.Embedding:
        """RETURNS (torch.nn.Embedding): The rounded table, in floats."""
        return torch.nn.Embedding(
            len(self.weight), self.weight.shape[1], _weight=float_rows(self.weight, self.weight_scale)
        )

    def forward(self, ids: Any) -> Any:
        return self.weight[ids].float() * self.weight_scale[ids].unsqueeze(-1)


def rounded_rows(weight: Any) -> Tuple[Any, Any]:
    """RETURNS (Tuple): W_q and s_w of a matrix W."""
    weight = weight.detach().float()
    scale = weight.abs().amax(dim=1).clamp(min=1e-12) / 127
    return torch.round(weight / scale[:, None]).to(torch.int8), scale


def float_rows(weight: Any, scale: Any) -> Any:
    """RETURNS (torch.Tensor): s_w ∘ W_q."""
    return weight.float() * scale[:, None]
