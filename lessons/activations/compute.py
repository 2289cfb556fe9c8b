"""Nine small classifiers that differ in nothing but their activation, trained together; and a deep network's variance.

All nine start from the same weights and see the same points, and each goes its own way. They take many steps at a call
(engine/models/perceptron.py).
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.models import perceptron
from engine.models.initial import initial
from engine.models.perceptron import FORWARD, Optimiser, Perceptron
from engine.params import parse
from engine.records.blocks import merged
from engine.types import Arrays, Checkpoint, Job, Problem, ScalarBlock, Scalars, Step, Values
from engine.worker.batched import as_generator
from lessons.activations.depth import SAMPLES, WIDTH
from lessons.activations.params import FUNCTIONS, Params
from lessons.activations.points import REACH, SIDE, Points, points

Floats = npt.NDArray[np.float64]

CHECK = 10  # steps between two looks at the held-out points and the units
QUIET = 0.005  # a unit is asleep for a point where its function's slope is smaller than this


class Nine:
    """The classifiers of FUNCTIONS for one seed, which gives the points and their first weights.

    Their weights are rows of one array, `flat` (9, weights and biases of a network, layer by layer), and so is what
    Adam keeps, `memory` (2, 9, ...).
    """

    def __init__(self, p: Params, seed: int) -> None:
        self.p = p
        self.data = points(p.points, p.noise, seed)
        self.train = perceptron.Points(self.data.train, self.data.train_class)
        self.nets = [Perceptron([2, *[p.width] * p.depth, 1], [name] * p.depth, "logistic") for name in FUNCTIONS]
        self.optimisers = [Optimiser(p.optimiser, p.lr) for _ in FUNCTIONS]
        self.flat = torch.stack([net.weights for net in self.nets])
        self.memory = torch.zeros(2, *self.flat.shape)
        for k, (net, optimiser) in enumerate(zip(self.nets, self.optimisers, strict=True)):
            net.weights = self.flat[k]
            optimiser.first, optimiser.second = self.memory[:, k]
        generator = torch.Generator().manual_seed(seed)
        for weight, _ in self.nets[0].layers():
            initial(weight, p.init, generator)
        self.flat[1:] = self.flat[0]  # the same for all nine

    def steps(self, count: int) -> Floats:
        """`count` steps on all training points: loss and accuracy before each and after the last (count + 1, 9, 2)."""
        found = np.empty((count + 1, len(FUNCTIONS), 2))
        for k, (net, optimiser) in enumerate(zip(self.nets, self.optimisers, strict=True)):
            if count:
                found[:-1, k, 0], found[:-1, k, 1] = net.train(self.train, optimiser, count)
            found[-1, k] = net.judge(self.train)
        return found

    def frame(self) -> Arrays:
        """What the nine say everywhere, uint8 (9, SIDE, SIDE): 0 surely class 0, 255 surely class 1; and the points.

        `dots` uint8 (300, 3): across and down in 255ths of a map, and class; 2 and 3 are held-out points.
        """
        scores = torch.stack([net.values(GRID.T)[-1] for net in self.nets])
        sure = torch.sigmoid(scores).nan_to_num(0.5)
        maps = (255 * sure).round().to(torch.uint8).view(len(FUNCTIONS), SIDE, SIDE)
        return {"maps": maps.numpy(), "dots": dots(self.data)}

    def state(self) -> Checkpoint:
        kept = {"model": self.flat.numpy().copy()}
        if self.p.optimiser == "adam":
            kept |= {"optim.step": np.array(self.optimisers[0].count, np.int64), "optim": self.memory.numpy().copy()}
        return kept

    def restore(self, state: Checkpoint) -> None:
        """Back to a snapshot. What another optimiser kept stays behind. Raises Problem for another size."""
        kept = state["model"]
        if kept.shape != self.flat.shape:
            raise Problem(
                "A run can be continued with other settings, but not with networks of another size "
                f"({self.p.depth} hidden layers of {self.p.width} units): the weights would not fit. Start a new run.",
                f"可以换设置接着训练，但不能换网络大小（{self.p.depth} 个隐藏层，每层 {self.p.width} 个单元）："
                "原来的权重对不上。请重新开始一次训练。",
            )
        self.flat.copy_(torch.from_numpy(kept.copy()))
        if self.p.optimiser == "adam" and "optim" in state:
            self.memory.copy_(torch.from_numpy(state["optim"].copy()))
            for optimiser in self.optimisers:
                optimiser.count = int(state["optim.step"])


class Classifiers:
    """A lane (engine/worker/batched.py) of the nine, as often as there are `seeds`; the pictures are of the first of
    them.

    Scalars, for each function of FUNCTIONS: "loss.relu" and "accuracy.relu" on the training points after the step; at
    every tenth step and at both ends "held.relu", the accuracy on the held-out points, "dead.relu", the share of
    hidden units that are asleep for every training point, and "asleep.relu", the share of pairs of a unit and a point.
    "loss" is the mean of the nine; "failed" how many of them are no finite number any more, each with its
    "failed.relu"; "lr" the learning rate. With several seeds every tenth step also has "seed.relu.K", the training
    loss with the K-th seed from `seed` on, and "middle.relu", the median of those. Raises Problem for a snapshot of
    networks of another size.
    """

    def __init__(self, job: Job, state: Checkpoint | None = None) -> None:
        self.p = p = parse(Params, job.params)
        self.step, self.total, self.lr = -1, p.steps, p.lr
        self.nines = [Nine(p, (job.seed + number) % 2**31) for number in range(p.seeds)]
        if state is not None:
            self.step = int(state["step"])
            for number, nine in enumerate(self.nines):
                prefix = f"{number}."
                own = {key.removeprefix(prefix): one for key, one in state.items() if key.startswith(prefix)}
                if own:  # a fork with more seeds: those are new
                    nine.restore(own)
            self.change({"lr": float(state.get("live.lr", self.lr))})

    def step_many(self, count: int) -> list[ScalarBlock]:
        groups = []
        if self.step < 0:
            self.step, count = 0, count - 1
            groups += self.said([nine.steps(0) for nine in self.nines])
        end = min(self.step + count, self.total)
        while self.step < end:
            steps = min(end - self.step, CHECK - self.step % CHECK)
            self.step += steps
            groups += self.said([nine.steps(steps)[1:] for nine in self.nines])
        return groups

    def said(self, found: list[Floats]) -> list[ScalarBlock]:
        """What is said of the last steps: loss and accuracy (steps, 9, 2) of each seed, and the check if it is due."""
        groups = []
        first, *_ = found
        due = self.step % CHECK == 0 or self.step == self.total
        for row in range(len(first)):
            step = self.step - len(first) + 1 + row
            scalars = measures(first[row], self.lr)
            if due and step == self.step:
                scalars |= check(self.nines[0])
                if len(found) > 1:
                    scalars |= spread(np.stack([one[-1, :, 0] for one in found]))
            groups.append(ScalarBlock(tuple(scalars), np.array([step], np.int32), np.array([list(scalars.values())])))
        return merged(groups)

    def change(self, values: Values) -> None:
        self.lr = float(values.get("lr", self.lr))
        for nine in self.nines:
            for optimiser in nine.optimisers:
                optimiser.lr = self.lr

    def frame(self) -> Arrays:
        return self.nines[0].frame()

    def state(self) -> Checkpoint:
        kept = {"step": np.array(self.step, np.int64)}
        for number, nine in enumerate(self.nines):
            kept |= {f"{number}.{key}": array for key, array in nine.state().items()}
        return kept | ({"live.lr": np.array(self.lr)} if self.lr != self.p.lr else {})


batched = Classifiers


def spread(losses: Floats) -> Scalars:
    """The losses (seeds, 9) by function and seed, and the median of each function's."""
    out = {f"middle.{name}": float(np.median(losses[:, i])) for i, name in enumerate(FUNCTIONS)}
    return out | {
        f"seed.{name}.{k}": float(losses[k, i]) for i, name in enumerate(FUNCTIONS) for k in range(len(losses))
    }


