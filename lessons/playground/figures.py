"""The board of the playground."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from engine.models.names import ACTIVATIONS
from engine.types import Arrays, Problem, Tick, Values
from lessons.board import marks
from lessons.board.colors import CATEGORIES, GREY, NEGATIVE, POSITIVE, TRAIN, VALIDATION
from lessons.board.figures import (
    Choose,
    Figure,
    Map,
    Network,
    NetworkChoice,
    NetworkLayer,
    NetworkTool,
    NetworkUnit,
    Patch,
    Plot,
)
from lessons.contract import Query, unknown_query
from lessons.playground.params import DRAWN, FEATURES, LAYERS, UNITS, Params
from lessons.playground.points import REACH, drawn, features, grid
from lessons.playground.points import written as encoded
from lessons.playground.table import read
from lessons.text import Words

ERASER = 0.25  # so near to a stroke, drawn points are rubbed out
STILL = 25  # cells of an input's map, across and down


def draw(params: Params, words: Words) -> dict[str, Figure]:
    """The figures in order of importance."""
    figures: list[Figure] = [
        network(params, words),
        boundary(params, words),
        curves("loss", ("train", "test"), params, words),
        curves("right", ("right.train", "right.test"), params, words),
        confusion(params, words),
    ]
    if params.surface:
        figures.append(landscape(words))
    return {figure.id: figure for figure in figures}


def asks(params: Params) -> list[Query]:
    """The loss around the run costs hundreds of losses a time: only who wants to see it asks."""
    return [{"name": "surface", "args": {}}] if params.surface else []


def palette(kinds: int) -> tuple[str, ...]:
    """A colour for each class; of two, orange and blue as everywhere."""
    return (NEGATIVE, POSITIVE) if kinds == 2 else CATEGORIES[:kinds]


def written(layers: list[tuple[int, str]], usual: str) -> str:
    """Layers as the setting `hidden` has them."""
    return "-".join(f"{units}{'' if own == usual else own}" for units, own in layers)


def network(params: Params, words: Words) -> Network:
    """The network with a tool for every part of it that can be changed; those that lead too far are not offered."""
    labels, names = words.figures["network"].labels, words.controls["activation"].options
    feature_names = words.controls["features"].options
    now = params.layers
    usual = params.activation

    def tool(label: str, key: str, layers: list[tuple[int, str]]) -> NetworkTool:
        fits = len(layers) <= LAYERS and all(1 <= units <= UNITS for units, _ in layers)
        usable = fits and layers != now
        sets = {"hidden": written(layers, usual)} if usable else None
        return {"label": label, "help": labels[key], "sets": sets}

    inputs: list[NetworkUnit] = [
        {
            "label": feature_names[name],
            "help": f"{feature_names[name]}: {labels['input_off' if name in params.features else 'input_on']}",
            "still": still(name),
            "off": name not in params.features,
            "sets": {"features": name},
        }
        for name in FEATURES
    ]
    layers: list[NetworkLayer] = [{"title": labels["inputs"], "units": inputs, "tools": []}]
    for at, (units, own) in enumerate(now):
        before, after = now[:at], now[at + 1 :]
        options: list[NetworkChoice] = [
            {"label": names[name], "sets": {"hidden": written([*before, (units, name), *after], usual)}}
            for name in ACTIVATIONS
        ]
        tools: list[NetworkTool] = [
            tool("−", "less", [*before, (units - 1, own), *after]),
            tool("+", "more", [*before, (units + 1, own), *after]),
            {"help": labels["activation"], "at": ACTIVATIONS.index(own), "options": options},
        ]
        title = labels["layer"].replace("{n}", str(at + 1))
        layers.append({"title": title, "units": [{} for _ in range(units)], "tools": tools})
    ends: list[NetworkUnit] = [{"label": labels["output"]}]
    if params.kinds > 2:
        named = classes(params, words)
        ends = [{"label": named[kind], "colour": palette(params.kinds)[kind]} for kind in range(params.kinds)]
    layers.append({"title": labels["output"], "units": ends, "tools": []})
    tools = [
        tool(f"− {labels['layers']}", "shallower", now[:-1]),
        tool(f"+ {labels['layers']}", "deeper", deeper(now, usual)),
    ]
    captions = {key: labels[key] for key in ("bias", "weight", "unit", "set", "close")}
    return Network("network", layers, tools, captions, "edits", "hero", 470)


def deeper(now: list[tuple[int, str]], usual: str) -> list[tuple[int, str]]:
    """With one layer more, of as many units as the last."""
    return [*now, now[-1] if now else (2, usual)]


@lru_cache(maxsize=len(FEATURES))
def still(name: str) -> list[list[float]]:
    """What an input says all over the plane, (STILL, STILL)."""
    values: list[list[float]] = features(grid(STILL), (name,)).reshape(STILL, STILL).round(3).tolist()
    return values


def classes(params: Params, words: Words) -> list[str]:
    """The names of the classes: two by their colours, more by their numbers."""
    labels = words.figures["boundary"].labels
    if params.kinds == 2:
        return [labels["orange"], labels["blue"]]
    return [labels["class"].replace("{n}", str(kind + 1)) for kind in range(params.kinds)]


def boundary(params: Params, words: Words) -> Map:
    """What the network says of every place, with the points on it; a unit that is pointed at is shown in its stead."""
    labels = words.figures["boundary"].labels
    two = params.kinds == 2
    return Map(
        "boundary",
        colours="diverging" if two else "rgb",
        span=((0.0, 1.0) if params.loss == "cross-entropy" else (-1.0, 1.0)) if two else None,
        palette=() if two else palette(params.kinds),
        plane=(-REACH, REACH),
        exact="at",
        shows="network",
        row_title=labels["y"],
        column_title=labels["x"],
        smooth=True,
        size="half",
        height=270,
        picks=Choose({"drawn": "stroke"}) if params.points == "drawn" else None,
    )


def curves(figure: str, scalars: tuple[str, str], params: Params, words: Words) -> Plot:
    """A scalar of the training points and of the test points, by step."""
    labels = words.figures[figure].labels
    share = figure == "right"
    hover = "%{y:.2%}" if share else "%{y:.6f}"
    train, test = scalars
    if params.seeds == 1:
        traces = [
            marks.line(labels["train"], TRAIN, y=train, hover=hover),
            marks.line(labels["test"], VALIDATION, y=test, hover=hover),
        ]
    else:  # all networks, and over them the test points of the one that is drawn
        traces = [marks.line(labels["first"], VALIDATION, y=test, width=1.5, dash="dot", hover=hover)]
        bands = (("right", VALIDATION),) if share else (("train", TRAIN), ("test", VALIDATION))
        for part, color in bands:
            name = labels["all"].replace("{part}", labels["train" if part == "train" else "test"])
            traces.append(marks.band(name.replace("{n}", str(params.seeds)), f"{part}.", color, params.seed))
    if share and params.goal:
        traces.append(marks.line(labels["goal"], GREY, y="goal", width=1.5, dash="dash", hover="%{y:.0%}"))
    up = marks.axis(labels["y"], range=[0, 1.02], percent=True) if share else marks.axis(labels["y"], from_zero=True)
    return marks.plot(
        figure,
        traces,
        marks.axis(labels["x"]),
        up,
        hovermode="x unified" if params.seeds == 1 else "closest",
        height=230 if share else 160,
        switch=not share,
    )


def confusion(params: Params, words: Words) -> Map:
    """How many test points of each class are taken for each."""
    labels = words.figures["confusion"].labels
    named = classes(params, words)
    return Map(
        "confusion",
        colours="sequential",
        rows=named,
        columns=named,
        row_title=labels["y"],
        column_title=labels["x"],
        numbers=True,
        size="half",
        height=240,
    )


def landscape(words: Words) -> Plot:
    """The training loss on a plane through the network, and the way it came."""
    labels = words.figures["surface"].labels
    field = marks.custom(
        "contour",
        "loss",
        x=[],
        y=[],
        z=[],
        colorscale=[[0, "rgba(96,112,140,0.75)"], [1, "rgba(140,155,180,0.04)"]],
        line={"width": 0.7, "color": "rgba(120,130,150,0.55)"},
        ncontours=18,
        showscale=False,
        hovertemplate=labels["loss"] + " %{customdata:.4f}<extra></extra>",
        showlegend=False,
    )
    small, large = marks.dot(TRAIN, 4), marks.dot(TRAIN, 11, edge=1.5)
    here = labels["now"] + "<extra></extra>"
    path = marks.line("path", TRAIN, x=[], y=[], dots=small, hover="%{text}<extra></extra>", showlegend=False)
    now = marks.dots("now", large, x=[0], y=[0], hover=here, showlegend=False)
    across, up = (marks.axis(labels[key], zeroline=False, showgrid=False) for key in ("x", "y"))
    return marks.plot("surface", [field, path, now], across, up, height=330)


def update(params: Params, tick: Tick) -> list[Patch]:
    """The whole picture of a step. A fork's past may be of another network: the arrays say of which."""
    arrays = tick.arrays
    if not arrays:
        return []
    net = {key: arrays[key] for key in ("sizes", "weights", "scale")}
    plane = arrays["map"] if len(arrays["map"]) == 1 else mixed(arrays["map"])[None]
    return [
        Patch("network", {**net, "tiles": arrays["units"]}),
        Patch("boundary", {"tiles": plane, "dots": arrays["dots"]}),
        Patch("confusion", {"tiles": arrays["confusion"][None]}),
    ]


