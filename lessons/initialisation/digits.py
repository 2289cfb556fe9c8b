"""Handwritten digits as 64 numbers each, and the batches, which are the same for every network."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from engine.datasets import digits

BATCH = 64


@lru_cache(maxsize=1)
def images() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pixels (1497, 64) and classes (1497,) to learn from; pixels (300, 64) and classes (300,) that are held out.

    All pixels of the training images together have mean 0 and variance 1.
    """
    images, classes, held_out, held_out_classes = digits.read()
    # every second pixel: digits.read doubles the 8 x 8 images
    train, test = (
        torch.from_numpy(part[:, 0, ::2, ::2].reshape(len(part), -1).copy()).float() for part in (images, held_out)
    )
    mean, sd = train.mean(), train.std(correction=0)
    return (
        (train - mean) / sd,
        torch.from_numpy(classes.copy()).long(),
        (test - mean) / sd,
        torch.from_numpy(held_out_classes.copy()).long(),
    )


def batch(step: int, seed: int) -> tuple[Tensor, Tensor]:
    """Images (64, 64) and classes (64,) for the update after `step`: each epoch goes through a new random order."""
    x, y, _, _ = images()
    epoch = len(x) // BATCH
    generator = torch.Generator().manual_seed(seed)
    for _ in range(1 + step // epoch):
        order = torch.randperm(len(x), generator=generator)
    chosen = order[BATCH * (step % epoch) :][:BATCH]
    return x[chosen], y[chosen]
