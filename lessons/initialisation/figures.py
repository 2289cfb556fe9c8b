"""The board of the initialisation lesson."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from engine.models.variance import propagate, weight_moments
from engine.types import Arrays, Problem, Tick, Values
from lessons.board.colors import CATEGORIES
from lessons.board.figures import Figure, Map, Patch, Plot, Table
from lessons.initialisation import bins
from lessons.initialisation.params import CLASSES, FUNCTIONS, INITS, PIXELS, Params
from lessons.text import Words

COLOUR = dict(zip(INITS, (CATEGORIES[i] for i in (8, 5, 1, 4, 0, 2, 3)), strict=True))
RANDOM = INITS[2:]  # with zeros or one constant no gradient comes back at first
WIDE = 48  # columns of a histogram's tile at least, whatever the depth
BRIGHT = 0.35  # the share of numbers in one bin that is the brightest colour
IN_SIGHT = (-20, 8)  # powers of ten: what explodes would press all others flat
FAR = 6.0  # powers of ten, where the colour ends

Labels = Mapping[str, str]


def draw(params: Params, words: Words) -> dict[str, Figure]:
    """The figures in order of importance."""
    names = words.controls["inits"].options
    figures: list[Figure] = [
        layers(params, words, names),
        depth(params, words, names),
        fit(params, words, names),
        lines("loss", params, words, names),
        units(params, words, names),
        lines("held", params, words, names),
    ]
    return {figure.id: figure for figure in figures}


def layers(params: Params, words: Words, names: Labels) -> Map:
    """Histograms of every layer's activations, under them those of its gradients; a column for each initialisation."""
    say = words.figures["layers"].labels
    above = [
        f"[failed.{one}] {names[one]}: {say['activations']}\n{say['failed']} || "
        f"{names[one]}: {say['activations']}\n"
        f"{say['loss']} {{now:loss.{one}}} · {say['right']} {{now:held.{one}|%}} || "
        f"{names[one]}"
        for one in params.inits
    ]
    below = [
        f"{names[one]}: {say['gradients']}\n{say['first']} {{now:gradient.{one}|2}} || {names[one]}"
        for one in params.inits
    ]
    return Map(
        "layers",
        limits=(0.0, BRIGHT),
        span=(0.0, 1.0),
        tiles=above + below,
        rows=bins.names(say["lost"]),
        columns=[str(1 + at) for at in np.repeat(np.arange(params.depth), broad(params.depth))],
        marks=bins.marks(),
        row_title=say["y"],
        column_title=say["x"],
        across=len(params.inits),
        size="hero",
        height=400,
    )


