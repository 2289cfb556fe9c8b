"""A perceptron with dropout and batch normalisation. torch computes it: perceptron.cpp knows neither."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.models.perceptron import FORWARD, Perceptron

MOMENTUM, TINY = 0.1, 1e-5  # of torch.nn.BatchNorm1d: how fast its running mean and variance follow, and its eps


class Regularised(Perceptron):
    """Hidden layers are linear, normalised if `norm`, activated, and dropped with probability `dropout` in training.

    After the others `weights` then holds the scale of each hidden unit, and after these its shift. `running` (2, hidden
    units) are mean and variance as they are used outside of training. `chance` draws what is dropped.
    """

    compiled = False

    def __init__(
        self,
        sizes: Sequence[int],
        activations: Sequence[str],
        loss: str,
        chance: torch.Generator,
        dropout: float = 0.0,
        norm: bool = False,
    ) -> None:
        super().__init__(sizes, activations, loss)
        self.dropout, self.norm, self.chance = dropout, norm, chance
        self.hidden = sum(self.sizes[1:-1])
        self.plain = len(self.weights)
        self.running = torch.stack([torch.zeros(self.hidden), torch.ones(self.hidden)])
        if norm:
            self.weights = torch.cat([self.weights, torch.ones(self.hidden), torch.zeros(self.hidden)])

    def forward(self, flat: Tensor, inputs: Tensor, training: bool = False) -> list[Tensor]:
        h, first = inputs, 0
        layers: list[Tensor] = []
        for (weight, bias), name in zip(self.layers(flat[: self.plain]), (*self.activations, "linear"), strict=True):
            h = F.linear(h, weight, bias)
            if len(layers) < len(self.activations):
                units = slice(first, first := first + len(bias))
                h = FORWARD[name](self._normal(h, flat, units, training) if self.norm else h)
                if training and self.dropout:
                    kept = torch.rand(h.shape, generator=self.chance) >= self.dropout
                    h = h * kept / (1 - self.dropout)
            layers.append(h)
        return layers

    def _normal(self, h: Tensor, flat: Tensor, units: slice, training: bool) -> Tensor:
        """As torch.nn.BatchNorm1d; in training the running mean and variance follow the batch's."""
        scale, shift = (flat[start:][units] for start in (self.plain, self.plain + self.hidden))
        mean, variance = self.running[:, units]
        return F.batch_norm(h, mean, variance, scale, shift, training, MOMENTUM, TINY)

    def tangents(self, inputs: Tensor) -> Tensor:
        raise NotImplementedError("the slopes of a normalised network are not needed anywhere yet")
