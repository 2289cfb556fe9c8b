"""The board of the backpropagation lesson."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from engine.types import Arrays, Problem, Tick, Values
from lessons.backprop.params import ACTIVATIONS, Params
from lessons.backprop.tape import DIRECT, Operation, Tape, pretty
from lessons.board.colors import CATEGORIES, TRAIN, VALIDATION
from lessons.board.figures import Ask, Figure, Graph, Patch, Plot, Table
from lessons.board.readings import number
from lessons.text import Words

COLOUR = dict(zip(ACTIVATIONS, CATEGORIES, strict=False))
EDGE, GAP, EACH = 38, 70, 40  # pixels beside a network, between two layers, and for each unit whose weights stand there
TALL, BOX, MARK = 400, 34, (50, 27)  # the figure's height, half a unit's box, and an edge's two lines of numbers
LOSS, TARGET = 125, 75  # pixels from the outputs to the loss, from there to the targets
PRECISIONS = (("float64", "double"), ("float32", "single"))
SIGN = {"+": "{0} + {1}", "-": "{0} − {1}", "*": "{0} · {1}", "/": "{0} / {1}", "**": "{0} ^ {1}", "minus": "−{0}"}


def draw(params: Params, words: Words) -> dict[str, Figure]:
    """The figures in order of importance."""
    figures: list[Figure] = [graph(params), terms(words), check(words), curve(params, words)]
    if params.what == "network":
        figures += [norms(params, words), deep(params, words)]
    return {figure.id: figure for figure in figures}


def asks(params: Params) -> list[Values]:
    """The first weight is checked until another number is picked; the deep network is no part of the run."""
    tape = params.tape
    found: list[Values] = [{"name": "check", "args": {"name": tape.nodes[tape.learnt[0]].name}}]
    if params.what == "network":
        wanted = {name: getattr(params, name) for name in ("init", "layers", "seed")}
        found.append({"name": "depth", "args": {**wanted, "functions": list(params.functions)}, "once": True})
    return found


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


# where things stand


def graph(params: Params) -> Graph:
    """The network, or the expression, with a place for every number."""
    tape = params.tape
    nodes, edges = placed_network(tape, params.loss) if tape.sizes else placed_expression(tape)
    tall = max([*tape.sizes, 4]) if tape.sizes else 4
    edits = "edits" if tape.sizes else "values"
    picks = Ask("check", {"name": "name"})
    width = 700 if not tape.sizes else max(700, across(tape.sizes)[-1] + EDGE)
    return Graph("graph", nodes, edges, "hero", 400 if tall <= 4 else 470, picks, width=width, edits=edits)


def across(sizes: tuple[int, ...]) -> list[int]:
    """Where the layers stand, then the loss, then the targets, in pixels: wider apart where many weights stand."""
    return list(accumulate([EDGE, *(GAP + EACH * size for size in sizes[:-1]), LOSS, TARGET]))


def placed_network(tape: Tape, loss: str) -> tuple[list[Values], list[Values]]:
    """Columns from the inputs to the outputs, then the loss, then the targets."""
    columns = columns_of(tape)
    places = across(tape.sizes)
    *layers, loss_at, targets_at = [x / (places[-1] + EDGE) for x in places]
    nodes: list[Values] = []
    edges: list[Values] = []
    for layer, (x, names) in enumerate(zip(layers, columns, strict=True)):
        for row, name in enumerate(names):
            edit = name if layer == 0 else f"b{name}"
            seen = f"z{name}" if layer == len(columns) - 1 and loss in DIRECT else name
            y = (row + 0.5) / len(names)
            nodes.append(
                {"id": name, "label": pretty(name), "x": x, "y": y, "name": seen, "edit": edit, "asks": pretty(edit)}
            )
    outputs = columns[-1]
    nodes.append({"id": "L", "label": "L", "x": loss_at, "y": 0.5})
    for row, name in enumerate(outputs):
        target = f"y{name[1:]}"
        y = (row + 0.5) / len(outputs)
        nodes.append(
            {"id": target, "label": pretty(target), "x": targets_at, "y": y, "edit": target, "asks": pretty(target)}
        )
    for before, after in pairwise(columns):
        spots = along(len(before), len(after))
        for to, other in enumerate(after):
            for name, spot in zip(before, spots, strict=True):
                edge = f"{name}{other}"
                edges.append(
                    {"from": name, "to": other, "at": spot[to], "name": edge, "edit": edge, "asks": pretty(edge)}
                )
    edges += [{"from": name, "to": "L", "label": ""} for name in outputs]
    edges += [{"from": f"y{name[1:]}", "to": "L", "label": ""} for name in outputs]
    return nodes, edges


@lru_cache
def along(before: int, after: int) -> list[list[float]]:
    """Where on the edge from each of `before` units to each of `after` its two lines of numbers stand, 0 to 1, so that
    they lie on each other as little as can be: one after the other is moved to where it has most room."""
    far = GAP + EACH * before

    def spot(row: int, other: int, at: float) -> tuple[float, float]:
        u = (BOX + (far - 2 * BOX) * at) / far  # an edge begins and ends at boxes
        return u * far, TALL * ((row + 0.5) / before * (1 - u) + (other + 0.5) / after * u)

    def crowded(row: int, other: int, at: float) -> float:
        x, y = spot(row, other, at)
        rest = [spot(*edge, place) for edge, place in places.items() if edge != (row, other)]
        return sum(max(0, MARK[0] - abs(x - a)) * max(0, MARK[1] - abs(y - b)) for a, b in rest)

    # at first side by side: no two of the units before are equally far along
    start = [0.5] if before == 1 else [0.24 + 0.54 * i / (before - 1) for i in range(before)]
    places = {(row, other): start[row] for row in range(before) for other in range(after)}
    for _ in range(12):
        moved = False
        for edge, place in places.items():
            best = min((at / 20 for at in range(4, 17)), key=lambda at: (crowded(*edge, at), abs(at - 0.5)))
            if crowded(*edge, best) < crowded(*edge, place):
                places[edge], moved = best, True
        if not moved:
            break
    return [[places[row, other] for other in range(after)] for row in range(before)]


def columns_of(tape: Tape) -> list[list[str]]:
    """The names of a network's units, layer by layer."""
    letters = ["x", *"hkm"[: len(tape.sizes) - 2], "o"]
    return [[f"{letter}{i + 1}" for i in range(size)] for letter, size in zip(letters, tape.sizes, strict=True)]