def run(job: Job, state: Checkpoint | None = None) -> Generator[Step, Values | None, None]:
    """Trains the nine on all training points at once, and yields after each step."""
    yield from as_generator(Classifiers(job, state))


def measures(found: Floats, lr: float) -> Scalars:
    """What is said of every step: `found` (9, 2) is loss and accuracy of each."""
    each = found[:, 0].tolist()
    failed = {f"failed.{name}": 1.0 for name, one in zip(FUNCTIONS, each, strict=True) if not math.isfinite(one)}
    out: Scalars = {"lr": lr, "loss": sum(each) / len(each), "failed": float(len(failed)), **failed}
    out |= {f"loss.{name}": value for name, value in zip(FUNCTIONS, each, strict=True)}
    return out | {f"accuracy.{name}": value for name, value in zip(FUNCTIONS, found[:, 1].tolist(), strict=True)}


def check(nine: Nine) -> Scalars:
    """What is said of every tenth step: held-out accuracy, dead units, and pairs of unit and point that are asleep."""
    out: Scalars = {}
    data = nine.data
    train, held, classes = (torch.from_numpy(one) for one in (data.train, data.held, data.held_class))
    for name, net in zip(FUNCTIONS, nine.nets, strict=True):
        quiet = net.tangents(train.T)[:-1].abs() < QUIET  # (hidden units, points)
        right = (net.values(held.T)[-1] > 0) == (classes > 0)
        shares = {"held": right, "dead": quiet.all(1), "asleep": quiet}
        out |= {f"{key}.{name}": share.float().mean().item() for key, share in shares.items()}
    return out


