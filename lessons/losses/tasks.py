"""The four topics: what is trained, from which start, and what is measured at a step.

Each has one model for each of its losses. Their parameters are the rows of one tensor (losses, parameters of a model).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.types import Scalars
from lessons.losses.params import CLASSES, FIELD, LOSSES, REACH, Params
from lessons.losses.points import CENTRE, near_line, two_classes

Loss = Callable[[Tensor, Tensor], Tensor]  # of (output, target), each point's own


class Task(Protocol):
    """A topic. `derivatives` are those of each point's loss by the model's output at that point, as `outputs`."""

    def start(self) -> Tensor:
        """The parameters before training, a row for each loss."""

    def outputs(self, rows: Tensor) -> Tensor:
        """What each model outputs for each point, (losses, points)."""

    def point_losses(self, outputs: Tensor) -> Tensor:
        """The loss of each point, (losses, points); a model is trained on their mean."""

    def scalars(self, rows: Tensor, outputs: Tensor, point_losses: Tensor, derivatives: Tensor) -> Scalars:
        """What is measured at a step, each as "quantity.loss"."""


def regression(delta: float) -> dict[str, Loss]:
    """The losses of a prediction."""
    return {
        "mse": partial(F.mse_loss, reduction="none"),
        "mae": partial(F.l1_loss, reduction="none"),
        "huber": partial(F.huber_loss, reduction="none", delta=delta),
    }


CLASSIFICATION: dict[str, Loss] = {  # of a logit z for a class y, 0 or 1
    "ce": partial(F.binary_cross_entropy_with_logits, reduction="none"),
    "mse": lambda z, y: (torch.sigmoid(z) - y).square(),
    "hinge": lambda z, y: torch.relu(1 - (2 * y - 1) * z),
    "score": lambda z, y: (z - (2 * y - 1)).square(),  # the logit is to be -1 or 1
}


def naive(z: Tensor, right: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Cross-entropy of logits (classes,) by its formula: powers e^z, their sum, the right probability, its log."""
    powers = z.exp()
    total = powers.sum()
    probability = powers[right] / total
    return powers, total, probability, probability.log()


