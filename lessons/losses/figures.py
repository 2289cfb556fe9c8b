"""The board of the losses lesson: of each topic its own figures. Nearly all of them are bound to scalars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.types import Arrays, Problem, Tick, Values
from lessons.board.figures import CATEGORIES, NEGATIVE, POSITIVE, Choose, Figure, Patch, Plot, Table
from lessons.losses.curves import in_float32, of_logit, of_residual
from lessons.losses.params import CLASSES, FIELD, HIGH, LARGEST, LOSSES, REACH, STEEP, Params
from lessons.losses.points import HEIGHT, SLOPE, Floats, near_line, two_classes
from lessons.text import Words

COLOUR = {  # blue and orange are the two classes'
    "mse": CATEGORIES[2],
    "mae": CATEGORIES[3],
    "huber": CATEGORIES[5],
    "ce": CATEGORIES[4],
    "hinge": CATEGORIES[6],
    "score": CATEGORIES[7],
    "safe": CATEGORIES[4],
    "naive": CATEGORIES[6],
}
WIDTH = {"mse": 3.0, "mae": 5.0, "huber": 2.0}  # where lines lie on each other, both are to be seen
SIDE = {"mse": "top left", "mae": "top center", "huber": "bottom center"}
GREY = "#8a8f98"
RED = "#d1495b"
CORNERS = ("top right", "top left", "bottom right", "bottom left")  # where values stand, highest first
TALL = 450

Labels = Mapping[str, str]


def draw(params: Params, words: Words) -> dict[str, Figure]:
    """The figures of the topic in order of importance."""
    figures: list[Figure]
    if params.topic == "line":
        figures = [
            line(params, words),
            residual(params, words),
            by_step("error", "off", params, words),
            by_step("pull", "pull", params, words, share=True),
        ]
    elif params.topic == "classes":
        figures = [
            borders(params, words),
            logit(params, words),
            by_step("push", "push", params, words, log=True),
            by_step("accuracy", "right", params, words, share=True),
        ]
    elif params.topic == "softmax":
        figures = [
            bars(params, words),
            by_step("race", "right", params, words, share=True, height=193),
            by_step("length", "size", params, words, log=True, height=193),
        ]
    else:
        figures = [cliff(params, words), steps(params, words), falls(params, words)]
    return {figure.id: figure for figure in figures}


def update(params: Params, tick: Tick) -> list[Patch]:
    """Nothing: frames are empty, the scalars say everything."""
    return []


def answer(params: Params, name: str, args: Mapping[str, Any], arrays: Arrays) -> list[Patch]:
    """This lesson has no questions. Raises Problem."""
    raise Problem(f"There is no question named {name!r:.40} here.", f"这里没有名为 {name!r:.40} 的提问。")


def free(setting: str, end: float, by: float = 0.1) -> Values:
    """How far a point can be carried along an axis, and which setting that is."""
    return {"sets": setting, "from": -end, "to": end, "by": by}


# a line through points


def line(params: Params, words: Words) -> Plot:
    """The points, one of which can be carried anywhere, and the line of each loss."""
    say = words.figures["line"].labels
    x, y = near_line(params.noise, params.seed)
    ends = [-2 * REACH, 2 * REACH]
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": say["truth"],
            "x": ends,
            "y": [SLOPE * end + HEIGHT for end in ends],
            "line": {"width": 1.5, "color": GREY, "dash": "dash"},
            "hoverinfo": "skip",
        },
        *(
            {
                "type": "scatter",
                "mode": "lines",
                "name": say[one],
                "x": ends,
                "bind": {"y": [f"left.{one}", f"right.{one}"]},
                "line": {"width": WIDTH[one], "color": COLOUR[one]},
                "hovertemplate": say[one] + "<extra></extra>",
            }
            for one in LOSSES["line"]
        ),
        {
            "type": "scatter",
            "mode": "markers",
            "name": say["points"],
            "x": x.tolist(),
            "y": y.tolist(),
            "marker": {"size": 8, "color": GREY, "line": {"width": 1, "color": "#ffffff"}},
            "hovertemplate": "(%{x}, %{y})<extra></extra>",
            "showlegend": False,
        },
        handle(say["drag"], params.outlier_x, params.outlier_y, GREY)
        | {"hold": {"free": {"x": free("outlier_x", REACH), "y": free("outlier_y", HIGH)}}},
    ]
    layout = {
        "xaxis": {"title": {"text": say["x"]}, "range": [-1.1 * REACH, 1.1 * REACH]},
        "yaxis": {"title": {"text": say["y"]}, "range": [-1.1 * HIGH, 1.1 * HIGH]},
    }
    return Plot("line", traces, layout, "hero", TALL)


def handle(text: str, x: float, y: float, colour: str) -> dict[str, Any]:
    """A point to be carried, with a word beside it."""
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": text,
        "x": [x],
        "y": [y],
        "text": [text],
        "textposition": "middle left" if x > 2.4 else "middle right",
        "marker": {"size": 15, "color": colour, "line": {"width": 3, "color": RED}},
        "textfont": {"color": RED},
        "hovertemplate": "(%{x}, %{y})<extra></extra>",
        "showlegend": False,
    }


def residual(params: Params, words: Words) -> Plot:
    """Loss above and derivative below over prediction minus y; the carried point stands on each curve."""
    say = words.figures["residual"].labels
    far = max(4.0, abs(params.outlier_y - SLOPE * params.outlier_x - HEIGHT), abs(params.outlier_y)) * 1.15
    e = np.linspace(-far, far, 201)
    curves = {one: of_residual(one, e, params.delta) for one in LOSSES["line"]}
    traces = panels(e, curves, say)
    for one in LOSSES["line"]:
        for key, axis in (("cost", "y"), ("slope", "y2")):
            traces.append(
                {
                    **value(one, f"{say[one]} {key}", axis),
                    "bind": {"x": [f"residual.{one}"], "y": [f"{key}.{one}"]},
                    "textposition": SIDE[one],
                    "hovertemplate": f"{say[one]}: (%{{x:.3f}}, %{{y:.4g}})<extra></extra>",
                }
            )
    high = float(curves["mse"][0].max())
    steepest = 2.1 * far
    return Plot("residual", traces, stacked(say, far, (-0.05 * high, high), (-steepest, steepest)), "half", TALL)


def panels(x: Floats, curves: Mapping[str, tuple[Floats, Floats]], say: Labels) -> list[dict[str, Any]]:
    """A loss above and its derivative below, over the same x."""
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "legendgroup": one,
            "showlegend": axis == "y",
            "x": digits(x),
            "y": digits(y),
            "yaxis": axis,
            "line": {"width": WIDTH.get(one, 2.5), "color": COLOUR[one]},
            "hoverinfo": "skip",
        }
        for one, pair in curves.items()
        for name, axis, y in ((say[one], "y", pair[0]), (f"{say[one]} ′", "y2", pair[1]))
    ]


def value(one: str, name: str, axis: str) -> dict[str, Any]:
    """A point on a curve with its height written beside it."""
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": name,
        "legendgroup": one,
        "showlegend": False,
        "yaxis": axis,
        "marker": {"size": 10, "color": COLOUR[one], "line": {"width": 1.5, "color": "#ffffff"}},
        "texttemplate": "%{y:.3~g}",
        "textfont": {"color": COLOUR[one]},
    }


def stacked(say: Labels, far: float, above: tuple[float, float], below: tuple[float, float]) -> dict[str, Any]:
    """The layout of `panels`."""
    return {
        "xaxis": {"title": {"text": say["x"]}, "range": [-far, far], "anchor": "y2", "zeroline": True},
        "yaxis": {"title": {"text": say["value"]}, "range": list(above), "domain": [0.5, 1], "zeroline": True},
        "yaxis2": {"title": {"text": say["slope"]}, "range": list(below), "domain": [0, 0.44], "zeroline": True},
        "hovermode": False,
    }


# two classes


def borders(params: Params, words: Words) -> Plot:
    """The points of both classes, one of which can be carried, and each loss's border with an arrow to its class 1."""
    say = words.figures["borders"].labels
    x, kind = two_classes(params.noise, params.seed)
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": say[f"class{which}"],
            "x": x[kind == which, 0].tolist(),
            "y": x[kind == which, 1].tolist(),
            "marker": {"size": 9, "color": colour, "symbol": symbol, "line": {"width": 1, "color": "#ffffff"}},
            "hovertemplate": "(%{x}, %{y})",
        }
        for which, colour, symbol in ((0, NEGATIVE, "square"), (1, POSITIVE, "circle"))
    ]
    for one in LOSSES["classes"]:
        common = {"type": "scatter", "legendgroup": one, "hovertemplate": say[one] + "<extra></extra>"}
        traces += [
            {
                **common,
                "mode": "lines",
                "name": say[one],
                "bind": {"x": [f"x0.{one}", f"x1.{one}"], "y": [f"y0.{one}", f"y1.{one}"]},
                "line": {"width": 3, "color": COLOUR[one]},
            },
            {
                **common,
                "mode": "lines+markers",
                "name": f"{say[one]} →",
                "bind": {"x": [f"xa.{one}", f"xt.{one}"], "y": [f"ya.{one}", f"yt.{one}"]},
                "line": {"width": 3, "color": COLOUR[one]},
                "marker": {
                    "symbol": "arrow",
                    "angleref": "previous",
                    "size": [0, 17],
                    "opacity": 1,
                    "color": COLOUR[one],
                },
                "showlegend": False,
            },
        ]
    traces.append(
        handle(say["drag"], params.far_x, params.far_y, POSITIVE)
        | {"hold": {"free": {"x": free("far_x", FIELD), "y": free("far_y", FIELD)}}}
    )
    plane = {"range": [-1.1 * FIELD, 1.1 * FIELD], "constrain": "domain", "zeroline": False}
    layout = {
        "xaxis": {"title": {"text": say["x"]}, **plane},
        "yaxis": {"title": {"text": say["y"]}, "scaleanchor": "x", **plane},
    }
    return Plot("borders", traces, layout, "hero", TALL)


