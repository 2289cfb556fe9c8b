"""The board of the gradient descent lesson. What moves is bound to scalars, so any step can be shown at once.

Only the clouds of many seeds come with frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from engine.types import Arrays, Problem, Tick
from lessons.board.colors import CATEGORIES
from lessons.board.figures import Choose, Figure, Patch, Plot
from lessons.board.marks import band
from lessons.gradient_descent.params import OPTIMISERS, Params
from lessons.gradient_descent.stability import KINDS, bounds, fastest, radius
from lessons.gradient_descent.surfaces import Floats, Surface, surface
from lessons.text import Words

COLOUR = dict(zip(OPTIMISERS, CATEGORIES, strict=False))
# Heights are grey, so that the seven colours stay the optimisers'; see-through, so that they suit light and dark.
LOW, HIGH = "rgba(96,112,140,0.62)", "rgba(140,155,180,0.04)"
GREY, RED = "#8a8f98", "#c0392b"
CARRIED, FRESH = "#9a8c5f", "#4f6d7a"  # parts of an update: none of the optimisers' colours
LEVELS = 14


def draw(params: Params, words: Words) -> dict[str, Figure]:
    """The figures in order of importance; the stability map only for the quadratics, which have bounds."""
    land = surface(params)
    names = {name: words.controls["optimisers"].options[name] for name in OPTIMISERS}
    several = [seeds(params, words, names), apart(params, land, words, names)]
    figures: list[Figure] = [
        contour(params, land, words, names),
        relief(params, land, words, names),
        *([heights(params, words, names)] if params.seeds == 1 else several),
        dissection(params, words, names),
        *([stability(params, land.curvatures, words, names)] if land.curvatures else []),
        check(params, words),
    ]
    return {figure.id: figure for figure in figures}


def update(params: Params, tick: Tick) -> list[Patch]:
    """The clouds, and of which step they are. A fork's past may be of other racers: the arrays say of which."""
    if params.seeds == 1 or not tick.arrays:
        return []
    held = zip(tick.arrays["racers"].tolist(), tick.arrays["cloud"], strict=True)
    return [
        Patch(
            "contour",
            {"x": points[:, 0], "y": points[:, 1], "text": [str(tick.step)] * len(points)},
            f"cloud.{OPTIMISERS[index]}",
        )
        for index, points in held
        if OPTIMISERS[index] in params.optimisers
    ]


def remarks(params: Params) -> list[Problem]:
    """Many seeds that cannot differ."""
    if params.seeds == 1 or params.noise > 0:
        return []
    return [
        Problem(
            f"The gradient noise is 0, so all {params.seeds} races are the same: the bands are lines and the clouds "
            "points. A seed decides nothing but the noise; raise it to see them part.",
            f"梯度噪声是 0，所以 {params.seeds} 场比赛完全一样：色带缩成线，点云缩成一点。"
            "种子只决定噪声；把噪声调大，它们才会分开。",
        )
    ]


def answer(params: Params, name: str, args: Mapping[str, Any], arrays: Arrays) -> list[Patch]:
    """This lesson has no questions. Raises Problem."""
    raise Problem(f"There is no question named {name!r:.40} here.", f"这里没有名为 {name!r:.40} 的提问。")


