"""The board of the losses lesson: of each topic its own figures. Nearly all of them are bound to scalars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lessons.board import marks
from lessons.board.colors import CATEGORIES, GREY, NEGATIVE, POSITIVE, WHITE
from lessons.board.figures import Choose, Figure, Plot, Table, TableColumn
from lessons.board.handles import Carried, Drag, OnCurve
from lessons.board.marks import Axis, Layout, Trace, now, rounded
from lessons.losses.curves import in_float32, of_logit, of_residual
from lessons.losses.params import CLASSES, FIELD, HIGH, LARGEST, LOSSES, REACH, STEEP, Params
from lessons.losses.points import HEIGHT, SLOPE, Floats, near_line, two_classes
from lessons.text import Words

COLOR = {  # blue and orange are the two classes'
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
RED = "#d1495b"
CORNERS = ("top right", "top left", "bottom right", "bottom left")  # where values stand, highest first
TALL = 450
DIGITS = 10

Labels = Mapping[str, str]


def draw(params: Params, words: Words) -> dict[str, Figure]:
    """The figures of the topic in order of importance."""
    figures: list[Figure]
    if params.topic == "line":
        figures = [
            fitted_lines(params, words),
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
            distributions(params, words),
            by_step("race", "right", params, words, share=True, height=193),
            by_step("length", "size", params, words, log=True, height=193),
        ]
    else:
        figures = [cliff(params, words), intermediates(params, words), falls(params, words)]
    return {figure.id: figure for figure in figures}


# a line through points


def fitted_lines(params: Params, words: Words) -> Plot:
    """The points, one of which can be carried anywhere, and the line of each loss."""
    labels = words.figures["line"].labels
    x, y = near_line(params.noise, params.seed)
    ends = [-2 * REACH, 2 * REACH]
    truth = [SLOPE * end + HEIGHT for end in ends]
    place, only = "(%{x}, %{y})<extra></extra>", "<extra></extra>"
    traces = [marks.line(labels["truth"], GREY, x=ends, y=truth, width=1.5, dash="dash", hoverinfo="skip")]
    for loss in LOSSES["line"]:
        name, y_ends = labels[loss], now(f"left.{loss}", f"right.{loss}")
        traces.append(marks.line(name, COLOR[loss], x=ends, y=y_ends, width=WIDTH[loss], hover=name + only))
    grey = marks.dot(GREY, 8, edge=1)
    traces += [
        marks.dots(labels["points"], grey, x=x.tolist(), y=y.tolist(), hover=place, showlegend=False),
        handle(labels["drag"], params, "outlier_x", "outlier_y", GREY),
    ]
    across = marks.axis(labels["x"], range=[-1.1 * REACH, 1.1 * REACH])
    up = marks.axis(labels["y"], range=[-1.1 * HIGH, 1.1 * HIGH])
    return marks.plot("line", traces, across, up, size="hero", height=TALL)


def handle(text: str, params: Params, x: str, y: str, color: str) -> Trace:
    """A point to be carried, with a word beside it; where it is let go is settings `x` and `y`."""
    across = float(getattr(params, x))
    return marks.dots(
        text,
        marks.dot(color, 15, edge=3, edge_color=RED),
        x=[across],
        y=[getattr(params, y)],
        texts=True,
        text=[text],
        textposition="middle left" if across > 2.4 else "middle right",
        textfont={"color": RED},
        hover="(%{x}, %{y})<extra></extra>",
        showlegend=False,
        hold=Carried(Drag.along(params, x), Drag.along(params, y)),
    )


def residual(params: Params, words: Words) -> Plot:
    """Loss above and derivative below over prediction minus y; the carried point stands on each curve."""
    labels = words.figures["residual"].labels
    far = max(4.0, abs(params.outlier_y - SLOPE * params.outlier_x - HEIGHT), abs(params.outlier_y)) * 1.15
    e = np.linspace(-far, far, 201)
    curves = {loss: of_residual(loss, e, params.delta) for loss in LOSSES["line"]}
    traces = panels(e, curves, labels)
    for loss in LOSSES["line"]:
        for scalar, yaxis in (("cost", "y"), ("slope", "y2")):
            hover = f"{labels[loss]}: (%{{x:.3f}}, %{{y:.4g}})<extra></extra>"
            x, y = now(f"residual.{loss}"), now(f"{scalar}.{loss}")
            traces.append(value(loss, f"{labels[loss]} {scalar}", yaxis, SIDE[loss], x=x, y=y, hover=hover))
    high = float(curves["mse"][0].max())
    steepest = 2.1 * far
    across, up, layout = stacked(labels, far, (-0.05 * high, high), (-steepest, steepest))
    return marks.plot("residual", traces, across, up, height=TALL, **layout)


def panels(x: Floats, curves: Mapping[str, tuple[Floats, Floats]], labels: Labels) -> list[Trace]:
    """A loss above and its derivative below, over the same x."""
    return [
        marks.line(
            name,
            COLOR[loss],
            x=rounded(x, DIGITS),
            y=rounded(y, DIGITS),
            width=WIDTH.get(loss, 2.5),
            legendgroup=loss,
            showlegend=yaxis == "y",
            yaxis=yaxis,
            hoverinfo="skip",
        )
        for loss, (above, below) in curves.items()
        for name, yaxis, y in ((labels[loss], "y", above), (f"{labels[loss]} ′", "y2", below))
    ]


def value(loss: str, name: str, yaxis: str, side: str, **point: Any) -> Trace:
    """A point on a curve with its height written beside it."""
    return marks.dots(
        name,
        marks.dot(COLOR[loss], 10, edge=1.5),
        texts=True,
        texttemplate="%{y:.3~g}",
        textposition=side,
        textfont={"color": COLOR[loss]},
        legendgroup=loss,
        showlegend=False,
        yaxis=yaxis,
        **point,
    )


def stacked(
    labels: Labels, far: float, above: tuple[float, float], below: tuple[float, float]
) -> tuple[Axis, Axis, Layout]:
    """The axes of `panels`: x, the upper y, and the rest of the layout."""
    x = marks.axis(labels["x"], range=[-far, far], anchor="y2", zeroline=True)
    y = marks.axis(labels["value"], range=list(above), domain=[0.5, 1], zeroline=True)
    y2 = marks.axis(labels["slope"], range=list(below), domain=[0, 0.44], zeroline=True)
    return x, y, {"yaxis2": y2, "hovermode": False}


# two classes


def borders(params: Params, words: Words) -> Plot:
    """The points of both classes, one of which can be carried, and each loss's border with an arrow to its class 1."""
    labels = words.figures["borders"].labels
    points, classes = two_classes(params.noise, params.seed)
    traces = [
        marks.dots(
            labels[f"class{which}"],
            marks.dot(color, 9, symbol, edge=1),
            x=points[classes == which, 0].tolist(),
            y=points[classes == which, 1].tolist(),
            hover="(%{x}, %{y})",
        )
        for which, color, symbol in ((0, NEGATIVE, "square"), (1, POSITIVE, "circle"))
    ]
    for loss in LOSSES["classes"]:
        name, color, hover = labels[loss], COLOR[loss], labels[loss] + "<extra></extra>"
        x, y = now(f"x0.{loss}", f"x1.{loss}"), now(f"y0.{loss}", f"y1.{loss}")
        traces.append(marks.line(name, color, x=x, y=y, width=3, hover=hover, legendgroup=loss))
        x, y = now(f"xa.{loss}", f"xt.{loss}"), now(f"ya.{loss}", f"yt.{loss}")
        head = marks.arrow(f"{name} →", color, x=x, y=y, head=17, solid=True, hover=hover, legendgroup=loss)
        traces.append(head | {"showlegend": False})
    traces.append(handle(labels["drag"], params, "far_x", "far_y", POSITIVE))
    ends = [-1.1 * FIELD, 1.1 * FIELD]
    across = marks.axis(labels["x"], range=ends, constrain="domain", zeroline=False)
    up = marks.axis(labels["y"], range=ends, constrain="domain", zeroline=False, scaleanchor="x")
    return marks.plot("borders", traces, across, up, size="hero", height=TALL)


