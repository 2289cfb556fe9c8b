"""The activations lesson against torch itself: derivatives, variances, nine networks alone, what its text says."""

from __future__ import annotations

import contextlib
import io
import math
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from engine.controls import Slider
from engine.models.initial import initial
from engine.models.perceptron import FORWARD
from engine.models.shapes import SLOPE, VALUE
from engine.params import parse
from engine.types import Checkpoint, Job, Problem, Scalars, Step
from lessons import catalog, text
from lessons.activations import figures
from lessons.activations.compute import Classifiers, look, mean_squares, run
from lessons.activations.depth import SAMPLES, WIDTH, gain, variances
from lessons.activations.nine import GRID, QUIET, Nine, dots
from lessons.activations.params import FUNCTIONS, INITS, POINTS, PRESETS, SHAPES, TINY, Params
from lessons.activations.points import REACH, SIDE, Points, points
from lessons.board.figures import Choose, Map, Plot
from lessons.board.fold import fold
from lessons.board.readings import reading
from tests.lessons.modules import MODULE

ENTRY = "lessons.activations.compute:run"


def job(**values: Any) -> Job:
    p = parse(Params, {"pace": 0, **values})
    return Job(ENTRY, p.model_dump(mode="json"), p.seed)


def history(**values: Any) -> list[Scalars]:
    return [step.scalars for step in run(job(**values))]


@cache
def shown(query: str) -> list[Scalars]:
    """The run that a Try or a Predict of the text makes."""
    values: dict[str, Any] = {**text.settings(query), "pace": 0}
    return history(**values)


def tries(number: int, seed: int = 0) -> list[Scalars]:
    chosen = {**text.read("activations", "en").tries[number].settings, "seed": seed}
    return shown("&".join(f"{key}={value}" for key, value in chosen.items()))


# the functions


def autograd(name: str, x: torch.Tensor) -> torch.Tensor:
    """torch's own derivative of torch's own function; the step, which has no way back, gives zeros."""
    x = x.clone().requires_grad_()
    y = MODULE[name]()(x) if name in MODULE else (x > 0).to(x.dtype)
    if not y.requires_grad:
        return torch.zeros_like(x)
    found = torch.autograd.grad(y.sum(), x)[0]
    return torch.as_tensor(found)


@pytest.mark.parametrize("name", SHAPES)
def test_values_and_slopes_are_those_of_torch_on_the_whole_grid_and_beyond(name: str) -> None:
    x = np.concatenate([figures.curve(name)[0], np.linspace(-30, 30, 241), [-1e-3, 0.0, 1e-3]])
    there = torch.from_numpy(x)
    y = MODULE[name]()(there) if name in MODULE else (there > 0).double()
    assert VALUE[name](x) == pytest.approx(y.numpy(), abs=3e-9)  # torch's softplus is the line itself above 20
    assert SLOPE[name](x) == pytest.approx(autograd(name, there).numpy(), abs=3e-9)
    assert FORWARD[name](there).numpy() == pytest.approx(y.numpy(), abs=0)


@pytest.mark.parametrize("name", [one for one in SHAPES if one != "step"])
def test_slopes_are_finite_differences_too(name: str) -> None:
    x = np.linspace(-5, 5, 100)  # no point at a kink
    h = 1e-5
    assert SLOPE[name](x) == pytest.approx((VALUE[name](x + h) - VALUE[name](x - h)) / (2 * h), abs=1e-8)


def test_no_function_overflows_or_warns_where_numbers_are_large() -> None:
    huge = np.array([-1e200, -1e3, -40.0, 0.0, 40.0, 1e3, 1e200])
    with np.errstate(all="raise", under="ignore"):
        for name in SHAPES:
            assert np.isfinite(VALUE[name](huge)).all(), name
            assert np.isfinite(SLOPE[name](huge)).all(), name


# variance through depth


@pytest.mark.parametrize("init", INITS)
def test_the_gain_of_an_initialisation_is_the_variance_it_has(init: str) -> None:
    generator = torch.Generator().manual_seed(1)
    weights = torch.stack([initial(torch.empty(WIDTH, WIDTH), init, generator) for _ in range(8)])
    assert WIDTH * weights.square().mean().item() == pytest.approx(gain(init), rel=0.03)


