"""Whose turn it is: the loop with a clock of its own, on which a step takes as long as the run says."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import pytest

from engine.types import Job, Step
from engine.worker import devices
from engine.worker import rng as generators
from engine.worker import scheduler as loop
from engine.worker.scheduler import Active, FairShare, Loop

JOB = Job("tests.engine.counting.compute:run")


class Clock:
    """Stands in for the module `time`: it goes on only where a step is taken."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    time = monotonic


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(loop, "time", clock)
    return clock


def join(to: Loop, clock: Clock, name: str, learner: str, cost: float, pace: float, ticks: list[float]) -> None:
    """A run whose steps take `cost` seconds each."""

    def steps() -> Generator[Step, Any, None]:
        for n in range(10**9):
            clock.now += cost
            ticks.append(clock.now)
            yield Step(n, {"value": 0.0}, 10**9)

    run = Active(name, JOB, learner, None, steps(), {"pace": pace}, due=clock.now, world=generators.leave())
    to.runs[name] = run
    to._turns.setdefault(learner, FairShare()).runs.append(name)


def live(to: Loop, clock: Clock, seconds: float) -> None:
    end = clock.now + seconds
    while clock.now < end:
        wait = to.turn()  # on its own line: it moves the clock
        clock.now += max(wait, 2e-5)


def test_light_runs_of_a_class_hardly_wait_beside_heavy_ones_which_share_the_rest_evenly(clock: Clock) -> None:
    """A hundred runs at 20 steps a second, each a tenth of a millisecond, and three whose steps take 40, 40 and 80."""
    one = Loop("cpu", lambda message: None)
    light: list[list[float]] = [[] for _ in range(100)]
    heavy: list[list[float]] = [[] for _ in range(3)]
    for n, cost in enumerate((0.04, 0.04, 0.08)):
        join(one, clock, f"heavy {n}", f"heavy {n}", cost, 0, heavy[n])
    for n in range(100):
        join(one, clock, f"light {n}", f"light {n}", 1e-4, 20, light[n])
    live(one, clock, 10)
    waits = np.concatenate([np.diff(ticks) for ticks in light])
    assert np.percentile(waits, 95) <= 0.25
    assert waits.mean() < 0.07  # of 0.05 that they ask for; a step of 80 ms takes some beats away
    time = [cost * len(ticks) for cost, ticks in zip((0.04, 0.04, 0.08), heavy, strict=True)]
    assert min(time) > 0.9 * max(time)
    assert sum(time) > 0.6 * 10


def test_who_was_away_has_saved_nothing_up(clock: Clock) -> None:
    one = Loop("cpu", lambda message: None)
    early: list[float] = []
    late: list[float] = []
    join(one, clock, "a", "ann", 0.01, 0, early)
    live(one, clock, 20)
    join(one, clock, "b", "bob", 0.01, 0, late)
    before = len(early)
    live(one, clock, 2)
    assert len(late) == pytest.approx(len(early) - before, abs=4)


def test_a_run_that_ends_is_not_judged_by_what_it_held(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Loop("cpu", lambda message: None)
    held = iter(range(0, 10**18, 10**15))
    monkeypatch.setattr(devices, "held", lambda device: next(held))
    ticks: list[float] = []
    join(one, clock, "a", "ann", 1e-4, 0, ticks)
    going = one.runs["a"].going
    assert isinstance(going, Generator)
    going.close()  # its next turn is its end
    assert one.turn() == 0
    assert (one.runs, one._turns) == ({}, {})


def test_a_learner_with_many_runs_has_one_share(clock: Clock) -> None:
    one = Loop("cpu", lambda message: None)
    ticks: list[list[float]] = [[] for _ in range(5)]
    for n in range(4):
        join(one, clock, f"a{n}", "ann", 0.002, 0, ticks[n])
    join(one, clock, "b", "bob", 0.03, 0, ticks[4])
    live(one, clock, 20)
    ann, bob = 0.002 * sum(len(each) for each in ticks[:4]), 0.03 * len(ticks[4])
    assert ann == pytest.approx(bob, rel=0.05)
    assert min(len(each) for each in ticks[:4]) > 0.9 * max(len(each) for each in ticks[:4])
