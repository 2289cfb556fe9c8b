"""The points to be classified: scikit-learn's moons and circles, and two spirals made alike. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

COUNT = 300
HELD = 100  # of these, held out
TURNS = 1.25
SIDE = 24  # cells of a map of the plane, across and down
REACH = 2.4  # the map goes from -REACH to REACH in both directions


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Inputs (n, 2), with mean 0 and standard deviation 1 over the training points, and classes (n,), 0 or 1."""

    train: Floats
    train_class: Floats
    held: Floats
    held_class: Floats


@lru_cache(maxsize=32)
def points(kind: str, noise: float, seed: int) -> Points:
    """300 points of two equal classes, 100 of them held out; `noise` is the standard deviation added to both axes."""
    from sklearn.datasets import make_circles, make_moons
    from sklearn.model_selection import train_test_split

    if kind == "moons":
        x, y = make_moons(COUNT, noise=noise, random_state=seed)
    elif kind == "circles":
        x, y = make_circles(COUNT, noise=noise, factor=0.5, random_state=seed)
    else:
        x, y = spirals(noise, seed)
    train, held, train_class, held_class = train_test_split(x, y, test_size=HELD, stratify=y, random_state=seed)
    mean, sd = train.mean(0), train.std(0)
    parts = ((train - mean) / sd, train_class, (held - mean) / sd, held_class)
    return Points(*(np.ascontiguousarray(part, np.float32) for part in parts))


def spirals(noise: float, seed: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Points (300, 2) and classes (300,) of two arms of TURNS turns, one the other turned by 180 degrees."""
    random = np.random.RandomState(seed)  # the generator that scikit-learn draws from
    half = COUNT // 2
    along = np.sqrt(random.uniform(0.02, 1.0, half))
    angle = along * TURNS * 2 * np.pi
    arm = np.stack([along * np.cos(angle), along * np.sin(angle)], 1)
    x = np.concatenate([arm, -arm]) + noise * random.standard_normal((COUNT, 2))
    return x, np.repeat([0, 1], half)