def averaged(name: str, init: str, layers: int, count: int) -> tuple[Any, Any]:
    found = [mean_squares(name, init, layers, seed) for seed in range(count)]
    return np.mean([signal for signal, _ in found], 0), np.mean([back for _, back in found], 0)


@pytest.mark.parametrize(("name", "init"), [("linear", "xavier"), ("relu", "he"), ("relu", "xavier"), ("leaky", "he")])
def test_the_closed_form_is_the_mean_over_networks(name: str, init: str) -> None:
    """Exact at any width: 60 networks of 10 layers stay within their own scatter of it."""
    runs = [mean_squares(name, init, 10, seed) for seed in range(60)]
    for part in (0, 1):
        each = np.array([one[part] for one in runs])
        bound = 4 * each.std(0) / math.sqrt(len(each)) + 1e-12
        assert (np.abs(each.mean(0) - variances(name, init, 10)[part]) < bound).all()


def test_an_orthogonal_linear_network_changes_nothing_at_all() -> None:
    signal, gradient = mean_squares("linear", "orthogonal", 50, 3)
    assert signal == pytest.approx(np.full(50, signal[0]), rel=1e-10)
    assert gradient == pytest.approx(np.full(50, gradient[-1]), rel=1e-10)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "elu", "gelu", "silu", "softplus"])
def test_the_integral_is_what_networks_do_up_to_their_width(name: str) -> None:
    """Exact only for wide layers: at width 128, eight layers deep, the mean of 30 networks comes within 15 %."""
    signal, gradient = averaged(name, "xavier", 8, 30)
    wanted = variances(name, "xavier", 8)
    assert signal == pytest.approx(np.array(wanted[0]), rel=0.15)
    assert gradient == pytest.approx(np.array(wanted[1]), rel=0.15)


def test_the_closed_forms_of_he_and_glorot() -> None:
    layers = np.arange(50)
    for name, init, level in (("relu", "he", 2.0), ("linear", "xavier", 1.0)):
        assert variances(name, init, 50)[0] == pytest.approx([level] * 50)
        assert variances(name, init, 50)[1] == pytest.approx([1.0] * 50)
    assert variances("relu", "xavier", 50)[0] == pytest.approx(0.5**layers)
    assert variances("relu", "xavier", 50)[1] == pytest.approx(0.5 ** layers[::-1])
    assert variances("linear", "normal", 50)[0][-1] == pytest.approx(float(WIDTH) ** 50)


def test_the_deep_network_is_an_ordinary_one() -> None:
    """The same network from torch's own layers: hooks for the signal, backward for the gradient."""
    signal, gradient = mean_squares("tanh", "he", 6, 5)
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(SAMPLES, WIDTH, generator=generator, dtype=torch.float64)
    layers: list[nn.Linear] = []
    for _ in range(6):
        layers.append(nn.Linear(WIDTH, WIDTH, bias=False, dtype=torch.float64))
        nn.init.kaiming_normal_(layers[-1].weight, nonlinearity="relu", generator=generator)
    last = torch.randn(SAMPLES, WIDTH, generator=generator, dtype=torch.float64)
    outputs = []
    for number, layer in enumerate(layers):
        x = layer(torch.tanh(x) if number else x)
        x.retain_grad()
        outputs.append(x)
    (outputs[-1] * last).sum().backward()
    assert signal == pytest.approx([z.square().mean().item() for z in outputs])
    assert gradient == pytest.approx([z.grad.square().mean().item() for z in outputs if z.grad is not None])


def test_nothing_comes_back_through_steps() -> None:
    signal, gradient = mean_squares("step", "he", 5, 0)
    assert gradient[:-1].tolist() == [0.0] * 4
    assert gradient[-1] > 0.9
    assert variances("step", "he", 5)[1] == (0.0, 0.0, 0.0, 0.0, 1.0)
    assert (signal > 0).all()


