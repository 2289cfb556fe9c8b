"""The board of the activations lesson."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.models.shapes import SLOPE, VALUE, Floats
from engine.types import Arrays, Problem, Tick, Values
from lessons.activations import points
from lessons.activations.depth import variances
from lessons.activations.params import FUNCTIONS, GRAIN, REACH, SHAPES, Params
from lessons.board.colors import CATEGORIES
from lessons.board.figures import Choose, Figure, Map, Patch, Plot
from lessons.board.marks import band
from lessons.text import Words

COLOUR = dict(zip(SHAPES, CATEGORIES, strict=True))
FAINT = 0.4  # of a line whose function is not among those looked at
TANGENT = 1.2  # how far a tangent reaches to either side
CORNERS = ("top right", "top left", "bottom right", "bottom left")  # where up to four values stand, highest first
BAND = 1e3  # a gradient counts as alive at the first layer if it lost or gained no more than this factor

Labels = Mapping[str, str]


def draw(params: Params, words: Words) -> dict[str, Figure]:
    """The figures in order of importance."""
    names = words.controls["functions"].options
    figures: list[Figure] = [
        boundaries(words, names),
        shape(params, words, names),
        deep(params, words, names),
        lines("loss", "loss", params, words, names),
        *([seeds(params, words, names)] if params.seeds > 1 else []),
        lines("held", "held", params, words, names),
        lines("dead", "dead", params, words, names),
        lines("asleep", "asleep", params, words, names),
        values(params, words, names),
    ]
    return {figure.id: figure for figure in figures}


def asks(params: Params) -> list[Values]:
    """The deep network is no part of the run: it is asked for once, and again when one of its settings changes."""
    wanted = {name: getattr(params, name) for name in ("init", "layers", "seed")}
    return [{"name": "depth", "args": {**wanted, "functions": list(params.functions)}, "once": True}]


def boundaries(words: Words, names: Labels) -> Map:
    """What each classifier says of every place, with its held-out accuracy and dead units above it."""
    say = words.figures["boundaries"].labels
    tiles = [
        f"[failed.{one}] {names[one]}\n{say['failed']} || "
        f"{names[one]}\n{{now:held.{one}|%}} · {say['dead']} {{now:dead.{one}|%}} || {names[one]}"
        for one in FUNCTIONS
    ]
    at = ((np.arange(points.SIDE) + 0.5) / points.SIDE * 2 - 1) * points.REACH
    return Map(
        "boundaries",
        colours="diverging",
        tiles=tiles,
        rows=[f"{-value:.2f}" for value in at],
        columns=[f"{value:.2f}" for value in at],
        row_title=say["y"],
        column_title=say["x"],
        smooth=True,
        span=(-1.0, 1.0),
        size="hero",
        height=450,
    )


def curve(name: str) -> tuple[Floats, Floats, Floats]:
    """x on the grid that the slider has, f(x) and f'(x)."""
    x = np.round(np.arange(-REACH, REACH + GRAIN / 2, GRAIN), 6)
    return x, VALUE[name](x), SLOPE[name](x)


def corners(values: Mapping[str, float]) -> dict[str, str]:
    """Where the numbers of points above each other stand, so that neighbours do not write over each other."""
    ranked = sorted(values, key=lambda one: -values[one])
    return {one: CORNERS[rank % len(CORNERS)] for rank, one in enumerate(ranked)}


