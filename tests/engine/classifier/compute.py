"""Trains a perceptron on two moons, many steps at a call."""

from collections.abc import Generator

import numpy as np
import torch
from sklearn.datasets import make_moons

from engine.models.optimiser import Optimiser
from engine.models.perceptron import Perceptron, Points
from engine.params import parse
from engine.types import Arrays, Checkpoint, Job, ScalarBlock, Step, Values
from engine.worker.batched import as_generator
from tests.engine.classifier.params import Params

COUNT = 200
NAMES = ("loss", "accuracy")


class Classifier:
    """A BatchedRun. Its scalars are those of a step's minibatch before that step; at step 0 those of all points."""

    def __init__(self, job: Job, state: Checkpoint | None = None) -> None:
        self.p = parse(Params, job.params)
        self.step, self.total = -1, self.p.steps
        inputs, classes = make_moons(COUNT, noise=0.1, random_state=job.seed)
        self.points = Points(inputs.astype(np.float32), classes.astype(np.float32))
        hidden = [int(units) for units in self.p.hidden.split("-") if units]
        self.net = Perceptron([2, *hidden, 1], [self.p.activation] * len(hidden), "logistic")
        self.chance = torch.Generator().manual_seed(job.seed)
        for weight, _ in self.net.layers():
            weight.normal_(0, weight.shape[1] ** -0.5, generator=self.chance)
        self.optimiser = Optimiser(self.p.optimiser, self.p.lr, decay=self.p.decay)
        if state is not None:
            self.step = int(state["step"])
            self.net.weights.copy_(torch.from_numpy(state["weights"].copy()))
            self.optimiser.restore(state)
            self.chance.set_state(torch.from_numpy(state["chance"].copy()))

    def step_many(self, count: int) -> list[ScalarBlock]:
        groups = []
        if self.step < 0:
            self.step, count = 0, count - 1
            groups.append(ScalarBlock(NAMES, np.zeros(1, np.int32), np.array([self.net.evaluate(self.points)])))
        count = min(count, self.total - self.step)
        if count > 0:
            drawn = torch.randint(COUNT, (count, self.p.batch), generator=self.chance, dtype=torch.int32)
            losses, rights = self.net.train(self.points, self.optimiser, count, drawn.numpy())
            steps = np.arange(self.step + 1, self.step + count + 1, dtype=np.int32)
            groups.append(ScalarBlock(NAMES, steps, np.stack([losses, rights], 1).astype(np.float64)))
            self.step += count
        return groups

    def change(self, values: Values) -> None:
        self.optimiser.lr = values.get("lr", self.optimiser.lr)
        self.optimiser.decay = values.get("decay", self.optimiser.decay)

    def frame(self) -> Arrays:
        """`map` uint8 (side, side): how sure the network is of class 1."""
        at = torch.linspace(-2.0, 3.0, self.p.side)
        down, across = torch.meshgrid(at, at, indexing="ij")
        scores = self.net.values(torch.stack([across.flatten(), down.flatten()]))[-1]
        return {"map": (255 * scores.sigmoid()).round().to(torch.uint8).view(self.p.side, self.p.side).numpy()}

    def state(self) -> Checkpoint:
        kept = {"step": np.array(self.step), "weights": self.net.weights.numpy().copy()}
        kept["chance"] = self.chance.get_state().numpy().copy()
        return kept | self.optimiser.state()


batched = Classifier


def run(job: Job, state: Checkpoint | None = None) -> Generator[Step, Values | None, None]:
    yield from as_generator(Classifier(job, state))
