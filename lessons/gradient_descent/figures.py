"""The board of the gradient descent lesson. What moves is bound to scalars, so any step can be shown at once.

Only the clouds of many seeds come with frames.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.types import Problem, Tick
from lessons.board import marks
from lessons.board.colors import CATEGORIES, GREY
from lessons.board.figures import Choose, Figure, Patch, Plot
from lessons.board.marks import LEGEND_ABOVE, Trace, now
from lessons.gradient_descent.grids import bands, drawn_range, levels, relief_grid, span, speed
from lessons.gradient_descent.params import OPTIMISERS, Params
from lessons.gradient_descent.stability import KINDS, bounds, fastest
from lessons.gradient_descent.surfaces import Surface, surface
from lessons.text import Words

COLOR = dict(zip(OPTIMISERS, CATEGORIES, strict=False))
# Heights are grey, so that the seven colours stay the optimisers'; see-through, so that they suit light and dark.
LOW, HIGH = "rgba(96,112,140,0.62)", "rgba(140,155,180,0.04)"
RED = "#c0392b"
CARRIED, FRESH = "#9a8c5f", "#4f6d7a"  # parts of an update: none of the optimisers' colours
PLACE = "(%{x:.4g}, %{y:.4g})"

Names = Mapping[str, str]  # optimiser -> its name in the page's language


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
    clouds = zip(tick.arrays["racers"].tolist(), tick.arrays["cloud"], strict=True)
    return [
        Patch(
            "contour",
            {"x": points[:, 0], "y": points[:, 1], "text": [str(tick.step)] * len(points)},
            f"cloud.{OPTIMISERS[index]}",
        )
        for index, points in clouds
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


def contour(params: Params, land: Surface, words: Words, names: Names) -> Plot:
    """The map with the paths; a click on it chooses the start."""
    labels = words.figures["contour"].labels
    hover = "x %{x}<br>y %{y}<br>" + labels["height"] + " %{customdata}<extra></extra>"
    thin = {"width": 0.7, "color": "rgba(120,130,150,0.55)"}
    scale = [[0, LOW], [1, HIGH]]
    star, ring = marks.dot(GREY, 11, "star", edge=1), marks.dot(GREY, 13, "circle-open", edge=2, edge_color="")
    x, y = [x for x, _ in land.minima], [y for _, y in land.minima]
    traces = [
        marks.custom("contour", labels["height"], hovertemplate=hover, colorscale=scale, line=thin, **levels(land)),
        marks.dots(labels["minimum"], star, x=x, y=y, hover=PLACE, visible=bool(land.minima)),
        marks.dots(labels["start"], ring, x=[params.start_x], y=[params.start_y], hover=PLACE),
    ]
    many = params.seeds > 1
    traces += [path(optimiser, names[optimiser], many) for optimiser in params.optimisers]
    if many:  # the first racers' on top: theirs are mostly the narrower ones
        traces += [cloud(params, name, names[name], labels["points"]) for name in reversed(params.optimisers)]
    for optimiser in params.optimisers:
        name, own = names[optimiser], {"legendgroup": optimiser, "showlegend": False}
        dot = marks.dot(COLOR[optimiser], 8 if many else 11, edge=1.5)
        cross = marks.dot(COLOR[optimiser], 12, "x", edge=1)
        here, lost = (now(f"x.{optimiser}"), now(f"y.{optimiser}")), (f"lost_x.{optimiser}", f"lost_y.{optimiser}")
        traces += [
            marks.dots(f"{name} •", dot, x=here[0], y=here[1], hover=PLACE) | own,
            marks.dots(f"{name} ✕", cross, x=lost[0], y=lost[1], hover=labels["lost"], cliponaxis=False) | own,
        ]
    across, up = (
        marks.axis(labels[key], range=span(ends), constrain="domain", zeroline=False, showgrid=False)
        for key, ends in (("x", land.x), ("y", land.y))
    )
    up["scaleanchor"] = "x"
    legend = {**LEGEND_ABOVE, "itemsizing": "constant" if many else "trace"}
    picks = Choose({"start_x": "x", "start_y": "y"})
    return marks.plot("contour", traces, across, up, legend=legend, size="hero", height=400, picks=picks)


def path(optimiser: str, name: str, many: bool) -> Trace:
    """The way of a racer; of the first of `many` seeds it is pale, and their cloud stands in the legend."""
    x, y, color = f"x.{optimiser}", f"y.{optimiser}", COLOR[optimiser]
    if many:
        pale = marks.line(f"{name} –", color, x=x, y=y, width=1, hover=PLACE, opacity=0.3, showlegend=False)
        return pale | {"marker": marks.dot(color, 3.5), "legendgroup": optimiser}
    return marks.line(name, color, x=x, y=y, dots=marks.dot(color, 3.5), hover=PLACE, legendgroup=optimiser)


def cloud(params: Params, optimiser: str, name: str, hover: str) -> Trace:
    """Where a racer is with each seed."""
    return marks.dots(
        name,
        marks.dot(COLOR[optimiser], 4.5, opacity=0.65),
        x=[],
        y=[],
        key=f"cloud.{optimiser}",
        customdata=[(params.seed + number) % 2**31 for number in range(params.seeds)],
        hover=f"{hover.replace('{seed}', '%{customdata}').replace('{step}', '%{text}')} {PLACE}",
        legendgroup=optimiser,
        legendrank=1001 + params.optimisers.index(optimiser),  # after those that have no rank
    )


def relief(params: Params, land: Surface, words: Words, names: Names) -> Plot:
    """The surface in three dimensions with the paths on it, each as far as it stays on the map."""
    labels = words.figures["relief"].labels
    ground = marks.custom(
        "surface",
        labels["z"],
        colorscale=[[0, "#5d6f8f"], [0.5, "#a3b0c6"], [1, "#e3e8f0"]],
        showscale=False,
        opacity=0.9,
        visible=bool(np.isfinite(land.z).any()),  # plotly cannot draw a surface that is nowhere
        hovertemplate="x %{x}<br>y %{y}<extra></extra>",
        contours={"z": {"show": True, "color": "rgba(255,255,255,0.5)", "width": 1, **bands(land)}},
        lighting={"ambient": 0.75, "diffuse": 0.5, "specular": 0.05},
        **relief_grid(land),
    )
    traces = [ground]
    for optimiser in params.optimisers:
        own = {"legendgroup": optimiser, "showlegend": False, "hoverinfo": "name"}
        x, y, z = (f"{axis}.{optimiser}" for axis in "xyz")
        dot, color = marks.dot(COLOR[optimiser], 5, edge=1), COLOR[optimiser]
        traces += [
            marks.line(names[optimiser], color, x=x, y=y, z=z, width=5) | own,
            marks.dots(f"{names[optimiser]} •", dot, x=now(x), y=now(y), z=now(z)) | own,
        ]
    scene = {
        "xaxis": marks.axis(labels["x"], range=span(land.x), nticks=5),
        "yaxis": marks.axis(labels["y"], range=span(land.y), nticks=4),
        "zaxis": marks.axis(labels["z_log" if land.logarithmic else "z"], range=list(drawn_range(land)), nticks=5),
        "aspectmode": "manual",
        "aspectratio": {"x": 0.9, "y": 0.9, "z": 0.75},
        "camera": {"eye": {"x": -1.1, "y": -2.2, "z": 1.4}, "center": {"x": -0.1, "y": 0, "z": -0.12}},
    }
    margin = {"l": 0, "r": 0, "t": 0, "b": 0}
    flat = marks.HIDDEN  # there are no flat axes
    return marks.plot("relief", traces, flat, flat, scene=scene, margin=margin, size="third", height=400)


def heights(params: Params, words: Words, names: Names) -> Plot:
    """Height above the lowest point by step, with a switch to a logarithmic axis."""
    labels = words.figures["height"].labels
    traces: list[Trace] = []
    for optimiser in params.optimisers:
        name, color = names[optimiser], COLOR[optimiser]
        cross = marks.dot(color, 11, "x")
        traces += [
            marks.line(name, color, y=f"above.{optimiser}", hover="%{y:.4g}"),
            marks.dots(f"{name} ✕", cross, y=f"lost.{optimiser}", hover=labels["lost"], showlegend=False),
        ]
    across, up = marks.axis(labels["x"], range=[0, params.steps]), marks.axis(labels["y"], powers=True)
    return marks.plot("height", traces, across, up, hovermode="x unified", showlegend=False, switch=True)


def seeds(params: Params, words: Words, names: Names) -> Plot:
    """The same over all seeds, a band for each racer."""
    labels = words.figures["seeds"].labels
    traces = [marks.band(names[key], f"seed.{key}.", COLOR[key], params.seed) for key in params.optimisers]
    across, up = marks.axis(labels["x"], range=[0, params.steps]), marks.axis(labels["y"], powers=True)
    return marks.plot("seeds", traces, across, up, showlegend=False, switch=True)


def apart(params: Params, land: Surface, words: Words, names: Names) -> Plot:
    """How far the points of all seeds are from their mean, by step; on quadratics also where theory has them rest."""
    labels = words.figures["apart"].labels
    traces: list[Trace] = []
    for key in params.optimisers:
        name, hover = names[key], "%{y:.4g}"
        traces.append(marks.line(name, COLOR[key], y=f"cloud.{key}", hover=hover, legendgroup=key))
        if land.curvatures and key in KINDS:
            theory = labels["theory"].replace("{name}", name)
            rest = marks.line(theory, GREY, y=f"rest.{key}", width=1.5, dash="dot", hover=hover, legendgroup=key)
            traces.append(rest)
    across, up = marks.axis(labels["x"], range=[0, params.steps]), marks.axis(labels["y"], from_zero=True)
    return marks.plot("apart", traces, across, up, hovermode="x unified", showlegend=False, switch=True)


def dissected(params: Params) -> str:
    """The optimiser whose update is taken apart: the one asked for, if it takes part."""
    return params.dissect if params.dissect in params.optimisers else params.optimisers[0]


def dissection(params: Params, words: Words, names: Names) -> Plot:
    """The update that led to the playhead, as arrows from where it began, and the step size each axis got."""
    optimiser = dissected(params)
    labels = words.figures[f"dissect_{optimiser}"].labels

    def point(letter: str) -> tuple[str, str]:
        return f"{letter}x.{optimiser}", f"{letter}y.{optimiser}"

    traces: list[Trace] = []
    has_velocity = optimiser in ("momentum", "nesterov", "adam", "adamw")
    scales = optimiser in ("adagrad", "rmsprop", "adam", "adamw")
    origin, end = ("zero", "zero"), point("u")
    tail, tip = point("c") if has_velocity else origin, point("w") if optimiser == "adamw" else end
    if has_velocity:
        traces.append(arrow(labels["carried"], origin, tail, CARRIED, 3))
    if scales:
        traces.append(arrow(labels["straight"], tail, point("d"), GREY, 1.5, "dot"))
    if has_velocity:
        traces.append(arrow(labels["fresh"], tail, tip, FRESH, 3))
    if optimiser == "adamw":
        traces.append(arrow(labels["decay"], tip, end, RED, 2))
    # Drawn last, so that it lies on top; without a velocity this gradient's part is the whole step.
    traces.append(arrow(labels["final"], origin, end, COLOR[optimiser], 4))
    traces += [unseen(trace) for trace in traces]
    rates = marks.bars(
        labels["rates"],
        COLOR[optimiser],
        x=[labels["along_x"], labels["along_y"]],
        y=now(*point("a")),
        label="%{y:.2~g}",
        hover="%{y:.5g}",
        xaxis="x2",
        yaxis="y2",
        textangle=0,
        showlegend=False,
    )
    across, up = (marks.axis(labels[key], powers=True, autorange=True, zeroline=True) for key in ("x", "y"))
    return marks.plot(
        f"dissect_{optimiser}",
        [*traces, rates],
        across | {"domain": [0, 0.62]},
        up | {"scaleanchor": "x"},
        xaxis2=marks.axis(labels["axes"], domain=[0.82, 1], anchor="y2", type="category"),
        yaxis2=marks.axis(labels["rates"], anchor="x2", from_zero=True, powers=True),
        legend=LEGEND_ABOVE,
        height=320,
    )


def arrow(
    name: str, tail: tuple[str, str], tip: tuple[str, str], color: str, width: float, dash: str = "solid"
) -> Trace:
    """A line with a head from one pair of scalars to another."""
    x, y = now(tail[0], tip[0]), now(tail[1], tip[1])
    return marks.arrow(name, color, x=x, y=y, width=width, head=8 + 2 * width, dash=dash, hover=PLACE)


def unseen(arrow: Trace) -> Trace:
    """An arrow with x and y exchanged: both axes become as long, or an arrow along one would have no length to show."""
    return marks.custom(
        "scatter",
        f"{arrow['name']} ⇄",
        mode="markers",
        bind={"x": arrow["bind"]["y"], "y": arrow["bind"]["x"]},
        opacity=0,
        hoverinfo="skip",
        showlegend=False,
    )


def check(params: Params, words: Words) -> Plot:
    """The gradient at the point the last update began, by autograd and by finite differences."""
    optimiser = dissected(params)
    labels = words.figures["check"].labels
    axes = [labels["along_x"], labels["along_y"]]
    traces = [
        marks.bars(
            labels[how],
            color,
            x=axes,
            y=now(f"{letter}x.{optimiser}", f"{letter}y.{optimiser}"),
            label="%{y:.4~g}",
            textangle=0,
            hover="%{y:.12g}",
        )
        for how, letter, color in (("autograd", "g", COLOR[optimiser]), ("differences", "n", GREY))
    ]
    across, up = marks.axis(labels["x"], type="category"), marks.axis(labels["y"], zeroline=True, powers=True)
    return marks.plot("check", traces, across, up, barmode="group", legend=LEGEND_ABOVE)


def stability(params: Params, curvatures: tuple[float, float], words: Words, names: Names) -> Plot:
    """How fast each pair of step size and momentum converges on this quadratic, and where the run stands."""
    labels = words.figures["stability"].labels
    kind = "nesterov" if params.dissect == "nesterov" else "momentum"
    smallest, largest = curvatures
    right = max(4.2 / largest, 1.1 * params.lr)
    height = "zero" if params.dissect == "sgd" else "momentum"  # plain SGD has none
    lr, momentum, factors = speed(kind, smallest, largest, right)
    edge = np.linspace(0, 1, 31)
    limits = [bounds(largest, beta) for beta in edge.tolist()]
    best = fastest(smallest, largest)
    at_present = bounds(largest, params.momentum)
    below = {name: f"{names[name]} {labels['below']} {limit:.4g}" for name, limit in at_present.items()}
    field = marks.custom(
        "heatmap",
        labels["map"],
        x=lr,
        y=momentum,
        z=factors,
        zmin=0.0,
        zmax=1.6,
        colorscale=[[0, "#1a5fa8"], [0.3, "#5b9bd5"], [0.624, "#e3edf7"], [0.626, "#f6d9b8"], [1, "#e07b16"]],
        hovertemplate=f"(%{{x:.4g}}, %{{y:.3g}})<br>{labels['factor']} %{{z:.3f}}<extra></extra>",
        colorbar={"title": {"text": labels["factor"], "side": "right"}, "thickness": 9, "dtick": 0.5},
    )
    betas = [round(float(beta), 4) for beta in edge]
    lines = [
        marks.line(
            below[name],
            COLOR[name],
            x=[round(limit[name], 6) for limit in limits],
            y=betas,
            width=2.5,
            dash="solid" if name == kind else "dash",
            hoverinfo="name",
        )
        for name in ("momentum", "nesterov")
    ]
    diamond = marks.dot(COLOR["sgd"], 11, "diamond", edge=1, edge_color="#fff")
    star, cross = marks.dot("#ffffff", 13, "star", 1.5, "#333"), marks.dot("", 16, "cross-thin", 3.5, RED)
    here = {"x": [params.lr], "y": [0.0 if height == "zero" else params.momentum]}  # until the run says it
    points = [
        marks.dots(below["sgd"], diamond, x=[2 / largest], y=[0.0], hoverinfo="name", cliponaxis=False),
        marks.dots(labels["fastest"], star, x=[best[0]], y=[best[1]], hover=PLACE, cliponaxis=False),
        marks.dots(labels["here"], cross, x=now("lr"), y=now(height), hover=PLACE, cliponaxis=False) | here,
    ]
    across, up = marks.axis(labels["x"], range=[0, right]), marks.axis(labels["y"], range=[0, 1])
    return marks.plot("stability", [field, *lines, *points], across, up, legend=LEGEND_ABOVE, height=340)
