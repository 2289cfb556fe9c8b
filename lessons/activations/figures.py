"""The board of the activations lesson."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.models.shapes import SLOPE, VALUE, Floats
from engine.types import Arrays, Tick, Values
from lessons.activations import points
from lessons.activations.depth import variances
from lessons.activations.params import FUNCTIONS, GRAIN, REACH, SHAPES, Params
from lessons.board import marks
from lessons.board.colors import CATEGORIES
from lessons.board.figures import Choose, Figure, Map, Patch, Plot
from lessons.board.handles import OnCurve
from lessons.board.marks import Trace, positive, rounded
from lessons.contract import Query, unknown_query
from lessons.text import Words

COLOR = dict(zip(SHAPES, CATEGORIES, strict=True))
FAINT = 0.4  # of a line whose function is not among those looked at
JUMPS = ("step", "relu", "leaky")  # whose derivative has a jump, or none that can be drawn
TANGENT = 1.2  # how far a tangent reaches to either side
CORNERS = ("top right", "top left", "bottom right", "bottom left")  # where up to four values stand, highest first
ALIVE = 1e3  # a gradient counts as alive at the first layer if it lost or gained no more than this factor
DIGITS = 10

Names = Mapping[str, str]  # function -> its name in the page's language


def draw(params: Params, words: Words) -> dict[str, Figure]:
    """The figures in order of importance."""
    names = words.controls["functions"].options
    figures: list[Figure] = [
        boundaries(words, names),
        shape(params, words, names),
        deep(params, words, names),
        by_step("loss", params, words, names),
        *([seeds(params, words, names)] if params.seeds > 1 else []),
        by_step("held", params, words, names),
        by_step("dead", params, words, names),
        by_step("asleep", params, words, names),
        values(params, words, names),
    ]
    return {figure.id: figure for figure in figures}


def asks(params: Params) -> list[Query]:
    """The deep network is no part of the run: it is asked for once, and again when one of its settings changes."""
    settings = {name: getattr(params, name) for name in ("init", "layers", "seed")}
    return [{"name": "depth", "args": {**settings, "functions": list(params.functions)}, "once": True}]


def boundaries(words: Words, names: Names) -> Map:
    """What each classifier says of every place, with its held-out accuracy and dead units above it."""
    labels = words.figures["boundaries"].labels
    tiles = [
        f"[failed.{function}] {names[function]}\n{labels['failed']} || "
        f"{names[function]}\n{{now:held.{function}|%}} · {labels['dead']} {{now:dead.{function}|%}} || "
        f"{names[function]}"
        for function in FUNCTIONS
    ]
    at = ((np.arange(points.SIDE) + 0.5) / points.SIDE * 2 - 1) * points.REACH
    return Map(
        "boundaries",
        colours="diverging",
        tiles=tiles,
        rows=[f"{-value:.2f}" for value in at],
        columns=[f"{value:.2f}" for value in at],
        row_title=labels["y"],
        column_title=labels["x"],
        smooth=True,
        span=(-1.0, 1.0),
        size="hero",
        height=450,
    )


def curve(function: str) -> tuple[Floats, Floats, Floats]:
    """x on the grid that the slider has, f(x) and f'(x)."""
    x = np.round(np.arange(-REACH, REACH + GRAIN / 2, GRAIN), 6)
    return x, VALUE[function](x), SLOPE[function](x)


def corners(values: Mapping[str, float]) -> dict[str, str]:
    """Where the numbers of points above each other stand, so that neighbours do not write over each other."""
    ranked = sorted(values, key=lambda function: -values[function])
    return {function: CORNERS[rank % len(CORNERS)] for rank, function in enumerate(ranked)}


