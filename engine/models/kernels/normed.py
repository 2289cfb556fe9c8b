"""A 3 x 3 convolution, batch norm, 2 x 2 max pool and ReLU of bfloat16 as one operation, by normed.cpp.

Computed layer by layer, batch norm, pool and ReLU read and write all their numbers nine times in a training step, and
libraries take the gradient of the weights at half the speed of the convolution. normed.cpp does batch norm, pool and
ReLU in two passes forward and two backward, and the gradient of the weights at the convolution's speed. The convolution
and the gradient of its images stay torch's; or all three products are those of quantised.py.
"""

from __future__ import annotations

import ctypes
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from engine.models.kernels.build import call, library
from engine.models.kernels.pooled import channels_last
from engine.models.kernels.quantised import Int8Conv

CHANNELS = 16  # channels are a multiple of it
convolution_backward = torch.ops.aten.convolution_backward


class BFloat16Conv:
    """A 3 x 3 convolution with padding 1: its `result` and its gradients, in bfloat16.

    images (n, channels, rows, columns), weight (width, channels, 3, 3).
    """

    def __init__(self, images: torch.Tensor, weight: torch.Tensor, stride: int) -> None:
        self.images, self.weight = channels_last(images.bfloat16()), channels_last(weight.detach().bfloat16())
        self.stride = stride
        self.result = channels_last(F.conv2d(self.images, self.weight, None, stride, 1))

    def gradients(self, result_grads: torch.Tensor, wants_images: bool) -> tuple[torch.Tensor | None, torch.Tensor]:
        """The gradients of the images (None unless wanted) and, float32, of the weight, from that of the result."""
        weight_grads = torch.empty_like(self.weight, dtype=torch.float32)
        count, channels, rows, columns = self.images.shape
        shape = (count, rows, columns, channels, len(self.weight), self.stride)
        call(compiled().normed_weight_grads, *shape, self.images, result_grads, weight_grads)
        if not wants_images:
            return None, weight_grads
        stride, dilation, output_padding = [self.stride, self.stride], [1, 1], [0, 0]
        options = (None, stride, [1, 1], dilation, False, output_padding, 1, [True, False, False])
        return convolution_backward(result_grads, self.images, self.weight, *options)[0], weight_grads


def compiled() -> ctypes.CDLL:
    """normed.cpp, which has to be there."""
    functions = library("normed")
    assert functions is not None
    return functions


def norm_inference(
    x: torch.Tensor, norm: nn.BatchNorm2d, pool: int, mean: torch.Tensor, variance: torch.Tensor
) -> torch.Tensor:
    """relu(max_pool2d(batch norm of x, pool)) with this mean and variance of each channel; bfloat16."""
    count, channels, rows, columns = x.shape
    shape = (count, channels, rows // pool, columns // pool)
    out = torch.empty(shape, dtype=torch.bfloat16, memory_format=torch.channels_last)
    call(
        compiled().normed_forward,
        *(count, rows, columns, channels, pool, x, norm.weight, norm.bias, norm.eps, out, None, mean, variance),
    )
    return out


class Normed(torch.autograd.Function):
    """The compiled operation in training: on the processor, channels last in memory.

    pool: 2, or 1 for none. convolution: BFloat16Conv, or Int8Conv of quantised.py. Also returns the mean and variance
    of the batch, each (width,).
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
        convolution: type[BFloat16Conv | Int8Conv],
        compiled: ctypes.CDLL,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        ctx.convolution = convolution(images, weight, stride)
        x = ctx.convolution.result
        count, channels, rows, columns = x.shape
        ctx.shape, ctx.eps, ctx.compiled = (count, rows, columns, channels, pool), eps, compiled
        shape = (count, channels, rows // pool, columns // pool)
        out = torch.empty(shape, dtype=torch.bfloat16, memory_format=torch.channels_last)
        winners = torch.empty(shape, dtype=torch.uint8, memory_format=torch.channels_last)
        mean, variance = torch.empty(channels), torch.empty(channels)
        call(compiled.normed_forward, *ctx.shape, x, scale, shift, eps, out, winners, mean, variance)
        ctx.save_for_backward(scale, mean, variance, winners)
        ctx.mark_non_differentiable(mean, variance)
        return out, mean, variance

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        scale, mean, variance, winners = ctx.saved_tensors
        x = ctx.convolution.result
        x_grads, scale_grads, shift_grads = torch.empty_like(x), torch.empty_like(mean), torch.empty_like(mean)
        result_grads = channels_last(gradients[0].bfloat16())
        call(
            ctx.compiled.normed_backward,
            *(*ctx.shape, x, scale, mean, variance, ctx.eps, result_grads, winners, x_grads, scale_grads, shift_grads),
        )
        image_grads, weight_grads = ctx.convolution.gradients(x_grads, ctx.needs_input_grad[0])
        return image_grads, weight_grads, scale_grads, shift_grads, None, None, None, None, None


def normed(images: torch.Tensor, filters: nn.Conv2d, norm: nn.BatchNorm2d, pool: bool, bits: int = 16) -> torch.Tensor:
    """relu(norm(filters(images))), with a 2 x 2 max pool before the ReLU if `pool`, and its gradients; bfloat16.

    As in torch, `norm` uses the mean and variance of the batch and updates its running ones in training, and uses the
    running ones otherwise. For what `supports` alone. bits: 16, or 8 for the products of quantised.py, of images that
    are nowhere below zero.
    """
    assert norm.running_mean is not None
    assert norm.running_var is not None
    convolution, stride = Int8Conv if bits == 8 else BFloat16Conv, int(filters.stride[0])
    if not norm.training:
        x = convolution(images, filters.weight, stride).result
        return norm_inference(x, norm, 1 + pool, norm.running_mean, norm.running_var)
    out, mean, variance = Normed.apply(  # type: ignore[no-untyped-call]
        *(images, filters.weight, norm.weight, norm.bias, stride, 1 + pool, norm.eps, convolution, compiled())
    )
    assert norm.num_batches_tracked is not None
    assert norm.momentum is not None
    n = out[:, 0].numel() * (1 + pool) ** 2
    norm.running_mean.lerp_(mean, norm.momentum)
    norm.running_var.lerp_(variance * (n / max(1, n - 1)), norm.momentum)
    norm.num_batches_tracked.add_(1)
    result: torch.Tensor = out
    return result


def supports(images: torch.Tensor, filters: nn.Conv2d, norm: nn.BatchNorm2d, pool: bool) -> bool:
    """Whether normed.cpp is there and computes these: under autocast to bfloat16, on the processor."""
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
        and filters.in_channels % CHANNELS == filters.out_channels % CHANNELS == 0
        and not (pool and (sides[0] % 2 or sides[1] % 2))
        and available()
    )


def available() -> bool:
    """Whether normed.cpp was compiled for this processor and is faster than torch on it.

    That is one that multiplies bfloat16 (AVX-512 BF16), but has no tiles for it (AMX), which torch uses.
    """
    functions = library("normed")
    return functions is not None and bool(functions.normed_available()) and not torch.cpu._is_amx_tile_supported()
