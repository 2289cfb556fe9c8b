"""The overfitting lesson against second implementations: the parts of the error, least squares, what its text says."""

from __future__ import annotations

import contextlib
import io
import math
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from engine.models.optimiser import Optimiser
from engine.models.perceptron import Perceptron
from engine.params import parse
from engine.types import Job, Problem, Scalars
from lessons import catalog, text
from lessons.board.figures import Plot
from lessons.overfitting import figures
from lessons.overfitting.compute import Ensemble, decompose, look, run
from lessons.overfitting.features import DRAWS, FEW, solved, sweep
from lessons.overfitting.params import COLUMNS, TINY, Params, drawn
from lessons.overfitting.points import GRID, sample, trial, truth
from lessons.overfitting.trainer import CHECK, points

ENTRY = "lessons.overfitting.compute:run"
SMALL = {"steps": 60, "seeds": 4, "width": 6, "points": 12}


def job(**values: Any) -> Job:
    p = parse(Params, {"pace": 0, **values})
    return Job(ENTRY, p.model_dump(mode="json"), p.seed)


def history(lane: Ensemble, count: int = 10**6) -> list[tuple[int, Scalars]]:
    found = [
        (int(step), dict(zip(group.names, row.tolist(), strict=True)))
        for group in lane.step_many(count)
        for step, row in zip(group.steps, group.values, strict=True)
    ]
    return sorted(found, key=lambda one: one[0])


@cache
def ended(query: str) -> tuple[Scalars, dict[str, Any]]:
    """The last scalars and the last frame of the run that a link makes."""
    lane = Ensemble(job(**text.settings(query)))
    return history(lane)[-1][1], dict(lane.frame())


# the parts of an error


@pytest.mark.parametrize("more", [{}, {"early": True}, {"sets": "bootstrap", "noise": 0.7}, {"seeds": 1}])
def test_the_parts_add_up_to_the_test_error_to_the_last_digit(more: dict[str, Any]) -> None:
    lane = Ensemble(job(**SMALL | more))
    checks = [one for _, one in history(lane) if "test" in one]
    assert len(checks) == 1 + 60 // CHECK
    for one in checks:
        each = [one[f"test.{k}"] for k in range(lane.p.seeds)]
        assert one["test"] == pytest.approx(one["bias2"] + one["variance"] + one["noise"], rel=1e-12)
        assert one["test"] == pytest.approx(np.mean(each), rel=1e-12)
        # Krogh and Vedelsby: the mean's error is the mean error less the disagreement
        assert one["bagged"] == pytest.approx(one["test"] - one["variance"], rel=1e-12)
        assert one["bagged"] <= one["test"]
    assert checks[-1]["best"] == min(one["test"] for one in checks)


def test_the_parts_are_those_of_the_weights_point_by_point() -> None:
    lane = Ensemble(job(**SMALL))
    last = history(lane)[-1][1]
    said = []
    for flat in lane.flat.double():
        into, bias, out, shift = flat.split([6, 6, 6, 1])
        said.append([float(out @ torch.tanh(into * x + bias) + shift) for x in GRID])
    curve, noise = trial(lane.p, 0)
    errors = [[(f - y) ** 2 for f, c, e in zip(one, curve, noise, strict=True) for y in (c + e, c - e)] for one in said]
    assert last["test"] == pytest.approx(np.mean(errors), rel=1e-5)
    middle = [math.fsum(column) / 4 for column in zip(*said, strict=True)]
    assert last["bias2"] == pytest.approx(np.mean([(m - c) ** 2 for m, c in zip(middle, curve, strict=True)]), rel=1e-4)
    frame = lane.frame()
    assert frame["mean"] == pytest.approx(np.array(middle), abs=1e-4)
    assert frame["one"] == pytest.approx(np.array(said[0]), abs=1e-4)
    assert frame["weights"].sum() == pytest.approx(1.0)