def rgb(color: str) -> list[int]:
    """ "#2f86d6" as its red, green and blue, 0 to 255."""
    return [int(color[at : at + 2], 16) for at in (1, 3, 5)]


def mixed(sure: Any) -> Any:
    """Probabilities (classes, rows, columns) as bytes -> the classes' colours, mixed, uint8 (rows, columns, 3)."""
    colours = np.array([rgb(color) for color in CATEGORIES[: len(sure)]], np.float32)
    pale = 0.62  # towards white, so that the points stand out
    weighted = np.tensordot(sure.astype(np.float32), colours, (0, 0)) / np.maximum(sure.sum(0), 1)[..., None]
    return (255 * (1 - pale) + pale * weighted).round().astype(np.uint8)


def answer(params: Params, name: str, args: Values, arrays: Arrays) -> list[Patch]:
    """The exact value of a cell; the loss around the run, its height as a power of ten."""
    if name == "surface":
        return surface(arrays)
    if name != "at":
        raise unknown_query(name)
    asked = [float(args["unit"]), float(args["row"]), float(args["col"])]
    return [Patch("boundary", {"exact": np.array([*asked, arrays["value"][0]])})]


def surface(arrays: Arrays) -> list[Patch]:
    """The plane of the landscape, cut above so that what is high does not flatten what is low, and the path on it."""
    path_heights = arrays["heights"]
    texts = [f"{int(step)}: {height:.4f}" for step, height in zip(arrays["steps"], path_heights, strict=True)]
    texts[-1] = f"{path_heights[-1]:.4f}"
    across, up = arrays["path"].T
    height = np.nan_to_num(arrays["height"], posinf=1e30)
    powers = np.log10(np.maximum(height, 1e-6))
    cut = max(float(np.quantile(powers, 0.9)), np.log10(max(1e-6, np.nanmax(path_heights[-8:]))))
    plane = {"x": arrays["across"], "y": arrays["up"], "z": np.minimum(powers, cut), "customdata": height}
    return [
        Patch("surface", plane, "loss").say(share=float(arrays["share"].sum()), loss=float(path_heights[-1])),
        Patch("surface", {"x": across, "y": up, "text": texts}, "path"),
    ]


