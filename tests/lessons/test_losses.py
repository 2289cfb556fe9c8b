"""The losses lesson against torch itself: curves, gradients, best lines in closed form, float32, what its text says."""

from __future__ import annotations

import contextlib
import io
import math
import re
from collections.abc import Callable
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.params import parse
from engine.types import Checkpoint, Job, Problem, Scalars
from lessons import catalog, text
from lessons.board.figures import Plot, Table
from lessons.board.fold import fold
from lessons.board.readings import parts, reading
from lessons.losses import figures
from lessons.losses.compute import run
from lessons.losses.curves import in_float32, of_logit, of_residual
from lessons.losses.params import CLASSES, LOSSES, PRESETS, TINY, TOPICS, Params
from lessons.losses.points import HEIGHT, SLOPE, near_line
from lessons.losses.tasks import Borders, Line, naive, regression, safe

ENTRY = "lessons.losses.compute:run"


def job(**values: Any) -> Job:
    p = parse(Params, {"pace": 0, **values})
    return Job(ENTRY, p.model_dump(mode="json"), p.seed)


def history(**values: Any) -> list[Scalars]:
    return [step.scalars for step in run(job(**values))]


@cache
def shown(query: str) -> list[Scalars]:
    """The run that a Try or a Predict of the text makes."""
    return history(**text.settings(query))


def tries(number: int, **values: Any) -> list[Scalars]:
    chosen = {**text.read("losses", "en").tries[number].settings, **values}
    return shown("&".join(f"{key}={value}" for key, value in chosen.items()))


# the curves


