"""The board of the CIFAR-10 lesson."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.datasets import cifar10, digits
from engine.types import Array, Arrays, Tick, Values
from lessons.board import marks
from lessons.board.colors import TRAIN, VALIDATION
from lessons.board.figures import Ask, Figure, Graph, GraphEdge, GraphNode, Map, Patch, Plot, Size, Strip
from lessons.board.marks import Axis, Layout, Trace
from lessons.cifar10.architecture import SIZES, Shape, shown, table
from lessons.cifar10.params import Params
from lessons.contract import Query, unknown_query
from lessons.text import Words

TEST = "#7a7a7a"
EMPTY: Trace = {"x": [], "y": []}  # what a curve shows before its run has begun


def draw(params: Params, words: Words) -> dict[str, Figure]:
    """The figures in order of importance."""
    classes = class_names(params, words)
    labels = words.figures["confusion"].labels
    share = marks.axis(words.figures["accuracy"].labels["y"], range=[0, 1], percent=True)
    loss = marks.axis(words.figures["loss"].labels["y"], from_zero=True)
    figures: list[Figure] = [
        curves("accuracy", words, share, size="hero", height=340),
        Strip("held", classes, height=170, picks=Ask("maps", {"image": "index"})),
        network(params, words),
        Map("maps", limits="each", height=260, size="half"),
        Map("filters", colours="rgb", height=260, size="half"),
        Map(
            "confusion",
            rows=classes,
            columns=classes,
            row_title=labels["true"],
            column_title=labels["guess"],
            numbers=True,
            size="half",
            height=400,
            picks=Ask("cell", {"true": "row", "guess": "col"}),
        ),
        curves("loss", words, loss),
        Strip("cell", classes, height=170, picks=Ask("maps", {"image": "index"})),
        Strip("augment", height=110),
        single("lr", "lr", words),
        single("speed", "images_per_s", words),
    ]
    if params.picture:
        figures.insert(2, Strip("own", classes, height=190))
    return {figure.id: figure for figure in figures}


def asks(params: Params) -> list[Query]:
    """Questions that stand as long as the page is open: they are asked at once, and again when the settings change."""
    standing: list[Query] = [{"name": "augment", "args": {"image": 0}}]
    if params.picture:
        standing.append({"name": "classify", "args": {"picture": params.picture}})
    return standing


def class_names(params: Params, words: Words) -> list[str]:
    """The ten classes in the page's language."""
    if params.data == "digits":
        return list(digits.CLASSES)
    return [words.figures["held"].labels[name] for name in cifar10.CLASSES]


def curves(name: str, words: Words, up: Axis, size: Size = "half", height: int = 400) -> Plot:
    """`name` ("loss" or "accuracy") of the minibatches, of the validation images, and at last of the test images."""
    labels = words.figures[name].labels
    hover = f"%{{x}}: %{{y:{'.1%' if name == 'accuracy' else '.4f'}}}"
    dot, star = marks.dot(size=7), marks.dot(TEST, 13, "star")
    validation, test = f"val_{name}", f"test_{name}"
    traces = [
        marks.line(labels["train"], TRAIN, y=name, width=1, hover=hover, opacity=0.75),
        marks.line(labels["validation"], VALIDATION, y=validation, width=2.5, dots=dot, hover=hover, cliponaxis=False),
        marks.dots(labels["test"], star, y=test, hover=hover, cliponaxis=False),
    ]
    layout = marks.guide(float(np.log(10)), labels["guessing"], TEST) if name == "loss" else Layout()
    empty = [trace | EMPTY for trace in traces]
    return marks.plot(name, empty, steps(labels["x"]), up, size=size, height=height, switch=name == "loss", **layout)


def single(name: str, scalar: str, words: Words) -> Plot:
    """One measured number by step."""
    labels = words.figures[name].labels
    curve = marks.line(labels["y"], TRAIN, y=scalar, width=1.5, showlegend=False) | EMPTY
    return marks.plot(name, [curve], steps(labels["x"]), marks.axis(labels["y"], from_zero=True), height=220)


def steps(title: str) -> Axis:
    """The axis of steps: from 0, and to 10 at least, so that the first few are whole numbers too."""
    return marks.axis(title, from_zero=True, autorangeoptions={"include": [0, 10]})


def network(params: Params, words: Words) -> Graph:
    """The chosen network as a chain; a click on a layer shows its maps. Even nodes stand lower, to make room."""
    labels = words.figures["network"].labels
    rows: list[tuple[str, Shape, int]] = [("image", (3, SIZES[params.data], SIZES[params.data]), 0)]
    rows += [(layer.name, shape, count) for layer, shape, count in table(params.network, params.data)]
    last = len(rows) - 1
    nodes: list[GraphNode] = [
        {
            "id": name,
            "label": labels["image"] if name == "image" else name,
            "note": "×".join(map(str, shape)) + (f" · {count:,}" if count else ""),
            "x": 0.05 + 0.9 * place / last,
            "y": 0.35 if place % 2 == 0 else 0.65,
        }
        for place, (name, shape, count) in enumerate(rows)
    ]
    edges: list[GraphEdge] = [{"from": rows[place][0], "to": rows[place + 1][0], "label": ""} for place in range(last)]
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


def answer(params: Params, name: str, args: Values, arrays: Arrays) -> list[Patch]:
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
    raise unknown_query(name)


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
