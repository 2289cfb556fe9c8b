"""The three networks as plain lists of layers: `networks.py` builds them from these, the page draws them. No torch.

Each layer is a node of the drawn network. What it does, in order: its own operation, then batch norm if `norm`, then
`act`. Shapes are (channels, rows, columns), or (features,) after the images have been flattened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from engine.types import Problem

Kind: TypeAlias = Literal["conv", "pool", "max", "linear"]
Shape: TypeAlias = tuple[int, ...]
SIZES = {"cifar10": 32, "digits": 16}
CLASSES = 10


@dataclass(frozen=True, slots=True)
class Layer:
    """One node. `width`: channels or features that come out; `whiten`: computed from image patches, not learnt."""

    name: str
    kind: Kind
    width: int = 0
    kernel: int = 0
    stride: int = 1
    padding: int = 0
    norm: bool = False
    act: Literal["", "relu"] = ""
    whiten: bool = False


def conv(name: str, width: int, kernel: int = 3, *, norm: bool = False, padding: int = 1, stride: int = 1) -> Layer:
    return Layer(name, "conv", width, kernel, stride, padding, norm, "relu")


def pool(name: str) -> Layer:
    return Layer(name, "pool", kernel=2, stride=2)


def linear(name: str, width: int, act: Literal["", "relu"] = "relu") -> Layer:
    return Layer(name, "linear", width, act=act)


# The network of PyTorch's tutorial "Training a classifier", a small LeNet-5 (LeCun and others, 1998).
TUTORIAL = (
    conv("conv1", 6, 5, padding=0),
    pool("pool1"),
    conv("conv2", 16, 5, padding=0),
    pool("pool2"),
    linear("fc1", 120),
    linear("fc2", 84),
    linear("fc3", CLASSES, ""),
)

# Pairs of 3 x 3 convolutions, then a pool, with twice the channels each time (Simonyan and Zisserman, 2014).
VGG = (
    conv("conv1", 16),
    conv("conv2", 16),
    pool("pool1"),
    conv("conv3", 32),
    conv("conv4", 32),
    pool("pool2"),
    conv("conv5", 64),
    conv("conv6", 64),
    pool("pool3"),
    linear("fc1", 128),
    linear("fc2", CLASSES, ""),
)

# A whitened first layer that is not trained, then batch norm after every convolution (after Jordan, 2024, made small).
FAST = (
    Layer("conv1", "conv", 32, 4, 2, 1, act="relu", whiten=True),
    conv("conv2", 32, norm=True),
    pool("pool1"),
    conv("conv3", 64, norm=True),
    pool("pool2"),
    conv("conv4", 96, norm=True),
    conv("conv5", 96, norm=True),
    Layer("max", "max"),
    linear("fc", CLASSES, ""),
)

ARCHITECTURES: dict[str, tuple[Layer, ...]] = {"tutorial": TUTORIAL, "vgg": VGG, "fast": FAST}


def out(layer: Layer, shape: Shape) -> Shape:
    """The shape that comes out when `shape` goes in."""
    if layer.kind == "linear":
        return (layer.width,)
    channels, rows, columns = shape
    if layer.kind == "max":
        return (channels,)
    rows, columns = ((side + 2 * layer.padding - layer.kernel) // layer.stride + 1 for side in (rows, columns))
    return (layer.width or channels, rows, columns)


def flat(shape: Shape) -> int:
    """How many numbers an array of `shape` holds."""
    product = 1
    for side in shape:
        product *= side
    return product


def parameters(layer: Layer, shape: Shape) -> int:
    """Weights and biases of `layer` when `shape` goes in, and batch norm's scale and shift."""
    if layer.kind == "conv":
        biases = 2 * layer.width if layer.norm else 0 if layer.whiten else layer.width
        return layer.width * shape[0] * layer.kernel**2 + biases
    if layer.kind == "linear":
        return layer.width * flat(shape) + layer.width
    return 0


def table(network: str, data: str) -> list[tuple[Layer, Shape, int]]:
    """(layer, shape that comes out, parameters) of each layer of `network` on images of `data`."""
    rows = []
    shape: Shape = (3, SIZES[data], SIZES[data])
    for layer in ARCHITECTURES[network]:
        after = out(layer, shape)
        rows.append((layer, after, parameters(layer, shape)))
        shape = after
    return rows


def shown(network: str) -> list[str]:
    """Names of the layers whose outputs are maps that can be looked at."""
    return [layer.name for layer in ARCHITECTURES[network] if layer.kind in ("conv", "pool")]


def known(network: str, layer: object) -> str:
    """`layer` if its maps can be looked at; else Problem."""
    names = shown(network)
    if layer not in names:
        raise Problem(
            f"Layer {layer!r:.40} has no maps to show. Layers with maps: {', '.join(names)}.",
            f"层 {layer!r:.40} 没有可以显示的特征图。可选的层：{'、'.join(names)}。",
        )
    return str(layer)