def shape(params: Params, words: Words, names: Labels) -> Plot:
    """f above and its derivative below, over the same x, with handles at the x that is looked at."""
    say = words.figures["shape"].labels
    at = float(params.x)
    traces: list[dict[str, Any]] = []
    handles: list[dict[str, Any]] = []
    numbered = len(params.functions) <= len(CORNERS)
    index = round((at + REACH) / GRAIN)
    places = [corners({one: curve(one)[part][index] for one in params.functions}) for part in (1, 2)]
    for one in params.functions:
        x, value, slope = curve(one)
        upper, lower = names[one], f"{names[one]} ′"
        common = {"type": "scatter", "legendgroup": one}
        line = {"width": 2.5, "color": COLOUR[one], "shape": "vh" if one == "step" else "linear"}
        # a derivative with a jump is drawn with its jump
        jump = {"shape": "vh"} if one in ("relu", "leaky") else {}
        traces += [
            {**common, "mode": "lines", "name": upper, "x": digits(x), "y": digits(value), "line": line},
            {
                **common,
                "mode": "lines",
                "name": lower,
                "x": digits(x),
                "y": digits(slope),
                "line": {**line, **jump},
                "yaxis": "y2",
                "showlegend": False,
            },
        ]
        handles.append(
            {
                **common,
                "mode": "lines",
                "name": f"{upper} /",
                "x": [at - TANGENT, at, at + TANGENT],
                "y": digits(value[index] + slope[index] * np.array([-TANGENT, 0.0, TANGENT])),
                "hold": {"curve": upper, "slope": lower},
                "line": {"width": 1.5, "color": COLOUR[one], "dash": "dot"},
                "showlegend": False,
                "hoverinfo": "skip",
            }
        )
        shown = ((upper, value, "y", "value", places[0]), (lower, slope, "y2", "slope", places[1]))
        for name, y, axis, key, place in shown:
            handles.append(
                {
                    **common,
                    "mode": "markers+text" if numbered else "markers",
                    "name": f"{name} •",
                    "x": [float(x[index])],
                    "y": digits(y[[index]]),
                    "yaxis": axis,
                    "hold": {"curve": name, **({"say": key} if one == params.functions[0] else {})},
                    "marker": {"size": 10, "color": COLOUR[one], "line": {"width": 1.5, "color": "#ffffff"}},
                    "texttemplate": "%{y:.3~f}",
                    "textposition": place[one],
                    "textfont": {"color": COLOUR[one]},
                    "cliponaxis": False,
                    "showlegend": False,
                    "hovertemplate": f"{names[one]}: (%{{x:.2f}}, %{{y:.4f}})<extra></extra>",
                }
            )
    first = names[params.functions[0]]
    for number, axis in ((1, "y"), (2, "y2")):
        handles.insert(
            0,
            {
                "type": "scatter",
                "mode": "lines",
                "name": f"x{number}",
                "x": [at, at],
                "y": [-9.0, 9.0],
                "yaxis": axis,
                "hold": {"curve": first, "upright": True},
                "line": {"width": 1, "color": "#8a8f98", "dash": "dash"},
                "showlegend": False,
                "hoverinfo": "skip",
            },
        )
    layout = {
        "xaxis": {"title": {"text": say["x"]}, "range": [-REACH, REACH], "anchor": "y2", "zeroline": True},
        "yaxis": {"title": {"text": say["value"]}, "range": [-2.2, 4.2], "domain": [0.44, 1], "zeroline": True},
        "yaxis2": {"title": {"text": say["slope"]}, "range": [-0.3, 1.35], "domain": [0, 0.38], "zeroline": True},
        "hovermode": False,
    }
    return Plot("shape", [*traces, *handles], layout, "half", 450, picks=Choose({"x": "x"}))


def deep(params: Params, words: Words, names: Labels) -> Plot:
    """The variance of signal and gradient layer by layer: measured as points, calculated as lines."""
    say = words.figures["deep"].labels
    layers = list(range(1, params.layers + 1))
    traces: list[dict[str, Any]] = []
    for one in params.functions:
        signal, gradient = variances(one, params.init, params.layers)
        for key, found, axis in (("signal", signal, "y"), ("gradient", gradient, "y2")):
            traces += [
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": names[one] if axis == "y" else f"{names[one]} ∂",
                    "legendgroup": one,
                    "showlegend": axis == "y",
                    "x": layers,
                    "y": positive(np.array(found)),
                    "yaxis": axis,
                    "line": {"width": 1.5, "color": COLOUR[one]},
                    "hovertemplate": f"{names[one]}, {say['theory']}: %{{y:.4g}}<extra></extra>",
                },
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": f"{key}.{one}",
                    "legendgroup": one,
                    "showlegend": False,
                    "x": [],
                    "y": [],
                    "yaxis": axis,
                    "marker": {"size": 5, "color": COLOUR[one]},
                    "hovertemplate": f"{names[one]}, {say['measured']}: %{{y:.4g}}<extra></extra>",
                },
            ]
    log = {"type": "log", "exponentformat": "power", "nticks": 6}
    layout = {
        "xaxis": {"title": {"text": say["x"]}, "range": [0.5, params.layers + 0.5], "anchor": "y2", "zeroline": False},
        "yaxis": {"title": {"text": say["signal"]}, "domain": [0.53, 1], **log},
        "yaxis2": {"title": {"text": say["gradient"]}, "domain": [0, 0.47], **log},
    }
    return Plot("deep", traces, layout, "half", 420)