def placed_expression(tape: Tape) -> tuple[list[Values], list[Values]]:
    """Each operation just to the left of what needs it, and above each other in the order they stand in the text."""
    drawn = [i for i, node in enumerate(tape.nodes) if node.kind != "number"]
    back = {tape.root: 0}  # how many operations lie between a node and L, at most
    for i in reversed(drawn):
        for arg in tape.nodes[i].args:
            back[arg] = max(back.get(arg, 0), back[i] + 1)
    last = max(back[i] for i in drawn)
    columns: list[list[int]] = [[] for _ in range(last + 1)]

    def meet(i: int, above: int) -> None:
        for column in range(above + 1, back[i]):
            columns[column].append(-1)  # an edge goes by here: it gets a row
        if i in drawn and i not in columns[back[i]]:
            columns[back[i]].append(i)
            for arg in tape.nodes[i].args:
                meet(arg, back[i])

    meet(tape.root, -1)
    height = {i: (row + 0.5) / len(mine) for mine in columns for row, i in enumerate(mine)}
    nodes: list[Values] = []
    for i in drawn:
        node = tape.nodes[i]
        label = node.name if node.kind == "given" else f"{pretty(node.name)} = {written(tape, i)}"
        x = 0.06 + 0.86 * (last - back[i]) / last
        nodes.append({"id": node.name, "label": label, "x": x, "y": height[i]})
        if node.kind == "given":
            nodes[-1] |= {"edit": node.name, "asks": node.name}
    edges: list[Values] = []
    for i, k in tape.edges:
        args = tape.nodes[i].args
        if tape.nodes[args[k]].kind != "number":
            at = 0.5 if args.count(args[k]) == 1 else 0.3 + 0.4 * k
            edges.append({"from": tape.nodes[args[k]].name, "to": tape.nodes[i].name, "at": at})
    return nodes, edges


