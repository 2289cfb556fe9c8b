"""Small models from one start, on one task, that differ in nothing but their loss; gradient descent on all at once.

The parameters of all models are the rows of one tensor (losses, numbers a model has), and their losses are added up.
No number is shared between rows, so every gradient is the one its model would have alone.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.params import parse
from engine.types import Arrays, Checkpoint, Job, Problem, Scalars, Step, Values
from lessons.losses.params import CLASSES, FIELD, LOSSES, REACH, Params
from lessons.losses.points import CENTRE, near_line, two_classes

Measure = Callable[[Tensor, Tensor], Tensor]  # (what a model says, what is right) -> loss of each point


def regression(delta: float) -> dict[str, Measure]:
    """Losses of a prediction; each point's own, whose mean is what a model goes down on."""
    return {
        "mse": partial(F.mse_loss, reduction="none"),
        "mae": partial(F.l1_loss, reduction="none"),
        "huber": partial(F.huber_loss, reduction="none", delta=delta),
    }


CLASSIFICATION: dict[str, Measure] = {  # losses of a logit for a class that is 0 or 1
    "ce": partial(F.binary_cross_entropy_with_logits, reduction="none"),
    "mse": lambda z, y: (torch.sigmoid(z) - y).square(),
    "hinge": lambda z, y: torch.relu(1 - (2 * y - 1) * z),
    "score": lambda z, y: (z - (2 * y - 1)).square(),  # the class as a number to be hit, -1 or 1
}