def logit(params: Params, words: Words) -> Plot:
    """Loss above and derivative below over the logit, with a handle."""
    labels = words.figures["logit"].labels
    z = np.round(np.arange(-STEEP, STEEP + 0.05, 0.1), 6)
    curves = {loss: of_logit(loss, z, int(params.label)) for loss in LOSSES["classes"]}
    index = round((params.logit + STEEP) / 0.1)
    traces = panels(z, curves, labels)
    first = labels[LOSSES["classes"][0]]
    for yaxis, ends in (("y", (-5.0, 90.0)), ("y2", (-30.0, 30.0))):
        traces.append(marks.upright(f"z {yaxis}", params.logit, ends, first, yaxis=yaxis))
    for part, (yaxis, prime) in enumerate((("y", ""), ("y2", " ′"))):
        heights = {loss: float(pair[part][index]) for loss, pair in curves.items()}
        ranked = sorted(heights, key=lambda loss: -heights[loss])
        for loss in LOSSES["classes"]:
            curve, side = f"{labels[loss]}{prime}", CORNERS[ranked.index(loss)]
            hold = OnCurve(curve, say=loss if part else "")
            at, height = [float(z[index])], rounded(np.array([heights[loss]]), DIGITS)
            traces.append(value(loss, f"{curve} •", yaxis, side, x=at, y=height, hold=hold))
    x, y, layout = stacked(labels, STEEP, (-0.5, STEEP + 1.5), (-2.6, 2.6))
    return marks.plot("logit", traces, x, y, height=TALL, picks=Choose({"logit": "x"}), **layout)


