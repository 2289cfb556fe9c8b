"""Backpropagation one operation at a time, in float64, and autograd's opinion of it after every round."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.models.initial import initial
from engine.models.perceptron import FORWARD
from engine.params import parse
from engine.types import Arrays, Checkpoint, Job, Problem, Scalars, Step, Values
from lessons.backprop.params import Params
from lessons.backprop.tape import Operation, Tape, pretty

PHASES = ("start", "forward", "loss", "backward", "update")
EPSILONS = 10.0 ** -np.arange(1, 12.5, 0.5)  # of the finite differences
WIDTH = 32  # of the deep network
SAMPLES = 64

Floats = npt.NDArray[np.float64]


def halves(ends: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """A loss's arguments: what the outputs say (or what enters them), and the targets."""
    both = torch.stack(list(ends))
    return both[: len(ends) // 2], both[len(ends) // 2 :]


def total(ends: Sequence[Tensor]) -> Tensor:
    """w₁x₁ + w₂x₂ + … + b."""
    *pairs, bias = ends
    found = bias
    for weight, value in zip(pairs[::2], pairs[1::2], strict=True):
        found = found + weight * value
    return found


def squared(ends: Sequence[Tensor]) -> Tensor:
    says, target = halves(ends)
    return (says - target).square().sum() / 2


def sigmoids(ends: Sequence[Tensor]) -> Tensor:
    says, target = halves(ends)
    return F.binary_cross_entropy_with_logits(says, target, reduction="sum")


def softmax(ends: Sequence[Tensor]) -> Tensor:
    says, target = halves(ends)
    return -(target * F.log_softmax(says, 0)).sum()


MAKE: dict[str, Callable[[Sequence[Tensor]], Tensor]] = {
    "sum": total,
    "softmax": lambda ends: torch.softmax(torch.stack(list(ends)), 0)[0],
    "loss.squared": squared,
    "loss.squared_sigmoid": squared,
    "loss.sigmoids": sigmoids,
    "loss.softmax": softmax,
    "+": lambda ends: ends[0] + ends[1],
    "-": lambda ends: ends[0] - ends[1],
    "*": lambda ends: ends[0] * ends[1],
    "/": lambda ends: ends[0] / ends[1],
    "**": lambda ends: ends[0] ** ends[1],
    "minus": lambda ends: -ends[0],
    "max": lambda ends: torch.maximum(ends[0], ends[1]),
    "min": lambda ends: torch.minimum(ends[0], ends[1]),
}


def made(kind: str, ends: Sequence[Tensor]) -> Tensor:
    """The value of a node of that kind, a tensor without axes, from those of its arguments."""
    if kind in MAKE:
        return MAKE[kind](ends)
    if kind in FORWARD:
        return FORWARD[kind](ends[0])
    found: Tensor = getattr(torch, kind)(ends[0])  # the functions of lessons/formula.py, torch's by name
    return found


def evaluate(tape: Tape, given: Mapping[int, Tensor], moved: int = -1, by: Tensor | float = 0.0) -> list[Tensor]:
    """All values of the tape, in one go; that of the node `moved` is taken to be larger by `by`, whatever made it."""
    found: list[Tensor] = []
    like = next(iter(given.values()))
    for i, node in enumerate(tape.nodes):
        if node.args:
            value = made(node.kind, [found[arg] for arg in node.args])
        else:
            value = given[i] if node.kind == "given" else torch.tensor(node.value, dtype=like.dtype)
        found.append(value + by if i == moved else value)
    return found


def beginning(p: Params) -> Floats:
    """The given numbers, in the order of `Tape.given`: inputs 1, 2, 3, …, the last target 1 and the others 0, random
    weights, biases 0, variables 1; and over these what was set by hand."""
    tape = p.tape
    found = {} if tape.sizes else dict.fromkeys(tape.index, 1.0)
    if tape.sizes:
        generator = torch.Generator().manual_seed(p.seed)
        found |= {f"x{i}": float(i) for i in range(1, tape.sizes[0] + 1)}
        found |= {f"y{i}": float(i == tape.sizes[-1]) for i in range(1, tape.sizes[-1] + 1)}
        random = [
            initial(torch.empty(after, before, dtype=torch.float64), p.init, generator).tolist()
            for before, after in pairwise(tape.sizes)
        ]
        for layer, weights in enumerate(random, 1):
            mine = iter(i for i in tape.learnt if tape.nodes[i].layer == layer)  # unit by unit: its weights, its bias
            for row in weights:
                found |= {tape.nodes[next(mine)].name: weight for weight in row}
                found[tape.nodes[next(mine)].name] = 0.0
    found |= p.chosen
    return np.array([found[tape.nodes[i].name] for i in tape.given])


class Machine:
    """The numbers of one moment, NaN where none is known yet: `values` and `grads` of nodes, `slopes` of Tape.edges."""

    def __init__(self, tape: Tape, given: Floats) -> None:
        self.tape = tape
        self.edge = {edge: number for number, edge in enumerate(tape.edges)}
        self.values = np.full(len(tape.nodes), np.nan)
        self.values[list(tape.given)] = given
        self.clear()

    @property
    def given(self) -> Floats:
        return self.values[list(self.tape.given)]

    def clear(self) -> None:
        """A new round: what was computed is forgotten, what was learnt stays."""
        for i, node in enumerate(self.tape.nodes):
            if node.kind != "given":
                self.values[i] = node.value if node.kind == "number" else np.nan
        self.grads = np.full(len(self.tape.nodes), np.nan)
        self.slopes = np.full(len(self.edge), np.nan)

    def do(self, operation: Operation, lr: float, whole: bool) -> None:
        """One step; `whole`: it is a round, forward and back."""
        if whole:
            back = [i for i in reversed(operation.nodes) if i in self.tape.reached()]
            for i in operation.nodes:
                self.forward(i)
            for i in back:
                self.backward(i)
        elif operation.phase == "backward":
            for i in operation.nodes:
                self.backward(i)
        else:
            for i in operation.nodes:
                self.forward(i)
        if operation.phase == "update":
            learnt = list(self.tape.learnt)
            self.values[learnt] -= lr * np.nan_to_num(self.grads[learnt])

    def forward(self, i: int) -> None:
        """The value of node i. Raises Problem where it has none."""
        node = self.tape.nodes[i]
        self.values[i] = made(node.kind, self.tensors(node.args)).item()
        self.finite(self.values[i], i)

    def backward(self, i: int) -> None:
        """The chain rule at node i: each argument gets the node's gradient times the node's slope to it."""
        node = self.tape.nodes[i]
        if i == self.tape.root:
            self.grads[i] = 1.0
        ends = self.tensors(node.args)
        ways = [k for k, arg in enumerate(node.args) if self.tape.nodes[arg].kind != "number"]
        asked = [ends[k].requires_grad_() for k in ways]
        slopes = torch.autograd.grad(made(node.kind, ends), asked, materialize_grads=True)
        for k, slope in zip(ways, slopes, strict=True):
            arg = node.args[k]
            self.slopes[self.edge[i, k]] = slope.item()
            before = 0.0 if math.isnan(self.grads[arg]) else self.grads[arg]
            self.grads[arg] = before + self.grads[i] * slope.item()
            self.finite(self.grads[arg], arg)

    def tensors(self, nodes: Sequence[int]) -> list[Tensor]:
        return [torch.tensor(self.values[i], dtype=torch.float64) for i in nodes]

    def finite(self, value: float, i: int) -> None:
        """Raises Problem for a number that is none."""
        if math.isfinite(value):
            return
        name = pretty(self.tape.nodes[i].name)
        raise Problem(
            f"{name} has no finite value or gradient here: it overflows, divides by zero, or takes the root, power or "
            "logarithm of a number that has none. Set other values, or a smaller learning rate, and run again.",
            f"{name} 在这里没有有限的值或梯度：溢出、除以了零，或对不允许的数开方、乘方、取对数。"
            "请换一组数，或把学习率调小，再运行。",
        )


def autograd(tape: Tape, given: Floats) -> tuple[Floats, float]:
    """torch's own gradients `.grad` of the given numbers (Tape.given), by one backward() through the whole; and L."""
    leaves = {i: torch.tensor(value, dtype=torch.float64) for i, value in zip(tape.given, given, strict=True)}
    for leaf in leaves.values():
        leaf.requires_grad_()
    root = evaluate(tape, leaves)[tape.root]
    root.backward()  # type: ignore[no-untyped-call]
    return np.array([0.0 if one.grad is None else one.grad.item() for one in leaves.values()]), root.item()


def run(job: Job, state: Checkpoint | None = None) -> Generator[Step, Values | None, None]:
    """Step 0 is the start; each further step is one operation of Tape.operations, round after round.

    Scalars: "round", "place" (which operation of the round was done last), "lr"; "at.forward" and so on, 1 for the
    phase of this step; "loss" in steps that compute it; at the end of a round "gap", the largest difference between a
    gradient here and autograd's, and "norm.1", …, the size of the weights' gradient of each layer.
    Raises Problem where a number is not finite, and for a snapshot of something else.
    """
    p = parse(Params, job.params)
    tape = p.tape
    operations = tape.operations(p.grain)
    machine = Machine(tape, beginning(p))
    lr, moved, start, place, count = p.lr, False, 0, 0, 0
    if state is not None:
        start, count = int(state["step"]), int(state["round"])
        moved = "live.lr" in state
        lr = float(state["live.lr"]) if moved else lr
        place = restore(state, p, machine, operations, lr)

    def snapshot(step: int, place: int, count: int, given: Floats) -> Checkpoint:
        out: Checkpoint = {
            "step": np.array(step, np.int64),
            "round": np.array(count, np.int64),
            "place": np.array(place, np.int64),
            "operations": np.array(len(operations), np.int64),
            "model.given": given,
            "edits": np.array([*p.edits.encode()], np.uint8),
            "values": np.array([*p.values.encode()], np.uint8),
        }
        return out | ({"live.lr": np.array(lr)} if moved else {})

    def moment(step: int, phase: str, more: Scalars) -> Step:
        scalars: Scalars = {"round": float(count), "place": float(place), "lr": lr}
        scalars |= {f"at.{one}": float(one == phase) for one in PHASES} | more
        picture = {"values": machine.values.copy(), "grads": machine.grads.copy(), "slopes": machine.slopes.copy()}
        picture |= {"at": np.array([place, count], np.int64), "lr": np.array(lr)}
        return Step(
            step, scalars, p.steps, picture.copy, partial(snapshot, step, place, count, machine.given), keep=True
        )

    changes = (yield moment(0, "start", {})) if state is None else None
    for step in range(start + 1, p.steps + 1):
        if changes and "lr" in changes:
            lr, moved = float(changes["lr"]), True
        place = place % len(operations) + 1
        if place == 1:
            count += 1
            machine.clear()
        before = machine.given
        operation = operations[place - 1]
        machine.do(operation, lr, p.grain == "round")
        more: Scalars = {}
        if operation.phase == "loss" or p.grain == "round":
            more["loss"] = float(machine.values[tape.root])
        if operation.phase == "update":
            more |= judged(machine, before)
        changes = yield moment(step, operation.phase, more)


def judged(machine: Machine, before: Floats) -> Scalars:
    """ "gap" and "norm.…" of a round that began with the given numbers `before`."""
    tape = machine.tape
    theirs, _ = autograd(tape, before)
    ours = np.nan_to_num(machine.grads[list(tape.given)])
    out: Scalars = {"gap": float(np.abs(ours - theirs).max())}
    for layer in range(1, len(tape.sizes)):
        mine = [i for i in tape.learnt if tape.nodes[i].layer == layer and not tape.nodes[i].name.startswith("b")]
        out[f"norm.{layer}"] = float(np.linalg.norm(machine.grads[mine]))
    return out


def restore(state: Checkpoint, p: Params, machine: Machine, operations: Sequence[Operation], lr: float) -> int:
    """Puts a snapshot back and returns how far in its round it is; with steps of another grain a new round begins.

    Numbers that were set by hand since are set.
    """
    tape, given = machine.tape, state["model.given"]
    if given.shape != machine.given.shape:
        raise Problem(
            "A run can be continued with other numbers, but not with another network or expression: its numbers would "
            "not fit. Start a new run.",
            "可以换一些数接着运行，但不能换网络或表达式：原来的数对不上。请重新开始一次运行。",
        )
    older = p.model_copy(update={one: bytes(state[one]).decode() for one in ("edits", "values")}).chosen
    later = {name: value for name, value in p.chosen.items() if older.get(name) != value and name in tape.index}
    machine.values[list(tape.given)] = given
    for name, value in later.items():
        machine.values[tape.index[name]] = value
    machine.clear()
    place = int(state["place"]) if int(state["operations"]) == len(operations) and not later else 0
    if place == len(operations):
        return 0
    for operation in operations[:place]:
        machine.do(operation, lr, p.grain == "round")
    return place


def look(job: Job, state: Checkpoint | None, name: str, args: Mapping[str, Any]) -> Arrays:
    """ "check": name (of a node) -> "exact", "epsilon", "double", "single", "round": see `differences`.

    "depth": functions, init, layers, seed -> "norms" float64 (functions, layers): see `through`.
    Raises Problem for another question, or arguments that are not of that form.
    """
    if name == "check":
        p = parse(Params, job.params)
        wanted = args.get("name")
        index = p.tape.index
        at = index[wanted] if isinstance(wanted, str) and wanted in index else p.tape.learnt[0]  # of another network
        given = beginning(p) if state is None else state["model.given"]
        return differences(p.tape, given, at)
    if name == "depth":
        found = parse(Params, {key: args[key] for key in ("functions", "init", "layers", "seed") if key in args})
        return {"norms": np.stack([through(one, found.init, found.layers, found.seed) for one in found.functions])}
    raise Problem(f"This lesson has no answer to {name!r:.40}.", f"本课无法回答 {name!r:.40}。")


def differences(tape: Tape, given: Floats, at: int) -> Arrays:
    """The gradient of L at node `at` by autograd, and (L(+ε) - L(-ε)) / 2ε in float64 and float32 for each ε."""
    out: Arrays = {"at": np.array(at, np.int64), "epsilon": EPSILONS}
    for key, kind in (("double", torch.float64), ("single", torch.float32)):
        leaves = {i: torch.tensor(value, dtype=kind) for i, value in zip(tape.given, given, strict=True)}
        found = []
        for epsilon in EPSILONS.tolist():
            up, down = (evaluate(tape, leaves, at, sign * epsilon)[tape.root].item() for sign in (1, -1))
            found.append((up - down) / (2 * epsilon))
        out[key] = np.array(found)
    nothing = torch.zeros((), dtype=torch.float64, requires_grad=True)
    doubles = {i: torch.tensor(value, dtype=torch.float64) for i, value in zip(tape.given, given, strict=True)}
    root = evaluate(tape, doubles, at, nothing)[tape.root]
    exact = torch.autograd.grad(root, nothing, materialize_grads=True)[0] if root.requires_grad else nothing
    return out | {"exact": np.array(exact.item())}


def through(function: str, init: str, layers: int, seed: int) -> Floats:
    """The size ‖∂L/∂W‖ of the gradient of each of `layers` weight matrices of one random network, not trained.

    WIDTH units a layer, no biases, SAMPLES standard normal inputs and targets, half the mean squared error, float64.
    """
    generator = torch.Generator().manual_seed(seed)
    h = torch.randn(SAMPLES, WIDTH, generator=generator, dtype=torch.float64)
    target = torch.randn(SAMPLES, WIDTH, generator=generator, dtype=torch.float64)
    weights = []
    for _ in range(layers):
        weight = initial(torch.empty(WIDTH, WIDTH, dtype=torch.float64), init, generator)
        weights.append(weight.requires_grad_())
        h = FORWARD[function](h @ weight.T)
    loss = (h - target).square().mean() / 2
    return np.array([one.norm().item() for one in torch.autograd.grad(loss, weights)])
