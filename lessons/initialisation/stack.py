"""Equal networks side by side as stacks of matrices, and what one pass through them shows.

Shapes: `networks` is the number of initialisations; the `depth` hidden layers have `width` units each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.checkpoint import other_size, tensor
from engine.models.initial import initial
from engine.models.perceptron import FORWARD
from engine.types import Checkpoint
from lessons.initialisation import bins
from lessons.initialisation.params import CLASSES, PIXELS, Params

Floats = npt.NDArray[np.float64]

MOMENTS = ("exp_avg", "exp_avg_sq")  # what Adam keeps of each weight


def first_parameters(init: str, p: Params, seed: int) -> list[Tensor]:
    """A network's weights (out, in) and biases (out,) in turn, layer by layer. Biases are zero."""
    generator = torch.Generator().manual_seed(seed)
    parameters: list[Tensor] = []
    for fan_in, fan_out in shapes(p):
        weight = initial(torch.empty(fan_out, fan_in), init, generator, p.sd, p.value)
        parameters += [weight, torch.zeros(fan_out)]
    return parameters


def shapes(p: Params) -> list[tuple[int, int]]:
    """(fan_in, fan_out) of every layer of weights."""
    return [(PIXELS, p.width), *[(p.width, p.width)] * (p.depth - 1), (p.width, CLASSES)]


