"""What the processor has instructions for. Without them small numbers give the same results, but are not faster."""

from functools import cache

import torch


@cache
def has_bf16() -> bool:
    """RETURNS (bool): Whether it multiplies bf16 numbers. False also where this torch cannot tell."""
    return _says("_is_avx512_bf16_supported") or _says("_is_amx_tile_supported")


@cache
def has_vnni() -> bool:
    """RETURNS (bool): Whether it multiplies 8-bit integers. False also where this torch cannot tell."""
    return _says("_is_vnni_supported") or _says("_is_avx512_vnni_supported")


def _says(name: str) -> bool:
    ask = getattr(torch.cpu, name, None)
    return bool(ask is not None and ask())
