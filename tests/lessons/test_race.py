"""The race against torch.optim and autograd themselves: every number of every step."""

from __future__ import annotations

import itertools
import math
import statistics
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.types import Scalars
from lessons.dual import gradient
from lessons.formula import parse
from lessons.gradient_descent import figures, race
from lessons.gradient_descent.params import OPTIMISERS, PRESETS, SURFACES, Params
from lessons.gradient_descent.race import Race
from lessons.gradient_descent.stability import KINDS, rest
from tests.lessons.test_gradient_descent import RATES, STARTS, TYPED, job
from tests.oracles.gradient_descent import run


def told(lane: Race, *counts: int) -> dict[int, Scalars]:
    found: dict[int, Scalars] = {}
    for count in counts:
        for group in lane.step_many(count):
            for step, row in zip(group.steps.tolist(), group.values.tolist(), strict=True):
                assert step not in found
                found[step] = dict(zip(group.names, row, strict=True))
    return found


OF_ALL = ("seed.", "middle.", "cloud.", "rest.", "away")  # scalars of many seeds together


def same(ours: dict[int, Scalars], **values: Any) -> int:
    """Every scalar of the first seed at every step is the plain run's; returns how many of its racers diverged."""
    ours = {step: {name: one for name, one in row.items() if not name.startswith(OF_ALL)} for step, row in ours.items()}
    theirs = dict(run(job(**values)))
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