def naive(z: Tensor, right: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Cross-entropy as the formula is written: e^z, their sum, the probability of the right class, its logarithm."""
    powers = z.exp()
    total = powers.sum()
    probability = powers[right] / total
    return powers, total, probability, probability.log()


def safe(z: Tensor, right: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The same numbers by log-sum-exp: with the largest logit taken off, no power is above 1 and one is 1."""
    lowered = z - z.max().detach()
    powers = lowered.exp()
    total = powers.sum()
    log = lowered[right] - total.log()
    return powers, total, log.exp(), log


@dataclass
class Line:
    """y = w x + b through points of which the last can be dragged: a row (w, b) for each loss."""

    p: Params
    seed: int

    def __post_init__(self) -> None:
        x, y = near_line(self.p.noise, self.seed)
        self.x = torch.tensor([*x, self.p.outlier_x], dtype=torch.float64)
        self.y = torch.tensor([*y, self.p.outlier_y], dtype=torch.float64)
        self.measures = regression(self.p.delta)

    def begin(self) -> Tensor:
        return torch.zeros(3, 2, dtype=torch.float64)

    def say(self, rows: Tensor) -> Tensor:
        """Predictions (3, points)."""
        return rows[:, :1] * self.x + rows[:, 1:]

    def each(self, said: Tensor) -> Tensor:
        """The loss of each point under each loss, (3, points)."""
        return torch.stack([measure(one, self.y) for measure, one in zip(self.measures.values(), said, strict=True)])

    def scalars(self, rows: Tensor, said: Tensor, each: Tensor, pull: Tensor) -> Scalars:
        """For each loss, as "w.mse": the line's w and b; its height at both ends of the chart, "left" and "right";
        "off", its mean distance from the points that were not dragged; of the dragged one "residual", prediction
        minus y, "cost" and "slope", its own loss and that loss's derivative, and "pull", its share of the sizes of
        all derivatives.
        """
        out: Scalars = {}
        off = (said - self.y)[:, :-1].abs().mean(1)
        share = pull[:, -1].abs() / pull.abs().sum(1)
        for k, name in enumerate(LOSSES["line"]):
            w, b = rows[k].tolist()
            out |= {
                f"w.{name}": w,
                f"b.{name}": b,
                f"left.{name}": b - 2 * REACH * w,
                f"right.{name}": b + 2 * REACH * w,
                f"off.{name}": off[k].item(),
                f"residual.{name}": (said[k, -1] - self.y[-1]).item(),
                f"cost.{name}": each[k, -1].item(),
                f"slope.{name}": pull[k, -1].item(),
                f"pull.{name}": share[k].item(),
            }
        return out


@dataclass
class Borders:
    """Logit w·x + b of points in the plane, the last of which can be dragged: a row (w1, w2, b) for each loss."""

    p: Params
    seed: int

    def __post_init__(self) -> None:
        x, y = two_classes(self.p.noise, self.seed)
        self.x = torch.tensor([*x.tolist(), [self.p.far_x, self.p.far_y]], dtype=torch.float64)
        self.y = torch.tensor([*y, 1.0], dtype=torch.float64)

    def begin(self) -> Tensor:
        """`start` times the direction from class 0 to class 1: below zero every answer is wrong."""
        direction = torch.tensor([*CENTRE, 0.0], dtype=torch.float64)
        row: Tensor = self.p.start * direction / direction.norm()
        return row.repeat(4, 1)

    def say(self, rows: Tensor) -> Tensor:
        """Logits (4, points)."""
        return rows[:, :2] @ self.x.T + rows[:, 2:]

    def each(self, said: Tensor) -> Tensor:
        return torch.stack([measure(one, self.y) for measure, one in zip(CLASSIFICATION.values(), said, strict=True)])

    def scalars(self, rows: Tensor, said: Tensor, each: Tensor, pull: Tensor) -> Scalars:
        """For each loss, as "right.ce": the share of points told apart rightly; "push", the mean size of the loss's
        derivative by a point's logit; "w1", "w2", "b"; the border's two ends (x0, y0), (x1, y1), beyond the chart, and
        an arrow from (ax, ay) on it to (tx, ty) on the side of class 1. Without a border, for w = 0, those are NaN.
        """
        out: Scalars = {}
        right = ((said > 0) == (self.y > 0)).double().mean(1)
        push = pull.abs().mean(1)
        for k, name in enumerate(LOSSES["classes"]):
            weight, b = rows[k, :2], rows[k, 2]
            across = weight / weight.norm()
            along = torch.stack([-across[1], across[0]])
            foot = -b / weight.norm() * across  # the border's nearest point to the origin
            mark = foot + (k - 1.5) * 1.8 * along  # the arrows stand beside each other
            ends = (foot - 4 * FIELD * along, foot + 4 * FIELD * along, mark, mark + 1.5 * across)
            places = dict(zip("01at", ends, strict=True))
            out |= {
                f"right.{name}": right[k].item(),
                f"push.{name}": push[k].item(),
                f"w1.{name}": weight[0].item(),
                f"w2.{name}": weight[1].item(),
                f"b.{name}": b.item(),
            }
            for key, place in places.items():
                x, y = place.tolist()
                out |= {f"x{key}.{name}": x, f"y{key}.{name}": y}
        return out


@dataclass
class Logits:
    """Three logits that are themselves what is learnt, for one right class: a row for each loss."""

    p: Params
    seed: int

    def __post_init__(self) -> None:
        self.right = CLASSES.index(self.p.right)
        self.truth = F.one_hot(torch.tensor(self.right), 3).double()

    def begin(self) -> Tensor:
        start = torch.tensor([self.p.z1, self.p.z2, self.p.z3], dtype=torch.float64)
        return (start + self.p.shift).repeat(2, 1)

    def say(self, rows: Tensor) -> Tensor:
        return rows / self.p.temperature

    def each(self, said: Tensor) -> Tensor:
        """Cross-entropy of the first row's softmax, and the sum over classes of squared errors of the second's."""
        log = F.log_softmax(said, 1)
        return torch.stack([-log[:1, self.right], (log[1:].exp() - self.truth).square().sum(1)])

    def scalars(self, rows: Tensor, said: Tensor, each: Tensor, pull: Tensor) -> Scalars:
        """For each loss and class, as "z.ce.a": logit, "p" probability and "g" derivative of the loss by the logit;
        "right.ce" is the probability of the right class, "size.ce" the length of the gradient.
        """
        out: Scalars = {}
        probability = said.softmax(1)
        gradient = pull / self.p.temperature
        for k, name in enumerate(LOSSES["softmax"]):
            out |= {f"right.{name}": probability[k, self.right].item(), f"size.{name}": gradient[k].norm().item()}
            for key, values in (("z", rows), ("p", probability), ("g", gradient)):
                out |= {f"{key}.{name}.{one}": value for one, value in zip(CLASSES, values[k].tolist(), strict=True)}
        return out


@dataclass
class Overflow:
    """The same in float32, once by log-sum-exp and once by the formula as it is written."""

    p: Params
    seed: int

    def __post_init__(self) -> None:
        self.right = CLASSES.index(self.p.right)
        self.way = self.taken_apart()

    def begin(self) -> Tensor:
        start = torch.tensor([self.p.z1, self.p.z2, self.p.z3], dtype=torch.float32)
        return (self.p.scale * start + self.p.shift).repeat(2, 1)

    def say(self, rows: Tensor) -> Tensor:
        return rows

    def each(self, said: Tensor) -> Tensor:
        return -torch.stack([way(one, self.right)[-1] for way, one in zip((safe, naive), said, strict=True)])[:, None]

    def taken_apart(self) -> Scalars:
        """What each way computes at the start: as "in.safe.a" what it takes the powers of, "e" the powers;
        "sum.safe" their sum; of the right class "p.safe", its probability, "log.safe", the logarithm of that, and
        "cost.safe", the loss; and as "g.safe.a" the gradient that comes back.
        """
        out: Scalars = {}
        for name, way, z in zip(LOSSES["overflow"], (safe, naive), self.begin(), strict=True):
            z.requires_grad_()
            powers, total, probability, log = way(z, self.right)
            gradient = torch.autograd.grad(-log, z)[0]
            entering = z - z.max() if way is safe else z
            for key, values in (("in", entering), ("e", powers), ("g", gradient)):
                out |= {f"{key}.{name}.{one}": value for one, value in zip(CLASSES, values.tolist(), strict=True)}
            numbers = {"sum": total, "p": probability, "log": log, "cost": -log}
            out |= {f"{key}.{name}": value.item() for key, value in numbers.items()}
        return out

    def scalars(self, rows: Tensor, said: Tensor, each: Tensor, pull: Tensor) -> Scalars:
        """Those of `taken_apart`, at every step the same."""
        return self.way


Task = Line | Borders | Logits | Overflow
TASKS: dict[str, Callable[[Params, int], Task]] = {
    "line": Line,
    "classes": Borders,
    "softmax": Logits,
    "overflow": Overflow,
}


def run(job: Job, state: Checkpoint | None = None) -> Generator[Step, Values | None, None]:
    """Step 0 is the start; each further step moves every model once, down its own loss.

    Scalars: for each loss "loss.mse"; "loss", the mean of those that are finite; "lr"; "failed", how many are no finite
    number, each with its "failed.mse"; and those of the topic. Raises Problem for a snapshot of another topic.
    """
    p = parse(Params, job.params)
    names = LOSSES[p.topic]
    task = TASKS[p.topic](p, job.seed)
    rows = task.begin()
    lr, moved, start = p.lr, False, 0
    if state is not None:
        kept = state["model.rows"]
        if kept.shape != tuple(rows.shape) or kept.dtype != rows.numpy().dtype:
            raise Problem(
                f"A run of another topic has other models, which cannot be trained on {p.topic}. Start a new run.",
                f"别的主题训练的是别的模型，不能接着用来训练 {p.topic}。请重新开始一次运行。",
            )
        rows = torch.from_numpy(kept.copy())
        start = int(state["step"])
        moved = "live.lr" in state
        lr = float(state["live.lr"]) if moved else lr

    def snapshot(step: int, rows: Tensor) -> Checkpoint:
        out: Checkpoint = {"step": np.array(step, np.int64), "model.rows": rows.numpy().copy()}
        return out | ({"live.lr": np.array(lr)} if moved else {})

    def judged(rows: Tensor) -> tuple[Scalars, Tensor]:
        """All that is said of a step, and the gradient (losses, numbers) that leads to the next one."""
        rows = rows.clone().requires_grad_()
        said = task.say(rows)
        each = task.each(said)
        losses = each.mean(1)
        gradient, pull = torch.autograd.grad(losses.sum(), [rows, said])
        values = losses.tolist()
        good = [value for value in values if np.isfinite(value)]
        failed = {f"failed.{name}": 1.0 for name, value in zip(names, values, strict=True) if not np.isfinite(value)}
        out: Scalars = {"lr": lr, "loss": float(np.mean(good)) if good else float("nan"), "failed": float(len(failed))}
        out |= failed | {f"loss.{name}": value for name, value in zip(names, values, strict=True)}
        # the mean over n points has an n-th of each point's own slope
        return out | task.scalars(rows.detach(), said.detach(), each.detach(), pull * each.shape[1]), gradient

    def moment(step: int, scalars: Scalars, rows: Tensor) -> Step:
        return Step(step, scalars, p.steps, state=partial(snapshot, step, rows))

    changes = None
    scalars, gradient = judged(rows)
    if state is None:
        changes = yield moment(0, scalars, rows)
    for step in range(start + 1, p.steps + 1):
        if changes and "lr" in changes:
            lr, moved = float(changes["lr"]), True
        rows = rows - lr * gradient
        scalars, gradient = judged(rows)
        changes = yield moment(step, scalars, rows)


def look(job: Job, state: Checkpoint | None, name: str, args: Mapping[str, Any]) -> Arrays:
    """This lesson has no questions. Raises Problem."""
    raise Problem(f"This lesson has no answer to {name!r:.40}.", f"本课无法回答 {name!r:.40}。")