def contour(params: Params, land: Surface, words: Words, names: Mapping[str, str]) -> Plot:
    """The map with the paths; a click on it chooses the start."""
    say = words.figures["contour"].labels
    traces: list[dict[str, Any]] = [
        {
            "type": "contour",
            "name": say["height"],
            "hovertemplate": "x %{x}<br>y %{y}<br>" + say["height"] + " %{customdata}<extra></extra>",
            "colorscale": [[0, LOW], [1, HIGH]],
            "line": {"width": 0.7, "color": "rgba(120,130,150,0.55)"},
            **levels(land),
        },
        {
            "type": "scatter",
            "mode": "markers",
            "name": say["minimum"],
            "x": [x for x, _ in land.minima],
            "y": [y for _, y in land.minima],
            "marker": {"symbol": "star", "size": 11, "color": GREY, "line": {"width": 1, "color": "#ffffff"}},
            "hovertemplate": "(%{x:.4g}, %{y:.4g})",
            "visible": bool(land.minima),
        },
        {
            "type": "scatter",
            "mode": "markers",
            "name": say["start"],
            "x": [params.start_x],
            "y": [params.start_y],
            "marker": {"symbol": "circle-open", "size": 13, "color": GREY, "line": {"width": 2}},
            "hovertemplate": "(%{x:.4g}, %{y:.4g})",
        },
    ]
    many = params.seeds > 1
    traces += [path(one, names[one], many) for one in params.optimisers]
    if many:  # the first racers' on top: theirs are mostly the narrower ones
        traces += [cloud(params, one, names[one], say["points"]) for one in reversed(params.optimisers)]
    for one in params.optimisers:
        group = {"type": "scatter", "legendgroup": one, "showlegend": False}
        traces += [
            {
                **group,
                "name": f"{names[one]} •",
                "mode": "markers",
                "bind": {"x": [f"x.{one}"], "y": [f"y.{one}"]},
                "marker": {"size": 8 if many else 11, "color": COLOUR[one], "line": {"width": 1.5, "color": "#ffffff"}},
                "hovertemplate": "(%{x:.4g}, %{y:.4g})",
            },
            {
                **group,
                "name": f"{names[one]} ✕",
                "mode": "markers",
                "bind": {"x": f"lost_x.{one}", "y": f"lost_y.{one}"},
                "marker": {"symbol": "x", "size": 12, "color": COLOUR[one], "line": {"width": 1, "color": "#ffffff"}},
                "cliponaxis": False,
                "hovertemplate": say["lost"],
            },
        ]
    common = {"constrain": "domain", "zeroline": False, "showgrid": False}
    x = {"title": {"text": say["x"]}, "range": span(land.x), **common}
    y = {"title": {"text": say["y"]}, "range": span(land.y), "scaleanchor": "x", **common}
    legend = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "itemsizing": "constant" if many else "trace"}
    layout = {"xaxis": x, "yaxis": y, "legend": legend}
    return Plot("contour", traces, layout, "hero", 400, picks=Choose({"start_x": "x", "start_y": "y"}))


def path(one: str, name: str, many: bool) -> dict[str, Any]:
    """The way of a racer; of the first of `many` seeds it is pale, and their cloud stands in the legend."""
    trace: dict[str, Any] = {
        "type": "scatter",
        "legendgroup": one,
        "name": name,
        "mode": "lines+markers",
        "bind": {"x": f"x.{one}", "y": f"y.{one}"},
        "line": {"width": 2, "color": COLOUR[one]},
        "marker": {"size": 3.5, "color": COLOUR[one]},
        "hovertemplate": "(%{x:.4g}, %{y:.4g})",
    }
    if many:
        trace |= {"name": f"{name} –", "mode": "lines", "opacity": 0.3, "showlegend": False}
        trace["line"]["width"] = 1
    return trace


def cloud(params: Params, one: str, name: str, say: str) -> dict[str, Any]:
    """Where a racer is with each seed."""
    return {
        "type": "scatter",
        "legendgroup": one,
        "legendrank": 1001 + params.optimisers.index(one),  # after those that have no rank
        "mode": "markers",
        "name": name,
        "key": f"cloud.{one}",
        "x": [],
        "y": [],
        "customdata": [(params.seed + number) % 2**31 for number in range(params.seeds)],
        "marker": {"size": 4.5, "color": COLOUR[one], "opacity": 0.65},
        "hovertemplate": say.replace("{seed}", "%{customdata}").replace("{step}", "%{text}") + " (%{x:.4g}, %{y:.4g})",
    }


