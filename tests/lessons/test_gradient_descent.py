"""The gradient descent lesson against torch itself: paths, gradients, bounds, examples, and what its text says."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import math
import re
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.params import parse
from engine.types import Checkpoint, Job, Problem, Scalars, Step, Tick
from lessons import text
from lessons.board.figures import Plot, spec
from lessons.board.fold import fold
from lessons.board.readings import reading
from lessons.gradient_descent import figures
from lessons.gradient_descent.compute import look, run
from lessons.gradient_descent.params import OPTIMISERS, PRESETS, SURFACES, TINY, Params
from lessons.gradient_descent.race import Race
from lessons.gradient_descent.stability import KINDS, bounds, fastest, radius, rest
from lessons.gradient_descent.surfaces import FAR, MINIMA, surface

ENTRY = "lessons.gradient_descent.compute:run"
STARTS = {"himmelblau": (0.5, 0.5), "rosenbrock": (-1.0, 1.5), "beale": (1.0, 1.2)}
TYPED = "x**2/4 + y**2 + sin(3*x)*cos(3*y) + exp(-x**2)"


def job(seed: int = 0, **values: Any) -> Job:
    return Job(ENTRY, parse(Params, {"pace": 0, **values}).model_dump(), seed)


def history(seed: int = 0, **values: Any) -> list[Scalars]:
    return [step.scalars for step in run(job(seed, **values))]


@cache
def shown(query: str) -> list[Scalars]:
    """The run that a Try or Predict of the text makes."""
    values: dict[str, Any] = {**text.settings(query), "pace": 0}
    return history(**values)


def plain(name: str, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The surfaces written once more, from the papers."""
    made: dict[str, Callable[[], torch.Tensor]] = {
        "bowl": lambda: (x - 1).square() + (y - 2).square(),
        "valley": lambda: 0.5 * x.square() + 0.5 * 25 * y.square(),
        "saddle": lambda: 0.5 * x**2 - 0.5 * y**2 + 0.25 * y**4,
        "rosenbrock": lambda: (1 - x) ** 2 + 100 * (y - x * x) ** 2,
        "himmelblau": lambda: (x * x + y - 11) ** 2 + (x + y * y - 7) ** 2,
        "beale": lambda: (1.5 - x * (1 - y)) ** 2 + (2.25 - x * (1 - y**2)) ** 2 + (2.625 - x * (1 - y**3)) ** 2,
        "formula": lambda: x**2 / 4 + y**2 + torch.sin(3 * x) * torch.cos(3 * y) + torch.exp(-(x**2)),
    }
    return made[name]()


def torch_path(name: str, optimiser: str, lr: float, steps: int, start: tuple[float, float]) -> list[list[float]]:
    """Where torch.optim goes when it is called directly."""
    point = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    kinds: dict[str, Callable[[], torch.optim.Optimizer]] = {
        "sgd": lambda: torch.optim.SGD([point], lr),
        "momentum": lambda: torch.optim.SGD([point], lr, momentum=0.9),
        "nesterov": lambda: torch.optim.SGD([point], lr, momentum=0.9, nesterov=True),
        "adagrad": lambda: torch.optim.Adagrad([point], 0.1),
        "rmsprop": lambda: torch.optim.RMSprop([point], 0.1),
        "adam": lambda: torch.optim.Adam([point], 0.1),
        "adamw": lambda: torch.optim.AdamW([point], 0.1),
    }
    made = kinds[optimiser]()
    path = [point.tolist()]
    for _ in range(steps):
        made.zero_grad()
        plain(name, point[0], point[1]).backward()  # type: ignore[no-untyped-call]
        made.step()
        path.append(point.tolist())
    return path


RATES = {"bowl": 0.1, "valley": 0.05, "saddle": 0.05, "rosenbrock": 0.0002, "himmelblau": 0.005, "beale": 0.005}


