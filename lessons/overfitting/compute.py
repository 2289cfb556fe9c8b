"""Up to 64 small networks fit a curve through noisy points; being many, they show bias, variance and noise themselves.

They take many steps at a call (engine/models/perceptron.py).
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from engine.models.perceptron import Optimiser, Perceptron, Points
from engine.models.regularised import Regularised
from engine.params import parse
from engine.records.blocks import merged
from engine.types import Arrays, Checkpoint, Job, Problem, ScalarBlock, Scalars, Step, Values
from engine.worker.batched import as_generator
from lessons.overfitting.features import sweep
from lessons.overfitting.params import BINS, Params
from lessons.overfitting.points import GRID, Floats, sample, trial

Fits = npt.NDArray[np.float64]

CHECK = 10  # steps between two looks at the test points
STEEP = 6.0  # largest weight and bias into the first layer at the start: kinks all over the curve
ACROSS = torch.from_numpy(GRID.astype(np.float32))[None]


class Learner:
    """One network with its points. Its weights and its optimiser's memory are rows of arrays that all share."""

    def __init__(self, p: Params, seed: int, number: int, weights: torch.Tensor, memory: torch.Tensor) -> None:
        self.p, self.seed, self.number = p, seed, number
        self.data = sample(p, seed, number)
        self.points = points(self.data.x, self.data.y)
        self.held = points(self.data.held_x, self.data.held_y) if p.early else self.points
        self.chance = torch.Generator()
        self.plain = self.net = network(p)
        if p.dropout:
            self.net = Regularised(self.plain.sizes, self.plain.activations, "squared", self.chance, p.dropout)
        self.plain.weights = self.net.weights = weights
        self.optimiser = Optimiser(p.optimiser, p.lr, decay=p.decay, l1=p.l1)
        if p.optimiser != "sgd":
            self.optimiser.first = memory[0]
        if p.optimiser == "adam":
            self.optimiser.second = memory[1]

    def begin(self) -> None:
        """The first weights: into the first layer uniform up to STEEP, else as torch.nn.Linear has them."""
        generator = torch.Generator().manual_seed(self.seed * 64 + self.number)
        for layer, (weight, bias) in enumerate(self.net.layers()):
            reach = STEEP if layer == 0 else 1 / math.sqrt(weight.shape[1])
            weight.uniform_(-reach, reach, generator=generator)
            bias.uniform_(-reach, reach, generator=generator)

    def train(self, step: int, count: int, jitter: float) -> Floats:
        """`count` steps after `step`, to the next check at most, on all points: the mean squared error before each.

        With `jitter`, each step moves every x by normal noise of that standard deviation. What chance decides at a step
        depends on nothing but the step, so that it needs no memory.
        """
        if not (jitter or self.p.dropout):
            return 2 * self.net.train(self.points, self.optimiser, count)[0].astype(np.float64)
        found = np.empty(count)
        n = len(self.data.x)
        moves = np.random.default_rng([self.seed, 4, self.number, step // CHECK]).standard_normal((CHECK, n))
        for k in range(count):
            found[k] = self.error()
            self.chance.manual_seed((self.seed * 64 + self.number) * 20_001 + step + k)
            moved = points(self.data.x + jitter * moves[(step + k) % CHECK], self.data.y) if jitter else self.points
            self.net.train(moved, self.optimiser, 1)
        return found

    def error(self) -> float:
        """The mean squared error on its own points as they are, no unit dropped."""
        return 2 * self.plain.judge(self.points)[0]

    def validation(self) -> float:
        """The same on the points kept aside."""
        return 2 * self.plain.judge(self.held)[0]


def points(x: Floats, y: Floats) -> Points:
    return Points(x[:, None].astype(np.float32), y[:, None].astype(np.float32))


def network(p: Params) -> Perceptron:
    return Perceptron([1, *[p.width] * p.depth, 1], ["tanh"] * p.depth, "squared")


class Ensemble:
    """A lane (engine/worker/batched.py) of `seeds` networks. Every loss is a mean squared error; training goes down
    its half.

    Scalars of every step: "train", "loss" (the same), the mean over the networks on their own points; "lr". Every
    tenth step and at both ends: "test.K", the error of the K-th network on the test points, and "test", their mean,
    which is "bias2" + "variance" + "noise"; "bagged", the error of the mean of their curves; "best" the lowest
    "test" so far and "best_step" when that was; "size", the root mean square of all weights, biases left out. With
    `early` these are of the weights that each network's validation points liked best so far, and "validation" is that
    error's mean.
    "failed": how many networks are no finite number any more; they are left out. Raises Problem for a snapshot of
    networks of another size.
    """

    def __init__(self, job: Job, state: Checkpoint | None = None) -> None:
        self.p = p = parse(Params, job.params)
        self.step, self.total = -1, p.steps
        self.live: Values = {name: getattr(p, name) for name in ("lr", "decay", "l1", "jitter")}
        self.curve, self.noise = trial(p, job.seed)
        size = len(network(p).weights)
        self.flat, self.memory = torch.zeros(p.seeds, size), torch.zeros(2, p.seeds, size)
        self.learners = [Learner(p, job.seed, k, self.flat[k], self.memory[:, k]) for k in range(p.seeds)]
        for one in self.learners:
            one.begin()
        self.kept = self.flat.clone()
        self.lowest = np.full(p.seeds, np.inf)
        self.best, self.best_step = math.inf, 0
        if state is not None:
            self.restore(state)

    def step_many(self, count: int) -> list[ScalarBlock]:
        groups = []
        if self.step < 0:
            self.step, count = 0, count - 1
            groups += self.said(self.errors()[None])
        end = min(self.step + count, self.total)
        while self.step < end:
            steps = min(end - self.step, CHECK - self.step % CHECK)
            found = np.stack([one.train(self.step, steps, self.live["jitter"]) for one in self.learners], 1)
            self.step += steps
            groups += self.said(np.concatenate([found[1:], self.errors()[None]]))
        return groups

    def errors(self) -> Floats:
        """The mean squared error of each network on its own points."""
        return np.array([one.error() for one in self.learners])

    def said(self, train: Floats) -> list[ScalarBlock]:
        """What is said of the last steps: training errors (steps, networks), and the check if it is due."""
        groups = []
        due = self.step % CHECK == 0 or self.step == self.total
        for row, each in enumerate(train):
            step = self.step - len(train) + 1 + row
            good = each[np.isfinite(each)]
            mean = float(good.mean()) if len(good) else math.nan
            scalars: Scalars = {"loss": mean, "train": mean, **self.settings(), "failed": float(len(each) - len(good))}
            if due and step == self.step:
                scalars |= self.check()
            groups.append(ScalarBlock(tuple(scalars), np.array([step], np.int32), np.array([list(scalars.values())])))
        return merged(groups)

    def settings(self) -> Scalars:
        return {"lr": float(self.live["lr"])}

    def check(self) -> Scalars:
        """The errors on the test points, taken apart."""
        out: Scalars = {}
        if self.p.early:
            held = np.array([one.validation() for one in self.learners])
            better = held < self.lowest
            self.kept[torch.from_numpy(better)] = self.flat[torch.from_numpy(better)]
            self.lowest = np.where(better, held, self.lowest)
            out["validation"] = float(self.lowest.mean())
        fits = self.fits()
        each = ((fits - self.curve) ** 2).mean(1) + (self.noise**2).mean()
        out |= {f"test.{k}": float(one) for k, one in enumerate(each)}
        out |= apart(fits[np.isfinite(fits).all(1)], self.curve, self.noise)
        if out["test"] < self.best:
            self.best, self.best_step = out["test"], self.step
        size = float(np.sqrt(np.mean(self.weights().astype(np.float64) ** 2)))
        return out | {"best": self.best, "best_step": float(self.best_step), "size": size}

    def judged(self) -> torch.Tensor:
        """The weights (networks, size) that count: with early stopping those kept."""
        return self.kept if self.p.early else self.flat

    def weights(self) -> npt.NDArray[np.float32]:
        """Those weights in a row, biases left out."""
        net = network(self.p)
        return np.concatenate([weight.numpy().ravel() for one in self.judged() for weight, _ in net.layers(one)])

    def fits(self) -> Fits:
        """What each network says on GRID, (networks, 101)."""
        net = network(self.p)
        out = []
        for weights in self.judged():
            net.weights = weights
            out.append(net.values(ACROSS)[-1].double().numpy())
        return np.stack(out)

    def change(self, values: Values) -> None:
        self.live |= {name: float(value) for name, value in values.items() if name in self.live}
        for one in self.learners:
            for name in ("lr", "decay", "l1"):
                setattr(one.optimiser, name, self.live[name])

    def frame(self) -> Arrays:
        """On GRID, float32 (101,): "mean" and "spread", the standard deviation, of all curves; "one", the first
        network's; and "weights", the share of all weights (biases left out) in each of BINS.
        """
        fits = self.fits()
        good = fits[np.isfinite(fits).all(1)]
        mean, spread = (good.mean(0), good.std(0)) if len(good) else (np.full(len(GRID), np.nan),) * 2
        weights = self.weights()
        weights = np.clip(weights[np.isfinite(weights)], BINS[0], BINS[-1])
        shares = np.histogram(weights, BINS)[0] / max(1, len(weights))
        found = {"mean": mean, "spread": spread, "one": fits[0], "weights": shares}
        return {name: one.astype(np.float32) for name, one in found.items()}

    def state(self) -> Checkpoint:
        kept = {
            "step": np.array(self.step, np.int64),
            "model": self.flat.numpy().copy(),
            "best": np.array([self.best, self.best_step]),
        }
        if self.p.optimiser != "sgd":
            kept |= {"optim": self.memory.numpy().copy(), "optim.step": np.array(self.learners[0].optimiser.count)}
        if self.p.early:
            kept |= {"kept": self.kept.numpy().copy(), "lowest": self.lowest.copy()}
        return kept | {f"live.{k}": np.array(v) for k, v in self.live.items() if v != getattr(self.p, k)}

    def restore(self, state: Checkpoint) -> None:
        """Back to a snapshot; further networks begin anew. Raises Problem for another size."""
        model = torch.from_numpy(state["model"].copy())
        if model.shape[1] != self.flat.shape[1]:
            raise Problem(
                "A run can be continued with other settings, but not with networks of another size "
                f"({self.p.depth} hidden layers of {self.p.width} units): the weights would not fit. Start a new run.",
                f"可以换设置接着训练，但不能换网络大小（{self.p.depth} 个隐藏层，每层 {self.p.width} 个单元）："
                "原来的权重对不上。请重新开始一次训练。",
            )
        self.step = int(state["step"])
        many = min(len(model), len(self.flat))
        self.flat[:many] = model[:many]
        self.kept[:many] = torch.from_numpy(state["kept"].copy())[:many] if "kept" in state else model[:many]
        if "lowest" in state:
            self.lowest[:many] = state["lowest"][:many]
        if "optim" in state and self.p.optimiser != "sgd":
            self.memory[:, :many] = torch.from_numpy(state["optim"].copy())[:, :many]
            for one in self.learners:
                one.optimiser.count = int(state["optim.step"])
        self.best, self.best_step = float(state["best"][0]), int(state["best"][1])
        self.change({name: state[f"live.{name}"] for name in self.live if f"live.{name}" in state})


def apart(fits: Fits, curve: Floats, noise: Floats) -> Scalars:
    """The test error of several fits (networks, 101), taken apart as Geman, Bienenstock and Doursat (1992) do.

    "bagged" is the error of their mean; "test" is larger by their "variance" (Krogh and Vedelsby, 1995).
    """
    if not len(fits):
        return dict.fromkeys(("test", "bias2", "variance", "noise", "bagged"), math.nan)
    mean = fits.mean(0)
    said = np.stack([curve + noise, curve - noise])  # each test point, so far above the curve and so far below
    return {
        "test": float(((fits[:, None] - said) ** 2).mean()),
        "bias2": float(((mean - curve) ** 2).mean()),
        "variance": float(fits.var(0).mean()),
        "noise": float((noise**2).mean()),
        "bagged": float(((mean - said) ** 2).mean()),
    }


batched = Ensemble


def run(job: Job, state: Checkpoint | None = None) -> Generator[Step, Values | None, None]:
    """Trains the networks on all their points at once, and yields after each step."""
    yield from as_generator(Ensemble(job, state))


def look(job: Job, state: Checkpoint | None, name: str, args: Mapping[str, Any]) -> Arrays:
    """ "descent": points, noise, curve, truth, ridge, seed -> the arrays of features.sweep.

    Raises Problem for another name, or arguments that are not of that form.
    """
    if name != "descent":
        raise Problem(f"This lesson has no answer to {name!r:.40}.", f"本课无法回答 {name!r:.40}。")
    wanted = ("points", "noise", "curve", "truth", "ridge", "seed")
    asked = parse(Params, {key: args[key] for key in wanted if key in args})  # the settings' bounds are the question's
    return sweep(asked, asked.seed)
