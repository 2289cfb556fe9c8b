"""The surfaces: one formula each, so that what is drawn and what is differentiated are the same. No torch here.

Rosenbrock, Himmelblau and Beale as in Jamil and Yang (2013), "A literature survey of benchmark functions for global
optimization problems", after the original papers the lesson names.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.types import Problem
from lessons.formula import Formula, parse
from lessons.gradient_descent.params import Params

Floats = npt.NDArray[np.float64]

FAR = 1000.0  # a point whose x or y is further from 0 counts as diverged
CUT = 10.0  # heights are drawn up to this many times the height of the highest point of the map
COLUMNS, ROWS = 61, 41  # of the contour's grid; every window is 3 wide to 2 high, so cells are square
LOWEST = 1e-16  # heights over the minimum below this are rounding, and are drawn at it

FORMULAS = {
    "bowl": "(x - 1)**2 + (y - 2)**2",
    "saddle": "x**2/2 - y**2/2 + y**4/4",
    "rosenbrock": "(1 - x)**2 + 100*(y - x**2)**2",
    "himmelblau": "(x**2 + y - 11)**2 + (x + y**2 - 7)**2",
    "beale": "(1.5 - x + x*y)**2 + (2.25 - x + x*y**2)**2 + (2.625 - x + x*y**3)**2",
}
# What is drawn of each surface: x and y of its centre, and half its height.
WINDOWS = {
    "bowl": (1.0, 2.0, 3.0),
    "valley": (0.0, 0.0, 2.0),
    "saddle": (0.0, 0.0, 2.0),
    "rosenbrock": (0.0, 1.0, 2.0),
    "himmelblau": (0.0, 0.0, 5.0),
    "beale": (0.0, 0.0, 3.0),
}
MINIMA: dict[str, tuple[tuple[float, float], ...]] = {
    "bowl": ((1.0, 2.0),),
    "valley": ((0.0, 0.0),),
    "saddle": ((0.0, 1.0), (0.0, -1.0)),
    "rosenbrock": ((1.0, 1.0),),
    "himmelblau": (
        (3.0, 2.0),
        (-2.805118086952745, 3.131312518250573),
        (-3.779310253377747, -3.283185991286170),
        (3.584428340330492, -1.848126526964404),
    ),
    "beale": ((3.0, 0.5),),
    "formula": (),
}


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """Heights over a plane, and how they are drawn.

    x (COLUMNS,), y (ROWS,): the grid; z (ROWS, COLUMNS): its heights, NaN where there are none; `floor`: the lowest
    known height; `ceiling`: the highest on the grid; `logarithmic`: heights are drawn as log10(1 + height - floor);
    `curvatures`: smallest and largest eigenvalue of the Hessian, for the quadratics only.
    """

    formula: Formula
    x: Floats
    y: Floats
    z: Floats
    floor: float
    ceiling: float
    logarithmic: bool
    minima: tuple[tuple[float, float], ...]
    curvatures: tuple[float, float] | None

    def height(self, x: Any, y: Any) -> Floats:
        """Heights at arrays or numbers x and y; inf or NaN where there are none."""
        return heights(self.formula, np.asarray(x, np.float64), np.asarray(y, np.float64))

    def check_start(self, x: float, y: float) -> None:
        """Raises Problem unless the height at (x, y) is finite."""
        if not math.isfinite(self.height(x, y)):
            raise Problem(
                f"The formula has no finite height at the start ({x:g}, {y:g}): it divides by zero there, overflows, "
                "or takes the root or logarithm of a negative number. Click the map where it has lines, or change the "
                "formula.",
                f"公式在起点（{x:g}, {y:g}）没有有限的高度：那里除以了零、溢出，"
                "或对负数开方、取对数。请在图上有等高线的地方点一下，换个起点，或者改公式。",
            )

    @property
    def lift(self) -> float:
        """How far above the relief a path is drawn, so that the relief does not hide it."""
        return 0.012 * float(self.drawn(self.ceiling) - self.drawn(self.floor))

    def holds(self, x: Any, y: Any) -> Any:
        """Whether points lie in the window that is drawn, of the shape of x and y."""
        return (self.x[0] <= x) & (x <= self.x[-1]) & (self.y[0] <= y) & (y <= self.y[-1])

    def clipped(self, x: Any, y: Any) -> tuple[Any, Any]:
        """The points of the window nearest to (x, y)."""
        return np.clip(x, self.x[0], self.x[-1]), np.clip(y, self.y[0], self.y[-1])

    def drawn(self, z: Any) -> Any:
        """Heights as the relief draws them."""
        return np.log10(1 + np.maximum(z - self.floor, 0.0)) if self.logarithmic else z

    def spaced(self, z: Any) -> Any:
        """Heights on the scale in which the contour lines are evenly spaced: logarithms, or square roots, with which
        the lines of a quadratic are as far apart on the map at every height.
        """
        with np.errstate(all="ignore"):
            return self.drawn(z) if self.logarithmic else np.sqrt(np.maximum(z - self.floor, 0.0))

    def unspaced(self, value: float) -> float:
        """The height at a value of that scale."""
        return (10**value - 1 if self.logarithmic else value**2) + self.floor

    def differences(self, x: Any, y: Any) -> tuple[Any, Any]:
        """The gradient by central differences, (f(x+h) - f(x-h)) / 2h with h = 6e-6 max(1, |x|).

        The error is about h² times the third derivative plus the rounding of f over h; the cube root of float64's
        precision, 6e-6, makes the sum of both about as small as it can be.
        """
        h, k = 6e-6 * np.maximum(1.0, np.abs(x)), 6e-6 * np.maximum(1.0, np.abs(y))
        east, west, north, south = self.height(np.stack([x + h, x - h, x, x]), np.stack([y, y, y + k, y - k]))
        with np.errstate(all="ignore"):  # NaN where there are no heights
            # Divided by the distance of the rounded points, which is not exactly 2h.
            return (east - west) / ((x + h) - (x - h)), (north - south) / ((y + k) - (y - k))


def heights(formula: Formula, x: Floats, y: Floats) -> Floats:
    """A formula's values at arrays x and y, of their common shape even if it is constant."""
    with np.errstate(all="ignore"):
        z = np.asarray(formula(x, y, np), np.float64)
    shape = np.broadcast_shapes(x.shape, y.shape)
    return z if z.shape == shape else np.broadcast_to(z, shape)


