"""The board of the initialisation lesson."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from engine.models.variance import propagate, weight_moments
from engine.types import Tick
from lessons.board import marks
from lessons.board.colors import CATEGORIES
from lessons.board.figures import Figure, Map, Patch, Plot, Table
from lessons.board.marks import Trace
from lessons.initialisation import bins
from lessons.initialisation.params import CLASSES, FUNCTIONS, INITS, PIXELS, Params
from lessons.text import Words

COLOR = dict(zip(INITS, (CATEGORIES[i] for i in (8, 5, 1, 4, 0, 2, 3)), strict=True))
RANDOM = INITS[2:]  # with zeros or one constant no gradient comes back at first
WIDE = 48  # columns of a histogram's tile at least, whatever the depth
BRIGHT = 0.35  # the share of numbers in one bin that is the brightest colour
IN_SIGHT = (-20, 8)  # powers of ten: what explodes would press all others flat
FAR = 6.0  # powers of ten, where the colour ends

Names = Mapping[str, str]  # initialisation -> its name in the page's language


def draw(params: Params, words: Words) -> dict[str, Figure]:
    """The figures in order of importance."""
    names = words.controls["inits"].options
    figures: list[Figure] = [
        layers(params, words, names),
        depth(params, words, names),
        fit(params, words, names),
        by_step("loss", params, words, names),
        units(params, words, names),
        by_step("held", params, words, names),
    ]
    return {figure.id: figure for figure in figures}


def layers(params: Params, words: Words, names: Names) -> Map:
    """Histograms of every layer's activations, under them those of its gradients; a column for each initialisation."""
    labels = words.figures["layers"].labels
    above = [
        f"[failed.{init}] {names[init]}: {labels['activations']}\n{labels['failed']} || "
        f"{names[init]}: {labels['activations']}\n"
        f"{labels['loss']} {{now:loss.{init}}} · {labels['right']} {{now:held.{init}|%}} || "
        f"{names[init]}"
        for init in params.inits
    ]
    below = [
        f"{names[init]}: {labels['gradients']}\n{labels['first']} {{now:gradient.{init}|2}} || {names[init]}"
        for init in params.inits
    ]
    return Map(
        "layers",
        limits=(0.0, BRIGHT),
        span=(0.0, 1.0),
        tiles=above + below,
        rows=bins.names(labels["lost"]),
        columns=[str(1 + at) for at in np.repeat(np.arange(params.depth), broad(params.depth))],
        marks=bins.marks(),
        row_title=labels["y"],
        column_title=labels["x"],
        across=len(params.inits),
        size="hero",
        height=400,
    )