def logit(params: Params, words: Words) -> Plot:
    """Loss above and derivative below over the logit, with a handle."""
    say = words.figures["logit"].labels
    z = np.round(np.arange(-STEEP, STEEP + 0.05, 0.1), 6)
    curves = {one: of_logit(one, z, int(params.label)) for one in LOSSES["classes"]}
    index = round((params.logit + STEEP) / 0.1)
    traces = panels(z, curves, say)
    first = say[LOSSES["classes"][0]]
    for axis, ends in (("y", [-5.0, 90.0]), ("y2", [-30.0, 30.0])):
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": f"z {axis}",
                "x": [params.logit, params.logit],
                "y": ends,
                "yaxis": axis,
                "hold": {"curve": first, "upright": True},
                "line": {"width": 1, "color": GREY, "dash": "dash"},
                "showlegend": False,
                "hoverinfo": "skip",
            }
        )
    for part, (axis, mark) in enumerate((("y", ""), ("y2", " ′"))):
        heights = {one: float(pair[part][index]) for one, pair in curves.items()}
        ranked = sorted(heights, key=lambda one: -heights[one])
        for one in LOSSES["classes"]:
            name = f"{say[one]}{mark}"
            traces.append(
                {
                    **value(one, f"{name} •", axis),
                    "x": [float(z[index])],
                    "y": digits(np.array([heights[one]])),
                    "hold": {"curve": name, **({"say": one} if part else {})},
                    "textposition": CORNERS[ranked.index(one)],
                }
            )
    layout = stacked(say, STEEP, (-0.5, STEEP + 1.5), (-2.6, 2.6))
    return Plot("logit", traces, layout, "half", TALL, picks=Choose({"logit": "x"}))


