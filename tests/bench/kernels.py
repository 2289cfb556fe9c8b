"""`kernels`: what each C++ file of engine/models/kernels brings to the lessons that use it, on this processor.

For each kernel and lesson

    torch      seconds of the lesson's steps where torch does the kernel's work, over seconds with the kernel
    compiled   the same for torch.compile (its default, inductor) in place of the kernel; compiling is not counted
    step_ms    milliseconds of a step with the kernel

A step is one of the lesson's own loop: batch, forward and backward pass, optimiser, scalars, and the validation where
an epoch ends. The three take turns, each with a run of its own on as many threads as the worker gives it; figures are
medians over the rounds. Settings are the lesson's defaults unless a preset is named. A row is null where the lesson
does not use the kernel on this processor (engine/models/kernels/README.md), or where CIFAR-10 is not there.
"""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import islice
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.datasets import cifar10
from engine.models.kernels import build
from engine.models.optimiser import Optimiser
from engine.models.perceptron import Perceptron
from engine.types import Job, Values
from engine.worker.lesson_code import load
from lessons import catalog
from lessons.cifar10 import compute, networks
from lessons.cifar10.params import PRESETS
from lessons.cifar10.precision import has_bfloat16, has_int8

ROUNDS = 7
CPU = torch.device("cpu")

torch._dynamo.config.recompile_limit = 64  # the activations lesson has nine networks


@dataclass(frozen=True)
class Case:
    """Steps of `lesson` with `settings` in which `kernel` works; `steps` of them are one round's."""

    kernel: str
    name: str
    lesson: str
    steps: int
    settings: Values = field(default_factory=dict)
    usable: bool = True


def cases() -> list[Case]:
    """All lessons that use a kernel."""
    there = cifar10.available()
    photographs = {**PRESETS["tutorial"], "epochs": 60.0}
    fast = {**PRESETS["fast"], "epochs": 60.0}
    bfloat16 = {**PRESETS["fast"], "precision": "bfloat16", "epochs": 60.0}
    return [
        Case("perceptron", "playground", "playground", 4000, {"steps": 1_000_000}),
        Case("perceptron", "overfitting", "overfitting", 200, {"steps": 20_000}),
        Case("perceptron", "activations", "activations", 100, {"steps": 20_000}),
        Case("pooled", "cifar10 (digits)", "cifar10", 38 * 3, {"epochs": 60.0}),
        Case("pooled", "cifar10 (tutorial preset)", "cifar10", 20, photographs, there),
        Case("normed", "cifar10 (fast preset in bfloat16)", "cifar10", 10, bfloat16, there and has_bfloat16(CPU)),
        Case("quantised", "cifar10 (fast preset)", "cifar10", 10, fast, there and has_int8(CPU)),
    ]


def stepper(case: Case) -> tuple[Callable[[int], object], int]:
    """What takes so many further steps of a new run of the case, and how many threads the worker would give it."""
    values = catalog.params(case.lesson)(**case.settings).model_dump(mode="json")
    job = Job(catalog.lesson(case.lesson).entry, values, 0, "cpu")
    code = load(job.entry)
    threads = code.hooks.threads(job) or torch.get_num_threads()
    run = code.start(job, {}, None)
    if isinstance(run, Generator):
        return lambda count: deque(islice(run, count), 0), threads
    return run.step_many, threads


# What torch.compile makes of the work of a kernel


@cache
def compiled_gradient(sizes: tuple[int, ...], activations: tuple[str, ...], loss: str) -> Any:
    """(weights, inputs, targets) -> (gradient, (loss, share of right guesses)) of a perceptron."""
    net = Perceptron(sizes, activations, loss)

    def objective(flat: Tensor, inputs: Tensor, targets: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        h = net.forward(flat, inputs)[-1]
        if loss == "softmax":
            mean, right = F.cross_entropy(h, targets), h.argmax(1) == targets.argmax(1)
        elif loss == "logistic":
            mean, right = F.binary_cross_entropy_with_logits(h, targets), (h > 0) == (targets > 0.5)
        else:
            mean, right = (h - targets).square().sum(1).mean() / 2, (h[:, 0] > 0) == (targets[:, 0] > 0)
        return mean, (mean, right.float().mean())

    return torch.compile(torch.func.grad(objective, has_aux=True), dynamic=False)


def loss_and_gradient(
    net: Perceptron, inputs: Tensor, targets: Tensor, training: bool = False
) -> tuple[float, float, Tensor]:
    """Stands in for Perceptron.loss_and_gradient."""
    gradient, (loss, right) = compiled_gradient(net.sizes, net.activations, net.loss)(net.weights, inputs, targets)
    return float(loss), float(right), gradient


compiled_update = torch.compile(Optimiser.update)


def compiled_network(*args: Any) -> networks.Network:
    """Stands in for lessons.cifar10.networks.build: the network's layers one by one, compiled together."""
    model = networks.build(*args)
    model.forward = torch.compile(partial(nn.Sequential.forward, model), dynamic=False)  # type: ignore[method-assign]
    return model


@contextmanager
def compiled(kernel: str) -> Iterator[None]:
    """Inside, torch.compile's code does the work of `kernel`."""
    with build.unused(kernel):
        if kernel == "perceptron":
            with (
                patch.object(Perceptron, "loss_and_gradient", loss_and_gradient),
                patch.object(Optimiser, "update", compiled_update),
            ):
                yield
        else:
            with patch.object(compute, "build", compiled_network):
                yield


# Measuring


def measure(case: Case) -> Values | None:
    """The row of one case."""
    if not case.usable or build.library(case.kernel) is None:
        return None
    sides: dict[str, Callable[[], AbstractContextManager[None]]] = {
        "kernel": nullcontext,
        "torch": partial(build.unused, case.kernel),
        "compiled": partial(compiled, case.kernel),
    }
    before = torch.get_num_threads()
    steppers: dict[str, Callable[[int], object]] = {}
    for name, side in sides.items():
        with side():
            steppers[name], threads = stepper(case)
            torch.set_num_threads(threads)
            steppers[name](case.steps)  # compiles, and fills the caches
    rounds: list[dict[str, float]] = []
    for round_ in range(ROUNDS):
        seconds = {}
        for name, side in [*sides.items()][:: 1 if round_ % 2 else -1]:
            with side():
                began = time.perf_counter()
                steppers[name](case.steps)
                seconds[name] = time.perf_counter() - began
        rounds.append(seconds)
    torch.set_num_threads(before)
    return {
        "torch": round(statistics.median(row["torch"] / row["kernel"] for row in rounds), 2),
        "compiled": round(statistics.median(row["compiled"] / row["kernel"] for row in rounds), 2),
        "step_ms": round(statistics.median(1e3 * row["kernel"] / case.steps for row in rounds), 4),
    }


def main() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for case in cases():
        found.setdefault(case.kernel, {})[case.name] = measure(case)
    return found