def grid() -> Tensor:
    """The centres of the maps' cells, (SIDE * SIDE, 2), from the upper left, row by row."""
    at = ((torch.arange(SIDE) + 0.5) / SIDE * 2 - 1) * REACH
    return torch.stack([at.repeat(SIDE), -at.repeat_interleave(SIDE)], 1)


GRID = grid()


def dots(data: Points) -> npt.NDArray[np.uint8]:
    """Training points, then held-out ones; what lies beyond the map is drawn at its edge."""
    where = np.concatenate([data.train, data.held])
    kind = np.concatenate([data.train_class, data.held_class + 2])
    across, down = (REACH + where[:, 0]) / (2 * REACH), (REACH - where[:, 1]) / (2 * REACH)
    return np.stack([np.clip(255 * across, 0, 255), np.clip(255 * down, 0, 255), kind], 1).round().astype(np.uint8)


def look(job: Job, state: Checkpoint | None, name: str, args: Mapping[str, Any]) -> Arrays:
    """ "depth": functions, init, layers, seed -> "signal" and "gradient", float64 (functions, layers).

    Raises Problem for another name, or arguments that are not of that form.
    """
    if name != "depth":
        raise Problem(f"This lesson has no answer to {name!r:.40}.", f"本课无法回答 {name!r:.40}。")
    found = parse(
        Params, {key: args[key] for key in ("functions", "init", "layers", "seed") if key in args}
    )  # the bounds of the settings are those of the question
    pairs = [travelled(one, found.init, found.layers, found.seed) for one in found.functions]
    return {"signal": np.stack([signal for signal, _ in pairs]), "gradient": np.stack([back for _, back in pairs])}


def travelled(name: str, init: str, layers: int, seed: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The mean square of signal and gradient at z_1 to z_layers of one random network, by a forward and backward pass.

    WIDTH units a layer, SAMPLES standard normal inputs, no biases; the gradient that enters at the last layer is
    standard normal. float64, since fifty layers may change the scale by a factor of 10^100.
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
    found = torch.autograd.grad(entering[-1], entering, last, allow_unused=True)
    signal = [z.detach().square().mean().item() for z in entering]
    gradient = [0.0 if one is None else one.square().mean().item() for one in found]  # None: no way back, the step
    return np.array(signal), np.array(gradient)
