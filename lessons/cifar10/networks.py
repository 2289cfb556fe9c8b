"""The three networks in torch, built layer by layer from `architecture.py`.

The output of a convolution may have more channels than its layer is wide; those are zeros (see Convolution).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from engine.checkpoint import model_tensors
from engine.models.convolution import Convolution
from engine.models.kernels import normed as norms
from engine.models.kernels import pooled as pools
from engine.models.kernels import quantised
from engine.types import Checkpoint, Problem
from lessons.cifar10.architecture import ARCHITECTURES, SIZES, Layer, Shape, flat, out

NAMES = tuple(ARCHITECTURES)
SETS = tuple(SIZES)
WHITEN_FLOOR = 0.005  # added to eigenvalues, so that rare directions are not amplified into noise


class Normalise(nn.Module):
    """Bytes to numbers around zero: (x / 255 - mean) / std for each channel, as one multiplication and one addition."""

    scale: torch.Tensor
    shift: torch.Tensor

    def __init__(self, mean: torch.Tensor, std: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", 1 / (255 * std))
        self.register_buffer("shift", -mean / std)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        pixels = images.permute(0, 2, 3, 1)  # the order in memory, so that each row of an image is one long vector
        count, rows, columns, _ = pixels.shape
        lines = pixels.reshape(count, rows, 3 * columns).float()
        normalised = torch.addcmul(self.shift.repeat(columns), lines, self.scale.repeat(columns))
        return normalised.reshape(count, rows, columns, 3).permute(0, 3, 1, 2)


class Network(nn.Sequential):
    """Named layers, one after the other. Those in `pooled` are computed with the pool behind them where a kernel can.

    `bits`: of the numbers that convolutions multiply under autocast; 16, or 8 if the processor multiplies those.
    """

    def __init__(self, chain: OrderedDict[str, nn.Module], pooled: frozenset[str]) -> None:
        super().__init__(chain)
        self.pooled = pooled
        self.bits = 16

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        layers: Iterator[tuple[str, nn.Module]] = iter(self.named_children())
        if self.bits == 8:
            (_, scaled), (_, layer) = islice(self.named_children(), 2)
            first = next(layer.children())
            if isinstance(scaled, Normalise) and isinstance(first, Convolution) and quantised.supports(x, first):
                x = quantised.pixel_convolution(x, first, scaled.scale, scaled.shift)
                layers = islice(self.named_children(), 2, None)
        for name, layer in layers:
            filters, norm, *_ = (*layer.children(), None, None)
            pool = name in self.pooled
            if not isinstance(filters, Convolution):
                x = layer(x)
            elif isinstance(norm, nn.BatchNorm2d) and norms.supports(x, filters, norm, pool):
                x = norms.normed(x, filters, norm, pool, self.bits)
                if pool:
                    next(layers)
            elif pool and norm is None and pools.supports(x, filters.weight):
                x = pools.pooled(x, filters.weight, filters.bias, int(filters.padding[0]))
                next(layers)
            else:
                x = layer(x)
        return x


def build(network: str, data: str, mean: torch.Tensor, std: torch.Tensor) -> Network:
    """`network` for images of `data`: a chain of named layers that takes uint8 images (n, 3, size, size).

    Its weights start as torch starts them, which draws from torch's global generator. `mean` and `std` (3,) are
    those of the training pixels.
    """
    chain: OrderedDict[str, nn.Module] = OrderedDict(normalise=Normalise(mean, std))
    shape: Shape = (3, SIZES[data], SIZES[data])
    waiting: list[nn.Module] = []  # the ReLU before a pool goes behind it: the same result from fewer numbers
    pooled = set()
    layers = ARCHITECTURES[network]
    for layer, follower in zip(layers, (*layers[1:], None), strict=True):
        parts = [*module(layer, shape), *waiting]
        waiting = []
        if layer.act and follower is not None and follower.kind in ("pool", "max"):
            waiting = [parts.pop()]
            if follower.kind == "pool" and (layer.norm or layer.stride == 1):
                pooled.add(layer.name)
        chain[layer.name] = nn.Sequential(*parts)
        shape = out(layer, shape)
    model = Network(chain, frozenset(pooled))
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stubs do not know it
    return model


def module(layer: Layer, shape: Shape) -> list[nn.Module]:
    """The operations of one layer that takes arrays of `shape` (and a batch dimension in front), in order."""
    if layer.kind == "pool":
        return [nn.MaxPool2d(layer.kernel, layer.stride)]
    if layer.kind == "max":
        return [nn.AdaptiveMaxPool2d(1), nn.Flatten()]
    parts: list[nn.Module] = []
    if layer.kind == "linear":
        if len(shape) == 3:
            parts.append(nn.Flatten())
        parts.append(nn.Linear(flat(shape), layer.width))
    else:
        biased = not (layer.norm or layer.whiten)
        parts.append(Convolution(shape[0], layer.width, layer.kernel, layer.stride, layer.padding, bias=biased))
    if layer.norm:
        parts.append(nn.BatchNorm2d(layer.width))
    if layer.act:
        parts.append(nn.ReLU(inplace=True))
    return parts


def first_filters(model: nn.Sequential) -> torch.Tensor:
    """The weights (filters, 3, rows, columns) that touch the image itself."""
    return next(part.weight for part in model.modules() if isinstance(part, nn.Conv2d))


@torch.no_grad()
def whiten(model: nn.Sequential, images: torch.Tensor) -> None:
    """Computes the first filters from training `images` (n, 3, size, size) uint8, and excludes them from training.

    Neighbouring pixels are nearly alike, so patches vary much in a few directions and little in most. The filters are
    the eigenvectors of the patches' covariance, largest first, each divided by the root of its eigenvalue: their
    outputs are uncorrelated and of equal variance. The second half is the first negated, for the ReLU that follows
    would lose negative outputs (after Jordan, 2024).
    """
    filters = first_filters(model)
    count, _, kernel, _ = filters.shape
    normalised = model.get_submodule("normalise")(images)
    patches = F.unfold(normalised, kernel, stride=2).transpose(1, 2).reshape(-1, 3 * kernel * kernel)
    values, vectors = torch.linalg.eigh((patches.T @ patches / len(patches)).double())
    largest = (vectors / (values + WHITEN_FLOOR).sqrt()).T.flip(0)[: count // 2].reshape(-1, 3, kernel, kernel)
    filters.copy_(torch.cat([largest, -largest]))
    filters.requires_grad_(False)


def marks(network: str, data: str) -> Checkpoint:
    """What a checkpoint says about its network, so that `load` can build it again."""
    return {"made.network": np.array(NAMES.index(network)), "made.data": np.array(SETS.index(data))}


def load(state: Checkpoint) -> nn.Sequential:
    """The network of a checkpoint of this lesson, in evaluation mode: it takes uint8 images and gives ten scores.

    Raises Problem for a checkpoint that is not of this lesson.
    """
    try:
        network, data = NAMES[int(state["made.network"])], SETS[int(state["made.data"])]
        # The random weights are replaced at once, and must not move the global generator that runs draw from.
        with torch.random.fork_rng(devices=[]):
            model = build(network, data, torch.zeros(3), torch.ones(3))
        model.load_state_dict(model_tensors(state))
    except (KeyError, IndexError, RuntimeError) as error:
        raise Problem(
            "This kept network is not one of the CIFAR-10 lesson's, or of another version of it. Train one anew.",
            "这个保存的网络不是 CIFAR-10 课训练的，或出自另一个版本。请重新训练一个。",
        ) from error
    return model.eval()