def autograd(function: Callable[[Tensor], Tensor], x: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    there = torch.from_numpy(x).requires_grad_()
    y = function(there)
    return y.detach().numpy(), torch.autograd.grad(y.sum(), there)[0].numpy()


@pytest.mark.parametrize("delta", [0.1, 1.0, 3.0, 10.0])
def test_losses_of_a_residual_and_their_slopes_are_those_of_torch(delta: float) -> None:
    e = np.concatenate([np.linspace(-12, 12, 481), [0.0, delta, -delta, 1e-9]])
    own: dict[str, Callable[[Tensor], Tensor]] = {
        "mse": lambda x: F.mse_loss(x, torch.zeros_like(x), reduction="none"),
        "mae": lambda x: F.l1_loss(x, torch.zeros_like(x), reduction="none"),
        "huber": lambda x: F.huber_loss(x, torch.zeros_like(x), reduction="none", delta=delta),
    }
    for name, function in own.items():
        for ours, theirs in zip(of_residual(name, e, delta), autograd(function, e), strict=True):
            assert ours == pytest.approx(theirs, abs=1e-12), name


@pytest.mark.parametrize("label", [0, 1])
def test_losses_of_a_logit_and_their_slopes_are_those_of_torch(label: int) -> None:
    z = np.concatenate([np.linspace(-8, 8, 161), [-30.0, 30.0, 1.0, -1.0]])
    target = torch.full((len(z),), float(label), dtype=torch.float64)
    own: dict[str, Callable[[Tensor], Tensor]] = {
        "ce": lambda x: F.cross_entropy(torch.stack([torch.zeros_like(x), x], 1), target.long(), reduction="none"),
        "mse": lambda x: F.mse_loss(torch.sigmoid(x), target, reduction="none"),
        "hinge": lambda x: F.hinge_embedding_loss(
            x * (2 * target - 1), torch.full_like(x, -1.0), margin=1.0, reduction="none"
        ),
        "score": lambda x: F.mse_loss(x, 2 * target - 1, reduction="none"),
    }
    for name, function in own.items():
        value, slope = of_logit(name, z, label)
        theirs, steep = autograd(function, z)
        assert value == pytest.approx(theirs, abs=1e-12), name
        kink = (name == "hinge") & (np.abs((2 * label - 1) * z - 1) < 1e-9)  # there either side's slope is one
        assert slope[~kink] == pytest.approx(steep[~kink], abs=1e-12), name


def test_no_curve_overflows_where_numbers_are_large() -> None:
    huge = np.array([-1e6, -800.0, 0.0, 800.0, 1e6])
    with np.errstate(all="raise", under="ignore"):
        for name in LOSSES["classes"]:
            assert np.isfinite(of_logit(name, huge, 1)).all()


# what is trained


def test_the_line_of_squared_error_ends_at_least_squares() -> None:
    x, y = near_line(0.5, 0)
    a = np.c_[[*x, 2.5], np.ones(21)]
    best = np.linalg.lstsq(a, np.array([*y, -7.0]), rcond=None)[0]
    last = history(steps=400)[-1]
    assert (last["w.mse"], last["b.mse"]) == pytest.approx(tuple(best), abs=1e-9)


def test_the_line_of_absolute_error_ends_next_to_the_best_there_is() -> None:
    """A line of least absolute error goes through two of the points."""
    x, y = (np.array([*part, end]) for part, end in zip(near_line(0.5, 0), (2.5, -7.0), strict=True))
    least = math.inf
    for i, j in combinations(range(21), 2):
        w = (y[j] - y[i]) / (x[j] - x[i]) if x[i] != x[j] else math.inf
        if math.isfinite(w):
            least = min(least, float(np.abs(w * (x - x[i]) + y[i] - y).mean()))
    coarse, fine = (history(steps=800, lr=lr)[-1]["loss.mae"] for lr in (0.1, 0.01))
    assert least <= fine < coarse
    assert fine == pytest.approx(least, abs=1e-3)


@pytest.mark.parametrize("delta", [0.3, 1.0, 10.0])
def test_the_line_of_huber_ends_where_its_gradient_is_zero(delta: float) -> None:
    last = history(steps=800, delta=delta, lr=0.15)[-1]
    x, y = (np.array([*part, end]) for part, end in zip(near_line(0.5, 0), (2.5, -7.0), strict=True))
    slope = np.clip(last["w.huber"] * x + last["b.huber"] - y, -delta, delta)
    assert [slope.mean(), (slope * x).mean()] == pytest.approx([0, 0], abs=1e-9)


def test_huber_becomes_half_the_square_or_scaled_absolute_error() -> None:
    wide, narrow = (history(delta=delta, lr=0.02, steps=400)[-1] for delta in (10.0, 0.1))
    assert wide["loss.huber"] == pytest.approx(wide["loss.mse"] / 2, rel=1e-4)
    x, y = (np.array([*part, end]) for part, end in zip(near_line(0.5, 0), (2.5, -7.0), strict=True))
    e = np.abs(narrow["w.huber"] * x + narrow["b.huber"] - y)
    assert narrow["loss.huber"] == pytest.approx(0.1 * (e - 0.05).mean(), rel=0.02)


def test_one_number_for_many_is_mean_median_or_between() -> None:
    values = torch.tensor([1.0, 2, 3, 4, 90], dtype=torch.float64)
    candidates = torch.linspace(0, 90, 9001, dtype=torch.float64)[:, None]
    best = {
        name: candidates[measure(candidates.expand(-1, 5), values.expand(9001, 5)).mean(1).argmin()].item()
        for name, measure in regression(1.0).items()
    }
    assert best["mse"] == pytest.approx(20)
    assert best["mae"] == pytest.approx(3)
    assert 3 <= best["huber"] < 4


def test_numbers_of_the_line_are_those_of_its_points() -> None:
    p = Params(outlier_x=-1.5, outlier_y=6.0, delta=0.7)
    line = Line(p, 3)
    for scalars in history(outlier_x=-1.5, outlier_y=6.0, delta=0.7, seed=3, steps=20)[::5]:
        for name in LOSSES["line"]:
            w, b = scalars[f"w.{name}"], scalars[f"b.{name}"]
            e = (w * line.x + b - line.y).numpy()
            cost, slope = of_residual(name, e, 0.7)
            assert scalars[f"loss.{name}"] == pytest.approx(cost.mean())
            assert scalars[f"off.{name}"] == pytest.approx(np.abs(e[:-1]).mean())
            assert scalars[f"residual.{name}"] == pytest.approx(e[-1])
            assert (scalars[f"cost.{name}"], scalars[f"slope.{name}"]) == pytest.approx((cost[-1], slope[-1]))
            assert scalars[f"pull.{name}"] == pytest.approx(abs(slope[-1]) / np.abs(slope).sum())
            assert scalars[f"right.{name}"] == pytest.approx(w * 8 + b)


def test_borders_lie_where_the_logit_is_zero_and_arrows_point_to_class_1() -> None:
    task = Borders(Params(topic="classes", start=-6.0), 0)
    found = history(topic="classes", start=-6.0, lr=0.2, steps=200)
    for scalars in found[::40]:
        for name in LOSSES["classes"]:
            weight = np.array([scalars[f"w1.{name}"], scalars[f"w2.{name}"]])
            z = task.x.numpy() @ weight + scalars[f"b.{name}"]
            cost, slope = of_logit(name, z[:10], 0), of_logit(name, z[10:], 1)
            assert scalars[f"loss.{name}"] == pytest.approx(np.concatenate([cost[0], slope[0]]).mean())
            assert scalars[f"push.{name}"] == pytest.approx(np.abs(np.concatenate([cost[1], slope[1]])).mean())
            assert scalars[f"right.{name}"] == ((z > 0) == (task.y.numpy() > 0)).mean()
            place = {key: np.array([scalars[f"x{key}.{name}"], scalars[f"y{key}.{name}"]]) for key in "01at"}
            logit = {key: at @ weight + scalars[f"b.{name}"] for key, at in place.items()}
            assert [logit["0"], logit["1"], logit["a"]] == pytest.approx([0, 0, 0], abs=1e-9)
            assert logit["t"] > 0
    assert found[0]["right.ce"] == found[0]["right.mse"] == 0
    assert math.isnan(history(topic="classes", steps=20)[0]["x0.ce"])  # no border yet


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_gradients_of_softmax_are_p_minus_y_and_the_formula_of_the_text(temperature: float) -> None:
    settings = {"topic": "softmax", "z1": 3.0, "z2": 0.5, "z3": -2.0, "temperature": temperature, "steps": 20}
    y = np.array([0.0, 0.0, 1.0])
    for scalars in history(**settings):
        for name in LOSSES["softmax"]:
            z, p, g = (np.array([scalars[f"{key}.{name}.{one}"] for one in CLASSES]) for key in "zpg")
            assert p == pytest.approx(np.exp(z / temperature) / np.exp(z / temperature).sum())
            d = p - y
            own = d if name == "ce" else 2 * p * (d - p @ d)
            assert g == pytest.approx(own / temperature, abs=1e-12)
            assert scalars[f"size.{name}"] == pytest.approx(np.linalg.norm(g))
            assert scalars[f"right.{name}"] == p[2]


def test_a_constant_added_to_all_logits_changes_no_probability() -> None:
    for here, there in zip(*(history(topic="softmax", steps=50, shift=shift) for shift in (0, 100)), strict=True):
        for name in LOSSES["softmax"]:
            assert there[f"z.{name}.a"] - here[f"z.{name}.a"] == pytest.approx(100)
            for key in ("p", "g"):
                assert there[f"{key}.{name}.a"] == pytest.approx(here[f"{key}.{name}.a"], abs=1e-9)


# float32


@pytest.mark.parametrize("right", CLASSES)
@pytest.mark.parametrize("z", [(2.0, 1.0, -1.0), (-1.0, -2.0, -3.0), (0.0, 0.0, 0.0)])
def test_the_cliff_is_where_torch_falls(right: str, z: tuple[float, float, float]) -> None:
    index = CLASSES.index(right)
    scale = np.arange(0.0, 121.0)
    rows = scale.astype(np.float32)[:, None] * np.array(z, np.float32)
    written, low = in_float32(rows, index)
    theirs = np.array([-naive(torch.from_numpy(row), index)[-1].item() for row in rows])
    assert (np.isnan(written) == np.isnan(theirs)).all()
    assert (np.isposinf(written) == np.isposinf(theirs)).all()
    normal = np.isfinite(theirs) & (theirs < 85)  # beyond, powers are subnormal and have few digits
    assert written[normal] == pytest.approx(theirs[normal], rel=1e-5, abs=1e-6)
    own = F.cross_entropy(torch.from_numpy(rows), torch.full((121,), index), reduction="none").numpy()
    assert low == pytest.approx(own, rel=1e-5, abs=1e-6)
    mine = [-safe(torch.from_numpy(row), index)[-1].item() for row in rows]
    assert mine == pytest.approx(own, rel=1e-5, abs=1e-6)


def test_zero_infinity_and_nan_are_met_on_the_way_and_kept() -> None:
    found = history(topic="overflow", scale=60, lr=2, steps=100)
    first, last = found[0], found[-1]
    assert (first["in.naive.a"], first["e.naive.a"], first["sum.naive"]) == (120, math.inf, math.inf)
    assert (first["p.naive"], first["log.naive"], first["cost.naive"]) == (0, -math.inf, math.inf)
    assert first["loss.naive"] == math.inf
    assert all(math.isnan(first[f"g.naive.{one}"]) for one in CLASSES)
    assert (first["in.safe.a"], first["e.safe.a"], first["sum.safe"], first["log.safe"]) == (0, 1, 1, -180)
    assert [first[f"g.safe.{one}"] for one in CLASSES] == pytest.approx([1, 0, -1])
    assert all(math.isnan(one["loss.naive"]) for one in found[1:])
    assert first["loss.safe"] == 180
    assert last["loss.safe"] < 0.01
    *_, step = run(job(topic="overflow", scale=60, lr=2, steps=20))
    rows = step.state()["model.rows"]
    assert rows.dtype == np.float32
    assert np.isfinite(rows[0]).all()
    assert np.isnan(rows[1]).all()


def test_a_gradient_is_wrong_before_the_cliff_as_the_text_says() -> None:
    at = history(topic="overflow", scale=20, steps=20)[0]
    assert at["loss.naive"] == at["loss.safe"]
    assert at["g.safe.a"] == pytest.approx(1, abs=1e-6)
    assert 1.01 < at["g.naive.a"] < 1.1
    info = np.finfo(np.float32)
    with np.errstate(over="ignore", under="ignore"):
        assert np.isinf(np.exp(np.float32(89)))
        assert np.isfinite(np.exp(np.float32(88)))
        assert np.exp(np.float32(-104)) == 0 < np.exp(np.float32(-103))
    assert float(info.max) == pytest.approx(3.4e38, rel=0.01)
    assert float(info.smallest_subnormal) == pytest.approx(1.4e-45, rel=0.01)


def test_gradients_of_both_ways_agree_where_both_are_sound() -> None:
    z = torch.tensor([2.0, -1.0, 0.5], dtype=torch.float64, requires_grad=True)
    own = torch.autograd.grad(F.cross_entropy(z, torch.tensor(1)), z)[0]
    for way in (safe, naive):
        assert torch.allclose(torch.autograd.grad(-way(z, 1)[-1], z)[0], own)


# runs


def copied(state: Checkpoint) -> Checkpoint:
    return {key: array.copy() for key, array in state.items()}


@pytest.mark.parametrize("topic", TOPICS)
def test_a_run_that_is_resumed_is_bit_identical(topic: str) -> None:
    asked = job(topic=topic, steps=30, lr=0.1)
    whole = [(step.scalars, copied(step.state())) for step in run(asked)]
    again = [(step.scalars, copied(step.state())) for step in run(asked, copied(whole[10][1]))]
    np.testing.assert_equal(again, whole[11:])


def test_a_live_learning_rate_is_adopted_kept_and_dropped_by_a_fork() -> None:
    work = run(job(steps=50))
    next(work)
    changed = work.send({"lr": 0.01})
    assert changed.scalars["lr"] == 0.01
    kept = copied(changed.state())
    assert [step.scalars for step in run(job(steps=50, lr=0.01), copied(kept))] == [step.scalars for step in work]
    assert next(run(job(steps=50, lr=0.5), kept)).scalars["lr"] == 0.5


def test_models_of_another_topic_are_refused_in_words() -> None:
    states = {topic: copied(next(run(job(topic=topic))).state()) for topic in TOPICS}
    for topic in TOPICS:
        for other in TOPICS:
            if other != topic:
                with pytest.raises(Problem, match=f"cannot be trained on {topic}"):
                    next(run(job(topic=topic), copied(states[other])))


def test_a_line_that_runs_away_takes_no_other_with_it() -> None:
    last = history(lr=20, steps=400)[-1]
    assert last["failed"] == last["failed.mse"] == 1
    assert not math.isfinite(last["loss.mse"])
    assert math.isfinite(last["loss"])
    assert last["loss"] == pytest.approx((last["loss.mae"] + last["loss.huber"]) / 2)


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("seed", [0, 7])
def test_the_script_gives_the_run(topic: str, seed: int, tmp_path: Path, one_thread: None) -> None:
    settings = TINY.model_copy(update={"topic": topic, "seed": seed, "start": -3.0, "delta": 0.5, "scale": 9.0})
    source = catalog.script("losses", settings)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(source, str(tmp_path / "losses.py"), "exec"), {"__name__": "__main__"})
    *_, last = run(Job(ENTRY, settings.model_dump(mode="json"), seed))
    said = out.getvalue().strip().splitlines()
    assert float(said[-1].removeprefix("final loss ")) == pytest.approx(last.scalars["loss"], abs=1e-5)
    rows = last.state()["model.rows"]
    for name, row, line in zip(LOSSES[topic], rows, said, strict=False):
        found = re.match(rf"{name} +loss ([\d.]+)  parameters (.+)", line)
        assert found
        assert float(found[1]) == pytest.approx(last.scalars[f"loss.{name}"], abs=1e-5)
        assert [float(one) for one in found[2].strip("[]").split(",")] == pytest.approx(row.tolist(), abs=1e-3)


