"""Small classifiers of points in the plane, one for each activation in FUNCTIONS, for one seed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.checkpoint import other_size, tensor
from engine.models import perceptron
from engine.models.initial import initial
from engine.models.optimiser import Optimiser
from engine.models.perceptron import Perceptron
from engine.types import Arrays, Checkpoint, Scalars
from lessons.activations.params import FUNCTIONS, Params
from lessons.activations.points import REACH, SIDE, Points, points

Floats = npt.NDArray[np.float64]

QUIET = 0.005  # a unit is asleep for a point where the derivative of its activation is smaller than this


class Nine:
    """The classifiers. The seed gives the points, which all see, and the first weights, which are the same for all.

    `flat` (9, parameters of a network) holds their weights and biases; `memory` (2, 9, parameters) is Adam's.
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
        self.flat[1:] = self.flat[0]

    def set_lr(self, lr: float) -> None:
        for optimiser in self.optimisers:
            optimiser.lr = lr

    def steps(self, count: int) -> Floats:
        """Takes `count` steps, each on all training points.

        Returns loss and accuracy before each step and after the last, (count + 1, 9, 2).
        """
        numbers = np.empty((count + 1, len(FUNCTIONS), 2))
        for k, (net, optimiser) in enumerate(zip(self.nets, self.optimisers, strict=True)):
            if count:
                numbers[:-1, k, 0], numbers[:-1, k, 1] = net.train(self.train, optimiser, count)
            numbers[-1, k] = net.evaluate(self.train)
        return numbers

    def check(self) -> Scalars:
        """For each function "held.relu", the accuracy on the held-out points; "dead.relu", the share of hidden units
        that are asleep for every training point; "asleep.relu", the share of pairs of a hidden unit and such a point.
        """
        scalars: Scalars = {}
        data = self.data
        train, held_out, classes = (torch.from_numpy(part) for part in (data.train, data.held, data.held_class))
        for name, net in zip(FUNCTIONS, self.nets, strict=True):
            quiet = net.derivatives(train.T)[:-1].abs() < QUIET  # (hidden units, points)
            right = (net.values(held_out.T)[-1] > 0) == (classes > 0)
            shares = {"held": right, "dead": quiet.all(1), "asleep": quiet}
            scalars |= {f"{key}.{name}": share.float().mean().item() for key, share in shares.items()}
        return scalars

    def frame(self) -> Arrays:
        """`maps` uint8 (9, SIDE, SIDE): each network's probability of class 1 in the plane, 0 to 255.

        `dots` uint8 (300, 3): the points, see the function `dots`.
        """
        logits = torch.stack([net.values(GRID.T)[-1] for net in self.nets])
        probabilities = torch.sigmoid(logits).nan_to_num(0.5)
        maps = (255 * probabilities).round().to(torch.uint8).view(len(FUNCTIONS), SIDE, SIDE)
        return {"maps": maps.numpy(), "dots": dots(self.data)}

    def state(self) -> Checkpoint:
        arrays = {"model": self.flat.numpy().copy()}
        if self.p.optimiser == "adam":
            arrays["optim.step"] = np.array(self.optimisers[0].count, np.int64)
            arrays["optim"] = self.memory.numpy().copy()
        return arrays

    def restore(self, state: Checkpoint) -> None:
        """Back to a checkpoint; another optimiser starts without memory. Raises Problem for another size."""
        if state["model"].shape != self.flat.shape:
            raise other_size(self.p.depth, self.p.width)
        self.flat.copy_(tensor(state["model"]))
        if self.p.optimiser == "adam" and "optim" in state:
            self.memory.copy_(tensor(state["optim"]))
            for optimiser in self.optimisers:
                optimiser.count = int(state["optim.step"])


def grid() -> Tensor:
    """The centres of the maps' cells, (SIDE * SIDE, 2), from the upper left, row by row."""
    at = ((torch.arange(SIDE) + 0.5) / SIDE * 2 - 1) * REACH
    return torch.stack([at.repeat(SIDE), -at.repeat_interleave(SIDE)], 1)


GRID = grid()


def dots(data: Points) -> npt.NDArray[np.uint8]:
    """Training points, then held-out ones: x from the left and y from the top in 255ths of the map, and the class.

    uint8 (n, 3). 2 is added to the class of a held-out point. Points outside of the map are put at its edge.
    """
    where = np.concatenate([data.train, data.held])
    kind = np.concatenate([data.train_class, data.held_class + 2])
    across, down = (REACH + where[:, 0]) / (2 * REACH), (REACH - where[:, 1]) / (2 * REACH)
    return np.stack([np.clip(255 * across, 0, 255), np.clip(255 * down, 0, 255), kind], 1).round().astype(np.uint8)
