"""Image sets on a device, loaded once for all runs, in a training, a validation and a test split.

The validation images are held out of the official training set; settings are chosen by them. The official test images
are used once, at the end of a run.
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
class Split:
    """frames: uint8 (n, size + 2 border, size + 2 border, 3), each image in a black frame; labels: int64 (n,).

    A shifted image shows the frame at its edge; to shift it is to copy from another corner.
    """

    frames: torch.Tensor
    labels: torch.Tensor
    border: int

    @property
    def images(self) -> torch.Tensor:
        """The images without their frames, uint8 (n, 3, size, size): a view."""
        inner = slice(self.border, self.frames.shape[1] - self.border)
        return self.frames[:, inner, inner].permute(0, 3, 1, 2)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class Images:
    """The three splits of a set. mean, std: float32 (3,), between 0 and 1, of all official training pixels."""

    classes: tuple[str, ...]
    size: int
    train: Split
    validation: Split
    test: Split
    mean: torch.Tensor
    std: torch.Tensor


def make_split(pixels: digits.Bytes, labels: digits.Bytes, device: str) -> Split:
    """Puts images (n, 3, size, size) into frames, an eighth of their size wide, on `device`."""
    count, _, size, _ = pixels.shape
    border = size // 8
    frames = np.zeros((count, size + 2 * border, size + 2 * border, 3), np.uint8)
    frames[:, border : border + size, border : border + size] = pixels.transpose(0, 2, 3, 1)
    return Split(torch.from_numpy(frames).to(device), torch.from_numpy(labels.astype(np.int64)).to(device), border)


def load_images(name: str, device: str, held_out: int) -> Images:
    """The set `name` ("cifar10" or "digits") on `device`, with `held_out` percent of the training images held out.

    The official training images are in one fixed order, drawn with SPLIT_SEED; the validation images are the last of
    them. Both splits are views of the same memory. Raises Problem if the set is missing.
    """
    official, test, mean, std, classes = load_official(name, device)
    count = len(official) - round(len(official) * held_out / 100)
    train = Split(official.frames[:count], official.labels[:count], official.border)
    validation = Split(official.frames[count:], official.labels[count:], official.border)
    return Images(classes, official.frames.shape[1] - 2 * official.border, train, validation, test, mean, std)


@cache
def load_official(name: str, device: str) -> tuple[Split, Split, torch.Tensor, torch.Tensor, tuple[str, ...]]:
    """All official training images in the fixed order, the test images, mean, std, and the names of the classes."""
    if name not in SETS:
        raise Problem(
            f"There is no image set {name!r:.40}; there are {', '.join(SETS)}.",
            f"没有名为 {name!r:.40} 的图像数据集，可用的有 {'、'.join(SETS)}。",
        )
    source = cifar10 if name == "cifar10" else digits
    images, labels, test_images, test_labels = source.read()
    order = np.random.RandomState(SPLIT_SEED).permutation(len(images))  # the same in all versions
    counts = np.zeros((3, 256))
    for chunk in np.array_split(images, 1 + len(images) // 1000):  # bincount makes eight bytes of each pixel
        counts += [np.bincount(chunk[:, channel].ravel(), minlength=256) for channel in range(3)]
    values = np.arange(256) / 255
    mean = counts @ values / counts.sum(1)
    std = np.sqrt(counts @ values**2 / counts.sum(1) - mean**2)
    return (
        make_split(images[order], labels[order], device),
        make_split(test_images, test_labels, device),
        torch.from_numpy(mean).to(device, torch.float32),
        torch.from_numpy(std).to(device, torch.float32),
        source.CLASSES,
    )
