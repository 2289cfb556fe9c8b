"""One step of a backpropagation run: its numbers, and its operation in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.types import Tick
from lessons.backprop.params import Params
from lessons.backprop.tape import Operation, Tape, pretty
from lessons.board.readings import number

SIGN = {"+": "{0} + {1}", "-": "{0} − {1}", "*": "{0} · {1}", "/": "{0} / {1}", "**": "{0} ^ {1}", "minus": "−{0}"}


class Moment:
    """The numbers of a frame, by the node's place on the tape, and what has just been done."""

    def __init__(self, params: Params, tick: Tick) -> None:
        self.params = params
        self.tape = params.tape
        self.values, self.grads = tick.arrays["values"], tick.arrays["grads"]
        self.derivatives = dict(zip(self.tape.edges, tick.arrays["slopes"].tolist(), strict=True))
        self.lr = float(tick.arrays["lr"])
        place, self.round = (int(index) for index in tick.arrays["at"])
        operations = self.tape.operations(params.grain)
        self.operation = operations[place - 1] if place else Operation("start", ())
        self.back = self.operation.phase in ("backward", "update")

    def name(self, i: int) -> str:
        return pretty(self.tape.nodes[i].name)

    def passed(self, i: int, k: int) -> float:
        """What node i passes on to its argument k: its gradient times its derivative by that argument."""
        return float(self.grads[i] * self.derivatives[i, k])


def columns_of(tape: Tape) -> list[list[str]]:
    """The names of a network's units, layer by layer."""
    prefixes = ["x", *"hkm"[: len(tape.sizes) - 2], "o"]
    return [[f"{letter}{i + 1}" for i in range(size)] for letter, size in zip(prefixes, tape.sizes, strict=True)]


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


def parts(now: Moment) -> list[float]:
    """What each output adds to the loss. With z, since the logarithm of an output that has become 0 is lost."""
    losses = []
    outputs = columns_of(now.tape)[-1]
    entering = np.array([now.values[now.tape.index[f"z{name}"]] for name in outputs])
    for name, z in zip(outputs, entering.tolist(), strict=True):
        o, y = (float(now.values[now.tape.index[end]]) for end in (name, f"y{name[1:]}"))
        if now.params.loss == "softmax":
            losses.append(y * float(np.logaddexp.reduce(entering) - z))
        elif now.params.loss == "sigmoids":
            losses.append(float(np.logaddexp(0, z) - y * z))
        else:
            losses.append((o - y) ** 2 / 2)
    return losses


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
        lines = []
        outputs = columns_of(tape)[-1]
        targets = [float(now.values[tape.index[f"y{name[1:]}"]]) for name in outputs]
        sums_to_one = now.params.loss != "softmax" or abs(sum(targets) - 1) < 1e-9
        for k, (name, target) in enumerate(zip(outputs, targets, strict=True)):
            text = f"∂L/∂{now.name(node.args[k])} = "
            if sums_to_one:  # else the slope is o Σy - y
                o = now.values[tape.index[name]]
                text += f"{pretty(name)} − {pretty(f'y{name[1:]}')} = {number(o)} − {bracketed(target)} = "
            lines.append(text + number(now.passed(i, k)))
        return ",  ".join(lines)
    ways = [k for k, arg in enumerate(node.args) if tape.nodes[arg].kind != "number"]
    if node.kind == "sum" or node.kind == "softmax":
        ways = ways[:1]
    lines = []
    for k in ways:
        arg, slope = node.args[k], now.derivatives[i, k]
        local = now.name(node.args[1]) if node.kind == "sum" else f"∂{now.name(i)}/∂{now.name(arg)}"
        lines.append(
            f"∂L/∂{now.name(arg)} {'=' if node.kind == 'sum' or tape.sizes else '+='} ∂L/∂{now.name(i)} · {local} = "
            f"{bracketed(now.grads[i])} · {bracketed(slope)} = {number(now.passed(i, k))}"
        )
    return ",  ".join(lines)