def written(tape: Tape, i: int, values: Any = None) -> str:
    """An operation of an expression with the names of what it needs, or with their numbers."""
    node = tape.nodes[i]
    ends = [
        tape.nodes[arg].name.translate(str.maketrans("-", "−")) if tape.nodes[arg].kind == "number"
        else pretty(tape.nodes[arg].name) if values is None
        else bracketed(values[arg])
        for arg in node.args
    ]  # fmt: skip
    if node.kind in SIGN:
        return SIGN[node.kind].format(*ends)
    return f"{node.kind}({', '.join(end.strip('()') for end in ends)})"


def bracketed(value: float) -> str:
    """A number as it stands in a sum or a product: negative ones in brackets."""
    return f"({number(value)})" if value < 0 else number(value)


# the other figures


def terms(words: Words) -> Table:
    """The operation of this step in numbers, term by term."""
    say = words.figures["terms"].labels
    columns = [{"title": say[key]} for key in ("first", "second", "product", "sum")]
    return Table("terms", columns, say["head"], size="full", height=215)


def check(words: Words) -> Plot:
    """How far finite differences are from the gradient, by ε, in both precisions."""
    say = words.figures["check"].labels
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": precision,
            "x": [],
            "y": [],
            "line": {"width": 2, "color": colour},
            "marker": {"size": 5},
            "hovertemplate": "ε = %{x:.1e}: %{y:.2e}",
        }
        for (precision, _), colour in zip(PRECISIONS, (TRAIN, VALIDATION), strict=True)
    ]
    log = {"type": "log", "exponentformat": "power"}
    layout = {
        "xaxis": {"title": {"text": say["x"]}, **log, "dtick": 2},
        "yaxis": {"title": {"text": say["y"]}, **log, "nticks": 8},
    }
    return Plot("check", traces, layout, "half", 300)


def curve(params: Params, words: Words) -> Plot:
    """The loss, or the value of the expression, round by round."""
    say = words.figures["loss"].labels
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": "L",
            "bind": {"x": "round", "y": "loss"},
            "line": {"width": 2, "color": TRAIN},
            "hovertemplate": "%{y:.6f}",
        }
    ]
    rounds = math.ceil(params.steps / len(params.tape.operations(params.grain)))
    layout = {
        "xaxis": {"title": {"text": say["x"]}, "range": [0.5, rounds + 0.5]},
        "yaxis": {"title": {"text": say["y"]}, **({"rangemode": "tozero"} if params.what == "network" else {})},
    }
    return Plot("loss", traces, layout, "half", 300, switch=params.what == "network")


def norms(params: Params, words: Words) -> Plot:
    """The size of each layer's gradient of this network, round by round."""
    say = words.figures["norms"].labels
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": f"{say['layer']} {layer}",
            "bind": {"x": "round", "y": f"norm.{layer}"},
            "line": {"width": 2, "color": CATEGORIES[layer - 1]},
            "hovertemplate": "%{y:.4g}",
        }
        for layer in range(1, len(params.tape.sizes))
    ]
    rounds = math.ceil(params.steps / len(params.tape.operations(params.grain)))
    layout = {
        "xaxis": {"title": {"text": say["x"]}, "range": [0.5, rounds + 0.5]},
        "yaxis": {"title": {"text": say["y"]}, "type": "log", "exponentformat": "power"},
    }
    return Plot("norms", traces, layout, "half", 300)


