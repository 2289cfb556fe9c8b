"""A 3 x 3 convolution, batch norm, 2 x 2 max pool and ReLU of bfloat16 as one operation.

Multiplying is not all that such a layer costs. Layer by layer, batch norm, pool and ReLU read and write all their
numbers nine times in a training step; and what a library takes for the gradient of the weights is half as fast as its
convolution. So where it has been compiled (engine/models/kernels/build.py), normed.cpp does the first in two passes
forward and two backward, and the second at the convolution's own speed. The convolution and the gradient of its input
stay torch's, or all three products are quantised.py's.
"""

from __future__ import annotations

import ctypes
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from engine.models.kernels import build as native
from engine.models.kernels.pooled import lasting
from engine.models.kernels.quantised import Quantised

LANES = 16  # channels are a multiple of it
convolution_backward = torch.ops.aten.convolution_backward


class Halves:
    """A 3 x 3 convolution of bfloat16 with padding 1: its `result`, and what comes back through it."""

    def __init__(self, images: torch.Tensor, weight: torch.Tensor, stride: int) -> None:
        self.images, self.weight, self.stride = lasting(images.bfloat16()), lasting(weight.detach().bfloat16()), stride
        self.result = lasting(F.conv2d(self.images, self.weight, None, stride, 1))

    def back(self, slopes: torch.Tensor, further: bool) -> tuple[torch.Tensor | None, torch.Tensor]:
        """The gradients of the images, where they are wanted, and of the weight; of the result's `slopes`."""
        found = native.library("normed")
        assert found is not None
        of_weight = torch.empty_like(self.weight, dtype=torch.float32)
        count, channels, rows, columns = self.images.shape
        shape = (count, rows, columns, channels, len(self.weight), self.stride)
        native.call(found.normed_filters, *shape, self.images, slopes, of_weight)
        if not further:
            return None, of_weight
        both, one, none = [self.stride, self.stride], [1, 1], [0, 0]
        others = (None, both, one, one, False, none, 1, [True, False, False])
        return convolution_backward(slopes, self.images, self.weight, *others)[0], of_weight


def behind(
    x: torch.Tensor, norm: tuple[torch.Tensor, torch.Tensor, float], pool: int, mean: torch.Tensor, spread: torch.Tensor
) -> torch.Tensor:
    """relu(pool(batch norm of x)) with this mean and variance."""
    found = native.library("normed")
    assert found is not None
    count, channels, rows, columns = x.shape
    shape = (count, channels, rows // pool, columns // pool)
    out = torch.empty(shape, dtype=torch.bfloat16, memory_format=torch.channels_last)
    native.call(found.normed_forward, count, rows, columns, channels, pool, x, *norm, out, None, mean, spread)
    return out


class Normed(torch.autograd.Function):
    """The compiled operation on the processor, channels last in memory; `pool` is 2, or 1 for none.

    `kind` is Halves, or Quantised of quantised.py.
    """

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
        kind: type[Halves | Quantised],
        found: ctypes.CDLL,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        ctx.products = kind(images, weight, stride)
        x = ctx.products.result
        count, channels, rows, columns = x.shape
        ctx.shape, ctx.eps, ctx.found = (count, rows, columns, channels, pool), eps, found
        shape = (count, channels, rows // pool, columns // pool)
        out = torch.empty(shape, dtype=torch.bfloat16, memory_format=torch.channels_last)
        winners = torch.empty(shape, dtype=torch.uint8, memory_format=torch.channels_last)
        mean, spread = torch.empty(channels), torch.empty(channels)
        native.call(found.normed_forward, *ctx.shape, x, scale, shift, eps, out, winners, mean, spread)
        ctx.save_for_backward(scale, mean, spread, winners)
        ctx.mark_non_differentiable(mean, spread)
        return out, mean, spread

    @staticmethod
    def backward(ctx: Any, *slopes: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        scale, mean, spread, winners = ctx.saved_tensors
        x = ctx.products.result
        of_x, of_scale, of_shift = torch.empty_like(x), torch.empty_like(mean), torch.empty_like(mean)
        given = lasting(slopes[0].bfloat16())
        native.call(
            ctx.found.normed_backward,
            *(*ctx.shape, x, scale, mean, spread, ctx.eps, given, winners, of_x, of_scale, of_shift),
        )
        of_images, of_weight = ctx.products.back(of_x, ctx.needs_input_grad[0])
        return of_images, of_weight, of_scale, of_shift, None, None, None, None, None


def normed(images: torch.Tensor, filters: nn.Conv2d, norm: nn.BatchNorm2d, pool: bool, bits: int = 16) -> torch.Tensor:
    """relu(norm(filters(images))), with a 2 x 2 max pool between if `pool`, and the same gradients, in bfloat16.

    As in torch, `norm` takes mean and variance of the batch and notes them for later, or, out of training, takes what
    it has noted. What `fits` alone. `bits` is 16, or 8 for products as in quantised.py, of images that are nowhere
    below zero.
    """
    found = native.library("normed")
    assert found is not None
    assert norm.running_mean is not None
    assert norm.running_var is not None
    kind, stride = Quantised if bits == 8 else Halves, int(filters.stride[0])
    if not norm.training:
        x = kind(images, filters.weight, stride).result
        return behind(x, (norm.weight, norm.bias, norm.eps), 1 + pool, norm.running_mean, norm.running_var)
    out, mean, spread = Normed.apply(  # type: ignore[no-untyped-call]
        *(images, filters.weight, norm.weight, norm.bias, stride, 1 + pool, norm.eps, kind, found)
    )
    assert norm.num_batches_tracked is not None
    assert norm.momentum is not None
    many = out[:, 0].numel() * (1 + pool) ** 2
    norm.running_mean.lerp_(mean, norm.momentum)
    norm.running_var.lerp_(spread * (many / max(1, many - 1)), norm.momentum)
    norm.num_batches_tracked.add_(1)
    result: torch.Tensor = out
    return result


def fits(images: torch.Tensor, filters: nn.Conv2d, norm: nn.BatchNorm2d, pool: bool) -> bool:
    """Whether the compiled operation is there and does this: in bfloat16 on the processor."""
    sides = [(side - 1) // int(filters.stride[0]) + 1 for side in images.shape[2:]]
    return (
        (norm.training or not torch.is_grad_enabled())
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