@pytest.mark.parametrize("name", SURFACES)
def test_paths_equal_torch_optim(name: str) -> None:
    start = STARTS.get(name, (-2.5, 1.5))
    lr = RATES.get(name, 0.02)
    rows = history(
        surface=name, formula=TYPED, lr=lr, steps=40, start_x=start[0], start_y=start[1], optimisers=OPTIMISERS
    )
    for one in OPTIMISERS:
        mine = [[row[f"x.{one}"], row[f"y.{one}"]] for row in rows]
        np.testing.assert_allclose(mine, torch_path(name, one, lr, 40, start), rtol=1e-9, atol=1e-10)
        for row in rows:
            at = [torch.tensor(row[f"{axis}.{one}"], dtype=torch.float64) for axis in "xy"]
            assert row[f"height.{one}"] == pytest.approx(plain(name, at[0], at[1]).item(), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", SURFACES)
def test_gradients_equal_autograd_and_finite_differences(name: str) -> None:
    start = STARTS.get(name, (-2.5, 1.5))
    rows = history(surface=name, formula=TYPED, lr=RATES.get(name, 0.02), start_x=start[0], start_y=start[1], steps=20)
    for before, row in itertools.pairwise(rows):
        for one in Params().optimisers:
            x, y = (torch.tensor(before[f"{a}.{one}"], dtype=torch.float64, requires_grad=True) for a in "xy")
            exact = torch.autograd.grad(plain(name, x, y), (x, y))
            scale = 1 + max(abs(float(g)) for g in exact)
            for axis, g in zip("xy", exact, strict=True):
                assert row[f"g{axis}.{one}"] == pytest.approx(float(g), rel=1e-10, abs=1e-10 * scale)
                assert row[f"n{axis}.{one}"] == pytest.approx(float(g), rel=1e-7, abs=1e-8 * scale)
        gaps = [abs(row[f"g{a}.{one}"] - row[f"n{a}.{one}"]) for one in Params().optimisers for a in "xy"]
        assert row["gap"] == max(gaps)
    assert "gap" not in rows[0]


@pytest.mark.parametrize("one", OPTIMISERS)
def test_an_update_is_the_sum_of_its_parts(one: str) -> None:
    """carried + this gradient's part (+ decay) is the way the point really went, by each optimiser's formula."""
    rows = history(surface="himmelblau", lr=0.002, start_x=0.5, start_y=0.5, steps=30, optimisers=(one,), momentum=0.8)
    for t, (before, row) in enumerate(itertools.pairwise(rows), 1):
        for axis in "xy":
            moved = row[f"{axis}.{one}"] - before[f"{axis}.{one}"]
            assert row[f"u{axis}.{one}"] == moved
            weight = {"nesterov": 1.8, "adam": 0.1 / (1 - 0.9**t), "adamw": 0.1 / (1 - 0.9**t)}.get(one, 1.0)
            fresh = -row[f"a{axis}.{one}"] * weight * row[f"g{axis}.{one}"]
            parts = row.get(f"c{axis}.{one}", 0.0) + fresh
            if one == "adamw":
                assert row[f"w{axis}.{one}"] == pytest.approx(parts, rel=1e-9, abs=1e-13)
                parts -= 0.1 * 0.01 * before[f"{axis}.{one}"]
            assert parts == pytest.approx(moved, rel=1e-8, abs=1e-12)
        if f"dx.{one}" in row:  # the dotted arrow: along the gradient, as long as this gradient's part
            way = [row[f"d{a}.{one}"] - row.get(f"c{a}.{one}", 0.0) for a in "xy"]
            gradient = [row[f"g{a}.{one}"] for a in "xy"]
            assert way[0] * gradient[1] - way[1] * gradient[0] == pytest.approx(0, abs=1e-9)
            assert way[0] * gradient[0] + way[1] * gradient[1] < 0


def test_internals_are_torchs_own() -> None:
    """The velocity and the squares are what torch.optim keeps, checked by their definitions."""
    rows = history(lr=0.05, steps=10, optimisers=("momentum", "adam", "rmsprop", "adagrad"))
    buffer = average = square = mean = total = 0.0
    for row in rows[1:]:
        buffer = 0.9 * buffer + row["gx.momentum"]
        average = 0.9 * average + 0.1 * row["gx.adam"]
        square = 0.999 * square + 0.001 * row["gx.adam"] ** 2
        mean = 0.99 * mean + 0.01 * row["gx.rmsprop"] ** 2
        total += row["gx.adagrad"] ** 2
        found = [row[name] for name in ("vx.momentum", "vx.adam", "sx.adam", "sx.rmsprop", "sx.adagrad")]
        np.testing.assert_allclose(found, [buffer, average, square, mean, total], rtol=1e-12)


# Stability: by eigenvalues of torch's own step, and by running torch on both sides of each bound.


def step_matrix(kind: str, lr: float, momentum: float, curvature: float) -> Any:
    """One step of torch.optim.SGD on λθ²/2 as a matrix on (θ, b), measured by letting torch step from unit vectors."""
    columns = []
    for theta, velocity in ((1.0, 0.0), (0.0, 1.0)):
        point = torch.tensor([theta], dtype=torch.float64, requires_grad=True)
        sgd = torch.optim.SGD([point], lr, momentum=momentum, nesterov=kind == "nesterov")
        sgd.state[point]["momentum_buffer"] = torch.tensor([velocity], dtype=torch.float64)
        (curvature * point.square().sum() / 2).backward()  # type: ignore[no-untyped-call]
        sgd.step()
        columns.append([point.item(), sgd.state[point]["momentum_buffer"].item()])
    return np.array(columns).T


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["momentum", "nesterov"]), st.floats(0.001, 4), st.floats(0.01, 0.99), st.sampled_from([1.0, 25.0])
)
def test_factor_is_the_spectral_radius_of_torchs_step(kind: str, scaled: float, momentum: float, curve: float) -> None:
    lr = scaled / curve
    measured = max(abs(np.linalg.eigvals(step_matrix(kind, lr, momentum, curve))))
    assert float(radius(kind, lr, momentum, curve)) == pytest.approx(measured, abs=1e-6)
    bound = bounds(curve, momentum)[kind]
    if abs(lr / bound - 1) > 1e-6:
        assert (measured < 1) == (lr < bound)


@pytest.mark.parametrize("kind", ["sgd", "momentum", "nesterov"])
@pytest.mark.parametrize("momentum", [0.3, 0.9])
def test_torch_converges_below_the_bound_and_diverges_above(kind: str, momentum: float) -> None:
    for side, grows in ((0.98, False), (1.02, True)):
        lr = side * bounds(25.0, momentum)[kind]
        rows = history(surface="valley", optimisers=(kind,), lr=lr, momentum=momentum, steps=1000)
        first, last = rows[0][f"height.{kind}"], rows[-1][f"height.{kind}"]
        assert bool(rows[-1]["diverged"]) == grows
        assert (last > 1e3 * first) if grows else (last < 1e-3 * first)
        assert rows[0][f"bound.{kind}"] == bounds(25.0, momentum)[kind]


