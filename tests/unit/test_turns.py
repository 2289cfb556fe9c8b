"""Whose turn it is: the scheduler with a clock of its own, on which a step takes as long as the run says."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import numpy as np
import pytest

from engine.messages import PauseRun, ResumeRun, StartRun, StepRun, StopRun, TakeCheckpoint
from engine.types import Job, Step
from engine.wire import unpack
from engine.worker import devices, rng
from engine.worker.scheduler import Scheduler
from engine.worker.worker_run import WorkerRun

JOB = Job("tests.engine.counting.compute:run")


class Clock:
    """Stands in for the functions of the module `time`: it goes on only where a step is taken."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    time = monotonic


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock.monotonic)
    monkeypatch.setattr(time, "time", clock.time)
    return clock


def join(
    scheduler: Scheduler, clock: Clock, name: str, learner: str, cost: float, pace: float, ticks: list[float]
) -> None:
    """A run whose steps take `cost` seconds each."""

    def steps() -> Generator[Step, Any, None]:
        for n in range(10**9):
            clock.now += cost
            ticks.append(clock.now)
            yield Step(n, {"value": 0.0}, 10**9)

    run = WorkerRun(name, JOB, learner, None, steps(), {"pace": pace}, due=clock.now, rng_state=rng.get_state())
    scheduler.runs[name] = run
    scheduler.queue.add(learner, name)


def live(scheduler: Scheduler, clock: Clock, seconds: float) -> None:
    end = clock.now + seconds
    while clock.now < end:
        wait = scheduler.take_slice()  # on its own line: it moves the clock
        clock.now += max(wait, 2e-5)


def test_light_runs_of_a_class_hardly_wait_beside_heavy_ones_which_share_the_rest_evenly(clock: Clock) -> None:
    """A hundred runs at 20 steps a second, each a tenth of a millisecond, and three whose steps take 40, 40 and 80."""
    scheduler = Scheduler("cpu", lambda message: None)
    light: list[list[float]] = [[] for _ in range(100)]
    heavy: list[list[float]] = [[] for _ in range(3)]
    for n, cost in enumerate((0.04, 0.04, 0.08)):
        join(scheduler, clock, f"heavy {n}", f"heavy {n}", cost, 0, heavy[n])
    for n in range(100):
        join(scheduler, clock, f"light {n}", f"light {n}", 1e-4, 20, light[n])
    live(scheduler, clock, 10)
    waits = np.concatenate([np.diff(ticks) for ticks in light])
    assert np.percentile(waits, 95) <= 0.25
    assert waits.mean() < 0.07  # of 0.05 that they ask for; a step of 80 ms takes some beats away
    spent = [cost * len(ticks) for cost, ticks in zip((0.04, 0.04, 0.08), heavy, strict=True)]
    assert min(spent) > 0.9 * max(spent)
    assert sum(spent) > 0.6 * 10


def test_who_was_away_has_saved_nothing_up(clock: Clock) -> None:
    scheduler = Scheduler("cpu", lambda message: None)
    early: list[float] = []
    late: list[float] = []
    join(scheduler, clock, "a", "ann", 0.01, 0, early)
    live(scheduler, clock, 20)
    join(scheduler, clock, "b", "bob", 0.01, 0, late)
    before = len(early)
    live(scheduler, clock, 2)
    assert len(late) == pytest.approx(len(early) - before, abs=4)


def test_a_run_that_ends_is_not_judged_by_what_it_held(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = Scheduler("cpu", lambda message: None)
    held = iter(range(0, 10**18, 10**15))
    monkeypatch.setattr(devices, "memory_in_use", lambda device: next(held))
    ticks: list[float] = []
    join(scheduler, clock, "a", "ann", 1e-4, 0, ticks)
    code = scheduler.runs["a"].code
    assert isinstance(code, Generator)
    code.close()  # its next slice is its end
    assert scheduler.take_slice() == 0
    assert (scheduler.runs, scheduler.queue.shares) == ({}, {})


def test_a_learner_with_many_runs_has_one_share(clock: Clock) -> None:
    scheduler = Scheduler("cpu", lambda message: None)
    ticks: list[list[float]] = [[] for _ in range(5)]
    for n in range(4):
        join(scheduler, clock, f"a{n}", "ann", 0.002, 0, ticks[n])
    join(scheduler, clock, "b", "bob", 0.03, 0, ticks[4])
    live(scheduler, clock, 20)
    ann, bob = 0.002 * sum(len(each) for each in ticks[:4]), 0.03 * len(ticks[4])
    assert ann == pytest.approx(bob, rel=0.05)
    assert min(len(each) for each in ticks[:4]) > 0.9 * max(len(each) for each in ticks[:4])


def counting(run: str, seed: int) -> StartRun:
    return StartRun(run, Job("tests.engine.counting.compute:run", {"cost_s": 0.0}, seed, "cpu"), run)


def test_no_code_is_said_to_run_once_a_command_has_been_carried_out() -> None:
    entered: list[str] = []
    scheduler = Scheduler("cpu", lambda message: None, entered.append)
    scheduler.handle(counting("a", 1))
    scheduler.take_slice()
    for command in (TakeCheckpoint("a", "b"), StepRun("a"), ResumeRun("a"), PauseRun("a"), StopRun("a")):
        scheduler.handle(command)
        assert entered[-1] == "", command


def test_a_checkpoint_holds_the_generators_of_its_own_run() -> None:
    messages: list[bytes] = []
    scheduler = Scheduler("cpu", messages.append)
    scheduler.handle(counting("a", 1))
    scheduler.handle(counting("b", 2))
    for run in ("a", "b"):  # the generators of "b" are in place then
        scheduler.handle(StepRun(run))
        scheduler.take_slice()
    own, *_ = scheduler.runs["a"].rng_state
    scheduler.handle(TakeCheckpoint("a", "c"))
    header, arrays = unpack(messages[-1])
    assert header["wanted"] == "c"
    assert arrays["global.torch"].tobytes() == own.numpy().tobytes()
