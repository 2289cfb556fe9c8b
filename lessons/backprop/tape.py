"""A computation one number at a time: a small network with its loss, or an expression. No torch here.

A Tape lists nodes, each after its arguments. Forward, each node is computed from its arguments; backward, each node
adds to every argument's gradient its own gradient times its derivative by that argument.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any

from engine.types import Problem
from lessons.formula import FUNCTIONS, Grammar, Tree, parse

LETTERS = "hkm"  # of the hidden layers, first to last
MOST_UNITS = 5
MOST_WEIGHTS = 60
MOST_VARIABLES = 6
MOST_NODES = 24  # of an expression
DIRECT = frozenset({"sigmoids", "softmax"})  # losses of what enters the outputs, whose derivative is o - y

EXPRESSION = Grammar(
    frozenset("abcdfghijklmnopqrstuvwxyz"),
    (*FUNCTIONS, "sigmoid", "relu"),
    ("max", "min"),
    "L",
    "the letters a to z (but not e)",
    "字母 a 到 z（e 除外）",
    "in letters, such as (a*b + c)*max(b, 0)",
    "用字母写成的公式，例如 (a*b + c)*max(b, 0)",
)
SIGNS: dict[Callable[..., Any], str] = {
    operator.add: "+",
    operator.sub: "-",
    operator.mul: "*",
    operator.truediv: "/",
    operator.pow: "**",
}
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True, slots=True)
class Node:
    """One number.

    kind: "given"; "number", a constant of an expression; "sum", with args w₁, x₁, w₂, x₂, …, b; or the function that
    computes it (machine.apply). args: nodes. layer: of a network, from 1.
    """

    name: str
    kind: str
    args: tuple[int, ...] = ()
    value: float = 0.0
    layer: int = 0


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of a run. phase: "forward" or "loss", computes the nodes; "backward" from them; or "update"."""

    phase: str
    nodes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Tape:
    """stages: nodes that are one step if a step is a layer; learnt: nodes that an update changes; sizes: of a network,
    inputs first; index: node by name.
    """

    nodes: tuple[Node, ...]
    stages: tuple[tuple[int, ...], ...]
    learnt: tuple[int, ...]
    sizes: tuple[int, ...] = ()
    index: Mapping[str, int] = field(default_factory=dict)

    @property
    def root(self) -> int:
        return len(self.nodes) - 1

    @property
    def given(self) -> tuple[int, ...]:
        """Nodes that a learner may set: inputs, targets, weights, biases, variables."""
        return tuple(i for i, node in enumerate(self.nodes) if node.kind == "given")

    @property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """(node, number of its argument) of every argument of every node."""
        return tuple((i, k) for i, node in enumerate(self.nodes) for k in range(len(node.args)))

    def reached(self) -> frozenset[int]:
        """Nodes that the root depends on, which get a gradient."""
        needed = {self.root}
        for i in range(self.root, -1, -1):
            if i in needed:
                needed.update(self.nodes[i].args)
        return frozenset(needed)

    def operations(self, grain: str) -> tuple[Operation, ...]:
        """The steps of one round, by "unit" (a number at a time), "layer", or "round" (all at once)."""
        computed = [i for stage in self.stages for i in stage]
        if grain == "round":
            return (Operation("update", tuple(computed)),)
        groups = self.stages if grain == "layer" else tuple((i,) for i in computed)
        forward = [Operation("loss" if group == (self.root,) else "forward", group) for group in groups]
        reached = self.reached()
        back = [tuple(i for i in reversed(group) if i in reached) for group in reversed(groups)]
        return (*forward, *(Operation("backward", group) for group in back if group), Operation("update", ()))


def layers(sizes: str) -> tuple[int, ...]:
    """ "3-4-2" as (3, 4, 2). Raises Problem for anything else, and for a network too large to be drawn."""
    parts = re.split(r"[-–—,，\s×x]+", sizes.strip())
    units = tuple(int(part) for part in parts if re.fullmatch("[1-9]", part))
    weights = sum(a * b for a, b in pairwise(units))
    if len(units) != len(parts) or not 2 <= len(units) <= len(LETTERS) + 2 or max(units) > MOST_UNITS:
        raise Problem(
            f"sizes = {sizes!r:.40} is no network that can be drawn here. Write 2 to {len(LETTERS) + 2} layers of 1 to "
            f"{MOST_UNITS} units, inputs first, such as 3-4-2.",
            f"sizes = {sizes!r:.40} 不是这里能画的网络。请写 2 到 {len(LETTERS) + 2} 层，"
            f"每层 1 到 {MOST_UNITS} 个单元，从输入写起，例如 3-4-2。",
        )
    if weights > MOST_WEIGHTS:
        raise Problem(
            f"A network {sizes} has {weights} weights; at most {MOST_WEIGHTS} can be drawn. Make a layer smaller.",
            f"{sizes} 网络有 {weights} 个权重，最多只能画 {MOST_WEIGHTS} 个，请把某一层改小。",
        )
    return units


