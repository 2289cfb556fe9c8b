"""Backpropagation one operation at a time, compared with autograd after every round."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from engine.models.initial import initial
from engine.models.perceptron import FORWARD
from engine.params import parse
from engine.types import Arrays, Checkpoint, Job, Problem, Scalars, Step, Values
from lessons.backprop.machine import Floats, Machine, autograd, evaluate
from lessons.backprop.params import Params
from lessons.backprop.tape import Operation, Tape

PHASES = ("start", "forward", "loss", "backward", "update")
EPSILONS = 10.0 ** -np.arange(1, 12.5, 0.5)  # of the finite differences
WIDTH = 32  # of the deep network
SAMPLES = 64


def beginning(p: Params) -> Floats:
    """The given numbers before the first step, in the order of `Tape.given`.

    Inputs are 1, 2, 3, …; the last target is 1 and the others 0; weights are random, biases 0 and variables 1; what was
    set by hand comes over these.
    """
    tape = p.tape
    numbers = {} if tape.sizes else dict.fromkeys(tape.index, 1.0)
    if tape.sizes:
        generator = torch.Generator().manual_seed(p.seed)
        numbers |= {f"x{i}": float(i) for i in range(1, tape.sizes[0] + 1)}
        numbers |= {f"y{i}": float(i == tape.sizes[-1]) for i in range(1, tape.sizes[-1] + 1)}
        matrices = [
            initial(torch.empty(after, before, dtype=torch.float64), p.init, generator).tolist()
            for before, after in pairwise(tape.sizes)
        ]
        for layer, matrix in enumerate(matrices, 1):
            nodes = iter(i for i in tape.learnt if tape.nodes[i].layer == layer)  # unit by unit: its weights, its bias
            for row in matrix:
                numbers |= {tape.nodes[next(nodes)].name: weight for weight in row}
                numbers[tape.nodes[next(nodes)].name] = 0.0
    numbers |= p.chosen
    return np.array([numbers[tape.nodes[i].name] for i in tape.given])


def run(job: Job, state: Checkpoint | None = None) -> Generator[Step, Values | None, None]:
    """Step 0 is the start; each further step is one operation of Tape.operations, round after round.

    Scalars: "round"; "place", which operation of the round was done last; "lr"; "at.forward" and so on, 1 for the phase
    of this step and 0 for the others; "loss" in steps that compute it; at the end of a round "gap", the largest
    difference between a gradient and autograd's, and "norm.1", …, the norm of each layer's weight gradient.
    Raises Problem where a number is not finite, and for a checkpoint of another network or expression.
    """
    p = parse(Params, job.params)
    tape = p.tape
    operations = tape.operations(p.grain)
    machine = Machine(tape, beginning(p))
    lr, start, place, count = p.lr, 0, 0, 0
    if state is not None:
        start, count = int(state["step"]), int(state["round"])
        place = restore(state, p, machine, operations)

    def checkpoint(step: int, place: int, count: int, given: Floats) -> Checkpoint:
        return {
            "step": np.array(step, np.int64),
            "round": np.array(count, np.int64),
            "place": np.array(place, np.int64),
            "operations": np.array(len(operations), np.int64),
            "model.given": given,
            "edits": np.array([*p.edits.encode()], np.uint8),
            "values": np.array([*p.values.encode()], np.uint8),
        }

    def moment(step: int, phase: str, more: Scalars) -> Step:
        scalars: Scalars = {"round": float(count), "place": float(place), "lr": lr}
        scalars |= {f"at.{name}": float(name == phase) for name in PHASES} | more
        arrays = {"values": machine.values.copy(), "grads": machine.grads.copy(), "slopes": machine.derivatives.copy()}
        arrays |= {"at": np.array([place, count], np.int64), "lr": np.array(lr)}
        present = partial(checkpoint, step, place, count, machine.given)
        return Step(step, scalars, p.steps, arrays.copy, present, keep=True)

    changes = (yield moment(0, "start", {})) if state is None else None
    for step in range(start + 1, p.steps + 1):
        lr = float((changes or {}).get("lr", lr))
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
            more |= compare(machine, before)
        changes = yield moment(step, operation.phase, more)


def compare(machine: Machine, before: Floats) -> Scalars:
    """The scalars "gap" and "norm.…" of a round that began with the given numbers `before`."""
    tape = machine.tape
    theirs, _ = autograd(tape, before)
    ours = np.nan_to_num(machine.grads[list(tape.given)])
    scalars: Scalars = {"gap": float(np.abs(ours - theirs).max())}
    for layer in range(1, len(tape.sizes)):
        nodes = [i for i in tape.learnt if tape.nodes[i].layer == layer and not tape.nodes[i].name.startswith("b")]
        scalars[f"norm.{layer}"] = float(np.linalg.norm(machine.grads[nodes]))
    return scalars


def restore(state: Checkpoint, p: Params, machine: Machine, operations: Sequence[Operation]) -> int:
    """Goes on from a checkpoint; returns how many operations of its round are done.

    With steps of another grain, or numbers that were set by hand since, a new round begins. Raises Problem for another
    network or expression.
    """
    tape, given = machine.tape, state["model.given"]
    if given.shape != machine.given.shape:
        raise Problem(
            "A run can be continued with other numbers, but not with another network or expression: its numbers would "
            "not fit. Start a new run.",
            "可以换一些数接着运行，但不能换网络或表达式：原来的数对不上。请重新开始一次运行。",
        )
    older = p.model_copy(update={name: bytes(state[name]).decode() for name in ("edits", "values")}).chosen
    later = {name: value for name, value in p.chosen.items() if older.get(name) != value and name in tape.index}
    machine.values[list(tape.given)] = given
    for name, value in later.items():
        machine.values[tape.index[name]] = value
    machine.clear()
    place = int(state["place"]) if int(state["operations"]) == len(operations) and not later else 0
    if place == len(operations):
        return 0
    for operation in operations[:place]:
        machine.do(operation, p.lr, p.grain == "round")
    return place


def look(job: Job, state: Checkpoint | None, name: str, args: Mapping[str, Any]) -> Arrays:
    """Answers the query `name`.

    "check"  name (of a node) -> `at`, `epsilon`, `double`, `single`, `exact`: see `differences`; for a node that is not
             there, of the first that is learnt
    "depth"  functions, init, layers, seed -> `norms` float64 (functions, layers): see `gradient_norms`

    Raises Problem for another name, and for arguments outside of the bounds of the settings of the same names.
    """
    if name == "check":
        p = parse(Params, job.params)
        node, index = args.get("name"), p.tape.index
        at = index[node] if isinstance(node, str) and node in index else p.tape.learnt[0]
        given = beginning(p) if state is None else state["model.given"]
        return differences(p.tape, given, at)
    if name == "depth":
        p = parse(Params, {key: args[key] for key in ("functions", "init", "layers", "seed") if key in args})
        norms = [gradient_norms(function, p.init, p.layers, p.seed) for function in p.functions]
        return {"norms": np.stack(norms)}
    raise Problem(f"This lesson has no answer to {name!r:.40}.", f"本课无法回答 {name!r:.40}。")


def differences(tape: Tape, given: Floats, at: int) -> Arrays:
    """The derivative of L by the value of node `at`: `exact`, by autograd, and by (L(+ε) - L(-ε)) / 2ε for each of
    `epsilon`, in float64, `double`, and in float32, `single`.
    """
    arrays: Arrays = {"at": np.array(at, np.int64), "epsilon": EPSILONS}
    for key, kind in (("double", torch.float64), ("single", torch.float32)):
        leaves = {i: torch.tensor(value, dtype=kind) for i, value in zip(tape.given, given, strict=True)}
        quotients = []
        for epsilon in EPSILONS.tolist():
            up, down = (evaluate(tape, leaves, at, sign * epsilon)[tape.root].item() for sign in (1, -1))
            quotients.append((up - down) / (2 * epsilon))
        arrays[key] = np.array(quotients)
    nothing = torch.zeros((), dtype=torch.float64, requires_grad=True)
    doubles = {i: torch.tensor(value, dtype=torch.float64) for i, value in zip(tape.given, given, strict=True)}
    root = evaluate(tape, doubles, at, nothing)[tape.root]
    exact = torch.autograd.grad(root, nothing, materialize_grads=True)[0] if root.requires_grad else nothing
    return arrays | {"exact": np.array(exact.item())}


def gradient_norms(function: str, init: str, layers: int, seed: int) -> Floats:
    """The norm ‖∂L/∂W‖ of each weight matrix's gradient, (layers,), in one random network that is not trained.

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
    return np.array([gradient.norm().item() for gradient in torch.autograd.grad(loss, weights)])