def test_questions_answer_in_bounds_and_refuse_in_words() -> None:
    asked = figures.asks(Params())[0]
    found = look(job(), None, asked["name"], asked["args"])
    assert found["signal"].shape == found["gradient"].shape == (4, 30)
    patches = figures.answer(Params(), "depth", asked["args"], found)
    assert patches[0].data["say"] == {"n": 4, "alive": 1, "layers": 30}
    drawn = figures.draw(Params(), text.read("activations", "en"))
    folded = fold(drawn, [], patches)["deep"]
    trace = next(one for one in folded["traces"] if one["name"] == "gradient.relu")
    assert trace["y"] == pytest.approx(found["gradient"][2], rel=1e-5)
    dead = look(job(), None, "depth", {"functions": ["step"], "layers": 4})
    gaps = next(p for p in figures.answer(Params(), "depth", {"functions": ["step"]}, dead) if "gradient" in p.trace)
    assert gaps.data["y"][:3] == [None, None, None]
    wrong: list[dict[str, Any]] = [{"layers": 51}, {"init": "zeros"}, {"functions": ["relu", "magic"]}]
    for args in [*wrong, {"functions": []}, {"layers": "x"}]:
        with pytest.raises(Problem) as told:
            look(job(), None, "depth", args)
        assert told.value.zh
    with pytest.raises(Problem):
        look(job(), None, "nonsense", {})
    with pytest.raises(Problem):
        figures.answer(Params(), "nonsense", {}, {})


# the points


@pytest.mark.parametrize("kind", POINTS)
def test_points_are_two_equal_classes_with_a_held_out_part(kind: str) -> None:
    found = points(kind, 0.1, 3)
    assert found.train.shape == (200, 2)
    assert found.held.shape == (100, 2)
    assert found.train_class.mean() == found.held_class.mean() == 0.5
    assert found.train.mean(0) == pytest.approx([0, 0], abs=1e-6)
    assert found.train.std(0) == pytest.approx([1, 1], abs=1e-5)
    pairs = np.concatenate([found.train, found.held])
    assert len(np.unique(pairs, axis=0)) == 300  # nobody is in both parts
    assert not np.array_equal(points(kind, 0.1, 4).train, found.train)


def test_points_without_noise_lie_on_their_curves() -> None:
    from lessons.activations.points import spirals

    x, y = spirals(0.0, 0)
    radius, angle = np.hypot(*x.T), np.arctan2(x[:, 1], x[:, 0])
    turned = (radius * 2.5 * np.pi + np.pi * y - angle) / (2 * np.pi)
    assert turned == pytest.approx(np.round(turned), abs=1e-9)


# the nine


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
@pytest.mark.parametrize("name", [one for one in FUNCTIONS if one != "step"])
def test_each_of_the_nine_is_the_network_trained_alone(name: str, optimiser: str) -> None:
    p = Params(optimiser=optimiser, lr=0.3 if optimiser == "sgd" else 0.02, steps=50, width=6, depth=2, seed=4)
    found = history(**p.model_dump(mode="json", exclude={"pace"}))
    data = points(p.points, p.noise, p.seed)
    x, y = torch.from_numpy(data.train), torch.from_numpy(data.train_class)
    generator = torch.Generator().manual_seed(p.seed)
    layers: list[nn.Module] = []
    for fan_in, fan_out in ((2, 6), (6, 6), (6, 1)):
        linear = nn.Linear(fan_in, fan_out)
        nn.init.xavier_normal_(linear.weight, generator=generator)
        nn.init.zeros_(linear.bias)
        layers += [linear, MODULE[name]()]
    model = nn.Sequential(*layers[:-1])
    made = (
        torch.optim.SGD(model.parameters(), p.lr) if optimiser == "sgd" else torch.optim.Adam(model.parameters(), p.lr)
    )
    for scalars in found:
        scores = model(x)[:, 0]
        loss = F.binary_cross_entropy_with_logits(scores, y)
        assert scalars[f"loss.{name}"] == pytest.approx(loss.item(), rel=2e-3, abs=1e-5)
        made.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        made.step()
    assert found[1][f"loss.{name}"] < found[0][f"loss.{name}"]


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_many_steps_at_a_call_are_the_same_bits_as_one_by_one(optimiser: str) -> None:
    asked = job(steps=60, optimiser=optimiser, width=8)
    told = {step.step: step.scalars for step in run(asked)}
    lane = Classifiers(asked)
    found: dict[int, Scalars] = {}
    for count in (1, 7, 13, 25, 100):
        for group in lane.step_many(count):
            for step, row in zip(group.steps.tolist(), group.values.tolist(), strict=True):
                found[step] = dict(zip(group.names, row, strict=True))
        lane.change({"lr": lane.lr})
    assert found == told
    assert lane.step == 60


