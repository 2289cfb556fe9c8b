"""Handwritten digits as 64 numbers each, and the batches that every network sees in the same order."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from engine.datasets import digits

BATCH = 64


@lru_cache(maxsize=1)
def images() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pixels (1497, 64) and classes (1497,) to learn from, (300, 64) and (300,) held out.

    All pixels of the training images together have mean 0 and variance 1.
    """
    x, y, held, held_y = digits.read()
    pixels = [torch.from_numpy(one[:, 0, ::2, ::2].reshape(len(one), -1).copy()).float() for one in (x, held)]
    middle, spread = pixels[0].mean(), pixels[0].std(correction=0)
    return (
        (pixels[0] - middle) / spread,
        torch.from_numpy(y.copy()).long(),
        (pixels[1] - middle) / spread,
        torch.from_numpy(held_y.copy()).long(),
    )


def batch(step: int, seed: int) -> tuple[Tensor, Tensor]:
    """What the step from `step` on is learnt from: all images once, in a new order, then all of them again."""
    x, y, _, _ = images()
    each = len(x) // BATCH
    generator = torch.Generator().manual_seed(seed)
    for _ in range(1 + step // each):
        order = torch.randperm(len(x), generator=generator)
    chosen = order[BATCH * (step % each) :][:BATCH]
    return x[chosen], y[chosen]
