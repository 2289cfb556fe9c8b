"""The board of the backpropagation lesson."""

from __future__ import annotations

import math

import numpy as np

from engine.types import Arrays, Problem, Tick, Values
from lessons.backprop.graph import expression_numbers, graph, network_numbers
from lessons.backprop.moment import Moment, line
from lessons.backprop.params import ACTIVATIONS, Params
from lessons.backprop.tape import pretty
from lessons.backprop.terms import rows, terms
from lessons.board import marks
from lessons.board.colors import CATEGORIES, TRAIN, VALIDATION
from lessons.board.figures import Figure, Patch, Plot
from lessons.board.marks import Axis, positive
from lessons.contract import Query, unknown_query
from lessons.text import Words

COLOR = dict(zip(ACTIVATIONS, CATEGORIES, strict=False))
PRECISIONS = {"float64": "double", "float32": "single"}  # the trace of each, and its array in an answer
DIGITS = 10


def draw(params: Params, words: Words) -> dict[str, Figure]:
    """The figures in order of importance."""
    figures: list[Figure] = [graph(params), terms(words), check(words), loss(params, words)]
    if params.what == "network":
        figures += [norms(params, words), deep(params, words)]
    return {figure.id: figure for figure in figures}


def asks(params: Params) -> list[Query]:
    """The first weight is checked until another number is picked; the deep network is no part of the run."""
    tape = params.tape
    queries: list[Query] = [{"name": "check", "args": {"name": tape.nodes[tape.learnt[0]].name}}]
    if params.what == "network":
        settings = {name: getattr(params, name) for name in ("init", "layers", "seed")}
        queries.append({"name": "depth", "args": {**settings, "functions": list(params.functions)}, "once": True})
    return queries


def remarks(params: Params) -> list[Problem]:
    """Numbers that were set for something that is not there."""
    idle = [name for name in params.chosen if name not in {params.tape.nodes[i].name for i in params.tape.given}]
    if not idle:
        return []
    listed = ", ".join(idle[:6])
    return [
        Problem(
            f"There is nothing named {listed} here to set; it has no effect for now. In a network the names are "
            "x1, y1, x1h2 (a weight), bh2 (a bias); in an expression its letters.",
            f"这里没有名为 {listed} 的数，暂时不起作用。网络里的名字是 x1、y1、x1h2（权重）、bh2（偏置）；"
            "表达式里就是它的字母。",
        )
    ]


def check(words: Words) -> Plot:
    """How far finite differences are from the gradient, by ε, in both precisions."""
    labels = words.figures["check"].labels
    dot, hover = marks.dot(size=5), "ε = %{x:.1e}: %{y:.2e}"
    traces = [
        marks.line(precision, color, x=[], y=[], dots=dot, hover=hover)
        for precision, color in zip(PRECISIONS, (TRAIN, VALIDATION), strict=True)
    ]
    across = marks.axis(labels["x"], log=True, powers=True, dtick=2)
    return marks.plot("check", traces, across, marks.axis(labels["y"], log=True, powers=True, nticks=8))


def rounds(title: str, params: Params) -> Axis:
    """The axis of rounds, which are forward, backward and update together."""
    last = math.ceil(params.steps / len(params.tape.operations(params.grain)))
    return marks.axis(title, range=[0.5, last + 0.5])


def loss(params: Params, words: Words) -> Plot:
    """The loss, or the value of the expression, round by round."""
    labels, network = words.figures["loss"].labels, params.what == "network"
    curve = marks.line("L", TRAIN, x="round", y="loss", dots={}, hover="%{y:.6f}")
    up = marks.axis(labels["y"], from_zero=network)
    return marks.plot("loss", [curve], rounds(labels["x"], params), up, switch=network)


def norms(params: Params, words: Words) -> Plot:
    """The size of each layer's gradient of this network, round by round."""
    labels = words.figures["norms"].labels
    traces = [
        marks.line(
            f"{labels['layer']} {layer}",
            CATEGORIES[layer - 1],
            x="round",
            y=f"norm.{layer}",
            dots={},
            hover="%{y:.4g}",
        )
        for layer in range(1, len(params.tape.sizes))
    ]
    up = marks.axis(labels["y"], log=True, powers=True)
    return marks.plot("norms", traces, rounds(labels["x"], params), up)


def deep(params: Params, words: Words) -> Plot:
    """The size of each layer's gradient of a deep network that is not trained."""
    labels = words.figures["deep"].labels
    dot = marks.dot(size=4)
    traces = [
        marks.line(function, COLOR[function], x=[], y=[], dots=dot, hover="%{y:.4g}") for function in params.functions
    ]
    across = marks.axis(labels["x"], range=[0.5, params.layers + 0.5])
    return marks.plot("deep", traces, across, marks.axis(labels["y"], log=True, powers=True, nticks=8))


def update(params: Params, tick: Tick) -> list[Patch]:
    """All numbers on the graph, and the operation of this step in words and in a table."""
    if not tick.arrays:
        return []
    now = Moment(params, tick)
    picture = network_numbers(now) if now.tape.sizes else expression_numbers(now)
    names, values = rows(now)
    given = {now.tape.nodes[i].name: float(now.values[i]) for i in now.tape.given}
    reading = {"line": line(now), "step": float(tick.step)}
    return [
        Patch("graph", {**picture, "given": given, "back": now.operation.phase == "backward", "say": reading}),
        Patch("terms", {"names": names, "values": values, "say": reading}),
    ]


def answer(params: Params, name: str, args: Values, arrays: Arrays) -> list[Patch]:
    """The check of a gradient, and the gradients of the deep network; zero has no place on a logarithmic axis."""
    if name == "check":
        return checked_gradient(params, arrays)
    if name == "depth":
        functions, sizes = list(args.get("functions", Params().functions)), arrays["norms"]
        layers = np.arange(1, sizes.shape[1] + 1)
        patches = [
            Patch("deep", {"x": layers, "y": positive(norm, DIGITS)}, function)
            for function, norm in zip(functions, sizes, strict=True)
        ]
        first, last = sizes[0, 0], sizes[0, -1]
        patches[0] = patches[0].say(layers=float(len(layers)), function=functions[0], first=first, last=last)
        return patches
    raise unknown_query(name)


def checked_gradient(params: Params, arrays: Arrays) -> list[Patch]:
    """The error of finite differences by ε, and where it is smallest."""
    picked, exact = params.tape.nodes[int(arrays["at"])].name, float(arrays["exact"])
    errors = {trace: np.abs(arrays[key] - exact) for trace, key in PRECISIONS.items()}
    patches = [
        Patch("check", {"x": arrays["epsilon"], "y": positive(error, DIGITS)}, trace) for trace, error in errors.items()
    ]
    error = errors["float64"]
    best = int(np.nanargmin(error)) if np.isfinite(error).any() else 0
    patches[0] = patches[0].say(
        name=pretty(picked),
        exact=exact,
        near=float(arrays["double"][best]),
        epsilon=float(arrays["epsilon"][best]),
        off=float(error[best]),
    )
    return [*patches, Patch("graph", {"select": picked})]
