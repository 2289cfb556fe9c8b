"""The points to be classified, in the plane from -REACH to REACH in both directions. No torch here.

Sets are generated with a seed, drawn on the plane by a learner, or read from a CSV.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from engine.types import Problem
from lessons.playground.params import Params
from lessons.playground.table import read

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

REACH = 3.0
TURNS = 1.5  # of an arm of the spiral
SIDE = 50  # cells of the map of the plane, across and down
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
FINE = len(LETTERS) ** 2  # places along an axis that two letters can name


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """Places (n, 2) and classes (n,) of the training points and of the test points."""

    train: Floats
    train_class: Ints
    test: Floats
    test_class: Ints


def data(p: Params, seed: int, table: bytes = b"") -> Data:
    """The points of the settings; `table` is the CSV if they are read from one. Raises Problem if it cannot be used."""
    made = p.points if p.points not in ("drawn", "csv") else ""
    return _data(made, p.points, p.kinds, p.count, p.noise, p.share, seed, p.drawn if not made else "", table)


@lru_cache(maxsize=64)
def _data(
    made: str, points: str, kinds: int, count: int, noise: float, share: float, seed: int, own: str, table: bytes
) -> Data:
    random = np.random.RandomState(seed)
    if made:
        x, y = make(made, kinds, count, noise, random)
    else:
        x, y = drawn(own) if points == "drawn" else read(table)
    if y.max() >= kinds:
        raise Problem(
            f"There are points of class {y.max() + 1}, but the network tells {kinds} classes apart. Raise “classes”.",
            f"有第 {y.max() + 1} 类的点，但网络只分 {kinds} 类。请把“类别数”调大。",
        )
    order = random.permutation(len(x))
    cut = min(len(x) - 1, max(1, round(share * len(x))))
    places = x.astype(np.float32)
    train, test = order[:cut], order[cut:]
    return Data(places[train], y[train], places[test], y[test])


def make(
    kind: str, kinds: int, count: int, noise: float, random: np.random.RandomState
) -> tuple[npt.NDArray[np.float64], Ints]:
    """`count` points, as many of each class; `noise` is the standard deviation that is added to both axes."""
    y = np.arange(count) % kinds
    along = random.uniform(0.0, 1.0, count)
    turn = 2 * np.pi * random.uniform(0.0, 1.0, count)
    if kind == "circles":
        x = 2.5 * ((y + 0.2 + 0.6 * along) / kinds)[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)
    elif kind == "moons":
        upper = np.stack([np.cos(turn / 2) - 0.5, np.sin(turn / 2) - 0.25], 1)
        x = 1.6 * np.where(y[:, None] == 0, upper, -upper)
    elif kind == "xor":
        x = random.uniform(0.15, 2.5, (count, 2)) * random.choice([-1.0, 1.0], (count, 1))
        x[:, 0] *= np.where(y == 0, 1.0, -1.0)
    elif kind == "spirals":
        angle = 2 * np.pi * (TURNS * along + y / kinds)
        x = 2.7 * along[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    else:
        angle = 2 * np.pi * (y / kinds + 1 / 8)
        x = 1.6 * np.stack([np.cos(angle), np.sin(angle)], 1) + 0.4 * random.standard_normal((count, 2))
    return x + noise * random.standard_normal((count, 2)), y


def drawn(text: str) -> tuple[npt.NDArray[np.float64], Ints]:
    """The points of the setting `drawn`: of each its class, then two letters for x and two for y."""
    parts = [text[at : at + 5] for at in range(0, len(text), 5)]
    digits = [[LETTERS.index(letter) for letter in part[1:]] for part in parts]
    at = np.array([[64 * a + b, 64 * c + d] for a, b, c, d in digits], np.float64).reshape(-1, 2)
    return (2 * (at + 0.5) / FINE - 1) * REACH, np.array([int(part[0]) for part in parts], np.int64)


def written(x: npt.NDArray[np.float64], kind: int) -> str:
    """Points (n, 2) of one class in the form that `drawn` reads, to 1/4096 of the plane, none outside of it."""
    at = np.clip((x / REACH + 1) / 2 * FINE, 0, FINE - 1).astype(int)
    coded = ["".join(LETTERS[value // 64] + LETTERS[value % 64] for value in row) for row in at.tolist()]
    return "".join(f"{kind}{place}" for place in coded)


def features(x: npt.NDArray[np.float32], names: tuple[str, ...]) -> Floats:
    """The network's inputs (n, names) at places (n, 2)."""
    x1, x2 = x[:, 0], x[:, 1]
    known = {
        "x1": x1,
        "x2": x2,
        "x1x1": x1 * x1,
        "x2x2": x2 * x2,
        "x1x2": x1 * x2,
        "sin1": np.sin(2 * x1),
        "sin2": np.sin(2 * x2),
    }
    return np.stack([known[name] for name in names], 1).astype(np.float32)


@lru_cache(maxsize=4)
def grid(side: int = SIDE) -> Floats:
    """The centres of a map's cells (side * side, 2), from the upper left, row by row."""
    at = ((np.arange(side) + 0.5) / side * 2 - 1) * REACH
    across, down = np.meshgrid(at, -at)
    return np.stack([across.ravel(), down.ravel()], 1).astype(np.float32)
