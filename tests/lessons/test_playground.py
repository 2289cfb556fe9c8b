"""The playground against a second implementation in numpy: steps, maps, changes, own points, the surface."""

from __future__ import annotations

import contextlib
import io
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from engine import files
from engine.backends.inline import InlineBackend
from engine.models.names import OPTIMISERS
from engine.params import parse
from engine.runs.engine import Engine
from engine.types import Job, Problem
from lessons import catalog
from lessons.playground import figures, points, table
from lessons.playground.compute import CHECK, UNIT_EVERY, Playground, look, run
from lessons.playground.params import DRAWN, PRESETS, TINY, Params, changes
from lessons.playground.points import REACH, SIDE
from tests.conftest import wait_until

ENTRY = catalog.lesson("playground").entry
Exact = npt.NDArray[np.float64]


def job(**settings: Any) -> Job:
    values = parse(Params, {"pace": 0.0, **settings}).model_dump(mode="json")
    return Job(ENTRY, values, int(values["seed"]), "cpu")


def layers(flat: Exact, sizes: list[int]) -> list[tuple[Exact, Exact]]:
    found = []
    for into, out in pairwise(sizes):
        found.append((flat[: out * into].reshape(out, into), flat[out * into : out * (into + 1)]))
        flat = flat[out * (into + 1) :]
    return found


SHAPES: dict[str, Any] = {
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(float)),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
}


def forward(flat: Exact, p: Params, x: Exact) -> tuple[list[Exact], list[Exact]]:
    """What enters each layer's activation, and what each layer says, the input first."""
    entering, said = [], [x]
    for (weight, bias), name in zip(layers(flat, p.sizes), [*(one for _, one in p.layers), ""], strict=True):
        entering.append(said[-1] @ weight.T + bias)
        said.append(SHAPES[name][0](entering[-1]) if name else entering[-1])
    return entering, said


def cost(p: Params, scores: Exact, kinds: Any) -> tuple[float, Exact]:
    """The mean loss, and its derivative by the scores."""
    n = len(scores)
    if p.loss == "squared":
        wanted = 2.0 * kinds[:, None] - 1 if p.outputs == 1 else np.eye(p.outputs)[kinds]
        return float(((scores - wanted) ** 2).sum() / 2 / n), (scores - wanted) / n
    if p.outputs == 1:
        sure = 1 / (1 + np.exp(-scores[:, 0]))
        loss = -(kinds * np.log(sure) + (1 - kinds) * np.log(1 - sure)).mean()
        return float(loss), ((sure - kinds) / n)[:, None]
    sure = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    return float(-np.log(sure[np.arange(n), kinds]).mean()), (sure - np.eye(p.outputs)[kinds]) / n


def step(p: Params, flat: Exact, memory: list[Exact], count: int, x: Exact, kinds: Any) -> Exact:
    """One step of the optimiser, by hand."""
    entering, said = forward(flat, p, x)
    error = cost(p, said[-1], kinds)[1]
    found: list[Exact] = []
    masks: list[Exact] = []
    every = layers(flat, p.sizes)
    for at in range(len(every) - 1, -1, -1):
        found.insert(0, np.concatenate([(error.T @ said[at]).ravel(), error.sum(0)]))
        masks.insert(0, np.concatenate([np.ones(every[at][0].size), np.zeros(len(every[at][1]))]))
        if at:
            error = error @ every[at][0] * SHAPES[p.layers[at - 1][1]][1](entering[at - 1])
    mask = np.concatenate(masks)
    g = np.concatenate(found) + p.l1 * mask * np.sign(flat)
    if p.optimiser == "adamw":
        flat = flat * (1 - p.lr * p.decay * mask)
    else:
        g = g + p.decay * mask * flat
    first, second = memory
    if p.optimiser in ("momentum", "nesterov"):
        first = g if count == 1 else p.momentum * first + g
        return flat - p.lr * (g + p.momentum * first if p.optimiser == "nesterov" else first)
    if p.optimiser == "adagrad":
        return flat - p.lr * g / (np.sqrt(second + g * g) + 1e-10)
    if p.optimiser == "rmsprop":
        return flat - p.lr * g / (np.sqrt(0.99 * second + 0.01 * g * g) + 1e-8)
    if p.optimiser in ("adam", "adamw"):
        first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g * g
        return flat - p.lr * first / (1 - 0.9**count) / (np.sqrt(second / (1 - 0.999**count)) + 1e-8)
    return flat - p.lr * g


