"""Small models from one start, on one task, that differ in their loss alone; gradient descent on all at once.

The losses of all models are added up. No parameter is shared, so every gradient is that of its own model's loss.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import partial

import numpy as np
import torch
from torch import Tensor

from engine.checkpoint import tensor
from engine.params import parse
from engine.types import Checkpoint, Job, Problem, Scalars, Step, Values
from lessons.losses.params import LOSSES, Params
from lessons.losses.tasks import TASKS, Task


def run(job: Job, state: Checkpoint | None = None) -> Generator[Step, Values | None, None]:
    """Step 0 is the start; each further step moves every model once, down its own loss.

    Scalars: for each loss "loss.mse"; "loss", the mean of those that are finite; "lr"; "failed", how many are not
    finite, each with its "failed.mse"; and those of the task. Raises Problem for a checkpoint of another topic.
    """
    p = parse(Params, job.params)
    task = TASKS[p.topic](p, job.seed)
    rows = task.start()
    lr, start = p.lr, 0
    if state is not None:
        model = state["model.rows"]
        if model.shape != tuple(rows.shape) or model.dtype != rows.numpy().dtype:
            raise Problem(
                f"A run of another topic has other models, which cannot be trained on {p.topic}. Start a new run.",
                f"别的主题训练的是别的模型，不能接着用来训练 {p.topic}。请重新开始一次运行。",
            )
        rows = tensor(model)
        start = int(state["step"])

    def checkpoint(step: int, rows: Tensor) -> Checkpoint:
        return {"step": np.array(step, np.int64), "model.rows": rows.numpy().copy()}

    def moment(step: int, scalars: Scalars, rows: Tensor) -> Step:
        return Step(step, {"lr": lr, **scalars}, p.steps, state=partial(checkpoint, step, rows))

    scalars, gradient = evaluate(task, rows, LOSSES[p.topic])
    changes = (yield moment(0, scalars, rows)) if state is None else None
    for step in range(start + 1, p.steps + 1):
        lr = float((changes or {}).get("lr", lr))
        rows = rows - lr * gradient
        scalars, gradient = evaluate(task, rows, LOSSES[p.topic])
        changes = yield moment(step, scalars, rows)


def evaluate(task: Task, rows: Tensor, names: tuple[str, ...]) -> tuple[Scalars, Tensor]:
    """The scalars at `rows` (losses, parameters), and each model's gradient of its own loss there, of that shape."""
    rows = rows.clone().requires_grad_()
    outputs = task.outputs(rows)
    point_losses = task.point_losses(outputs)
    losses = point_losses.mean(1)
    gradient, derivatives = torch.autograd.grad(losses.sum(), [rows, outputs])
    values = losses.tolist()
    finite = [value for value in values if np.isfinite(value)]
    failed = {f"failed.{name}": 1.0 for name, value in zip(names, values, strict=True) if not np.isfinite(value)}
    scalars: Scalars = {"loss": float(np.mean(finite)) if finite else float("nan"), "failed": float(len(failed))}
    scalars |= failed | {f"loss.{name}": value for name, value in zip(names, values, strict=True)}
    derivatives = (
        derivatives * point_losses.shape[1]
    )  # the derivative of the mean over n points is an n-th of a point's
    return scalars | task.scalars(rows.detach(), outputs.detach(), point_losses.detach(), derivatives), gradient
