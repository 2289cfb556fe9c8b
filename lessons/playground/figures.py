"""The board of the playground."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from engine.models.names import ACTIVATIONS
from engine.types import Arrays, Problem, Tick, Values
from lessons.board.colors import CATEGORIES, NEGATIVE, POSITIVE, TRAIN, VALIDATION
from lessons.board.figures import Choose, Figure, Map, Network, Patch, Plot
from lessons.board.marks import band
from lessons.playground.params import DRAWN, FEATURES, LAYERS, UNITS, Params
from lessons.playground.points import REACH, drawn, features, grid, read
from lessons.playground.points import written as encoded
from lessons.text import Words

ERASER = 0.25  # so near to a stroke, drawn points are rubbed out
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
    if params.surface:
        figures.append(landscape(params, words))
    return {figure.id: figure for figure in figures}


def asks(params: Params) -> list[Values]:
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
    tools = [
        tool(f"− {say['layers']}", "shallower", now[:-1]),
        tool(f"+ {say['layers']}", "deeper", deeper(now, usual)),
    ]
    said = {key: say[key] for key in ("bias", "weight", "unit", "set", "close")}
    return Network("network", layers, tools, said, "edits", "hero", 470)


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
        height=270,
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
    if params.seeds > 1:  # all networks, and over them the test points of the one that is drawn
        bands = (("right", VALIDATION),) if share else (("train", TRAIN), ("test", VALIDATION))
        traces.pop(0)
        traces[0] |= {"line": {"width": 1.5, "color": VALIDATION, "dash": "dot"}, "name": say["first"]}
        for part, colour in bands:
            named = say["all"].replace("{part}", say["train" if part == "train" else "test"])
            traces.append(band(named.replace("{n}", str(params.seeds)), f"{part}.", colour, params.seed))
    y: Values = {"range": [0, 1.02], "tickformat": ".0%"} if share else {"rangemode": "tozero"}
    layout = {
        "xaxis": {"title": {"text": say["x"]}},
        "yaxis": {"title": {"text": say["y"]}, **y},
        "hovermode": "x unified" if params.seeds == 1 else "closest",
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
    return Plot(figure, traces, layout, "half", 230 if share else 160, switch=not share)


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


def landscape(params: Params, words: Words) -> Plot:
    """The training loss on a plane through the network, and the way it came."""
    say = words.figures["surface"].labels
    traces: list[dict[str, Any]] = [
        {
            "type": "contour",
            "name": "loss",
            "x": [],
            "y": [],
            "z": [],
            "colorscale": [[0, "rgba(96,112,140,0.75)"], [1, "rgba(140,155,180,0.04)"]],
            "line": {"width": 0.7, "color": "rgba(120,130,150,0.55)"},
            "ncontours": 18,
            "showscale": False,
            "hovertemplate": say["loss"] + " %{customdata:.4f}<extra></extra>",
        },
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": "path",
            "x": [],
            "y": [],
            "line": {"width": 2, "color": TRAIN},
            "marker": {"size": 4, "color": TRAIN},
            "hovertemplate": "%{text}<extra></extra>",
        },
        {
            "type": "scatter",
            "mode": "markers",
            "name": "now",
            "x": [0],
            "y": [0],
            "marker": {"size": 11, "color": TRAIN, "line": {"width": 1.5, "color": "#ffffff"}},
            "hovertemplate": say["now"] + "<extra></extra>",
        },
    ]
    layout = {
        "xaxis": {"title": {"text": say["x"]}, "zeroline": False, "showgrid": False},
        "yaxis": {"title": {"text": say["y"]}, "zeroline": False, "showgrid": False},
    }
    return Plot("surface", [{**trace, "showlegend": False} for trace in traces], layout, "half", 330)


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
    """Probabilities (classes, rows, columns) as bytes -> the classes' colours, mixed, uint8 (rows, columns, 3)."""
    colours = np.array([[int(one[at : at + 2], 16) for at in (1, 3, 5)] for one in CATEGORIES[: len(sure)]], np.float32)
    pale = 0.62  # towards white, so that the points stand out
    weighted = np.tensordot(sure.astype(np.float32), colours, (0, 0)) / np.maximum(sure.sum(0), 1)[..., None]
    return (255 * (1 - pale) + pale * weighted).round().astype(np.uint8)


def answer(params: Params, name: str, args: Mapping[str, Any], arrays: Arrays) -> list[Patch]:
    """The exact value of a cell; the loss around the run, its height as a power of ten."""
    if name == "surface":
        steps = [int(step) for step in arrays["steps"]]
        said = [f"{step}: {height:.4f}" for step, height in zip(steps, arrays["heights"], strict=True)]
        said[-1] = f"{arrays['heights'][-1]:.4f}"
        across, up = arrays["path"].T
        height = np.nan_to_num(arrays["height"], posinf=1e30)
        shown = np.log10(np.maximum(height, 1e-6))
        cut = max(float(np.quantile(shown, 0.9)), np.log10(max(1e-6, np.nanmax(arrays["heights"][-8:]))))
        drawn = {"x": arrays["across"], "y": arrays["up"], "z": np.minimum(shown, cut), "customdata": height}
        share = {"say": {"share": float(arrays["share"].sum()), "loss": float(arrays["heights"][-1])}}
        return [
            Patch("surface", {**drawn, **share}, "loss"),
            Patch("surface", {"x": across, "y": up, "text": said}, "path"),
        ]
    if name != "at":
        raise Problem(f"There is no question named {name!r:.40} here.", f"这里没有名为 {name!r:.40} 的提问。")
    asked = [float(args["unit"]), float(args["row"]), float(args["col"])]
    return [Patch("boundary", {"exact": np.array([*asked, arrays["value"][0]])})]


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
        kept = {key: value for key, _, value in (one.partition("=") for one in params.edits.split(";") if one)}
        kept |= {key: value for key, _, value in (str(one).partition("=") for one in picked["edits"])}
        return {**picked, "edits": ";".join(f"{key}={value}" for key, value in kept.items())}
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