def deep(params: Params, words: Words) -> Plot:
    """The size of each layer's gradient of a deep network that is not trained."""
    say = words.figures["deep"].labels
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": one,
            "x": [],
            "y": [],
            "line": {"width": 2, "color": COLOUR[one]},
            "marker": {"size": 4},
            "hovertemplate": "%{y:.4g}",
        }
        for one in params.functions
    ]
    layout = {
        "xaxis": {"title": {"text": say["x"]}, "range": [0.5, params.layers + 0.5]},
        "yaxis": {"title": {"text": say["y"]}, "type": "log", "exponentformat": "power", "nticks": 8},
    }
    return Plot("deep", traces, layout, "half", 300)


# what a step shows


class Moment:
    """The numbers of a frame, by the node's place on the tape, and what has just been done."""

    def __init__(self, params: Params, tick: Tick) -> None:
        self.params = params
        self.tape = params.tape
        self.values, self.grads = tick.arrays["values"], tick.arrays["grads"]
        self.slopes = dict(zip(self.tape.edges, tick.arrays["slopes"].tolist(), strict=True))
        self.lr = float(tick.arrays["lr"])
        place, self.round = (int(one) for one in tick.arrays["at"])
        operations = self.tape.operations(params.grain)
        self.operation = operations[place - 1] if place else Operation("start", ())
        self.back = self.operation.phase in ("backward", "update")

    def name(self, i: int) -> str:
        return pretty(self.tape.nodes[i].name)

    def passed(self, i: int, k: int) -> float:
        """What node i passes on to its argument k: its gradient times its slope."""
        return float(self.grads[i] * self.slopes[i, k])


def update(params: Params, tick: Tick) -> list[Patch]:
    """All numbers on the graph, and the operation of this step in words and in a table."""
    if not tick.arrays:
        return []
    now = Moment(params, tick)
    picture = network_numbers(now) if now.tape.sizes else expression_numbers(now)
    names, values = rows(now)
    given = {now.tape.nodes[i].name: float(now.values[i]) for i in now.tape.given}
    said = {"line": line(now), "step": float(tick.step)}
    return [
        Patch("graph", {**picture, "given": given, "back": now.operation.phase == "backward", "say": said}),
        Patch("terms", {"names": names, "values": values, "say": said}),
    ]


def shown(value: float, form: str = "3") -> str:
    """A number on the graph; what is not known yet is a dot."""
    return "·" if math.isnan(value) else number(value, form)


def network_numbers(now: Moment) -> dict[str, Any]:
    """Units show their value, its gradient, their bias and its gradient; edges their weight and its gradient."""
    index, values, grads = now.tape.index, now.values, now.grads
    columns = columns_of(now.tape)
    direct = now.params.loss in DIRECT
    notes: list[str] = []
    colours: list[float] = []
    for layer, names in enumerate(columns):
        for name in names:
            i = index[name]
            lines = [shown(values[i])]
            if not (direct and layer == len(columns) - 1):
                lines.append(f"∂ {shown(grads[i])}")
            if layer:
                bias = index[f"b{name}"]
                lines += [f"b {shown(values[bias])}", f"∂b {shown(grads[bias])}"]
            notes.append("\n".join(lines))
            colours.append(float(values[i]))
    notes.append(shown(values[now.tape.root]))
    colours.append(float("nan"))
    outputs = columns[-1]
    for name in outputs:
        notes.append(shown(values[index[f"y{name[1:]}"]]))
        colours.append(float("nan"))
    marks: list[str] = []
    flows: list[float] = []
    for before, after in pairwise(columns):
        for other in after:
            for name in before:
                i = index[f"{name}{other}"]
                marks.append(shown(values[i], "2") + ("" if math.isnan(grads[i]) else f"\n∂ {shown(grads[i], '2')}"))
                flows.append(float(grads[i] if now.back else values[i]))
    root = now.tape.root
    for k in range(len(outputs)):
        known = not math.isnan(grads[root])
        marks.append(f"∂{'z' if direct else ''} {shown(now.passed(root, k))}" if known else "")
        flows.append(now.passed(root, k) if known and now.back else float("nan"))
    marks += [""] * len(outputs)
    flows += [float("nan")] * len(outputs)
    nodes, edges = placed_network(now.tape, now.params.loss)
    places = {node["id"]: place for place, node in enumerate(nodes)}
    lit_nodes: set[int] = set()
    lit_edges: set[int] = set()
    for i in now.operation.nodes if now.params.grain != "round" else ():
        node = now.tape.nodes[i]
        unit = node.name.removeprefix("z")
        lit_nodes.add(places[unit])
        if node.kind == "sum" or i == root:
            lit_edges |= {place for place, edge in enumerate(edges) if edge["to"] == unit}
    if now.operation.phase == "update":
        lit_edges |= {place for place, edge in enumerate(edges) if "name" in edge}
    return {
        "nodes": np.array(colours),
        "edges": np.array(flows),
        "notes": notes,
        "marks": marks,
        "lit_nodes": np.array(sorted(lit_nodes), np.int32),
        "lit_edges": np.array(sorted(lit_edges), np.int32),
    }