# the board


def drawn_with(**values: Any) -> dict[str, Any]:
    return dict(figures.draw(parse(Params, values), text.read("losses", "en")))


@pytest.mark.parametrize("topic", TOPICS)
def test_every_scalar_that_a_figure_follows_is_there(topic: str) -> None:
    rows = list(enumerate(history(topic=topic, steps=20, start=-1)))
    drawn = drawn_with(topic=topic)
    words = text.read("losses", "en")
    for key, figure in drawn.items():
        sources = [one for row in getattr(figure, "bind", []) for one in row]
        for trace in getattr(figure, "traces", []):
            for source in trace.get("bind", {}).values():
                sources += [source] if isinstance(source, str) else source
        missing = set(sources) - rows[0][1].keys() - {"step"}
        assert missing <= {"failed.naive"}, key
        said = {name: 1.0 for word, name, _ in parts(words.figures[key].reading) if word == "say"}
        assert reading(words.figures[key].reading, rows, said), key
    folded = fold(drawn, rows)
    if topic == "overflow":
        table = folded["steps"]["data"]
        assert np.shape(table["values"]) == (13, 2) == (len(table["names"]), 2)
        assert table["values"][6] == [rows[-1][1]["sum.naive"], rows[-1][1]["sum.safe"]]
        assert isinstance(drawn["steps"], Table)