class Stack:
    """The networks. `flat` (networks, parameters of one) holds all parameters; `parts` are its weights and biases in
    turn, (networks, …) each. No parameter is shared, so every gradient is the one its network would have alone.
    """

    def __init__(self, p: Params, seed: int) -> None:
        self.p = p
        networks = [first_parameters(init, p, seed) for init in p.inits]
        self.flat = torch.stack([torch.cat([part.flatten() for part in network]) for network in networks])
        sizes = [part.numel() for part in networks[0]]
        pieces = zip(torch.split(self.flat, sizes, 1), networks[0], strict=True)
        self.parts = [torch.unflatten(piece, 1, part.shape).requires_grad_() for piece, part in pieces]
        kind = torch.optim.Adam if p.optimiser == "adam" else torch.optim.SGD
        self.optimiser: torch.optim.Optimizer = kind([self.flat], p.lr)

    @property
    def lr(self) -> float:
        return float(self.optimiser.param_groups[0]["lr"])

    @lr.setter
    def lr(self, value: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = value

    def forward(self, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """z of every layer, the last being the logits, and f(z) of the hidden ones, (networks, batch, units) each."""
        h = x.expand(len(self.flat), *x.shape)
        entering, leaving = [], []
        for weight, bias in zip(self.parts[::2], self.parts[1::2], strict=True):
            entering.append(torch.baddbmm(bias[:, None], h, weight.mT))
            if len(entering) <= self.p.depth:
                h = FORWARD[self.p.activation](entering[-1])
                leaving.append(h)
        return entering, leaving

    def backward(self, x: Tensor, y: Tensor) -> Pass:
        """Forward and back through one batch. The gradient is left in `flat.grad` for the optimiser."""
        entering, leaving = self.forward(x)
        logits = entering[-1]
        each = F.cross_entropy(logits.flatten(0, 1), y.repeat(len(logits)), reduction="none").view(len(logits), -1)
        losses = each.mean(1)
        gradients = torch.autograd.grad(losses.sum(), [*self.parts, *entering])
        self.flat.grad = torch.cat([gradient.flatten(1) for gradient in gradients[: len(self.parts)]], 1)
        at_z = [len(x) * gradient for gradient in gradients[len(self.parts) :]]  # of each image's loss, not of the mean
        return Pass(losses.detach(), [h.detach() for h in leaving], at_z[:-1], at_z[-1])

    def accuracy(self, x: Tensor, y: Tensor) -> list[float]:
        """The share of images that each network classifies right; logits that are not finite are never right."""
        with torch.no_grad():
            logits = self.forward(x)[0][-1]
        right = (logits.argmax(-1) == y) & logits.isfinite().all(-1)
        return [float(share) for share in right.double().mean(1)]

    def distinct(self) -> list[float]:
        """How many units have incoming weights that no other unit of their layer has, in the layer with the fewest.

        NaN for a network whose parameters are not finite.
        """
        fewest = np.full(len(self.flat), float(self.p.width))
        for weight in self.parts[: 2 * self.p.depth : 2]:
            matrices = weight.detach().numpy() + 0.0  # -0.0 becomes 0.0, whose bytes are compared
            for k, matrix in enumerate(matrices):
                size = matrix.shape[1] * matrix.itemsize
                data = matrix.tobytes()
                fewest[k] = min(fewest[k], len({data[at : at + size] for at in range(0, len(data), size)}))
        lost = ~self.flat.isfinite().all(1).numpy()
        return [float(count) for count in np.where(lost, np.nan, fewest)]

    def state(self) -> Checkpoint:
        """Each network under its initialisation's name, so that a fork may leave some out or add new ones."""
        arrays: Checkpoint = {}
        memory = self.optimiser.state.get(self.flat, {})
        for k, init in enumerate(self.p.inits):
            arrays[f"model.{init}"] = self.flat[k].numpy().copy()
            for name in MOMENTS:
                if name in memory:
                    arrays[f"optim.{name}.{init}"] = memory[name][k].numpy().copy()
        if "step" in memory:
            arrays["optim.step"] = memory["step"].numpy().copy()
        return arrays

    def restore(self, state: Checkpoint) -> None:
        """Back to a checkpoint; a network that is not in it starts anew. Raises Problem for another size."""
        memory: dict[str, Tensor] = {}
        if self.p.optimiser == "adam" and "optim.step" in state:
            memory = {name: torch.zeros_like(self.flat) for name in MOMENTS}
            memory["step"] = tensor(state["optim.step"])
        for k, init in enumerate(self.p.inits):
            weights = state.get(f"model.{init}")
            if weights is None:
                continue
            if weights.shape != self.flat[k].shape:
                raise other_size(self.p.depth, self.p.width)
            self.flat[k] = tensor(weights)
            for name in MOMENTS:
                if memory and f"optim.{name}.{init}" in state:
                    memory[name][k] = tensor(state[f"optim.{name}.{init}"])
        if memory:
            self.optimiser.state[self.flat] = memory


@dataclass
class Pass:
    """One batch through the networks and back.

    `losses` (networks,); of every hidden layer `activations` f(z) and `gradients` at z, (networks, batch, units) each;
    `logit_gradient` (networks, batch, classes).
    """

    losses: Tensor
    activations: list[Tensor]
    gradients: list[Tensor]
    logit_gradient: Tensor

    def squares(self) -> Floats:
        """Mean squares of activations and of gradients, (networks, 2, hidden layers)."""
        both = [torch.stack([mean_square(h) for h in layers], 1) for layers in (self.activations, self.gradients)]
        return torch.stack(both, 1).numpy()

    def shares(self) -> npt.NDArray[np.uint8]:
        """Histograms of both: the share of numbers in each bin, 255 for all, (networks, 2, hidden layers, bins)."""
        both = [
            torch.stack([histogram(h.flatten(1)) for h in layers], 1) for layers in (self.activations, self.gradients)
        ]
        return (255 * torch.stack(both, 1)).round().to(torch.uint8).numpy()


def mean_square(values: Tensor) -> Tensor:
    """The mean square of each network's numbers (networks, …), in float64, where no float32's square overflows."""
    return values.double().square().mean((1, 2))


def histogram(values: Tensor) -> Tensor:
    """The share of each row's numbers in each of lessons.initialisation.bins: (rows, numbers) to (rows, bins)."""
    half = (2 * (values.abs().log10() + bins.REACH)).floor().clamp(-1, bins.HALVES)
    place = bins.MIDDLE - torch.where(half < 0, 0, (half + 1) * values.sign())
    place = torch.where(values.isfinite(), place, 0).long()
    counts = torch.zeros(len(values), bins.COUNT, dtype=torch.float64)
    return counts.scatter_add_(1, place, torch.ones_like(values, dtype=torch.float64)) / values.shape[1]
