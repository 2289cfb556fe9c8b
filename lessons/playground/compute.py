"""Trains small networks on points of the plane, many steps at a call."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine import files
from engine.checkpoint import add_prefix, select
from engine.models.perceptron import Perceptron, Points
from engine.params import int_arg, parse
from engine.types import Arrays, Checkpoint, Job, Problem, ScalarBlock, Step, Values
from engine.worker.batched import as_generator
from lessons.playground.landscape import WeightPath, landscape
from lessons.playground.params import FEATURES, Params
from lessons.playground.points import REACH, SIDE, Data, data, features, grid
from lessons.playground.trainer import Trainer, edit

CHECK = 10  # steps between two measurements on all points
EARLY = 10  # steps at the start after each of which is measured
UNIT_EVERY = 2  # a unit's map has every second cell of the plane, across and down
LIVE = ("lr", "momentum", "decay", "l1", "batch", "dropout")  # live settings that a step depends on
MEASURED = ("loss", "train", "test", "right.train", "right.test", "goal", "solved")  # scalars of a measured step


class Playground:
    """A batched run (engine/worker/batched.py) of one network, or of `seeds` networks that differ in their seed alone.

    Scalars of every step: "loss", of the first network's minibatch before the step. At the first EARLY steps, at every
    tenth and at the end also "train" and "test", its mean loss on all points; "right.train" and "right.test", its
    accuracy; "goal", the accuracy that is wanted; and "solved", 1 if the goal is reached. With several seeds "train.K",
    "test.K" and "right.K", the accuracy on the test points, are those of each, from 0.
    """

    def __init__(self, job: Job, state: Checkpoint | None = None) -> None:
        self.p = p = parse(Params, job.params)
        self.step, self.total = -1, p.steps
        self.data = data(p, job.seed, files.read(p.csv) if p.points == "csv" else b"")
        self.points = {part: self._points(part) for part in ("train", "test")}
        self.grid = torch.from_numpy(features(grid(), p.features).T.copy())
        self.settings: Values = {name: getattr(p, name) for name in LIVE}
        self.best, self.best_step = math.inf, 0  # lowest test loss and its step, for the stop rule
        self.trainers = [Trainer(p, job.seed + number) for number in range(p.seeds)]
        self.path = WeightPath()
        several = range(p.seeds if p.seeds > 1 else 0)
        self.names = (*MEASURED, *(f"{name}.{k}" for name in ("train", "test", "right") for k in several))
        if state is not None:
            self._restore(state)
        edit(self.net, p.edits, "" if state is None else bytes(state["edits"]).decode())
        self.change({})

    @property
    def net(self) -> Perceptron:
        """The network that frames show: the first."""
        return self.trainers[0].net

    def _points(self, part: str) -> Points:
        """The features and targets of the "train" or "test" points."""
        p = self.p
        where, classes = getattr(self.data, part), self._classes(part)
        if p.outputs > 1:
            targets = np.eye(p.outputs, dtype=np.float32)[classes]
        else:
            targets = classes.astype(np.float32) if p.loss == "cross-entropy" else 2 * classes.astype(np.float32) - 1
        return Points(features(where, p.features), targets)

    def _classes(self, part: str) -> Any:
        """The classes of the "train" or "test" points, int64 (n,)."""
        return getattr(self.data, f"{part}_class")

    def change(self, values: Values) -> None:
        self.settings |= {name: values[name] for name in LIVE if name in values}
        for trainer in self.trainers:
            trainer.change(self.settings)

    def step_many(self, count: int) -> list[ScalarBlock]:
        blocks = []
        if self.step < 0:
            self.step, count = 0, count - 1
            blocks.append(ScalarBlock(self.names, np.zeros(1, np.int32), self.measure(math.nan)))
        train, size = self.points["train"], int(self.settings["batch"])
        while count > 0 and self.step < self.total:
            taken = 1 if self.step < EARLY else min(count, CHECK - self.step % CHECK)
            taken = min(taken, self.total - self.step)
            steps = np.arange(self.step + 1, self.step + taken + 1, dtype=np.int32)
            losses, *_ = (trainer.steps(train, taken, size) for trainer in self.trainers)
            self.step += taken
            count -= taken
            measured = self.step <= EARLY or self.step % CHECK == 0 or self.step == self.total
            rest = taken - measured
            if rest:
                blocks.append(ScalarBlock(("loss",), steps[:rest], losses[:rest, None].astype(np.float64)))
            if measured:
                blocks.append(ScalarBlock(self.names, steps[rest:], self.measure(float(losses[-1]))))
        return blocks

    def measure(self, loss: float) -> Any:
        """The present step's scalars, float64 (1, names). Applies the stop rule and extends the path of weights."""
        p = self.p
        parts = ("train", "test")
        results = [
            [trainer.evaluate(self.points[part], self._classes(part)) for part in parts] for trainer in self.trainers
        ]
        (train, train_right), (test, test_right) = results[0]
        solved = p.goal > 0 and test_right >= p.goal and sum(p.sizes[1:-1]) <= p.most
        if test < self.best:
            self.best, self.best_step = test, self.step
        stale = self.step - self.best_step >= p.patience
        if (p.stop == "goal" and solved) or (p.stop == "stale" and stale) or not math.isfinite(train):
            self.total = self.step
        self.path.add(self.step, self.net.weights)
        row = [train if math.isnan(loss) else loss, train, test, train_right, test_right, p.goal, float(solved)]
        if p.seeds > 1:
            for part, number in ((0, 0), (1, 0), (1, 1)):  # train, test, right
                row += [result[part][number] for result in results]
        return np.array([row])

    def frame(self) -> Arrays:
        """The outputs of all units in the plane, from one forward pass of its SIDE x SIDE cells.

        `map` uint8 (classes, SIDE, SIDE): the probability of each class, 0 to 255; of two classes only the second's.
        `units` uint8 (units, SIDE / 2, SIDE / 2): the outputs of hidden units, then of outputs, 0 to 255 for -`scale`
        to `scale`, float32 (units,). `sizes` int32: inputs, units of each layer, outputs. `weights` float32: [out][in]
        and biases [out], layer by layer. `confusion` int32: test points by true class (row) and predicted class.
        `dots` uint8 (n, 3): see `dots`.
        """
        outputs = self.net.values(self.grid).view(-1, SIDE, SIDE)
        coarse = outputs[:, ::UNIT_EVERY, ::UNIT_EVERY]
        scale = coarse.abs().amax((1, 2)).nan_to_num(1.0, 1.0, 1.0).clamp_min(1e-12)
        units = (127.5 + 127.5 * coarse / scale[:, None, None]).nan_to_num(127.5).clamp(0, 255).round().to(torch.uint8)
        probability = probabilities(outputs[-self.p.outputs :], self.p.loss).nan_to_num(0.5)
        k = self.p.kinds
        cells = self.data.test_class * k + self.trainers[0].predict(self.points["test"])
        count = sum(out * (into + 1) for into, out in pairwise(self.p.sizes))
        return {
            "map": (255 * probability).clamp(0, 255).round().to(torch.uint8).numpy(),
            "sizes": np.array(self.p.sizes, np.int32),
            "units": units.numpy(),
            "scale": scale.numpy(),
            "weights": self.net.weights[:count].numpy().copy(),
            "confusion": np.bincount(cells, minlength=k * k).reshape(k, k).astype(np.int32),
            "dots": dots(self.data, k),
        }

    def state(self) -> Checkpoint:
        p = self.p
        arrays: Checkpoint = {
            "step": np.array(self.step),
            "sizes": np.array(p.sizes, np.int64),
            "features": np.array([FEATURES.index(name) for name in p.features], np.int64),
            "rule": np.frombuffer(p.optimiser.encode(), np.uint8).copy(),
            "edits": np.frombuffer(p.edits.encode(), np.uint8).copy(),
            "best": np.array([self.best, self.best_step]),
            **self.path.state(),
        }
        for number, trainer in enumerate(self.trainers):
            arrays |= add_prefix(f"model.{number}.", trainer.state())
        return arrays

    def _restore(self, state: Checkpoint) -> None:
        """Goes on from a checkpoint of these settings or of others, keeping the weights that fit."""
        p = self.p
        self.step = int(state["step"])
        sizes = [int(size) for size in state["sizes"]]
        known = [FEATURES[int(index)] for index in state["features"]]
        inputs = [known.index(name) if name in known else -1 for name in p.features]
        same_rule = bytes(state["rule"]).decode() == p.optimiser
        for number, trainer in enumerate(self.trainers):
            arrays = select(state, f"model.{number}.")
            if arrays:  # a fork may have more seeds than its past; those start anew
                trainer.restore(arrays, sizes, inputs, same_rule)
        if (sizes, known) == (p.sizes, list(p.features)):
            self.path = WeightPath(state)
        self.best, self.best_step = float(state["best"][0]), int(state["best"][1])