STEPS: list[dict[str, Any]] = [
    *({"optimiser": rule, "decay": 0.01, "l1": 0.002, "lr": 0.02} for rule in OPTIMISERS),
    {"points": "spirals", "classes": 3, "hidden": "5-4relu", "features": ("x1", "x1x2", "sin2")},
    {"points": "blobs", "classes": 4, "loss": "squared", "hidden": "3sigmoid"},
    {"points": "xor", "loss": "squared", "batch": 1000},
    {"points": "drawn", "hidden": ""},
]


@pytest.mark.parametrize("settings", STEPS, ids=lambda one: "-".join(f"{value}" for value in one.values()))
def test_its_step_is_that_of_a_second_implementation(settings: dict[str, Any]) -> None:
    asked = job(steps=400, **settings)
    lane = Playground(asked)
    p, data = lane.p, lane.data
    x, kinds = points.features(data.train, p.features).astype(np.float64), data.train_class
    for _ in range(12):
        lane.step_many(17)
        state = lane.state()
        flat = state["model.0.weights"].astype(np.float64)
        memory = [state[f"model.0.optim.{part}"].astype(np.float64) for part in ("first", "second")]
        memory = [one if len(one) else np.zeros_like(flat) for one in memory]
        chance = torch.Generator()
        chance.set_state(torch.from_numpy(state["model.0.rng"].copy()))
        some: Any = slice(None)
        if p.batch < len(x):
            some = torch.randint(len(x), (1, p.batch), generator=chance, dtype=torch.int32)[0].numpy()
        loss = cost(p, forward(flat, p, x[some])[1][-1], kinds[some])[0]
        rows = {
            step: values for group in lane.step_many(1) for step, values in zip(group.steps, group.values, strict=True)
        }
        assert rows[lane.step][0] == pytest.approx(loss, abs=1e-6)
        expected = step(p, flat, memory, int(state["model.0.optim.step"]) + 1, x[some], kinds[some])
        assert np.abs(lane.net.weights.numpy() - expected).max() <= 1e-6


def test_measured_losses_and_shares_are_those_of_all_points() -> None:
    for settings in ({}, {"points": "spirals", "classes": 3}, {"points": "blobs", "classes": 3, "loss": "squared"}):
        lane = Playground(job(steps=50, **settings))
        group = lane.step_many(51)[-1]
        found = dict(zip(group.names, group.values[-1], strict=True))
        for part in ("train", "test"):
            where, kinds = getattr(lane.data, part), getattr(lane.data, f"{part}_class")
            x = points.features(where, lane.p.features).astype(float)
            scores = forward(lane.net.weights.double().numpy(), lane.p, x)[1][-1]
            guess = (scores[:, 0] > 0).astype(int) if lane.p.outputs == 1 else scores.argmax(1)
            assert found[part] == pytest.approx(cost(lane.p, scores, kinds)[0], abs=2e-6)
            assert found[f"right.{part}"] == pytest.approx(float((guess == kinds).mean()))


