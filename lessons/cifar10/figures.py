"""The board of the CIFAR-10 lesson."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.datasets import cifar10, digits
from engine.types import Array, Arrays, Problem, Tick, Values
from lessons.board.colors import TRAIN, VALIDATION
from lessons.board.figures import Ask, Figure, Graph, Map, Patch, Plot, Strip
from lessons.cifar10.architecture import SIZES, Shape, shown, table
from lessons.cifar10.params import Params
from lessons.text import Words

TEST = "#7a7a7a"


def draw(params: Params, words: Words) -> dict[str, Figure]:
    """The figures in order of importance."""
    classes = class_names(params, words)
    names = words.figures["confusion"].labels
    figures: list[Figure] = [
        curves("accuracy", params, words, size="hero", height=340, axis={"range": [0, 1], "tickformat": ".0%"}),
        Strip("held", classes, height=170, picks=Ask("maps", {"image": "index"})),
        network(params, words),
        Map("maps", limits="each", height=260, size="half"),
        Map("filters", colours="rgb", height=260, size="half"),
        Map(
            "confusion",
            rows=classes,
            columns=classes,
            row_title=names["true"],
            column_title=names["guess"],
            numbers=True,
            size="half",
            height=400,
            picks=Ask("cell", {"true": "row", "guess": "col"}),
        ),
        curves("loss", params, words, size="half", height=400, axis={"rangemode": "tozero"}),
        Strip("cell", classes, height=170, picks=Ask("maps", {"image": "index"})),
        Strip("augment", height=110),
        single("lr", "lr", words),
        single("speed", "images_per_s", words),
    ]
    if params.picture:
        figures.insert(2, Strip("own", classes, height=190))
    return {figure.id: figure for figure in figures}


def asks(params: Params) -> list[Values]:
    """Questions that stand as long as the page is open: they are asked at once, and again when the settings change."""
    standing: list[Values] = [{"name": "augment", "args": {"image": 0}}]
    if params.picture:
        standing.append({"name": "classify", "args": {"picture": params.picture}})
    return standing


def class_names(params: Params, words: Words) -> list[str]:
    """The ten classes in the page's language."""
    if params.data == "digits":
        return list(digits.CLASSES)
    return [words.figures["held"].labels[name] for name in cifar10.CLASSES]


def curves(name: str, params: Params, words: Words, size: Any, height: int, axis: Values) -> Plot:
    """`name` ("loss" or "accuracy") of the minibatches, of the validation images, and at last of the test images."""
    say = words.figures[name].labels
    form = ".1%" if name == "accuracy" else ".4f"

    def trace(label: str, scalar: str, style: Values) -> Values:
        look = {"type": "scatter", "name": label, "x": [], "y": [], "bind": {"x": "step", "y": scalar}}
        return look | {"hovertemplate": f"%{{x}}: %{{y:{form}}}"} | style

    line = {"mode": "lines", "line": {"color": TRAIN, "width": 1}, "opacity": 0.75}
    dots = {
        "mode": "lines+markers",
        "cliponaxis": False,
        "line": {"color": VALIDATION, "width": 2.5},
        "marker": {"size": 7},
    }
    star = {"mode": "markers", "cliponaxis": False, "marker": {"color": TEST, "size": 13, "symbol": "star"}}
    traces = [
        trace(say["train"], name, line),
        trace(say["validation"], f"val_{name}", dots),
        trace(say["test"], f"test_{name}", star),
    ]
    layout: Values = {"xaxis": steps(say["x"]), "yaxis": {"title": {"text": say["y"]}, **axis}}
    if name == "loss":
        guess = float(np.log(10))
        layout["shapes"] = [
            {
                "type": "line",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": guess,
                "y1": guess,
                "line": {"color": TEST, "width": 1, "dash": "dot"},
            }
        ]
        layout["annotations"] = [
            {
                "xref": "paper",
                "x": 1,
                "y": guess,
                "xanchor": "right",
                "yanchor": "bottom",
                "showarrow": False,
                "text": say["guessing"],
                "font": {"color": TEST, "size": 11},
            }
        ]
    return Plot(name, traces, layout, size=size, height=height, switch=name == "loss")


