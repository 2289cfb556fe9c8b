"""The optimisers of a small perceptron, by torch.optim's formulas."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from engine.types import Checkpoint

WITH_FIRST = frozenset({"momentum", "nesterov", "adam", "adamw"})
WITH_SECOND = frozenset({"adagrad", "rmsprop", "adam", "adamw"})


@dataclass(slots=True)
class Optimiser:
    """One of OPTIMISERS (engine/models/names.py), with torch.optim's defaults; settings may change between two calls.

    decay: L2 in the gradient, or AdamW's own decay. l1: factor of the weights' signs in the gradient. Both apply to
    weights, not to biases. first and second: velocity or first moment, and second moment, in the layout of
    `Perceptron.weights`; empty where the rule has none.
    """

    rule: str
    lr: float
    momentum: float = 0.9
    decay: float = 0.0
    l1: float = 0.0
    count: int = 0  # steps taken
    first: Tensor = field(default_factory=lambda: torch.empty(0))
    second: Tensor = field(default_factory=lambda: torch.empty(0))

    def fit(self, size: int) -> None:
        """Makes the memory for `size` weights, unless it is there."""
        self.first = torch.zeros(size) if self.rule in WITH_FIRST and len(self.first) != size else self.first
        self.second = torch.zeros(size) if self.rule in WITH_SECOND and len(self.second) != size else self.second

    def update(self, weights: Tensor, gradient: Tensor, is_weight: Tensor) -> None:
        """One step of `weights`, in place. is_weight: 1 where a weight stands, 0 for biases; all are (size,)."""
        self.count += 1
        decay = self.decay * is_weight
        g = gradient + self.l1 * is_weight * weights.sign()
        if self.rule == "adamw":
            weights.mul_(1 - self.lr * decay)
        else:
            g = g + decay * weights
        if self.rule in ("momentum", "nesterov"):
            self.first.mul_(self.momentum).add_(g) if self.count > 1 else self.first.copy_(g)
            g = g + self.momentum * self.first if self.rule == "nesterov" else self.first
        elif self.rule == "adagrad":
            self.second.addcmul_(g, g)
            g = g / (self.second.sqrt() + 1e-10)
        elif self.rule == "rmsprop":
            self.second.mul_(0.99).addcmul_(g, g, value=0.01)
            g = g / (self.second.sqrt() + 1e-8)
        elif self.rule in ("adam", "adamw"):
            self.first.lerp_(g, 0.1)
            self.second.mul_(0.999).addcmul_(g, g, value=0.001)
            bias2_root = (1 - 0.999**self.count) ** 0.5
            g = self.first / (1 - 0.9**self.count) / (self.second.sqrt() / bias2_root + 1e-8)
        weights.sub_(self.lr * g)

    def state(self) -> Checkpoint:
        """Copies of what the next step depends on: "optim.step", "optim.first", "optim.second"."""
        return {
            "optim.step": np.array(self.count, np.int64),
            "optim.first": self.first.numpy().copy(),
            "optim.second": self.second.numpy().copy(),
        }

    def restore(self, state: Checkpoint) -> None:
        """Puts back what `state` of the same rule returned."""
        self.count = int(state["optim.step"])
        self.first = torch.from_numpy(state["optim.first"].copy())
        self.second = torch.from_numpy(state["optim.second"].copy())