def test_maps_are_what_the_network_says_and_the_exact_value_is_asked_for() -> None:
    for settings in ({"hidden": "4-3relu"}, {"points": "blobs", "classes": 3}, {"points": "xor", "loss": "squared"}):
        asked = job(steps=60, **settings)
        lane = Playground(asked)
        lane.step_many(61)
        frame, p = lane.frame(), lane.p
        where = points.grid()
        assert where[0] == pytest.approx([-REACH * (1 - 1 / SIDE), REACH * (1 - 1 / SIDE)])  # the upper left cell
        flat = lane.net.weights.double().numpy()
        said = np.concatenate(forward(flat, p, points.features(where, p.features).astype(float))[1][1:], 1).T
        maps = said.reshape(-1, SIDE, SIDE)
        some = maps[:, ::UNIT_EVERY, ::UNIT_EVERY]
        assert frame["scale"] == pytest.approx(np.abs(some).max((1, 2)), rel=1e-5)
        drawn = (frame["units"] / 127.5 - 1) * frame["scale"][:, None, None]
        assert np.abs(drawn - some).max() <= 0.51 / 127.5 * frame["scale"].max() + 1e-6
        ends = maps[-p.outputs :]
        sure = np.clip((ends + 1) / 2, 0, 1) if p.loss == "squared" else 1 / (1 + np.exp(-ends))
        if p.outputs > 1:
            sure = np.exp(ends) / np.exp(ends).sum(0)
        assert np.abs(frame["map"] / 255 - sure).max() <= 0.51 / 255 + 1e-6
        assert frame["weights"] == pytest.approx(flat, abs=1e-7)
        assert frame["confusion"].sum() == len(lane.data.test)
        scores = forward(flat, p, points.features(lane.data.test, p.features).astype(float))[1][-1]
        guess = (scores[:, 0] > 0).astype(int) if p.outputs == 1 else scores.argmax(1)
        for kind in range(p.kinds):
            assert frame["confusion"][kind].tolist() == [
                int(((lane.data.test_class == kind) & (guess == other)).sum()) for other in range(p.kinds)
            ]
        shown = ends if p.loss == "squared" else sure
        for unit, row, col in ((0, 3, 7), (len(said) - 1, 24, 0), (2, 12, 13)):
            found = look(asked, lane.state(), "at", {"unit": unit, "row": row, "col": col})["value"][0]
            assert found == pytest.approx(some[unit, row, col], abs=1e-6)
        found = look(asked, lane.state(), "at", {"unit": -1, "row": 31, "col": 8})["value"][0]
        assert found == pytest.approx(shown[:, 31, 8].max(), abs=1e-6)
        assert np.array_equal(figures.update(p, tick(frame))[0].data["tiles"], frame["units"])
    with pytest.raises(Problem, match="row = 25"):
        look(asked, lane.state(), "at", {"unit": 0, "row": 25, "col": 0})


def tick(frame: Any) -> Any:
    from engine.types import Tick

    return Tick(0, {}, frame)


SCRIPTS: list[dict[str, Any]] = [
    {"points": "spirals", "classes": 3, "hidden": "6-4relu", "optimiser": "adam", "lr": 0.02},
    {"points": "moons", "dropout": 0.3, "norm": True, "optimiser": "nesterov", "l1": 0.002, "decay": 0.01},
    {
        "points": "drawn",
        "loss": "squared",
        "features": ("x1", "x2", "x1x2", "sin1"),
        "optimiser": "adamw",
        "decay": 0.1,
    },
    {"points": "blobs", "classes": 3, "loss": "squared", "optimiser": "adagrad", "activation": "gelu"},
    {"points": "xor", "hidden": "", "optimiser": "rmsprop", "batch": 1000, "lr": 0.01},
]


@pytest.mark.parametrize("settings", SCRIPTS, ids=lambda one: one["points"])
def test_the_script_gives_the_run(settings: dict[str, Any], tmp_path: Path, one_thread: None) -> None:
    chosen = parse(Params, {**TINY.model_dump(), **settings})
    source = catalog.script("playground", chosen)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(source, str(tmp_path / "playground.py"), "exec"), {"__name__": "__main__"})
    *_, last = run(Job(ENTRY, chosen.model_dump(mode="json"), 0))
    said = out.getvalue().strip().splitlines()
    assert float(said[-1].removeprefix("final loss ")) == pytest.approx(last.scalars["train"], abs=1e-5)
    assert float(said[0].removeprefix("test loss ")) == pytest.approx(last.scalars["test"], abs=1e-5)


# what a change keeps


def forked(before: dict[str, Any], after: dict[str, Any], steps: int = 40) -> tuple[Playground, Playground]:
    one = Playground(job(steps=1000, **before))
    one.step_many(steps)
    return one, Playground(job(steps=1000, **{**before, **after}), one.state())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"hidden": "4-3"}, {"hidden": "5-3"}),
        ({"hidden": "4-3"}, {"hidden": "4-6"}),
        ({"hidden": "4-3"}, {"features": ("x1", "sin1", "x2")}),
        ({"hidden": "4relu"}, {"hidden": "4relu-4relu"}),
        ({"hidden": "4relu"}, {"hidden": "4relu-5relu-6relu"}),
        ({"hidden": "4-3", "optimiser": "adam"}, {"optimiser": "sgd", "noise": 0.3, "batch": 20}),
        ({"hidden": "4-3", "norm": True}, {"hidden": "6-3"}),
    ],
    ids=str,
)
def test_what_is_added_does_not_change_what_the_network_says(before: dict[str, Any], after: dict[str, Any]) -> None:
    one, other = forked(before, after)
    assert (one.net.values(one.grid)[-1] - other.net.values(other.grid)[-1]).abs().max() <= 1e-5
    assert other.step == one.step
    assert np.isfinite(other.step_many(50)[-1].values).all()


