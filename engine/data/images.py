"""Image sets as they lie on a device: bytes, held once for all runs, in three parts that are kept apart.

Training images are learnt from; validation images, held out of the official training set, are what a learner
watches and chooses by; the official test images give the last figure only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from engine.data import cifar10, digits
from engine.types import Problem

VALIDATION = {"cifar10": 5000, "digits": 300}
SPLIT_SEED = 0


@dataclass(frozen=True, slots=True)
class Part:
    """framed: uint8 (n, size + 2 border, size + 2 border, 3), each image in a black frame; labels: int64 (n,).

    The frame is what a shifted image shows at its edge; with it in place, to shift is only to copy from elsewhere.
    """

    framed: torch.Tensor
    labels: torch.Tensor
    border: int

    @property
    def images(self) -> torch.Tensor:
        """The images themselves, uint8 (n, 3, size, size): a view into the frames."""
        inner = slice(self.border, self.framed.shape[1] - self.border)
        return self.framed[:, inner, inner].permute(0, 3, 1, 2)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class Images:
    """A set in three parts; `mean` and `std` (3,) float32 are those of the training pixels, in 0..1."""

    classes: tuple[str, ...]
    size: int
    train: Part
    validation: Part
    test: Part
    mean: torch.Tensor
    std: torch.Tensor


def framed(pixels: digits.Bytes, labels: digits.Bytes, device: str) -> Part:
    """Images (n, 3, size, size) and labels (n,) as they are held; the border is an eighth of the size."""
    count, _, size, _ = pixels.shape
    border = size // 8
    stored = np.zeros((count, size + 2 * border, size + 2 * border, 3), np.uint8)
    stored[:, border : border + size, border : border + size] = pixels.transpose(0, 2, 3, 1)
    return Part(torch.from_numpy(stored).to(device), torch.from_numpy(labels.astype(np.int64)).to(device), border)


@cache
def held(name: str, device: str) -> Images:
    """The set `name` ("cifar10" or "digits") on `device`, put there once. Raises Problem if it is not to be had."""
    if name not in VALIDATION:
        raise Problem(
            f"There is no image set {name!r:.40}; there are {', '.join(VALIDATION)}.",
            f"没有名为 {name!r:.40} 的图像数据集,可用的有 {'、'.join(VALIDATION)}。",
        )
    source = cifar10 if name == "cifar10" else digits
    images, labels, test_images, test_labels = source.read()
    order = np.random.RandomState(SPLIT_SEED).permutation(len(images))
    train, validation = order[: -VALIDATION[name]], order[-VALIDATION[name] :]
    learnt = images[train]
    counts = np.zeros((3, 256))
    for some in np.array_split(learnt, 1 + len(learnt) // 1000):  # bincount makes eight bytes of each
        counts += [np.bincount(some[:, channel].ravel(), minlength=256) for channel in range(3)]
    values = np.arange(256) / 255
    mean = counts @ values / counts.sum(1)
    std = np.sqrt(counts @ values**2 / counts.sum(1) - mean**2)

    return Images(
        classes=source.CLASSES,
        size=images.shape[-1],
        train=framed(learnt, labels[train], device),
        validation=framed(images[validation], labels[validation], device),
        test=framed(test_images, test_labels, device),
        mean=torch.from_numpy(mean).to(device, torch.float32),
        std=torch.from_numpy(std).to(device, torch.float32),
    )
