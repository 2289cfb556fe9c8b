"""Trains small networks on points of the plane, many steps at a call. A lane: see engine/worker/batched.py."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine import files
from engine.models.perceptron import Optimiser, Perceptron, Points
from engine.models.regularised import Regularised
from engine.params import int_arg, parse
from engine.types import Arrays, Checkpoint, Job, Problem, ScalarBlock, Step, Values
from engine.worker.batched import as_generator
from lessons.playground.grow import grow, placed
from lessons.playground.landscape import Path, landscape
from lessons.playground.params import FEATURES, Params, changes
from lessons.playground.points import REACH, SIDE, Data, data, features, grid

CHECK = 10  # steps between two measurements on all points
EARLY = 10  # so many steps are measured one by one
UNIT_EVERY = 2  # a unit's map has every second cell of the plane's, across and down
LIVE = ("lr", "momentum", "decay", "l1", "batch", "dropout")  # live settings that a step depends on
MEASURED = ("loss", "train", "test", "right.train", "right.test", "goal", "solved")


class Learner:
    """One network with its optimiser and its own chance: first weights, batches and what is dropped."""

    def __init__(self, p: Params, seed: int) -> None:
        self.p = p
        self.chance = torch.Generator().manual_seed(seed)
        self.net = network(p, self.chance)
        self.optimiser = Optimiser(p.optimiser, p.lr)

    def obey(self, now: Mapping[str, float]) -> None:
        """Takes the settings that may change on the way."""
        one = self.optimiser
        one.lr, one.momentum, one.decay, one.l1 = (float(now[name]) for name in LIVE[:4])
        if isinstance(self.net, Regularised):
            self.net.dropout = float(now["dropout"])

    def steps(self, points: Points, count: int, size: int) -> Any:
        """`count` steps, each on `size` points drawn anew, or on all: their losses before it, float32 (count,)."""
        batches = None
        if size < points.count:
            drawn = torch.randint(points.count, (count, size), generator=self.chance, dtype=torch.int32)
            batches = drawn.numpy()
        return self.net.train(points, self.optimiser, count, batches)[0]

    def guesses(self, points: Points) -> Any:
        """The class that each point is taken for."""
        scores = self.net.values(points.inputs.T)[-self.p.outputs :].numpy()
        return (scores[0] > 0).astype(np.int64) if self.p.outputs == 1 else scores.argmax(0)

    def judge(self, points: Points, kinds: Any) -> tuple[float, float]:
        """Mean loss and share right of all points, whose classes are `kinds`."""
        loss, right = self.net.judge(points)
        if self.p.loss == "squared" and self.p.outputs > 1:
            right = float((self.guesses(points) == kinds).mean())
        return loss, right

    def state(self) -> Checkpoint:
        net = self.net
        kept = {"weights": net.weights.numpy().copy(), "rng": self.chance.get_state().numpy().copy()}
        if isinstance(net, Regularised):
            kept |= {"running": net.running.numpy().copy(), "rng.dropped": net.chance.get_state().numpy().copy()}
        return kept | self.optimiser.state()

    def restore(self, kept: Checkpoint, before: list[int], inputs: list[int], same_rule: bool) -> None:
        """Goes on from the state of a network of sizes `before`; `inputs` says which of its inputs these were."""
        net, old = self.net, Perceptron(before, ["linear"] * (len(before) - 2), "squared")
        plain = len(old.weights)
        many = sum(before[1:-1])
        kept = {key: array.copy() for key, array in kept.items()}

        def taken(flat: Any, fresh: Tensor, memory: bool = False) -> Tensor:
            given = torch.from_numpy(flat)
            grow(old.layers(given[:plain]), net.layers(fresh), inputs, memory=memory)
            if isinstance(net, Regularised) and net.norm and len(flat) > plain:
                for part in (0, 1):  # scales, then shifts
                    start = net.plain + part * net.hidden
                    fresh[start : start + net.hidden] = placed(
                        given[plain + part * many :][:many], before, fresh[start : start + net.hidden], self.p.sizes
                    )
            return fresh

        net.weights = taken(kept["weights"], net.weights)
        if same_rule:
            self.optimiser.count = int(kept["optim.step"])
            for part in ("first", "second"):
                if len(found := kept[f"optim.{part}"]):
                    setattr(self.optimiser, part, taken(found, torch.zeros_like(net.weights), memory=True))
        self.chance.set_state(torch.from_numpy(kept["rng"]))
        if isinstance(net, Regularised) and "running" in kept:
            net.chance.set_state(torch.from_numpy(kept["rng.dropped"]))
            both = torch.from_numpy(kept["running"])
            net.running = torch.stack([placed(both[at], before, net.running[at], self.p.sizes) for at in (0, 1)])


class Playground:
    """A lane of one network, or of `seeds` that differ in their seed alone.

    Scalars of every step: "loss", of the first network's minibatch before it. At the first steps, at every tenth and
    at the end also "train" and "test", its mean loss of all points, "right.train" and "right.test", the share of
    points told apart, "goal", the share that is wanted, and "solved", whether it is reached. With several seeds
    "train.K", "test.K" and "right.K" (of the test points) are those of each, from 0.
    """

    def __init__(self, job: Job, state: Checkpoint | None = None) -> None:
        self.p = p = parse(Params, job.params)
        self.step, self.total = -1, p.steps
        self.data = data(p, job.seed, files.read(p.csv) if p.points == "csv" else b"")
        self.points = {part: self.prepared(part) for part in ("train", "test")}
        self.grid = torch.from_numpy(features(grid(), p.features).T.copy())
        self.now: dict[str, float] = {name: getattr(p, name) for name in LIVE}
        self.best, self.best_at = math.inf, 0  # lowest test loss and its step, for the stop rule
        self.learners = [Learner(p, job.seed + number) for number in range(p.seeds)]
        self.path = Path()
        several = range(p.seeds if p.seeds > 1 else 0)
        self.names = (*MEASURED, *(f"{name}.{k}" for name in ("train", "test", "right") for k in several))
        if state is not None:
            self.restore(state)
        edit(self.net, p.edits, "" if state is None else bytes(state["edits"]).decode())
        self.obey()

    @property
    def net(self) -> Perceptron:
        """The network that is drawn: the first."""
        return self.learners[0].net

    def prepared(self, part: str) -> Points:
        """The features and targets of the training or test points."""
        p = self.p
        where, kind = getattr(self.data, part), self.kinds(part)
        if p.outputs > 1:
            targets = np.eye(p.outputs, dtype=np.float32)[kind]
        else:
            targets = kind.astype(np.float32) if p.loss == "cross-entropy" else 2 * kind.astype(np.float32) - 1
        return Points(features(where, p.features), targets)

    def kinds(self, part: str) -> Any:
        """The classes of the training or test points."""
        return getattr(self.data, f"{part}_class")

    def obey(self) -> None:
        for one in self.learners:
            one.obey(self.now)

    def change(self, values: Values) -> None:
        self.now |= {name: values[name] for name in LIVE if name in values}
        self.obey()

    # steps

    def step_many(self, count: int) -> list[ScalarBlock]:
        groups = []
        if self.step < 0:
            self.step, count = 0, count - 1
            groups.append(ScalarBlock(self.names, np.zeros(1, np.int32), self.measured(math.nan)))
        train, size = self.points["train"], int(self.now["batch"])
        while count > 0 and self.step < self.total:
            few = 1 if self.step < EARLY else min(count, CHECK - self.step % CHECK)
            few = min(few, self.total - self.step)
            steps = np.arange(self.step + 1, self.step + few + 1, dtype=np.int32)
            losses, *_ = (one.steps(train, few, size) for one in self.learners)
            self.step += few
            count -= few
            looked = self.step <= EARLY or self.step % CHECK == 0 or self.step == self.total
            plain = few - looked
            if plain:
                groups.append(ScalarBlock(("loss",), steps[:plain], losses[:plain, None].astype(np.float64)))
            if looked:
                groups.append(ScalarBlock(self.names, steps[plain:], self.measured(float(losses[-1]))))
        return groups

    def measured(self, loss: float) -> Any:
        """A row of numbers, float64 (1, names); here the stop rule is asked, and the path remembered."""
        judged = [
            [one.judge(self.points[part], self.kinds(part)) for part in ("train", "test")] for one in self.learners
        ]
        (train, train_right), (test, test_right) = judged[0]
        p = self.p
        solved = p.goal > 0 and test_right >= p.goal and sum(p.sizes[1:-1]) <= p.most
        if test < self.best:
            self.best, self.best_at = test, self.step
        stale = self.step - self.best_at >= p.patience
        if (p.stop == "goal" and solved) or (p.stop == "stale" and stale) or not math.isfinite(train):
            self.total = self.step
        self.path.add(self.step, self.net.weights)
        row = [train if math.isnan(loss) else loss, train, test, train_right, test_right, p.goal, float(solved)]
        if p.seeds > 1:
            for part, which in ((0, 0), (1, 0), (1, 1)):  # train, test, right
                row += [one[part][which] for one in judged]
        return np.array([row])

    # what is seen and kept

    def frame(self) -> Arrays:
        """What all units say all over the plane, from one forward pass of its SIDE x SIDE cells.

        `map` uint8 (classes or 1, SIDE, SIDE): the probability of each class (of the second of two), 0 to 255.
        `units` uint8 (units, SIDE / 2, SIDE / 2), outputs last, 0 to 255 for -`scale` to `scale` float32 (units,).
        `sizes` int32: inputs, units of each layer, outputs. `weights` float32: [out][in] and biases [out], layer by
        layer. `confusion` int32: test points of each class (row) that are taken for each class. `dots` uint8 (n, 3):
        see lessons/board/figures.py.
        """
        cells = self.net.values(self.grid).view(-1, SIDE, SIDE)
        some = cells[:, ::UNIT_EVERY, ::UNIT_EVERY]
        scale = some.abs().amax((1, 2)).nan_to_num(1.0, 1.0, 1.0).clamp_min(1e-12)
        units = (127.5 + 127.5 * some / scale[:, None, None]).nan_to_num(127.5).clamp(0, 255).round().to(torch.uint8)
        sure = probabilities(cells[-self.p.outputs :], self.p.loss).nan_to_num(0.5)
        k = self.p.kinds
        pairs = self.data.test_class * k + self.learners[0].guesses(self.points["test"])
        many = sum(out * (into + 1) for into, out in pairwise(self.p.sizes))
        return {
            "map": (255 * sure).clamp(0, 255).round().to(torch.uint8).numpy(),
            "sizes": np.array(self.p.sizes, np.int32),
            "units": units.numpy(),
            "scale": scale.numpy(),
            "weights": self.net.weights[:many].numpy().copy(),
            "confusion": np.bincount(pairs, minlength=k * k).reshape(k, k).astype(np.int32),
            "dots": dots(self.data, k),
        }

    def state(self) -> Checkpoint:
        p = self.p
        kept: Checkpoint = {
            "step": np.array(self.step),
            "sizes": np.array(p.sizes, np.int64),
            "features": np.array([FEATURES.index(name) for name in p.features], np.int64),
            "rule": np.frombuffer(p.optimiser.encode(), np.uint8).copy(),
            "edits": np.frombuffer(p.edits.encode(), np.uint8).copy(),
            "best": np.array([self.best, self.best_at]),
            **self.path.state(),
        }
        for number, one in enumerate(self.learners):
            kept |= {f"model.{number}.{key}": array for key, array in one.state().items()}
        return kept | {f"live.{name}": np.array(self.now[name]) for name in LIVE if self.now[name] != getattr(p, name)}

    def restore(self, state: Checkpoint) -> None:
        """Goes on from a snapshot of these settings, or of others: weights that fit are kept."""
        p = self.p
        self.step = int(state["step"])
        before = [int(size) for size in state["sizes"]]
        known = [FEATURES[int(index)] for index in state["features"]]
        inputs = [known.index(name) if name in known else -1 for name in p.features]
        same_rule = bytes(state["rule"]).decode() == p.optimiser
        for number, one in enumerate(self.learners):
            prefix = f"model.{number}."
            own = {key.removeprefix(prefix): array for key, array in state.items() if key.startswith(prefix)}
            if own:
                one.restore(own, before, inputs, same_rule)
        if (before, known) == (p.sizes, list(p.features)):
            self.path = Path(state)
        self.best, self.best_at = float(state["best"][0]), int(state["best"][1])
        self.now |= {name: state[f"live.{name}"].item() for name in LIVE if f"live.{name}" in state}


def network(p: Params, chance: torch.Generator) -> Perceptron:
    """Normal weights of variance 2 / (in + out), as Glorot and Bengio (2010) have it; biases zero."""
    loss = "squared" if p.loss == "squared" else "logistic" if p.outputs == 1 else "softmax"
    activations = [name for _, name in p.layers]
    if p.norm or p.dropout:  # what is dropped has a chance of its own, so that calls of any length draw the same
        dropped = torch.Generator().manual_seed(chance.initial_seed() + 1)
        net: Perceptron = Regularised(p.sizes, activations, loss, dropped, p.dropout, p.norm)
    else:
        net = Perceptron(p.sizes, activations, loss)
    for weight, _ in net.layers():
        weight.normal_(0, (2 / sum(weight.shape)) ** 0.5, generator=chance)
    return net


def edit(net: Perceptron, wanted: str, done: str) -> None:
    """Sets the weights that `wanted` names and `done` does not; those of units that are gone are left out."""
    before, layers = changes(done), net.layers()
    for (layer, unit, source), value in changes(wanted).items():
        if before.get((layer, unit, source)) == value or layer > len(layers):
            continue
        weight, bias = layers[layer - 1]
        if unit < len(bias) and source < weight.shape[1]:
            (bias if source < 0 else weight[:, source])[unit] = value


def probabilities(scores: Tensor, loss: str) -> Tensor:
    """Scores (outputs, ...) as what the colours show: probabilities, or for the squared loss -1 to 1 as 0 to 1."""
    if loss == "squared":
        return ((scores + 1) / 2 if len(scores) == 1 else scores).clamp(0, 1)
    return scores.sigmoid() if len(scores) == 1 else scores.softmax(0)


def dots(found: Data, kinds: int) -> Any:
    """Training points, then test ones; what lies beyond the map is drawn at its edge."""
    where = np.concatenate([found.train, found.test])
    held = kinds if kinds == 2 else 128
    kind = np.concatenate([found.train_class, found.test_class + held])
    across, down = (REACH + where[:, 0]) / (2 * REACH), (REACH - where[:, 1]) / (2 * REACH)
    return np.stack([np.clip(255 * across, 0, 255), np.clip(255 * down, 0, 255), kind], 1).round().astype(np.uint8)


batched = Playground


def run(job: Job, state: Checkpoint | None = None) -> Generator[Step, Values | None, None]:
    yield from as_generator(Playground(job, state))


def look(job: Job, state: Checkpoint | None, name: str, args: Mapping[str, Any]) -> Arrays:
    """ "at": unit, row, col -> `value` float64 (1,), what a unit says at the centre of a cell of its map.

    Units count from the first hidden one; -1 is the map of the plane, whose value is a probability (for more than two
    classes the highest) or, with the squared loss, a score. "surface" -> see `landscape`. Raises Problem for another
    name, or arguments that are not of that form.
    """
    going = Playground(job, state)
    if name == "surface":
        return landscape(going.net, going.points["train"], going.path, job.seed)
    if name != "at":
        raise Problem(f"This lesson has no answer to {name!r:.40}.", f"本课无法回答 {name!r:.40}。")
    unit = int_arg(dict(args), "unit", -1, sum(going.p.sizes[1:]) - 1, default=-1)
    grain = 1 if unit < 0 else UNIT_EVERY
    row, col = (grain * int_arg(dict(args), key, 0, SIDE // grain - 1) for key in ("row", "col"))
    said = going.net.values(going.grid[:, [row * SIDE + col]])[:, 0]
    ends = said[-going.p.outputs :]
    sure = ends if going.p.loss == "squared" else probabilities(ends, going.p.loss)
    return {"value": np.array([float(sure.max() if unit < 0 else said[unit])])}