def test_each_of_many_seeds_is_the_run_with_that_seed_and_the_band_is_drawn_from_them() -> None:
    settings = {"steps": 50, "width": 4, "depth": 2}
    rows = [(step.step, dict(step.scalars)) for step in run(job(seeds=5, seed=7, **settings))]
    for k in range(5):
        alone = history(seed=7 + k, **settings)
        for step in range(0, 51, 10):
            for name in FUNCTIONS:
                assert rows[step][1][f"seed.{name}.{k}"] == alone[step][f"loss.{name}"]
    assert "seed.relu.0" not in rows[1][1]
    assert not any(name.startswith("seed.") for name in history(**settings)[0])
    p = Params(seeds=5, functions=("relu",), **settings)
    trace = fold(figures.draw(p, text.read("activations", "en")), rows)["seeds"]["traces"][0]
    assert trace["x"] == list(range(0, 51, 10))
    last = sorted(rows[50][1][f"seed.relu.{k}"] for k in range(5))
    assert [trace[key][-1] for key in ("low", "lower", "y", "upper", "high")] == last
    assert rows[50][1]["middle.relu"] == last[2]


def test_only_the_last_layer_of_the_step_network_learns() -> None:
    before, *_, after = (copied(step.state()) for step in run(job(steps=50, init="he")))
    k = FUNCTIONS.index("step")
    width = Params().width
    moved = before["0.model"] != after["0.model"]
    assert not moved[k, : -width - 1].any()
    assert moved[k, -width - 1 :].any()
    for other, name in enumerate(FUNCTIONS):
        assert moved[other, : 2 * width].any() == (name != "step"), name


def test_dead_and_asleep_are_counted_as_the_text_says() -> None:
    """One by one, with each function's own derivative, in plain loops."""
    p = Params(width=5, depth=2, init="normal", seed=2)
    data = points(p.points, p.noise, p.seed)
    nine = Nine(p, p.seed)
    nine.nets[FUNCTIONS.index("relu")].layers()[0][1][3:] -= 50.0  # two units that no point wakes
    found = nine.check()
    for k, name in enumerate(FUNCTIONS):
        dead = asleep = units = 0
        h = torch.from_numpy(data.train)
        for weight, bias in nine.nets[k].layers()[:-1]:
            z = F.linear(h, weight, bias)
            h = FORWARD[name](z)
            slope = np.abs(SLOPE[name](z.numpy().astype(np.float64)))
            for unit in slope.T:
                units += 1
                asleep += int((unit < QUIET).sum())
                dead += bool((unit < QUIET).all())
        assert found[f"dead.{name}"] == pytest.approx(dead / units, abs=1e-6)
        assert found[f"asleep.{name}"] == pytest.approx(asleep / units / 200, abs=2e-3)
    assert found["dead.relu"] >= 0.2
    assert found["dead.step"] == found["asleep.step"] == 1
    assert found["dead.leaky"] == found["asleep.leaky"] == 0


def test_the_maps_are_what_each_network_says_there_and_the_dots_lie_where_the_points_are() -> None:
    *_, last = run(job(steps=50))
    p = Params(steps=50, pace=0)
    data = points(p.points, p.noise, p.seed)
    (nine,) = Classifiers(job(steps=50), last.state()).nines
    found = last.frame()
    assert found["maps"].dtype == found["dots"].dtype == np.uint8
    sure = np.empty((9, SIDE, SIDE))
    for k, net in enumerate(nine.nets):
        h = GRID
        for (weight, bias), act in zip(net.layers(), (*net.activations, "linear"), strict=True):
            h = FORWARD[act](F.linear(h, weight, bias))
        sure[k] = torch.sigmoid(h).numpy().reshape(SIDE, SIDE)
    assert np.abs(found["maps"] / 255 - sure).max() <= 0.5 / 255 + 1e-6
    x, y = GRID[5].tolist()
    assert x == pytest.approx((5.5 / SIDE * 2 - 1) * REACH)
    assert y == pytest.approx((1 - 1 / SIDE) * REACH)
    across, down, kind = found["dots"].T.astype(float)
    assert across[:200] / 255 * 2 * REACH - REACH == pytest.approx(data.train[:, 0], abs=REACH / 255 + 1e-6)
    assert REACH - down[200:] / 255 * 2 * REACH == pytest.approx(data.held[:, 1], abs=REACH / 255 + 1e-6)
    assert (kind[:200] == data.train_class).all()
    assert (kind[200:] == data.held_class + 2).all()
    # what is drawn agrees with the accuracy that is said: the map at a point's cell is its class
    held = nine.frame()["maps"][FUNCTIONS.index("tanh")]
    cells = np.clip(((data.held[:, 0] + REACH) / (2 * REACH) * SIDE).astype(int), 0, SIDE - 1)
    rows = np.clip(((REACH - data.held[:, 1]) / (2 * REACH) * SIDE).astype(int), 0, SIDE - 1)
    right = ((held[rows, cells] > 127) == (data.held_class > 0)).mean()
    assert right == pytest.approx(last.scalars["held.tanh"], abs=0.06)