# softmax


def bars(params: Params, words: Words) -> Plot:
    """Logits, probabilities and gradients of three classes under both losses; the start of a logit can be carried."""
    say = words.figures["bars"].labels
    traces: list[dict[str, Any]] = []
    for one in LOSSES["softmax"]:
        for key, axis in (("z", "y"), ("p", "y2"), ("g", "y3")):
            traces.append(
                {
                    "type": "bar",
                    "name": say[one] if key == "z" else f"{say[one]} {key}",
                    "legendgroup": one,
                    "offsetgroup": one,
                    "showlegend": key == "z",
                    "x": [0, 1, 2],
                    "bind": {"y": [f"{key}.{one}.{which}" for which in CLASSES]},
                    "yaxis": axis,
                    "marker": {"color": COLOUR[one]},
                    "texttemplate": "%{y:.3~f}",
                    "textposition": "outside",
                    "textangle": 0,
                    "cliponaxis": False,
                    "hovertemplate": "%{y:.6~g}",
                }
            )
    if not params.shift:
        for place, setting in enumerate(("z1", "z2", "z3")):
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": f"{say['start']} {setting}",
                    "x": [place - 0.44],  # left of its bars
                    "y": [getattr(params, setting)],
                    "hold": {"free": {"y": free(setting, 10.0)}},
                    "marker": {
                        "size": 13,
                        "symbol": "diamond",
                        "color": "#ffffff",
                        "line": {"width": 2.5, "color": RED},
                    },
                    "showlegend": False,
                    "hovertemplate": say["start"] + " %{y}<extra></extra>",
                }
            )
    steepest = 1.35 / min(1.0, params.temperature)
    names = [f"{which.upper()} ✓" if which == params.right else which.upper() for which in CLASSES]
    layout = {
        "xaxis": {
            "title": {"text": say["x"]},
            "tickvals": [0, 1, 2],
            "ticktext": names,
            "range": [-0.65, 2.55],
            "anchor": "y3",
            "tickfont": {"size": 13},
        },
        "yaxis": {
            "title": {"text": say["z"]},
            "range": [params.shift - 11.5, params.shift + 11.5],
            "domain": [0.66, 1],
        },
        "yaxis2": {"title": {"text": say["p"]}, "range": [0, 1.3], "domain": [0.36, 0.6], "tickvals": [0, 0.5, 1]},
        "yaxis3": {"title": {"text": say["g"]}, "range": [-steepest, steepest], "domain": [0, 0.3], "nticks": 5},
        "barmode": "group",
        "bargap": 0.35,
    }
    return Plot("bars", traces, layout, "hero", TALL)