def single(name: str, scalar: str, words: Words) -> Plot:
    """One measured number by step."""
    say = words.figures[name].labels
    trace = {
        "type": "scatter",
        "mode": "lines",
        "name": say["y"],
        "x": [],
        "y": [],
        "bind": {"x": "step", "y": scalar},
        "line": {"color": TRAIN, "width": 1.5},
        "showlegend": False,
    }
    layout = {
        "xaxis": steps(say["x"]),
        "yaxis": {"title": {"text": say["y"]}, "rangemode": "tozero"},
    }
    return Plot(name, [trace], layout, size="half", height=220)


def steps(title: str) -> Values:
    """The axis of steps: from 0, and to 10 at least, so that the first few are whole numbers too."""
    return {"title": {"text": title}, "rangemode": "tozero", "autorangeoptions": {"include": [0, 10]}}


def network(params: Params, words: Words) -> Graph:
    """The chosen network as a chain; a click on a layer shows its maps. Even nodes stand lower, to make room."""
    say = words.figures["network"].labels
    rows: list[tuple[str, Shape, int]] = [("image", (3, SIZES[params.data], SIZES[params.data]), 0)]
    rows += [(layer.name, shape, count) for layer, shape, count in table(params.network, params.data)]
    last = len(rows) - 1
    nodes = [
        {
            "id": name,
            "label": say["image"] if name == "image" else name,
            "note": "×".join(map(str, shape)) + (f" · {count:,}" if count else ""),
            "x": 0.05 + 0.9 * place / last,
            "y": 0.35 if place % 2 == 0 else 0.65,
        }
        for place, (name, shape, count) in enumerate(rows)
    ]
    edges = [{"from": rows[place][0], "to": rows[place + 1][0], "label": ""} for place in range(last)]
    return Graph("network", nodes, edges, height=180, picks=Ask("maps", {"layer": "node"}))


def update(params: Params, tick: Tick) -> list[Patch]:
    """The pictures of a frame: filters, maps, confusion counts and the held-out images."""
    arrays = tick.arrays
    if not arrays:
        return []
    return [
        Patch("filters", {"tiles": arrays["filters"], "say": {"filters": len(arrays["filters"])}}),
        maps(params, arrays["maps"], layer=0, image=int(arrays["index"][0])),
        confusion(arrays["counts"]),
        strip("held", arrays),
    ]


def answer(params: Params, name: str, args: Mapping[str, Any], arrays: Arrays) -> list[Patch]:
    """The pictures that `compute.look` answered with."""
    if name == "maps":
        return [maps(params, arrays["maps"], int(arrays["layer"]), int(arrays["index"][0]))]
    if name == "cell":
        place = [0, int(args.get("true", 0)), int(args.get("guess", 0))]
        return [strip("cell", arrays, count=int(arrays["count"])), Patch("confusion", {"select": place})]
    if name == "classify":
        return [strip("own", {**arrays, "labels": np.array([-1])})]
    if name == "augment":
        return [Patch("augment", {"images": arrays["images"]})]
    if name == "image":
        return [strip("held", arrays)]
    raise Problem(f"There is no question named {name!r:.40} here.", f"这里没有名为 {name!r:.40} 的提问。")


def maps(params: Params, tiles: Array, layer: int, image: int) -> Patch:
    """Activation maps (channels, rows, columns); `layer` counts the layers that have maps, from 0."""
    say = {
        "channels": len(tiles),
        "layer": shown(params.network)[layer],
        "image": image,
        "rows": tiles.shape[1],
        "silent": int((tiles.max((1, 2)) <= 0).sum()),
    }
    return Patch("maps", {"tiles": tiles.astype(np.float32), "say": say})


def confusion(counts: Array) -> Patch:
    """Counts (10, 10) with how many were right, and how often the commonest mistake was made."""
    wrong = counts - np.diag(np.diag(counts))
    say = {"right": int(np.trace(counts)), "total": int(counts.sum()), "worst": int(wrong.max())}
    return Patch("confusion", {"tiles": counts[None].astype(np.float32), "say": say})


def strip(figure: str, arrays: Mapping[str, Array], **say: int) -> Patch:
    """Images with what the network makes of them."""
    chances = arrays["chances"]
    guess = arrays.get("guesses", chances.argmax(1)).astype(np.int32)
    label = arrays["labels"].astype(np.int32)
    right = int((guess == label).sum())
    data: Values = {
        "images": arrays["images"],
        "label": label,
        "guess": guess,
        "probabilities": chances.astype(np.float32),
        "say": {"shown": len(guess), "right": right, "surest": float(chances.max()) if len(chances) else 0.0, **say},
    }
    if "index" in arrays:
        data["index"] = arrays["index"].astype(np.int32)
    return Patch(figure, data)
