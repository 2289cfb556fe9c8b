"""The true curve, the points that networks are trained on, and those they are tested on. No torch here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lessons.overfitting.params import COLUMNS, Params, drawn

Floats = npt.NDArray[np.float64]

GRID = np.linspace(-1, 1, 101)  # where fits are tested and drawn
PLACES = np.linspace(-1, 1, COLUMNS)  # of the numbers of a drawn curve


def truth(p: Params, x: Floats) -> Floats:
    """The true curve at x. A drawn one is linear between its PLACES; without any number it is zero."""
    if p.curve == "drawn":
        places = [(at, y) for at, y in zip(PLACES, drawn(p.truth), strict=True) if y is not None]
        return np.interp(x, *np.array(places).T) if places else np.zeros_like(x)
    if p.curve == "line":
        return 0.8 * x
    return np.where(x < 0, -0.6, 0.6) if p.curve == "jump" else np.sin(1.5 * np.pi * x)


@dataclass(frozen=True, slots=True)
class Sample:
    """Training points and, with early stopping, those held out for validation; x and y of each."""

    x: Floats
    y: Floats
    held_x: Floats
    held_y: Floats


def sample(p: Params, seed: int, number: int) -> Sample:
    """The points of network `number`. A bootstrap sample is drawn with replacement from the first network's points."""
    random = np.random.default_rng([seed, 1, number if p.sets == "fresh" else 0])
    x = random.uniform(-1, 1, p.points)
    y = truth(p, x) + p.noise * random.standard_normal(p.points)
    count = p.points - p.points // 4 if p.early else p.points
    chosen = np.arange(count)
    if p.sets == "bootstrap":
        chosen = np.random.default_rng([seed, 2, number]).integers(0, count, count)
    return Sample(x[chosen], y[chosen], x[count:], y[count:])


def trial(p: Params, seed: int) -> tuple[Floats, Floats]:
    """The true curve on GRID and the noise there, (101,) each.

    At each x there are two test points, curve + noise and curve - noise, so that the mixed terms of the errors cancel,
    and bias², variance and noise add up to the test error exactly.
    """
    return truth(p, GRID), p.noise * np.random.default_rng([seed, 3]).standard_normal(len(GRID))