def surface(params: Params) -> Surface:
    """The surface of these settings; equal settings give the same object."""
    return _surface(params.surface, params.condition, params.angle, params.formula, params.reach)


@lru_cache(maxsize=64)
def _surface(name: str, condition: float, angle: float, typed: str, reach: float) -> Surface:
    text = {"valley": valley(condition, angle), "formula": typed}.get(name) or FORMULAS[name]
    formula = parse(text)
    across, up, half = WINDOWS.get(name, (0.0, 0.0, reach))
    x = np.round(np.linspace(across - 1.5 * half, across + 1.5 * half, COLUMNS), 6)
    y = np.round(np.linspace(up - half, up + half, ROWS), 6)
    z = heights(formula, x[None, :], y[:, None])
    z = np.where(np.isfinite(z), z, np.nan)
    finite = z[np.isfinite(z)]
    ceiling = float(finite.max()) if finite.size else 1.0
    floor = {"saddle": -0.25}.get(name, 0.0) if name != "formula" else lowest(formula, x, y, z)
    middle = float(np.median(finite)) - floor if finite.size else 1.0
    if name == "formula":
        logarithmic = ceiling - floor > 30 * max(middle, 1e-300) or ceiling - floor > 1e3
    else:
        logarithmic = name in ("rosenbrock", "himmelblau", "beale")
    curvatures = {"bowl": (2.0, 2.0), "valley": (1.0, condition)}.get(name)
    return Surface(formula, x, y, z, floor, ceiling, logarithmic, MINIMA[name], curvatures)


def valley(condition: float, angle: float) -> str:
    """The formula of (u² + κ v²)/2 in axes u, v turned by `angle` degrees, with κ = `condition`."""
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    if angle % 90 == 0:
        c, s = round(c), round(s)
    a, b, d = c * c + condition * s * s, 2 * c * s * (1 - condition), s * s + condition * c * c
    cross = f" + ({b!r})*x*y" if b else ""
    return f"({a!r}*x**2{cross} + {d!r}*y**2)/2"


def lowest(formula: Formula, x: Floats, y: Floats, z: Floats) -> float:
    """The lowest height in the window: on the grid z (ROWS, COLUMNS), then on grids around the lowest point so far,
    each eight times as fine as the one before.
    """
    if not np.isfinite(z).any():
        return 0.0
    best = float(np.nanmin(np.where(np.isfinite(z), z, np.inf)))
    row, column = np.unravel_index(int(np.argmin(np.where(np.isfinite(z), z, np.inf))), z.shape)
    at_x, at_y, step = float(x[column]), float(y[row]), float(x[1] - x[0])
    for _ in range(9):
        near_x = np.clip(at_x + np.linspace(-step, step, 17), x[0], x[-1])
        near_y = np.clip(at_y + np.linspace(-step, step, 17), y[0], y[-1])
        near = heights(formula, near_x[None, :], near_y[:, None])
        near = np.where(np.isfinite(near), near, np.inf)
        row, column = np.unravel_index(int(np.argmin(near)), near.shape)
        at_x, at_y, step = float(near_x[column]), float(near_y[row]), step / 8
        best = min(best, float(near.min()))
    return best