# float32


def cliff(params: Params, words: Words) -> Plot:
    """The loss at the start over the scale of the logits, both ways in float32; the scale can be carried."""
    say = words.figures["cliff"].labels
    scale = np.arange(0.0, LARGEST + 0.5)
    start = np.array([params.z1, params.z2, params.z3])
    # as torch does it: the product of float32 numbers, not the float32 of a product
    z = np.float32(1) * scale.astype(np.float32)[:, None] * start.astype(np.float32) + np.float32(params.shift)
    written, safe = in_float32(z, CLASSES.index(params.right))
    index = round(params.scale)
    common = {"type": "scatter", "mode": "lines"}
    traces: list[dict[str, Any]] = [
        {
            **common,
            "name": say["safe"],
            "x": scale.tolist(),
            "y": digits(safe),
            "line": {"width": 2.5, "color": COLOUR["safe"]},
            "hovertemplate": "%{y:.4~g}",
        },
        {
            **common,
            "name": say["naive"],
            "x": scale.tolist(),
            "y": [one if np.isfinite(one) else None for one in written.tolist()],
            "line": {"width": 5, "color": COLOUR["naive"], "dash": "dot"},
            "hovertemplate": "%{y:.4~g}",
        },
    ]
    for key, lost, symbol in (("infinite", np.isposinf(written), "triangle-up"), ("nan", np.isnan(written), "x")):
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": say[key],
                "x": scale[lost].tolist(),
                "y": [0.02] * int(lost.sum()),
                "yaxis": "y2",
                "marker": {"size": 7, "symbol": symbol, "color": COLOUR["naive"]},
                "visible": True if lost.any() else "legendonly",
                "hovertemplate": say[key],
            }
        )
    upright = {
        **common,
        "name": "scale",
        "x": [params.scale, params.scale],
        "y": [-1e4, 1e4],
        "hold": {"curve": say["safe"], "upright": True},
        "line": {"width": 1, "color": GREY, "dash": "dash"},
        "showlegend": False,
        "hoverinfo": "skip",
    }
    point = {
        **value("safe", "scale •", "y"),
        "x": [float(scale[index])],
        "y": digits(safe[[index]]),
        "hold": {"curve": say["safe"], "say": "loss"},
        "textposition": "top left",
        "hoverinfo": "skip",
    }
    high = max(1.0, float(safe.max())) * 1.1
    layout = {
        "xaxis": {"title": {"text": say["x"]}, "range": [-2, LARGEST + 2], "zeroline": False},
        "yaxis": {"title": {"text": say["y"]}, "range": [-0.05 * high, high]},
        "yaxis2": {"visible": False, "overlaying": "y", "range": [0, 1], "fixedrange": True},
        "hovermode": False,
    }
    return Plot("cliff", [*traces, upright, point], layout, "hero", TALL, picks=Choose({"scale": "x"}))


