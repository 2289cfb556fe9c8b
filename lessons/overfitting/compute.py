"""Up to 64 small networks fit a curve through noisy points; being many, they measure bias, variance and noise."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from engine.checkpoint import other_size, tensor
from engine.params import parse
from engine.records.blocks import merged
from engine.types import Arrays, Checkpoint, Job, Problem, ScalarBlock, Scalars, Step, Values
from engine.worker.batched import as_generator
from lessons.overfitting.features import sweep
from lessons.overfitting.params import BINS, Params
from lessons.overfitting.points import GRID, Floats, trial
from lessons.overfitting.trainer import CHECK, Trainer, network

LIVE = ("lr", "decay", "l1", "jitter")  # live settings that a step depends on
INPUTS = torch.from_numpy(GRID.astype(np.float32))[None]


class Ensemble:
    """A batched run (engine/worker/batched.py) of `seeds` networks.

    Every error is a mean squared error; training goes down its half. Scalars of every step: "train" and "loss", both
    the mean over the networks of the error on their own points; "lr"; "failed": how many networks have an error that
    is not finite, and are left out of the means. Every tenth step and at both ends: "test.K", the error of network K on
    the test points; "test", their mean, which is "bias2" + "variance" + "noise"; "bagged", the error of the mean of all
    curves; "best", the lowest "test" so far, and "best_step", when that was; "size", the root mean square of all
    weights without biases. With `early` these are of the weights with the lowest validation error so far, and
    "validation" is the mean of that error. Raises Problem for a checkpoint of networks of another size.
    """

    def __init__(self, job: Job, state: Checkpoint | None = None) -> None:
        self.p = p = parse(Params, job.params)
        self.step, self.total = -1, p.steps
        self.settings: Values = {name: getattr(p, name) for name in LIVE}
        self.curve, self.noise = trial(p, job.seed)
        size = len(network(p).weights)
        self.flat, self.memory = torch.zeros(p.seeds, size), torch.zeros(2, p.seeds, size)
        self.trainers = [Trainer(p, job.seed, k, self.flat[k], self.memory[:, k]) for k in range(p.seeds)]
        for trainer in self.trainers:
            trainer.initialise()
        self.stopped = self.flat.clone()  # the weights of early stopping
        self.lowest = np.full(p.seeds, np.inf)  # their validation errors
        self.best, self.best_step = math.inf, 0
        if state is not None:
            self._restore(state)

    def step_many(self, count: int) -> list[ScalarBlock]:
        blocks = []
        if self.step < 0:
            self.step, count = 0, count - 1
            blocks += self._blocks(self._errors()[None])
        end = min(self.step + count, self.total)
        while self.step < end:
            steps = min(end - self.step, CHECK - self.step % CHECK)
            before = [trainer.train(self.step, steps, self.settings["jitter"]) for trainer in self.trainers]
            self.step += steps
            blocks += self._blocks(np.concatenate([np.stack(before, 1)[1:], self._errors()[None]]))
        return blocks

    def _errors(self) -> Floats:
        """The error of each network on its own points, (networks,)."""
        return np.array([trainer.error() for trainer in self.trainers])

    def _blocks(self, train: Floats) -> list[ScalarBlock]:
        """The scalars of the last steps, from training errors (steps, networks), and of the check if it is due."""
        blocks = []
        due = self.step % CHECK == 0 or self.step == self.total
        for row, errors in enumerate(train):
            step = self.step - len(train) + 1 + row
            finite = errors[np.isfinite(errors)]
            mean = float(finite.mean()) if len(finite) else math.nan
            failed = float(len(errors) - len(finite))
            scalars: Scalars = {"loss": mean, "train": mean, "lr": float(self.settings["lr"]), "failed": failed}
            if due and step == self.step:
                scalars |= self._check()
            blocks.append(ScalarBlock(tuple(scalars), np.array([step], np.int32), np.array([list(scalars.values())])))
        return merged(blocks)

    def _check(self) -> Scalars:
        """The scalars on the test points. Updates early stopping and the best step."""
        scalars: Scalars = {}
        if self.p.early:
            validation = np.array([trainer.validation() for trainer in self.trainers])
            better = validation < self.lowest
            self.stopped[torch.from_numpy(better)] = self.flat[torch.from_numpy(better)]
            self.lowest = np.where(better, validation, self.lowest)
            scalars["validation"] = float(self.lowest.mean())
        fits = self._fits()
        errors = ((fits - self.curve) ** 2).mean(1) + (self.noise**2).mean()
        scalars |= {f"test.{k}": float(error) for k, error in enumerate(errors)}
        scalars |= decompose(fits[np.isfinite(fits).all(1)], self.curve, self.noise)
        if scalars["test"] < self.best:
            self.best, self.best_step = scalars["test"], self.step
        size = float(np.sqrt(np.mean(self._weights().astype(np.float64) ** 2)))
        return scalars | {"best": self.best, "best_step": float(self.best_step), "size": size}

    def _parameters(self) -> torch.Tensor:
        """The parameters (networks, parameters) to be tested: with early stopping the best, else the present ones."""
        return self.stopped if self.p.early else self.flat

    def _weights(self) -> npt.NDArray[np.float32]:
        """All weights among them in one row, without biases."""
        net = network(self.p)
        return np.concatenate([weight.numpy().ravel() for flat in self._parameters() for weight, _ in net.layers(flat)])

    def _fits(self) -> Floats:
        """The curve of each network on GRID, (networks, 101)."""
        net = network(self.p)
        fits = []
        for flat in self._parameters():
            net.weights = flat
            fits.append(net.values(INPUTS)[-1].double().numpy())
        return np.stack(fits)

    def change(self, values: Values) -> None:
        self.settings |= {name: float(value) for name, value in values.items() if name in LIVE}
        for trainer in self.trainers:
            for name in ("lr", "decay", "l1"):
                setattr(trainer.optimiser, name, self.settings[name])

    def frame(self) -> Arrays:
        """On GRID, float32 (101,): `mean` and `spread`, the standard deviation, of all curves, and `one`, the first
        network's; `weights`: the share of all weights, without biases, in each of BINS.
        """
        fits = self._fits()
        finite = fits[np.isfinite(fits).all(1)]
        mean, sd = (finite.mean(0), finite.std(0)) if len(finite) else (np.full(len(GRID), np.nan),) * 2
        weights = self._weights()
        weights = np.clip(weights[np.isfinite(weights)], BINS[0], BINS[-1])
        shares = np.histogram(weights, BINS)[0] / max(1, len(weights))
        arrays = {"mean": mean, "spread": sd, "one": fits[0], "weights": shares}
        return {name: array.astype(np.float32) for name, array in arrays.items()}

    def state(self) -> Checkpoint:
        arrays = {
            "step": np.array(self.step, np.int64),
            "model": self.flat.numpy().copy(),
            "best": np.array([self.best, self.best_step]),
        }
        if self.p.optimiser != "sgd":
            arrays |= {"optim": self.memory.numpy().copy(), "optim.step": np.array(self.trainers[0].optimiser.count)}
        if self.p.early:
            arrays |= {"kept": self.stopped.numpy().copy(), "lowest": self.lowest.copy()}
        return arrays

    def _restore(self, state: Checkpoint) -> None:
        """Goes on from a checkpoint; networks that it does not have start anew. Raises Problem for another size."""
        model = tensor(state["model"])
        if model.shape[1] != self.flat.shape[1]:
            raise other_size(self.p.depth, self.p.width)
        self.step = int(state["step"])
        common = min(len(model), len(self.flat))
        self.flat[:common] = model[:common]
        self.stopped[:common] = tensor(state["kept"])[:common] if "kept" in state else model[:common]
        if "lowest" in state:
            self.lowest[:common] = state["lowest"][:common]
        if "optim" in state and self.p.optimiser != "sgd":
            self.memory[:, :common] = tensor(state["optim"])[:, :common]
            for trainer in self.trainers:
                trainer.optimiser.count = int(state["optim.step"])
        self.best, self.best_step = float(state["best"][0]), int(state["best"][1])


def decompose(fits: Floats, curve: Floats, noise: Floats) -> Scalars:
    """The test error of several fits (networks, 101) in parts, as Geman, Bienenstock and Doursat (1992).

    "test" = "bias2" + "variance" + "noise". "bagged" is the error of the mean of all fits, which is lower than "test"
    by their variance (Krogh and Vedelsby, 1995). `curve` and `noise` (101,): see `points.trial`.
    """
    if not len(fits):
        return dict.fromkeys(("test", "bias2", "variance", "noise", "bagged"), math.nan)
    mean = fits.mean(0)
    test_points = np.stack([curve + noise, curve - noise])
    return {
        "test": float(((fits[:, None] - test_points) ** 2).mean()),
        "bias2": float(((mean - curve) ** 2).mean()),
        "variance": float(fits.var(0).mean()),
        "noise": float((noise**2).mean()),
        "bagged": float(((mean - test_points) ** 2).mean()),
    }


batched = Ensemble


def run(job: Job, state: Checkpoint | None = None) -> Generator[Step, Values | None, None]:
    """Trains the networks, each on all its points, and yields after each step."""
    yield from as_generator(Ensemble(job, state))


def look(job: Job, state: Checkpoint | None, name: str, args: Mapping[str, Any]) -> Arrays:
    """Answers the query "descent": points, noise, curve, truth, ridge, seed -> the arrays of features.sweep.

    Raises Problem for another name, and for arguments outside of the bounds of the settings of the same names.
    """
    if name != "descent":
        raise Problem(f"This lesson has no answer to {name!r:.40}.", f"本课无法回答 {name!r:.40}。")
    known = ("points", "noise", "curve", "truth", "ridge", "seed")
    p = parse(Params, {key: args[key] for key in known if key in args})
    return sweep(p, p.seed)