def test_polyaks_choice_is_the_fastest() -> None:
    lr, momentum = fastest(1.0, 25.0)
    best = float(max(radius("momentum", lr, momentum, 1.0), radius("momentum", lr, momentum, 25.0)))
    assert best == pytest.approx((5 - 1) / (5 + 1), abs=1e-6)
    grid = [
        max(radius("momentum", eta, beta, 1.0), radius("momentum", eta, beta, 25.0))
        for eta in np.linspace(0.001, 0.2, 60)
        for beta in np.linspace(0, 0.99, 60)
    ]
    assert best <= min(grid)


@pytest.mark.parametrize("condition", [25.0, 1000.0])
def test_the_best_factor_of_plain_descent(condition: float) -> None:
    """(κ-1)/(κ+1), at η = 2/(L+μ): 0.92 for 25 and 0.998 for 1000, as the text says."""
    rates = np.linspace(0, 2.2 / condition, 20_001)
    factors = np.maximum(radius("sgd", rates, 0.0, 1.0), radius("sgd", rates, 0.0, condition))
    assert factors.min() == pytest.approx((condition - 1) / (condition + 1), abs=1e-4)
    assert round((condition - 1) / (condition + 1), 3) in (0.923, 0.998)


# Worked examples 2 and 8.


def test_worked_example_of_the_gradient() -> None:
    def gradient(at: list[float]) -> list[float]:
        theta = torch.tensor(at, dtype=torch.float64, requires_grad=True)
        ((theta[0] - 1) ** 2 + (theta[1] - 2) ** 2).backward()  # type: ignore[no-untyped-call]
        assert theta.grad is not None
        return theta.grad.tolist()

    assert gradient([1.0, 2.0]) == [0, 0]
    assert gradient([0.0, 1.0]) == [-2, -2]
    rows = history(surface="bowl", lr=0.1, start_x=0, start_y=1, optimisers=("sgd",), steps=10)
    assert [rows[1]["gx.sgd"], rows[1]["gy.sgd"]] == [-2, -2]
    assert [rows[1]["x.sgd"], rows[1]["y.sgd"]] == pytest.approx([0.2, 1.2], abs=1e-15)
    still = history(surface="bowl", lr=0.1, start_x=1, start_y=2, optimisers=("sgd",), steps=10)
    assert [still[-1]["x.sgd"], still[-1]["y.sgd"]] == [1, 2]


def test_worked_example_of_adam() -> None:
    rows = history(surface="bowl", lr_adaptive=0.1, start_x=0, start_y=1, optimisers=("adam",), steps=10)
    assert [rows[1]["vx.adam"], rows[1]["sx.adam"]] == pytest.approx([-0.2, 0.004], rel=1e-12)
    assert [rows[1]["x.adam"], rows[1]["y.adam"]] == pytest.approx([0.1, 1.1], abs=1e-8)

    def right(g: float) -> float:
        w = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        adam = torch.optim.Adam([w], 0.1)
        w.grad = torch.tensor([g], dtype=torch.float64)
        adam.step()
        return w.item()

    def misprinted(g: float) -> float:
        m, v, root = 0.1 * g, 0.001 * g * g, math.sqrt(1 - 0.999)
        return -0.1 * m / root + 0.9 * v / root

    assert right(-2) == pytest.approx(0.1, abs=1e-8)
    assert right(-20) == pytest.approx(0.1, abs=1e-8)
    for language in ("en", "zh"):
        body = text.read("gradient_descent", language).example[1].body
        assert f"w+{misprinted(-2):.4f}" in body
        assert f"w+{misprinted(-20):.2f}" in body
    assert 7 < misprinted(-2) / right(-2) < 8


# The same again, resumed, and changed while it runs.


def test_same_seed_same_run_and_another_seed_another() -> None:
    first, second, third = (history(seed, noise=1.0, steps=30) for seed in (5, 5, 6))
    assert first == second
    assert first[1:] != third[1:]
    assert history(5, steps=30) == history(6, steps=30)  # no noise, no chance


def equal(first: Scalars, second: Scalars) -> bool:
    return first.keys() == second.keys() and all(
        np.array_equal(first[name], second[name], equal_nan=True) for name in first
    )


@pytest.mark.parametrize("at", [0, 1, 7, 20])
def test_resume_is_bit_identical(at: int) -> None:
    asked = job(3, lr=0.06, noise=0.5, steps=30, optimisers=OPTIMISERS)
    whole: list[Scalars] = []
    kept: Checkpoint = {}
    generator = run(asked)
    step = next(generator)
    while True:
        whole.append(step.scalars)
        if step.step == at:
            kept = {name: array.copy() for name, array in step.state().items()}
        try:
            step = generator.send({"lr": 0.065} if step.step == 4 else None)
        except StopIteration:
            break
    assert any(row["diverged"] for row in whole)  # Nesterov leaves: that must be resumed as well
    for name, array in kept.items():
        assert array.dtype.name in ("float32", "float64", "int64", "uint8", "bool"), name
    if at < 4:
        return
    rest = list(run(job(3, lr=0.065, noise=0.5, steps=30, optimisers=OPTIMISERS), kept))
    assert [one.step for one in rest] == list(range(at + 1, 31))
    for mine, one in zip(whole[at + 1 :], rest, strict=True):
        assert equal(mine, one.scalars)