def lines(figure: str, scalar: str, params: Params, words: Words, names: Labels) -> Plot:
    """One scalar of the nine by step; the functions that are not looked at are faint."""
    say = words.figures[figure].labels
    share = figure != "loss"
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": names[one],
            "bind": {"x": "step", "y": f"{scalar}.{one}"},
            "line": {"width": 2, "color": COLOUR[one]},
            "opacity": 1.0 if one in params.functions else FAINT,
            "legendrank": FUNCTIONS.index(one),
            "showlegend": not share,
            "hovertemplate": "%{y:.1%}" if share else "%{y:.4f}",
        }
        # those looked at are drawn last, so on top
        for one in sorted(FUNCTIONS, key=lambda one: one in params.functions)
    ]
    y: Values = {"range": [-0.02, 1.02], "tickformat": ".0%"} if share else {"rangemode": "tozero"}
    layout = {
        "xaxis": {"title": {"text": say["x"]}, "range": [0, params.steps]},
        "yaxis": {"title": {"text": say["y"]}, **y},
        "hovermode": "x unified",
        "legend": {"orientation": "v", "x": 1.02, "xanchor": "left", "y": 1, "yanchor": "top"},
    }
    return Plot(figure, traces, layout, "half", 420 if figure == "loss" else 300, switch=not share)


def seeds(params: Params, words: Words, names: Labels) -> Plot:
    """The loss of the functions that are looked at over all seeds, a band for each."""
    say = words.figures["seeds"].labels
    shown = [one for one in FUNCTIONS if one in params.functions]
    traces = [band(names[one], f"seed.{one}.", COLOUR[one], params.seed) for one in shown]
    layout = {
        "xaxis": {"title": {"text": say["x"]}, "range": [0, params.steps]},
        "yaxis": {"title": {"text": say["y"]}, "rangemode": "tozero"},
    }
    return Plot("seeds", traces, layout, "half", 420, switch=True)


def values(params: Params, words: Words, names: Labels) -> Plot:
    """f(x) and f'(x) of every function at the x that is looked at."""
    say = words.figures["values"].labels
    at = np.array([params.x])
    shown = [names[one] for one in SHAPES]
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": say[key],
            "y": shown,
            "x": digits(np.concatenate([found[one](at) for one in SHAPES])),
            "marker": {"color": [COLOUR[one] for one in SHAPES], "opacity": opacity},
            "texttemplate": "%{x:.4~f}",
            "textposition": "outside",
            "cliponaxis": False,
            "hovertemplate": "%{y}: %{x:.6~f}<extra></extra>",
            "xaxis": axis,
            "yaxis": "y",
            "showlegend": False,
        }
        for key, found, opacity, axis in (("value", VALUE, 1.0, "x"), ("slope", SLOPE, 0.55, "x2"))
    ]
    largest = max(1.0, abs(params.x))
    low = -1.7 if params.x >= 0 else -1.8 * largest
    named = say["x"].replace("{x}", f"{params.x:g}")
    layout = {
        "xaxis": {"title": {"text": say["value"]}, "domain": [0, 0.52], "range": [low, 1.4 * largest]},
        "xaxis2": {"title": {"text": say["slope"]}, "domain": [0.6, 1], "range": [-0.6, 1.7]},
        "yaxis": {"title": {"text": named}, "type": "category", "autorange": "reversed"},
    }
    return Plot("values", traces, layout, "half", 300)


def update(params: Params, tick: Tick) -> list[Patch]:
    """The nine maps and their points."""
    if not tick.arrays:
        return []
    return [Patch("boundaries", {"tiles": tick.arrays["maps"], "dots": tick.arrays["dots"]})]


def answer(params: Params, name: str, args: Mapping[str, Any], arrays: Arrays) -> list[Patch]:
    """The measured variances; what is zero has no place on a logarithmic axis."""
    if name != "depth":
        raise Problem(f"There is no question named {name!r:.40} here.", f"这里没有名为 {name!r:.40} 的提问。")
    functions = list(args.get("functions", Params().functions))
    found = []
    layers = np.arange(1, arrays["signal"].shape[1] + 1)
    for key in ("signal", "gradient"):
        for one, measured in zip(functions, arrays[key], strict=True):
            found.append(Patch("deep", {"x": layers, "y": positive(measured)}, f"{key}.{one}"))
    first = arrays["gradient"][:, 0]
    alive = int(((first > 1 / BAND) & (first < BAND)).sum())
    found[0] = Patch(
        "deep", {**found[0].data, "say": {"n": len(functions), "alive": alive, "layers": len(layers)}}, found[0].trace
    )
    return found


def positive(found: Floats) -> list[float | None]:
    """For a logarithmic axis: a gap where there is nothing or too much."""
    return [float(f"{one:.6g}") if np.isfinite(one) and one > 0 else None for one in found.tolist()]


def digits(found: Floats) -> list[float]:
    """Ten significant digits: short as JSON, and more than a screen shows."""
    return [float(f"{one:.10g}") for one in found.tolist()]
