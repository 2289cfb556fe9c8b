"""Training an image classifier, one minibatch a step."""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from engine.checkpoint import pack, tensor, unpack
from engine.datasets.images import load_images
from engine.params import parse
from engine.types import Checkpoint, Job, Problem, Scalars, Step, Values
from engine.worker import devices
from lessons.cifar10.augment import augment
from lessons.cifar10.evaluation import Bytes, several_views, validate
from lessons.cifar10.networks import build, marks, whiten
from lessons.cifar10.optimisers import choose_optimiser, scheduled_lr
from lessons.cifar10.params import Params
from lessons.cifar10.pictures import frame
from lessons.cifar10.precision import has_bfloat16, has_int8
from lessons.cifar10.questions import look

__all__ = ["look", "run", "threads"]

PATCHED = 2000  # training images whose patches the whitening filters are computed from
RESTS = 0.5  # of the training, after which the fast network's first learnt layer is frozen


@dataclass
class Progress:
    """How far the training has come, and what a step needs to know of the steps before it."""

    count: int  # training images
    step: int = 0
    epoch: int = 0  # epochs done
    image: int = 0  # images done of the present epoch
    order: torch.Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))  # of the present epoch
    predicted: Bytes = field(default_factory=lambda: np.zeros(0, np.uint8))  # at the last check

    @property
    def seen(self) -> int:
        """Images trained on, each counted as often as it was."""
        return self.epoch * self.count + self.image

    def total(self, p: Params) -> int:
        """The last step, if the batch size stays as it is."""
        epochs, rest = divmod(round(p.epochs * self.count), self.count)
        if self.epoch >= epochs:
            return self.step + max(0, math.ceil((rest - self.image) / p.batch))
        between = (epochs - self.epoch - 1) * math.ceil(self.count / p.batch)
        return self.step + math.ceil((self.count - self.image) / p.batch) + between + math.ceil(rest / p.batch)

    def advance(self, images: int) -> None:
        self.step, self.image = self.step + 1, self.image + images
        if self.image >= self.count:
            self.epoch, self.image = self.epoch + 1, 0

    def state(self) -> Checkpoint:
        return {
            "at.step": np.array(self.step),
            "at.epoch": np.array(self.epoch),
            "at.image": np.array(self.image),
            "at.order": self.order.numpy().copy(),
            "at.guesses": self.predicted.copy(),
        }

    def restore(self, state: Checkpoint) -> None:
        self.step, self.epoch, self.image = (int(state[f"at.{name}"]) for name in ("step", "epoch", "image"))
        self.order, self.predicted = tensor(state["at.order"]), np.array(state["at.guesses"])