def test_a_fork_wins_over_the_checkpoint() -> None:
    steps = list(itertools.islice(run(job(lr=0.02, steps=20)), 6))
    kept = steps[-1].state()
    other = list(run(job(lr=0.001, steps=20, optimisers=("sgd", "nesterov")), kept))
    assert other[0].step == 6
    assert other[0].scalars["lr"] == 0.001
    moved = other[0].scalars["x.sgd"] - steps[-1].scalars["x.sgd"]
    assert moved == pytest.approx(-0.001 * steps[-1].scalars["x.sgd"], rel=1e-9)
    assert "x.nesterov" in other[0].scalars  # was not in the checkpoint: it starts at the start


def test_live_changes_hold_from_the_next_step() -> None:
    generator = run(job(surface="bowl", lr=0.1, momentum=0.5, steps=20, optimisers=("sgd", "momentum", "nesterov")))
    before = next(generator).scalars
    row = generator.send({"lr": 0.25, "momentum": 0.0, "pace": 3.0, "dissect": "sgd"}).scalars
    for one in ("sgd", "momentum", "nesterov"):  # without momentum all three are plain descent
        assert row[f"x.{one}"] == before[f"x.{one}"] - 0.25 * 2 * (before[f"x.{one}"] - 1)
    assert row["lr"] == 0.25
    after = generator.send({"momentum": 0.9}).scalars
    assert after["momentum"] == 0.9
    assert after["bound.momentum"] == pytest.approx(2 * 1.9 / 2)


# Divergence.


def test_a_diverged_racer_stops_and_the_others_go_on() -> None:
    rows = history(surface="valley", lr=0.06, steps=100, optimisers=("sgd", "nesterov", "adam"))
    at = next(step for step, row in enumerate(rows) if row["diverged.nesterov"])
    assert max(abs(rows[at]["x.nesterov"]), abs(rows[at]["y.nesterov"])) > FAR
    assert rows[at]["x.nesterov"] == rows[-1]["x.nesterov"]
    assert [step for step, row in enumerate(rows) if "lost.nesterov" in row] == [at]
    land = surface(Params())
    assert land.holds(rows[at]["lost_x.nesterov"], rows[at]["lost_y.nesterov"])
    assert rows[at]["above.nesterov"] <= 10 * land.ceiling
    assert math.isnan(rows[at + 1]["above.nesterov"])
    assert rows[-1]["height.sgd"] < 1e-3
    assert rows[-1]["diverged"] == 1
    assert all(math.isfinite(row[name]) for row in rows for name in row if name.startswith(("x.", "y.", "height.")))


@pytest.mark.parametrize(
    ("formula", "start"),
    [("exp(exp(x**2+y**2))", (1.2, 1.2)), ("1/x", (0.001, 0.0)), ("sqrt(x)", (0.01, 0.0)), ("-x**16", (2.0, 0.0))],
)
def test_overflow_and_missing_heights_are_divergence(formula: str, start: tuple[float, float]) -> None:
    rows = history(surface="formula", formula=formula, start_x=start[0], start_y=start[1], lr=1.0, steps=20)
    assert rows[-1]["diverged.sgd"] == 1
    assert math.isfinite(rows[-1]["x.sgd"])
    assert math.isfinite(rows[-1]["height.sgd"])


def test_constant_and_one_sided_formulas_run() -> None:
    for formula, moves in (("3", False), ("y", True), ("x", True)):
        rows = history(surface="formula", formula=formula, steps=10, optimisers=OPTIMISERS, weight_decay=0)
        assert (rows[-1]["loss"] < rows[0]["loss"]) == moves
        assert not rows[-1]["diverged"]


@pytest.mark.parametrize("formula", ["1/x", "log(x)", "x/(y-y)", "sqrt(-1-x*x)"])
def test_no_height_at_the_start_is_a_problem(formula: str) -> None:
    asked = job(surface="formula", formula=formula, start_x=0, start_y=0)
    with pytest.raises(Problem, match="no finite height") as raised:
        next(run(asked))
    assert "起点" in raised.value.zh
    figures.draw(parse(Params, asked.params), text.read("gradient_descent", "en"))  # the map can still be clicked


def test_a_formula_that_is_nowhere_finite_leaves_map_and_relief_empty() -> None:
    params = Params(surface="formula", formula="x/(y - y)")  # minus infinity on the left, infinity on the right
    assert np.isnan(surface(params).z).all()
    drawn = figures.draw(params, text.read("gradient_descent", "en"))
    ground, solid = drawn["contour"], drawn["relief"]
    assert isinstance(ground, Plot)
    assert isinstance(solid, Plot)
    assert {height for row in ground.traces[0]["z"] for height in row} == {None}
    assert solid.traces[0]["visible"] is False


