"""The three products of a 3 x 3 convolution in 8-bit whole numbers: forward, for its images, for its weights.

A training step of a convolution multiplies three times: images by weights, what comes back by weights, and what comes
back by images. Each is a sum of many products, and rounding errors of its terms mostly cancel: so 8 bits a number are
enough (Banner and others, "Scalable methods for 8-bit training of neural networks", 2018), and a processor multiplies
twice as many 8-bit numbers at a time as numbers of 16 bits. Numbers are scaled to use the whole range: images all
together, weights and gradients for each channel. What comes out is bfloat16, and the weights that are learnt stay
float32. quantised.cpp does it where it has been compiled (engine/models/kernels/build.py) for a processor with such a
multiplication.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import torch
from torch import nn

from engine.models.kernels import build as native
from engine.models.kernels.pooled import lasting

LANES = 16  # channels are a multiple of it
MOST = 256  # numbers of a filter of pixels, so that its sums fit 32 bits


@dataclass(frozen=True, slots=True)
class Framed:
    """Numbers of `shape` (n, channels, rows, columns) as bytes, channels last and framed; times `scale` they are back.

    scale (1,) for images; for gradients (channels,), whose bytes are 128 more.
    """

    shape: torch.Size
    bytes: torch.Tensor
    scale: torch.Tensor

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        count, channels, rows, columns = self.shape
        return count, rows, columns, channels


def library() -> ctypes.CDLL:
    found = native.library("quantised")
    assert found is not None
    return found


def here() -> bool:
    """Whether it has been compiled, for a processor that multiplies bytes."""
    found = native.library("quantised")
    return found is not None and bool(found.quantised_here())


def framed(shape: torch.Size, scales: int) -> Framed:
    count, channels, rows, columns = shape
    frames = torch.empty((count, rows + 2, columns + 2, channels), dtype=torch.uint8)
    return Framed(shape, frames, torch.empty(scales))


def images(x: torch.Tensor) -> Framed:
    """bfloat16 (n, channels, rows, columns), none below zero."""
    made = framed(x.shape, 1)
    native.call(library().quantised_images, *made.sizes, lasting(x), made.bytes, made.scale)
    return made


def slopes(x: torch.Tensor) -> Framed:
    """Gradients, bfloat16 (n, channels, rows, columns)."""
    made = framed(x.shape, x.shape[1])
    native.call(library().quantised_slopes, *made.sizes, lasting(x), made.bytes, made.scale)
    return made


def empty(count: int, channels: int, rows: int, columns: int) -> torch.Tensor:
    shape = (count, channels, rows, columns)
    return torch.empty(shape, dtype=torch.bfloat16, memory_format=torch.channels_last)


class Quantised:
    """A 3 x 3 convolution with padding 1 and stride 1: its `result`, and what comes back through it; bfloat16.

    images (n, channels, rows, columns) nowhere below zero; weight (width, channels, 3, 3) float32; channels and width
    multiples of LANES.
    """

    def __init__(self, x: torch.Tensor, weight: torch.Tensor, stride: int = 1) -> None:
        if stride != 1:
            raise ValueError(f"stride is {stride}, and there is code for 1 only")
        self.images, self.weight = images(x.bfloat16()), lasting(weight.detach())
        count, rows, columns, _ = self.images.sizes
        width = len(weight)
        self.result = empty(count, width, rows, columns)
        native.call(
            library().quantised_forward,
            *(*self.images.sizes, width, self.images.bytes, self.images.scale, self.weight, self.result),
        )

    def back(self, of_result: torch.Tensor, further: bool) -> tuple[torch.Tensor | None, torch.Tensor]:
        """The gradients of the images, where they are wanted, and of the weight; of that of the result."""
        given = slopes(of_result)
        count, rows, columns, channels = self.images.sizes
        sizes = (*self.images.sizes, len(self.weight))
        of_weight = torch.empty_like(self.weight)
        native.call(
            library().quantised_filters,
            *(*sizes, self.images.bytes, self.images.scale, given.bytes, given.scale, of_weight),
        )
        if not further:
            return None, of_weight
        of_images = empty(count, channels, rows, columns)
        native.call(library().quantised_inputs, *sizes, given.bytes, given.scale, self.weight, of_images)
        return of_images, of_weight


@torch.no_grad()
def pixels(x: torch.Tensor, filters: nn.Conv2d, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """relu(filters(x * scale + shift)) of bytes (n, channels, rows, columns), bfloat16; what `sees` alone.

    Padded with the byte nearest to what is zero after scaling. scale and shift (channels,). The weights have 16 bits.
    """
    count, channels, rows, columns = x.shape
    side, stride, padding = int(filters.kernel_size[0]), int(filters.stride[0]), int(filters.padding[0])
    down, across = ((one + 2 * padding - side) // stride + 1 for one in (rows, columns))
    by_channel = (1, channels, 1, 1)
    weight = lasting(filters.weight * scale.view(by_channel))
    added = (filters.weight * shift.view(by_channel)).sum((1, 2, 3))
    outside = (-shift / scale).round().clamp(0, 255).to(torch.uint8)
    result = empty(count, len(weight), down, across)
    sizes = (count, rows, columns, channels, len(weight), side, stride, padding)
    native.call(library().quantised_pixels, *sizes, lasting(x), outside, weight, added, result)
    return result


def sees(x: torch.Tensor, filters: nn.Conv2d) -> bool:
    """Whether `pixels` takes these bytes and filters, which do not learn."""
    return (
        x.dtype == torch.uint8
        and x.device.type == "cpu"
        and torch.is_autocast_enabled("cpu")
        and not filters.weight.requires_grad
        and filters.bias is None
        and filters.out_channels % LANES == 0
        and filters.weight[0].numel() <= MOST
    )