def run(job: Job, state: Checkpoint | None = None) -> Generator[Step, Values | None, None]:
    """Trains `params.network` and yields after each minibatch.

    Scalars: loss and accuracy of the minibatch before its update, lr, images_per_s (measured, so it differs between
    equal runs); at step 0, after each epoch and at the last step val_loss and val_accuracy; at the last step also
    test_loss and test_accuracy. The test images are used for nothing else.
    """
    p = parse(Params, job.params)
    device = devices.choose(job.device)
    data = load_images(p.data, str(device), p.held_out)
    train, fill = data.train, (data.mean * 255).round().to(torch.uint8)
    bf16 = p.precision != "float32" and has_bfloat16(device)
    views = several_views(p)
    settings: Values = {"lr": p.lr, "weight_decay": p.weight_decay}

    torch.manual_seed(job.seed)
    model = build(p.network, p.data, data.mean, data.std).to(device)
    if p.precision == "int8" and has_int8(device):
        model.bits = 8
    if p.network == "fast":
        whiten(model, train.images[:PATCHED])
    optimiser = choose_optimiser(model, p)
    generator = torch.Generator().manual_seed(job.seed)
    progress = Progress(len(train))
    if state is not None:
        check_fits(state, p, len(data.validation))
        unpack(state, model, optimiser, generator)
        torch.set_rng_state(tensor(state["rng.torch"]))
        progress.restore(state)

    def checkpoint() -> Checkpoint:
        arrays = marks(p.network, p.data) | pack(model, optimiser, generator) | progress.state()
        return arrays | {"rng.torch": torch.get_rng_state().numpy().copy()}

    def moment(scalars: Scalars) -> Step:
        picture = partial(frame, model, data, bf16, views, progress.predicted)
        return Step(progress.step, scalars, progress.total(p), picture, checkpoint)

    early = list(model.get_submodule("conv2").parameters()) if p.network == "fast" else []
    if state is None:
        scalars, progress.predicted = validate(model, data.validation, bf16, views)
        settings |= (yield moment({**scalars, "lr": scheduled_lr(p, settings["lr"], 0.0)})) or {}

    goal = round(p.epochs * len(train))
    rate = 0.0
    while progress.seen < goal:
        began = time.perf_counter()
        if progress.image == 0:
            progress.order = torch.randperm(len(train), generator=generator)
        chosen = progress.order[progress.image : progress.image + p.batch].to(device)
        images = augment(train, chosen, p.augment, progress.epoch, generator, fill)
        labels = train.labels[chosen]
        done = (progress.epoch + progress.image / len(train)) / p.epochs
        for weight in early:  # the layers nearest to the image converge first (Brock and others, 2017)
            weight.requires_grad_(done < RESTS)
        for group in optimiser.param_groups:
            group["lr"] = scheduled_lr(p, settings["lr"], done)
            group["weight_decay"] = settings["weight_decay"] if group["decays"] else 0.0

        if not model.training:  # frames and checks leave it in the other mode; switching each step would take time
            model.train()
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            scores = model(images)
        loss = F.cross_entropy(scores.float(), labels, label_smoothing=p.smoothing)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

        progress.advance(len(labels))
        scalars = {
            "loss": loss.item(),
            "accuracy": (scores.argmax(1) == labels).float().mean().item(),
            "lr": optimiser.param_groups[0]["lr"],
        }
        if not math.isfinite(scalars["loss"]):
            raise diverged(progress.step, scalars["lr"], p)
        spent = time.perf_counter() - began
        rate = len(labels) / spent if not rate else 0.9 * rate + 0.1 * len(labels) / spent
        scalars["images_per_s"] = rate
        over = progress.seen >= goal
        if over or progress.image == 0:
            validation, progress.predicted = validate(model, data.validation, bf16, views)
            scalars |= validation
        if over:
            final, _ = validate(model, data.test, bf16, views)
            scalars |= {name.replace("val_", "test_"): value for name, value in final.items()}
        settings |= (yield moment(scalars)) or {}


def threads(job: Job) -> int:
    """How many threads of the processor a run is worth: one for the digits, all (0) for 45,000 photographs."""
    return 0 if job.params.get("data") == "cifar10" else 1


def check_fits(state: Checkpoint, p: Params, validation: int) -> None:
    """Raises Problem for a checkpoint of another network or other data, or with other validation images held out."""
    if any(int(state.get(name, -1)) != int(value) for name, value in marks(p.network, p.data).items()):
        raise Problem(
            "A run can be continued with other settings, but not with another network or other data: its weights "
            "would not fit. Start a new run.",
            "可以换设置接着训练，但不能换网络或数据：原来的权重对不上。请重新开始一次训练。",
        )
    if len(state["at.guesses"]) != validation:
        raise Problem(
            "A run cannot be continued with another part held out: it has learnt from images that would then be "
            "validation images. Start a new run.",
            "不能换一个留出比例接着训练：有些图像已经学过，不能再用来验证。请重新开始一次训练。",
        )


def diverged(step: int, lr: float, p: Params) -> Problem:
    """The Problem of a loss that is not finite any more."""
    return Problem(
        f"At step {step} the loss stopped being a finite number: with a learning rate of {lr:.3g} the steps were so "
        f"large that the weights overflowed. Try a learning rate of {p.lr / 10:.2g}"
        + ("." if p.network == "fast" else ", or the fast network, whose batch norm stands larger steps."),
        f"第 {step} 步时损失不再是有限的数：学习率 {lr:.3g} 让每一步都太大，权重溢出了。"
        f"请试试学习率 {p.lr / 10:.2g}"
        + ("。" if p.network == "fast" else "，或换用带批归一化、更能承受大步长的快速网络。"),
    )