def test_a_new_unit_listens_and_is_heard_after_one_step() -> None:
    one, other = forked({"hidden": "3-2", "optimiser": "adam"}, {"hidden": "4-2"})
    (first, _), (second, _), _ = other.net.layers()
    (before, _), (heard, _), _ = one.net.layers()
    assert torch.equal(first[:3], before)
    assert torch.equal(second[:, :3], heard)
    assert (first[3] != 0).all()
    assert (second[:, 3] == 0).all()
    kept = other.state()["model.0.optim.first"]
    assert kept[: 3 * 2].tolist() == one.state()["model.0.optim.first"][: 3 * 2].tolist()
    other.step_many(1)
    assert (other.net.layers()[1][0][:, 3] != 0).all()


def test_what_is_taken_away_leaves_the_rest_as_it_was() -> None:
    one, other = forked(
        {"hidden": "5-3", "features": ("x1", "x2", "x1x2")}, {"hidden": "4-3", "features": ("x2", "x1")}
    )
    assert torch.equal(other.net.layers()[0][0], one.net.layers()[0][0][:4, [1, 0]])
    assert torch.equal(other.net.layers()[1][0], one.net.layers()[1][0][:, :4])
    one, other = forked({"hidden": "5-3", "points": "blobs", "classes": 3}, {"hidden": "", "classes": 5})
    assert other.net.sizes == (2, 5)
    assert np.isfinite(other.step_many(20)[-1].values).all()


def test_a_weight_written_by_hand_is_set_once() -> None:
    one, other = forked({"hidden": "3-2"}, {"edits": "1.2.1=0.75;2.0.b=-3;3.0.1=2.5;2.9.9=1"})
    (first, _), (_, bias), (last, _) = other.net.layers()
    assert (float(first[2, 1]), float(bias[0]), float(last[0, 1])) == (0.75, -3.0, 2.5)
    assert float(first[2, 0]) == float(one.net.layers()[0][0][2, 0])
    other.step_many(30)
    again = Playground(job(steps=1000, hidden="3-2", edits="1.2.1=0.75;2.0.b=-3;3.0.1=2.5;2.9.9=1"), other.state())
    assert torch.equal(again.net.weights, other.net.weights)
    now = figures.on_choose(other.p, {"edits": ["2.0.b=1", "1.0.0=4"]})["edits"]
    assert changes(now)[2, 0, -1] == 1
    assert len(changes(now)) == 5
    with pytest.raises(Problem, match="does not name a weight"):
        parse(Params, {"edits": "1.0=3"})


def test_the_first_of_many_seeds_is_the_one_alone_and_each_is_measured() -> None:
    alone, many = Playground(job(steps=300)), Playground(job(steps=300, seeds=5))
    alone.step_many(301)
    group = many.step_many(301)[-1]
    found = dict(zip(group.names, group.values[-1], strict=True))
    assert torch.equal(alone.net.weights, many.net.weights)
    assert found["train"] == found["train.0"]
    assert len({found[f"test.{k}"] for k in range(5)}) == 5
    again = Playground(job(steps=300, seeds=5), many.state())
    for ours, theirs in zip(again.trainers, many.trainers, strict=True):
        assert torch.equal(ours.net.weights, theirs.net.weights)


