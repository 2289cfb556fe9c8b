"""A small multilayer perceptron that takes many training steps at a call.

A step of a network with ten weights is a microsecond of arithmetic; in torch it is some forty calls of five. Where it
has been compiled (engine/models/kernels/build.py), perceptron.cpp takes the steps; otherwise torch does, one by one,
and the numbers differ in their last digits only. Both walk through a perceptron alone, so what one computes never
depends on another.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.models.kernels import build as native
from engine.models.names import ACTIVATIONS, LOSSES, OPTIMISERS
from engine.types import Checkpoint

VELOCITY = frozenset({"momentum", "nesterov", "adam", "adamw"})
SQUARES = frozenset({"adagrad", "rmsprop", "adam", "adamw"})
LANES = 8

Floats = npt.NDArray[np.float32]

FORWARD: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda z: z,
    "step": lambda z: (z > 0).to(z.dtype),  # no gradient comes back through it: its slope is zero everywhere
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": F.relu,
    "leaky": F.leaky_relu,
    "elu": F.elu,
    "gelu": F.gelu,
    "silu": F.silu,
    "softplus": F.softplus,
}


@dataclass(slots=True)
class Optimiser:
    """One of OPTIMISERS with torch.optim's formulas and defaults; the settings may be changed between any two calls.

    `decay` is L2 in the gradient, or AdamW's own decay, and `l1` adds its sign; both of weights only, biases are left
    alone. `first` and `second` are its memory, laid out as `Perceptron.weights` is.
    """

    rule: str
    lr: float
    momentum: float = 0.9
    decay: float = 0.0
    l1: float = 0.0
    count: int = 0
    first: Tensor = field(default_factory=lambda: torch.empty(0))
    second: Tensor = field(default_factory=lambda: torch.empty(0))

    def fit(self, size: int) -> None:
        """Makes the memory for `size` weights, if there is none."""
        self.first = torch.zeros(size) if self.rule in VELOCITY and len(self.first) != size else self.first
        self.second = torch.zeros(size) if self.rule in SQUARES and len(self.second) != size else self.second

    def state(self) -> Checkpoint:
        """Copies of what the next step depends on, by torch.optim's names."""
        return {
            "optim.step": np.array(self.count, np.int64),
            "optim.first": self.first.numpy().copy(),
            "optim.second": self.second.numpy().copy(),
        }

    def restore(self, state: Checkpoint) -> None:
        """Back to a snapshot of the same rule."""
        self.count = int(state["optim.step"])
        self.first = torch.from_numpy(state["optim.first"].copy())
        self.second = torch.from_numpy(state["optim.second"].copy())