def test_points_beyond_the_map_are_drawn_at_its_edge() -> None:
    far = np.array([[9.0, -9.0]], np.float32)
    one = np.array([1.0], np.float32)
    assert dots(Points(far, one, far, one)).tolist() == [[255, 255, 1], [255, 255, 3]]


# runs


def copied(state: Checkpoint) -> Checkpoint:
    return {key: array.copy() for key, array in state.items()}


def steps(work: Any) -> list[Step]:
    return list(work)


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_a_run_that_is_resumed_is_bit_identical(optimiser: str) -> None:
    asked = job(steps=50, optimiser=optimiser, lr=0.02)
    whole: list[tuple[Scalars, Checkpoint]] = [(step.scalars, copied(step.state())) for step in run(asked)]
    again = [(step.scalars, copied(step.state())) for step in run(asked, copied(whole[20][1]))]
    assert [scalars for scalars, _ in again] == [scalars for scalars, _ in whole[21:]]
    for (_, new), (_, old) in zip(again, whole[21:], strict=True):
        assert new.keys() == old.keys()
        assert all(np.array_equal(new[key], old[key]) for key in new)


def test_a_live_learning_rate_is_adopted_kept_and_dropped_by_a_fork() -> None:
    work = run(job(steps=50))
    next(work)
    changed = work.send({"lr": 0.01})
    assert changed.scalars["lr"] == 0.01
    kept = copied(changed.state())
    resumed = [step.scalars for step in run(job(steps=50, lr=0.01), copied(kept))]
    assert resumed == [step.scalars for step in work]
    assert next(run(job(steps=50, lr=0.5), kept)).scalars["lr"] == 0.5


def test_networks_of_another_size_are_refused_in_words() -> None:
    *_, last = run(job(steps=50))
    for values in ({"width": 8}, {"depth": 2}, {"depth": 4}):
        with pytest.raises(Problem, match="another size"):
            next(run(job(steps=50, **values), copied(last.state())))


def test_a_fork_with_the_other_optimiser_starts_it_afresh() -> None:
    *_, last = run(job(steps=50))
    forked = steps(run(job(steps=60, optimiser="adam", lr=0.01), copied(last.state())))
    assert len(forked) == 10
    assert math.isfinite(forked[-1].scalars["loss"])


def test_a_network_that_overflows_takes_no_other_with_it() -> None:
    """Standard normal weights, twenty layers, steps of 10: some overflow, step and sigmoid cannot."""
    found = history(steps=50, init="normal", width=64, depth=20, lr=10.0)
    assert found[-1]["failed"] >= 1
    assert math.isfinite(found[-1]["loss.step"])
    assert math.isfinite(found[-1]["loss.sigmoid"])
    lost = [name for name in FUNCTIONS if not math.isfinite(found[-1][f"loss.{name}"])]
    assert {f"failed.{name}" for name in lost} == {key for key in found[-1] if key.startswith("failed.")}
    *_, last = run(job(steps=50, init="normal", width=64, depth=20, lr=10.0))
    assert last.frame()["maps"].shape == (9, SIDE, SIDE)


# the board


