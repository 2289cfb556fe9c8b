"""What a network predicts, with and without test-time augmentation, and how well."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from engine.datasets.images import Split
from engine.types import Scalars
from lessons.cifar10.params import Params

BATCH = 500

Bytes: TypeAlias = npt.NDArray[np.uint8]


def several_views(p: Params) -> bool:
    """Whether images are predicted from several views: with the fast network, if it was trained on mirrored images."""
    return p.network == "fast" and p.augment in ("flip", "crop_flip", "cutout")


def predict(model: nn.Module, images: torch.Tensor, views: bool) -> torch.Tensor:
    """The ten scores (n, 10) of each image; with `views` the mean over several views of it (after Jordan, 2024).

    Those are the image and its mirror image and, where no class gets more than half of the probability, both once more
    shifted by a pixel down and to the right, and up and to the left.
    """
    scores: torch.Tensor = model(images).float()
    if not views:
        return scores
    scores = (scores + model(images.flip(3)).float()) / 2
    unsure = (scores.softmax(1).amax(1) <= 0.5).nonzero()[:, 0]
    if len(unsure):
        few = images[unsure].contiguous(memory_format=torch.channels_last)
        moved = [shifted(few, by) for by in (1, -1)]
        more = [view for image in moved for view in (image, image.flip(3))]
        scores[unsure] = (2 * scores[unsure] + sum(model(view).float() for view in more)) / 6
    return scores


def shifted(images: torch.Tensor, by: int) -> torch.Tensor:
    """The images (n, channels, rows, columns) moved by `by` pixels down and to the right, the edge repeated."""
    for dim in (2, 3):
        size = images.shape[dim]
        edge = [images.narrow(dim, 0 if by > 0 else size - 1, 1)] * abs(by)
        inner = images.narrow(dim, max(0, -by), size - abs(by))
        images = torch.cat([*edge, inner] if by > 0 else [inner, *edge], dim)
    return images.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def validate(model: nn.Module, part: Split, bf16: bool, views: bool = False) -> tuple[Scalars, Bytes]:
    """Mean loss and accuracy on `part`, as val_loss and val_accuracy, and the predicted classes, uint8 (n,)."""
    model.eval()
    device = part.labels.device
    batches = []
    for at in range(0, len(part), BATCH):
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            batches.append(predict(model, part.images[at : at + BATCH], views))
    scores = torch.cat(batches)
    loss = F.cross_entropy(scores, part.labels).item()
    predicted = scores.argmax(1)
    accuracy = (predicted == part.labels).float().mean().item()
    return {"val_loss": loss, "val_accuracy": accuracy}, predicted.to(torch.uint8).cpu().numpy()
