"""Executes a tape one operation at a time in float64, and the same tape as one torch expression for autograd."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.models.perceptron import FORWARD
from engine.types import Problem
from lessons.backprop.tape import Operation, Tape, pretty

Floats = npt.NDArray[np.float64]
Function = Callable[[Sequence[Tensor]], Tensor]  # of a node's arguments, tensors without axes


def weighted_sum(args: Sequence[Tensor]) -> Tensor:
    """w₁x₁ + w₂x₂ + … + b."""
    *pairs, bias = args
    total = bias
    for weight, value in zip(pairs[::2], pairs[1::2], strict=True):
        total = total + weight * value
    return total


def outputs_and_targets(args: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """A loss's arguments: the outputs (or what enters them), and as many targets."""
    both = torch.stack(list(args))
    return both[: len(args) // 2], both[len(args) // 2 :]


def squared(args: Sequence[Tensor]) -> Tensor:
    outputs, targets = outputs_and_targets(args)
    return (outputs - targets).square().sum() / 2


def sigmoid_cross_entropy(args: Sequence[Tensor]) -> Tensor:
    logits, targets = outputs_and_targets(args)
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="sum")


def softmax_cross_entropy(args: Sequence[Tensor]) -> Tensor:
    logits, targets = outputs_and_targets(args)
    return -(targets * F.log_softmax(logits, 0)).sum()


FUNCTIONS: dict[str, Function] = {  # by the kind of a node
    "sum": weighted_sum,
    "softmax": lambda args: torch.softmax(torch.stack(list(args)), 0)[0],
    "loss.squared": squared,
    "loss.squared_sigmoid": squared,
    "loss.sigmoids": sigmoid_cross_entropy,
    "loss.softmax": softmax_cross_entropy,
    "+": lambda args: args[0] + args[1],
    "-": lambda args: args[0] - args[1],
    "*": lambda args: args[0] * args[1],
    "/": lambda args: args[0] / args[1],
    "**": lambda args: args[0] ** args[1],
    "minus": lambda args: -args[0],
    "max": lambda args: torch.maximum(args[0], args[1]),
    "min": lambda args: torch.minimum(args[0], args[1]),
}


def apply(kind: str, args: Sequence[Tensor]) -> Tensor:
    """The value of a node of that kind from those of its arguments, all tensors without axes."""
    if kind in FUNCTIONS:
        return FUNCTIONS[kind](args)
    if kind in FORWARD:
        return FORWARD[kind](args[0])
    value: Tensor = getattr(torch, kind)(args[0])  # a function of lessons/formula.py, which torch has by the same name
    return value


def evaluate(tape: Tape, given: Mapping[int, Tensor], moved: int = -1, by: Tensor | float = 0.0) -> list[Tensor]:
    """The values of all nodes. `by` is added to that of the node `moved`, before others are computed from it."""
    values: list[Tensor] = []
    like = next(iter(given.values()))
    for i, node in enumerate(tape.nodes):
        if node.args:
            value = apply(node.kind, [values[arg] for arg in node.args])
        else:
            value = given[i] if node.kind == "given" else torch.tensor(node.value, dtype=like.dtype)
        values.append(value + by if i == moved else value)
    return values


def autograd(tape: Tape, given: Floats) -> tuple[Floats, float]:
    """torch's gradients of L by the given numbers (those of Tape.given), from one backward(); and L."""
    leaves = {i: torch.tensor(value, dtype=torch.float64) for i, value in zip(tape.given, given, strict=True)}
    for leaf in leaves.values():
        leaf.requires_grad_()
    root = evaluate(tape, leaves)[tape.root]
    root.backward()  # type: ignore[no-untyped-call]
    return np.array([0.0 if leaf.grad is None else leaf.grad.item() for leaf in leaves.values()]), root.item()


class Machine:
    """The numbers of one moment, NaN where none has been computed in this round.

    `values` and `grads` are those of the nodes; `derivatives` those of each node by each of its arguments, in the order
    of Tape.edges.
    """

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
        """Begins a round: forgets what was computed, keeps what was given or learnt."""
        for i, node in enumerate(self.tape.nodes):
            if node.kind != "given":
                self.values[i] = node.value if node.kind == "number" else np.nan
        self.grads = np.full(len(self.tape.nodes), np.nan)
        self.derivatives = np.full(len(self.edge), np.nan)

    def do(self, operation: Operation, lr: float, full_round: bool) -> None:
        """One step; with `full_round` it goes forward and back through all nodes of the operation."""
        if full_round:
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
        """Computes the value of node i. Raises Problem if it is not finite."""
        node = self.tape.nodes[i]
        self.values[i] = apply(node.kind, self._tensors(node.args)).item()
        self._check_finite(self.values[i], i)

    def backward(self, i: int) -> None:
        """The chain rule at node i: adds its gradient times its derivative by an argument to that argument's."""
        node = self.tape.nodes[i]
        if i == self.tape.root:
            self.grads[i] = 1.0
        args = self._tensors(node.args)
        variable = [k for k, arg in enumerate(node.args) if self.tape.nodes[arg].kind != "number"]
        inputs = [args[k].requires_grad_() for k in variable]
        derivatives = torch.autograd.grad(apply(node.kind, args), inputs, materialize_grads=True)
        for k, derivative in zip(variable, derivatives, strict=True):
            arg = node.args[k]
            self.derivatives[self.edge[i, k]] = derivative.item()
            before = 0.0 if math.isnan(self.grads[arg]) else self.grads[arg]
            self.grads[arg] = before + self.grads[i] * derivative.item()
            self._check_finite(self.grads[arg], arg)

    def _tensors(self, nodes: Sequence[int]) -> list[Tensor]:
        return [torch.tensor(self.values[i], dtype=torch.float64) for i in nodes]

    def _check_finite(self, value: float, i: int) -> None:
        """Raises Problem for a value or gradient of node i that is not finite."""
        if math.isfinite(value):
            return
        name = pretty(self.tape.nodes[i].name)
        raise Problem(
            f"{name} has no finite value or gradient here: it overflows, divides by zero, or takes the root, power or "
            "logarithm of a number that has none. Set other values, or a smaller learning rate, and run again.",
            f"{name} 在这里没有有限的值或梯度：溢出、除以了零，或对不允许的数开方、乘方、取对数。"
            "请换一组数，或把学习率调小，再运行。",
        )
