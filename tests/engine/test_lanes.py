"""Batched runs, which take many steps at a call, are the runs that step one by one, whoever runs beside them."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from engine.backends.base import Backend
from engine.backends.inline import InlineBackend
from engine.backends.process import ProcessBackend
from engine.limits import Limits
from engine.runs.engine import Engine, Run
from engine.types import Job, Step
from tests.conftest import wait_until
from tests.engine.classifier.compute import Classifier, run

ENTRY = "tests.engine.classifier.compute:run"
KINDS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw")


def job(seed: int = 0, **params: Any) -> Job:
    return Job(ENTRY, params, seed, "cpu")


@pytest.fixture(scope="module", params=["inline", "process"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    backend: Backend = InlineBackend() if request.param == "inline" else ProcessBackend("cpu", threads=1)
    engine = Engine(backend, tmp_path_factory.mktemp("runs") / "runs", limits=Limits(runs=64))
    engine.start()
    yield engine
    engine.close()


def finished(one: Run) -> Run:
    wait_until(lambda: one.ended, what=f"the end of {one.id}, now {one.status} at {one.step}")
    assert one.status == "done", one.error
    return one


def alone(one: Job) -> dict[int, tuple[float, ...]]:
    """All scalars of the run as its generator gives them, by step."""
    return {step.step: tuple(step.scalars.values()) for step in run(one)}


def told(one: Run) -> dict[int, tuple[float, ...]]:
    return {step: tuple(scalars.values()) for step, scalars in one.record.history()}


def test_a_batched_run_says_what_its_generator_says_step_by_step(engine: Engine) -> None:
    one = job(steps=700, optimiser="adam", hidden="4-4")
    assert told(finished(engine.submit(one, "a"))) == alone(one)


def test_a_batched_run_is_the_same_bits_whoever_joins_and_leaves_beside_it(engine: Engine) -> None:
    chance = random.Random(5)
    shapes = ("", "3", "4-4", "5", "6-3-2")
    watched = [job(n, steps=500, optimiser=KINDS[n], hidden=shape, pace=1000) for n, shape in enumerate(shapes)]
    runs = [engine.submit(one, f"learner {one.seed}") for one in watched]
    others: list[Run] = []
    while not all(one.ended for one in runs):
        if len(others) < 12:
            shape = "-".join(str(chance.randint(1, 20)) for _ in range(chance.randint(0, 4)))
            other = job(chance.randrange(10**6), steps=50_000_000, hidden=shape)
            others.append(engine.submit(other, f"other {len(others) % 3}"))
        else:
            leaving = others.pop(chance.randrange(len(others)))
            engine.tell(leaving.id, leaving.learner, "stop")
        time.sleep(0.01)
    for one in others:
        engine.tell(one.id, one.learner, "stop")
    for one, asked in zip(runs, watched, strict=True):
        assert one.status == "done"
        assert told(one) == alone(asked)


def test_pause_step_and_resume_change_nothing(engine: Engine) -> None:
    asked = job(9, steps=1000, optimiser="momentum", pace=500)
    one = engine.submit(asked, "a")
    wait_until(lambda: one.step > 20)
    engine.tell(one.id, "a", "pause")
    wait_until(lambda: one.status == "paused")
    at = one.step
    engine.tell(one.id, "a", "step")
    wait_until(lambda: one.step == at + 1)
    engine.tell(one.id, "a", "resume")
    assert told(finished(one)) == alone(asked)


def test_pace_holds_a_batched_run_back_and_is_live(engine: Engine) -> None:
    one = engine.submit(job(3, steps=50_000_000, pace=100), "a")
    wait_until(lambda: one.step > 5)
    began, at = time.monotonic(), one.step
    wait_until(lambda: one.step >= at + 100)
    rate = (one.step - at) / (time.monotonic() - began)
    assert 60 < rate < 140
    engine.tell(one.id, "a", "set", {"pace": 0.0})
    wait_until(lambda: one.step > at + 5000)
    engine.tell(one.id, "a", "stop")


def test_a_live_setting_holds_from_the_next_step_on(engine: Engine) -> None:
    one = engine.submit(job(4, steps=3000, pace=1000), "a")
    wait_until(lambda: one.step > 50)
    engine.tell(one.id, "a", "set", {"lr": 0.5})
    finished(one)
    change = next(entry for entry in one.record.changes if "lr" in entry[1])
    batched = Classifier(one.job)
    expected = [tuple(row) for group in batched.step_many(change[0] + 1) for row in group.values.tolist()]
    batched.change({"lr": 0.5})
    expected += [tuple(row) for group in batched.step_many(3000 - change[0]) for row in group.values.tolist()]
    assert list(told(one).values()) == expected


@pytest.mark.parametrize("optimiser", KINDS)
def test_a_fork_with_equal_settings_goes_on_bit_identically(engine: Engine, optimiser: str) -> None:
    one = finished(engine.submit(job(7, steps=600, optimiser=optimiser), "a"))
    for step in (0, 4, 64):
        fork = finished(engine.fork(one.id, step, one.job, "a"))
        assert told(fork) == told(one)


def test_however_it_is_cut_into_calls_a_batched_run_is_the_same() -> None:
    asked = job(2, steps=400, optimiser="adamw", decay=0.01)
    whole = Classifier(asked)
    expected = [row for group in whole.step_many(1000) for row in group.values.tolist()]
    batched = Classifier(asked)
    chance = random.Random(1)
    found = []
    while batched.step < batched.total:
        found += [row for group in batched.step_many(chance.randint(1, 50)) for row in group.values.tolist()]
        if chance.random() < 0.3:
            batched = Classifier(asked, {name: np.array(value) for name, value in batched.state().items()})
    assert found == expected


def test_a_batched_run_that_has_ended_gives_its_last_picture() -> None:
    steps: list[Step] = list(run(job(steps=20, side=6)))
    assert steps[-1].frame()["map"].shape == (6, 6)
    assert steps[-1].step == steps[-1].total == 20
