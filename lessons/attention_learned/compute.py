"""A small transformer learns to copy, reverse or sort sequences, one batch a step."""

from __future__ import annotations

import math
from collections.abc import Generator
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from engine.checkpoint import pack, unpack
from engine.params import parse
from engine.types import Checkpoint, Job, Problem, Scalars, Step, Values
from lessons.attention_learned.batches import codes, draw, inputs, solutions
from lessons.attention_learned.heads import check, frame
from lessons.attention_learned.model import Shape, Transformer, marks
from lessons.attention_learned.params import Params
from lessons.attention_learned.questions import look
from lessons.attention_learned.task import held_out

__all__ = ["look", "run"]

CHECK = 5  # steps between two checks on the held-out sequences
BETAS = (0.9, 0.98)  # as in Vaswani and others, 2017
DECAY = 0.01


def run(job: Job, state: Checkpoint | None = None) -> Generator[Step, Values | None, None]:
    """Trains on sequences drawn anew for each step, and yields after each.

    Scalars: loss, accuracy (the share of symbols that are right) of the batch before its update, and lr; at step 0, at
    every fifth and at the last step those of `check`, on sequences that no batch ever holds. Raises Problem for a
    checkpoint of another network, and where the loss is not finite.
    """
    p = parse(Params, job.params)
    device = torch.device("cpu" if job.device == "auto" else job.device)  # too small to gain by a GPU
    sequences_held_out = torch.from_numpy(held_out(p))
    codes_held_out = codes(sequences_held_out, p.symbols)

    torch.manual_seed(job.seed)
    model = Transformer(shape(p)).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), p.lr, BETAS, weight_decay=DECAY)
    generator = torch.Generator().manual_seed(job.seed)
    lr, start = p.lr, 0
    if state is not None:
        check_fits(state, p)
        unpack(state, model, optimiser, generator)
        start = int(state["at.step"])

    def checkpoint(step: int) -> Checkpoint:
        return marks(model.shape) | pack(model, optimiser, generator) | {"at.step": np.array(step)}

    def moment(step: int, scalars: Scalars) -> Step:
        if step % CHECK == 0 or step == p.steps:
            scalars |= check(model, p.task, sequences_held_out.to(device))
        picture = partial(frame, model, p.task, sequences_held_out[:1].to(device))
        return Step(step, scalars, p.steps, picture, partial(checkpoint, step))

    changes = (yield moment(0, {"lr": warmed_up(p, lr, 0)})) if state is None else None
    for step in range(start + 1, p.steps + 1):
        lr = float((changes or {}).get("lr", lr))
        for group in optimiser.param_groups:
            group["lr"] = warmed_up(p, lr, step)
        sequences = draw(p, codes_held_out, generator).to(device)
        answers = solutions(p.task, sequences)

        scores = model(inputs(sequences, answers, p.symbols))[0][:, p.length :]  # each place from the bar on: what next
        loss = F.cross_entropy(scores.flatten(0, 1), answers.flatten())
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

        scalars = {
            "loss": loss.item(),
            "accuracy": (scores.argmax(2) == answers).float().mean().item(),
            "lr": warmed_up(p, lr, step),
        }
        if not math.isfinite(scalars["loss"]):
            raise Problem(
                f"At step {step} the loss stopped being a finite number: with a learning rate of {lr:.3g} the steps "
                f"were too large. Try {lr / 10:.2g}, or a longer warm-up.",
                f"第 {step} 步时损失不再是有限的数：学习率 {lr:.3g} 让步子太大了。请试试 {lr / 10:.2g}，或延长预热。",
            )
        changes = yield moment(step, scalars)


def shape(p: Params) -> Shape:
    """The network that the settings ask for: it reads a sequence, the bar, and the answer but for its last symbol."""
    return Shape(p.symbols, 2 * p.length, p.layers, p.heads, p.width, p.positions, p.mlp)


def warmed_up(p: Params, lr: float, step: int) -> float:
    """The learning rate of a step: it rises linearly for `warmup` steps and stays at `lr`."""
    return lr * min(1.0, step / p.warmup) if p.warmup else lr


def check_fits(state: Checkpoint, p: Params) -> None:
    """Raises Problem for a checkpoint of another network. The task and the training may be others."""
    if not np.array_equal(state.get("made", 0), marks(shape(p))["made"]):
        raise Problem(
            "A run can go on with another task or learning rate, but not with another length, alphabet or network: "
            "its weights would not fit. Start a new run.",
            "可以换任务或学习率接着训练，但不能换长度、符号数或网络：原来的权重对不上。请重新开始一次训练。",
        )