def relief(params: Params, land: Surface, words: Words, names: Mapping[str, str]) -> Plot:
    """The surface in three dimensions with the paths on it, each as far as it stays on the map."""
    say = words.figures["relief"].labels
    traces: list[dict[str, Any]] = [
        {
            "type": "surface",
            "name": say["z"],
            "colorscale": [[0, "#5d6f8f"], [0.5, "#a3b0c6"], [1, "#e3e8f0"]],
            "showscale": False,
            "opacity": 0.9,
            "visible": bool(np.isfinite(land.z).any()),  # plotly cannot draw a surface that is nowhere
            "hovertemplate": "x %{x}<br>y %{y}<extra></extra>",
            "contours": {"z": {"show": True, "color": "rgba(255,255,255,0.5)", "width": 1, **bands(land)}},
            "lighting": {"ambient": 0.75, "diffuse": 0.5, "specular": 0.05},
            **grid(land),
        }
    ]
    for one in params.optimisers:
        common = {"type": "scatter3d", "legendgroup": one, "showlegend": False, "hoverinfo": "name"}
        traces += [
            {
                **common,
                "name": names[one],
                "mode": "lines",
                "bind": {"x": f"x.{one}", "y": f"y.{one}", "z": f"z.{one}"},
                "line": {"width": 5, "color": COLOUR[one]},
            },
            {
                **common,
                "name": f"{names[one]} •",
                "mode": "markers",
                "bind": {"x": [f"x.{one}"], "y": [f"y.{one}"], "z": [f"z.{one}"]},
                "marker": {"size": 5, "color": COLOUR[one], "line": {"width": 1, "color": "#ffffff"}},
            },
        ]
    low, high = drawn_range(land)
    scene = {
        "xaxis": {"title": {"text": say["x"]}, "range": span(land.x), "nticks": 5},
        "yaxis": {"title": {"text": say["y"]}, "range": span(land.y), "nticks": 4},
        "zaxis": {"title": {"text": say["z_log" if land.logarithmic else "z"]}, "range": [low, high], "nticks": 5},
        "aspectmode": "manual",
        "aspectratio": {"x": 0.9, "y": 0.9, "z": 0.75},
        "camera": {"eye": {"x": -1.1, "y": -2.2, "z": 1.4}, "center": {"x": -0.1, "y": 0, "z": -0.12}},
    }
    flat = {"visible": False}  # there are no flat axes
    layout = {"scene": scene, "xaxis": flat, "yaxis": flat, "margin": {"l": 0, "r": 0, "t": 0, "b": 0}}
    return Plot("relief", traces, layout, "third", 400)


def heights(params: Params, words: Words, names: Mapping[str, str]) -> Plot:
    """Height above the lowest point by step, with a switch to a logarithmic axis."""
    say = words.figures["height"].labels
    traces: list[dict[str, Any]] = []
    for one in params.optimisers:
        traces += [
            {
                "type": "scatter",
                "mode": "lines",
                "name": names[one],
                "bind": {"x": "step", "y": f"above.{one}"},
                "line": {"width": 2, "color": COLOUR[one]},
                "hovertemplate": "%{y:.4g}",
            },
            {
                "type": "scatter",
                "mode": "markers",
                "name": f"{names[one]} ✕",
                "bind": {"x": "step", "y": f"lost.{one}"},
                "marker": {"symbol": "x", "size": 11, "color": COLOUR[one]},
                "showlegend": False,
                "hovertemplate": say["lost"],
            },
        ]
    layout = {
        "xaxis": {"title": {"text": say["x"]}, "range": [0, params.steps]},
        "yaxis": {"title": {"text": say["y"]}, "exponentformat": "power"},
        "hovermode": "x unified",
        "showlegend": False,
    }
    return Plot("height", traces, layout, "half", 300, switch=True)


def seeds(params: Params, words: Words, names: Mapping[str, str]) -> Plot:
    """The same over all seeds, a band for each racer."""
    say = words.figures["seeds"].labels
    traces = [band(names[one], f"seed.{one}.", COLOUR[one], params.seed) for one in params.optimisers]
    layout = {
        "xaxis": {"title": {"text": say["x"]}, "range": [0, params.steps]},
        "yaxis": {"title": {"text": say["y"]}, "exponentformat": "power"},
        "showlegend": False,
    }
    return Plot("seeds", traces, layout, "half", 300, switch=True)


def apart(params: Params, land: Surface, words: Words, names: Mapping[str, str]) -> Plot:
    """How far the points of all seeds are from their mean, by step; on quadratics also where theory has them rest."""
    say = words.figures["apart"].labels
    traces: list[dict[str, Any]] = []
    for one in params.optimisers:
        common = {"type": "scatter", "mode": "lines", "legendgroup": one, "hovertemplate": "%{y:.4g}"}
        measured = {"bind": {"x": "step", "y": f"cloud.{one}"}, "line": {"width": 2, "color": COLOUR[one]}}
        traces.append({**common, "name": names[one], **measured})
        if land.curvatures and one in KINDS:
            theory = {"bind": {"x": "step", "y": f"rest.{one}"}, "line": {"width": 1.5, "color": GREY, "dash": "dot"}}
            traces.append({**common, "name": say["theory"].replace("{name}", names[one]), **theory})
    layout = {
        "xaxis": {"title": {"text": say["x"]}, "range": [0, params.steps]},
        "yaxis": {"title": {"text": say["y"]}, "rangemode": "tozero"},
        "hovermode": "x unified",
        "showlegend": False,
    }
    return Plot("apart", traces, layout, "half", 300, switch=True)