@pytest.mark.parametrize("axis", ["y", "y2"])
def test_handles_over_the_logit_stand_on_their_curves(axis: str) -> None:
    plot = drawn_with(topic="classes", logit=-4.7, label="0")["logit"]
    assert isinstance(plot, Plot)
    traces = {trace["name"]: trace for trace in plot.traces}
    held = [one for one in plot.traces if one.get("texttemplate") and one["yaxis"] == axis]
    assert len(held) == 4
    for trace in held:
        curve = traces[trace["hold"]["curve"]]
        index = int(np.argmin(np.abs(np.array(curve["x"]) + 4.7)))
        assert (trace["x"], trace["y"]) == ([curve["x"][index]], [curve["y"][index]])
        assert trace["x"][0] == pytest.approx(-4.7)


def test_points_that_can_be_carried_lie_at_their_settings() -> None:
    cases = [
        ("line", {"outlier_x": -3.0, "outlier_y": 9.5}, "line"),
        ("classes", {"far_x": 5.0, "far_y": -2.5}, "borders"),
        ("softmax", {"z1": 1.5, "z2": -9.0, "z3": 10.0}, "bars"),
    ]
    for topic, values, key in cases:
        found = {}
        for trace in drawn_with(topic=topic, **values)[key].traces:
            for axis, free in trace.get("hold", {}).get("free", {}).items():
                found[free["sets"]] = trace[axis][0]
        assert found == values
    assert not any("hold" in one for one in drawn_with(topic="softmax", shift=5.0)["bars"].traces)


