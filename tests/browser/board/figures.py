"""A board with all seven kinds of figure, and runs made of plain formulas that move it."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from engine.types import Scalars
from lessons.board.colors import CATEGORIES, TRAIN, VALIDATION
from lessons.board.figures import (
    Ask,
    Choose,
    Figure,
    Graph,
    GraphEdge,
    GraphNode,
    Links,
    Map,
    Network,
    NetworkLayer,
    NetworkTool,
    NetworkUnit,
    Patch,
    Plot,
    Strip,
    Table,
    TableColumn,
)
from pages.ui.words import player

CLASSES = ["plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
FILTERS = 6
GAP = range(30, 36)  # steps whose validation loss is not a number
WORDS = {
    "contour": ("The valley and two ways down", "Click anywhere to choose another start.", ""),
    "relief": ("The same in three dimensions", "", ""),
    "loss": (
        "Loss by step",
        "Training blue, validation orange; the gap is where it was not a number.",
        "[diverged] It ran away at step {step}. || Loss fell from {first:loss} to {now:loss|4} by step {step}; "
        "flat since step {flat:loss}. || Loss fell from {first:loss} to {now:loss|4} by step {step}; "
        "lowest: {best:height.}.",
    ),
    "confusion": ("What is taken for what", "Pick a cell to see its images.", "{say:right|%} of all are right."),
    "filters": ("First-layer filters", "", ""),
    "boundary": ("What the network says everywhere", "", ""),
    "graph": ("One neuron taken apart", "Pick a node.", ""),
    "strip": ("Held-out images", "Green and ticked where right.", ""),
    "field": ("A field in bytes", "Blended, with dots on it.", ""),
    "close": ("One tile of it", "", ""),
    "links": ("Who looks at whom", "Point at a word.", "{say:most} gets most."),
    "table": ("Numbers by word", "Pick a row.", ""),
    "net": ("A network of three layers", "", ""),
    "plane": ("What it says", "", ""),
    "bound": ("Numbers of the moment", "", ""),
    "carried": ("Points to be carried", "", ""),
    "sketch": ("A line to be drawn", "", "Off by a factor of {say:off|6}. || Nothing drawn."),
}
LOOKING = ["we", "sat", "here"]
SEEN = ["we", "sat", "here", "."]
WEIGHTS = np.array([[0.7, 0.1, 0.2, 0.0], [0.25, 0.25, 0.25, 0.25], [0.0, 0.5, 0.0, 0.5]], np.float32)
SPAN = (-3.0, 5.0)
NET = np.array([1, -2, 0.5, 0.25, 3, 1, -1, 1, 0.5], np.float32)  # [[1, -2], [.5, .25]], [3, 1]; [[-1, 1]], [.5]
TILES = np.stack([np.tile(np.repeat(row, 2), (4, 1)) for row in ([0, 255], [128, 128], [255, 0])]).astype(np.uint8)
DOTS = np.array([[64, 64, 0], [192, 64, 1], [64, 192, 2], [192, 192, 3]], np.uint8)  # across, down, class


def figures() -> list[Figure]:
    """The board, in order."""
    x, y = np.linspace(-3, 3, 61), np.linspace(-2, 2, 41)
    z = 0.5 * x[None, :] ** 2 + 2.0 * y[:, None] ** 2
    paths: list[dict[str, Any]] = []
    solid: list[dict[str, Any]] = []
    for index, one in enumerate(("sgd", "momentum")):
        colour = CATEGORIES[index]
        bind = {"x": f"x.{one}", "y": f"y.{one}"}
        at = {key: [name] for key, name in bind.items()}
        common = {"type": "scatter", "line": {"color": colour, "width": 2}, "legendgroup": one}
        paths.append({**common, "name": one, "mode": "lines", "bind": bind})
        dot = {"color": colour, "size": 11}
        paths.append(
            {**common, "name": f"{one} now", "mode": "markers", "bind": at, "marker": dot, "showlegend": False}
        )
        line = {"color": colour, "width": 5}
        bind3 = {**bind, "z": f"height.{one}"}
        solid.append(
            {"type": "scatter3d", "mode": "lines", "name": one, "bind": bind3, "line": line, "showlegend": False}
        )
    contour = {
        "type": "contour",
        "name": "height",
        "x": x,
        "y": y,
        "z": z,
        "colorscale": "Greys",
        "opacity": 0.5,
        "showscale": False,
    }
    start = {
        "type": "scatter",
        "name": "start",
        "mode": "markers",
        "x": [-2.5],
        "y": [1.5],
        "marker": {"size": 12, "symbol": "circle-open", "color": "var(--st-text-color)"},
    }
    axes = {
        "xaxis": {"title": {"text": "x"}, "range": [-3, 3]},
        "yaxis": {"title": {"text": "y"}, "range": [-2, 2]},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    }
    surface = {
        "type": "surface",
        "name": "height",
        "x": x,
        "y": y,
        "z": z,
        "colorscale": "Greys",
        "showscale": False,
        "opacity": 0.85,
    }
    curves = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "training",
            "bind": {"x": "step", "y": "loss"},
            "line": {"color": TRAIN},
        },
        {
            "type": "scatter",
            "mode": "lines",
            "name": "validation",
            "bind": {"x": "step", "y": "val"},
            "line": {"color": VALIDATION},
        },
    ]
    nodes: list[GraphNode] = [
        {"id": "x1", "label": "x₁", "note": "input", "x": 0.08, "y": 0.2},
        {"id": "x2", "label": "x₂", "note": "input", "x": 0.08, "y": 0.8},
        {"id": "sum", "label": "sum", "note": "w·x + b", "x": 0.5, "y": 0.5},
        {"id": "relu", "label": "ReLU", "note": "", "x": 0.92, "y": 0.5},
    ]
    edges: list[GraphEdge] = [
        {"from": "x1", "to": "sum", "label": "w₁"},
        {"from": "x2", "to": "sum", "label": "w₂"},
        {"from": "sum", "to": "relu", "label": ""},
    ]
    cell = Ask("cell", {"truth": "row", "guess": "col"})
    return [
        Plot("contour", [contour, start, *paths], axes, "hero", 380, picks=Choose({"start_x": "x", "start_y": "y"})),
        Plot("relief", [surface, *solid], {"margin": {"l": 0, "r": 0, "t": 0, "b": 0}}, "third", 380),
        Plot(
            "loss",
            curves,
            {"xaxis": {"title": {"text": "step"}}, "yaxis": {"title": {"text": "loss"}}},
            "half",
            280,
            switch=True,
        ),
        Map(
            "confusion",
            rows=CLASSES,
            columns=CLASSES,
            row_title="is",
            column_title="taken for",
            numbers=True,
            height=320,
            picks=cell,
        ),
        Map("filters", "diverging", "all", tiles=[f"filter {i}" for i in range(FILTERS)], size="third", height=220),
        Map("boundary", "rgb", size="third", height=220, picks=Choose({"start_x": "x", "start_y": "y"})),
        Graph("graph", nodes, edges, "third", 220, Ask("node", {"node": "node"}, follow=False)),
        Strip("strip", CLASSES, "full", 150, Ask("image", {"index": "index"})),
    ]


def words() -> list[Figure]:
    """A second board: what has words in it, and a map of bytes."""
    columns: list[TableColumn] = [
        {"title": "share", "bar": "share"},
        {"title": "most", "bar": "most"},
        {"title": "signed", "bar": "signed"},
        {"title": "plain"},
    ]
    tiles = ["step {step}\nloss {now:loss|2} || nothing yet", "the other"]
    return [
        Map(
            "field",
            colours="diverging",
            tiles=tiles,
            height=240,
            smooth=True,
            span=SPAN,
            picks=Ask("tile", {"n": "tile"}),
        ),
        Map("close", colours="diverging", height=240, smooth=True, span=SPAN, shows="field"),
        Links("links", "looks", "is looked at", height=240, picks=Ask("pair", {"from": "from", "to": "to"})),
        Table("table", columns, "word", height=240, picks=Ask("row", {"row": "row", "word": "name"})),
        Table(
            "bound", columns[2:], nan="NaN", rows=["one", "two"], bind=[["loss", "val"], ["accuracy", None]], height=120
        ),
        Plot("carried", carried(), {"xaxis": {"range": [0, 4]}, "yaxis": {"range": [0, 10]}}, height=240),
        network(),
        Map("plane", colours="diverging", span=(0.0, 1.0), plane=(-3.0, 3.0), shows="net", height=240),
        Plot(
            "sketch", sketch(), {"xaxis": {"range": [0, 120]}, "yaxis": {"type": "log", "range": [-2, 1]}}, height=240
        ),
    ]


def network() -> Network:
    """Two inputs and one that is off, two units, one output."""
    still = [[-1.0, 1.0], [-1.0, 1.0]]
    inputs: list[NetworkUnit] = [
        {"label": one, "still": still, "off": one == "c", "sets": {"features": one}} for one in "abc"
    ]
    tools: list[NetworkTool] = [
        {"label": "+", "help": "more", "sets": {"hidden": "3"}},
        {"label": "−", "help": "less", "sets": None},
    ]
    layers: list[NetworkLayer] = [
        {"title": "in", "units": inputs},
        {"title": "hidden", "units": [{}, {}], "tools": tools},
        {"title": "out", "units": [{}]},
    ]
    words = {"unit": "unit {unit} of {layer}", "bias": "bias", "weight": "weight", "set": "set", "close": "close"}
    return Network("net", layers, words=words, edits="weights", size="half", height=300)


def carried() -> list[dict[str, Any]]:
    """A point to be carried both ways, and one that only goes up and down, as far as 8."""
    across = {"sets": "start_x", "from": 0.0, "to": 4.0, "by": 0.5}
    up = {"sets": "start_y", "from": 0.0, "to": 8.0, "by": 0.25}
    common = {"type": "scatter", "mode": "markers"}
    return [
        {**common, "name": "both", "x": [1.0], "y": [5.0], "hold": {"free": {"x": across, "y": up}}},
        {**common, "name": "upright", "x": [3.0], "y": [5.0], "hold": {"free": {"y": up}}},
    ]


def sketch() -> list[dict[str, Any]]:
    """The loss, whose trace a patch would find by its key, and a line to be drawn between 0.05 and 5."""
    common = {"type": "scatter", "mode": "lines"}
    return [
        {**common, "name": "the loss", "key": "loss", "bind": {"x": "step", "y": "loss"}},
        {
            **common,
            "name": "guess",
            "x": [0, 20, 40, 60, 80, 100, 120],
            "y": [None] * 7,
            "draw": {"sets": "guess", "from": 0.05, "to": 5.0, "against": "the loss", "say": "off"},
        },
    ]


def spec(language: str = "en", solid: bool = False, changed: bool = False, worded: bool = False) -> dict[str, Any]:
    """The board spec; `solid`: with the surface, which a browser without a graphics card is slow to start;
    `changed`: another title, without the filters, with one more curve; `worded`: the second board."""
    listed = []
    for figure in words() if worded else figures():
        title, caption, reading = WORDS[figure.id]
        if (changed and figure.id == "filters") or (not solid and figure.id == "relief"):
            continue
        plain = asdict(figure)
        if changed and figure.id == "loss":
            title = "Loss by step, again"
            twice = {"type": "scatter", "mode": "lines", "name": "accuracy", "bind": {"x": "step", "y": "accuracy"}}
            plain["traces"] = [*plain["traces"], twice]
        listed.append({**plain, "title": title, "caption": caption, "alt": f"{title}: a chart", "reading": reading})
    names = {"sgd": "SGD", "momentum": "Momentum"}
    return {"lesson": "demo", "figures": listed, "names": names, "ui": player(language), "language": language}


def scalars(step: int, diverged: bool = False) -> Scalars:
    """What is known after a step. The validation loss comes every other step."""
    out: Scalars = {"loss": 2.3 * math.exp(-step / 25) + 0.05, "accuracy": 1 - 0.9 * math.exp(-step / 40)}
    for one, rate, turn in (("sgd", 0.04, 0.0), ("momentum", 0.03, 0.25)):
        x, y = -2.5 * math.exp(-rate * step), 1.5 * math.exp(-2 * rate * step) * math.cos(turn * step)
        out |= {f"x.{one}": x, f"y.{one}": y, f"height.{one}": 0.5 * x * x + 2 * y * y}
    if step % 2 == 0:
        out["val"] = math.nan if step in GAP else 2.3 * math.exp(-step / 30) + 0.15
    if diverged and step > 50:
        out |= {"diverged": 1.0, "loss": math.inf}
    return out


def frame(step: int) -> list[Patch]:
    """Pictures of a step."""
    random = np.random.default_rng(5)
    share = 1 - 0.9 * math.exp(-step / 40)
    counts = np.round(100 * (share * np.eye(10) + (1 - share) / 10)).astype(np.int32)
    filters = (random.normal(size=(FILTERS, 5, 5)) * (0.2 + share)).astype(np.float16)
    filters[0, 0, 0] = np.nan
    x, y = np.meshgrid(np.linspace(-1, 1, 48), np.linspace(-1, 1, 48))
    inside = 1 / (1 + np.exp(-8 * share * (0.5 - x**2 - y**2 + 0.3 * np.sin(step / 15) * x)))
    blue, orange = np.array([47, 134, 214]), np.array([224, 123, 22])
    boundary = (inside[..., None] * blue + (1 - inside[..., None]) * orange).astype(np.uint8)[None]
    images, label = pictures(12)
    logits = 4 * share * np.eye(10)[label] + random.normal(size=(12, 10))
    odds = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    strip = {
        "images": images, "label": label, "guess": odds.argmax(1), "probabilities": odds.astype(np.float32),
        "index": np.arange(12, dtype=np.int64) + 100,
    }  # fmt: skip
    nodes = np.array([0.5, -1.0, 0.2 - share, max(0.0, 0.2 - share)], np.float64)
    return [
        Patch("confusion", {"tiles": counts[None], "say": {"right": float(counts.trace() / counts.sum())}}),
        Patch("filters", {"tiles": filters}),
        Patch("boundary", {"tiles": boundary}),
        Patch("graph", {"nodes": nodes, "edges": np.array([0.8, -share, share])}),
        Patch("strip", strip),
        Patch("field", {"tiles": field(), "dots": DOTS}),
        Patch("links", {"left": LOOKING, "right": SEEN, "weights": WEIGHTS, "say": {"most": "we"}}),
        Patch("table", {"names": SEEN, "values": table(1.0), "select": 1}),
        Patch("net", {"sizes": [2, 2, 1], "weights": NET, "tiles": TILES, "scale": np.array([1.0, 2.0, 0.5])}),
        Patch("plane", {"tiles": np.full((1, 4, 4), 255, np.uint8)}),
        Patch("sketch", {"line.width": 3}, "loss"),
    ]


def field() -> Any:
    """Two tiles (2, 4, 4): a checkerboard of both ends of the span, and a ramp through its bytes."""
    board = 255 * (np.indices((4, 4)).sum(0) % 2)
    return np.stack([board, np.arange(16).reshape(4, 4) * 17]).astype(np.uint8)


def table(factor: float) -> Any:
    """A row of four numbers for each word."""
    values = np.array([[0.5, 2.0, -0.5, 1e-9], [1.0, -4.0, 0.25, 123456.0], [0.0, np.nan, 1.0, -1.5], [0.25, 1, 0, 7]])
    return (factor * values).astype(np.float64)


def answer(name: str, args: dict[str, Any], step: int) -> list[Patch]:
    """What a question brings: a cell marks itself and fills the strip with as many images as its column says."""
    if name == "cell":
        row, column = int(args["truth"]), int(args["guess"])
        n = column + 1
        images, _ = pictures(n)
        found = {
            "images": images,
            "label": np.full(n, row),
            "guess": np.full(n, column),
            "probabilities": np.zeros((n, 0)),
            "index": np.arange(n),
        }
        return [Patch("confusion", {"select": np.array([0, row, column], np.int32)}), Patch("strip", found)]
    if name == "pair":
        place = [int(args.get("from", 0)), int(args.get("to", 0))]
        return [Patch("links", {"select": place}), Patch("table", {"values": table(10.0), "select": place[1]})]
    if name == "row":
        return [Patch("table", {"values": table(100.0), "select": int(args["row"])})]
    if name == "image":
        return [Patch("filters", {"tiles": np.full((1, 4, 4), float(args["index"]))})]
    return []


def pictures(n: int) -> tuple[Any, Any]:
    """n small pictures, each class with its colour, and their classes."""
    random = np.random.default_rng(3)
    label = np.arange(n) % 10
    base = np.array([[47, 134, 214], [224, 123, 22], [26, 158, 119], [200, 84, 155], [143, 111, 209]])[label % 5]
    noise = random.integers(-40, 40, size=(n, 32, 32, 1))
    ramp = np.linspace(-50, 50, 32)[None, :, None, None]
    return np.clip(base[:, None, None, :] + noise + ramp, 0, 255).astype(np.uint8), label
