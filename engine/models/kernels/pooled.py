"""Convolution, 2 x 2 max pool and ReLU as one operation of few channels.

Libraries make convolutions fast by working on many channels side by side; with 3, 6 or 16 most of a processor's lanes
stay empty. And behind a max pool three of four gradients are zero, but a library that computes layer by layer
multiplies them all. So where it has been compiled (engine/models/kernels/build.py), pooled.cpp does the three
together: forward over rows of pixels, backward over the winners of each window alone, a quarter of the work.
"""

from __future__ import annotations

import ctypes
from typing import Any

import torch
import torch.nn.functional as F

from engine.models.kernels import build as native

WIDEST = {3: 48, 5: 32}  # kernel: how many numbers, kernel * channels, a row of a patch may have


class Pooled(torch.autograd.Function):
    """The compiled operation; float32 on the processor, channels last in memory."""

    @staticmethod
    def forward(
        ctx: Any, images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, padding: int, found: ctypes.CDLL
    ) -> torch.Tensor:
        images, weight, bias = lasting(images), lasting(weight.detach()), bias.detach().contiguous()
        count, channels, rows, columns = images.shape
        width, _, kernel, _ = weight.shape
        ctx.shape = (count, rows, columns, channels, width, kernel, padding)
        down, across = ((side + 2 * padding - kernel + 1) // 2 for side in (rows, columns))
        out = torch.empty((count, width, down, across), memory_format=torch.channels_last)
        winners = torch.empty(out.shape, dtype=torch.uint8, memory_format=torch.channels_last)
        native.call(found.pooled_forward, *ctx.shape, images, weight, bias, out, winners)
        ctx.found = found
        ctx.save_for_backward(images, weight, winners)
        return out

    @staticmethod
    def backward(ctx: Any, *slopes: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        images, weight, winners = ctx.saved_tensors
        of_images = torch.empty_like(images) if ctx.needs_input_grad[0] else None
        of_weight, of_bias = torch.empty_like(weight), torch.empty(len(weight))
        given = lasting(slopes[0])
        native.call(
            ctx.found.pooled_backward, *ctx.shape, images, weight, given, winners, of_weight, of_bias, of_images
        )
        return of_images, of_weight, of_bias, None, None


def lasting(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous(memory_format=torch.channels_last)


def pooled(images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, padding: int = 0) -> torch.Tensor:
    """relu(max_pool2d(conv2d(images, weight, bias, padding=padding), 2)), and the same gradients.

    images (n, channels, rows, columns), weight (width, channels, kernel, kernel), bias (width,).
    """
    found = native.library("pooled")
    if found is None or not fits(images, weight):
        return F.relu(F.max_pool2d(F.conv2d(images, weight, bias, padding=padding), 2))
    bias = torch.zeros(len(weight)) if bias is None else bias
    result: torch.Tensor = Pooled.apply(images, weight, bias, padding, found)  # type: ignore[no-untyped-call]
    return result


def fits(images: torch.Tensor, weight: torch.Tensor) -> bool:
    """Whether the compiled operation is there and takes these: few channels, float32, on the processor."""
    _, channels, kernel, columns = weight.shape
    return (
        native.library("pooled") is not None
        and images.device.type == "cpu"
        and images.dtype == weight.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and images.shape[1] == channels
        and kernel == columns
        and kernel * channels <= WIDEST.get(kernel, 0)
        and min(images.shape[2:]) > kernel
    )
