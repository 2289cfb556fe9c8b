"""Optimisers race from one start on one surface: all of them, with all seeds, as rows of float64 arrays.

The rules of torch.optim are one formula with other coefficients for each (PyTorch's documentation of torch.optim;
Kingma and Ba 2015 for Adam, Loshchilov and Hutter 2019 for AdamW). With the gradient g at the point θ:

    v ← a v + b g        s ← c s + d g²        θ ← (1 - η w) θ - η (e g + f v) / (√(h s) + ε)

Only the ADAPTIVE rules divide. For Adam and AdamW f = 1 / (1 - 0.9ᵗ) and h = 1 / (1 - 0.999ᵗ) at step t; otherwise h
is 1. Gradients come from lessons/dual.py. tests/oracles/gradient_descent.py takes the same steps with torch.optim and
autograd, and a test compares every number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from engine.checkpoint import tensor
from engine.params import parse
from engine.types import Arrays, Checkpoint, Job, ScalarBlock, Values
from lessons.dual import gradient
from lessons.gradient_descent.params import ADAPTIVE, LIVE, OPTIMISERS, Params
from lessons.gradient_descent.stability import KINDS, bounds, rest
from lessons.gradient_descent.surfaces import CUT, FAR, LOWEST, surface

Floats: TypeAlias = npt.NDArray[np.float64]
Flags: TypeAlias = npt.NDArray[np.bool_]

# a, b, c, d, e, f, ε of each rule; None stands for the setting `momentum`.
RULES: dict[str, tuple[float | None, ...]] = {
    "sgd": (0, 0, 0, 0, 1, 0, 0),
    "momentum": (None, 1, 0, 0, 0, 1, 0),
    "nesterov": (None, 1, 0, 0, 1, None, 0),
    "adagrad": (0, 0, 1, 1, 1, 0, 1e-10),
    "rmsprop": (0, 0, 0.99, 0.01, 1, 0, 1e-8),
    "adam": (0.9, 0.1, 0.999, 0.001, 0, 1, 1e-8),
    "adamw": (0.9, 0.1, 0.999, 0.001, 0, 1, 1e-8),
}
WITH_VELOCITY = {name for name, rule in RULES.items() if rule[1]}
FOR_ALL = ("g", "n", "a", "u")  # parts of an update that every optimiser has
FOR_SOME = {"c": WITH_VELOCITY, "v": WITH_VELOCITY, "d": {*ADAPTIVE}, "s": {*ADAPTIVE}, "w": {"adamw"}}
STATE = ("point", "velocity", "squares", "count", "height", "diverged")  # arrays of a checkpoint, a row for each racer
CHUNK = 8192  # races times steps whose History is held at a time, so that memory does not grow with the steps of a call


@dataclass
class History:
    """What happened in a few steps: each list has one entry for each step, of shape (rows, 2) or (rows,)."""

    before: list[Floats] = field(default_factory=list)
    after: list[Floats] = field(default_factory=list)
    gradient: list[Floats] = field(default_factory=list)
    noisy_gradient: list[Floats] = field(default_factory=list)
    old_velocity: list[Floats] = field(default_factory=list)
    velocity: list[Floats] = field(default_factory=list)
    squares: list[Floats] = field(default_factory=list)
    rates: list[Floats] = field(default_factory=list)
    old_weight: list[Floats] = field(default_factory=list)  # of the old velocity in the update
    new_weight: list[Floats] = field(default_factory=list)  # of this step's gradient in the update
    height: list[Floats] = field(default_factory=list)
    moved: list[Flags] = field(default_factory=list)
    lost: list[Flags] = field(default_factory=list)  # diverged in this very step
    diverged: list[Flags] = field(default_factory=list)


class Race:
    """A batched run (engine/worker/batched.py) of one race, or of `seeds` races that differ in their noise alone.

    The races have the seeds `seed`, `seed` + 1, …; each array has a row for each racer, race after race. A racer that
    diverges (further than FAR from the origin, or without a finite height) stays at its last point that has a height.

    Scalars of the first race, as "quantity.optimiser":

        x, y, height         where the racer is
        above                height over the lowest point as the chart draws it; NaN after it has diverged
        z                    height as the relief draws it; NaN outside of the window
        diverged             0 or 1
        gx, gy  nx, ny       the gradient there was before the step; the same by finite differences
        ux, uy  ax, ay       the update, and the step size of each axis
        cx, cy  vx, vy       with velocity: the part of the update that older gradients carry; the new velocity
        dx, dy  sx, sy       adaptive: the tip of the gradient's own direction; the running squares
        wx, wy               AdamW: the tip of the update before weight decay
        lost, lost_x, lost_y in the step it diverges: where to mark that

    and without an optimiser "loss", the lowest height; "diverged", how many have; "gap", the largest difference
    between a gradient and finite differences; "lr", "lr_adaptive", "momentum" as they are now; "zero", where arrows
    begin; on quadratics "bound.sgd", "bound.momentum", "bound.nesterov", the step sizes below which each converges.

    Several races also have, for each optimiser, "seed.adam.K", what "above.adam" is in race K (from when it diverged
    on, where it was lost); "middle.adam", their median; "cloud.adam", the root mean square distance from their mean of
    the points that have not diverged; "away", how many have; and on quadratics "rest.sgd", "rest.momentum",
    "rest.nesterov", the distance that theory expects in the long run.

    Raises Problem if the surface has no finite height at the start.
    """

    def __init__(self, job: Job, state: Checkpoint | None = None) -> None:
        self.p = p = parse(Params, job.params)
        self.names = p.optimisers
        self.step, self.total = -1, p.steps
        self.land = surface(p)
        self.land.check_start(p.start_x, p.start_y)
        self.generators = [torch.Generator().manual_seed((job.seed + k) % 2**31) for k in range(p.seeds)]
        self.normal = torch.empty(p.seeds, 2, dtype=torch.float64)  # the step's standard normal numbers of each race
        self.draws = list(zip(self.normal, self.generators, strict=True))
        rows = p.seeds * len(self.names)
        self.point = np.tile([p.start_x, p.start_y], (rows, 1))
        self.velocity, self.squares = np.zeros((rows, 2)), np.zeros((rows, 2))
        self.count = np.zeros(rows)
        self.height = np.full(rows, float(self.land.height(p.start_x, p.start_y)))
        self.diverged = np.zeros(rows, bool)
        self.cut = CUT * (max(self.land.ceiling, float(self.height[0])) - self.land.floor)
        self.settings = {name: float(getattr(p, name)) for name in LIVE}
        if state is not None:
            self._restore(state)
        self._set_coefficients()

    def change(self, values: Values) -> None:
        self.settings |= {name: float(values[name]) for name in LIVE if name in values}
        self._set_coefficients()

    def _set_coefficients(self) -> None:
        """The coefficients of every row under the present settings, each (rows, 1)."""
        names = self.names * self.p.seeds
        momentum = self.settings["momentum"]
        rules = [[momentum if number is None else number for number in RULES[name]] for name in names]
        self.rule = np.array(rules, float).T[:, :, None]
        adaptive = [name in ADAPTIVE for name in names]
        self.adaptive = np.array(adaptive)[:, None]
        self.adam = np.array([name.startswith("adam") for name in names])[:, None]
        self.lr = np.array([self.settings["lr_adaptive" if divides else "lr"] for divides in adaptive])[:, None]
        decays = [self.settings["weight_decay"] if name == "adamw" else 0.0 for name in names]
        self.shrink = 1 - self.lr * np.array(decays)[:, None]

    def step_many(self, count: int) -> list[ScalarBlock]:
        blocks = []
        if self.step < 0:
            self.step, count = 0, count - 1
            still = np.zeros((1, len(self.point)), bool)
            blocks += self._blocks(self.point[None], self.height[None], still, still, self.diverged[None], None)
        end = min(self.step + count, self.total)
        while self.step < end:
            count = min(end - self.step, CHUNK // self.p.seeds)
            history = History()
            with np.errstate(all="ignore"):
                for _ in range(count):
                    self._step(history)
            self.step += count
            blocks += self._blocks(
                np.array(history.after),
                np.array(history.height),
                np.array(history.moved),
                np.array(history.lost),
                np.array(history.diverged),
                history,
            )
        return blocks

    def _step(self, history: History) -> None:
        """Moves every racer that has not diverged once, and appends the step to `history`."""
        a, b, c, d, e, f, epsilon = self.rule
        moved = ~self.diverged
        for numbers, generator in self.draws:
            numbers.normal_(generator=generator)
        noise = self.settings["noise"] * self.normal.numpy()
        if self.p.seeds > 1:
            noise = noise.repeat(len(self.names), 0)  # the same for all racers of a race
        before, old_velocity = self.point, self.velocity
        exact = np.stack(gradient(self.land.formula, *before.T)[1:], 1)
        g = exact + noise
        self.count = self.count + moved
        t = np.maximum(self.count, 1)[:, None]
        velocity = a * old_velocity + b * g
        squares = c * self.squares + d * g * g
        f = np.where(self.adam, 1 / (1 - 0.9**t), f)
        h = np.where(self.adam, 1 / (1 - 0.999**t), 1.0)
        rates = np.where(self.adaptive, self.lr / (np.sqrt(h * squares) + epsilon), self.lr)
        after = self.shrink * before - rates * (e * g + f * velocity)
        height = self.land.height(*after.T)
        finite = np.isfinite(height) & np.isfinite(after).all(1)
        lost = moved & ~(np.isfinite(height) & (np.abs(after) <= FAR).all(1))
        arrives = moved & finite
        self.point = np.where(arrives[:, None], after, before)
        self.height = np.where(arrives, height, self.height)
        self.velocity = np.where(moved[:, None], velocity, old_velocity)
        self.squares = np.where(moved[:, None], squares, self.squares)
        self.diverged = self.diverged | lost
        history.before.append(before)
        history.after.append(self.point)
        history.gradient.append(exact)
        history.noisy_gradient.append(g)
        history.old_velocity.append(old_velocity)
        history.velocity.append(self.velocity)
        history.squares.append(self.squares)
        history.rates.append(rates)
        history.old_weight.append(f * a)
        history.new_weight.append(e + f * b)
        history.height.append(self.height)
        history.moved.append(moved)
        history.lost.append(lost)
        history.diverged.append(self.diverged)

    def _blocks(
        self,
        all_points: Floats,
        all_heights: Floats,
        all_moved: Flags,
        all_lost: Flags,
        all_diverged: Flags,
        history: History | None,
    ) -> list[ScalarBlock]:
        """The scalars of the last steps, a block for each stretch in which the same racers move and are lost.

        Arrays are (steps, rows) or (steps, rows, 2); `history` is None for step 0, which has no update.
        """
        land, racers, count = self.land, len(self.names), len(all_points)
        all_above = all_heights - land.floor
        all_above = np.clip(np.where((all_above >= 0) & (all_above < LOWEST), LOWEST, all_above), -self.cut, self.cut)
        point, height, above = all_points[:, :racers], all_heights[:, :racers], all_above[:, :racers]
        moved, lost, diverged = all_moved[:, :racers], all_lost[:, :racers], all_diverged[:, :racers]
        inside = land.holds(point[..., 0], point[..., 1])
        places: dict[str, Floats] = {
            "x": point[..., 0],
            "y": point[..., 1],
            "height": height,
            "above": np.where(diverged & ~lost, np.nan, above),
            "z": np.where(inside, land.drawn(height) + land.lift, np.nan),
            "diverged": diverged.astype(float),
        }
        edge_x, edge_y = land.clipped(point[..., 0], point[..., 1])
        marks = {"lost": above, "lost_x": edge_x, "lost_y": edge_y}
        updates = {} if history is None else self._dissect(history)
        if history is not None:
            differences = np.max(np.abs(updates["g"] - updates["n"]), axis=2)
            gap = np.max(np.where(moved, differences, -np.inf), axis=1)
        common = self._common(height, diverged)
        if self.p.seeds > 1:
            common |= self._over_seeds(all_points, all_above, all_diverged)
        other = ((moved[1:] != moved[:-1]) | (lost[1:] != lost[:-1])).any(1)
        blocks = []
        for start, end in pairwise([0, *(1 + np.flatnonzero(other)).tolist(), count]):
            rows = slice(start, end)
            columns = {name: np.broadcast_to(values, count)[rows] for name, values in common.items()}
            if moved[start].any():
                columns["gap"] = gap[rows]
            for k, racer in enumerate(self.names):
                columns |= {f"{name}.{racer}": values[rows, k] for name, values in places.items()}
                if lost[start, k]:
                    columns |= {f"{name}.{racer}": values[rows, k] for name, values in marks.items()}
                if moved[start, k]:
                    for name, pairs in updates.items():
                        if name in FOR_ALL or racer in FOR_SOME[name]:
                            columns |= {f"{name}{axis}.{racer}": pairs[rows, k, i] for i, axis in enumerate("xy")}
            steps = np.arange(self.step - count + 1 + start, self.step - count + 1 + end, dtype=np.int32)
            blocks.append(ScalarBlock(tuple(columns), steps, np.stack(list(columns.values()), 1).astype(np.float64)))
        return blocks

    def _common(self, height: Floats, diverged: Flags) -> dict[str, Any]:
        """Scalars that are of no one racer, numbers or (steps,), from the first race's (steps, racers)."""
        common: dict[str, Any] = {name: self.settings[name] for name in ("lr", "lr_adaptive", "momentum")}
        common |= {"zero": 0.0, "loss": height.min(1), "diverged": diverged.sum(1)}
        if self.land.curvatures:
            limits = bounds(self.land.curvatures[1], self.settings["momentum"])
            common |= {f"bound.{name}": limit for name, limit in limits.items()}
        return common

    def _over_seeds(self, points: Floats, above: Floats, diverged: Flags) -> dict[str, Any]:
        """Scalars of all races together, numbers or (steps,), from arrays (steps, rows) and (steps, rows, 2)."""
        points, above, diverged = (self._by_race(values) for values in (points, above, diverged))
        with np.errstate(all="ignore"):  # where all have diverged the mean is NaN
            there = ~diverged[..., None]
            number = there.sum(1)
            # Relative to the first race's point: points that are equal are at exactly zero then.
            offset = np.where(there, points - points[:, :1], 0.0)
            offset = np.where(there, offset - offset.sum(1, keepdims=True) / number[:, None], 0.0)
            cloud = np.sqrt(np.square(offset).sum((1, 3)) / number[..., 0])
        middle = np.median(above, axis=1)
        scalars: dict[str, Any] = {"away": diverged.sum((1, 2))}
        lr, momentum, noise = (self.settings[name] for name in ("lr", "momentum", "noise"))
        for k, racer in enumerate(self.names):
            if self.land.curvatures and racer in KINDS:
                variances = [rest(racer, lr, momentum, curvature, noise) for curvature in self.land.curvatures]
                scalars[f"rest.{racer}"] = math.sqrt(sum(variances))
            scalars |= {f"cloud.{racer}": cloud[:, k], f"middle.{racer}": middle[:, k]}
            scalars |= {f"seed.{racer}.{seed}": above[:, seed, k] for seed in range(self.p.seeds)}
        return scalars

    def _dissect(self, history: History) -> dict[str, Floats]:
        """The first race's updates taken apart, each (steps, racers, 2): update = carried + fresh (+ AdamW's decay).

        `fresh` is what this step's gradient adds, `carried` what older ones in the velocity still add.
        """
        racers = len(self.names)

        def first(rows: list[Floats]) -> Floats:
            return np.array(rows)[:, :racers]

        before, g, rates = first(history.before), first(history.noisy_gradient), first(history.rates)
        fresh = -rates * first(history.new_weight) * g
        carried = -rates * first(history.old_weight) * first(history.old_velocity)
        length = np.hypot(g[..., 0], g[..., 1])
        # The gradient's own direction is drawn as long as what is left of it after the scaling.
        shrink = np.hypot(fresh[..., 0], fresh[..., 1]) / np.where(length == 0, 1.0, length)
        return {
            "g": first(history.gradient),
            "n": np.stack(self.land.differences(before[..., 0], before[..., 1]), -1),
            "a": rates,
            "u": first(history.after) - before,
            "c": carried,
            "v": first(history.velocity),
            "d": carried - shrink[..., None] * g,
            "s": first(history.squares),
            "w": carried + fresh,
        }

    def _by_race(self, values: Any) -> Any:
        """An array (steps, rows, …) as (steps, seeds, racers, …)."""
        return values.reshape(len(values), self.p.seeds, len(self.names), *values.shape[2:])

    def frame(self) -> Arrays:
        """With several seeds `cloud` float32 (racers, seeds, 2), every point, NaN for those that have diverged, and
        `racers` uint8 (racers,), their numbers in OPTIMISERS; with one seed nothing: the scalars say it all.
        """
        if self.p.seeds == 1:
            return {}
        cloud = self._by_race(np.where(self.diverged[:, None], np.nan, self.point)[None])[0].swapaxes(0, 1)
        return {"cloud": cloud.astype(np.float32), "racers": np.array(self._numbers(), np.uint8)}

    def _numbers(self) -> list[int]:
        """The racers by their numbers in OPTIMISERS."""
        return [OPTIMISERS.index(name) for name in self.names]

    def state(self) -> Checkpoint:
        arrays = {name: np.array(getattr(self, name)) for name in STATE}
        arrays |= {"step": np.array(self.step), "racers": np.array(self._numbers())}
        return arrays | {"rng": np.concatenate([generator.get_state().numpy() for generator in self.generators])}

    def _restore(self, state: Checkpoint) -> None:
        """Goes on from a checkpoint. A racer that is not in it stays at the start.

        Races that are not in it go on from where the first one is, each with its own noise.
        """
        self.step = int(state["step"])
        known = [OPTIMISERS[number] for number in state["racers"].tolist()]
        races = len(state["point"]) // len(known)
        for generator, words in zip(self.generators, np.split(state["rng"], races), strict=False):
            generator.set_state(tensor(words))
        for row in range(len(self.point)):
            race, k = divmod(row, len(self.names))
            if self.names[k] in known:
                source = (race if race < races else 0) * len(known) + known.index(self.names[k])
                for name in STATE:
                    getattr(self, name)[row] = state[name][source]