def expression_numbers(now: Moment) -> dict[str, Any]:
    """Every part shows its value and its gradient; edges what is passed back along them."""
    tape = now.tape
    drawn = [i for i, node in enumerate(tape.nodes) if node.kind != "number"]
    notes = [f"{shown(now.values[i])}\n∂ {shown(now.grads[i])}" for i in drawn]
    ways = [(i, k) for i, k in tape.edges if tape.nodes[tape.nodes[i].args[k]].kind != "number"]
    known = [not math.isnan(now.slopes[way]) for way in ways]
    lit = set(now.operation.nodes)
    return {
        "nodes": np.array([now.values[i] for i in drawn]),
        "edges": np.array([now.passed(*way) if there else np.nan for way, there in zip(ways, known, strict=True)]),
        "notes": notes,
        "marks": [f"∂ {shown(now.passed(*way))}" if there else "" for way, there in zip(ways, known, strict=True)],
        "lit_nodes": np.array([place for place, i in enumerate(drawn) if i in lit], np.int32),
        "lit_edges": np.array([place for place, (i, _) in enumerate(ways) if i in lit], np.int32),
    }


def rows(now: Moment) -> tuple[list[str], np.ndarray[Any, np.dtype[np.float64]]]:
    """The terms of this operation: names, and first factor, second factor, product, and the sum so far."""
    names: list[str] = []
    values: list[list[float]] = []

    def row(name: str, first: float, second: float, product: float, total: float) -> None:
        names.append(name)
        values.append([float(first), float(second), float(product), float(total)])

    tape, nan = now.tape, float("nan")
    if now.operation.phase == "start":
        for i in tape.given:
            row(now.name(i), nan, nan, nan, now.values[i])
    elif now.operation.phase == "update":
        for i in tape.learnt:
            if not math.isnan(now.grads[i]):
                step = -now.lr * now.grads[i]
                row(f"{now.name(i)}  += −lr · ∂L/∂{now.name(i)}", -now.lr, now.grads[i], step, now.values[i])
    elif now.operation.phase == "backward":
        for i in now.operation.nodes:
            for k, arg in enumerate(tape.nodes[i].args):
                if tape.nodes[arg].kind != "number":
                    name = f"∂L/∂{now.name(arg)}  += ∂L/∂{now.name(i)} · slope"
                    row(name.replace("slope", f"∂{now.name(i)}/∂{now.name(arg)}"), now.grads[i], now.slopes[i, k],
                        now.passed(i, k), now.grads[arg])  # fmt: skip
    else:
        for i in now.operation.nodes:
            args = tape.nodes[i].args
            kind = tape.nodes[i].kind
            if kind == "sum":
                total = 0.0
                for weight, value in zip(args[:-1:2], args[1::2], strict=True):
                    product = now.values[weight] * now.values[value]
                    total += product
                    name = f"{now.name(weight)} · {now.name(value)}"
                    row(name, now.values[weight], now.values[value], product, total)
                row(now.name(args[-1]), nan, nan, now.values[args[-1]], now.values[i])
            elif kind.startswith("loss."):
                loss_rows(now, row)
            else:
                first, second, *_ = [*(float(now.values[arg]) for arg in args), nan]
                row(f"{now.name(i)} = {formula(now, i)}", first, second, now.values[i], nan)
    return names, np.array(values, np.float64).reshape(len(names), 4)