def safe(z: Tensor, right: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The same by log-sum-exp: the largest logit is subtracted first, so that no power is above 1."""
    lowered = z - z.max().detach()
    powers = lowered.exp()
    total = powers.sum()
    log = lowered[right] - total.log()
    return powers, total, log.exp(), log


@dataclass
class Line:
    """y = w x + b through points, the last of which can be dragged: a row (w, b) for each loss."""

    p: Params
    seed: int

    def __post_init__(self) -> None:
        x, y = near_line(self.p.noise, self.seed)
        self.x = torch.tensor([*x, self.p.outlier_x], dtype=torch.float64)
        self.y = torch.tensor([*y, self.p.outlier_y], dtype=torch.float64)
        self.losses = regression(self.p.delta)

    def start(self) -> Tensor:
        return torch.zeros(3, 2, dtype=torch.float64)

    def outputs(self, rows: Tensor) -> Tensor:
        return rows[:, :1] * self.x + rows[:, 1:]

    def point_losses(self, outputs: Tensor) -> Tensor:
        return torch.stack([loss(row, self.y) for loss, row in zip(self.losses.values(), outputs, strict=True)])

    def scalars(self, rows: Tensor, outputs: Tensor, point_losses: Tensor, derivatives: Tensor) -> Scalars:
        """For each loss the line's "w" and "b"; "left", "right": its height at both ends of the chart; "off": its mean
        distance from the points that are not dragged; of the dragged point "residual": prediction minus y; "cost" and
        "slope": its own loss and the derivative of that; "pull": its share of the absolute derivatives.
        """
        scalars: Scalars = {}
        off = (outputs - self.y)[:, :-1].abs().mean(1)
        share = derivatives[:, -1].abs() / derivatives.abs().sum(1)
        for k, name in enumerate(LOSSES["line"]):
            w, b = rows[k].tolist()
            scalars |= {
                f"w.{name}": w,
                f"b.{name}": b,
                f"left.{name}": b - 2 * REACH * w,
                f"right.{name}": b + 2 * REACH * w,
                f"off.{name}": off[k].item(),
                f"residual.{name}": (outputs[k, -1] - self.y[-1]).item(),
                f"cost.{name}": point_losses[k, -1].item(),
                f"slope.{name}": derivatives[k, -1].item(),
                f"pull.{name}": share[k].item(),
            }
        return scalars


@dataclass
class Borders:
    """Logit w·x + b of points in the plane, the last of which can be dragged: a row (w1, w2, b) for each loss."""

    p: Params
    seed: int

    def __post_init__(self) -> None:
        x, y = two_classes(self.p.noise, self.seed)
        self.x = torch.tensor([*x.tolist(), [self.p.far_x, self.p.far_y]], dtype=torch.float64)
        self.y = torch.tensor([*y, 1.0], dtype=torch.float64)

    def start(self) -> Tensor:
        """`start` times the unit vector from class 0 to class 1: where it is negative every answer is wrong."""
        direction = torch.tensor([*CENTRE, 0.0], dtype=torch.float64)
        row: Tensor = self.p.start * direction / direction.norm()
        return row.repeat(4, 1)

    def outputs(self, rows: Tensor) -> Tensor:
        return rows[:, :2] @ self.x.T + rows[:, 2:]

    def point_losses(self, outputs: Tensor) -> Tensor:
        return torch.stack([loss(row, self.y) for loss, row in zip(CLASSIFICATION.values(), outputs, strict=True)])

    def scalars(self, rows: Tensor, outputs: Tensor, point_losses: Tensor, derivatives: Tensor) -> Scalars:
        """For each loss "right": the share of points classified right; "push": the mean absolute derivative of a
        point's loss by its logit; "w1", "w2", "b"; the border's ends (x0, y0), (x1, y1), outside of the chart, and an
        arrow from (xa, ya) on it to (xt, yt) on the side of class 1. Without a border, for w = 0, those are NaN.
        """
        scalars: Scalars = {}
        right = ((outputs > 0) == (self.y > 0)).double().mean(1)
        push = derivatives.abs().mean(1)
        for k, name in enumerate(LOSSES["classes"]):
            weight, b = rows[k, :2], rows[k, 2]
            across = weight / weight.norm()
            along = torch.stack([-across[1], across[0]])
            foot = -b / weight.norm() * across  # the border's nearest point to the origin
            mark = foot + (k - 1.5) * 1.8 * along  # so that the arrows of the losses stand beside each other
            ends = (foot - 4 * FIELD * along, foot + 4 * FIELD * along, mark, mark + 1.5 * across)
            scalars |= {
                f"right.{name}": right[k].item(),
                f"push.{name}": push[k].item(),
                f"w1.{name}": weight[0].item(),
                f"w2.{name}": weight[1].item(),
                f"b.{name}": b.item(),
            }
            for key, end in zip("01at", ends, strict=True):
                x, y = end.tolist()
                scalars |= {f"x{key}.{name}": x, f"y{key}.{name}": y}
        return scalars


@dataclass
class Logits:
    """Three logits that are themselves what is learnt, for one right class: a row for each loss."""

    p: Params
    seed: int

    def __post_init__(self) -> None:
        self.right = CLASSES.index(self.p.right)
        self.target = F.one_hot(torch.tensor(self.right), 3).double()

    def start(self) -> Tensor:
        start = torch.tensor([self.p.z1, self.p.z2, self.p.z3], dtype=torch.float64)
        return (start + self.p.shift).repeat(2, 1)

    def outputs(self, rows: Tensor) -> Tensor:
        return rows / self.p.temperature

    def point_losses(self, outputs: Tensor) -> Tensor:
        """Cross-entropy of the first row's softmax, and the sum over classes of squared errors of the second's."""
        log = F.log_softmax(outputs, 1)
        return torch.stack([-log[:1, self.right], (log[1:].exp() - self.target).square().sum(1)])

    def scalars(self, rows: Tensor, outputs: Tensor, point_losses: Tensor, derivatives: Tensor) -> Scalars:
        """For each loss and class, as "z.ce.a", the logit z, its probability p, and g, the derivative of the loss by
        the logit; for each loss "right": the right class's probability; "size": the length of the gradient.
        """
        scalars: Scalars = {}
        probability = outputs.softmax(1)
        gradient = derivatives / self.p.temperature
        for k, name in enumerate(LOSSES["softmax"]):
            scalars |= {f"right.{name}": probability[k, self.right].item(), f"size.{name}": gradient[k].norm().item()}
            for key, values in (("z", rows), ("p", probability), ("g", gradient)):
                row = values[k].tolist()
                scalars |= {f"{key}.{name}.{letter}": value for letter, value in zip(CLASSES, row, strict=True)}
        return scalars


@dataclass
class Overflow:
    """Cross-entropy of three logits in float32: one row by log-sum-exp, one by the formula as it is written."""

    p: Params
    seed: int

    def __post_init__(self) -> None:
        self.right = CLASSES.index(self.p.right)
        self.parts = self.intermediate()

    def start(self) -> Tensor:
        start = torch.tensor([self.p.z1, self.p.z2, self.p.z3], dtype=torch.float32)
        return (self.p.scale * start + self.p.shift).repeat(2, 1)

    def outputs(self, rows: Tensor) -> Tensor:
        return rows

    def point_losses(self, outputs: Tensor) -> Tensor:
        return -torch.stack([way(z, self.right)[-1] for way, z in zip((safe, naive), outputs, strict=True)])[:, None]

    def intermediate(self) -> Scalars:
        """What each way computes at the start: for each class, as "in.safe.a", the exponent "in", its power "e" and the
        gradient "g" that comes back; "sum.safe", the sum of the powers; of the right class "p.safe", its probability,
        "log.safe", the logarithm of that, and "cost.safe", the loss.
        """
        scalars: Scalars = {}
        for name, way, z in zip(LOSSES["overflow"], (safe, naive), self.start(), strict=True):
            z.requires_grad_()
            powers, total, probability, log = way(z, self.right)
            gradient = torch.autograd.grad(-log, z)[0]
            exponents = z - z.max() if way is safe else z
            for key, values in (("in", exponents), ("e", powers), ("g", gradient)):
                row = values.tolist()
                scalars |= {f"{key}.{name}.{letter}": value for letter, value in zip(CLASSES, row, strict=True)}
            numbers = {"sum": total, "p": probability, "log": log, "cost": -log}
            scalars |= {f"{key}.{name}": value.item() for key, value in numbers.items()}
        return scalars

    def scalars(self, rows: Tensor, outputs: Tensor, point_losses: Tensor, derivatives: Tensor) -> Scalars:
        """Those of `intermediate`, the same at every step."""
        return self.parts


TASKS: dict[str, Callable[[Params, int], Task]] = {
    "line": Line,
    "classes": Borders,
    "softmax": Logits,
    "overflow": Overflow,
}