def probabilities(scores: Tensor, loss: str) -> Tensor:
    """Scores (outputs, …) as numbers from 0 to 1: probabilities or, with the squared loss, the scores clipped."""
    if loss == "squared":
        return ((scores + 1) / 2 if len(scores) == 1 else scores).clamp(0, 1)
    return scores.sigmoid() if len(scores) == 1 else scores.softmax(0)


def dots(points: Data, kinds: int) -> Any:
    """Training points, then test points: x from the left and y from the top in 255ths of the map, and the class.

    uint8 (n, 3). To the class of a test point 2 is added, or 128 if there are more than two classes. Points outside of
    the map are put at its edge.
    """
    where = np.concatenate([points.train, points.test])
    kind = np.concatenate([points.train_class, points.test_class + (kinds if kinds == 2 else 128)])
    across, down = (REACH + where[:, 0]) / (2 * REACH), (REACH - where[:, 1]) / (2 * REACH)
    return np.stack([np.clip(255 * across, 0, 255), np.clip(255 * down, 0, 255), kind], 1).round().astype(np.uint8)


batched = Playground


def run(job: Job, state: Checkpoint | None = None) -> Generator[Step, Values | None, None]:
    """Trains the networks, and yields after each step."""
    yield from as_generator(Playground(job, state))