# softmax


def distributions(params: Params, words: Words) -> Plot:
    """Logits, probabilities and gradients of three classes under both losses; the start of a logit can be carried."""
    labels = words.figures["bars"].labels
    traces = [
        marks.bars(
            labels[loss] if scalar == "z" else f"{labels[loss]} {scalar}",
            COLOR[loss],
            x=[0, 1, 2],
            y=now(*(f"{scalar}.{loss}.{which}" for which in CLASSES)),
            label="%{y:.3~f}",
            hover="%{y:.6~g}",
            textangle=0,
            legendgroup=loss,
            offsetgroup=loss,
            showlegend=scalar == "z",
            yaxis=yaxis,
        )
        for loss in LOSSES["softmax"]
        for scalar, yaxis in (("z", "y"), ("p", "y2"), ("g", "y3"))
    ]
    if not params.shift:
        diamond = marks.dot(WHITE, 13, "diamond", edge=2.5, edge_color=RED)
        for place, setting in enumerate(("z1", "z2", "z3")):
            x, y, hold = [place - 0.44], [getattr(params, setting)], Carried(y=Drag.along(params, setting))
            name, hover = f"{labels['start']} {setting}", labels["start"] + " %{y}<extra></extra>"
            traces.append(marks.dots(name, diamond, x=x, y=y, hover=hover, hold=hold, showlegend=False))
    steepest = 1.35 / min(1.0, params.temperature)
    names = [f"{which.upper()} ✓" if which == params.right else which.upper() for which in CLASSES]
    across = marks.axis(labels["x"], tickvals=[0, 1, 2], ticktext=names, range=[-0.65, 2.55], anchor="y3")
    across["tickfont"] = {"size": 13}
    z = marks.axis(labels["z"], range=[params.shift - 11.5, params.shift + 11.5], domain=[0.66, 1])
    rest: Layout = {
        "yaxis2": marks.axis(labels["p"], range=[0, 1.3], domain=[0.36, 0.6], tickvals=[0, 0.5, 1]),
        "yaxis3": marks.axis(labels["g"], range=[-steepest, steepest], domain=[0, 0.3], nticks=5),
        "barmode": "group",
        "bargap": 0.35,
    }
    return marks.plot("bars", traces, across, z, size="hero", height=TALL, **rest)


# float32


