"""A 3 x 3 convolution, batch norm, 2 x 2 max pool and ReLU of bfloat16 as one operation.

Multiplying is not all that such a layer costs. Layer by layer, batch norm, pool and ReLU read and write all their
numbers nine times in a training step; and what a library takes for the gradient of the weights is half as fast as its
convolution. So where it has been compiled (engine/native.py), normed.cpp does the first in two passes forward and two
backward, and the second at the convolution's own speed. The convolution and the gradient of its input stay torch's.
"""

from __future__ import annotations

import ctypes
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from engine import native
from engine.nn.pooled import lasting

LANES = 16  # channels are a multiple of it
convolution_backward = torch.ops.aten.convolution_backward


class Normed(torch.autograd.Function):
    """The compiled operation on the processor, channels last in memory; `pool` is 2, or 1 for none."""

    @staticmethod
    def forward(
        ctx: Any,
        images: torch.Tensor,
        weight: torch.Tensor,
        scale: torch.Tensor,
        shift: torch.Tensor,
        stride: int,
        pool: int,
        eps: float,
        found: ctypes.CDLL,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        images, filters = lasting(images.bfloat16()), lasting(weight.detach().bfloat16())
        x = lasting(F.conv2d(images, filters, None, stride, 1))
        count, channels, rows, columns = x.shape
        ctx.shape, ctx.stride, ctx.eps, ctx.found = (count, rows, columns, channels, pool), stride, eps, found
        out = torch.empty(
            (count, channels, rows // pool, columns // pool), dtype=torch.bfloat16, memory_format=torch.channels_last
        )
        winners = torch.empty(out.shape, dtype=torch.uint8, memory_format=torch.channels_last)
        mean, spread = torch.empty(channels), torch.empty(channels)
        native.called(found.normed_forward, *ctx.shape, x, scale, shift, eps, out, winners, mean, spread)
        ctx.save_for_backward(images, filters, x, scale, mean, spread, winners)
        ctx.mark_non_differentiable(mean, spread)
        return out, mean, spread

    @staticmethod
    def backward(ctx: Any, *slopes: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        images, filters, x, scale, mean, spread, winners = ctx.saved_tensors
        of_x, of_scale, of_shift = torch.empty_like(x), torch.empty_like(mean), torch.empty_like(mean)
        given = lasting(slopes[0].bfloat16())
        native.called(
            ctx.found.normed_backward,
            *(*ctx.shape, x, scale, mean, spread, ctx.eps, given, winners, of_x, of_scale, of_shift),
        )
        of_filters = torch.empty_like(filters, dtype=torch.float32)
        count, channels, rows, columns = images.shape
        shape = (count, rows, columns, channels, len(filters), ctx.stride)
        native.called(ctx.found.normed_filters, *shape, images, of_x, of_filters)
        of_images = None
        if ctx.needs_input_grad[0]:
            both, one, none = [ctx.stride, ctx.stride], [1, 1], [0, 0]
            wanted = [True, False, False]
            of_images = convolution_backward(of_x, images, filters, None, both, one, one, False, none, 1, wanted)[0]
        return of_images, of_filters, of_scale, of_shift, None, None, None, None


def normed(images: torch.Tensor, filters: nn.Conv2d, norm: nn.BatchNorm2d, pool: bool) -> torch.Tensor:
    """relu(norm(filters(images))), with a 2 x 2 max pool between if `pool`, and the same gradients, in bfloat16.

    As in torch, `norm` takes mean and variance of the batch and notes them for later. What `fits` alone.
    """
    found = native.library("normed")
    assert found is not None
    out, mean, spread = Normed.apply(  # type: ignore[no-untyped-call]
        *(images, filters.weight, norm.weight, norm.bias, int(filters.stride[0]), 1 + pool, norm.eps, found)
    )
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    assert norm.momentum is not None
    many = out[:, 0].numel() * (1 + pool) ** 2
    norm.running_mean.lerp_(mean, norm.momentum)
    norm.running_var.lerp_(spread * (many / max(1, many - 1)), norm.momentum)
    norm.num_batches_tracked.add_(1)
    result: torch.Tensor = out
    return result


def fits(images: torch.Tensor, filters: nn.Conv2d, norm: nn.BatchNorm2d, pool: bool) -> bool:
    """Whether the compiled operation is there and does this: training in bfloat16 on the processor."""
    sides = [(side - 1) // int(filters.stride[0]) + 1 for side in images.shape[2:]]
    return (
        norm.training
        and torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") == torch.bfloat16
        and images.device.type == "cpu"
        and filters.kernel_size == (3, 3)
        and filters.padding == (1, 1)
        and filters.bias is None
        and images.shape[1] == filters.in_channels
        and filters.in_channels % LANES == filters.out_channels % LANES == 0
        and not (pool and (sides[0] % 2 or sides[1] % 2))
        and multiplies()
    )


def multiplies() -> bool:
    """Whether it has been compiled, for a processor that multiplies bfloat16, if not by tiles: torch has those."""
    found = native.library("normed")
    return found is not None and bool(found.normed_here()) and not torch.cpu._is_amx_tile_supported()