class Points:
    """Points side by side: inputs (n, in) and targets (n, outputs) or (n,) as float32 rows of whole lanes."""

    def __init__(self, inputs: Floats, targets: Floats) -> None:
        self.count = len(inputs)
        self.inputs = torch.from_numpy(np.array(inputs, np.float32, order="C"))
        self.targets = torch.from_numpy(np.array(targets, np.float32, order="C").reshape(self.count, -1))
        self.stride = -(-self.count // LANES) * LANES
        self.input_rows, self.target_rows = rows(self.inputs, self.stride), rows(self.targets, self.stride)
        self.data = Data(self.count, self.stride, address(self.input_rows), address(self.target_rows))


def rows(points: Tensor, stride: int) -> Tensor:
    """(n, k) as (k, stride), filled up with zeros."""
    return F.pad(points.T, (0, stride - len(points))).contiguous()


class Perceptron:
    """Layers of `sizes`, hidden ones with an activation each. `weights` holds all of them: [out][in], then [out].

    The loss is the mean over points: "squared" halved, as TensorFlow Playground has it; "logistic" for one output and
    targets 0 or 1; "softmax" with cross-entropy for targets of which one is 1. A squared guess is right if its first
    output has the sign of its target. float32.
    """

    compiled = True  # whether perceptron.cpp knows how to compute it

    def __init__(self, sizes: Sequence[int], activations: Sequence[str], loss: str) -> None:
        if len(activations) != len(sizes) - 2:
            raise ValueError(f"{len(sizes) - 2} hidden layers have {len(activations)} activations")
        if loss == "logistic" and sizes[-1] != 1:
            raise ValueError(f"the logistic loss is of one output, not {sizes[-1]}")
        self.sizes, self.activations, self.loss = tuple(sizes), tuple(activations), loss
        self.weights = torch.zeros(sum(out * (into + 1) for into, out in pairwise(sizes)))
        self._sizes = np.array(self.sizes, np.int32)
        self._kinds = np.array([*(ACTIVATIONS.index(one) for one in activations), 0], np.int32)
        self._network = Network(
            len(sizes) - 1, address(self._sizes), address(self._kinds), LOSSES.index(loss), ctypes.c_void_p()
        )

    def _compiled(self) -> Any:
        """This network as perceptron.cpp has it: only where its weights lie may have changed."""
        self._network.weights = self.weights.data_ptr()
        return ctypes.byref(self._network)

    def layers(self, flat: Tensor | None = None) -> list[tuple[Tensor, Tensor]]:
        """(weight (out, in), bias (out,)) of each layer as views of `flat` (the weights, unless another is given)."""
        flat = self.weights if flat is None else flat
        views = []
        for into, out in pairwise(self.sizes):
            weight, bias, flat = flat[: out * into], flat[out * into : out * (into + 1)], flat[out * (into + 1) :]
            views.append((weight.view(out, into), bias))
        return views

    def _library(self) -> ctypes.CDLL | None:
        return native.library("perceptron") if self.compiled else None

    def train(
        self, points: Points, optimiser: Optimiser, steps: int, batches: npt.NDArray[np.int32] | None = None
    ) -> tuple[Floats, Floats]:
        """`steps` updates, on the points `batches` (steps, size) or on all: loss and share right before each."""
        optimiser.fit(len(self.weights))
        both = torch.empty(2, steps)  # a tensor says faster where it lies
        losses, rights = both.numpy()
        found = self._library()
        if found is not None:
            memory = Memory.of(optimiser)
            chosen = None if batches is None else np.ascontiguousarray(batches, np.int32)
            found.perceptron_train(
                self._compiled(),
                ctypes.byref(points.data),
                ctypes.byref(memory),
                steps,
                None if chosen is None else address(chosen),
                0 if chosen is None else chosen.shape[1],
                address(both[0]),
                address(both[1]),
            )
            optimiser.count += steps
            return losses, rights
        for step in range(steps):
            some = slice(None) if batches is None else torch.from_numpy(batches[step].astype(np.int64))
            losses[step], rights[step], slopes = self.slopes(points.inputs[some], points.targets[some], training=True)
            self.update(optimiser, slopes)
        return losses, rights

    def judge(self, points: Points) -> tuple[float, float]:
        """Mean loss and share of right guesses of all points."""
        loss, right, _ = self._judged(points, None)
        return loss, right

    def gradient(self, points: Points) -> Tensor:
        """The gradient of the mean loss of all points, laid out as the weights."""
        slopes: Tensor = self._judged(points, torch.empty_like(self.weights))[2]
        return slopes

    def _judged(self, points: Points, slopes: Tensor | None) -> tuple[float, float, Any]:
        """Loss, share right, and the gradient; it is left out where there is no `slopes` for it and no need."""
        found = self._library()
        if found is None:
            return self.slopes(points.inputs, points.targets)
        loss, right = ctypes.c_float(), ctypes.c_float()
        where = None if slopes is None else address(slopes)
        found.perceptron_judge(
            self._compiled(), ctypes.byref(points.data), ctypes.byref(loss), ctypes.byref(right), where
        )
        return loss.value, right.value, slopes

    def values(self, inputs: Tensor) -> Tensor:
        """What every unit but the inputs says of rows (in, n) of points: (units, n), the outputs last."""
        count = inputs.shape[1]
        units = torch.empty(sum(self.sizes[1:]), count)
        found = self._library()
        if found is None:
            return torch.cat([layer.T for layer in self.forward(self.weights, inputs.T)])
        inputs = inputs.contiguous()
        found.perceptron_values(self._compiled(), count, count, address(inputs), address(units), None)
        return units

    def tangents(self, inputs: Tensor) -> Tensor:
        """The slope of every unit's function at what enters it: (units, n), as `values`."""
        slopes = torch.empty(sum(self.sizes[1:]), inputs.shape[1])
        found = self._library()
        if found is None:
            h, every = inputs.T, []
            for (weight, bias), name in zip(self.layers(), (*self.activations, "linear"), strict=True):
                z = F.linear(h, weight, bias).requires_grad_()
                h = FORWARD[name](z)
                way = h.requires_grad  # the step has none
                every.append(torch.autograd.grad(h.sum(), z)[0].T if way else torch.zeros_like(z).T)
                h = h.detach()
            return torch.cat(every)
        inputs, values = inputs.contiguous(), torch.empty_like(slopes)
        count = inputs.shape[1]
        found.perceptron_values(self._compiled(), count, count, address(inputs), address(values), address(slopes))
        return slopes

    def forward(self, flat: Tensor, inputs: Tensor, training: bool = False) -> list[Tensor]:
        """What each layer makes of inputs (n, in) with the weights `flat`, by torch: (n, units), the outputs last."""
        h, layers = inputs, []
        for (weight, bias), name in zip(self.layers(flat), (*self.activations, "linear"), strict=True):
            h = FORWARD[name](F.linear(h, weight, bias))
            layers.append(h)
        return layers

    def slopes(self, inputs: Tensor, targets: Tensor, training: bool = False) -> tuple[float, float, Tensor]:
        """Loss, share right and gradient by torch and autograd."""
        flat = self.weights.detach().requires_grad_()
        h = self.forward(flat, inputs, training)[-1]
        if self.loss == "softmax":
            loss, right = F.cross_entropy(h, targets), h.argmax(1) == targets.argmax(1)
        elif self.loss == "logistic":
            loss, right = F.binary_cross_entropy_with_logits(h, targets), (h > 0) == (targets > 0.5)
        else:
            loss, right = (h - targets).square().sum(1).mean() / 2, (h[:, 0] > 0) == (targets[:, 0] > 0)
        (slopes,) = torch.autograd.grad(loss, flat)
        return float(loss.detach()), float(right.float().mean()), slopes

    def update(self, o: Optimiser, slopes: Tensor) -> None:
        """One step of `o` with the gradient `slopes`, in place."""
        o.count += 1
        w, decay, l1 = self.weights, torch.zeros_like(self.weights), torch.zeros_like(self.weights)
        for (weight, _), (sign, _) in zip(self.layers(decay), self.layers(l1), strict=True):
            weight.fill_(o.decay)
            sign.fill_(o.l1)
        g = slopes + l1 * w.sign()
        if o.rule == "adamw":
            w.mul_(1 - o.lr * decay)
        else:
            g = g + decay * w
        if o.rule in ("momentum", "nesterov"):
            o.first.mul_(o.momentum).add_(g) if o.count > 1 else o.first.copy_(g)
            g = g + o.momentum * o.first if o.rule == "nesterov" else o.first
        elif o.rule == "adagrad":
            o.second.addcmul_(g, g)
            g = g / (o.second.sqrt() + 1e-10)
        elif o.rule == "rmsprop":
            o.second.mul_(0.99).addcmul_(g, g, value=0.01)
            g = g / (o.second.sqrt() + 1e-8)
        elif o.rule in ("adam", "adamw"):
            o.first.lerp_(g, 0.1)
            o.second.mul_(0.999).addcmul_(g, g, value=0.001)
            root = (1 - 0.999**o.count) ** 0.5
            g = o.first / (1 - 0.9**o.count) / (o.second.sqrt() / root + 1e-8)
        w.sub_(o.lr * g)


def address(array: Any) -> ctypes.c_void_p:
    """Where an array's numbers lie."""
    return ctypes.c_void_p(array.data_ptr() if isinstance(array, Tensor) else array.ctypes.data)


class Network(ctypes.Structure):
    """As perceptron.cpp has it."""

    _fields_ = (
        ("layers", ctypes.c_int32),
        ("sizes", ctypes.c_void_p),
        ("activations", ctypes.c_void_p),
        ("loss", ctypes.c_int32),
        ("weights", ctypes.c_void_p),
    )


class Data(ctypes.Structure):
    """`Points` in perceptron.cpp."""

    _fields_ = (
        ("count", ctypes.c_int32),
        ("stride", ctypes.c_int32),
        ("inputs", ctypes.c_void_p),
        ("targets", ctypes.c_void_p),
    )


class Memory(ctypes.Structure):
    """`Optimiser` in perceptron.cpp."""

    _fields_ = (
        ("rule", ctypes.c_int32),
        ("lr", ctypes.c_float),
        ("momentum", ctypes.c_float),
        ("decay", ctypes.c_float),
        ("l1", ctypes.c_float),
        ("count", ctypes.c_double),
        ("first", ctypes.c_void_p),
        ("second", ctypes.c_void_p),
    )

    @classmethod
    def of(cls, o: Optimiser) -> Memory:
        rule = OPTIMISERS.index(o.rule)
        return cls(rule, o.lr, o.momentum, o.decay, o.l1, o.count, address(o.first), address(o.second))
