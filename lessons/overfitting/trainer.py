"""One small network, the points that it fits, and its optimiser."""

from __future__ import annotations

import math

import numpy as np
import torch

from engine.models.optimiser import Optimiser
from engine.models.perceptron import Perceptron, Points
from engine.models.regularised import Regularised
from lessons.overfitting.params import Params
from lessons.overfitting.points import Floats, sample

CHECK = 10  # steps between two checks on the test points
STEEP = 6.0  # bound of the first layer's initial weights and biases: large, so that kinks lie all over the curve


class Trainer:
    """Network `number` of an ensemble. `weights` (parameters,) and `memory` (2, parameters) are views of the ensemble's
    arrays and hold its parameters and what its optimiser keeps.

    `net` is what is trained; `bare` is the same network without dropout.
    """

    def __init__(self, p: Params, seed: int, number: int, weights: torch.Tensor, memory: torch.Tensor) -> None:
        self.p, self.seed, self.number = p, seed, number
        self.data = sample(p, seed, number)
        self.points = points(self.data.x, self.data.y)
        self.held_out = points(self.data.held_x, self.data.held_y) if p.early else self.points
        self.generator = torch.Generator()
        self.bare = self.net = network(p)
        if p.dropout:
            self.net = Regularised(self.bare.sizes, self.bare.activations, "squared", self.generator, p.dropout)
        self.bare.weights = self.net.weights = weights
        self.optimiser = Optimiser(p.optimiser, p.lr, decay=p.decay, l1=p.l1)
        if p.optimiser != "sgd":
            self.optimiser.first = memory[0]
        if p.optimiser == "adam":
            self.optimiser.second = memory[1]

    def initialise(self) -> None:
        """Draws the first weights and biases uniformly: up to STEEP in the first layer, else as torch.nn.Linear."""
        generator = torch.Generator().manual_seed(self.seed * 64 + self.number)
        for layer, (weight, bias) in enumerate(self.net.layers()):
            reach = STEEP if layer == 0 else 1 / math.sqrt(weight.shape[1])
            weight.uniform_(-reach, reach, generator=generator)
            bias.uniform_(-reach, reach, generator=generator)

    def train(self, step: int, count: int, jitter: float) -> Floats:
        """Takes `count` steps after `step`, to the next check at most, each on all points.

        Returns the mean squared error before each, (count,). `jitter` is the standard deviation of normal noise that is
        added to every x at each step. Random numbers depend on the step alone, so that a checkpoint needs no generator.
        """
        if not (jitter or self.p.dropout):
            return 2 * self.net.train(self.points, self.optimiser, count)[0].astype(np.float64)
        errors = np.empty(count)
        n = len(self.data.x)
        noise = np.random.default_rng([self.seed, 4, self.number, step // CHECK]).standard_normal((CHECK, n))
        for k in range(count):
            errors[k] = self.error()
            self.generator.manual_seed((self.seed * 64 + self.number) * 20_001 + step + k)
            moved = points(self.data.x + jitter * noise[(step + k) % CHECK], self.data.y) if jitter else self.points
            self.net.train(moved, self.optimiser, 1)
        return errors

    def error(self) -> float:
        """The mean squared error on its own points, without jitter and dropout."""
        return 2 * self.bare.evaluate(self.points)[0]

    def validation(self) -> float:
        """The mean squared error on the points held out for early stopping."""
        return 2 * self.bare.evaluate(self.held_out)[0]


def points(x: Floats, y: Floats) -> Points:
    return Points(x[:, None].astype(np.float32), y[:, None].astype(np.float32))


def network(p: Params) -> Perceptron:
    """A perceptron of the settings' sizes, without dropout; its weights are zero."""
    return Perceptron([1, *[p.width] * p.depth, 1], ["tanh"] * p.depth, "squared")