def test_the_stability_map_reaches_the_run_and_puts_plain_sgd_where_it_has_no_momentum() -> None:
    words = text.read("gradient_descent", "en")
    for dissect, height in (("sgd", 0.0), ("momentum", 0.9), ("nesterov", 0.9)):
        params = Params(lr=1.5, dissect=dissect)
        plot = figures.draw(params, words)["stability"]
        assert isinstance(plot, Plot)
        cross = next(trace for trace in plot.traces if trace["name"] == words.figures["stability"].labels["here"])
        assert (cross["x"], cross["y"]) == ([1.5], [height])
        rows = {"lr": 1.5, "momentum": 0.9, "zero": 0.0}
        assert [rows[cross["bind"][axis][0]] for axis in "xy"] == [1.5, height]
        assert plot.traces[0]["x"][-1] > 1.5


def test_bad_settings_name_what_is_wrong() -> None:
    with pytest.raises(Problem, match="__import__"):
        parse(Params, {"surface": "formula", "formula": "__import__('os')"})
    with pytest.raises(Problem, match=r"lr = 9 is outside 0\.0001 to 2"):
        parse(Params, {"lr": "9"})
    with pytest.raises(Problem, match="sdg"):
        parse(Params, {"optimisers": "sdg"})
    assert parse(Params, {"formula": "x^2"}).formula == "x**2"
    with pytest.raises(Problem, match="question"):
        look(job(), {}, "anything", {})


# Surfaces, figures, script.


def test_known_minima_are_minima() -> None:
    for name, minima in MINIMA.items():
        land = surface(Params(surface=name))
        for x, y in minima:
            assert float(land.height(x, y)) == pytest.approx(land.floor, abs=1e-12)
            assert land.holds(x, y)
            at = torch.tensor([x, y], dtype=torch.float64, requires_grad=True)
            plain(name, at[0], at[1]).backward()  # type: ignore[no-untyped-call]
            assert at.grad is not None
            assert at.grad.abs().max() < 1e-6


def test_lowest_point_of_a_formula_is_found() -> None:
    """x⁴ - 3x² + x + y²: its lower minimum is where 4x³ - 6x + 1 = 0, near -1.3008."""
    x = min(np.roots([4, 0, -6, 1]).real, key=lambda r: r**4 - 3 * r**2 + r)
    land = surface(Params(surface="formula", formula="x**4 - 3*x**2 + x + y**2"))
    assert land.floor == pytest.approx(x**4 - 3 * x**2 + x, abs=1e-9)


def test_turning_the_valley_keeps_its_curvatures() -> None:
    zero = torch.zeros(2, dtype=torch.float64)
    for angle in (0.0, 20.0, 45.0, 90.0):
        land = surface(Params(condition=40.0, angle=angle))

        def height(at: torch.Tensor, land: Any = land) -> torch.Tensor:
            value: torch.Tensor = land.formula(at[0], at[1], torch)
            return value

        hessian = torch.autograd.functional.hessian(height, zero)  # type: ignore[no-untyped-call]
        assert torch.linalg.eigvalsh(hessian).tolist() == pytest.approx([1, 40], rel=1e-9)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", SURFACES)
def test_figures_are_small_quick_and_whole(name: str, language: str) -> None:
    words = text.read("gradient_descent", language)
    params = Params(surface=name)
    figures.draw(params, words)
    took = []
    for _ in range(5):
        start = time.thread_time()
        drawn = figures.draw(params, words)
        took.append(time.thread_time() - start)
    assert min(took) < 0.003  # of processor time, at every change of a setting; 0.3 ms is usual
    assert len(json.dumps({key: spec(one) for key, one in drawn.items()}, separators=(",", ":"))) < 66_000
    assert drawn.keys() <= words.figures.keys()
    assert ("stability" in drawn) == (name in ("bowl", "valley"))
    rows = list(enumerate(history(surface=name, lr=0.0001, steps=10)))
    for key, figure in fold(drawn, rows).items():
        names = [trace["name"] for trace in figure["traces"]]
        assert len(set(names)) == len(names), key
        for trace in figure["traces"]:
            for attribute in trace.get("bind", {}):
                assert None not in trace[attribute], (key, trace["name"], attribute)
    for key in drawn:
        for steps in (rows[:1], rows):
            assert reading(words.figures[key].reading, steps, names=words.controls["optimisers"].options)
    path = next(t for t in fold(drawn, rows)["contour"]["traces"] if t["name"] == "Adam")
    assert path["x"] == [row["x.adam"] for _, row in rows]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", ["valley", "himmelblau"])
