"""The race of compute.py as a lane: all racers as rows of arrays, many steps at a call.

torch.optim's rules are one formula with coefficients of its own for each (docs of torch.optim; Kingma and Ba 2015):

    v ← a v + b g        s ← c s + d g²        θ ← (1 - η w) θ - η (e g + f v) / (√(h s) + ε)

where the adaptive ones alone divide, h is 1 but for Adam's 1 / (1 - 0.999ᵗ), and f is 1 / (1 - 0.9ᵗ) there. Gradients
come from lessons/dual.py. `compute.run` takes the same steps with torch.optim and autograd themselves, one by one; a
test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from engine.params import checked
from engine.types import Arrays, Group, Job, Snapshot, Values
from lessons.dual import slope
from lessons.gradient_descent.params import ADAPTIVE, LIVE, OPTIMISERS, Params
from lessons.gradient_descent.stability import bounds
from lessons.gradient_descent.surfaces import CUT, FAR, LOWEST, surface

Floats: TypeAlias = npt.NDArray[np.float64]
Flags: TypeAlias = npt.NDArray[np.bool_]

# a, b, c, d, e, f, ε; the momentum setting takes the place of None
RULES: dict[str, tuple[float | None, ...]] = {
    "sgd": (0, 0, 0, 0, 1, 0, 0),
    "momentum": (None, 1, 0, 0, 0, 1, 0),
    "nesterov": (None, 1, 0, 0, 1, None, 0),
    "adagrad": (0, 0, 1, 1, 1, 0, 1e-10),
    "rmsprop": (0, 0, 0.99, 0.01, 1, 0, 1e-8),
    "adam": (0.9, 0.1, 0.999, 0.001, 0, 1, 1e-8),
    "adamw": (0.9, 0.1, 0.999, 0.001, 0, 1, 1e-8),
}
MOVING = {name for name, rule in RULES.items() if rule[1]}  # have a velocity
MEMORY = ("point", "velocity", "squares", "count", "height", "diverged")


@dataclass
class Log:
    """What happened in a few steps, a list entry for each: what `Race.said` takes apart."""

    before: list[Floats] = field(default_factory=list)
    after: list[Floats] = field(default_factory=list)
    gradient: list[Floats] = field(default_factory=list)
    given: list[Floats] = field(default_factory=list)
    old: list[Floats] = field(default_factory=list)
    velocity: list[Floats] = field(default_factory=list)
    squares: list[Floats] = field(default_factory=list)
    rates: list[Floats] = field(default_factory=list)
    kept: list[Floats] = field(default_factory=list)
    weight: list[Floats] = field(default_factory=list)
    height: list[Floats] = field(default_factory=list)
    moved: list[Flags] = field(default_factory=list)
    lost: list[Flags] = field(default_factory=list)
    diverged: list[Flags] = field(default_factory=list)


class Race:
    """A lane. Scalars and their meaning are those of `compute.run`, and so are its Problems."""

    def __init__(self, job: Job, state: Snapshot | None = None) -> None:
        self.p = p = checked(Params, job.params)
        self.names = p.optimisers
        self.step, self.total = -1, p.steps
        self.land = surface(p)
        self.land.check_start(p.start_x, p.start_y)
        self.chance = torch.Generator().manual_seed(job.seed)
        racers = len(self.names)
        self.point = np.tile([p.start_x, p.start_y], (racers, 1))
        self.velocity, self.squares = np.zeros((racers, 2)), np.zeros((racers, 2))
        self.count = np.zeros(racers)
        self.height = np.full(racers, float(self.land.height(p.start_x, p.start_y)))
        self.diverged = np.zeros(racers, bool)
        self.cut = CUT * (np.maximum(self.land.ceiling, self.height) - self.land.floor)
        self.now = {name: float(getattr(p, name)) for name in LIVE}
        self.moved: set[str] = set()  # what was changed while running
        if state is not None:
            self.restore(state)
        self.obey()

    def change(self, values: Values) -> None:
        for name in LIVE:
            if name in values:
                self.now[name] = float(values[name])
                self.moved.add(name)
        self.obey()

    def obey(self) -> None:
        """The coefficients of the settings in force, each (racers, 1)."""
        momentum = self.now["momentum"]
        rules = [[momentum if one is None else one for one in RULES[name]] for name in self.names]
        self.rule = np.array(rules, float).T[:, :, None]
        adaptive = [name in ADAPTIVE for name in self.names]
        self.adaptive = np.array(adaptive)[:, None]
        self.adam = np.array([name.startswith("adam") for name in self.names])[:, None]
        self.lr = np.array([self.now["lr_adaptive" if one else "lr"] for one in adaptive])[:, None]
        decays = [self.now["weight_decay"] if name == "adamw" else 0.0 for name in self.names]
        self.shrink = 1 - self.lr * np.array(decays)[:, None]

    def advance(self, count: int) -> list[Group]:
        groups = []
        if self.step < 0:
            self.step, count = 0, count - 1
            still = np.zeros((1, len(self.names)), bool)
            groups += self.said(self.point[None], self.height[None], still, still, self.diverged[None], None)
        count = min(count, self.total - self.step)
        if count > 0:
            log = Log()
            with np.errstate(all="ignore"):
                for _ in range(count):
                    self.take(log)
            self.step += count
            groups += self.said(
                np.array(log.after),
                np.array(log.height),
                np.array(log.moved),
                np.array(log.lost),
                np.array(log.diverged),
                log,
            )
        return groups

    def take(self, log: Log) -> None:
        """One step of every racer that has not diverged; those stay as they are."""
        a, b, c, d, e, f, epsilon = self.rule
        going = ~self.diverged
        gust = self.now["noise"] * torch.randn(2, generator=self.chance, dtype=torch.float64).numpy()
        before, old = self.point, self.velocity
        gradient = np.stack(slope(self.land.formula, *before.T)[1:], 1)
        given = gradient + gust
        self.count = self.count + going
        times = np.maximum(self.count, 1)[:, None]
        velocity = a * old + b * given
        squares = c * self.squares + d * given * given
        f = np.where(self.adam, 1 / (1 - 0.9**times), f)
        h = np.where(self.adam, 1 / (1 - 0.999**times), 1.0)
        rates = np.where(self.adaptive, self.lr / (np.sqrt(h * squares) + epsilon), self.lr)
        after = self.shrink * before - rates * (e * given + f * velocity)
        height = self.land.height(*after.T)
        whole = np.isfinite(height) & np.isfinite(after).all(1)
        lost = going & ~(np.isfinite(height) & (np.abs(after) <= FAR).all(1))
        stays = going & whole
        self.point = np.where(stays[:, None], after, before)
        self.height = np.where(stays, height, self.height)
        self.velocity = np.where(going[:, None], velocity, old)
        self.squares = np.where(going[:, None], squares, self.squares)
        self.diverged = self.diverged | lost
        log.before.append(before)
        log.after.append(self.point)
        log.gradient.append(gradient)
        log.given.append(given)
        log.old.append(old)
        log.velocity.append(self.velocity)
        log.squares.append(self.squares)
        log.rates.append(rates)
        log.kept.append(f * a)
        log.weight.append(e + f * b)
        log.height.append(self.height)
        log.moved.append(going)
        log.lost.append(lost)
        log.diverged.append(self.diverged)

    def said(
        self, point: Floats, height: Floats, moved: Flags, lost: Flags, diverged: Flags, log: Log | None
    ) -> list[Group]:
        """The scalars of the last steps: a group for each stretch in which the same racers move and are lost."""
        land = self.land
        above = height - land.floor
        above = np.clip(np.where((above >= 0) & (above < LOWEST), LOWEST, above), -self.cut, self.cut)
        inside = land.holds(point[..., 0], point[..., 1])
        each: dict[str, Floats] = {
            "x": point[..., 0],
            "y": point[..., 1],
            "height": height,
            "above": np.where(diverged & ~lost, np.nan, above),
            "z": np.where(inside, land.drawn(height) + land.lift, np.nan),
            "diverged": diverged.astype(float),
        }
        edge_x, edge_y = land.clipped(point[..., 0], point[..., 1])
        marks = {"lost": above, "lost_x": edge_x, "lost_y": edge_y}
        updates = {} if log is None else self.dissected(log)
        if log is not None:
            off = np.max(np.abs(np.array(log.gradient) - updates["n"]), axis=2)
            gap = np.max(np.where(moved, off, -np.inf), axis=1)
        count = len(point)
        common: dict[str, Any] = {name: self.now[name] for name in ("lr", "lr_adaptive", "momentum")}
        common |= {"zero": 0.0, "loss": height.min(1), "diverged": diverged.sum(1)}
        if land.curvatures:
            common |= {f"bound.{name}": one for name, one in bounds(land.curvatures[1], self.now["momentum"]).items()}
        ends = [0, *(1 + np.flatnonzero(((moved[1:] != moved[:-1]) | (lost[1:] != lost[:-1])).any(1))).tolist(), count]
        groups = []
        for start, end in pairwise(ends):
            some = slice(start, end)
            columns = {name: np.broadcast_to(one, count)[some] for name, one in common.items()}
            if moved[start].any():
                columns["gap"] = gap[some]
            for k, racer in enumerate(self.names):
                columns |= {f"{name}.{racer}": one[some, k] for name, one in each.items()}
                if lost[start, k]:
                    columns |= {f"{name}.{racer}": one[some, k] for name, one in marks.items()}
                if moved[start, k]:
                    for name, pair in updates.items():
                        if name in ALWAYS or racer in ONLY[name]:
                            columns |= {f"{name}{axis}.{racer}": pair[some, k, i] for i, axis in enumerate("xy")}
            steps = np.arange(self.step - count + 1 + start, self.step - count + 1 + end, dtype=np.int32)
            groups.append(Group(tuple(columns), steps, np.stack(list(columns.values()), 1).astype(np.float64)))
        return groups

    def dissected(self, log: Log) -> dict[str, Floats]:
        """Updates taken apart as `compute.Racer.dissect` does it, each (steps, racers, 2)."""
        before, given, rates = np.array(log.before), np.array(log.given), np.array(log.rates)
        fresh, carried = -rates * np.array(log.weight) * given, -rates * np.array(log.kept) * np.array(log.old)
        length = np.hypot(given[..., 0], given[..., 1])
        shrink = np.hypot(fresh[..., 0], fresh[..., 1]) / np.where(length == 0, 1.0, length)
        return {
            "g": np.array(log.gradient),
            "n": np.stack(self.land.slope(before[..., 0], before[..., 1]), -1),
            "a": rates,
            "u": np.array(log.after) - before,
            "c": carried,
            "v": np.array(log.velocity),
            "d": carried - shrink[..., None] * given,
            "s": np.array(log.squares),
            "w": carried + fresh,
        }

    def frame(self) -> Arrays:
        return {}

    def state(self) -> Snapshot:
        kept = {name: np.array(getattr(self, name)) for name in MEMORY}
        kept |= {"step": np.array(self.step), "racers": np.array([OPTIMISERS.index(name) for name in self.names])}
        kept["rng"] = self.chance.get_state().numpy().copy()
        return kept | {f"live.{name}": np.array(self.now[name]) for name in sorted(self.moved)}

    def restore(self, state: Snapshot) -> None:
        """Back to a snapshot; a racer that was not in it stays at the start."""
        self.step = int(state["step"])
        self.chance.set_state(torch.from_numpy(state["rng"].copy()))
        before = [OPTIMISERS[index] for index in state["racers"].tolist()]
        for k, name in enumerate(self.names):
            if name in before:
                for part in MEMORY:
                    getattr(self, part)[k] = state[part][before.index(name)]
        self.change({name: state[f"live.{name}"] for name in LIVE if f"live.{name}" in state})


ALWAYS = ("g", "n", "a", "u")
ONLY = {"c": MOVING, "v": MOVING, "d": {*ADAPTIVE}, "s": {*ADAPTIVE}, "w": {"adamw"}}