def dissection(params: Params, words: Words, names: Mapping[str, str]) -> Plot:
    """The update that led to the playhead, as arrows from where it began, and the step size each axis got."""
    one = params.dissect if params.dissect in params.optimisers else params.optimisers[0]
    say = words.figures[f"dissect_{one}"].labels
    traces: list[dict[str, Any]] = []
    carries = one in ("momentum", "nesterov", "adam", "adamw")
    scales = one in ("adagrad", "rmsprop", "adam", "adamw")
    tip = (f"wx.{one}", f"wy.{one}") if one == "adamw" else (f"ux.{one}", f"uy.{one}")
    origin = ("zero", "zero")
    tail = (f"cx.{one}", f"cy.{one}") if carries else origin
    if carries:
        traces.append(arrow(say["carried"], origin, tail, CARRIED, 3))
    if scales:
        straight = (f"dx.{one}", f"dy.{one}")
        traces.append(arrow(say["straight"], tail, straight, GREY, 1.5, "dot"))
    if carries:
        traces.append(arrow(say["fresh"], tail, tip, FRESH, 3))
    if one == "adamw":
        traces.append(arrow(say["decay"], tip, (f"ux.{one}", f"uy.{one}"), RED, 2))
    # Drawn last, so that it lies on top; without a velocity this gradient's part is the whole step.
    traces.append(arrow(say["final"], origin, (f"ux.{one}", f"uy.{one}"), COLOUR[one], 4))
    traces += [unseen(trace) for trace in traces]
    traces.append(
        {
            "type": "bar",
            "name": say["rates"],
            "x": [say["along_x"], say["along_y"]],
            "bind": {"y": [f"ax.{one}", f"ay.{one}"]},
            "xaxis": "x2",
            "yaxis": "y2",
            "marker": {"color": COLOUR[one]},
            "texttemplate": "%{y:.2~g}",
            "textposition": "outside",
            "textangle": 0,
            "cliponaxis": False,
            "showlegend": False,
            "hovertemplate": "%{y:.5g}",
        }
    )
    common = {"autorange": True, "zeroline": True, "exponentformat": "power"}
    layout = {
        "xaxis": {"title": {"text": say["x"]}, "domain": [0, 0.62], **common},
        "yaxis": {"title": {"text": say["y"]}, "scaleanchor": "x", **common},
        "xaxis2": {"title": {"text": say["axes"]}, "domain": [0.82, 1], "anchor": "y2", "type": "category"},
        "yaxis2": {"title": {"text": say["rates"]}, "anchor": "x2", "rangemode": "tozero", "exponentformat": "power"},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    }
    return Plot(f"dissect_{one}", traces, layout, "half", 320)


def arrow(
    name: str, tail: tuple[str, str], tip: tuple[str, str], colour: str, width: float, dash: str = "solid"
) -> dict[str, Any]:
    """A line with a head from one pair of scalars to another."""
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "bind": {"x": [tail[0], tip[0]], "y": [tail[1], tip[1]]},
        "line": {"width": width, "color": colour, "dash": dash},
        "marker": {"symbol": "arrow", "angleref": "previous", "size": [0, 8 + 2 * width], "color": colour},
        "hovertemplate": "(%{x:.4g}, %{y:.4g})",
    }