def broad(depth: int) -> int:
    """How many columns of a tile one layer fills, so that few layers make no narrow tile."""
    return -(-WIDE // depth)


def depth(params: Params, words: Words, names: Labels) -> Plot:
    """The mean square of activations and gradients layer by layer: now as points, in closed form as lines."""
    say = words.figures["depth"].labels
    traces: list[dict[str, Any]] = []
    for one in params.inits:
        both = {"type": "scatter", "legendgroup": one, "x": [], "y": []}
        points = {"size": 6, "color": COLOUR[one]}
        traces.append({**both, "mode": "lines+markers", "name": names[one], "x": [None], "y": [None], "marker": points})
        for key, side in (("signal", ""), ("gradient", "2")):
            common = {**both, "xaxis": f"x{side}", "yaxis": f"y{side}", "showlegend": False}
            traces += [
                {
                    **common,
                    "mode": "lines",
                    "name": f"theory.{key}.{one}",
                    "line": {"width": 1.5, "color": COLOUR[one]},
                    "hovertemplate": f"{names[one]}, {say['theory']}: %{{y:.3g}}<extra></extra>",
                },
                {
                    **common,
                    "mode": "markers",
                    "name": f"{key}.{one}",
                    "marker": points,
                    "hovertemplate": f"{names[one]}, {say['measured']}: %{{y:.3g}}<extra></extra>",
                },
            ]
    across = {"title": {"text": say["x"]}, "range": [0.5, params.depth + 0.5], "zeroline": False}
    log = {"type": "log", "exponentformat": "power", "nticks": 8, "range": IN_SIGHT}
    layout = {
        "xaxis": {**across, "domain": [0, 0.45]},
        "xaxis2": {**across, "domain": [0.55, 1], "anchor": "y2"},
        "yaxis": {"title": {"text": say["signal"]}, **log},
        "yaxis2": {"title": {"text": say["gradient"]}, "anchor": "x2", **log},
    }
    return Plot("depth", traces, layout, "full", 320)


@lru_cache(maxsize=256)
def kept(activation: str, init: str, deep: int, width: int, sd: float) -> float:
    """The power of ten by which the gradient at the first layer is larger than at the last, in closed form."""
    sizes = [(PIXELS, width), *[(width, width)] * (deep - 1), (width, CLASSES)]
    weights = [weight_moments(init, fan_in, fan_out, sd) for fan_in, fan_out in sizes]
    _, gradient = propagate(activation, width, weights, np.zeros(1), np.full(1, float(PIXELS)), np.ones(1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.round(np.log10(gradient[0]) - np.log10(gradient[-1]), 1))


def fit(params: Params, words: Words, names: Labels) -> Map:
    """What becomes of the gradient on its way back, for every activation and every random initialisation."""
    say = words.figures["fit"].labels
    return Map(
        "fit",
        colours="diverging",
        limits=(-FAR, FAR),
        rows=[words.controls["activation"].options[one] for one in FUNCTIONS],
        columns=[names[one] for one in RANDOM],
        row_title=say["y"],
        column_title=say["x"],
        numbers=True,
        height=320,
    )


def lines(scalar: str, params: Params, words: Words, names: Labels) -> Plot:
    """One scalar of every network by step."""
    say = words.figures[scalar].labels
    share = scalar == "held"
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": names[one],
            "bind": {"x": "step", "y": f"{scalar}.{one}"},
            "line": {"width": 2, "color": COLOUR[one]},
            "hovertemplate": "%{y:.1%}" if share else "%{y:.4f}",
        }
        for one in params.inits
    ]
    # what explodes would press all others flat
    y: Values = {"range": [-0.02, 1.02], "tickformat": ".0%"} if share else {"range": [0, 3.5]}
    layout = {
        "xaxis": {"title": {"text": say["x"]}, "range": [0, params.steps]},
        "yaxis": {"title": {"text": say["y"]}, **y},
        "hovermode": "x unified",
    }
    return Plot(scalar, traces, layout, "half", 260 if share else 320)


def units(params: Params, words: Words, names: Labels) -> Table:
    """Distinct units, and the two ends of the depth figure as numbers."""
    say = words.figures["units"].labels
    shown = ("distinct", "signal", "gradient")
    return Table(
        "units",
        columns=[{"title": say[one].replace("{width}", str(params.width))} for one in shown],
        head=say["head"],
        rows=[names[one] for one in params.inits],
        bind=[[f"{key}.{one}" for key in shown] for one in params.inits],
        nan=say["lost"],
        height=260,
    )


def update(params: Params, tick: Tick) -> list[Patch]:
    """The histograms, and the mean squares beside their closed form; what is no positive number has no place there."""
    if not tick.arrays:
        return []
    shares, squares, theory = (tick.arrays[name] for name in ("shares", "squares", "theory"))
    tiles = shares.swapaxes(0, 1).reshape(-1, *shares.shape[2:]).swapaxes(1, 2)  # (activations, then gradients, ...)
    found = [
        Patch("layers", {"tiles": np.repeat(tiles, broad(params.depth), axis=2)}),
        Patch("fit", {"tiles": table(params)[None]}),
    ]
    x = np.arange(1, params.depth + 1)
    for k, init in enumerate(params.inits):
        for part, key in enumerate(("signal", "gradient")):
            found.append(Patch("depth", {"x": x, "y": positive(theory[k, part])}, f"theory.{key}.{init}"))
            found.append(Patch("depth", {"x": x, "y": positive(squares[k, part])}, f"{key}.{init}"))
    alive = int(((squares[:, 1, 0] > 1e-3 * squares[:, 1, -1]) & (squares[:, 1, 0] < 1e3 * squares[:, 1, -1])).sum())
    found[-1] = Patch("depth", {**found[-1].data, "say": {"alive": alive, "n": len(squares)}}, found[-1].trace)
    return found


def table(params: Params) -> np.ndarray[Any, Any]:
    """The numbers of `fit`, (activations, random initialisations)."""
    of = [[kept(one, init, params.depth, params.width, params.sd) for init in RANDOM] for one in FUNCTIONS]
    return np.array(of)


def positive(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """For a logarithmic axis: NaN, a gap, where there is nothing or too much."""
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)


def answer(params: Params, name: str, args: Mapping[str, Any], arrays: Arrays) -> list[Patch]:
    """This lesson has no questions. Raises Problem."""
    raise Problem(f"There is no question named {name!r:.40} here.", f"这里没有名为 {name!r:.40} 的提问。")
