"""The race of the gradient descent lesson once more: torch.optim's own optimisers, gradients by autograd, one racer
after the other. lessons/gradient_descent/race.py takes the same steps as arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from engine.params import parse
from engine.types import Job, Scalars
from lessons.gradient_descent.params import ADAPTIVE, LIVE, Params
from lessons.gradient_descent.stability import bounds
from lessons.gradient_descent.surfaces import CUT, FAR, LOWEST, Surface, surface

OPTIMISERS: dict[str, Callable[[list[Tensor]], torch.optim.Optimizer]] = {  # `Racer` sets what the settings say
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


def run(job: Job) -> Iterator[tuple[int, Scalars]]:
    """(step, scalars) from the start, step 0, on: those of one race as `Race` names them."""
    p = parse(Params, job.params)
    land = surface(p)
    settings = {name: float(getattr(p, name)) for name in LIVE}
    generator = torch.Generator().manual_seed(job.seed)
    racers = [Racer(name, land, p.start_x, p.start_y, settings) for name in p.optimisers]
    yield 0, scalars(racers, settings, land)
    for step in range(1, p.steps + 1):
        noise = settings["noise"] * torch.randn(2, generator=generator, dtype=torch.float64)  # the same for all
        for racer in racers:
            racer.step(noise)
        yield step, scalars(racers, settings, land)


def scalars(racers: list[Racer], settings: Mapping[str, float], land: Surface) -> Scalars:
    """All the numbers of a step."""
    out: Scalars = {name: settings[name] for name in ("lr", "lr_adaptive", "momentum")}
    out["zero"] = 0.0
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

    def __init__(self, name: str, land: Surface, x: float, y: float, settings: Mapping[str, float]) -> None:
        self.name = name
        self.land = land
        self.point = torch.tensor([x, y], dtype=torch.float64, requires_grad=True)
        self.optimiser = OPTIMISERS[name]([self.point])
        self.height = float(land.height(x, y))
        self.cut = CUT * (max(land.ceiling, self.height) - land.floor)
        self.diverged = False
        self.lost = False  # diverged in this very step
        self.gap = 0.0
        self.update: Scalars = {}
        group = self.optimiser.param_groups[0]
        group["lr"] = settings["lr_adaptive" if name in ADAPTIVE else "lr"]
        if name in ("momentum", "nesterov"):
            group["momentum"] = settings["momentum"]
        if name == "adamw":
            group["weight_decay"] = settings["weight_decay"]

    def step(self, noise: Tensor) -> None:
        """One step of the optimiser; `noise` (2,) is added to the gradient it is given. Diverged, it stays."""
        if self.diverged:
            self.lost, self.update = False, {}
            return
        before = self.point.tolist()
        velocity = self.buffer(VELOCITY)

        self.optimiser.zero_grad()
        x, y = self.point.unbind()
        height = self.land.formula(x, y, torch)
        if isinstance(height, Tensor):
            height.backward()  # type: ignore[no-untyped-call]
        if self.point.grad is None:  # a formula without x and y
            self.point.grad = torch.zeros_like(self.point)
        gradient = self.point.grad.tolist()
        self.point.grad += noise
        noisy_gradient = self.point.grad.tolist()
        self.optimiser.step()

        after = self.point.tolist()
        new = float(self.land.height(*after))
        self.lost = self.diverged = not (math.isfinite(new) and all(abs(at) <= FAR for at in after))
        if math.isfinite(new) and all(map(math.isfinite, after)):
            self.height = new
        else:
            self.point.data.copy_(torch.tensor(before, dtype=torch.float64))
        self.update = self.dissect(before, gradient, noisy_gradient, velocity)

    def buffer(self, names: Mapping[str, str]) -> list[float]:
        """What the optimiser keeps under its name in `names`; zeros before the first step."""
        tensor = self.optimiser.state[self.point].get(names.get(self.name, ""))
        return [0.0, 0.0] if tensor is None else tensor.tolist()

    def dissect(
        self, before: list[float], gradient: list[float], noisy_gradient: list[float], old_velocity: list[float]
    ) -> Scalars:
        """The update from `before` taken apart by the formulas of torch.optim, with the numbers in optimiser.state."""
        group = self.optimiser.param_groups[0]
        squares = self.buffer(SQUARES)
        rates = [group["lr"], group["lr"]]
        old_weight, new_weight = 0.0, 1.0  # of the old velocity, of this gradient
        if self.name == "momentum":
            old_weight = group["momentum"]
        elif self.name == "nesterov":
            old_weight, new_weight = group["momentum"] ** 2, 1 + group["momentum"]
        elif self.name in ("adam", "adamw"):
            first, second = group["betas"]
            count = float(self.optimiser.state[self.point]["step"])
            old_weight, new_weight = first / (1 - first**count), (1 - first) / (1 - first**count)
            rates = [group["lr"] / (math.sqrt(square / (1 - second**count)) + group["eps"]) for square in squares]
        elif self.name in SQUARES:
            rates = [group["lr"] / (math.sqrt(square) + group["eps"]) for square in squares]
        fresh = [-rate * new_weight * g for rate, g in zip(rates, noisy_gradient, strict=True)]
        near = self.land.differences(*before)
        self.gap = max(abs(exact - other) for exact, other in zip(gradient, near, strict=True))
        pairs: dict[str, Sequence[float]] = {"g": gradient, "n": near, "a": rates}
        pairs["u"] = [new - old for new, old in zip(self.point.tolist(), before, strict=True)]
        carried = [0.0, 0.0]
        if self.name in VELOCITY:
            carried = [-rate * old_weight * v for rate, v in zip(rates, old_velocity, strict=True)]
            pairs |= {"c": carried, "v": self.buffer(VELOCITY)}
        if self.name in SQUARES:
            shrink = math.hypot(*fresh) / (math.hypot(*noisy_gradient) or 1.0)
            pairs |= {"d": [c - shrink * g for c, g in zip(carried, noisy_gradient, strict=True)], "s": squares}
        if self.name == "adamw":
            pairs["w"] = [c + new for c, new in zip(carried, fresh, strict=True)]
        return {f"{name}{axis}": pair[i] for name, pair in pairs.items() for i, axis in enumerate("xy")}

    def scalars(self) -> Scalars:
        """Those of this racer in this step."""
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