def test_figures_of_many_seeds(name: str, language: str) -> None:
    words = text.read("gradient_descent", language)
    values: dict[str, Any] = {"surface": name, "lr": 0.005, "seeds": 5, "noise": 1.0, "seed": 2**31 - 2, "steps": 20}
    params = Params(**{**values, "optimisers": OPTIMISERS})
    lane = Race(job(**values, optimisers=OPTIMISERS))
    rows = [
        (int(step), dict(zip(group.names, row, strict=True)))
        for group in lane.step_many(21)
        for step, row in zip(group.steps, group.values.tolist(), strict=True)
    ]
    drawn = figures.draw(params, words)
    assert drawn.keys() - figures.draw(params.model_copy(update={"seeds": 1}), words).keys() == {"seeds", "apart"}
    assert len(json.dumps({key: spec(one) for key, one in drawn.items()}, separators=(",", ":"))) < 75_000
    tick = Tick(20, rows[-1][1], lane.frame())
    folded = fold(drawn, rows, figures.update(params, tick))
    for figure in folded.values():
        names = [trace["name"] for trace in figure["traces"]]
        assert len(set(names)) == len(names)
        for trace in figure["traces"]:
            for attribute in trace.get("bind", {}):
                assert trace[attribute] or trace["name"].endswith("✕")  # none was lost
                assert None not in trace[attribute]
    for k, one in enumerate(OPTIMISERS):
        points = next(trace for trace in folded["contour"]["traces"] if trace.get("key") == f"cloud.{one}")
        assert points["x"] == lane.frame()["cloud"][k, :, 0].tolist()
        assert points["y"] == lane.frame()["cloud"][k, :, 1].tolist()
        assert points["text"] == ["20"] * 5
        assert points["customdata"] == [2**31 - 2, 2**31 - 1, 0, 1, 2]  # as the generators are seeded
        band = next(trace for trace in folded["seeds"]["traces"] if trace["band"] == f"seed.{one}.")
        assert band["y"][-1] == rows[-1][1][f"middle.{one}"]
    dotted = {source["y"] for trace in folded["apart"]["traces"] if (source := trace["bind"])["y"].startswith("rest")}
    assert dotted == ({f"rest.{kind}" for kind in KINDS} if name == "valley" else set())
    labels = words.controls["optimisers"].options
    narrowest = min(OPTIMISERS, key=lambda one: rows[-1][1][f"cloud.{one}"])
    for key in ("contour", "apart"):
        assert labels[narrowest] in reading(words.figures[key].reading, rows, names=labels)
    lowest = min(OPTIMISERS, key=lambda one: rows[-1][1][f"middle.{one}"])
    assert labels[lowest] in reading(words.figures["seeds"].reading, rows, names=labels)
    # a fork's past: of other racers, of one seed; and one seed has no clouds to show
    some = params.model_copy(update={"optimisers": ("adam", "adagrad")})
    assert {patch.trace for patch in figures.update(some, tick)} == {"cloud.adam", "cloud.adagrad"}
    assert figures.update(params, Tick(3, {})) == []
    assert figures.update(params.model_copy(update={"seeds": 1}), tick) == []


@pytest.mark.parametrize("one", OPTIMISERS)
def test_the_arrows_are_the_optimisers_own(one: str) -> None:
    words = text.read("gradient_descent", "en")
    params = Params(dissect=one, optimisers=(one,))
    rows = list(enumerate(history(optimisers=(one,), steps=10)))
    figure = fold(figures.draw(params, words), rows)[f"dissect_{one}"]
    last = rows[-1][1]
    final = next(trace for trace in figure["traces"] if trace["name"] == "the step")
    assert final["x"] == [0, last[f"ux.{one}"]]
    assert final["line"]["color"] == figures.COLOR[one]
    for trace in figure["traces"]:
        for attribute in trace["bind"]:
            assert None not in trace[attribute]
    said = reading(words.figures[f"dissect_{one}"].reading, rows)
    assert said.startswith("Step 10. ")
    assert "No update" in reading(words.figures[f"dissect_{one}"].reading, rows[:1])


def script_output(params: Params) -> str:
    """What script.py prints with these settings in its block."""
    source = Path(figures.__file__).with_name("script.py").read_text()
    head, rest = source.split("# settings\n")
    block, tail = rest.split("# end of settings\n")
    values = params.model_dump()
    names = [line.split(" = ")[0] for line in block.splitlines()]
    assert {name.lower() for name in names} <= values.keys()
    filled = "".join(f"{name} = {values[name.lower()]!r}\n" for name in names)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(head + filled + tail, "script.py", "exec"), {"__name__": "script"})
    return out.getvalue()


CASES: dict[str, Mapping[str, Any]] = {
    "tiny": TINY.changed(),
    "turned": {"angle": 30.0, "noise": 0.3, "steps": 40},
    "typed": {"surface": "formula", "formula": "x^2 + sin(2)*y**2 + pi/4", "optimisers": OPTIMISERS, "lr": 0.02},
    **{name: {**preset, "steps": 60} for name, preset in PRESETS.items()},
}


@pytest.mark.parametrize("case", CASES)
def test_script_agrees_with_the_run(case: str) -> None:
    params = parse(Params, CASES[case])
    last = list(run(Job(ENTRY, params.model_dump(), params.seed)))[-1].scalars
    printed = script_output(params)
    ends = dict(re.findall(r"^(\w+) .*height (\S+)$", printed, re.MULTILINE))
    assert ends.keys() == set(params.optimisers)
    for one, height in ends.items():
        assert float(height) == pytest.approx(last[f"height.{one}"], rel=1e-8, abs=1e-12)
    final = re.fullmatch(r"final loss (\S+)", printed.splitlines()[-1])
    assert final is not None
    assert float(final[1]) == pytest.approx(last["loss"], abs=1e-10)


def test_script_as_it_stands_has_the_defaults() -> None:
    source = Path(figures.__file__).with_name("script.py").read_text()
    block = source.split("# settings\n")[1].split("# end of settings\n")[0]
    known: dict[str, Any] = {}
    exec(block, known)
    defaults = Params().model_dump()
    assert {name: known[name] for name in known if name.isupper()} == {
        name.upper(): defaults[name] for name in defaults if name.upper() in known
    }


