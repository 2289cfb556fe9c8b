"""The race of compute.py as a lane: all racers of all seeds as rows of arrays, many steps at a call.

torch.optim's rules are one formula with coefficients of its own for each (docs of torch.optim; Kingma and Ba 2015):

    v ← a v + b g        s ← c s + d g²        θ ← (1 - η w) θ - η (e g + f v) / (√(h s) + ε)

where the adaptive ones alone divide, h is 1 but for Adam's 1 / (1 - 0.999ᵗ), and f is 1 / (1 - 0.9ᵗ) there. Gradients
come from lessons/dual.py. `compute.run` takes the same steps with torch.optim and autograd themselves, one by one; a
test holds the two together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from engine.params import checked
from engine.types import Arrays, Checkpoint, Job, ScalarBlock, Values
from lessons.dual import slope
from lessons.gradient_descent.params import ADAPTIVE, LIVE, OPTIMISERS, Params
from lessons.gradient_descent.stability import KINDS, bounds, rest
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
HELD = 8192  # races times steps whose numbers are held at a time: as many as a single race may last, several times over


@dataclass
class Log:
    """What happened in a few steps, a list entry for each, (rows, ...): what `Race.said` takes apart."""

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
    """A lane of one race, or of `seeds` that differ in the noise alone: the gusts of the seeds that follow `seed`.

    Its arrays have a row for each racer, race after race. Scalars and their meaning are those of `compute.run` for the
    first seed, and so are its Problems. With several seeds there are also, for each racer, "seed.adam.K", what
    "above.adam" is in the K-th race (and where it was lost, from when it diverged on), "middle.adam", the median of
    these, and "cloud.adam", the root mean square distance from their mean of the points that have not diverged; "away",
    how many have; and on quadratics "rest.sgd", "rest.momentum", "rest.nesterov", where theory has these distances
    settle.
    """

    def __init__(self, job: Job, state: Checkpoint | None = None) -> None:
        self.p = p = checked(Params, job.params)
        self.names = p.optimisers
        self.step, self.total = -1, p.steps
        self.land = surface(p)
        self.land.check_start(p.start_x, p.start_y)
        self.chances = [torch.Generator().manual_seed((job.seed + k) % 2**31) for k in range(p.seeds)]
        self.gusts = torch.empty(p.seeds, 2, dtype=torch.float64)
        self.drawn = list(zip(self.gusts, self.chances, strict=True))  # each gust as a part of these
        rows = p.seeds * len(self.names)
        self.point = np.tile([p.start_x, p.start_y], (rows, 1))
        self.velocity, self.squares = np.zeros((rows, 2)), np.zeros((rows, 2))
        self.count = np.zeros(rows)
        self.height = np.full(rows, float(self.land.height(p.start_x, p.start_y)))
        self.diverged = np.zeros(rows, bool)
        self.cut = CUT * (max(self.land.ceiling, float(self.height[0])) - self.land.floor)
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
        """The coefficients of the settings in force, each (rows, 1)."""
        momentum = self.now["momentum"]
        names = self.names * self.p.seeds
        rules = [[momentum if one is None else one for one in RULES[name]] for name in names]
        self.rule = np.array(rules, float).T[:, :, None]
        adaptive = [name in ADAPTIVE for name in names]
        self.adaptive = np.array(adaptive)[:, None]
        self.adam = np.array([name.startswith("adam") for name in names])[:, None]
        self.lr = np.array([self.now["lr_adaptive" if one else "lr"] for one in adaptive])[:, None]
        decays = [self.now["weight_decay"] if name == "adamw" else 0.0 for name in names]
        self.shrink = 1 - self.lr * np.array(decays)[:, None]

    def step_many(self, count: int) -> list[ScalarBlock]:
        groups = []
        if self.step < 0:
            self.step, count = 0, count - 1
            still = np.zeros((1, len(self.point)), bool)
            groups += self.said(self.point[None], self.height[None], still, still, self.diverged[None], None)
        end = min(self.step + count, self.total)
        while self.step < end:
            count = min(end - self.step, HELD // self.p.seeds)
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
        """One step of every racer of every race that has not diverged; those stay as they are."""
        a, b, c, d, e, f, epsilon = self.rule
        going = ~self.diverged
        for part, chance in self.drawn:
            part.normal_(generator=chance)
        gust = self.now["noise"] * self.gusts.numpy()
        if self.p.seeds > 1:
            gust = gust.repeat(len(self.names), 0)  # the same for all racers of a race
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
        self, points: Floats, heights: Floats, moves: Flags, losses: Flags, gone: Flags, log: Log | None
    ) -> list[ScalarBlock]:
        """The scalars of the last steps: a group for each stretch in which the same racers move and are lost."""
        land = self.land
        aboves = heights - land.floor
        aboves = np.clip(np.where((aboves >= 0) & (aboves < LOWEST), LOWEST, aboves), -self.cut, self.cut)
        racers = len(self.names)
        point, height, above = points[:, :racers], heights[:, :racers], aboves[:, :racers]  # of the first seed
        moved, lost, diverged = moves[:, :racers], losses[:, :racers], gone[:, :racers]
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
            off = np.max(np.abs(updates["g"] - updates["n"]), axis=2)
            gap = np.max(np.where(moved, off, -np.inf), axis=1)
        count = len(point)
        common: dict[str, Any] = {name: self.now[name] for name in ("lr", "lr_adaptive", "momentum")}
        common |= {"zero": 0.0, "loss": height.min(1), "diverged": diverged.sum(1)}
        if land.curvatures:
            common |= {f"bound.{name}": one for name, one in bounds(land.curvatures[1], self.now["momentum"]).items()}
        if self.p.seeds > 1:
            common |= self.spread(points, aboves, gone)
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
            groups.append(ScalarBlock(tuple(columns), steps, np.stack(list(columns.values()), 1).astype(np.float64)))
        return groups

    def spread(self, points: Floats, aboves: Floats, gone: Flags) -> dict[str, Any]:
        """What is said of all seeds together: (steps,) numbers by their names."""
        points, aboves, gone = (self.by_race(one) for one in (points, aboves, gone))
        with np.errstate(all="ignore"):  # the mean of none is not a number
            there = ~gone[..., None]
            many = there.sum(1)
            off = np.where(there, points - points[:, :1], 0.0)  # as seen from the first: equal points are at zero
            off = np.where(there, off - off.sum(1, keepdims=True) / many[:, None], 0.0)
            cloud = np.sqrt(np.square(off).sum((1, 3)) / many[..., 0])
        middle = np.median(aboves, axis=1)
        found: dict[str, Any] = {"away": gone.sum((1, 2))}
        for k, racer in enumerate(self.names):
            if self.land.curvatures and racer in KINDS:
                lr, momentum, noise = (self.now[name] for name in ("lr", "momentum", "noise"))
                both = [rest(racer, lr, momentum, curvature, noise) for curvature in self.land.curvatures]
                found[f"rest.{racer}"] = math.sqrt(sum(both))
            found |= {f"cloud.{racer}": cloud[:, k], f"middle.{racer}": middle[:, k]}
            found |= {f"seed.{racer}.{number}": aboves[:, number, k] for number in range(self.p.seeds)}
        return found

    def dissected(self, log: Log) -> dict[str, Floats]:
        """Updates of the first seed taken apart as `compute.Racer.dissect` does it, each (steps, racers, 2)."""
        racers = len(self.names)

        def first(many: list[Floats]) -> Floats:
            return np.array(many)[:, :racers]

        before, given, rates = first(log.before), first(log.given), first(log.rates)
        fresh, carried = -rates * first(log.weight) * given, -rates * first(log.kept) * first(log.old)
        length = np.hypot(given[..., 0], given[..., 1])
        shrink = np.hypot(fresh[..., 0], fresh[..., 1]) / np.where(length == 0, 1.0, length)
        return {
            "g": first(log.gradient),
            "n": np.stack(self.land.slope(before[..., 0], before[..., 1]), -1),
            "a": rates,
            "u": first(log.after) - before,
            "c": carried,
            "v": first(log.velocity),
            "d": carried - shrink[..., None] * given,
            "s": first(log.squares),
            "w": carried + fresh,
        }

    def by_race(self, found: Any) -> Any:
        """Numbers of some steps, (steps, rows, ...), as (steps, seeds, racers, ...)."""
        return found.reshape(len(found), self.p.seeds, len(self.names), *found.shape[2:])

    def frame(self) -> Arrays:
        """`cloud` float32 (racers, seeds, 2): where all are, NaN for who has diverged; `racers` uint8, their names."""
        if self.p.seeds == 1:
            return {}
        cloud = self.by_race(np.where(self.diverged[:, None], np.nan, self.point)[None])[0].swapaxes(0, 1)
        return {"cloud": cloud.astype(np.float32), "racers": np.array(self.indices(), np.uint8)}

    def indices(self) -> list[int]:
        """The racers by their places in OPTIMISERS."""
        return [OPTIMISERS.index(name) for name in self.names]

    def state(self) -> Checkpoint:
        kept = {name: np.array(getattr(self, name)) for name in MEMORY}
        kept |= {"step": np.array(self.step), "racers": np.array(self.indices())}
        kept["rng"] = np.concatenate([chance.get_state().numpy() for chance in self.chances])
        return kept | {f"live.{name}": np.array(self.now[name]) for name in sorted(self.moved)}

    def restore(self, state: Checkpoint) -> None:
        """Back to a snapshot. A racer that was not in it stays at the start.

        Races that were not in it go on from where the first one is, each with gusts of its own.
        """
        self.step = int(state["step"])
        before = [OPTIMISERS[index] for index in state["racers"].tolist()]
        races = len(state["point"]) // len(before)
        for chance, kept in zip(self.chances, np.split(state["rng"], races), strict=False):
            chance.set_state(torch.from_numpy(kept.copy()))
        for row in range(len(self.point)):
            number, k = divmod(row, len(self.names))
            if self.names[k] in before:
                source = (number if number < races else 0) * len(before) + before.index(self.names[k])
                for part in MEMORY:
                    getattr(self, part)[row] = state[part][source]
        self.change({name: state[f"live.{name}"] for name in LIVE if f"live.{name}" in state})


ALWAYS = ("g", "n", "a", "u")
ONLY = {"c": MOVING, "v": MOVING, "d": {*ADAPTIVE}, "s": {*ADAPTIVE}, "w": {"adamw"}}
