"""Image sets as they lie on a device: bytes, held once for all runs, in three parts that are kept apart.

Training images are learnt from; validation images, held out of the official training set, are what a learner
watches and chooses by; the official test images give the last figure only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from engine.datasets import cifar10, digits
from engine.types import Problem

SETS = ("cifar10", "digits")
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
    """A set in three parts.

    `mean` and `std` (3,) float32, in 0..1, are those of all official training pixels, held out or not.
    """

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


def held(name: str, device: str, held_out: int) -> Images:
    """The set `name` ("cifar10" or "digits") on `device`, with `held_out` percent of the training images kept back.

    The bytes are put there once, in one fixed order drawn with SPLIT_SEED; a split is a view of them, its last
    images being the validation images. Raises Problem if the set is not to be had.
    """
    every, test, mean, std, classes = stored(name, device)
    kept = len(every) - round(len(every) * held_out / 100)
    train = Part(every.framed[:kept], every.labels[:kept], every.border)
    validation = Part(every.framed[kept:], every.labels[kept:], every.border)
    return Images(classes, every.framed.shape[1] - 2 * every.border, train, validation, test, mean, std)


@cache
def stored(name: str, device: str) -> tuple[Part, Part, torch.Tensor, torch.Tensor, tuple[str, ...]]:
    """All training images in the fixed order, the test images, mean, std and the names of the classes."""
    if name not in SETS:
        raise Problem(
            f"There is no image set {name!r:.40}; there are {', '.join(SETS)}.",
            f"没有名为 {name!r:.40} 的图像数据集，可用的有 {'、'.join(SETS)}。",
        )
    source = cifar10 if name == "cifar10" else digits
    images, labels, test_images, test_labels = source.read()
    order = np.random.RandomState(SPLIT_SEED).permutation(len(images))  # its stream never changes
    counts = np.zeros((3, 256))
    for some in np.array_split(images, 1 + len(images) // 1000):  # bincount makes eight bytes of each
        counts += [np.bincount(some[:, channel].ravel(), minlength=256) for channel in range(3)]
    values = np.arange(256) / 255
    mean = counts @ values / counts.sum(1)
    std = np.sqrt(counts @ values**2 / counts.sum(1) - mean**2)
    return (
        framed(images[order], labels[order], device),
        framed(test_images, test_labels, device),
        torch.from_numpy(mean).to(device, torch.float32),
        torch.from_numpy(std).to(device, torch.float32),
        source.CLASSES,
    )
