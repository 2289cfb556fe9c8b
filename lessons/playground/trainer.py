"""One network of the playground with its optimiser and its random numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.checkpoint import pack_rng, tensor, unpack_rng
from engine.models.optimiser import Optimiser
from engine.models.perceptron import Perceptron, Points
from engine.models.regularised import Regularised
from engine.types import Array, Checkpoint
from lessons.playground.grow import grow, grow_units
from lessons.playground.params import Params, changes


class Trainer:
    """A network whose first weights and batches are drawn with `seed`, and what is dropped with `seed` + 1."""

    def __init__(self, p: Params, seed: int) -> None:
        self.p = p
        self.generator = torch.Generator().manual_seed(seed)
        self.net = network(p, self.generator)
        self.optimiser = Optimiser(p.optimiser, p.lr)

    def change(self, settings: Mapping[str, Any]) -> None:
        """Takes over the live settings. Dropout needs a network that was made for it."""
        for name in ("lr", "momentum", "decay", "l1"):
            setattr(self.optimiser, name, float(settings[name]))
        if isinstance(self.net, Regularised):
            self.net.dropout = float(settings["dropout"])

    def steps(self, points: Points, count: int, size: int) -> npt.NDArray[np.float32]:
        """Takes `count` steps, each on `size` points drawn with replacement, or on all if there are no more.

        Returns the loss of each batch before its step, (count,).
        """
        batches = None
        if size < points.count:
            drawn = torch.randint(points.count, (count, size), generator=self.generator, dtype=torch.int32)
            batches = drawn.numpy()
        return self.net.train(points, self.optimiser, count, batches)[0]

    def predict(self, points: Points) -> Any:
        """The class that is predicted for each point, int64 (n,)."""
        scores = self.net.values(points.inputs.T)[-self.p.outputs :].numpy()
        return (scores[0] > 0).astype(np.int64) if self.p.outputs == 1 else scores.argmax(0)

    def evaluate(self, points: Points, classes: Any) -> tuple[float, float]:
        """Mean loss and accuracy on all points, whose classes are `classes` (n,)."""
        loss, accuracy = self.net.evaluate(points)
        if self.p.loss == "squared" and self.p.outputs > 1:
            accuracy = float((self.predict(points) == classes).mean())
        return loss, accuracy

    def state(self) -> Checkpoint:
        net = self.net
        arrays = {"weights": net.weights.numpy().copy(), **pack_rng(self.generator, "rng")}
        if isinstance(net, Regularised):
            arrays |= {"running": net.running.numpy().copy(), **pack_rng(net.generator, "rng.dropped")}
        return arrays | self.optimiser.state()

    def restore(self, state: Checkpoint, sizes: list[int], inputs: list[int], same_rule: bool) -> None:
        """Goes on from a network of `sizes`, keeping the weights that fit (see grow.py).

        `inputs[i]` is the number that input i had there, or -1. The optimiser's memory is kept if the rule is the same.
        """
        net, old = self.net, Perceptron(sizes, ["linear"] * (len(sizes) - 2), "squared")
        count, units = len(old.weights), sum(sizes[1:-1])

        def grown(array: Array, fresh: Tensor, memory: bool = False) -> Tensor:
            flat = tensor(array)
            grow(old.layers(flat[:count]), net.layers(fresh), inputs, memory=memory)
            if isinstance(net, Regularised) and net.norm and len(flat) > count:
                for part in (0, 1):  # batch norm's scales, then its shifts
                    start = net.linear_size + part * net.hidden
                    place = slice(start, start + net.hidden)
                    given = flat[count + part * units :][:units]
                    fresh[place] = grow_units(given, sizes, fresh[place], self.p.sizes)
            return fresh

        net.weights = grown(state["weights"], net.weights)
        if same_rule:
            self.optimiser.count = int(state["optim.step"])
            for part in ("first", "second"):
                if len(memory := state[f"optim.{part}"]):
                    setattr(self.optimiser, part, grown(memory, torch.zeros_like(net.weights), memory=True))
        unpack_rng(state, self.generator, "rng")
        if isinstance(net, Regularised) and "running" in state:
            unpack_rng(state, net.generator, "rng.dropped")
            both = tensor(state["running"])
            net.running = torch.stack([grow_units(both[i], sizes, net.running[i], self.p.sizes) for i in (0, 1)])


def network(p: Params, generator: torch.Generator) -> Perceptron:
    """A network with normal weights of variance 2 / (in + out) (Glorot and Bengio, 2010) and zero biases."""
    loss = "squared" if p.loss == "squared" else "logistic" if p.outputs == 1 else "softmax"
    activations = [name for _, name in p.layers]
    if p.norm or p.dropout:  # with a second generator, so that calls of any length draw the same from both
        dropping = torch.Generator().manual_seed(generator.initial_seed() + 1)
        net: Perceptron = Regularised(p.sizes, activations, loss, dropping, p.dropout, p.norm)
    else:
        net = Perceptron(p.sizes, activations, loss)
    for weight, _ in net.layers():
        weight.normal_(0, (2 / sum(weight.shape)) ** 0.5, generator=generator)
    return net


def edit(net: Perceptron, edits: str, done: str) -> None:
    """Sets the weights that `edits` names, without those that `done` sets to the same and those of missing units."""
    before, layers = changes(done), net.layers()
    for (layer, unit, source), value in changes(edits).items():
        if before.get((layer, unit, source)) == value or layer > len(layers):
            continue
        weight, bias = layers[layer - 1]
        if unit < len(bias) and source < weight.shape[1]:
            (bias if source < 0 else weight[:, source])[unit] = value
