"""The graph of the backpropagation lesson: where each node and edge stands, and the numbers on them at a step."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import accumulate, pairwise

import numpy as np

from engine.types import Values
from lessons.backprop.moment import Moment, columns_of, written
from lessons.backprop.params import Params
from lessons.backprop.tape import DIRECT, Tape, pretty
from lessons.board.figures import Ask, Graph, GraphEdge, GraphNode
from lessons.board.readings import number

EDGE, GAP, EACH = 38, 70, 40  # pixels beside a network, between two layers, and for each unit whose weights stand there
TALL, BOX, MARK = 400, 34, (50, 27)  # the figure's height, half a unit's box, and an edge's two lines of numbers
LOSS, TARGET = 125, 75  # pixels from the outputs to the loss, from there to the targets


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


def placed_network(tape: Tape, loss: str) -> tuple[list[GraphNode], list[GraphEdge]]:
    """Columns from the inputs to the outputs, then the loss, then the targets."""
    columns = columns_of(tape)
    places = across(tape.sizes)
    *layers, loss_at, targets_at = [x / (places[-1] + EDGE) for x in places]
    nodes: list[GraphNode] = []
    edges: list[GraphEdge] = []
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


def placed_expression(tape: Tape) -> tuple[list[GraphNode], list[GraphEdge]]:
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
    nodes: list[GraphNode] = []
    for i in drawn:
        node = tape.nodes[i]
        label = node.name if node.kind == "given" else f"{pretty(node.name)} = {written(tape, i)}"
        x = 0.06 + 0.86 * (last - back[i]) / last
        nodes.append({"id": node.name, "label": label, "x": x, "y": height[i]})
        if node.kind == "given":
            nodes[-1] |= {"edit": node.name, "asks": node.name}
    edges: list[GraphEdge] = []
    for i, k in tape.edges:
        args = tape.nodes[i].args
        if tape.nodes[args[k]].kind != "number":
            at = 0.5 if args.count(args[k]) == 1 else 0.3 + 0.4 * k
            edges.append({"from": tape.nodes[args[k]].name, "to": tape.nodes[i].name, "at": at})
    return nodes, edges


def shown(value: float, form: str = "3") -> str:
    """A number on the graph; what is not known yet is a dot."""
    return "·" if math.isnan(value) else number(value, form)


def network_numbers(now: Moment) -> Values:
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


def expression_numbers(now: Moment) -> Values:
    """Every part shows its value and its gradient; edges what is passed back along them."""
    tape = now.tape
    drawn = [i for i, node in enumerate(tape.nodes) if node.kind != "number"]
    notes = [f"{shown(now.values[i])}\n∂ {shown(now.grads[i])}" for i in drawn]
    ways = [(i, k) for i, k in tape.edges if tape.nodes[tape.nodes[i].args[k]].kind != "number"]
    known = [not math.isnan(now.derivatives[way]) for way in ways]
    lit = set(now.operation.nodes)
    return {
        "nodes": np.array([now.values[i] for i in drawn]),
        "edges": np.array([now.passed(*way) if there else np.nan for way, there in zip(ways, known, strict=True)]),
        "notes": notes,
        "marks": [f"∂ {shown(now.passed(*way))}" if there else "" for way, there in zip(ways, known, strict=True)],
        "lit_nodes": np.array([place for place, i in enumerate(drawn) if i in lit], np.int32),
        "lit_edges": np.array([place for place, (i, _) in enumerate(ways) if i in lit], np.int32),
    }
