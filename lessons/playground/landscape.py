"""The loss landscape around a run: a plane through the present weights, and the path of weights that led there.

The plane is spanned by the first two principal components of the path, because random directions show almost nothing
of it: H. Li, Z. Xu, G. Taylor, C. Studer, T. Goldstein (2018), Visualizing the loss landscape of neural nets, section
7, https://arxiv.org/abs/1712.09913.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.checkpoint import tensor
from engine.models.perceptron import Perceptron, Points
from engine.types import Arrays, Checkpoint

LONGEST = 32  # places of a path
EVERY = 10  # steps between two of them at first; doubled whenever the path is full
CELLS, FEW = 21, 13  # of the plane, across and up; FEW where torch has to compute it
MARGIN = 0.35  # of the path's extent, added on every side


class WeightPath:
    """The weights that a network has had, at evenly spaced steps."""

    def __init__(self, state: Checkpoint | None = None) -> None:
        self.every = EVERY if state is None else int(state["path.every"])
        steps = [] if state is None else state["path.steps"].tolist()
        weights = [] if state is None else list(tensor(state["path.weights"]))
        self.places: list[tuple[int, Tensor]] = list(zip(steps, weights, strict=True))

    def add(self, step: int, weights: Tensor) -> None:
        if step % self.every:
            return
        self.places.append((step, weights.clone()))
        if len(self.places) > LONGEST:
            self.every *= 2
            self.places = [(at, then) for at, then in self.places if at % self.every == 0]

    def state(self) -> Checkpoint:
        weights = torch.stack([then for _, then in self.places]) if self.places else torch.empty(0, 0)
        steps = np.array([step for step, _ in self.places], np.int64)
        return {"path.every": np.array(self.every), "path.steps": steps, "path.weights": weights.numpy()}


def landscape(net: Perceptron, points: Points, path: WeightPath, seed: int) -> Arrays:
    """The loss of `points` on a plane through the network's weights.

    `across`, `up` float64 (cells,): distances from the network along the two directions; `height` (cells, cells): the
    loss there, [up][across]; `path` (n, 2): the places of the path projected onto the plane, and last the network's
    own; `heights` (n,): their true losses; `steps` (n,): of the places, -1 for the last; `share` (2,): of the path's
    variance along each direction. While the path has fewer than two places, the directions are random.
    """
    now = net.weights.clone()
    past = [(step, then) for step, then in path.places if bool((then != now).any()) and bool(then.isfinite().all())]
    offsets = torch.stack([then - now for _, then in past]).double() if past else torch.empty(0, len(now)).double()
    if len(past) >= 2 and bool(now.isfinite().all()):
        _, strengths, components = torch.linalg.svd(offsets - offsets.mean(0), full_matrices=False)
        directions, share = components[:2], strengths[:2].square() / strengths.square().sum().clamp_min(1e-30)
    else:
        directions, share = random_directions(net, seed), torch.zeros(2)
    where = torch.cat([offsets @ directions.T, torch.zeros(1, 2).double()])
    low, high = where.amin(0), where.amax(0)
    extent = (high - low).clamp_min(0.2 * float((high - low).max()) or 1.0)
    middle = (low + high) / 2
    axes = [
        torch.linspace(-1, 1, CELLS if net.has_kernel else FEW).double() * float(extent[axis]) * (0.5 + MARGIN)
        + float(middle[axis])
        for axis in (0, 1)
    ]

    def loss(weights: Tensor) -> float:
        net.weights.copy_(weights)
        return net.evaluate(points)[0]

    height = [
        [loss((now.double() + across * directions[0] + up * directions[1]).float()) for across in axes[0]]
        for up in axes[1]
    ]
    heights = [loss(then) for _, then in past] + [loss(now)]
    net.weights.copy_(now)
    return {
        "across": axes[0].numpy(),
        "up": axes[1].numpy(),
        "height": np.array(height),
        "path": where.numpy(),
        "heights": np.array(heights),
        "steps": np.array([*(step for step, _ in past), -1], np.int64),
        "share": share.double().numpy(),
    }


def random_directions(net: Perceptron, seed: int) -> Tensor:
    """Two orthonormal random directions (2, parameters), each scaled unit by unit like the weights before ("filter
    normalisation", Li and others, section 4).
    """
    generator = torch.Generator().manual_seed(seed)
    random = torch.randn(2, len(net.weights), generator=generator, dtype=torch.float64)
    for flat in random:
        for (weight, bias), (net_weight, net_bias) in zip(net.layers(flat), net.layers(), strict=True):
            for row, net_row in zip(weight, net_weight, strict=True):
                row.mul_(net_row.norm() / row.norm())
            bias.mul_(net_bias.norm() / bias.norm().clamp_min(1e-12))
    first, second = random
    first /= first.norm().clamp_min(1e-12)
    second -= (second @ first) * first
    return torch.stack([first, second / second.norm().clamp_min(1e-12)])