@pytest.mark.parametrize("settings", [{"seeds": 3}, {"dropout": 0.4, "norm": True}, {"batch": 7, "optimiser": "adam"}])
def test_however_it_is_cut_into_calls_a_run_is_the_same(settings: dict[str, Any]) -> None:
    whole, pieces = Playground(job(steps=150, **settings)), Playground(job(steps=150, **settings))
    expected = [row for group in whole.step_many(1000) for row in group.values.tolist()]
    found = []
    for count in (1, 1, 1, 9, 13, 2, 40, 1000):
        found += [row for group in pieces.step_many(count) for row in group.values.tolist()]
        pieces = Playground(job(steps=150, **settings), pieces.state())
    assert sorted(map(repr, found)) == sorted(map(repr, expected))


def test_a_run_stops_at_its_goal_or_when_it_is_stale() -> None:
    solved = Playground(job(hidden="3", lr=0.3, goal=0.95, most=3, stop="goal", steps=20_000))
    group = solved.step_many(30_000)[-1]
    assert solved.total == solved.step < 20_000
    assert dict(zip(group.names, group.values[-1], strict=True))["right.test"] >= 0.95
    large = Playground(job(hidden="4", lr=0.3, goal=0.9, most=3, stop="goal", steps=500))
    large.step_many(600)
    assert large.step == 500
    stale = Playground(
        job(points="moons", noise=0.6, count=80, hidden="12-12", optimiser="adam", stop="stale", patience=200)
    )
    rows = [(at, value) for group in stale.step_many(10**6) if len(group.names) > 1
            for at, value in zip(group.steps, group.values[:, group.names.index("test")], strict=True)]  # fmt: skip
    lowest = min(rows, key=lambda row: row[1])[0]
    assert stale.step == -(-(lowest + 200) // CHECK) * CHECK  # the first measurement from then on


# own points


def test_drawn_points_are_encoded_and_rubbed_out() -> None:
    where = np.array([[-2.5, 1.25], [0.0, 0.0], [2.9, -2.9]])
    back, kinds = points.drawn(points.written(where, 4))
    assert np.abs(back - where).max() <= REACH / points.FINE
    assert kinds.tolist() == [4, 4, 4]
    p = Params(points="drawn", brush="3")
    drawn = figures.on_choose(p, {"drawn": [[0.25, 0.25], [0.5, 1.0]]})
    assert drawn["classes"] == 3
    x, kinds = points.drawn(drawn["drawn"])
    assert x[-2:] == pytest.approx(np.array([[-1.5, 1.5], [0.0, -3.0]]), abs=0.002)
    assert kinds[-2:].tolist() == [2, 2]
    rubbed = figures.on_choose(
        p.model_copy(update={"brush": "erase", "drawn": drawn["drawn"]}), {"drawn": [[0.27, 0.26]]}
    )
    assert len(rubbed["drawn"]) == len(drawn["drawn"]) - 5
    with pytest.raises(Problem, match=f"at most {DRAWN}"):
        figures.on_choose(p, {"drawn": [[0.5, 0.5]] * 170})
    with pytest.raises(Problem, match="at least 4"):
        parse(Params, {"points": "drawn", "drawn": "0AAAA"})
    with pytest.raises(Problem, match="class 4"):
        Playground(job(points="drawn", drawn=points.written(where, 3) * 2, classes=2))


def test_a_csv_is_read_whatever_stands_between_its_columns() -> None:
    rows = [(0.0, 10.0, "no"), (1.0, 20.0, "yes"), (4.0, 30.0, "no"), (2.0, 15.0, "maybe")]
    for between, head in ((",", "a,b,c\n"), (";", ""), ("\t", "a\tb\tc\n")):
        text = head + "\n".join(between.join(map(str, row)) for row in rows) + "\n\n"
        x, kinds = table.read(b"\xef\xbb\xbf" + text.encode())
        assert x[:, 0] == pytest.approx([-2.5, -1.25, 2.5, 0.0])
        assert kinds.tolist() == [0, 1, 0, 2]
        assert figures.on_upload(Params(), "csv", text.encode()) == {"points": "csv", "classes": 3}


POINTS = [(-1.5, 0.25, "A"), (2.0, 1.5, "B"), (0.5, -2.0, "A"), (1.0, 3.0, "B")]


def german(header: str = "") -> str:
    rows = ["; ".join((f"{x:g}".replace(".", ","), f"{y:g}".replace(".", ","), name)) for x, y, name in POINTS]
    return "\r\n".join([header, *rows] if header else rows)


def american(header: str = "", minus: str = "-") -> str:
    rows = [f"{x:g},{y:g},{name}".replace("-", minus) for x, y, name in POINTS]
    return "\n".join([header, *rows] if header else rows)


@pytest.mark.parametrize(
    "data",
    [
        german().encode(),
        german("Länge;Breite;Klasse").encode("utf-8-sig"),
        german("Länge;Breite;Klasse").encode("cp1252"),
        american("长度,宽度,类别").encode("gbk"),
        american("x,y,class").replace(",", "\t").encode("utf-16"),
        american(minus="−").encode(),
        american().replace("A", '"A"').encode(),
        "\n".join([",x,y,class", *(f"{n},{line}" for n, line in enumerate(american().splitlines()))]).encode(),
        "\n".join(["序号;x;y;类别", *(f"{n};{line}" for n, line in enumerate(german().splitlines(), 1))]).encode("gbk"),
    ],
    ids=["comma", "header", "cp1252", "gbk", "utf-16", "minus", "quotes", "pandas", "index"],
)
def test_a_table_is_read_as_spreadsheets_and_pandas_write_it(data: bytes) -> None:
    x, kinds = table.read(data)
    assert kinds.tolist() == [0, 1, 0, 1]
    assert x[:, 0] == pytest.approx([-2.5, 2.5, 2 / 3.5 * 5 - 2.5, 2.5 / 3.5 * 5 - 2.5])
    assert x[:, 1] == pytest.approx([2.25 - 2.5, 3.5 - 2.5, -2.5, 2.5])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "0 points"),
        (b"1,2,a\n3,4,b\n", "2 points"),
        (b"1,2,a\n" * 3000, "3000 points"),
        (b"x" * 300_000, "300 kB"),
        (b"\xff\xfe\x00", "not text"),
        (b"1\x00,2,a", "not text"),
        (b"1,2,a\n" + b"x" * 150_000, "too long"),
        (b"1,2,3,4\n", "4 columns"),
        (b"1,2,a\n3,x,b\n5,6,a\n7,8,b", "line 2 begins with '3' and 'x'"),
        (b"1,2,a\n3,nan,b\n5,6,a\n7,8,b", "line 2 has a number that is not finite"),
        (b"1,2,a\n3,1e400,b\n5,6,a\n7,8,b", "not finite"),
        (b"1,2,a\n3,4,a\n5,6,a\n7,8,a", "the same class, 'a'"),
        (b"x,y,class\n1,2,a\n3,4,\n5,6,b\n7,8,a", "line 3 has no class"),
        (b"1,x,a\n3,4,b\n5,6,a\n7,8,b", "line 1 begins with '1' and 'x'"),
        (b"9,1,2,a\n8,3,4,b\n7,5,6,a\n6,7,8,b", "4 columns"),
        (b"\n".join(b"%d,%d,%d" % (n, n, n) for n in range(9)), "9 different classes"),
        (b"1,2,a\n3,2,b\n5,2,a\n7,2,b", "column 2 are the same"),
    ],
    ids=range(17),
)
def test_a_csv_that_cannot_be_used_is_told_why(text: bytes, said: str) -> None:
    with pytest.raises(Problem, match=said) as caught:
        table.read(text)
    assert "CSV" in caught.value.zh