@lru_cache(maxsize=64)
def network(sizes: tuple[int, ...], activation: str, loss: str) -> Tape:
    """The tape of a network.

    Inputs are called x1, …; hidden units h1, …, in further layers k1, … and m1, …; what enters them zh1, …; outputs
    o1, …; the loss L. A weight is named by its two ends, "x1h2"; a bias by its unit, "bh2"; a target "y1".
    """
    prefixes = ["x", *LETTERS[: len(sizes) - 2], "o"]
    nodes: list[Node] = []
    index: dict[str, int] = {}
    stages: list[tuple[int, ...]] = []

    def add(name: str, kind: str, args: tuple[int, ...] = (), layer: int = 0) -> int:
        index[name] = len(nodes)
        nodes.append(Node(name, kind, args, layer=layer))
        return index[name]

    units = [add(f"x{i + 1}", "given") for i in range(sizes[0])]
    targets = [add(f"y{i + 1}", "given") for i in range(sizes[-1])]
    learnt: list[int] = []
    for layer, (before, letter) in enumerate(pairwise(prefixes), 1):
        count = sizes[layer]
        entering = []
        incoming = []
        for j in range(1, count + 1):
            weights = [add(f"{before}{i}{letter}{j}", "given", layer=layer) for i in range(1, len(units) + 1)]
            incoming.append((weights, add(f"b{letter}{j}", "given", layer=layer)))
            learnt += [*weights, incoming[-1][1]]
        for j, (weights, bias) in enumerate(incoming, 1):
            pairs = [node for pair in zip(weights, units, strict=True) for node in pair]
            entering.append(add(f"z{letter}{j}", "sum", (*pairs, bias), layer))
        last = layer == len(sizes) - 1
        if last and loss == "softmax":
            out = [(f"{letter}{j}", "softmax", (z, *(other for other in entering if other != z)))
                   for j, z in enumerate(entering, 1)]  # fmt: skip
        else:
            kind = activation if not last else "linear" if loss == "squared" else "sigmoid"
            out = [(f"{letter}{j}", kind, (z,)) for j, z in enumerate(entering, 1)]
        units = [add(name, kind, args, layer) for name, kind, args in out]
        stages += [tuple(entering), tuple(units)]
    compared = entering if loss in DIRECT else units
    stages.append((add("L", f"loss.{loss}", (*compared, *targets)),))
    return Tape(tuple(nodes), tuple(stages), tuple(learnt), sizes, index)


@lru_cache(maxsize=64)
def expression(text: str) -> Tape:
    """The tape of a formula: its variables in the order of the text, then v1, v2, …, and L. Raises Problem."""
    tree = parse(text, EXPRESSION).tree
    nodes: list[Node] = []
    variables: dict[str, int] = {}

    def collect(part: Tree) -> None:
        if part[0] == "name":
            variables.setdefault(part[1], len(variables))
        elif part[0] != "number":
            for inner in part[1:]:
                if isinstance(inner, tuple):
                    collect(inner)

    def add(kind: str, args: tuple[int, ...] = (), name: str = "", value: float = 0.0) -> int:
        nodes.append(Node(name, kind, args, value))
        return len(nodes) - 1

    def read(part: Tree) -> int:
        if part[0] == "name":
            return variables[part[1]]  # one node however often it is used: its gradients add up
        if part[0] == "number":
            return add("number", name=f"{part[1]:.6g}", value=part[1])
        kind = part[1] if part[0] == "call" else SIGNS[part[1]] if part[0] == "do" else "minus"
        return add(kind, tuple(read(inner) for inner in part[1:] if isinstance(inner, tuple)))

    collect(tree)
    if len(variables) > MOST_VARIABLES:
        raise Problem(
            f"The expression has {len(variables)} variables; at most {MOST_VARIABLES} can be drawn. Use fewer.",
            f"表达式有 {len(variables)} 个变量，最多只能画 {MOST_VARIABLES} 个，请减少变量。",
        )
    for name in sorted(variables, key=variables.__getitem__):
        add("given", name=name)
    read(tree)
    made = [i for i, node in enumerate(nodes) if node.args]
    if not made or not variables or len(made) > MOST_NODES:
        raise Problem(
            f"The expression has {len(variables)} variables and {len(made)} operations; it needs at least one of each, "
            f"and at most {MOST_NODES} operations can be drawn. An example: (a*b + c)*max(b, 0).",
            f"表达式有 {len(variables)} 个变量、{len(made)} 个运算；两者至少各要一个，运算最多只能画 {MOST_NODES} 个。"
            "例如：(a*b + c)*max(b, 0)。",
        )
    nodes = [
        Node("L" if i == made[-1] else f"v{made.index(i) + 1}", node.kind, node.args) if node.args else node
        for i, node in enumerate(nodes)
    ]
    index = {node.name: i for i, node in enumerate(nodes) if node.kind != "number"}
    return Tape(tuple(nodes), tuple((i,) for i in made), tuple(variables.values()), (), index)


def pretty(name: str) -> str:
    """A node's name as the page writes it: "x1h2" as w[x₁→h₂], "bh2" as b[h₂], "zh2" as z[h₂], "h2" as h₂."""
    if len(name) > 2 and name[0] in "bz" and name[1].isalpha():
        return f"{name[0]}[{pretty(name[1:])}]"
    for at in range(2, len(name)):
        if name[at].isalpha():
            return f"w[{pretty(name[:at])}→{pretty(name[at:])}]"
    return name.translate(SUBSCRIPTS)
