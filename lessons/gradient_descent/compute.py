"""Optimisers of torch.optim race from one start on one surface, in float64, each with a point of its own.

`run` is the plain way and the measure of all else: torch.optim's own optimisers, gradients by autograd. What learners
start is race.py's lane, which takes the same steps as arrays, some thirty times as fast.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.params import checked
from engine.types import Arrays, Checkpoint, Job, Problem, Scalars, Step, Values
from lessons.gradient_descent.params import ADAPTIVE, LIVE, Params
from lessons.gradient_descent.race import Race
from lessons.gradient_descent.stability import bounds
from lessons.gradient_descent.surfaces import CUT, FAR, LOWEST, Surface, surface

MAKE: dict[str, Callable[[list[Tensor]], torch.optim.Optimizer]] = {  # `Racer.adopt` then sets what can change
    "sgd": partial(torch.optim.SGD, lr=0.1),
    "momentum": partial(torch.optim.SGD, lr=0.1, momentum=0.9),
    "nesterov": partial(torch.optim.SGD, lr=0.1, momentum=0.9, nesterov=True),
    "adagrad": partial(torch.optim.Adagrad, lr=0.1),
    "rmsprop": partial(torch.optim.RMSprop, lr=0.1),
    "adam": partial(torch.optim.Adam, lr=0.1),
    "adamw": partial(torch.optim.AdamW, lr=0.1),
}
VELOCITY = {"momentum": "momentum_buffer", "nesterov": "momentum_buffer", "adam": "exp_avg", "adamw": "exp_avg"}
SQUARES = {"adagrad": "sum", "rmsprop": "square_avg", "adam": "exp_avg_sq", "adamw": "exp_avg_sq"}


batched = Race


def run(job: Job, state: Checkpoint | None = None) -> Generator[Step, Values | None, None]:
    """Step 0 is the start; each further step moves every racer once. With `state` it goes on after that snapshot.

    Scalars: those of `Racer.scalars` as "quantity.optimiser"; "loss", the lowest height now; "diverged", how many
    have; "gap", the largest difference between autograd's gradient and finite differences; "lr", "lr_adaptive",
    "momentum" as they now are; on quadratics "bound.sgd", "bound.momentum", "bound.nesterov", the step sizes below
    which each converges.
    Raises Problem if the surface has no finite height at the start.
    """
    p = checked(Params, job.params)
    land = surface(p)
    land.check_start(p.start_x, p.start_y)
    settings = {name: float(getattr(p, name)) for name in LIVE}
    moved: set[str] = set()  # what was changed while running
    generator = torch.Generator().manual_seed(job.seed)
    racers = [Racer(name, land, p.start_x, p.start_y) for name in p.optimisers]
    start = 0
    if state is not None:
        start = int(state["step"])
        generator.set_state(torch.from_numpy(state["rng.noise"].copy()))
        moved = {name for name in LIVE if f"live.{name}" in state}
        settings |= {name: float(state[f"live.{name}"]) for name in moved}
        for racer in racers:
            racer.restore(state)

    def snapshot(step: int) -> Checkpoint:
        out: Checkpoint = {"step": np.array(step, np.int64), "rng.noise": generator.get_state().numpy().copy()}
        out |= {f"live.{name}": np.array(settings[name]) for name in sorted(moved)}
        for racer in racers:
            out |= racer.state()
        return out

    def moment(step: int) -> Step:
        return Step(step, scalars(racers, settings, land), p.steps, state=partial(snapshot, step))

    changes = (yield moment(0)) if state is None else None
    for step in range(start + 1, p.steps + 1):
        for name in LIVE:
            if changes and name in changes:
                settings[name] = float(changes[name])
                moved.add(name)
        gust = settings["noise"] * torch.randn(2, generator=generator, dtype=torch.float64)  # the same for all
        for racer in racers:
            racer.adopt(settings)
            racer.step(gust)
        changes = yield moment(step)


def scalars(racers: list[Racer], settings: Mapping[str, float], land: Surface) -> Scalars:
    """All the numbers of a step."""
    out: Scalars = {name: settings[name] for name in ("lr", "lr_adaptive", "momentum")}
    out["zero"] = 0.0  # where the arrows of an update begin
    out["loss"] = min(racer.height for racer in racers)
    out["diverged"] = float(sum(racer.diverged for racer in racers))
    gaps = [racer.gap for racer in racers if racer.update]
    if gaps:
        out["gap"] = max(gaps)
    if land.curvatures:
        out |= {f"bound.{name}": bound for name, bound in bounds(land.curvatures[1], settings["momentum"]).items()}
    for racer in racers:
        out |= {f"{name}.{racer.name}": value for name, value in racer.scalars().items()}
    return out


class Racer:
    """One optimiser and its point. It stops where it diverges, at the last point that has a height."""

    def __init__(self, name: str, land: Surface, x: float, y: float) -> None:
        self.name = name
        self.land = land
        self.point = torch.tensor([x, y], dtype=torch.float64, requires_grad=True)
        self.optimiser = MAKE[name]([self.point])
        self.height = float(land.height(x, y))
        self.cut = CUT * (max(land.ceiling, self.height) - land.floor)
        self.diverged = False
        self.lost = False  # diverged in this very step
        self.gap = 0.0
        self.update: Scalars = {}

    def adopt(self, settings: Mapping[str, float]) -> None:
        """Takes over the settings that may change while it runs."""
        group = self.optimiser.param_groups[0]
        group["lr"] = settings["lr_adaptive" if self.name in ADAPTIVE else "lr"]
        if self.name in ("momentum", "nesterov"):
            group["momentum"] = settings["momentum"]
        if self.name == "adamw":
            group["weight_decay"] = settings["weight_decay"]

    def step(self, gust: Tensor) -> None:
        """One step of the optimiser; `gust` (2,) is added to the gradient it is given. Diverged, it stays."""
        if self.diverged:
            self.lost, self.update = False, {}
            return
        before = self.point.tolist()
        velocity = self.held(VELOCITY)

        self.optimiser.zero_grad()
        x, y = self.point.unbind()
        height = self.land.formula(x, y, torch)
        if isinstance(height, Tensor):
            height.backward()  # type: ignore[no-untyped-call]  ## autograd: the exact gradient of the height here
        if self.point.grad is None:  # a formula without x and y
            self.point.grad = torch.zeros_like(self.point)
        gradient = self.point.grad.tolist()
        self.point.grad += gust
        given = self.point.grad.tolist()
        self.optimiser.step()

        after = self.point.tolist()
        new = float(self.land.height(*after))
        self.lost = self.diverged = not (math.isfinite(new) and all(abs(at) <= FAR for at in after))
        if math.isfinite(new) and all(map(math.isfinite, after)):
            self.height = new
        else:
            self.point.data.copy_(torch.tensor(before, dtype=torch.float64))
        self.update = self.dissect(before, gradient, given, velocity)

    def held(self, where: Mapping[str, str]) -> list[float]:
        """What the optimiser keeps in its state under its name in `where`; zeros before the first step."""
        tensor = self.optimiser.state[self.point].get(where.get(self.name, ""))
        return [0.0, 0.0] if tensor is None else tensor.tolist()

    def dissect(self, before: list[float], gradient: list[float], given: list[float], old: list[float]) -> Scalars:
        """The update from `before` taken apart: update = carried + fresh (+ decay, AdamW's pull to the origin).

        `fresh` is what the gradient it was given adds, `carried` what older gradients in the velocity (`old`, as it
        was before this step) still add, and `rates` the step size each axis got: by the formulas of torch.optim, with
        the numbers in optimiser.state.
        """
        group = self.optimiser.param_groups[0]
        squares = self.held(SQUARES)
        rates = [group["lr"], group["lr"]]
        kept, weight = 0.0, 1.0  # of the old velocity, of this gradient
        if self.name == "momentum":
            kept = group["momentum"]
        elif self.name == "nesterov":
            kept, weight = group["momentum"] ** 2, 1 + group["momentum"]
        elif self.name in ("adam", "adamw"):
            first, second = group["betas"]
            count = float(self.optimiser.state[self.point]["step"])
            kept, weight = first / (1 - first**count), (1 - first) / (1 - first**count)
            rates = [group["lr"] / (math.sqrt(square / (1 - second**count)) + group["eps"]) for square in squares]
        elif self.name in SQUARES:
            rates = [group["lr"] / (math.sqrt(square) + group["eps"]) for square in squares]
        fresh = [-rate * weight * one for rate, one in zip(rates, given, strict=True)]
        check = self.land.slope(*before)
        self.gap = max(abs(exact - near) for exact, near in zip(gradient, check, strict=True))
        pairs: dict[str, Sequence[float]] = {"g": gradient, "n": check, "a": rates}
        pairs["u"] = [new - at for new, at in zip(self.point.tolist(), before, strict=True)]
        carried = [0.0, 0.0]
        if self.name in VELOCITY:
            carried = [-rate * kept * one for rate, one in zip(rates, old, strict=True)]
            pairs |= {"c": carried, "v": self.held(VELOCITY)}
        if self.name in SQUARES:
            # Downhill as the gradient itself points, drawn as long as what is left of it after the scaling.
            shrink = math.hypot(*fresh) / (math.hypot(*given) or 1.0)
            pairs |= {"d": [at - shrink * one for at, one in zip(carried, given, strict=True)], "s": squares}
        if self.name == "adamw":
            pairs["w"] = [at + one for at, one in zip(carried, fresh, strict=True)]
        return {f"{name}{axis}": pair[i] for name, pair in pairs.items() for i, axis in enumerate("xy")}

    def scalars(self) -> Scalars:
        """x, y, height: where it is. above: height over the lowest point as the chart draws it, z as the surface does.

        Of the update that led here (from the first step on), each as "…x" and "…y": g the gradient, n the same by
        finite differences, u the update, a the step size of each axis; c the part of the update that older gradients
        carry, v the velocity in optimiser.state; d the tip of the gradient's own direction, s the squares in
        optimiser.state; w the tip of the update before AdamW's decay. In the step it diverges: lost, lost_x, lost_y,
        where to mark that.
        """
        x, y = self.point.tolist()
        above = self.height - self.land.floor
        if 0 <= above < LOWEST:
            above = LOWEST
        above = min(max(above, -self.cut), self.cut)
        inside = self.land.holds(x, y)
        out = {
            "x": x,
            "y": y,
            "height": self.height,
            "above": math.nan if self.diverged and not self.lost else above,
            "z": float(self.land.drawn(self.height)) + self.land.lift if inside else math.nan,
            "diverged": float(self.diverged),
        }
        if self.lost:
            edge_x, edge_y = self.land.clipped(x, y)
            out |= {"lost": above, "lost_x": edge_x, "lost_y": edge_y}
        return out | self.update

    def state(self) -> Checkpoint:
        """Everything that the next step depends on."""
        held = self.optimiser.state[self.point].items()
        out: Checkpoint = {
            f"optim.{self.name}.{key}": value.numpy().copy() for key, value in held if isinstance(value, Tensor)
        }
        out[f"model.{self.name}"] = self.point.detach().numpy().copy()
        out[f"diverged.{self.name}"] = np.array(self.diverged)
        return out

    def restore(self, state: Checkpoint) -> None:
        """Back to a snapshot; a racer that was not in it stays at the start."""
        if f"model.{self.name}" not in state:
            return
        self.point.data.copy_(torch.from_numpy(state[f"model.{self.name}"].copy()))
        prefix = f"optim.{self.name}."
        held = self.optimiser.state[self.point]
        for key, value in state.items():
            if key.startswith(prefix):
                held[key.removeprefix(prefix)] = torch.from_numpy(value.copy())
        self.height = float(self.land.height(*self.point.tolist()))
        self.diverged = bool(state[f"diverged.{self.name}"])


def look(job: Job, state: Checkpoint, name: str, args: Mapping[str, Any]) -> Arrays:
    """This lesson's scalars say everything; it answers no questions."""
    raise Problem(
        f"Gradient descent has no question named {name!r:.40}; its charts show all it knows.",
        f"“梯度下降”这一课没有名为 {name!r:.40} 的提问，图中已显示全部信息。",
    )
