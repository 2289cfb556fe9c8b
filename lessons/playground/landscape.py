"""The loss around a run: a plane through the network as it is, and the way that it came.

The plane is spanned by the two directions in which the recorded weights differ most, the principal components of
their path, for random ones show next to nothing of it: H. Li, Z. Xu, G. Taylor, C. Studer, T. Goldstein (2018),
Visualizing the loss landscape of neural nets, section 7, https://arxiv.org/abs/1712.09913.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.models.perceptron import Perceptron, Points
from engine.types import Arrays, Checkpoint

KEPT = 32  # places of a path
EVERY = 10  # steps between two of them at first; twice as many whenever the path is full
CELLS, FEW = 21, 13  # of the plane, across and up; few where torch has to compute it
MARGIN = 0.35  # of the path's reach, beyond it on every side


class Path:
    """Where a network's weights have been, evenly spread over its steps."""

    def __init__(self, state: Checkpoint | None = None) -> None:
        self.every = EVERY if state is None else int(state["path.every"])
        steps = [] if state is None else state["path.steps"].tolist()
        weights = [] if state is None else list(torch.from_numpy(state["path.weights"].copy()))
        self.places: list[tuple[int, Tensor]] = list(zip(steps, weights, strict=True))

    def add(self, step: int, weights: Tensor) -> None:
        if step % self.every:
            return
        self.places.append((step, weights.clone()))
        if len(self.places) > KEPT:
            self.every *= 2
            self.places = [(at, one) for at, one in self.places if at % self.every == 0]

    def state(self) -> Checkpoint:
        weights = torch.stack([one for _, one in self.places]) if self.places else torch.empty(0, 0)
        steps = np.array([step for step, _ in self.places], np.int64)
        return {"path.every": np.array(self.every), "path.steps": steps, "path.weights": weights.numpy()}


def landscape(net: Perceptron, points: Points, path: Path, seed: int) -> Arrays:
    """`across`, `up` float64 (cells,), distances from the network along the two directions; `height` (cells, cells),
    the loss of `points` there [up][across]; `path` (n, 2), the recorded places on this plane and last the network's
    own; `heights` (n,), their true losses; `steps` (n,), and -1 for the last; `share` (2,), what part of the path's
    variance each direction holds. Before there is a path the directions are random ones, layer by layer as long as
    the weights."""
    now = net.weights.clone()
    been = [(step, one) for step, one in path.places if bool((one != now).any()) and bool(one.isfinite().all())]
    apart = torch.stack([one - now for _, one in been]).double() if been else torch.empty(0, len(now)).double()
    if len(been) >= 2 and bool(now.isfinite().all()):
        _, strengths, found = torch.linalg.svd(apart - apart.mean(0), full_matrices=False)
        directions, share = found[:2], strengths[:2].square() / strengths.square().sum().clamp_min(1e-30)
    else:
        chance = torch.Generator().manual_seed(seed)
        random = torch.randn(2, len(now), generator=chance, dtype=torch.float64)
        for flat in random:
            for (weight, bias), (own, shift) in zip(net.layers(flat), net.layers(), strict=True):
                for row, like in zip(weight, own, strict=True):  # a unit's weights are as long as the network's own
                    row.mul_(like.norm() / row.norm())
                bias.mul_(shift.norm() / bias.norm().clamp_min(1e-12))
        first, second = random
        first /= first.norm().clamp_min(1e-12)
        second -= (second @ first) * first
        directions, share = torch.stack([first, second / second.norm().clamp_min(1e-12)]), torch.zeros(2)
    where = torch.cat([apart @ directions.T, torch.zeros(1, 2).double()])
    low, high = where.amin(0), where.amax(0)
    reach = (high - low).clamp_min(0.2 * float((high - low).max()) or 1.0)
    middle = (low + high) / 2
    axes = [
        torch.linspace(-1, 1, CELLS if net.has_kernel else FEW).double() * float(reach[at]) * (0.5 + MARGIN)
        + float(middle[at])
        for at in (0, 1)
    ]

    def loss(weights: Tensor) -> float:
        net.weights.copy_(weights)
        return net.evaluate(points)[0]

    height = [
        [loss((now.double() + across * directions[0] + up * directions[1]).float()) for across in axes[0]]
        for up in axes[1]
    ]
    heights = [loss(one) for _, one in been] + [loss(now)]
    net.weights.copy_(now)
    return {
        "across": axes[0].numpy(),
        "up": axes[1].numpy(),
        "height": np.array(height),
        "path": where.numpy(),
        "heights": np.array(heights),
        "steps": np.array([*(step for step, _ in been), -1], np.int64),
        "share": share.double().numpy(),
    }
