"""The points of the two topics that have any: near a line, and of two classes. No torch here."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from lessons.losses.params import REACH

Floats = npt.NDArray[np.float64]

SLOPE, HEIGHT = 0.8, 0.5  # the line that the points come from
COUNT = 20  # points, without the one that can be dragged
CENTRE = (1.5, 1.0)  # of class 1; that of class 0 is its negative


@lru_cache(maxsize=64)
def near_line(noise: float, seed: int) -> tuple[Floats, Floats]:
    """x (20,), evenly spread, and y (20,): the line plus normal noise of that standard deviation."""
    x = np.round(np.linspace(-REACH, REACH, COUNT) * 0.95, 2)
    y = SLOPE * x + HEIGHT + noise * np.random.default_rng(seed).standard_normal(COUNT)
    return x, np.round(y, 4)


@lru_cache(maxsize=64)
def two_classes(noise: float, seed: int) -> tuple[Floats, Floats]:
    """Points (20, 2), normally distributed around -CENTRE and CENTRE, and their classes (20,): ten 0, ten 1."""
    kind = np.repeat([0.0, 1.0], COUNT // 2)
    scatter = (0.4 + noise) * np.random.default_rng(seed).standard_normal((COUNT, 2))
    return np.round((2 * kind[:, None] - 1) * np.array(CENTRE) + scatter, 4), kind