def look(job: Job, state: Checkpoint | None, name: str, args: Mapping[str, Any]) -> Arrays:
    """Answers the query `name` with a checkpoint's network, or with the untrained one.

    "at"       unit, row, col -> `value` float64 (1,), the output of a unit at the centre of a cell of its map. Units
               count from the first hidden one; -1 is the map of the plane, whose value is a probability (of more than
               two classes the highest) or, with the squared loss, a score.
    "surface"  see `landscape`

    Raises Problem for another name, and for arguments that are not of that form.
    """
    playground = Playground(job, state)
    if name == "surface":
        return landscape(playground.net, playground.points["train"], playground.path, job.seed)
    if name != "at":
        raise Problem(f"This lesson has no answer to {name!r:.40}.", f"本课无法回答 {name!r:.40}。")
    unit = int_arg(dict(args), "unit", -1, sum(playground.p.sizes[1:]) - 1, default=-1)
    grain = 1 if unit < 0 else UNIT_EVERY
    row, col = (grain * int_arg(dict(args), key, 0, SIDE // grain - 1) for key in ("row", "col"))
    units = playground.net.values(playground.grid[:, [row * SIDE + col]])[:, 0]
    scores = units[-playground.p.outputs :]
    shown = scores if playground.p.loss == "squared" else probabilities(scores, playground.p.loss)
    return {"value": np.array([float(shown.max() if unit < 0 else units[unit])])}