@pytest.mark.parametrize("language", catalog.LANGUAGES)
def test_captions_of_the_maps_are_numbers_of_the_run(language: str) -> None:
    words = text.read("activations", language)
    drawn = figures.draw(TINY, words)["boundaries"]
    assert isinstance(drawn, Map)
    rows = [(step.step, step.scalars) for step in run(Job(ENTRY, TINY.model_dump(mode="json"), 0))]
    said = [reading(name, rows) for name in drawn.tiles]
    for name, caption in zip(FUNCTIONS, said, strict=True):
        title, numbers = caption.split("\n")
        assert title == words.controls["functions"].options[name]
        assert numbers.startswith(f"{100 * rows[-1][1][f'held.{name}']:.1f} %")
        assert numbers.endswith(f"{100 * rows[-1][1][f'dead.{name}']:.1f} %")
    assert reading(drawn.tiles[0], []) == words.controls["functions"].options["step"]
    lost = [(0, {"failed.step": 1.0, "held.step": 0.5, "dead.step": 1.0})]
    assert words.figures["boundaries"].labels["failed"] in reading(drawn.tiles[0], lost)


@pytest.mark.parametrize("x", [-6.0, -1.0, 0.0, 0.05, 6.0])
def test_handles_stand_on_their_curves_and_tangents_have_their_slope(x: float) -> None:
    words = text.read("activations", "en")
    drawn = figures.draw(Params(x=x, functions=SHAPES), words)["shape"]
    assert isinstance(drawn, Plot)
    assert drawn.picks == Choose({"x": "x"})
    traces = {trace["name"]: trace for trace in drawn.traces}
    held = [trace for trace in drawn.traces if "hold" in trace]
    assert len(held) == 2 + 3 * len(SHAPES)
    for trace in held:
        hold = trace["hold"]
        curve = traces[hold["curve"]]
        index = int(np.argmin(np.abs(np.array(curve["x"]) - x)))
        assert curve["x"][index] == pytest.approx(x, abs=1e-9)
        if hold.get("upright"):
            assert trace["x"] == [x, x]
        elif "slope" in hold:
            (left, _, right), (low, middle, high) = trace["x"], trace["y"]
            assert middle == curve["y"][index]
            assert (high - low) / (right - left) == pytest.approx(traces[hold["slope"]]["y"][index], abs=1e-8)
        else:
            assert (trace["x"], trace["y"]) == ([curve["x"][index]], [curve["y"][index]])


def test_numbers_of_points_above_each_other_do_not_write_over_each_other() -> None:
    drawn = figures.draw(Params(x=-1.0, functions=("sigmoid", "tanh", "relu", "gelu")), text.read("activations", "en"))
    plot = drawn["shape"]
    assert isinstance(plot, Plot)
    for axis in ("y", "y2"):
        dots = [one for one in plot.traces if one.get("texttemplate") and one["yaxis"] == axis]
        ranked = sorted(dots, key=lambda one: -one["y"][0])
        sides = [one["textposition"] for one in ranked]
        assert sides == ["top right", "top left", "bottom right", "bottom left"]


def test_the_slider_and_the_curve_have_the_same_grain() -> None:
    control = dict(Params.controls())["x"]
    assert isinstance(control, Slider)
    x = figures.curve("relu")[0]
    assert np.diff(x) == pytest.approx(np.full(len(x) - 1, control.step))
    assert (x[0], x[-1]) == (control.low, control.high)


# the text


def test_worked_example_3_is_computed_again() -> None:
    x = torch.tensor([-2.0, 0.0, 2.0], dtype=torch.float64)
    said = {
        "relu": ([0, 0, 2], [0, 0, 1]),
        "sigmoid": ([0.1192, 0.5, 0.8808], [0.1050, 0.25, 0.1050]),
        "tanh": ([-0.9640, 0, 0.9640], [0.0707, 1, 0.0707]),
    }
    for name, (value, slope) in said.items():
        assert MODULE[name]()(x).tolist() == pytest.approx(value, abs=5e-5)
        assert autograd(name, x).tolist() == pytest.approx(slope, abs=5e-5)
    for language in catalog.LANGUAGES:
        source = (catalog.lesson("activations").folder / f"{language}.md").read_text("utf-8")
        for number in (
            "0.1192",
            "0.5000",
            "0.8808",
            "0.9640",
            "0.1353",
            "1.1353",
            "7.389",
            "0.1050",
            "0.0707",
            "0.0110",
        ):
            assert number in source, number
    assert math.exp(-2) == pytest.approx(0.1353, abs=5e-5)
    assert math.exp(2) == pytest.approx(7.389, abs=5e-4)
    assert autograd("sigmoid", x)[2].item() ** 2 == pytest.approx(0.0110, abs=5e-5)


