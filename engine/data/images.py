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
    """images: uint8 (n, 3, size, size), stored channels last; labels: int64 (n,)."""

    images: torch.Tensor
    labels: torch.Tensor

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

    def part(pixels: digits.Bytes, truth: digits.Bytes) -> Part:
        stored = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))).to(device)
        return Part(stored.permute(0, 3, 1, 2), torch.from_numpy(truth.astype(np.int64)).to(device))

    return Images(
        classes=source.CLASSES,
        size=images.shape[-1],
        train=part(learnt, labels[train]),
        validation=part(images[validation], labels[validation]),
        test=part(test_images, test_labels),
        mean=torch.from_numpy(mean).to(device, torch.float32),
        std=torch.from_numpy(std).to(device, torch.float32),
    )