def shape(params: Params, words: Words, names: Names) -> Plot:
    """f above and its derivative below, over the same x, with handles at the x that is looked at."""
    labels = words.figures["shape"].labels
    at, shown, first = float(params.x), params.functions, names[params.functions[0]]
    index = round((at + REACH) / GRAIN)
    lines: list[Trace] = []
    handles = [marks.upright(name, at, (-9.0, 9.0), first, yaxis=yaxis) for name, yaxis in (("x2", "y2"), ("x1", "y"))]
    sides = [corners({function: curve(function)[part][index] for function in shown}) for part in (1, 2)]
    for function in shown:
        x, value, slope = curve(function)
        upper, lower, color = names[function], f"{names[function]} ′", COLOR[function]
        xs, heights, steepness = (rounded(values, DIGITS) for values in (x, value, slope))
        # a step and a derivative with a jump are drawn with their jump
        drawn, drawn_below = ("vh" if jumps else "linear" for jumps in (function == "step", function in JUMPS))
        hidden = {"legendgroup": function, "showlegend": False}
        lines += [
            marks.line(upper, color, x=xs, y=heights, width=2.5, shape=drawn, legendgroup=function),
            marks.line(lower, color, x=xs, y=steepness, width=2.5, shape=drawn_below, yaxis="y2") | hidden,
        ]
        tangent = rounded(value[index] + slope[index] * np.array([-TANGENT, 0.0, TANGENT]), DIGITS)
        reach, hold = [at - TANGENT, at, at + TANGENT], OnCurve(upper, slope=lower)
        touching = marks.line(f"{upper} /", color, x=reach, y=tangent, width=1.5, dash="dot", hold=hold)
        handles.append(touching | hidden | {"hoverinfo": "skip"})
        both = ((upper, heights, "y", "value", sides[0]), (lower, steepness, "y2", "slope", sides[1]))
        for name, y, yaxis, part, side in both:
            handle = marks.dots(
                f"{name} •",
                marks.dot(color, 10, edge=1.5),
                x=[xs[index]],
                y=[y[index]],
                yaxis=yaxis,
                hold=OnCurve(name, say=part if function == shown[0] else ""),
                texts=len(shown) <= len(CORNERS),
                texttemplate="%{y:.3~f}",
                textposition=side[function],
                textfont={"color": color},
                cliponaxis=False,
                hover=f"{names[function]}: (%{{x:.2f}}, %{{y:.4f}})<extra></extra>",
            )
            handles.append(handle | hidden)
    across = marks.axis(labels["x"], range=[-REACH, REACH], anchor="y2", zeroline=True)
    above = marks.axis(labels["value"], range=[-2.2, 4.2], domain=[0.44, 1], zeroline=True)
    below = marks.axis(labels["slope"], range=[-0.3, 1.35], domain=[0, 0.38], zeroline=True)
    picks = Choose({"x": "x"})
    return marks.plot(
        "shape", [*lines, *handles], across, above, yaxis2=below, hovermode=False, height=450, picks=picks
    )


def deep(params: Params, words: Words, names: Names) -> Plot:
    """The variance of signal and gradient layer by layer: measured as points, calculated as lines."""
    labels = words.figures["deep"].labels
    layers = list(range(1, params.layers + 1))
    traces: list[Trace] = []
    for function in params.functions:
        name, color, dot = names[function], COLOR[function], marks.dot(COLOR[function], 5)
        theory, measured = (f"{name}, {labels[how]}: %{{y:.4g}}<extra></extra>" for how in ("theory", "measured"))
        signal, gradient = (
            positive(np.array(variance), 6) for variance in variances(function, params.init, params.layers)
        )
        for key, y, yaxis in (("signal", signal, "y"), ("gradient", gradient, "y2")):
            own = {"legendgroup": function, "yaxis": yaxis, "showlegend": yaxis == "y"}
            curve_name = name if yaxis == "y" else f"{name} ∂"
            points = marks.dots(f"{key}.{function}", dot, x=[], y=[], hover=measured) | own | {"showlegend": False}
            traces += [marks.line(curve_name, color, x=layers, y=y, width=1.5, hover=theory) | own, points]
    across = marks.axis(labels["x"], range=[0.5, params.layers + 0.5], anchor="y2", zeroline=False)
    above = marks.axis(labels["signal"], log=True, powers=True, nticks=6, domain=[0.53, 1])
    below = marks.axis(labels["gradient"], log=True, powers=True, nticks=6, domain=[0, 0.47])
    return marks.plot("deep", traces, across, above, yaxis2=below, height=420)


