"""Double descent: least squares on random features, the smallest solution where there are many. Solved, not trained."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from engine.types import Arrays
from lessons.overfitting.params import Params
from lessons.overfitting.points import GRID, truth

DRAWS = 50  # sets of points and features that each size is tried on
MOST = 300  # features
FEW = 40  # points: what a worker solves at once, it must not take long
QUARTERS = torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)
TINY = 1e-10  # a singular value this much smaller than the largest counts as zero


def sizes(points: int) -> list[int]:
    """Numbers of features from 1 to MOST: evenly spread by factors, and close to `points`, where the peak is."""
    spread = np.geomspace(1, MOST, 22).round().astype(int).tolist()
    close = [points + off for off in (-4, -2, -1, 0, 1, 2, 4, 8)]
    return sorted({*spread, *(one for one in close if 1 <= one <= MOST)})


def features(x: Tensor, frequency: Tensor, phase: Tensor) -> Tensor:
    """cos(w x + b): x (draws, n), w and b (draws, 1, features) -> (draws, n, features)."""
    return torch.cos(x[..., None] * frequency + phase)


def solved(a: Tensor, y: Tensor, *ridges: float) -> list[Tensor]:
    """For each of `ridges` the weights (draws, features) that make |a w - y|² + ridge n |w|² least.

    a is (draws, n, features), y (draws, n). Of many weights that do, as there may be with 0, it is the smallest (Moore
    and Penrose's inverse).
    """
    u, s, v = torch.linalg.svd(a, full_matrices=False)
    turned = (u.mT @ y[..., None])[..., 0]
    inverses = [
        s / (s.square() + ridge * a.shape[1]) if ridge else torch.where(s > TINY * s[:, :1], 1 / s, 0)
        for ridge in ridges
    ]
    return [((inverse * turned)[:, None] @ v)[:, 0] for inverse in inverses]


@lru_cache(maxsize=64)
def sweep(p: Params, seed: int) -> Arrays:
    """Medians over DRAWS of the mean squared errors on the points, and off them with the noise in it.

    The points stand evenly; the more there are, the faster the cosines may turn between them, or they would be told
    apart by rounding alone. "points" (), at most FEW; "sizes" (k,); of the smallest solution "train", "test" and
    "length" (k,), "low" and "high" the middle half of "test"; "ridge" (k,), the test error with p.ridge.
    """
    count = min(p.points, FEW)
    generator = torch.Generator().manual_seed(seed)
    x = ((2 * torch.arange(count, dtype=torch.float64) + 1) / count - 1).expand(DRAWS, -1)
    noise = torch.randn(DRAWS, count, generator=generator, dtype=torch.float64)
    y = torch.from_numpy(truth(p, x.numpy())) + p.noise * noise
    frequency = count * torch.randn(DRAWS, 1, MOST, generator=generator, dtype=torch.float64)
    phase = 2 * math.pi * torch.rand(DRAWS, 1, MOST, generator=generator, dtype=torch.float64)
    curve = torch.from_numpy(truth(p, GRID))
    own, everywhere = (features(at, frequency, phase) for at in (x, torch.from_numpy(GRID).expand(DRAWS, -1)))
    rows = []
    for many in sizes(count):
        a, grid = own[..., :many], everywhere[..., :many]
        smallest, damped = solved(a, y, 0.0, p.ridge)
        test, ridged = (off(grid, w, curve) + p.noise**2 for w in (smallest, damped))
        rows.append(
            [off(a, smallest, y).median(), *test.quantile(QUARTERS), ridged.median(), smallest.norm(dim=1).median()]
        )
    columns = dict(zip(("train", "low", "test", "high", "ridge", "length"), np.array(rows).T, strict=True))
    return {"points": np.array(count, np.int32), "sizes": np.array(sizes(count), np.int32), **columns}


def off(a: Tensor, w: Tensor, y: Tensor) -> Tensor:
    """The mean squared error of each draw."""
    return ((a @ w[..., None])[..., 0] - y).square().mean(1)
