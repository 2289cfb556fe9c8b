"""The three products of a 3 x 3 convolution in 8-bit integers, by quantised.cpp: forward, and for its two gradients.

In a training step of a convolution, images are multiplied by weights, the gradient of the result by weights, and that
gradient by images. Each result is a sum of many products, in which rounding errors mostly cancel: 8 bits a number are
enough (Banner and others, "Scalable methods for 8-bit training of neural networks", 2018), and a processor multiplies
twice as many 8-bit numbers at a time as 16-bit ones. Numbers are scaled to the whole range of a byte: images by one
scale, weights and gradients by one for each channel. Results are bfloat16; the weights that are learnt stay float32.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import torch
from torch import nn

from engine.models.kernels import build
from engine.models.kernels.pooled import channels_last

CHANNELS = 16  # channels are a multiple of it
MAX_FILTER = 256  # numbers of a filter of pixels, so that its sums fit 32 bits


@dataclass(frozen=True, slots=True)
class QuantisedTensor:
    """Numbers of `shape` (n, channels, rows, columns) as bytes in frames of zeros, channels last.

    number = byte * scale for images, scale (1,); number = (byte - 128) * scale for gradients, scale (channels,).
    """

    shape: torch.Size
    bytes: torch.Tensor
    scale: torch.Tensor

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """n, rows, columns, channels."""
        count, channels, rows, columns = self.shape
        return count, rows, columns, channels


def library() -> ctypes.CDLL:
    """quantised.cpp, which has to be there."""
    functions = build.library("quantised")
    assert functions is not None
    return functions


def available() -> bool:
    """Whether quantised.cpp was compiled for this processor, and that multiplies bytes (AVX-512 VNNI)."""
    functions = build.library("quantised")
    return functions is not None and bool(functions.quantised_available())


def empty_quantised(shape: torch.Size, scales: int) -> QuantisedTensor:
    """Memory for the bytes and `scales` scales of numbers of `shape`."""
    count, channels, rows, columns = shape
    frames = torch.empty((count, rows + 2, columns + 2, channels), dtype=torch.uint8)
    return QuantisedTensor(shape, frames, torch.empty(scales))


def quantise_images(x: torch.Tensor) -> QuantisedTensor:
    """x: bfloat16 (n, channels, rows, columns), nowhere below zero."""
    result = empty_quantised(x.shape, 1)
    build.call(library().quantised_images, *result.sizes, channels_last(x), result.bytes, result.scale)
    return result


def quantise_gradients(x: torch.Tensor) -> QuantisedTensor:
    """x: bfloat16 (n, channels, rows, columns)."""
    result = empty_quantised(x.shape, x.shape[1])
    build.call(library().quantised_gradients, *result.sizes, channels_last(x), result.bytes, result.scale)
    return result


def empty_bfloat16(count: int, channels: int, rows: int, columns: int) -> torch.Tensor:
    """Memory for a result."""
    shape = (count, channels, rows, columns)
    return torch.empty(shape, dtype=torch.bfloat16, memory_format=torch.channels_last)


class Int8Conv:
    """A 3 x 3 convolution with padding 1 and stride 1: its `result` and its gradients.

    x (n, channels, rows, columns) nowhere below zero; weight (width, channels, 3, 3) float32; channels and width
    multiples of CHANNELS. The result and the gradient of the images are bfloat16, that of the weight is float32.
    """

    def __init__(self, x: torch.Tensor, weight: torch.Tensor, stride: int = 1) -> None:
        if stride != 1:
            raise ValueError(f"stride is {stride}, and there is code for 1 only")
        self.images, self.weight = quantise_images(x.bfloat16()), channels_last(weight.detach())
        count, rows, columns, _ = self.images.sizes
        width = len(weight)
        self.result = empty_bfloat16(count, width, rows, columns)
        build.call(
            library().quantised_forward,
            *(*self.images.sizes, width, self.images.bytes, self.images.scale, self.weight, self.result),
        )

    def gradients(self, result_grads: torch.Tensor, wants_images: bool) -> tuple[torch.Tensor | None, torch.Tensor]:
        """The gradients of the images (None unless wanted) and of the weight, from that of the result."""
        grads = quantise_gradients(result_grads)
        count, rows, columns, channels = self.images.sizes
        sizes = (*self.images.sizes, len(self.weight))
        weight_grads = torch.empty_like(self.weight)
        build.call(
            library().quantised_weight_grads,
            *(*sizes, self.images.bytes, self.images.scale, grads.bytes, grads.scale, weight_grads),
        )
        if not wants_images:
            return None, weight_grads
        image_grads = empty_bfloat16(count, channels, rows, columns)
        build.call(library().quantised_image_grads, *sizes, grads.bytes, grads.scale, self.weight, image_grads)
        return image_grads, weight_grads


@torch.no_grad()
def pixel_convolution(x: torch.Tensor, filters: nn.Conv2d, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """relu(filters(x * scale + shift)) of bytes x (n, channels, rows, columns), as bfloat16; for what `supports`.

    scale, shift: (channels,). Weights are rounded to 16 bits; padding is the byte nearest to what is scaled to zero.
    """
    count, channels, rows, columns = x.shape
    side, stride, padding = int(filters.kernel_size[0]), int(filters.stride[0]), int(filters.padding[0])
    down, across = ((length + 2 * padding - side) // stride + 1 for length in (rows, columns))
    by_channel = (1, channels, 1, 1)
    weight = channels_last(filters.weight * scale.view(by_channel))
    bias = (filters.weight * shift.view(by_channel)).sum((1, 2, 3))
    outside = (-shift / scale).round().clamp(0, 255).to(torch.uint8)
    result = empty_bfloat16(count, len(weight), down, across)
    sizes = (count, rows, columns, channels, len(weight), side, stride, padding)
    build.call(library().quantised_pixels, *sizes, channels_last(x), outside, weight, bias, result)
    return result


def supports(x: torch.Tensor, filters: nn.Conv2d) -> bool:
    """Whether `pixel_convolution` computes these bytes and filters, which do not learn."""
    return (
        x.dtype == torch.uint8
        and x.device.type == "cpu"
        and torch.is_autocast_enabled("cpu")
        and not filters.weight.requires_grad
        and filters.bias is None
        and filters.out_channels % CHANNELS == 0
        and filters.weight[0].numel() <= MAX_FILTER
    )
