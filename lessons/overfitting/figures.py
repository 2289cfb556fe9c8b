"""The board of the overfitting lesson."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.types import Arrays, Tick, Values
from lessons.board import marks
from lessons.board.colors import CATEGORIES, GREY, TRAIN, VALIDATION
from lessons.board.figures import Figure, Patch, Plot
from lessons.board.handles import Sketch
from lessons.board.marks import Trace, now, rounded
from lessons.contract import Query, unknown_query
from lessons.overfitting.params import BINS, COLUMNS, Params, drawn
from lessons.overfitting.points import GRID, PLACES, sample, truth
from lessons.text import Words

GREEN, PINK, PURPLE = CATEGORIES[2], CATEGORIES[3], CATEGORIES[4]
BIAS, VARIANCE = CATEGORIES[5], CATEGORIES[7]
ERRORS = (0.001, 20.0)  # of the charts of errors, which are logarithmic
LEAST = 1e-6  # errors below are zero but for rounding
ASKED = ("points", "noise", "curve", "truth", "ridge", "seed")
DIGITS = 6


def draw(params: Params, words: Words) -> dict[str, Figure]:
    """The figures in order of importance."""
    figures = [fit(params, words), curves(params, words), parts(params, words)]
    figures += [descent(params, words), weights(words)]
    figures += [seeds(params, words)] if params.seeds > 1 else []
    return {figure.id: figure for figure in figures}


def asks(params: Params) -> list[Query]:
    """Double descent is no part of the run: it is asked for once, and again when one of its settings changes."""
    return [{"name": "descent", "args": {name: getattr(params, name) for name in ASKED}, "once": True}]


def line(name: str, color: str, width: float = 2.5, **more: Any) -> Trace:
    """A curve whose number is named where the pointer is."""
    return marks.line(name, color, width=width, hover=f"{name}: %{{y:.4~g}}<extra></extra>", **more)


def area(name: str, color: str, fill: str, key: str, x: list[float]) -> Trace:
    """The space between two curves, in the see-through colour `fill`."""
    edge = line(name, color, 0, key=key, x=x, y=[], fill="toself", fillcolor=fill)
    return edge | {"hoverinfo": "skip"}


def fit(params: Params, words: Words) -> Plot:
    """The true curve, what all networks make of their points, and one network with its own points."""
    labels = words.figures["fit"].labels
    own = sample(params, params.seed, 0)
    x = rounded(GRID, DIGITS)
    place = "(%{x:.2f}, %{y:.2f})<extra></extra>"
    y, held_y = rounded(own.y, DIGITS), rounded(own.held_y, DIGITS)
    traces = [
        area(labels["spread"], TRAIN, "rgba(47, 134, 214, 0.22)", "spread", [*x, *reversed(x)]),
        line(labels["truth"], GREY, 2, x=x, y=rounded(truth(params, GRID), DIGITS), dash="dash"),
        line(labels["mean"], TRAIN, key="mean", x=x, y=[]),
        line(labels["one"], PINK, 2, key="one", x=x, y=[]),
        marks.dots(labels["points"], marks.dot(PINK, 8, edge=1), x=rounded(own.x, DIGITS), y=y, hover=place),
    ]
    if params.early:
        ring = marks.dot(PINK, 9, "circle-open", edge=2, edge_color="")
        traces.append(marks.dots(labels["held"], ring, x=rounded(own.held_x, DIGITS), y=held_y, hover=place))
    if params.curve == "drawn":
        sketch = Sketch("truth", -1.9, 1.9)
        drawing = {"x": rounded(PLACES, DIGITS), "y": drawn(params.truth)}
        traces.append(line(labels["drawn"], GREY, 1, **drawing, dash="dot", draw=sketch))
    across, up = marks.axis(labels["x"], range=[-1.05, 1.05]), marks.axis(labels["y"], range=[-2.2, 2.2])
    return marks.plot("fit", traces, across, up, size="hero", height=420)


def curves(params: Params, words: Words) -> Plot:
    """Training and test error by step, and what the learner expects of the latter."""
    labels = words.figures["curves"].labels
    places = [round(params.steps * k / (COLUMNS - 1)) for k in range(COLUMNS)]
    star, hover = marks.dot(VALIDATION, 13, "star", edge=1), f"{labels['best']}: %{{y:.4~g}} (%{{x}})<extra></extra>"
    sketch = Sketch("guess", *ERRORS, against=labels["test"], say="off")
    traces = [
        line(labels["train"], TRAIN, y="train"),
        line(labels["test"], VALIDATION, y="test"),
        *([line(labels["validation"], GREEN, 1.5, y="validation")] if params.early else []),
        marks.dots(labels["best"], star, x=now("best_step"), y=now("best"), hover=hover),
        line(labels["guess"], PURPLE, x=places, y=drawn(params.guess), dash="dash", draw=sketch),
    ]
    across = marks.axis(labels["x"], range=[0, params.steps])
    up = marks.axis(labels["y"], log=True, range=np.log10(ERRORS).tolist(), dtick=1)
    return marks.plot("curves", traces, across, up, height=330)


def parts(params: Params, words: Words) -> Plot:
    """Noise, bias² and variance upon each other: together the test error, without the variance that of the mean."""
    labels = words.figures["parts"].labels
    colors = {"noise": GREY, "bias2": BIAS, "variance": VARIANCE}
    traces = [line(labels[part], color, 1, y=part, stackgroup="error") for part, color in colors.items()]
    across, up = marks.axis(labels["x"], range=[0, params.steps]), marks.axis(labels["y"], from_zero=True)
    return marks.plot("parts", traces, across, up, hovermode="x unified", height=320)


def seeds(params: Params, words: Words) -> Plot:
    """The test error of every network."""
    labels = words.figures["seeds"].labels
    traces = [marks.band(labels["test"], "test.", VALIDATION), line(labels["bagged"], GREEN, y="bagged")]
    across, up = marks.axis(labels["x"], range=[0, params.steps]), marks.axis(labels["y"], log=True, dtick=1)
    return marks.plot("seeds", traces, across, up, height=320, switch=True)


def weights(words: Words) -> Plot:
    """Where the weights of all networks lie."""
    labels = words.figures["weights"].labels
    edges = np.array(BINS)
    middles = rounded((edges[1:] + edges[:-1]) / 2, DIGITS)
    hover = "%{x:.1f}: %{y:.1%}<extra></extra>"
    shares = marks.bars(labels["weights"], TRAIN, key="weights", x=middles, y=[], hover=hover, showlegend=False)
    across = marks.axis(labels["x"], range=[1.02 * BINS[0], 1.02 * BINS[-1]])
    return marks.plot("weights", [shares], across, marks.axis(labels["y"], percent=True, from_zero=True), bargap=0.05)


def descent(params: Params, words: Words) -> Plot:
    """Error by number of features: down, up to the peak where there are as many as points, and down again."""
    labels = words.figures["descent"].labels
    traces = [
        area(labels["middle"], VALIDATION, "rgba(224, 123, 22, 0.2)", "middle", []),
        line(labels["train"], TRAIN, key="train", x=[], y=[]),
        line(labels["test"], VALIDATION, key="test", x=[], y=[]),
        line(labels["ridge"].replace("{ridge}", f"{params.ridge:g}"), GREEN, key="ridge", x=[], y=[]),
        line(labels["peak"], GREY, 1, key="peak", x=[], y=[], dash="dot"),
    ]
    across, up = (marks.axis(labels[end], log=True, dtick=1) for end in ("x", "y"))
    return marks.plot("descent", traces, across, up | {"range": [-2.2, 4]}, height=320)


def update(params: Params, tick: Tick) -> list[Patch]:
    """The curves of the moment and the weights."""
    if not tick.arrays:
        return []
    mean, spread = tick.arrays["mean"], tick.arrays["spread"]
    around = np.concatenate([mean + spread, (mean - spread)[::-1]])
    return [
        Patch("fit", {"y": around}, "spread"),
        Patch("fit", {"y": mean}, "mean"),
        Patch("fit", {"y": tick.arrays["one"]}, "one"),
        Patch("weights", {"y": tick.arrays["weights"]}, "weights"),
    ]


def answer(params: Params, name: str, args: Values, arrays: Arrays) -> list[Patch]:
    """The errors by number of features."""
    if name != "descent":
        raise unknown_query(name)
    sizes, test = arrays["sizes"], arrays["test"]
    points = int(arrays["points"])
    few = sizes <= points
    around = {"x": np.concatenate([sizes, sizes[::-1]]), "y": np.concatenate([arrays["high"], arrays["low"][::-1]])}
    middle = Patch("descent", around, "middle").say(
        points=points,
        peak=int(sizes[test.argmax()]),
        highest=float(test.max()),
        before=float(test[few].min()),
        end=float(test[-1]),
        most=int(sizes[-1]),
        ridge=float(arrays["ridge"].max()),
    )
    return [
        middle,
        Patch("descent", {"x": sizes, "y": np.where(arrays["train"] > LEAST, arrays["train"], np.nan)}, "train"),
        Patch("descent", {"x": sizes, "y": test}, "test"),
        Patch("descent", {"x": sizes, "y": arrays["ridge"]}, "ridge"),
        Patch("descent", {"x": [points, points], "y": [LEAST, 1e6]}, "peak"),
    ]