def unseen(arrow: Mapping[str, Any]) -> dict[str, Any]:
    """An arrow with x and y exchanged: both axes become as long, or an arrow along one would have no length to show."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"{arrow['name']} ⇄",
        "bind": {"x": arrow["bind"]["y"], "y": arrow["bind"]["x"]},
        "opacity": 0,
        "hoverinfo": "skip",
        "showlegend": False,
    }


def check(params: Params, words: Words) -> Plot:
    """The gradient at the point the last update began, by autograd and by finite differences."""
    one = params.dissect if params.dissect in params.optimisers else params.optimisers[0]
    say = words.figures["check"].labels
    axes = [say["along_x"], say["along_y"]]
    traces = [
        {
            "type": "bar",
            "name": say[key],
            "x": axes,
            "bind": {"y": [f"{letter}x.{one}", f"{letter}y.{one}"]},
            "marker": {"color": colour},
            "texttemplate": "%{y:.4~g}",
            "textposition": "outside",
            "textangle": 0,
            "cliponaxis": False,
            "hovertemplate": "%{y:.12g}",
        }
        for key, letter, colour in (("autograd", "g", COLOUR[one]), ("differences", "n", GREY))
    ]
    layout = {
        "yaxis": {"title": {"text": say["y"]}, "zeroline": True, "exponentformat": "power"},
        "xaxis": {"title": {"text": say["x"]}, "type": "category"},
        "barmode": "group",
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    }
    return Plot("check", traces, layout, "half", 300)


def stability(params: Params, curvatures: tuple[float, float], words: Words, names: Mapping[str, str]) -> Plot:
    """How fast each pair of step size and momentum converges on this quadratic, and where the run stands."""
    say = words.figures["stability"].labels
    kind = "nesterov" if params.dissect == "nesterov" else "momentum"
    smallest, largest = curvatures
    right = max(4.2 / largest, 1.1 * params.lr)
    height = "zero" if params.dissect == "sgd" else "momentum"  # plain SGD has none
    lr, momentum, map_ = speed(kind, smallest, largest, right)
    edge = np.linspace(0, 1, 31)
    limits = [bounds(largest, beta) for beta in edge.tolist()]
    best = fastest(smallest, largest)
    now = bounds(largest, params.momentum)
    traces: list[dict[str, Any]] = [
        {
            "type": "heatmap",
            "name": say["map"],
            "x": lr,
            "y": momentum,
            "z": map_,
            "zmin": 0.0,
            "zmax": 1.6,
            "colorscale": [[0, "#1a5fa8"], [0.3, "#5b9bd5"], [0.624, "#e3edf7"], [0.626, "#f6d9b8"], [1, "#e07b16"]],
            "hovertemplate": f"(%{{x:.4g}}, %{{y:.3g}})<br>{say['factor']} %{{z:.3f}}<extra></extra>",
            "colorbar": {"title": {"text": say["factor"], "side": "right"}, "thickness": 9, "dtick": 0.5},
        }
    ]
    for name in ("momentum", "nesterov"):
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": f"{names[name]} {say['below']} {now[name]:.4g}",
                "x": [round(limit[name], 6) for limit in limits],
                "y": [round(float(beta), 4) for beta in edge],
                "line": {"width": 2.5, "color": COLOUR[name], "dash": "solid" if name == kind else "dash"},
                "hoverinfo": "name",
            }
        )
    traces += [
        {
            "type": "scatter",
            "mode": "markers",
            "name": f"{names['sgd']} {say['below']} {now['sgd']:.4g}",
            "x": [2 / largest],
            "y": [0.0],
            "marker": {"symbol": "diamond", "size": 11, "color": COLOUR["sgd"], "line": {"width": 1, "color": "#fff"}},
            "cliponaxis": False,
            "hoverinfo": "name",
        },
        {
            "type": "scatter",
            "mode": "markers",
            "name": say["fastest"],
            "x": [best[0]],
            "y": [best[1]],
            "marker": {"symbol": "star", "size": 13, "color": "#ffffff", "line": {"width": 1.5, "color": "#333"}},
            "cliponaxis": False,
            "hovertemplate": "(%{x:.4g}, %{y:.4g})",
        },
        {
            "type": "scatter",
            "mode": "markers",
            "name": say["here"],
            "bind": {"x": ["lr"], "y": [height]},
            "x": [params.lr],
            "y": [0.0 if height == "zero" else params.momentum],
            "marker": {"symbol": "cross-thin", "size": 16, "line": {"width": 3.5, "color": RED}},
            "cliponaxis": False,
            "hovertemplate": "(%{x:.4g}, %{y:.4g})",
        },
    ]
    layout = {
        "xaxis": {"title": {"text": say["x"]}, "range": [0, right]},
        "yaxis": {"title": {"text": say["y"]}, "range": [0, 1]},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    }
    return Plot("stability", traces, layout, "half", 340)


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
def grid(land: Surface) -> dict[str, Any]:
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