def loss_rows(now: Moment, row: Any) -> None:
    """What each output adds to the loss: output, target, its part, the sum so far."""
    outputs = columns_of(now.tape)[-1]
    total = 0.0
    for name, part in zip(outputs, parts(now), strict=True):
        total += part
        o, y = now.values[now.tape.index[name]], now.values[now.tape.index[f"y{name[1:]}"]]
        unit, target = pretty(name), pretty(f"y{name[1:]}")
        text = {
            "squared": f"½({unit} − {target})²",
            "squared_sigmoid": f"½({unit} − {target})²",
            "softmax": f"−{target} · log {unit}",
            "sigmoids": f"−{target} · log {unit} − (1 − {target}) · log(1 − {unit})",
        }[now.params.loss]
        row(text, o, y, part, total)


def parts(now: Moment) -> list[float]:
    """What each output adds to the loss. With z, since the logarithm of an output that has become 0 is lost."""
    found = []
    outputs = columns_of(now.tape)[-1]
    entering = np.array([now.values[now.tape.index[f"z{name}"]] for name in outputs])
    for name, z in zip(outputs, entering.tolist(), strict=True):
        o, y = (float(now.values[now.tape.index[one]]) for one in (name, f"y{name[1:]}"))
        if now.params.loss == "softmax":
            found.append(y * float(np.logaddexp.reduce(entering) - z))
        elif now.params.loss == "sigmoids":
            found.append(float(np.logaddexp(0, z) - y * z))
        else:
            found.append((o - y) ** 2 / 2)
    return found


def formula(now: Moment, i: int, filled: bool = False) -> str:
    """How node i is made of what it needs, in names or in numbers."""
    node = now.tape.nodes[i]
    if node.kind == "softmax":
        mine, *_ = ends = [number(now.values[arg]) if filled else now.name(arg) for arg in node.args]
        order = sorted(range(len(ends)), key=lambda k: node.args[k])
        return f"exp({mine}) / ({' + '.join(f'exp({ends[k]})' for k in order)})"
    if now.tape.sizes:
        end = number(now.values[node.args[0]]) if filled else now.name(node.args[0])
        return f"{node.kind}({end})"
    return written(now.tape, i, now.values if filled else None)


def line(now: Moment) -> str:
    """The operation as one line: in names, in numbers, and what it comes to. Of several, the first."""
    tape, nodes = now.tape, now.operation.nodes
    more = "  …" if len(nodes) > 1 else ""
    if now.operation.phase == "start":
        return "L = ?"
    if now.operation.phase == "update":
        i = tape.learnt[0]
        name, grad = now.name(i), float(np.nan_to_num(now.grads[i]))
        before = now.values[i] + now.lr * grad
        text = f"{name} ← {name} − lr · ∂L/∂{name} = {number(before)} − {number(now.lr)} · {bracketed(grad)}"
        return f"{text} = {number(now.values[i])}{'  …' if len(tape.learnt) > 1 else ''}"
    i = nodes[0]
    node = tape.nodes[i]
    if now.operation.phase == "backward":
        return back_line(now, i) + ("  …" if more or node.kind == "sum" else "")
    if node.kind == "sum":
        pairs = list(zip(node.args[:-1:2], node.args[1::2], strict=True))
        numbers = [f"{bracketed(now.values[w])} · {bracketed(now.values[x])}" for w, x in pairs]
        total = " + ".join([*numbers, bracketed(now.values[node.args[-1]])])
        return f"{now.name(i)} = {total} = {number(now.values[i])}{more}"
    if node.kind.startswith("loss."):
        return f"L = {' + '.join(number(part) for part in parts(now))} = {number(now.values[i])}"
    return f"{now.name(i)} = {formula(now, i)} = {formula(now, i, filled=True)} = {number(now.values[i])}{more}"