def test_bounds_of_sleep_that_the_text_gives() -> None:
    for name, edge in (("sigmoid", 5.3), ("tanh", 3.3)):
        slope = SLOPE[name](np.array([edge - 0.1, edge + 0.1]))
        assert slope[1] < QUIET < slope[0]
    assert SLOPE["leaky"](np.array([-1e6]))[0] > QUIET


def test_twelve_layers_do_what_the_text_says() -> None:
    query = text.read("activations", "en").tries[3].settings
    last = tries(3)[-1]
    for name in ("sigmoid", "gelu"):
        assert last[f"loss.{name}"] == pytest.approx(math.log(2), abs=2e-3)
    assert last["loss.tanh"] < 0.1
    he = shown("&".join(f"{key}={value}" for key, value in {**query, "init": "he"}.items()))[-1]
    assert he["loss.gelu"] < 0.1
    assert he["loss.sigmoid"] == pytest.approx(math.log(2), abs=2e-3)


@pytest.mark.parametrize("seed", range(5))
def test_small_weights_do_what_the_text_says(seed: int) -> None:
    last = tries(4, seed)[-1]
    for name in FUNCTIONS:
        if name == "step":
            assert last["loss.step"] < 0.6
        else:
            assert last[f"loss.{name}"] == pytest.approx(math.log(2), abs=2e-3)


@pytest.mark.parametrize("seed", range(5))
def test_default_dead_and_rescue_do_what_the_text_says(seed: int) -> None:
    first = tries(0, seed)
    assert first[-1]["dead.step"] == 1
    assert min(first[-1]["loss.step"], first[-1]["loss.sigmoid"]) > 0.2
    assert first[-1]["loss.tanh"] < 0.05
    assert 0.3 < first[-1]["asleep.relu"] < 0.6
    killed = tries(5, seed)
    assert killed[-1]["dead.relu"] > 0.3
    assert killed[-1]["dead.leaky"] == 0
    dead = [one["dead.relu"] for one in killed if "dead.relu" in one]
    assert dead[-1] > dead[0]
    saved = tries(6, seed)[-1]
    assert max(saved["loss.sigmoid"], saved["loss.softplus"]) < 0.05


def test_predictions_are_right() -> None:
    gradient = variances("sigmoid", "xavier", 30)[1]
    assert gradient[0] < 16.0**-29 < 1e-24
    assert mean_squares("sigmoid", "xavier", 30, 0)[1][0] < 1e-30
    assert variances("relu", "he", 50)[0][-1] == pytest.approx(2)
    assert variances("relu", "torch", 30)[0][-1] == pytest.approx(1e-23, rel=0.2)
    assert 1e-9 < 0.5**29 < 2e-9
    assert gain("normal") == 128
    ends = [mean_squares("relu", "he", 50, seed)[0][-1] for seed in range(12)]
    assert any(end > 8 or end < 0.5 for end in ends)  # a factor of four from 2


@pytest.mark.parametrize("kind", POINTS)
def test_the_script_gives_the_run(kind: str, tmp_path: Path) -> None:
    settings = TINY.model_copy(update={"points": kind, "init": "he", "optimiser": "adam", "lr": 0.02})
    source = catalog.script("activations", settings)
    path = tmp_path / "activations.py"
    path.write_text(source)
    out = io.StringIO()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with contextlib.redirect_stdout(out):
            exec(compile(source, str(path), "exec"), {"__name__": "__main__"})
        *_, last = run(Job(ENTRY, settings.model_dump(mode="json"), 0))
    finally:
        torch.set_num_threads(threads)
    said = out.getvalue().strip().splitlines()
    assert float(said[-1].removeprefix("final loss ")) == pytest.approx(last.scalars["loss"], abs=1e-5)
    for name, line in zip(FUNCTIONS, said, strict=False):
        found = re.match(rf"{name} +loss ([\d.]+)  accuracy ([\d.]+)  held out ([\d.]+)", line)
        assert found
        assert float(found[1]) == pytest.approx(last.scalars[f"loss.{name}"], abs=1e-4)
        assert float(found[3]) == pytest.approx(last.scalars[f"held.{name}"], abs=0.011)


def test_every_preset_trains() -> None:
    for name, settings in PRESETS.items():
        values: dict[str, Any] = {**settings, "steps": 50}
        found = history(**values)
        assert len(found) == 51, name
        assert math.isfinite(found[-1]["loss"]), name