def test_tiny_is_quick_and_presets_run() -> None:
    start = time.process_time()
    assert len(list(run(Job(ENTRY, TINY.model_dump())))) == 41
    assert time.process_time() - start < 2
    for preset in PRESETS.values():
        first = next(run(job(**preset)))
        assert isinstance(first, Step)
        assert first.step == 0


# What the text says happens.


def tries(index: int, **changes: str) -> list[Scalars]:
    values = {**text.read("gradient_descent", "en").tries[index].settings, **changes}
    return shown("&".join(f"{name}={value}" for name, value in values.items()))


def test_try_1_sgd_jumps_across_and_momentum_gains_speed() -> None:
    rows = tries(0)
    ups = [row["y.sgd"] for row in rows[:20]]
    assert all(first * second < 0 for first, second in itertools.pairwise(ups))
    along = [row["ux.momentum"] for row in rows[1:8]]
    assert along[:3] == sorted(along[:3])
    assert max(along) > 2.5 * along[0]
    swings = [row["y.momentum"] for row in rows[:40]]
    assert any(first * second < 0 for first, second in itertools.pairwise(swings))


def test_try_2_the_bowls_bound_is_one() -> None:
    assert shown("surface=bowl&lr=1.01")[0]["bound.sgd"] == 1
    rising = [row["height.sgd"] for row in tries(1)]
    assert all(second > first for first, second in itertools.pairwise(rising))
    falling = [row["height.sgd"] for row in tries(1, lr="0.99")]
    assert all(second < first for first, second in itertools.pairwise(falling))


def test_try_3_sgd_rests_at_the_saddle_and_rolls_off_later() -> None:
    rows = tries(2)
    near = [row["height.sgd"] for row in rows]
    assert abs(near[100]) < 0.02  # the saddle's height is 0, the minima's -0.25
    assert near[100] - near[110] < 0.02
    assert near[-1] < -0.24


def test_try_4_nobody_leaves_the_ridge_without_noise() -> None:
    assert all(row[f"y.{one}"] == 0 for row in tries(3) for one in ("sgd", "momentum", "adam"))
    every = shown("surface=saddle&lr=0.05&start_x=-2.5&start_y=0&optimisers=" + ",".join(OPTIMISERS))
    assert all(row[f"y.{one}"] == 0 for row in every for one in OPTIMISERS)
    noisy = tries(3, noise="0.1")[-1]
    assert all(abs(noisy[f"y.{one}"]) > 0.9 for one in ("sgd", "momentum", "adam"))


def many(index: int, **changes: str) -> Race:
    """The race of all seeds, at its end."""
    values: dict[str, Any] = {**text.read("gradient_descent", "en").tries[index].settings, **changes}
    lane = Race(job(**values))
    lane.step_many(1001)
    return lane


def test_try_4_noise_tosses_a_coin() -> None:
    lane = many(3, noise="0.1", seeds="64")
    up = lane.frame()["cloud"][0, :, 1]
    assert ((up > 0.5).sum(), (up < -0.5).sum()) == (34, 30)


def width(lane: Race) -> Any:
    """Of each racer's cloud."""
    cloud = lane.frame()["cloud"].astype(float)
    return np.sqrt(cloud.var(1).sum(1))


def test_try_5_the_clouds_are_three_to_one_and_draw_together_to_a_third() -> None:
    sgd, momentum = before = width(many(4))
    assert 2.5 < momentum / sgd < 3.5
    settings: dict[str, Any] = {**text.read("gradient_descent", "en").tries[4].settings}
    slowed = Race(job(**settings))
    slowed.step_many(201)
    slowed.change({"lr": 0.01})
    slowed.step_many(200)
    assert 0.25 < min(width(slowed) / before) < max(width(slowed) / before) < 0.36
    theory = [math.sqrt(2 * rest(kind, lr, 0.9, 2, 1)) for lr in (0.1, 0.01) for kind in ("sgd", "momentum")]
    assert 3 < theory[1] / theory[0] < 3.2
    assert 0.3 < min(theory[2] / theory[0], theory[3] / theory[1]) < 0.34
    # “about as wide as that of SGD at ten times the learning rate”
    assert theory[3] == pytest.approx(theory[0], rel=0.06)


def test_adams_cloud_grows_more_slowly_with_the_noise() -> None:
    """Four times as wide for SGD, little more than twice for Adam: after the same 600 steps, over 64 seeds."""
    wide = []
    for noise in ("0.5", "2"):
        lane = Race(job(surface="bowl", optimisers=("sgd", "adam"), lr=0.1, noise=noise, seeds=64, steps=1000))
        lane.step_many(401)
        found = []
        while lane.step < lane.total:
            lane.step_many(20)
            found.append(width(lane) ** 2)
        wide.append(np.sqrt(np.mean(found, 0)))
    assert wide[1] / wide[0] == pytest.approx([4, 2.2], abs=0.15)


def test_try_6_a_slanted_valley_costs_adam_more_steps() -> None:
    def needed(angle: int) -> int:
        rows = tries(5, angle=str(angle))
        return next(step for step, row in enumerate(rows) if row["height.adam"] <= 1e-3 * rows[0]["height.adam"])

    assert (needed(0), needed(45)) == (42, 100)