def cliff(params: Params, words: Words) -> Plot:
    """The loss at the start over the scale of the logits, both ways in float32; the scale can be carried."""
    labels = words.figures["cliff"].labels
    scale = np.arange(0.0, LARGEST + 0.5)
    start = np.array([params.z1, params.z2, params.z3])
    # as torch does it: the product of float32 numbers, not the float32 of a product
    z = np.float32(1) * scale.astype(np.float32)[:, None] * start.astype(np.float32) + np.float32(params.shift)
    naive, safe = in_float32(z, CLASSES.index(params.right))
    finite = [height if np.isfinite(height) else None for height in naive.tolist()]
    index = round(params.scale)
    x, heights, hover = scale.tolist(), rounded(safe, DIGITS), "%{y:.4~g}"
    traces = [
        marks.line(labels["safe"], COLOR["safe"], x=x, y=heights, width=2.5, hover=hover),
        marks.line(labels["naive"], COLOR["naive"], x=x, y=finite, width=5, dash="dot", hover=hover),
    ]
    for key, lost, symbol in (("infinite", np.isposinf(naive), "triangle-up"), ("nan", np.isnan(naive), "x")):
        cross, places, low = marks.dot(COLOR["naive"], 7, symbol), scale[lost].tolist(), [0.02] * int(lost.sum())
        crosses = marks.dots(labels[key], cross, x=places, y=low, hover=labels[key], yaxis="y2")
        traces.append(crosses | {"visible": True if lost.any() else "legendonly"})
    traces.append(marks.upright("scale", params.scale, (-1e4, 1e4), labels["safe"]))
    place, hold = {"x": [float(scale[index])], "y": [heights[index]]}, OnCurve(labels["safe"], say="loss")
    traces.append(value("safe", "scale •", "y", "top left", **place, hold=hold, hoverinfo="skip"))
    high = max(1.0, float(safe.max())) * 1.1
    across = marks.axis(labels["x"], range=[-2, LARGEST + 2], zeroline=False)
    up = marks.axis(labels["y"], range=[-0.05 * high, high])
    rest: Layout = {"yaxis2": marks.HIDDEN | {"overlaying": "y", "range": [0, 1], "fixedrange": True}}
    rest["hovermode"] = False
    return marks.plot("cliff", traces, across, up, size="hero", height=TALL, picks=Choose({"scale": "x"}), **rest)


def intermediates(params: Params, words: Words) -> Table:
    """Every intermediate number of both ways, one after the other."""
    labels = words.figures["steps"].labels
    right = params.right.upper()
    scalars = {f"{name} {which.upper()}": (scalar, f".{which}") for name, scalar in (("z", "in"), ("exp z", "e"))
               for which in CLASSES}  # fmt: skip
    scalars |= {"Σ exp z": ("sum", ""), f"p {right}": ("p", ""), f"log p {right}": ("log", "")}
    scalars |= {"L = −log p": ("cost", "")} | {f"∂L/∂z {which.upper()}": ("g", f".{which}") for which in CLASSES}
    bind: list[list[str | None]] = [[f"{key}.{way}{end}" for way in ("naive", "safe")] for key, end in scalars.values()]
    columns: list[TableColumn] = [{"title": labels["naive"]}, {"title": labels["safe"]}]
    return Table("steps", columns, nan="NaN", rows=list(scalars), bind=bind, height=TALL)


def falls(params: Params, words: Words) -> Plot:
    """The loss of both by step; crosses where the one as written has no finite loss."""
    lost = words.figures["falls"].labels["lost"]
    curves = by_step("falls", "loss", params, words)
    crosses = marks.dots(lost, marks.dot(COLOR["naive"], 6, "x"), y="failed.naive", yaxis="y2", hover=lost)
    layout = curves.layout | {"yaxis2": marks.HIDDEN | {"overlaying": "y", "range": [0.97, 2]}}
    return Plot("falls", [*curves.traces, crosses], layout, "full", 260, switch=True)


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
    labels = words.figures[figure].labels
    traces = [
        marks.line(
            labels[loss],
            COLOR[loss],
            y=f"{scalar}.{loss}",
            width=2.5,
            dash="dot" if loss == "naive" else "solid",
            hover="%{y:.1%}" if share else "%{y:.4~g}",
        )
        for loss in LOSSES[params.topic]
    ]
    y = marks.share_axis(labels["y"]) if share else marks.axis(labels["y"], powers=True, log=log, from_zero=not log)
    x = marks.axis(labels["x"], range=[0, params.steps])
    return marks.plot(figure, traces, x, y, hovermode="x unified", height=height, switch=not share)