def test_the_cliff_shows_where_the_slider_stands_and_what_is_lost() -> None:
    plot = drawn_with(topic="overflow", scale=60.0, right="a")["cliff"]
    point = next(one for one in plot.traces if one["name"] == "scale •")
    assert point["x"] == [60.0]
    assert point["y"][0] == history(topic="overflow", scale=60, right="a", steps=20)[0]["loss.safe"]
    lost = next(one for one in plot.traces if one.get("marker", {}).get("symbol") == "x")
    assert lost["x"] == list(range(45, 121))  # e^90 is the first that float32 cannot hold


# the text


def test_worked_example_1_is_computed_again() -> None:
    y, p = torch.tensor([1.0, 0, 1, 0]), torch.tensor([0.3, 0.7, 0.6, 0.4])
    whole = F.binary_cross_entropy(p, y).item()
    sided = -(y * p.log()).mean().item()
    each = F.binary_cross_entropy(p, y, reduction="none")
    said = [whole, sided, each[0].item(), each[2].item(), each.sum().item()]
    assert said == pytest.approx([0.8574, 0.4287, 1.2040, 0.5108, 3.4296], abs=1.01e-4)
    quoted("0.8574", "0.4287", "1.2040", "0.5108", "3.4296", "0.613")


def test_worked_example_6_is_computed_again() -> None:
    a, y = torch.tensor([0.639, 0.361], dtype=torch.float64), torch.tensor([0.0, 1.0], dtype=torch.float64)
    z = torch.logit(a).requires_grad_()
    total = F.binary_cross_entropy_with_logits(z, y, reduction="sum")
    assert total.item() == pytest.approx(2.0378, abs=5e-5)
    assert total.item() / 2 == pytest.approx(1.0189, abs=5e-5)
    assert torch.autograd.grad(total, z)[0].tolist() == pytest.approx([0.639, -0.639])
    z = a.log().requires_grad_()
    one = F.cross_entropy(z, torch.tensor(1))
    assert one.item() == pytest.approx(1.0189, abs=5e-5)
    assert torch.autograd.grad(one, z)[0].tolist() == pytest.approx([0.639, -0.639])
    assert math.log(0.1) == pytest.approx(-2.303, abs=5e-4)
    quoted("2.0378", "1.0189", "0.639", "2.303")


