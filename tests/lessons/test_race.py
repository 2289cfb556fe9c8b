"""The race as a lane against torch.optim and autograd themselves: every number of every step."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.types import Scalars
from lessons.dual import slope
from lessons.formula import parse
from lessons.gradient_descent.compute import run
from lessons.gradient_descent.params import OPTIMISERS, PRESETS, SURFACES
from lessons.gradient_descent.race import Race
from tests.lessons.test_gradient_descent import RATES, STARTS, TYPED, job


def told(lane: Race, *counts: int) -> dict[int, Scalars]:
    found: dict[int, Scalars] = {}
    for count in counts:
        for group in lane.advance(count):
            for step, row in zip(group.steps.tolist(), group.values.tolist(), strict=True):
                assert step not in found
                found[step] = dict(zip(group.names, row, strict=True))
    return found


def same(ours: dict[int, Scalars], **values: Any) -> int:
    """Every scalar of every step is the plain run's; returns how many racers diverged."""
    theirs = {step.step: step.scalars for step in run(job(**values))}
    assert ours.keys() == theirs.keys()
    for step, row in theirs.items():
        assert ours[step].keys() == row.keys(), step
        for name, value in row.items():
            if name == "gap":  # of a gradient and its finite differences: nothing but rounding
                assert ours[step][name] <= 1e-6 * (
                    1 + max(abs(row[f"g{a}.{k}"]) for a in "xy" for k in OPTIMISERS if f"g{a}.{k}" in row)
                )
                continue
            assert ours[step][name] == pytest.approx(value, rel=1e-6, abs=1e-9, nan_ok=True), (step, name)
    return int(row["diverged"])


@pytest.mark.parametrize("name", SURFACES)
def test_every_number_is_that_of_torch_optim_and_autograd(name: str) -> None:
    x, y = STARTS.get(name, (-2.5, 1.5))
    values: dict[str, Any] = {
        "surface": name,
        "formula": TYPED,
        "lr": RATES.get(name, 0.02),
        "lr_adaptive": 0.05,
        "start_x": x,
        "start_y": y,
        "steps": 60,
        "optimisers": OPTIMISERS,
        "noise": 0.3,
        "weight_decay": 0.1,
    }
    assert same(told(Race(job(**values)), 1, 5, 100), **values) == 0


@pytest.mark.parametrize(
    "values",
    [
        {"surface": "bowl", "lr": 1.3, "momentum": 0.5},  # leaves the plane
        {"surface": "rosenbrock", "lr": 0.05, "start_x": -1.0, "start_y": 1.5},  # overflows
        {"surface": "formula", "formula": "log(x) + y**2", "start_x": 0.5, "start_y": 1.0, "lr": 1.0},  # no height left
    ],
)
def test_who_diverges_does_so_at_the_same_step_and_is_marked_alike(values: dict[str, Any]) -> None:
    values = {**values, "optimisers": OPTIMISERS, "steps": 60}
    assert same(told(Race(job(**values)), 61), **values) >= 1


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_goes_the_same_way(preset: str) -> None:
    """For sixty steps: later, where the ground is steep, last digits grow into others, as they do between machines."""
    values = {**PRESETS[preset], "optimisers": OPTIMISERS, "steps": 60}
    same(told(Race(job(**values)), 2000), **values)


def test_any_number_of_steps_at_a_call_and_a_snapshot_anywhere_are_the_same_bits() -> None:
    asked = job(noise=0.5, optimisers=OPTIMISERS, steps=100)
    whole = told(Race(asked), 101)
    assert repr(told(Race(asked), 1, 2, 3, 40, 200)) == repr(whole)  # as words: not a number is not itself
    lane = Race(asked)
    lane.advance(31)
    lane.change({"lr": 0.01, "noise": 0.1})
    lane.advance(10)
    state = {name: array.copy() for name, array in lane.state().items()}
    rest = told(lane, 100)
    assert repr(told(Race(asked, state), 1, 100)) == repr(rest)
    assert rest[100] != whole[100]


def test_a_fork_keeps_those_who_were_there_and_starts_the_others() -> None:
    lane = Race(job(optimisers=("sgd", "adam"), steps=50))
    before = told(lane, 31)[30]
    fork = Race(job(optimisers=("adam", "momentum"), steps=50), lane.state())
    after = told(fork, 1)[31]
    moved = [after[f"x.{name}"] - after[f"u{'x'}.{name}"] for name in ("adam", "momentum")]
    assert moved == pytest.approx([before["x.adam"], -2.5])
    assert told(fork, 20)[50]["diverged"] == 0


# the gradient of a formula

PARTS = ("x", "y", "2.5", "-1", "x*y", "x**2", "y**3", "(x/(y**2 + 1))", "sin(x)", "cos(y)", "tanh(x*y)", "exp(-x**2)")
OUTER = ("sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "abs")


@settings(deadline=None, max_examples=150)
@given(
    parts=st.lists(st.sampled_from(PARTS), min_size=1, max_size=5),
    signs=st.lists(st.sampled_from(["+", "-", "*"]), min_size=5, max_size=5),
    outer=st.sampled_from(["", *OUTER]),
    x=st.floats(-2, 2),
    y=st.floats(-2, 2),
)
def test_a_formulas_gradient_is_autograds(parts: list[str], signs: list[str], outer: str, x: float, y: float) -> None:
    text = "".join(itertools.chain(*zip(signs, parts, strict=False)))[1:]
    formula = parse(f"{outer}({text})")
    a, b = (torch.tensor(one, dtype=torch.float64, requires_grad=True) for one in (x, y))
    height = formula(a, b, torch)
    if not isinstance(height, torch.Tensor):
        return
    right = torch.autograd.grad(height, (a, b), allow_unused=True)
    with np.errstate(all="ignore"):
        found = slope(formula, np.array([x]), np.array([y]))
    assert found[0][0] == pytest.approx(height.item(), rel=1e-12, nan_ok=True)
    for ours, theirs in zip(found[1:], right, strict=True):
        wanted = 0.0 if theirs is None else theirs.item()
        assert ours[0] == pytest.approx(wanted, rel=1e-9, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize(
    ("text", "x", "y"),
    [
        ("x**0.5", 0.25, 1.0),
        ("x**y", 2.0, 3.0),
        ("x**y", 0.0, 2.0),
        ("2**x", 3.0, 0.0),
        ("x**0", 0.0, 1.0),
        ("x**-2", -3.0, 1.0),
        ("log(x) + sqrt(y)", 0.5, 2.0),
        ("abs(x)", 0.0, 1.0),
        ("x**2 + log(y)", 1.0, -1.0),
        ("sqrt(x)", 0.0, 1.0),
    ],
)
def test_powers_and_edges_are_autograds(text: str, x: float, y: float) -> None:
    a, b = (torch.tensor(one, dtype=torch.float64, requires_grad=True) for one in (x, y))
    right = torch.autograd.grad(parse(text)(a, b, torch), (a, b), allow_unused=True)
    with np.errstate(all="ignore"):
        found = slope(parse(text), np.array([x]), np.array([y]))
    for ours, theirs in zip(found[1:], right, strict=True):
        wanted = 0.0 if theirs is None else theirs.item()
        assert ours[0] == pytest.approx(wanted, rel=1e-12, nan_ok=True) or (math.isinf(wanted) and ours[0] == wanted)