def on_choose(params: Params, picked: Values) -> Values:
    """Settings of what a gesture gave: weights written into the network, points drawn or rubbed out. Raises Problem."""
    if "drawn" in picked:
        stroke = np.array(picked["drawn"], np.float64).reshape(-1, 2)
        places = np.stack([2 * stroke[:, 0] - 1, 1 - 2 * stroke[:, 1]], 1) * REACH
        if params.brush == "erase":
            return {**picked, "drawn": rubbed(params.drawn, places)}
        kind = int(params.brush) - 1
        text = params.drawn + encoded(places, kind)
        if len(text) > 5 * DRAWN:
            raise Problem(
                f"There are {len(text) // 5} points; at most {DRAWN} fit into a link. Rub some out, or upload a CSV.",
                f"现在有 {len(text) // 5} 个点，链接里最多放 {DRAWN} 个。请擦掉一些，或上传 CSV。",
            )
        return {**picked, "drawn": text, "classes": max(params.classes, kind + 1)}
    if "edits" in picked:
        edits = [*filter(None, params.edits.split(";")), *map(str, picked["edits"])]
        weights = {key: value for key, _, value in (edit.partition("=") for edit in edits)}
        return {**picked, "edits": ";".join(f"{key}={value}" for key, value in weights.items())}
    return picked


def rubbed(text: str, places: Any) -> str:
    """Drawn points without those near one of `places` (n, 2)."""
    points, _ = drawn(text)
    near = (np.linalg.norm(points[:, None] - places[None], axis=2) < ERASER).any(1)
    return "".join(text[5 * at : 5 * at + 5] for at in np.flatnonzero(~near))


def on_upload(params: Params, name: str, data: bytes) -> Values:
    """What a CSV sets when it comes: its points are used, with as many classes as it has. Raises Problem."""
    _, kinds = read(data)
    return {"points": "csv", "classes": int(kinds.max()) + 1}
