"""A small multilayer perceptron that takes many training steps at a call.

A step of a network with ten weights is a microsecond of arithmetic; torch makes some forty calls of five microseconds
each of it. Where it has been compiled, kernels/perceptron.cpp takes the steps; else torch does, one by one, and the
numbers differ in their last digits only. Either way a network is computed by itself: its numbers do not depend on what
else is computed.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.models.kernels import perceptron as kernel
from engine.models.optimiser import Optimiser

Floats = npt.NDArray[np.float32]

FORWARD: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda z: z,
    "step": lambda z: (z > 0).to(z.dtype),  # its derivative is zero: no gradient passes through it
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": F.relu,
    "leaky": F.leaky_relu,
    "elu": F.elu,
    "gelu": F.gelu,
    "silu": F.silu,
    "softplus": F.softplus,
}


class Points:
    """Data points: inputs (n, in) and targets (n, outputs) or (n,), float32; also as padded rows for the kernel."""

    def __init__(self, inputs: Floats, targets: Floats) -> None:
        self.count = len(inputs)
        self.inputs = torch.from_numpy(np.array(inputs, np.float32, order="C"))
        self.targets = torch.from_numpy(np.array(targets, np.float32, order="C").reshape(self.count, -1))
        self._stride = -(-self.count // kernel.SIMD_WIDTH) * kernel.SIMD_WIDTH
        self._rows = padded_rows(self.inputs, self._stride), padded_rows(self.targets, self._stride)
        self.struct = kernel.PointsStruct(self.count, self._stride, *(kernel.address(rows) for rows in self._rows))


def padded_rows(points: Tensor, stride: int) -> Tensor:
    """(n, k) transposed to (k, stride), the rest of each row zeros."""
    return F.pad(points.T, (0, stride - len(points))).contiguous()


class Perceptron:
    """Layers of `sizes` units, each hidden one with an activation.

    `weights` (size,) float32 holds all parameters, layer by layer: the weights [out][in], then the biases [out]. The
    loss is the mean over points: "squared" is half the squared error, as in TensorFlow Playground; "logistic" is for
    one output and targets 0 or 1; "softmax" is the cross-entropy for targets that are 1 for one class and else 0. With
    "squared" a guess is right if the first output has the sign of its target.
    """

    has_kernel = True  # whether perceptron.cpp computes this class

    def __init__(self, sizes: Sequence[int], activations: Sequence[str], loss: str) -> None:
        if len(activations) != len(sizes) - 2:
            raise ValueError(f"{len(sizes) - 2} hidden layers have {len(activations)} activations")
        if loss == "logistic" and sizes[-1] != 1:
            raise ValueError(f"the logistic loss is of one output, not {sizes[-1]}")
        self.sizes, self.activations, self.loss = tuple(sizes), tuple(activations), loss
        self.weights = torch.zeros(sum(out * (into + 1) for into, out in pairwise(sizes)))
        self._compiled = kernel.CompiledNetwork(self.sizes, self.activations, loss)

    def layers(self, flat: Tensor | None = None) -> list[tuple[Tensor, Tensor]]:
        """(weight (out, in), bias (out,)) of each layer as views of `flat` (the weights, unless another is given)."""
        flat = self.weights if flat is None else flat
        views = []
        for into, out in pairwise(self.sizes):
            weight, bias, flat = flat[: out * into], flat[out * into : out * (into + 1)], flat[out * (into + 1) :]
            views.append((weight.view(out, into), bias))
        return views

    def _library(self) -> ctypes.CDLL | None:
        return kernel.library() if self.has_kernel else None

    def train(
        self, points: Points, optimiser: Optimiser, steps: int, batches: npt.NDArray[np.int32] | None = None
    ) -> tuple[Floats, Floats]:
        """Takes `steps` steps: step i on the points batches[i] of (steps, batch size), or on all points.

        Returns the mean loss and the share of right guesses of those points before each step, float32 (steps,).
        """
        optimiser.fit(len(self.weights))
        library = self._library()
        if library is not None:
            losses, rights = self._compiled.train(
                library, self.weights, points.struct, optimiser, steps, batches
            ).numpy()
            return losses, rights
        losses, rights = np.empty((2, steps), np.float32)
        is_weight = self.is_weight()
        for step in range(steps):
            chosen = slice(None) if batches is None else torch.from_numpy(batches[step].astype(np.int64))
            losses[step], rights[step], gradient = self.loss_and_gradient(
                points.inputs[chosen], points.targets[chosen], training=True
            )
            optimiser.update(self.weights, gradient, is_weight)
        return losses, rights

    def evaluate(self, points: Points) -> tuple[float, float]:
        """Mean loss and share of right guesses of all points."""
        library = self._library()
        if library is None:
            return self.loss_and_gradient(points.inputs, points.targets)[:2]
        return self._compiled.evaluate(library, self.weights, points.struct, None)

    def gradient(self, points: Points) -> Tensor:
        """The gradient of the mean loss of all points, in the layout of `weights`."""
        library = self._library()
        if library is None:
            return self.loss_and_gradient(points.inputs, points.targets)[2]
        gradient = torch.empty_like(self.weights)
        self._compiled.evaluate(library, self.weights, points.struct, gradient)
        return gradient

    def values(self, inputs: Tensor) -> Tensor:
        """The values of all units but the inputs for points in columns (in, n): (units, n), the outputs last."""
        library = self._library()
        if library is None:
            return torch.cat([layer.T for layer in self.forward(self.weights, inputs.T)])
        return self._compiled.values(library, self.weights, inputs)

    def derivatives(self, inputs: Tensor) -> Tensor:
        """The derivative of each unit's activation at its weighted sum: (units, n), as `values`."""
        library = self._library()
        if library is not None:
            return self._compiled.derivatives(library, self.weights, inputs)
        h, rows = inputs.T, []
        for (weight, bias), name in zip(self.layers(), (*self.activations, "linear"), strict=True):
            z = F.linear(h, weight, bias).requires_grad_()
            h = FORWARD[name](z)
            derivative = torch.autograd.grad(h.sum(), z)[0] if h.requires_grad else torch.zeros_like(z)
            rows.append(derivative.T)
            h = h.detach()
        return torch.cat(rows)

    def is_weight(self) -> Tensor:
        """1 where `weights` holds a weight, 0 for biases and other parameters."""
        mask = torch.zeros_like(self.weights)
        for weight, _ in self.layers(mask):
            weight.fill_(1.0)
        return mask

    # With torch

    def forward(self, flat: Tensor, inputs: Tensor, training: bool = False) -> list[Tensor]:
        """The values of each layer, (n, units), for inputs (n, in) and the parameters `flat`; the outputs last."""
        h, layers = inputs, []
        for (weight, bias), name in zip(self.layers(flat), (*self.activations, "linear"), strict=True):
            h = FORWARD[name](F.linear(h, weight, bias))
            layers.append(h)
        return layers

    def loss_and_gradient(self, inputs: Tensor, targets: Tensor, training: bool = False) -> tuple[float, float, Tensor]:
        """Mean loss, share of right guesses, and gradient of the loss, by autograd."""
        flat = self.weights.detach().requires_grad_()
        h = self.forward(flat, inputs, training)[-1]
        if self.loss == "softmax":
            loss, right = F.cross_entropy(h, targets), h.argmax(1) == targets.argmax(1)
        elif self.loss == "logistic":
            loss, right = F.binary_cross_entropy_with_logits(h, targets), (h > 0) == (targets > 0.5)
        else:
            loss, right = (h - targets).square().sum(1).mean() / 2, (h[:, 0] > 0) == (targets[:, 0] > 0)
        (gradient,) = torch.autograd.grad(loss, flat)
        return float(loss.detach()), float(right.float().mean()), gradient
