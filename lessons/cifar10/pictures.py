"""The frame of a step: what the network looks like inside, and what it predicts for a few images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from engine.datasets.images import Images
from engine.types import Arrays
from lessons.cifar10.evaluation import Bytes, predict
from lessons.cifar10.networks import first_filters

EXAMPLES = 12  # validation images in a frame
CHANNELS = 16  # of a layer's feature maps, at most


@torch.no_grad()
def frame(model: nn.Sequential, data: Images, bf16: bool, views: bool, predicted: Bytes) -> Arrays:
    """First-layer filters, feature maps of the first validation image, the confusion matrix, and twelve predictions.

    `counts` int32 (10, 10), true class by predicted class, are those of `predicted`, the last check.
    """
    model.eval()
    images, labels = data.validation.images[:EXAMPLES], data.validation.labels[:EXAMPLES]
    with torch.autocast(images.device.type, torch.bfloat16, enabled=bf16):
        probabilities = predict(model, images, views).softmax(1)
    cells = data.validation.labels.cpu().numpy() * 10 + predicted
    first_layer = next(name for name, _ in model.named_children() if name != "normalise")
    return {
        "filters": filter_images(first_filters(model)),
        "maps": feature_maps(model, images[:1], first_layer),
        "counts": np.bincount(cells, minlength=100).reshape(10, 10).astype(np.int32),
        "images": pixels(images),
        "labels": labels.cpu().numpy(),
        "chances": probabilities.cpu().numpy(),
        "index": np.arange(EXAMPLES),
    }


def pixels(images: torch.Tensor) -> Bytes:
    """(n, 3, rows, columns) as (n, rows, columns, 3)."""
    return np.ascontiguousarray(images.permute(0, 2, 3, 1).cpu().numpy())


def filter_images(filters: torch.Tensor) -> Bytes:
    """Filters (n, 3, rows, columns) as colour images, each scaled by its largest weight, with zero as middle grey."""
    largest = filters.abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-12)
    return pixels(((filters.detach() / largest + 1) * 127.5).round().to(torch.uint8))


def feature_maps(model: nn.Sequential, image: torch.Tensor, layer: str) -> npt.NDArray[np.float16]:
    """What `layer` makes of one image (1, 3, size, size): (channels, rows, columns), at most CHANNELS of them.

    The ReLU of a layer with a pool behind it is computed after the pool (see networks.build); here it is applied first,
    as the layers are described.
    """
    x, width = image, 0
    for name, part in model.named_children():
        x = part(x)
        width = next((module.out_channels for module in part.modules() if isinstance(module, nn.Conv2d)), width)
        if name == layer:
            break
    return x[0, : min(width, CHANNELS)].relu().float().cpu().numpy().astype(np.float16)
