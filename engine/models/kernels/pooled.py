"""Convolution, 2 x 2 max pool and ReLU of few channels as one operation, by pooled.cpp.

Libraries are fast where many channels are computed side by side; with 3, 6 or 16 of them most of a vector register is
empty. And behind a max pool three of four gradients are zero, but a library that goes layer by layer multiplies all of
them. pooled.cpp computes the three operations together: forward over rows of pixels, backward over the winner of each
pool window alone, a quarter of the work.
"""

from __future__ import annotations

import ctypes
from typing import Any

import torch
import torch.nn.functional as F

from engine.models.kernels.build import call, library

MAX_PATCH_ROW = {3: 48, 5: 32}  # kernel size: the most numbers (kernel size * channels) in a row of a patch


class Pooled(torch.autograd.Function):
    """The compiled operation: float32 on the processor, channels last in memory."""

    @staticmethod
    def forward(
        ctx: Any, images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, padding: int, compiled: ctypes.CDLL
    ) -> torch.Tensor:
        images, weight, bias = channels_last(images), channels_last(weight.detach()), bias.detach().contiguous()
        count, channels, rows, columns = images.shape
        width, _, kernel, _ = weight.shape
        ctx.shape = (count, rows, columns, channels, width, kernel, padding)
        down, across = ((side + 2 * padding - kernel + 1) // 2 for side in (rows, columns))
        out = torch.empty((count, width, down, across), memory_format=torch.channels_last)
        winners = torch.empty(out.shape, dtype=torch.uint8, memory_format=torch.channels_last)
        call(compiled.pooled_forward, *ctx.shape, images, weight, bias, out, winners)
        ctx.compiled = compiled
        ctx.save_for_backward(images, weight, winners)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        images, weight, winners = ctx.saved_tensors
        image_grads = torch.empty_like(images) if ctx.needs_input_grad[0] else None
        weight_grads, bias_grads = torch.empty_like(weight), torch.empty(len(weight))
        result_grads = channels_last(gradients[0])
        call(
            ctx.compiled.pooled_backward,
            *(*ctx.shape, images, weight, result_grads, winners, weight_grads, bias_grads, image_grads),
        )
        return image_grads, weight_grads, bias_grads, None, None


def channels_last(tensor: torch.Tensor) -> torch.Tensor:
    """`tensor` (n, channels, rows, columns), copied if its channels are not last in memory."""
    return tensor.contiguous(memory_format=torch.channels_last)


def pooled(images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, padding: int = 0) -> torch.Tensor:
    """relu(max_pool2d(conv2d(images, weight, bias, padding=padding), 2)), and its gradients; by torch if need be.

    images (n, channels, rows, columns), weight (width, channels, kernel, kernel), bias (width,).
    """
    compiled = library("pooled")
    if compiled is None or not supports(images, weight):
        return F.relu(F.max_pool2d(F.conv2d(images, weight, bias, padding=padding), 2))
    bias = torch.zeros(len(weight)) if bias is None else bias
    result: torch.Tensor = Pooled.apply(images, weight, bias, padding, compiled)  # type: ignore[no-untyped-call]
    return result


def supports(images: torch.Tensor, weight: torch.Tensor) -> bool:
    """Whether pooled.cpp is there and computes these: few channels, float32, on the processor."""
    _, channels, kernel, columns = weight.shape
    return (
        library("pooled") is not None
        and images.device.type == "cpu"
        and images.dtype == weight.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and images.shape[1] == channels
        and kernel == columns
        and kernel * channels <= MAX_PATCH_ROW.get(kernel, 0)
        and min(images.shape[2:]) > kernel
    )