def test_try_7_one_start_two_minima() -> None:
    last = tries(6)[-1]
    ends = [(last[f"x.{one}"], last[f"y.{one}"]) for one in ("sgd", "momentum")]
    nearest = [sorted((math.dist(at, end), at) for at in MINIMA["himmelblau"])[0] for end in ends]
    assert all(distance < 0.01 for distance, _ in nearest)
    assert nearest[0][1] != nearest[1][1]


def test_try_8_momentum_and_adam_roll_through_the_dip() -> None:
    rows = tries(7)
    floor = surface(parse(Params, text.read("gradient_descent", "en").tries[7].settings)).floor
    assert rows[-1]["height.sgd"] > floor + 1
    assert rows[-1]["height.momentum"] == pytest.approx(floor, abs=1e-3)
    assert rows[-1]["height.adam"] == pytest.approx(floor, abs=1e-3)
    assert math.hypot(rows[-1]["gx.sgd"], rows[-1]["gy.sgd"]) < 1e-6  # it rests: a local minimum


def test_predictions() -> None:
    asked = text.read("gradient_descent", "en").predict
    away, nesterov, _ = (shown("&".join(f"{name}={value}" for name, value in one.settings.items())) for one in asked)
    for before, row in itertools.pairwise(away[:50]):
        assert row["x.sgd"] - 1 == pytest.approx(-1.02 * (before["x.sgd"] - 1), rel=1e-9)
    last = nesterov[-1]
    assert [last[f"diverged.{one}"] for one in ("sgd", "momentum", "nesterov")] == [0, 0, 1]
    assert last["bound.sgd"] == pytest.approx(0.08)
    assert last["bound.momentum"] == pytest.approx(0.152)
    assert round(last["bound.nesterov"], 4) == 0.0543
    small, usual = (many(4, **{**asked[2].settings, "lr": lr}) for lr in (asked[2].settings["lr"], "0.1"))
    assert 0.25 < width(small)[0] / width(usual)[0] < 0.36


def test_numbers_of_the_why() -> None:
    assert round((math.sqrt(25) - 1) / (math.sqrt(25) + 1), 2) == 0.67
    # “Nesterov's bound is smaller than plain SGD's”, for every momentum
    assert all(bounds(1, beta)["nesterov"] < bounds(1, beta)["sgd"] for beta in np.linspace(0.01, 0.99, 50).tolist())
    # “ten times for β = 0.9”: a constant slope, as far along as you like
    rows = history(surface="formula", formula="x", lr=0.001, steps=200, optimisers=("momentum",))
    assert rows[-1]["vx.momentum"] == pytest.approx(10, rel=1e-6)
    # “about eight digits” of agreement, “where the slope is not tiny”
    for name in SURFACES:
        start = STARTS.get(name, (-2.5, 1.5))
        for row in history(surface=name, start_x=start[0], start_y=start[1], lr=0.001, steps=20)[1:]:
            for one in Params().optimisers:
                slope = math.hypot(row[f"gx.{one}"], row[f"gy.{one}"])
                apart = math.hypot(row[f"gx.{one}"] - row[f"nx.{one}"], row[f"gy.{one}"] - row[f"ny.{one}"])
                assert slope < 1 or apart < 2e-8 * slope
    # “About as long as its learning rate along each axis”: Adam's first step, on any surface
    for name in SURFACES:
        start = STARTS.get(name, (-2.5, 1.5))
        rows = history(surface=name, start_x=start[0], start_y=start[1], optimisers=("adam",), steps=10)
        moved = [abs(rows[1][f"u{axis}.adam"]) for axis in "xy" if abs(rows[1][f"g{axis}.adam"]) > 1e-3]
        assert moved == pytest.approx([0.1] * len(moved), rel=1e-4)
    # “A little off the minimum unless that is the origin”: AdamW
    rows = history(surface="bowl", optimisers=("adam", "adamw"), steps=1000, weight_decay=0.1)
    assert abs(rows[-1]["x.adam"] - 1) < 1e-6
    assert 1e-3 < abs(rows[-1]["x.adamw"] - 1) < 0.2
    # Adagrad's step sizes only shrink
    rows = history(optimisers=("adagrad",))
    assert all(b["ax.adagrad"] <= a["ax.adagrad"] for a, b in itertools.pairwise(rows[1:]))


def test_quiz_at_one_over_l_the_steep_direction_is_solved_in_one_step() -> None:
    rows = history(condition=10, lr=0.1, optimisers=("sgd",), steps=10)
    assert abs(rows[1]["y.sgd"]) < 1e-15


def test_languages_say_the_same() -> None:
    en, zh = (text.read("gradient_descent", language) for language in ("en", "zh"))
    assert [one.settings for one in en.tries] == [one.settings for one in zh.tries]
    assert [(len(q.options), q.right, q.settings) for q in en.predict + en.quiz] == [
        (len(q.options), q.right, q.settings) for q in zh.predict + zh.quiz
    ]
    for key, figure in en.figures.items():
        assert figure.labels.keys() == zh.figures[key].labels.keys()
    assert en.controls.keys() == zh.controls.keys() == Params.model_fields.keys()
    assert en.presets.keys() == zh.presets.keys() == PRESETS.keys()
