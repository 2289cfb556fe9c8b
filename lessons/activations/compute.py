"""Nine small classifiers that differ in their activation alone, trained together; and a deep network's variance."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from typing import Any

import numpy as np
import torch

from engine.checkpoint import add_prefix, select
from engine.models.initial import initial
from engine.models.perceptron import FORWARD
from engine.params import parse
from engine.records.blocks import merged
from engine.types import Arrays, Checkpoint, Job, Problem, ScalarBlock, Scalars, Step, Values
from engine.worker.batched import as_generator
from lessons.activations.depth import SAMPLES, WIDTH
from lessons.activations.nine import Floats, Nine
from lessons.activations.params import FUNCTIONS, Params

CHECK = 10  # steps between two checks on the held-out points and the units


class Classifiers:
    """A batched run (engine/worker/batched.py) of the nine, once for each of `seeds`; frames are of the first.

    Scalars, for each function of FUNCTIONS: "loss.relu" and "accuracy.relu" on the training points after the step; at
    every tenth step and at both ends those of `Nine.check`. "loss" is the mean of the nine; "failed" how many have a
    loss that is not finite, each with its "failed.relu"; "lr" the learning rate. With several seeds every tenth step
    also has "seed.relu.K", the training loss with seed `seed` + K, and "middle.relu", the median of those. Raises
    Problem for a checkpoint of networks of another size.
    """

    def __init__(self, job: Job, state: Checkpoint | None = None) -> None:
        self.p = p = parse(Params, job.params)
        self.step, self.total, self.lr = -1, p.steps, p.lr
        self.nines = [Nine(p, (job.seed + number) % 2**31) for number in range(p.seeds)]
        if state is not None:
            self.step = int(state["step"])
            for number, nine in enumerate(self.nines):
                arrays = select(state, f"{number}.")
                if arrays:  # a fork may have more seeds than its past; those start anew
                    nine.restore(arrays)

    def step_many(self, count: int) -> list[ScalarBlock]:
        blocks = []
        if self.step < 0:
            self.step, count = 0, count - 1
            blocks += self._blocks([nine.steps(0) for nine in self.nines])
        end = min(self.step + count, self.total)
        while self.step < end:
            steps = min(end - self.step, CHECK - self.step % CHECK)
            self.step += steps
            blocks += self._blocks([nine.steps(steps)[1:] for nine in self.nines])
        return blocks

    def _blocks(self, numbers: list[Floats]) -> list[ScalarBlock]:
        """The scalars of the last steps, from loss and accuracy (steps, 9, 2) of each seed; the check if it is due."""
        blocks = []
        first, *_ = numbers
        due = self.step % CHECK == 0 or self.step == self.total
        for row in range(len(first)):
            step = self.step - len(first) + 1 + row
            scalars = measures(first[row], self.lr)
            if due and step == self.step:
                scalars |= self.nines[0].check()
                if len(numbers) > 1:
                    scalars |= over_seeds(np.stack([of_seed[-1, :, 0] for of_seed in numbers]))
            blocks.append(ScalarBlock(tuple(scalars), np.array([step], np.int32), np.array([list(scalars.values())])))
        return merged(blocks)

    def change(self, values: Values) -> None:
        self.lr = float(values.get("lr", self.lr))
        for nine in self.nines:
            nine.set_lr(self.lr)

    def frame(self) -> Arrays:
        return self.nines[0].frame()

    def state(self) -> Checkpoint:
        arrays = {"step": np.array(self.step, np.int64)}
        for number, nine in enumerate(self.nines):
            arrays |= add_prefix(f"{number}.", nine.state())
        return arrays


batched = Classifiers


def run(job: Job, state: Checkpoint | None = None) -> Generator[Step, Values | None, None]:
    """Trains the nine on all training points at once, and yields after each step."""
    yield from as_generator(Classifiers(job, state))


def measures(numbers: Floats, lr: float) -> Scalars:
    """The scalars of every step, from loss and accuracy (9, 2)."""
    losses = numbers[:, 0].tolist()
    failed = {f"failed.{name}": 1.0 for name, loss in zip(FUNCTIONS, losses, strict=True) if not math.isfinite(loss)}
    scalars: Scalars = {"lr": lr, "loss": sum(losses) / len(losses), "failed": float(len(failed)), **failed}
    scalars |= {f"loss.{name}": value for name, value in zip(FUNCTIONS, losses, strict=True)}
    return scalars | {f"accuracy.{name}": value for name, value in zip(FUNCTIONS, numbers[:, 1].tolist(), strict=True)}


def over_seeds(losses: Floats) -> Scalars:
    """The losses (seeds, 9) by function and seed, and the median of each function's."""
    scalars = {f"middle.{name}": float(np.median(losses[:, i])) for i, name in enumerate(FUNCTIONS)}
    return scalars | {
        f"seed.{name}.{k}": float(losses[k, i]) for i, name in enumerate(FUNCTIONS) for k in range(len(losses))
    }


def look(job: Job, state: Checkpoint | None, name: str, args: Mapping[str, Any]) -> Arrays:
    """Answers the query "depth": functions, init, layers, seed -> `signal` and `gradient`, float64 (functions, layers).

    Raises Problem for another name, and for arguments outside of the bounds of the settings of the same names.
    """
    if name != "depth":
        raise Problem(f"This lesson has no answer to {name!r:.40}.", f"本课无法回答 {name!r:.40}。")
    p = parse(Params, {key: args[key] for key in ("functions", "init", "layers", "seed") if key in args})
    pairs = [mean_squares(function, p.init, p.layers, p.seed) for function in p.functions]
    return {
        "signal": np.stack([signal for signal, _ in pairs]),
        "gradient": np.stack([gradient for _, gradient in pairs]),
    }


def mean_squares(name: str, init: str, layers: int, seed: int) -> tuple[Floats, Floats]:
    """The mean squares of signal and gradient at z_1 to z_layers, (layers,) each, of one random network.

    Measured by a forward and a backward pass: WIDTH units a layer, no biases, SAMPLES standard normal inputs and, at
    the last layer, gradients. In float64, for fifty layers may change the scale by a factor of 10^100.
    """
    generator = torch.Generator().manual_seed(seed)
    h = torch.randn(SAMPLES, WIDTH, generator=generator, dtype=torch.float64)
    entering = []
    for _ in range(layers):
        weight = initial(torch.empty(WIDTH, WIDTH, dtype=torch.float64), init, generator)
        z = h @ weight.T
        if not z.requires_grad:
            z.requires_grad_()
        entering.append(z)
        h = FORWARD[name](z)
    last = torch.randn(SAMPLES, WIDTH, generator=generator, dtype=torch.float64)
    gradients = torch.autograd.grad(entering[-1], entering, last, allow_unused=True)
    signal = [z.detach().square().mean().item() for z in entering]
    # None below a step function, which lets no gradient through
    gradient = [0.0 if part is None else part.square().mean().item() for part in gradients]
    return np.array(signal), np.array(gradient)
