"""The board of the playground."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from engine.nn.names import ACTIVATIONS
from engine.types import Arrays, Problem, Tick, Values
from lessons.board import CATEGORIES, NEGATIVE, POSITIVE, TRAIN, VALIDATION, Choose, Figure, Map, Network, Patch, Plot
from lessons.playground.params import FEATURES, LAYERS, UNITS, Params
from lessons.playground.points import REACH, features, grid
from lessons.text import Words

STILL = 25  # cells of an input's map, across and down
Labels = Mapping[str, str]


def draw(params: Params, words: Words) -> dict[str, Figure]:
    """The figures in order of importance."""
    figures: list[Figure] = [
        network(params, words),
        boundary(params, words),
        curves("loss", ("train", "test"), params, words),
        curves("right", ("right.train", "right.test"), params, words),
        confusion(params, words),
    ]
    return {figure.id: figure for figure in figures}


def palette(kinds: int) -> tuple[str, ...]:
    """A colour for each class; of two, orange and blue as everywhere."""
    return (NEGATIVE, POSITIVE) if kinds == 2 else CATEGORIES[:kinds]


def written(layers: list[tuple[int, str]], usual: str) -> str:
    """Layers as the setting `hidden` has them."""
    return "-".join(f"{units}{'' if own == usual else own}" for units, own in layers)


def network(params: Params, words: Words) -> Network:
    """The network with a tool for every part of it that can be changed; those that lead too far are not offered."""
    say, names = words.figures["network"].labels, words.controls["activation"].options
    feature_names = words.controls["features"].options
    now = params.layers
    usual = params.activation

    def tool(label: str, key: str, layers: list[tuple[int, str]]) -> Values:
        fits = len(layers) <= LAYERS and all(1 <= units <= UNITS for units, _ in layers)
        usable = fits and layers != now
        sets = {"hidden": written(layers, usual)} if usable else None
        return {"label": label, "help": say[key], "sets": sets}

    inputs = [
        {
            "label": feature_names[name],
            "help": f"{feature_names[name]}: {say['input_off' if name in params.features else 'input_on']}",
            "still": still(name),
            "off": name not in params.features,
            "sets": {"features": name},
        }
        for name in FEATURES
    ]
    layers: list[Values] = [{"title": say["inputs"], "units": inputs, "tools": []}]
    for at, (units, own) in enumerate(now):
        before, after = now[:at], now[at + 1 :]
        options = [
            {"label": names[one], "sets": {"hidden": written([*before, (units, one), *after], usual)}}
            for one in ACTIVATIONS
        ]
        tools = [
            tool("−", "less", [*before, (units - 1, own), *after]),
            tool("+", "more", [*before, (units + 1, own), *after]),
            {"help": say["activation"], "at": ACTIVATIONS.index(own), "options": options},
        ]
        title = say["layer"].replace("{n}", str(at + 1))
        layers.append({"title": title, "units": [{} for _ in range(units)], "tools": tools})
    ends = [{"label": say["output"]}]
    if params.kinds > 2:
        named = classes(params, words)
        ends = [{"label": named[kind], "colour": palette(params.kinds)[kind]} for kind in range(params.kinds)]
    layers.append({"title": say["output"], "units": ends, "tools": []})
    tools = [tool(f"− {say['layers']}", "shallower", now[:-1]), tool(f"+ {say['layers']}", "deeper", deeper(now, usual))]
    said = {key: say[key] for key in ("bias", "weight", "unit", "set", "close")}
    return Network("network", layers, tools, said, "edits", "hero", 430)


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
    say = words.figures["boundary"].labels
    if params.kinds == 2:
        return [say["orange"], say["blue"]]
    return [say["class"].replace("{n}", str(kind + 1)) for kind in range(params.kinds)]


def boundary(params: Params, words: Words) -> Map:
    """What the network says of every place, with the points on it; a unit that is pointed at is shown in its stead."""
    say = words.figures["boundary"].labels
    two = params.kinds == 2
    return Map(
        "boundary",
        colours="diverging" if two else "rgb",
        span=((0.0, 1.0) if params.loss == "cross-entropy" else (-1.0, 1.0)) if two else None,
        palette=() if two else palette(params.kinds),
        plane=(-REACH, REACH),
        exact="at",
        shows="network",
        row_title=say["y"],
        column_title=say["x"],
        smooth=True,
        size="half",
        height=300,
        picks=Choose({"drawn": "stroke"}) if params.points == "drawn" else None,
    )


def curves(figure: str, scalars: tuple[str, str], params: Params, words: Words) -> Plot:
    """A scalar of the training points and of the test points, by step."""
    say = words.figures[figure].labels
    share = figure == "right"
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": say[part],
            "bind": {"x": "step", "y": scalar},
            "line": {"width": 2, "color": colour},
            "hovertemplate": "%{y:.2%}" if share else "%{y:.6f}",
        }
        for part, scalar, colour in zip(("train", "test"), scalars, (TRAIN, VALIDATION), strict=True)
    ]
    y: Values = {"range": [0, 1.02], "tickformat": ".0%"} if share else {"rangemode": "tozero"}
    layout = {
        "xaxis": {"title": {"text": say["x"]}},
        "yaxis": {"title": {"text": say["y"]}, **y},
        "hovermode": "x unified",
    }
    if share and params.goal:
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": say["goal"],
                "bind": {"x": "step", "y": "goal"},
                "line": {"width": 1.5, "color": "#8a8f98", "dash": "dash"},
                "hovertemplate": "%{y:.0%}",
            }
        )
    return Plot(figure, traces, layout, "half", 220, switch=not share)


def confusion(params: Params, words: Words) -> Map:
    """How many test points of each class are taken for each."""
    say = words.figures["confusion"].labels
    named = classes(params, words)
    return Map(
        "confusion",
        colours="sequential",
        rows=named,
        columns=named,
        row_title=say["y"],
        column_title=say["x"],
        numbers=True,
        size="half",
        height=240,
    )


def update(params: Params, tick: Tick) -> list[Patch]:
    """The whole picture of a step. A fork's past may be of another network: the arrays say of which."""
    found = tick.arrays
    if not found:
        return []
    net = {key: found[key] for key in ("sizes", "weights", "scale")}
    shown = found["map"] if len(found["map"]) == 1 else mixed(found["map"])[None]
    return [
        Patch("network", {**net, "tiles": found["units"]}),
        Patch("boundary", {"tiles": shown, "dots": found["dots"]}),
        Patch("confusion", {"tiles": found["confusion"][None]}),
    ]