def by_step(figure: str, params: Params, words: Words, names: Names) -> Plot:
    """One scalar of the nine by step; the functions that are not looked at are faint."""
    labels = words.figures[figure].labels
    share = figure != "loss"
    traces = [
        marks.line(
            names[function],
            COLOR[function],
            y=f"{figure}.{function}",
            opacity=1.0 if function in params.functions else FAINT,
            legendrank=FUNCTIONS.index(function),
            showlegend=not share,
            hover="%{y:.1%}" if share else "%{y:.4f}",
        )
        # those looked at are drawn last, so on top
        for function in sorted(FUNCTIONS, key=lambda function: function in params.functions)
    ]
    across = marks.axis(labels["x"], range=[0, params.steps])
    up = marks.share_axis(labels["y"]) if share else marks.axis(labels["y"], from_zero=True)
    legend = {"orientation": "v", "x": 1.02, "xanchor": "left", "y": 1, "yanchor": "top"}
    height = 300 if share else 420
    return marks.plot(figure, traces, across, up, hovermode="x unified", legend=legend, height=height, switch=not share)


def seeds(params: Params, words: Words, names: Names) -> Plot:
    """The loss of the functions that are looked at over all seeds, a band for each."""
    labels = words.figures["seeds"].labels
    shown = [function for function in FUNCTIONS if function in params.functions]
    traces = [marks.band(names[name], f"seed.{name}.", COLOR[name], params.seed) for name in shown]
    across, up = marks.axis(labels["x"], range=[0, params.steps]), marks.axis(labels["y"], from_zero=True)
    return marks.plot("seeds", traces, across, up, height=420, switch=True)


def values(params: Params, words: Words, names: Names) -> Plot:
    """f(x) and f'(x) of every function at the x that is looked at."""
    labels = words.figures["values"].labels
    at = np.array([params.x])
    traces = [
        marks.bars(
            labels[key],
            [COLOR[function] for function in SHAPES],
            x=rounded(np.concatenate([function_of[name](at) for name in SHAPES]), DIGITS),
            y=[names[function] for function in SHAPES],
            marker={"opacity": opacity},
            orientation="h",
            label="%{x:.4~f}",
            hover="%{y}: %{x:.6~f}<extra></extra>",
            xaxis=xaxis,
            yaxis="y",
            showlegend=False,
        )
        for key, function_of, opacity, xaxis in (("value", VALUE, 1.0, "x"), ("slope", SLOPE, 0.55, "x2"))
    ]
    largest = max(1.0, abs(params.x))
    low = -1.7 if params.x >= 0 else -1.8 * largest
    across = marks.axis(labels["value"], domain=[0, 0.52], range=[low, 1.4 * largest])
    second = marks.axis(labels["slope"], domain=[0.6, 1], range=[-0.6, 1.7])
    down = marks.axis(labels["x"].replace("{x}", f"{params.x:g}"), type="category", autorange="reversed")
    return marks.plot("values", traces, across, down, xaxis2=second)


def update(params: Params, tick: Tick) -> list[Patch]:
    """The nine maps and their points."""
    if not tick.arrays:
        return []
    return [Patch("boundaries", {"tiles": tick.arrays["maps"], "dots": tick.arrays["dots"]})]


def answer(params: Params, name: str, args: Values, arrays: Arrays) -> list[Patch]:
    """The measured variances; what is zero has no place on a logarithmic axis."""
    if name != "depth":
        raise unknown_query(name)
    functions = list(args.get("functions", Params().functions))
    layers = np.arange(1, arrays["signal"].shape[1] + 1)
    patches = [
        Patch("deep", {"x": layers, "y": positive(measured, 6)}, f"{key}.{function}")
        for key in ("signal", "gradient")
        for function, measured in zip(functions, arrays[key], strict=True)
    ]
    first = arrays["gradient"][:, 0]
    alive = int(((first > 1 / ALIVE) & (first < ALIVE)).sum())
    patches[0] = patches[0].say(n=len(functions), alive=alive, layers=len(layers))
    return patches
