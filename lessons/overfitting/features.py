"""Double descent: minimum-norm least squares on random features, in closed form."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from engine.types import Arrays
from lessons.overfitting.params import Params
from lessons.overfitting.points import GRID, truth

DRAWS = 50  # sets of points and features for each number of features
MOST = 300  # features
FEW = 40  # points at most, because a worker solves all draws at once
QUARTERS = torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)
TINY = 1e-10  # a singular value this much smaller than the largest counts as zero


def sizes(points: int) -> list[int]:
    """Numbers of features from 1 to MOST: evenly spaced on a logarithmic scale, and more near `points`, at the peak."""
    even = np.geomspace(1, MOST, 22).round().astype(int).tolist()
    near = [points + offset for offset in (-4, -2, -1, 0, 1, 2, 4, 8)]
    return sorted({*even, *(size for size in near if 1 <= size <= MOST)})


def features(x: Tensor, frequency: Tensor, phase: Tensor) -> Tensor:
    """cos(w x + b), (draws, n, features), of x (draws, n) and w and b (draws, 1, features); Rahimi and Recht (2007)."""
    return torch.cos(x[..., None] * frequency + phase)


def solved(a: Tensor, y: Tensor, *ridges: float) -> list[Tensor]:
    """For each of `ridges` the weights (draws, features) that minimise |a w - y|² + ridge n |w|².

    a (draws, n, features), y (draws, n). If there are many, as there may be with ridge 0, those of minimum norm (by the
    Moore-Penrose inverse).
    """
    u, s, v = torch.linalg.svd(a, full_matrices=False)
    rotated = (u.mT @ y[..., None])[..., 0]
    inverses = [
        s / (s.square() + ridge * a.shape[1]) if ridge else torch.where(s > TINY * s[:, :1], 1 / s, 0)
        for ridge in ridges
    ]
    return [((inverse * rotated)[:, None] @ v)[:, 0] for inverse in inverses]


@lru_cache(maxsize=64)
def sweep(p: Params, seed: int) -> Arrays:
    """Medians over DRAWS of mean squared errors, for k numbers of features.

    The points are evenly spaced. The frequencies grow with their number; otherwise features of neighbouring points
    would differ by little more than rounding. Returns `points` (), how many, at most FEW; `sizes` (k,); of the
    minimum-norm solution `train`, `test` (with the noise) and `length`, the norm, (k,) each; `low` and `high` (k,), the
    quartiles of the test error; `ridge` (k,), the test error with the ridge p.ridge.
    """
    count = min(p.points, FEW)
    generator = torch.Generator().manual_seed(seed)
    x = ((2 * torch.arange(count, dtype=torch.float64) + 1) / count - 1).expand(DRAWS, -1)
    noise = torch.randn(DRAWS, count, generator=generator, dtype=torch.float64)
    y = torch.from_numpy(truth(p, x.numpy())) + p.noise * noise
    frequency = count * torch.randn(DRAWS, 1, MOST, generator=generator, dtype=torch.float64)
    phase = 2 * math.pi * torch.rand(DRAWS, 1, MOST, generator=generator, dtype=torch.float64)
    curve = torch.from_numpy(truth(p, GRID))
    train_features = features(x, frequency, phase)
    test_features = features(torch.from_numpy(GRID).expand(DRAWS, -1), frequency, phase)
    rows = []
    for size in sizes(count):
        a, grid = train_features[..., :size], test_features[..., :size]
        smallest, damped = solved(a, y, 0.0, p.ridge)
        test, ridge = (errors(grid, w, curve) + p.noise**2 for w in (smallest, damped))
        rows.append(
            [errors(a, smallest, y).median(), *test.quantile(QUARTERS), ridge.median(), smallest.norm(dim=1).median()]
        )
    columns = dict(zip(("train", "low", "test", "high", "ridge", "length"), np.array(rows).T, strict=True))
    return {"points": np.array(count, np.int32), "sizes": np.array(sizes(count), np.int32), **columns}


def errors(a: Tensor, w: Tensor, y: Tensor) -> Tensor:
    """The mean squared error of each draw, (draws,)."""
    return ((a @ w[..., None])[..., 0] - y).square().mean(1)