def quoted(*numbers: str) -> None:
    for language in catalog.LANGUAGES:
        source = (catalog.lesson("losses").folder / f"{language}.md").read_text("utf-8")
        assert [number for number in numbers if number not in source] == []


@pytest.mark.parametrize("seed", range(3))
def test_an_outlier_does_what_the_text_says(seed: int) -> None:
    out, tame = tries(0, seed=seed)[-1], tries(1, seed=seed)[-1]
    assert out["off.mse"] > 1.3 * max(out["off.mae"], out["off.huber"])
    assert out["pull.mse"] > 0.3
    assert out["pull.mae"] == pytest.approx(1 / 21)
    slopes = [tame[f"w.{name}"] for name in LOSSES["line"]]
    assert max(slopes) - min(slopes) < 0.1
    assert (SLOPE, HEIGHT) == (0.8, 0.5)


def test_large_steps_do_what_the_text_says() -> None:
    found = tries(3)
    swing = [abs(one["w.mse"]) for one in found[-10:]]
    assert swing == sorted(swing)
    assert swing[-1] > 1e6
    for name in ("mae", "huber"):
        assert max(abs(one[f"w.{name}"] - 0.75) for one in found[-30:]) < 0.75


@pytest.mark.parametrize("seed", range(2))
def test_a_bad_start_does_what_the_text_says(seed: int) -> None:
    found = tries(4, seed=seed)
    assert max(one["right.mse"] for one in found) < 0.1
    assert min(found[-1]["right.ce"], found[-1]["right.hinge"]) > 0.9
    assert found[0]["push.mse"] < 0.02 < 0.9 < found[0]["push.ce"]
    fair = history(topic="classes", start=0, lr=0.2, steps=500, seed=seed)[-1]
    assert fair["right.mse"] >= found[-1]["right.ce"] - 0.05