def mixed(sure: Any) -> Any:
    """Probabilities (classes, rows, columns) as bytes -> the colours of the classes, mixed, uint8 (rows, columns, 3)."""
    colours = np.array([[int(one[at : at + 2], 16) for at in (1, 3, 5)] for one in CATEGORIES[: len(sure)]], np.float32)
    pale = 0.62  # towards white, so that the points stand out
    weighted = np.tensordot(sure.astype(np.float32), colours, (0, 0)) / np.maximum(sure.sum(0), 1)[..., None]
    return (255 * (1 - pale) + pale * weighted).round().astype(np.uint8)


def answer(params: Params, name: str, args: Mapping[str, Any], arrays: Arrays) -> list[Patch]:
    """The exact value of a cell."""
    if name != "at":
        raise Problem(f"There is no question named {name!r:.40} here.", f"这里没有名为 {name!r:.40} 的提问。")
    asked = [float(args["unit"]), float(args["row"]), float(args["col"])]
    return [Patch("boundary", {"exact": np.array([*asked, arrays["value"][0]])})]


def chosen(params: Params, picked: Values) -> Values:
    """Settings of what a gesture gave: weights written into the network. Raises Problem."""
    if "edits" in picked:
        kept = {key: value for key, _, value in (one.partition("=") for one in params.edits.split(";") if one)}
        kept |= {key: value for key, _, value in (str(one).partition("=") for one in picked["edits"])}
        return {**picked, "edits": ";".join(f"{key}={value}" for key, value in kept.items())}
    return picked
