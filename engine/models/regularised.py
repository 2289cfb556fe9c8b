"""A perceptron with dropout and batch normalisation. torch computes it: perceptron.cpp has neither."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.models.perceptron import FORWARD, Perceptron

MOMENTUM, EPS = 0.1, 1e-5  # of torch.nn.BatchNorm1d


class Regularised(Perceptron):
    """Each hidden layer is linear, then normalised if `norm`, then activated, then dropped with probability `dropout`.

    With `norm`, `weights` goes on after the linear layers: a scale for each hidden unit, then a shift for each.
    `running` (2, hidden units) holds the mean and variance that are used outside of training. `generator` draws which
    values are dropped, in training only.
    """

    has_kernel = False

    def __init__(
        self,
        sizes: Sequence[int],
        activations: Sequence[str],
        loss: str,
        generator: torch.Generator,
        dropout: float = 0.0,
        norm: bool = False,
    ) -> None:
        super().__init__(sizes, activations, loss)
        self.dropout, self.norm, self.generator = dropout, norm, generator
        self.hidden = sum(self.sizes[1:-1])
        self.linear_size = len(self.weights)
        self.running = torch.stack([torch.zeros(self.hidden), torch.ones(self.hidden)])
        if norm:
            self.weights = torch.cat([self.weights, torch.ones(self.hidden), torch.zeros(self.hidden)])

    def forward(self, flat: Tensor, inputs: Tensor, training: bool = False) -> list[Tensor]:
        h, first = inputs, 0
        layers: list[Tensor] = []
        linear = self.layers(flat[: self.linear_size])
        for (weight, bias), name in zip(linear, (*self.activations, "linear"), strict=True):
            h = F.linear(h, weight, bias)
            if len(layers) < len(self.activations):
                units = slice(first, first := first + len(bias))
                h = FORWARD[name](self._normalised(h, flat, units, training) if self.norm else h)
                if training and self.dropout:
                    remains = torch.rand(h.shape, generator=self.generator) >= self.dropout
                    h = h * remains / (1 - self.dropout)
            layers.append(h)
        return layers

    def _normalised(self, h: Tensor, flat: Tensor, units: slice, training: bool) -> Tensor:
        """Batch norm of the hidden `units`, whose weighted sums are h (n, units), as torch.nn.BatchNorm1d has it."""
        scale, shift = (flat[start:][units] for start in (self.linear_size, self.linear_size + self.hidden))
        mean, variance = self.running[:, units]
        return F.batch_norm(h, mean, variance, scale, shift, training, MOMENTUM, EPS)

    def derivatives(self, inputs: Tensor) -> Tensor:
        raise NotImplementedError("no lesson needs the derivatives of a normalised network")