def test_being_too_right_does_what_the_text_says() -> None:
    last = tries(5)[-1]
    assert last["right.score"] < 1 == last["right.hinge"] == last["right.ce"] == last["right.mse"]
    assert tries(5, far_x=2, far_y=1)[-1]["right.score"] == 1
    with_it, without = (tries(5, far_x=far, far_y=far)[-1]["w1.hinge"] for far in (6, 5))
    assert with_it == pytest.approx(without, abs=0.05)


def test_softmax_from_a_bad_start_does_what_the_text_says() -> None:
    last = tries(6)[-1]
    assert last["right.mse"] < 0.01 < 0.95 < last["right.ce"]


def test_predictions_are_right() -> None:
    low, lower = (history(outlier_y=y) for y in (-7.0, -10.0))
    assert [one["w.mae"] for one in low] == [one["w.mae"] for one in lower]
    assert abs(low[-1]["w.mse"] - lower[-1]["w.mse"]) > 0.05
    ce, mse = (of_logit(name, np.array([-6.0]), 1)[1][0] for name in ("ce", "mse"))
    assert mse == pytest.approx(-0.0049, abs=5e-5)
    assert 190 < ce / mse < 210
    at = history(topic="overflow", scale=60, right="a", steps=20)[0]
    assert math.isnan(at["loss.naive"])
    assert at["loss.safe"] == 0


def test_every_preset_trains_and_every_edge_draws() -> None:
    for name, settings in PRESETS.items():
        assert len(history(**{**settings, "steps": 20})) == 21, name
    for topic in TOPICS:
        for field, setting in Params.settings().items():
            for end in (getattr(setting.control, "low", None), getattr(setting.control, "high", None)):
                if end is not None and field not in ("steps", "pace", "seed"):
                    assert drawn_with(topic=topic, **{field: end})
                    if topic in setting.when.get("topic", (topic,)):
                        assert next(run(job(topic=topic, steps=20, **{field: end}))).scalars
