"""Which number formats a device multiplies itself; where it does not, they would only be slower."""

from __future__ import annotations

import torch

from engine.models.kernels import normed, quantised


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 numbers."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def has_int8(device: torch.device) -> bool:
    """Whether the device multiplies 8-bit integers, and the compiled kernels that do so are here."""
    return device.type == "cpu" and has_bfloat16(device) and normed.available() and quantised.available()