def test_the_worked_example() -> None:
    found = decompose(np.array([[0.5], [1.5], [2.5]]), np.array([1.0]), np.zeros(1))
    assert {key: round(value, 4) for key, value in found.items()} == {
        "test": 0.9167, "bias2": 0.25, "variance": 0.6667, "noise": 0.0, "bagged": 0.25,
    }  # fmt: skip


def test_networks_that_agree_gain_nothing_and_failed_ones_are_left_out() -> None:
    same = decompose(np.ones((5, 3)), np.zeros(3), np.zeros(3))
    assert same["bagged"] == same["test"] == 1.0
    assert same["variance"] == 0.0
    wild = history(Ensemble(job(**SMALL | {"optimiser": "sgd", "lr": 1.0, "width": 100})))[-1][1]
    assert wild["failed"] == 4.0
    assert math.isnan(wild["train"])
    assert math.isnan(wild["test"])


# the lane


def script(**values: Any) -> dict[str, float]:
    """What the lesson as a plain program prints."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(catalog.script("overfitting", Params(**values)), "script.py", "exec"), {})
    lines = said.getvalue().splitlines()
    return {line.rsplit(" ", 1)[0].split(",")[-1].strip(): float(line.rsplit(" ", 1)[1]) for line in lines}


@pytest.mark.parametrize(
    "more",
    [
        {"decay": 0.01, "l1": 0.005, "depth": 2},
        {"early": True, "optimiser": "momentum", "lr": 0.02, "steps": 105},
        {"jitter": 0.1, "sets": "bootstrap", "optimiser": "sgd", "lr": 0.03},
        {"dropout": 0.3, "jitter": 0.05, "depth": 2},
        {"curve": "drawn", "truth": "-1" + "," * (COLUMNS - 1) + "1", "sets": "same"},
    ],
)
def test_the_script_does_the_same_whatever_the_settings(more: dict[str, Any]) -> None:
    values = TINY.model_dump() | more
    last = history(Ensemble(job(**values)))[-1][1]
    said = script(**values)
    assert said["final loss"] == pytest.approx(last["train"], abs=1e-5)
    for theirs, ours in {"test error": "test", "bias²": "bias2", "variance": "variance", "noise": "noise"}.items():
        assert said[theirs] == pytest.approx(last[ours], abs=2e-5), ours


@pytest.mark.parametrize(
    "more", [{}, {"jitter": 0.2, "early": True}, {"dropout": 0.5}, {"optimiser": "momentum", "lr": 0.02}]
)
def test_however_it_is_cut_or_resumed_it_is_the_same_run(more: dict[str, Any]) -> None:
    whole = Ensemble(job(**SMALL | more))
    expected = dict(history(whole))
    lane = Ensemble(job(**SMALL | more))
    found: dict[int, Scalars] = {}
    for count in (1, 3, 20, 2):
        found |= dict(history(lane, count))
    lane = Ensemble(job(**SMALL | more), lane.state())
    found |= dict(history(lane))
    assert found == expected
    assert torch.equal(lane.flat, whole.flat)


def test_networks_of_another_size_are_refused() -> None:
    with pytest.raises(Problem, match="another size"):
        Ensemble(job(**SMALL | {"width": 7}), Ensemble(job(**SMALL)).state())


def test_live_settings_hold_from_the_next_step_on_and_are_kept() -> None:
    lane = Ensemble(job(**SMALL))
    lane.step_many(31)
    lane.change({"decay": 0.1, "lr": 0.02})
    again = Ensemble(job(**SMALL), lane.state())
    again.change({"decay": 0.1, "lr": 0.02})
    assert {one.optimiser.decay for one in again.trainers} == {0.1}
    assert history(again) == history(lane)
    assert lane.settings["lr"] == 0.02


# the points


def test_points_are_as_the_settings_say() -> None:
    p = Params(points=20)
    fresh = [sample(p, 0, k) for k in range(3)]
    assert not np.array_equal(fresh[0].x, fresh[1].x)
    same = [sample(Params(sets="same"), 0, k) for k in range(3)]
    assert all(np.array_equal(one.x, fresh[0].x) and np.array_equal(one.y, fresh[0].y) for one in same)
    drawn_again = sample(Params(sets="bootstrap"), 0, 1)
    assert set(drawn_again.x) < set(fresh[0].x)
    assert len(drawn_again.x) == 20
    early = sample(Params(early=True), 0, 0)
    assert (len(early.x), len(early.held_x)) == (15, 5)
    assert np.concatenate([early.x, early.held_x]).tolist() == fresh[0].x.tolist()


def test_noise_is_as_large_as_asked() -> None:
    many = [sample(Params(points=200, noise=0.5), seed, 0) for seed in range(20)]
    off = np.concatenate([one.y - truth(Params(), one.x) for one in many])
    assert off.std() == pytest.approx(0.5, rel=0.05)
    assert off.mean() == pytest.approx(0.0, abs=0.03)


def test_a_drawn_truth_goes_through_what_was_drawn() -> None:
    p = Params(curve="drawn", truth="1,,0" + "," * (COLUMNS - 3))
    assert truth(p, np.array([-1.0, -1 + 2 / 23, -1 + 4 / 23, 1.0])) == pytest.approx([1.0, 0.5, 0.0, 0.0])
    assert (truth(Params(curve="drawn"), GRID) == 0).all()
    assert drawn(Params(truth="-0.0812" + "," * (COLUMNS - 1)).truth)[0] == -0.0812
    for bad in ("1", "a" + "," * (COLUMNS - 1), "5" + "," * (COLUMNS - 1)):
        with pytest.raises(Problem, match="truth"):
            parse(Params, {"truth": bad})


# least squares


@pytest.mark.parametrize("many", [1, 3, 7, 8, 9, 30])
def test_the_smallest_solution_is_that_of_numpy(many: int) -> None:
    generator = torch.Generator().manual_seed(many)
    a = torch.randn(5, 8, many, generator=generator, dtype=torch.float64)
    y = torch.randn(5, 8, generator=generator, dtype=torch.float64)
    smallest, damped = solved(a, y, 0.0, 0.1)
    for k in range(5):
        expected = np.linalg.lstsq(a[k].numpy(), y[k].numpy(), rcond=None)[0]
        assert smallest[k].numpy() == pytest.approx(expected, abs=1e-9)
        normal = a[k].T @ a[k] + 0.1 * 8 * torch.eye(many, dtype=torch.float64)
        assert damped[k].numpy() == pytest.approx(torch.linalg.solve(normal, a[k].T @ y[k]).numpy(), abs=1e-9)


def test_least_squares_on_powers_is_polyfit() -> None:
    x = np.linspace(-1, 1, 9)
    y = np.sin(3 * x)
    (w,) = solved(torch.from_numpy(np.vander(x, 5))[None], torch.from_numpy(y)[None], 0.0)
    assert w[0].numpy() == pytest.approx(np.polyfit(x, y, 4), abs=1e-10)


def test_weight_decay_of_a_line_ends_at_the_closed_form_of_ridge() -> None:
    """λ/2 |w|² beside half the mean squared error: w = (x'x / n + λ)⁻¹ x'y / n, with the bias left alone."""
    random = np.random.default_rng(0)
    x = random.uniform(-1, 1, 30)
    x -= x.mean()
    y = 2 * x + 0.3 + 0.1 * random.standard_normal(30)
    net = Perceptron([1, 1], [], "squared")
    net.train(points(x, y), Optimiser("sgd", 0.5, decay=0.2), 400)
    assert net.weights.tolist() == pytest.approx([(x @ y / 30) / (x @ x / 30 + 0.2), y.mean()], abs=1e-5)


@pytest.mark.parametrize(("count", "peak"), [(12, 3.0), (20, 20.0)])
def test_the_error_descends_twice(count: int, peak: float) -> None:
    p = Params(points=count)
    found = sweep(p, 0)
    sizes, test, train = found["sizes"], found["test"], found["train"]
    at = int(np.flatnonzero(sizes == count)[0])
    assert sizes[test.argmax()] == count
    assert test[at] > peak * test[sizes < count].min()
    assert test[at] > peak * test[-1]
    assert (train[sizes >= count + 4] < 1e-9).all()
    assert (train[sizes < count - 4] > 1e-3).all()
    assert test[-1] < test[sizes < count].min()  # as the text says of these features
    assert found["ridge"][at] < test[sizes < count].min()  # L2 takes the peak away
    assert (np.diff(found["length"][sizes > count]) < 0).all()  # the more features, the smaller
    assert (found["low"] <= test).all()
    assert (test <= found["high"]).all()
    assert test.min() > p.noise**2


def test_a_question_is_checked_and_answered_with_patches() -> None:
    settings = figures.asks(Params(points=60))[0]["args"]
    arrays = look(job(), None, "descent", settings)
    assert int(arrays["points"]) == FEW
    patches = figures.answer(Params(), "descent", settings, arrays)
    assert {one.trace for one in patches} == {"middle", "train", "test", "ridge", "peak"}
    assert patches[0].data["say"]["points"] == FEW
    for bad in ({"points": 1}, {"noise": "x"}, {"ridge": 7}):
        with pytest.raises(Problem):
            look(job(), None, "descent", {**settings, **bad})
    with pytest.raises(Problem):
        look(job(), None, "else", {})


def test_captions_name_the_numbers_of_the_code() -> None:
    for language in ("en", "zh"):
        caption = text.read("overfitting", language).figures["descent"].caption
        assert f"{DRAWS}" in caption
        assert f"{FEW}" in caption


# what the text says


def test_a_guess_is_drawn_and_no_part_of_the_run() -> None:
    guess = "1,0.5" + "," * (COLUMNS - 2)
    p = Params(guess=guess)
    assert drawn(guess)[:3] == [1.0, 0.5, None]
    assert catalog.job("overfitting", p) == catalog.job("overfitting", Params())
    plot = figures.draw(p, text.read("overfitting", "en"))["curves"]
    assert isinstance(plot, Plot)
    trace = next(one for one in plot.traces if "draw" in one)
    assert trace["y"] == drawn(guess)
    assert (trace["x"][0], trace["x"][-1]) == (0, p.steps)


def test_the_default_learns_its_points_by_heart() -> None:
    last, _ = ended("")
    assert last["train"] < 0.5 * last["noise"]
    assert last["test"] > 2 * last["noise"]
    assert last["variance"] > 3 * last["bias2"]
    assert last["best_step"] < 1000
    assert last["best"] < 0.8 * last["test"]


def test_cures_do_what_the_text_says() -> None:
    plain, before = ended("seeds=6")
    middle = slice(18, 23)  # of the histogram, round zero
    for number in (4, 5, 6, 7, 8):
        settings = text.read("overfitting", "en").tries[number].settings
        cured, frame = ended("&".join(f"{key}={value}" for key, value in ({**settings, "seeds": "6"}).items()))
        assert cured["test"] < 0.9 * plain["test"], number
        if number in (4, 5):
            assert cured["train"] > plain["train"]
            assert frame["weights"][middle].sum() > 1.5 * before["weights"][middle].sum()
    stiff, _ = ended("width=1&seeds=6")
    assert stiff["bias2"] > 2 * stiff["variance"]
    much, _ = ended("points=200&seeds=6")
    assert plain["train"] < much["train"] < much["test"] < plain["test"]
    assert much["test"] - much["train"] < 0.1 * (plain["test"] - plain["train"])


def test_bagging_is_better_than_nearly_all_it_is_made_of() -> None:
    last, _ = ended("sets=bootstrap&seeds=16")
    single = [last[f"test.{k}"] for k in range(16)]
    assert np.mean(last["bagged"] < np.array(single)) > 0.85
    assert list(run(job(steps=100, seeds=1, width=2)))[-1].scalars["variance"] == 0.0
