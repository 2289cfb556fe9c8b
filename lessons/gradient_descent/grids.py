"""The grids that the figures of the gradient descent lesson show: heights on the map and in relief, convergence."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from lessons.gradient_descent.stability import radius
from lessons.gradient_descent.surfaces import Floats, Surface

LEVELS = 14


def span(axis: Floats) -> list[float]:
    """The ends of an axis of the grid."""
    return [float(axis[0]), float(axis[-1])]


def drawn_range(land: Surface) -> tuple[float, float]:
    """From the floor to the ceiling as the relief draws them, with a little air."""
    low, high = float(land.drawn(land.floor)), float(land.drawn(land.ceiling))
    air = 0.03 * (high - low) or 1.0
    return low - air, high + air


@lru_cache(maxsize=64)
def levels(land: Surface) -> dict[str, Any]:
    """The contour's grid: z as the map spaces its lines, customdata the true heights, and a scale that names them."""
    z = land.spaced(land.z)
    finite = z[np.isfinite(z)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    size = (high - low) / LEVELS or 1.0
    marks = [float(f"{land.unspaced(low + part * (high - low)):.1e}") for part in np.linspace(0, 1, 6)]
    marks = sorted({mark for mark in marks if mark >= land.floor})
    return {
        "x": land.x.tolist(),
        "y": land.y.tolist(),
        "z": digits(z, 4),
        "customdata": digits(land.z, 3),
        "autocontour": False,
        "contours": {"coloring": "heatmap", "start": low + size / 2, "end": high, "size": size},
        "colorbar": {
            "orientation": "h",
            "thickness": 9,
            "y": -0.16,
            "yanchor": "top",
            "outlinewidth": 0,
            "ticklabelposition": "outside bottom",
            "tickvals": [float(land.spaced(np.float64(mark))) for mark in marks],
            "ticktext": [f"{mark:g}" for mark in marks],
        },
    }


@lru_cache(maxsize=64)
def relief_grid(land: Surface) -> dict[str, Any]:
    """The relief's grid."""
    return {"x": land.x.tolist(), "y": land.y.tolist(), "z": digits(land.drawn(land.z), 3)}


def bands(land: Surface) -> dict[str, float]:
    """Level lines on the relief."""
    low, high = float(land.drawn(land.floor)), float(land.drawn(land.ceiling))
    return {"start": low, "end": high, "size": (high - low) / 10 or 1.0}


@lru_cache(maxsize=64)
def speed(kind: str, smallest: float, largest: float, right: float) -> tuple[list[float], list[float], Any]:
    """Step sizes, momenta, and the factor (of the slower of the two curvatures) for each pair."""
    lr, momentum = np.linspace(0, right, 43), np.linspace(0, 1, 26)
    across, up = np.meshgrid(lr, momentum)
    slower = np.maximum(radius(kind, across, up, smallest), radius(kind, across, up, largest))
    return digits(lr, 4), digits(momentum, 4), digits(np.minimum(slower, 9.99), 3)


def digits(values: Floats, count: int) -> Any:
    """Nested lists with that many significant digits, None where not finite: short as JSON."""
    good = np.isfinite(values)
    size = np.abs(np.where(good & (values != 0), values, 1.0))
    scale = 10.0 ** (count - 1 - np.floor(np.log10(size)))
    short = np.round(np.where(good, values, 0.0) * scale) / scale
    if good.all():
        return short.tolist()
    holes = short.astype(object)
    holes[~good] = None
    return holes.tolist()