def broad(depth: int) -> int:
    """How many columns of a tile one layer fills, so that few layers make no narrow tile."""
    return -(-WIDE // depth)


def depth(params: Params, words: Words, names: Names) -> Plot:
    """The mean square of activations and gradients layer by layer: now as points, in closed form as lines."""
    labels = words.figures["depth"].labels
    traces: list[Trace] = []
    for init in params.inits:
        name, color, dot = names[init], COLOR[init], marks.dot(COLOR[init], 6)
        legend = marks.custom("scatter", name, mode="lines+markers", marker=dot, x=[None], y=[None])
        traces.append(legend | {"legendgroup": init})
        theory, measured = (f"{name}, {labels[how]}: %{{y:.3g}}<extra></extra>" for how in ("theory", "measured"))
        for key, side in (("signal", ""), ("gradient", "2")):
            own = {"legendgroup": init, "xaxis": f"x{side}", "yaxis": f"y{side}", "showlegend": False}
            traces += [
                marks.line(f"theory.{key}.{init}", color, x=[], y=[], width=1.5, hover=theory) | own,
                marks.dots(f"{key}.{init}", dot, x=[], y=[], hover=measured) | own,
            ]
    across = marks.axis(labels["x"], range=[0.5, params.depth + 0.5], zeroline=False)
    signal, gradient = (
        marks.axis(labels[key], log=True, powers=True, nticks=8, range=IN_SIGHT) for key in ("signal", "gradient")
    )
    return marks.plot(
        "depth",
        traces,
        across | {"domain": [0, 0.45]},
        signal,
        xaxis2=across | {"domain": [0.55, 1], "anchor": "y2"},
        yaxis2=gradient | {"anchor": "x2"},
        size="full",
        height=320,
    )


@lru_cache(maxsize=256)
def log_gain(activation: str, init: str, deep: int, width: int, sd: float) -> float:
    """The power of ten by which the gradient at the first layer is larger than at the last, in closed form."""
    sizes = [(PIXELS, width), *[(width, width)] * (deep - 1), (width, CLASSES)]
    weights = [weight_moments(init, fan_in, fan_out, sd) for fan_in, fan_out in sizes]
    _, gradient = propagate(activation, width, weights, np.zeros(1), np.full(1, float(PIXELS)), np.ones(1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.round(np.log10(gradient[0]) - np.log10(gradient[-1]), 1))


def fit(params: Params, words: Words, names: Names) -> Map:
    """What becomes of the gradient on its way back, for every activation and every random initialisation."""
    labels = words.figures["fit"].labels
    return Map(
        "fit",
        colours="diverging",
        limits=(-FAR, FAR),
        rows=[words.controls["activation"].options[function] for function in FUNCTIONS],
        columns=[names[init] for init in RANDOM],
        row_title=labels["y"],
        column_title=labels["x"],
        numbers=True,
        height=320,
    )


def by_step(scalar: str, params: Params, words: Words, names: Names) -> Plot:
    """One scalar of every network by step."""
    labels = words.figures[scalar].labels
    share = scalar == "held"
    hover = "%{y:.1%}" if share else "%{y:.4f}"
    traces = [marks.line(names[init], COLOR[init], y=f"{scalar}.{init}", hover=hover) for init in params.inits]
    # what explodes would press all others flat
    up = marks.share_axis(labels["y"]) if share else marks.axis(labels["y"], range=[0, 3.5])
    across = marks.axis(labels["x"], range=[0, params.steps])
    return marks.plot(scalar, traces, across, up, hovermode="x unified", height=260 if share else 320)


def units(params: Params, words: Words, names: Names) -> Table:
    """Distinct units, and the two ends of the depth figure as numbers."""
    labels = words.figures["units"].labels
    scalars = ("distinct", "signal", "gradient")
    return Table(
        "units",
        columns=[{"title": labels[key].replace("{width}", str(params.width))} for key in scalars],
        head=labels["head"],
        rows=[names[init] for init in params.inits],
        bind=[[f"{key}.{init}" for key in scalars] for init in params.inits],
        nan=labels["lost"],
        height=260,
    )


def update(params: Params, tick: Tick) -> list[Patch]:
    """The histograms, and the mean squares beside their closed form; what is no positive number has no place there."""
    if not tick.arrays:
        return []
    shares, squares, theory = (tick.arrays[name] for name in ("shares", "squares", "theory"))
    tiles = shares.swapaxes(0, 1).reshape(-1, *shares.shape[2:]).swapaxes(1, 2)  # (activations, then gradients, ...)
    patches = [
        Patch("layers", {"tiles": np.repeat(tiles, broad(params.depth), axis=2)}),
        Patch("fit", {"tiles": table(params)[None]}),
    ]
    x = np.arange(1, params.depth + 1)
    for k, init in enumerate(params.inits):
        for part, key in enumerate(("signal", "gradient")):
            patches.append(Patch("depth", {"x": x, "y": positive(theory[k, part])}, f"theory.{key}.{init}"))
            patches.append(Patch("depth", {"x": x, "y": positive(squares[k, part])}, f"{key}.{init}"))
    alive = int(((squares[:, 1, 0] > 1e-3 * squares[:, 1, -1]) & (squares[:, 1, 0] < 1e3 * squares[:, 1, -1])).sum())
    patches[-1] = patches[-1].say(alive=alive, n=len(squares))
    return patches


def table(params: Params) -> np.ndarray[Any, Any]:
    """The numbers of `fit`, (activations, random initialisations)."""
    rows = [
        [log_gain(function, init, params.depth, params.width, params.sd) for init in RANDOM] for function in FUNCTIONS
    ]
    return np.array(rows)


def positive(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """For a logarithmic axis: NaN, a gap, where there is nothing or too much."""
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)