def back_line(now: Moment, i: int) -> str:
    """The chain rule at node i in the numbers of this moment: at the loss and in an expression for all it needs."""
    tape = now.tape
    node = tape.nodes[i]
    if node.kind.startswith("loss."):
        found = []
        outputs = columns_of(tape)[-1]
        targets = [float(now.values[tape.index[f"y{name[1:]}"]]) for name in outputs]
        plain = now.params.loss != "softmax" or abs(sum(targets) - 1) < 1e-9
        for k, (name, target) in enumerate(zip(outputs, targets, strict=True)):
            text = f"∂L/∂{now.name(node.args[k])} = "
            if plain:  # else the slope is o Σy - y
                o = now.values[tape.index[name]]
                text += f"{pretty(name)} − {pretty(f'y{name[1:]}')} = {number(o)} − {bracketed(target)} = "
            found.append(text + number(now.passed(i, k)))
        return ",  ".join(found)
    ways = [k for k, arg in enumerate(node.args) if tape.nodes[arg].kind != "number"]
    if node.kind == "sum" or node.kind == "softmax":
        ways = ways[:1]
    found = []
    for k in ways:
        arg, slope = node.args[k], now.slopes[i, k]
        local = now.name(node.args[1]) if node.kind == "sum" else f"∂{now.name(i)}/∂{now.name(arg)}"
        found.append(
            f"∂L/∂{now.name(arg)} {'=' if node.kind == 'sum' or tape.sizes else '+='} ∂L/∂{now.name(i)} · {local} = "
            f"{bracketed(now.grads[i])} · {bracketed(slope)} = {number(now.passed(i, k))}"
        )
    return ",  ".join(found)


# answers


def answer(params: Params, name: str, args: Mapping[str, Any], arrays: Arrays) -> list[Patch]:
    """The check of a gradient, and the gradients of the deep network; zero has no place on a logarithmic axis."""
    if name == "check":
        at, exact = int(arrays["at"]), float(arrays["exact"])
        picked = params.tape.nodes[at].name
        found = []
        for trace, key in PRECISIONS:
            off = np.abs(arrays[key] - exact)
            found.append(Patch("check", {"x": arrays["epsilon"], "y": positive(off)}, trace))
        off = np.abs(arrays["double"] - exact)
        best = int(np.nanargmin(off)) if np.isfinite(off).any() else 0
        said = {
            "name": pretty(picked),
            "exact": exact,
            "near": float(arrays["double"][best]),
            "epsilon": float(arrays["epsilon"][best]),
            "off": float(off[best]),
        }
        found[0] = Patch("check", {**found[0].data, "say": said}, found[0].trace)
        return [*found, Patch("graph", {"select": picked})]
    if name == "depth":
        functions = list(args.get("functions", Params().functions))
        sizes = arrays["norms"]
        layers = np.arange(1, sizes.shape[1] + 1)
        found = [Patch("deep", {"x": layers, "y": positive(one)}, f) for f, one in zip(functions, sizes, strict=True)]
        said = {"layers": float(len(layers)), "function": functions[0], "first": sizes[0, 0], "last": sizes[0, -1]}
        found[0] = Patch("deep", {**found[0].data, "say": said}, found[0].trace)
        return found
    raise Problem(f"There is no question named {name!r:.40} here.", f"这里没有名为 {name!r:.40} 的提问。")


def positive(found: Any) -> list[float | None]:
    """For a logarithmic axis: a gap where there is nothing or too much."""
    return [float(f"{one:.10g}") if math.isfinite(one) and one > 0 else None for one in found.tolist()]