def test_settings_that_make_no_network_are_told_why() -> None:
    for settings, said in (
        ({"hidden": "4-x"}, "is not a layer"),
        ({"hidden": "4-99"}, "cannot be drawn"),
        ({"hidden": "4swish"}, "no activation"),
        ({"hidden": "1-1-1-1-1-1-1"}, "at most 6"),
        ({"points": "csv"}, "no CSV yet"),
        ({"norm": True, "batch": 1}, "batch of 2"),
        ({"features": ()}, "at least 1"),
    ):
        with pytest.raises(Problem, match=said):
            parse(Params, settings)


# through the engine


def test_a_run_goes_on_changed_from_where_it_is_and_its_csv_travels_with_it(tmp_path: Path) -> None:
    engine = Engine(InlineBackend(), tmp_path / "runs")
    engine.start()
    try:
        text = "\n".join(f"{n % 7},{n // 7},{'ab'[n % 2]}" for n in range(40)).encode()
        sha = engine.put(text, "ann")
        files._files.clear()
        one = engine.submit(job(points="csv", csv=sha, steps=100_000, pace=500.0), "ann")
        wait_until(lambda: one.step > 30)
        other = engine.fork(one.id, None, job(points="csv", csv=sha, steps=100_000, pace=500.0, hidden="5-2"), "ann")
        assert other.origin is not None
        assert other.origin[0] == one.id
        at = other.origin[1]
        assert at >= 30
        wait_until(lambda: other.step > at + 30)
        assert other.error is None
        then = max(step for step, scalars in one.record.history() if step <= at and "train" in scalars)
        assert dict(other.record.history())[then] == dict(one.record.history())[then]
        frame = other.record.frame(other.step)
        assert frame is not None
        assert frame.arrays["sizes"].tolist() == [2, 5, 2, 1]
        answer = engine.ask(other.id, None, "at", {"unit": 0, "row": 1, "col": 1}).result(10)
        assert np.isfinite(answer[1]["value"][0])
        files._files.clear()
        gone = engine.submit(job(points="csv", csv="0" * 64), "ann")
        wait_until(lambda: gone.ended)
        assert gone.error is not None
        assert "no longer kept" in gone.error.en
    finally:
        engine.close()