def steps(params: Params, words: Words) -> Table:
    """Every intermediate number of both ways, one after the other."""
    say = words.figures["steps"].labels
    right = params.right.upper()
    names: list[str] = []
    bind: list[list[str | None]] = []

    def row(name: str, scalar: str, end: str = "") -> None:
        names.append(name)
        bind.append([f"{scalar}.{way}{end}" for way in ("naive", "safe")])

    for name, scalar in (("z", "in"), ("exp z", "e")):
        for one in CLASSES:
            row(f"{name} {one.upper()}", scalar, f".{one}")
    for name, scalar in (("Σ exp z", "sum"), (f"p {right}", "p"), (f"log p {right}", "log"), ("L = −log p", "cost")):
        row(name, scalar)
    for one in CLASSES:
        row(f"∂L/∂z {one.upper()}", "g", f".{one}")
    columns = [{"title": say["naive"]}, {"title": say["safe"]}]
    return Table("steps", columns, nan="NaN", rows=names, bind=bind, height=TALL)


def falls(params: Params, words: Words) -> Plot:
    """The loss of both by step; crosses where the one as written has no finite loss."""
    say = words.figures["falls"].labels
    plot = by_step("falls", "loss", params, words)
    lost = {
        "type": "scatter",
        "mode": "markers",
        "name": say["lost"],
        "bind": {"x": "step", "y": "failed.naive"},
        "yaxis": "y2",
        "marker": {"size": 6, "symbol": "x", "color": COLOUR["naive"]},
        "hovertemplate": say["lost"],
    }
    layout = plot.layout | {"yaxis2": {"visible": False, "overlaying": "y", "range": [0.97, 2]}}
    return Plot("falls", [*plot.traces, lost], layout, "full", 260, switch=True)


# by step


def by_step(
    figure: str,
    scalar: str,
    params: Params,
    words: Words,
    share: bool = False,
    log: bool = False,
    height: int = 280,
) -> Plot:
    """One scalar of every loss by step."""
    say = words.figures[figure].labels
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": say[one],
            "bind": {"x": "step", "y": f"{scalar}.{one}"},
            "line": {"width": 2.5, "color": COLOUR[one], "dash": "dot" if one == "naive" else "solid"},
            "hovertemplate": "%{y:.1%}" if share else "%{y:.4~g}",
        }
        for one in LOSSES[params.topic]
    ]
    y: Values = {"range": [-0.02, 1.02], "tickformat": ".0%"} if share else {"exponentformat": "power"}
    if log:
        y["type"] = "log"
    elif not share:
        y["rangemode"] = "tozero"
    layout = {
        "xaxis": {"title": {"text": say["x"]}, "range": [0, params.steps]},
        "yaxis": {"title": {"text": say["y"]}, **y},
        "hovermode": "x unified",
    }
    return Plot(figure, traces, layout, "half", height, switch=not share)


def digits(found: Floats) -> list[float]:
    """Ten significant digits: short as JSON, and more than a screen shows."""
    return [float(f"{one:.10g}") for one in found.tolist()]