@pytest.mark.parametrize("seeds", [1, 5])
def test_any_number_of_steps_at_a_call_and_a_checkpoint_anywhere_are_the_same_bits(
    seeds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(race, "CHUNK", 150)  # with five seeds thirty steps
    asked = job(noise=0.5, optimisers=OPTIMISERS, steps=100, seeds=seeds, seed=2**31 - 2)  # the next seed but one is 0
    whole = told(Race(asked), 101)
    assert repr(told(Race(asked), 1, 2, 3, 40, 200)) == repr(whole)  # as words: not a number is not itself
    lane = Race(asked)
    lane.step_many(31)
    lane.change({"lr": 0.01, "noise": 0.1})
    lane.step_many(10)
    state = {name: array.copy() for name, array in lane.state().items()}
    cloud = lane.frame()
    rest = told(lane, 100)
    again = Race(asked, state)
    again.change({"lr": 0.01, "noise": 0.1})
    assert repr(again.frame()) == repr(cloud)
    assert repr(told(again, 1, 100)) == repr(rest)
    assert rest[100] != whole[100]
    assert {name: array.tobytes() for name, array in again.state().items()} == {
        name: array.tobytes() for name, array in lane.state().items()
    }


def test_a_fork_keeps_those_who_were_there_and_starts_the_others() -> None:
    lane = Race(job(optimisers=("sgd", "adam"), steps=50))
    before = told(lane, 31)[30]
    fork = Race(job(optimisers=("adam", "momentum"), steps=50), lane.state())
    after = told(fork, 1)[31]
    moved = [after[f"x.{name}"] - after[f"u{'x'}.{name}"] for name in ("adam", "momentum")]
    assert moved == pytest.approx([before["x.adam"], -2.5])
    assert told(fork, 20)[50]["diverged"] == 0


# many seeds


def everything(**values: Any) -> tuple[Race, dict[int, Scalars]]:
    lane = Race(job(**values))
    return lane, told(lane, 2000)


@pytest.mark.parametrize(
    "changed",
    [
        {"surface": "bowl", "lr": 0.1},
        {"surface": "himmelblau", "lr": 0.01, "start_x": 0.5, "start_y": 0.5},
        {"surface": "formula", "formula": TYPED, "lr": 0.05},
        {"surface": "formula", "formula": "-x**4 + y**2", "start_x": 0.0, "lr": 0.1, "steps": 60},  # all leave
        {"surface": "formula", "formula": "x**2 - y**3", "start_y": 0.5, "lr": 0.05, "noise": 3.0},  # some leave
    ],
)
def test_each_of_many_seeds_is_the_race_with_that_seed(changed: dict[str, Any]) -> None:
    values: dict[str, Any] = {"noise": 1.0, "steps": 100, "weight_decay": 0.1, **changed, "optimisers": OPTIMISERS}
    lane, rows = everything(seeds=4, seed=7, **values)
    ends = np.full((len(OPTIMISERS), 4, 2), np.nan)
    alone = []
    for k in range(4):
        one, single = everything(seed=7 + k, **values)
        assert single.keys() == rows.keys()
        alone.append(single)
        assert one.frame() == {}
        ends[:, k] = np.where(one.diverged[:, None], np.nan, one.point)
        for step, row in single.items():
            for racer in OPTIMISERS:
                above = row[f"above.{racer}"]
                if math.isnan(above):  # diverged earlier: it stays where it was lost
                    above = rows[step - 1][f"seed.{racer}.{k}"]
                assert rows[step][f"seed.{racer}.{k}"] == pytest.approx(above, rel=1e-9, abs=1e-12), (step, racer, k)
        if k == 0:
            firsts = {
                step: {name: one for name, one in row.items() if not name.startswith(OF_ALL)}
                for step, row in rows.items()
            }
            for step, row in single.items():
                assert firsts[step].keys() == row.keys()
                apart = {name for name in row if firsts[step][name] != pytest.approx(row[name], 1e-9, 1e-9, True)}
                assert apart <= {"gap", *(name for name in row if name[0] == "n")}  # finite differences: rounding
        else:
            theirs = [scalars for _, scalars in run(job(seed=7 + k, **{**values, "steps": 40}))]
            for step, row in enumerate(theirs):
                for racer in OPTIMISERS:
                    if not row[f"diverged.{racer}"]:
                        expected = pytest.approx(row[f"above.{racer}"], rel=1e-6, abs=1e-9)
                        assert rows[step][f"seed.{racer}.{k}"] == expected, (step, racer, k)
    assert lane.frame()["cloud"].tobytes() == ends.astype(np.float32).tobytes()
    assert [OPTIMISERS[index] for index in lane.frame()["racers"]] == list(OPTIMISERS)
    for step in (0, 1, 30, max(rows)):
        assert rows[step]["away"] == sum(one[step]["diverged"] for one in alone)
        for racer in OPTIMISERS:
            assert rows[step][f"middle.{racer}"] == statistics.median(rows[step][f"seed.{racer}.{k}"] for k in range(4))
            there = [
                (one[step][f"x.{racer}"], one[step][f"y.{racer}"])
                for one in alone
                if not one[step][f"diverged.{racer}"]
            ]
            wide = math.nan
            if there:
                middle = [statistics.fmean(axis) for axis in zip(*there, strict=True)]
                wide = math.sqrt(statistics.fmean(math.dist(one, middle) ** 2 for one in there))
            assert rows[step][f"cloud.{racer}"] == pytest.approx(wide, rel=1e-7, abs=1e-12, nan_ok=True)


def test_without_noise_all_seeds_are_one_and_a_remark_says_so() -> None:
    _, rows = everything(seeds=3, steps=40)
    for row in rows.values():
        for racer in Params().optimisers:
            assert {row[f"seed.{racer}.{k}"] for k in range(3)} == {row[f"above.{racer}"]}
            assert row[f"cloud.{racer}"] == 0
    assert [figures.remarks(Params(seeds=seeds, noise=noise)) for seeds, noise in ((1, 0), (1, 1), (3, 1))] == [[]] * 3
    assert "all 3 races are the same" in figures.remarks(Params(seeds=3))[0].en


def test_a_fork_into_many_seeds_starts_from_where_the_first_is() -> None:
    values: dict[str, Any] = {"surface": "bowl", "noise": 0.5, "steps": 60, "optimisers": ("sgd", "adam")}
    one = Race(job(**values))
    one.step_many(31)
    many = Race(job(**values, seeds=5), one.state())
    after, alone = told(many, 1)[31], told(one, 1)[31]
    assert after["seed.sgd.0"] == alone["above.sgd"]
    assert len({after[f"seed.sgd.{k}"] for k in range(5)}) == 5
    assert after["cloud.sgd"] < 0.1  # one step of lr 0.07 apart
    few = Race(job(**values, seeds=2), many.state())  # and back: the first two of them
    kept, rest = told(few, 10)[41], told(many, 10)[41]
    assert [kept[f"seed.adam.{k}"] for k in (0, 1)] == [rest[f"seed.adam.{k}"] for k in (0, 1)]


# what the noise does


def settled(racers: tuple[str, ...], skip: int, **values: Any) -> Any:
    """The variance of x and of y of each racer, (racers, 2), over 64 seeds and every tenth step after `skip`."""
    lane = Race(job(optimisers=racers, seeds=64, steps=1000, **values))
    lane.step_many(skip)
    clouds = []
    while lane.step < lane.total:
        lane.step_many(10)
        clouds.append(lane.frame()["cloud"].astype(float))
    return np.var(np.stack(clouds), axis=(0, 2))


@pytest.mark.parametrize(
    ("values", "curvatures"),
    [
        ({"surface": "bowl", "lr": 0.1}, (2, 2)),
        ({"surface": "bowl", "lr": 0.3, "momentum": 0.5}, (2, 2)),
        ({"surface": "valley", "condition": 10, "lr": 0.08, "momentum": 0.8}, (1, 10)),
    ],
)
def test_with_noise_the_points_rest_as_wide_as_theory_has_it(
    values: dict[str, Any], curvatures: tuple[int, int]
) -> None:
    lr, beta, noise = values["lr"], values.get("momentum", 0.9), 1.5
    found = settled(KINDS, 300, noise=noise, **values)
    for axis, curve in enumerate(curvatures):
        plain = lr * noise**2 / (curve * (2 - lr * curve))
        heavy = (1 + beta) * lr * noise**2 / ((1 - beta) * curve * (2 * (1 + beta) - lr * curve))
        # torch's Nesterov as a map of (θ, b): its covariance S is M S Mᵀ + n nᵀ
        map_ = np.array([[1 - lr * curve * (1 + beta), -lr * beta**2], [curve, beta]])
        gust = noise * np.array([-lr * (1 + beta), 1.0])
        ahead = np.linalg.solve(np.eye(4) - np.kron(map_, map_), np.kron(gust, gust))[0]
        theory = [rest(kind, lr, beta, curve, noise) for kind in KINDS]
        assert theory == pytest.approx([plain, heavy, ahead], rel=1e-9)
        assert found[:, axis] == pytest.approx(theory, rel=0.12)
    assert math.isnan(rest("sgd", 2 / 5, 0.9, 5, 1.0))


def test_the_dotted_lines_follow_what_is_changed_while_it_runs() -> None:
    lane = Race(job(surface="valley", angle=30, lr=0.02, noise=1.0, seeds=2, steps=20, optimisers=OPTIMISERS))
    before = told(lane, 5)[4]
    lane.change({"lr": 0.01, "noise": 2.0, "momentum": 0.5})
    after = told(lane, 5)[9]
    for row, at in ((before, (0.02, 0.9, 1.0)), (after, (0.01, 0.5, 2.0))):
        for kind in KINDS:
            assert row[f"rest.{kind}"] == math.sqrt(
                sum(rest(kind, at[0], at[1], curve, at[2]) for curve in (1.0, 25.0))
            )
    assert "rest.adam" not in after
    assert not any(
        name.startswith("rest.") for row in everything(surface="saddle", seeds=2)[1].values() for name in row
    )


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
        found = gradient(formula, np.array([x]), np.array([y]))
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
        found = gradient(parse(text), np.array([x]), np.array([y]))
    for ours, theirs in zip(found[1:], right, strict=True):
        wanted = 0.0 if theirs is None else theirs.item()
        assert ours[0] == pytest.approx(wanted, rel=1e-12, nan_ok=True) or (math.isinf(wanted) and ours[0] == wanted)