# the loss around the run


@pytest.mark.parametrize("steps", [1, 300])
def test_the_surface_is_the_loss_of_the_weights_on_its_plane(steps: int) -> None:
    asked = job(steps=1000, hidden="3", lr=0.3)
    lane = Playground(asked)
    lane.step_many(steps)
    state = lane.state()
    found = look(asked, state, "surface", {})
    x, kinds = points.features(lane.data.train, lane.p.features).astype(float), lane.data.train_class

    def loss(flat: Exact) -> float:
        return cost(lane.p, forward(flat, lane.p, x)[1][-1], kinds)[0]

    now = state["model.0.weights"].astype(np.float64)
    assert found["heights"][-1] == pytest.approx(loss(now), abs=1e-5)
    assert found["path"][-1].tolist() == [0, 0]
    if steps == 1:
        return
    been = state["path.weights"].astype(np.float64)
    assert state["path.steps"].tolist() == found["steps"][:-1].tolist() == list(range(0, 300, 10))
    centred = (been - now) - (been - now).mean(0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    assert found["share"] == pytest.approx(values[[-1, -2]] / values.sum(), abs=1e-5)
    axes = vectors[:, [-1, -2]].T
    axes *= np.sign((axes * ((been[0] - now) @ axes.T)[:, None] / found["path"][0][:, None]).sum(1) / axes.sum(1))[
        :, None
    ]
    assert np.abs((been - now) @ axes.T - found["path"][:-1]).max() <= 1e-4
    for row, column in ((0, 0), (4, 17), (20, 20)):
        flat = now + found["across"][column] * axes[0] + found["up"][row] * axes[1]
        assert found["height"][row, column] == pytest.approx(loss(flat), rel=1e-3, abs=1e-4)
    drawn = {patch.trace: patch.data for patch in figures.answer(Params(surface=True), "surface", {}, found)}
    assert drawn["loss"]["customdata"] is not None
    assert len(drawn["path"]["x"]) == len(drawn["path"]["text"])


def test_every_preset_trains() -> None:
    for settings in PRESETS.values():
        lane = Playground(job(**{**settings, "steps": 60, "pace": 0.0}))
        assert np.isfinite(lane.step_many(61)[-1].values).all()


def test_what_the_words_say_of_goals_is_so() -> None:
    """The numbers of the texts: three units close the circle, twelve solve the spiral, six do with the sines."""

    def solved(preset: str, **settings: Any) -> bool:
        lane = Playground(job(**{**PRESETS[preset], "pace": 0.0, "steps": 8000, **settings}))
        group = lane.step_many(10_000)[-1]
        return bool(dict(zip(group.names, group.values[-1], strict=True))["solved"])

    assert solved("circle", hidden="3")
    assert not solved("circle", hidden="2")
    assert solved("spiral", hidden="12")
    assert not solved("spiral")
    assert solved("spiral", hidden="6", features=("x1", "x2", "sin1", "sin2"))
    assert solved("xor", hidden="3")
