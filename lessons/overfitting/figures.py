"""The board of the overfitting lesson."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.types import Arrays, Problem, Tick, Values
from lessons.board.figures import CATEGORIES, TRAIN, VALIDATION, Figure, Patch, Plot, band
from lessons.overfitting.params import BINS, COLUMNS, Params, drawn
from lessons.overfitting.points import GRID, PLACES, Floats, sample, truth
from lessons.text import Words

GREY = "#8a8f98"
GREEN, PINK, PURPLE = CATEGORIES[2], CATEGORIES[3], CATEGORIES[4]
BIAS, VARIANCE = CATEGORIES[5], CATEGORIES[7]
ERRORS = (0.001, 20.0)  # of the charts of errors, which are logarithmic
LEAST = 1e-6  # errors below are zero but for rounding
ASKED = ("points", "noise", "curve", "truth", "ridge", "seed")


def draw(params: Params, words: Words) -> dict[str, Figure]:
    """The figures in order of importance."""
    figures = [fit(params, words), curves(params, words), parts(params, words)]
    figures += [descent(params, words), weights(words)]
    figures += [seeds(params, words)] if params.seeds > 1 else []
    return {figure.id: figure for figure in figures}


def asks(params: Params) -> list[Values]:
    """Double descent is no part of the run: it is asked for once, and again when one of its settings changes."""
    return [{"name": "descent", "args": {name: getattr(params, name) for name in ASKED}, "once": True}]


def line(name: str, colour: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "line": {"width": 2.5, "color": colour, **more.pop("line", {})},
        "hovertemplate": f"{name}: %{{y:.4~g}}<extra></extra>",
        **more,
    }


def fit(params: Params, words: Words) -> Plot:
    """The true curve, what all networks make of their points, and one network with its own points."""
    say = words.figures["fit"].labels
    own = sample(params, params.seed, 0)
    x = digits(GRID)
    dots = {"type": "scatter", "mode": "markers", "hovertemplate": "(%{x:.2f}, %{y:.2f})<extra></extra>"}
    traces: list[dict[str, Any]] = [
        {
            **line(say["spread"], TRAIN, key="spread", line={"width": 0}),
            "x": [*x, *reversed(x)],
            "y": [],
            "fill": "toself",
            "fillcolor": "rgba(47, 134, 214, 0.22)",
            "hoverinfo": "skip",
        },
        line(say["truth"], GREY, x=x, y=digits(truth(params, GRID)), line={"dash": "dash", "width": 2}),
        line(say["mean"], TRAIN, key="mean", x=x, y=[]),
        line(say["one"], PINK, key="one", x=x, y=[], line={"width": 2}),
        {
            **dots,
            "name": say["points"],
            "x": digits(own.x),
            "y": digits(own.y),
            "marker": {"size": 8, "color": PINK, "line": {"width": 1, "color": "#ffffff"}},
        },
    ]
    if params.early:
        mark = {"size": 9, "symbol": "circle-open", "color": PINK, "line": {"width": 2}}
        traces.append({**dots, "name": say["held"], "x": digits(own.held_x), "y": digits(own.held_y), "marker": mark})
    if params.curve == "drawn":
        stroke = line(say["drawn"], GREY, x=digits(PLACES), y=drawn(params.truth), line={"width": 1, "dash": "dot"})
        traces.append(stroke | {"draw": {"sets": "truth", "from": -1.9, "to": 1.9}})
    layout = {
        "xaxis": {"title": {"text": say["x"]}, "range": [-1.05, 1.05]},
        "yaxis": {"title": {"text": say["y"]}, "range": [-2.2, 2.2]},
    }
    return Plot("fit", traces, layout, "hero", 420)


def curves(params: Params, words: Words) -> Plot:
    """Training and test error by step, and what the learner expects of the latter."""
    say = words.figures["curves"].labels
    steps = {"x": "step"}
    places = [round(params.steps * k / (COLUMNS - 1)) for k in range(COLUMNS)]
    traces = [
        line(say["train"], TRAIN, bind={**steps, "y": "train"}),
        line(say["test"], VALIDATION, bind={**steps, "y": "test"}),
        {
            "type": "scatter",
            "mode": "markers",
            "name": say["best"],
            "bind": {"x": ["best_step"], "y": ["best"]},
            "marker": {"size": 13, "symbol": "star", "color": VALIDATION, "line": {"width": 1, "color": "#ffffff"}},
            "hovertemplate": f"{say['best']}: %{{y:.4~g}} (%{{x}})<extra></extra>",
        },
        line(say["guess"], PURPLE, x=places, y=drawn(params.guess), line={"dash": "dash"})
        | {"draw": {"sets": "guess", "from": ERRORS[0], "to": ERRORS[1], "against": say["test"], "say": "off"}},
    ]
    if params.early:
        traces.insert(2, line(say["validation"], GREEN, bind={**steps, "y": "validation"}, line={"width": 1.5}))
    layout = {
        "xaxis": {"title": {"text": say["x"]}, "range": [0, params.steps]},
        "yaxis": {"title": {"text": say["y"]}, "type": "log", "range": np.log10(ERRORS).tolist(), "dtick": 1},
    }
    return Plot("curves", traces, layout, "half", 330)


def parts(params: Params, words: Words) -> Plot:
    """Noise, bias² and variance upon each other: together the test error, without the variance that of the mean."""
    say = words.figures["parts"].labels
    shown = {"noise": GREY, "bias2": BIAS, "variance": VARIANCE}
    traces = [
        line(say[one], colour, bind={"x": "step", "y": one}, stackgroup="error", line={"width": 1})
        for one, colour in shown.items()
    ]
    layout = {
        "xaxis": {"title": {"text": say["x"]}, "range": [0, params.steps]},
        "yaxis": {"title": {"text": say["y"]}, "rangemode": "tozero"},
        "hovermode": "x unified",
    }
    return Plot("parts", traces, layout, "half", 320)


def seeds(params: Params, words: Words) -> Plot:
    """The test error of every network."""
    say = words.figures["seeds"].labels
    every = band(say["test"], "test.", VALIDATION)
    bagged = line(say["bagged"], GREEN, bind={"x": "step", "y": "bagged"})
    layout = {
        "xaxis": {"title": {"text": say["x"]}, "range": [0, params.steps]},
        "yaxis": {"title": {"text": say["y"]}, "type": "log", "dtick": 1},
    }
    return Plot("seeds", [every, bagged], layout, "half", 320, switch=True)


def weights(words: Words) -> Plot:
    """Where the weights of all networks lie."""
    say = words.figures["weights"].labels
    edges = np.array(BINS)
    middles = digits((edges[1:] + edges[:-1]) / 2)
    bars = {
        "type": "bar",
        "name": say["weights"],
        "key": "weights",
        "x": middles,
        "y": [],
        "marker": {"color": TRAIN},
        "hovertemplate": "%{x:.1f}: %{y:.1%}<extra></extra>",
        "showlegend": False,
    }
    layout = {
        "xaxis": {"title": {"text": say["x"]}, "range": [1.02 * BINS[0], 1.02 * BINS[-1]]},
        "yaxis": {"title": {"text": say["y"]}, "tickformat": ".0%", "rangemode": "tozero"},
        "bargap": 0.05,
    }
    return Plot("weights", [bars], layout, "half", 300)


def descent(params: Params, words: Words) -> Plot:
    """Error by number of features: down, up to the peak where there are as many as points, and down again."""
    say = words.figures["descent"].labels
    traces = [
        {
            **line(say["middle"], VALIDATION, key="middle", line={"width": 0}),
            "x": [],
            "y": [],
            "fill": "toself",
            "fillcolor": "rgba(224, 123, 22, 0.2)",
            "hoverinfo": "skip",
        },
        line(say["train"], TRAIN, key="train", x=[], y=[]),
        line(say["test"], VALIDATION, key="test", x=[], y=[]),
        line(say["ridge"].replace("{ridge}", f"{params.ridge:g}"), GREEN, key="ridge", x=[], y=[]),
        line(say["peak"], GREY, key="peak", x=[], y=[], line={"width": 1, "dash": "dot"}),
    ]
    layout = {
        "xaxis": {"title": {"text": say["x"]}, "type": "log", "dtick": 1},
        "yaxis": {"title": {"text": say["y"]}, "type": "log", "range": [-2.2, 4], "dtick": 1},
    }
    return Plot("descent", traces, layout, "half", 320)


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


def answer(params: Params, name: str, args: Mapping[str, Any], arrays: Arrays) -> list[Patch]:
    """The errors by number of features."""
    if name != "descent":
        raise Problem(f"There is no question named {name!r:.40} here.", f"这里没有名为 {name!r:.40} 的提问。")
    sizes, test = arrays["sizes"], arrays["test"]
    points = int(arrays["points"])
    peak = int(sizes[test.argmax()])
    after = sizes > points
    say = {
        "points": points,
        "peak": peak,
        "highest": float(test.max()),
        "before": float(test[~after].min()),
        "end": float(test[-1]),
        "most": int(sizes[-1]),
        "ridge": float(arrays["ridge"].max()),
    }
    return [
        Patch(
            "descent",
            {
                "x": np.concatenate([sizes, sizes[::-1]]),
                "y": np.concatenate([arrays["high"], arrays["low"][::-1]]),
                "say": say,
            },
            "middle",
        ),
        Patch("descent", {"x": sizes, "y": np.where(arrays["train"] > LEAST, arrays["train"], np.nan)}, "train"),
        Patch("descent", {"x": sizes, "y": test}, "test"),
        Patch("descent", {"x": sizes, "y": arrays["ridge"]}, "ridge"),
        Patch("descent", {"x": [points, points], "y": [LEAST, 1e6]}, "peak"),
    ]


def digits(found: Floats) -> list[float]:
    """Six significant digits: short as JSON, and more than a screen shows."""
    return [float(f"{one:.6g}") for one in found.tolist()]
