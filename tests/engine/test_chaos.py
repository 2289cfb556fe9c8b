"""Workers that are killed at random under many live runs: each ends whole or says why it did not."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from engine.backends.process import ProcessBackend
from engine.messages import RunScalars
from engine.runs.engine import Engine
from engine.runs.listeners import RunEvent, RunRewound
from engine.types import Job
from tests.conftest import wait_until
from tests.engine.test_engine import ENTRY, finished

RUNS = 20
STEPS = 4000
SECONDS = float(os.environ.get("TORCHROOM_CHAOS_S", "15"))


@pytest.mark.slow
def test_workers_killed_at_random_under_twenty_runs_lose_none_and_double_none(tmp_path: Path) -> None:
    """The numbers are compared with those of runs that nobody disturbed; TORCHROOM_CHAOS_S makes it longer."""
    dice = random.Random(1)
    engine = Engine(ProcessBackend("cpu", threads=1), tmp_path / "runs")
    engine.start()
    last: dict[str, int] = {}
    lost: dict[str, list[int]] = {}

    def heard(event: RunEvent, message: bytes) -> None:
        if isinstance(event, RunScalars):
            last[event.run] = max(int(block.steps[-1]) for block in event.blocks)
        elif isinstance(event, RunRewound):
            lost.setdefault(event.run, []).append(last.get(event.run, -1) - event.step)
            last[event.run] = event.step

    engine.listen(heard)
    pace = STEPS / (SECONDS * 1.5)
    runs = [
        engine.submit(Job(ENTRY, {"steps": STEPS, "pace": pace, "rate": 1.0}, seed), f"learner {seed % 7}")
        for seed in range(RUNS)
    ]
    for run in runs:
        engine.watch(run.id, run.id, run.learner)
    wait_until(lambda: all(run.step > 5 for run in runs), what="all going")
    end = time.monotonic() + SECONDS
    killed: set[int] = set()
    while time.monotonic() < end or len(killed) < 3:
        device = engine.devices()[0]
        if device["state"] == "ready" and device["pid"] not in killed:
            time.sleep(dice.uniform(0.2, 2.5))
            killed.add(device["pid"])
            os.kill(device["pid"], signal.SIGKILL)
        time.sleep(0.02)
    for run in runs:
        wait_until(lambda run=run: run.ended, 60 + SECONDS, f"the end of {run.id}, {run.status} at {run.step}")  # type: ignore[misc]
    assert len(engine.runs()) == RUNS  # none lost, none made twice
    assert lost
    done = [run for run in runs if run.status == "done"]
    for run in runs:
        if run not in done:  # twice in its own step when the worker went: given up, and said so
            assert run.status == "failed"
            assert run.error is not None
            assert "The worker died twice" in run.error.en
        steps = [step for step, _ in run.record.history()]
        assert steps == list(range(run.step + 1))  # none lost, none doubled
    assert len(done) >= RUNS - 3
    for run in done:
        fresh = finished(engine.submit(Job(ENTRY, {"steps": STEPS, "pace": 0.0, "rate": 1.0}, run.job.seed), "fresh"))
        assert run.record.history() == fresh.record.history()
    engine.close()
    # a death costs what came after the last checkpoint, and those are at most a fiftieth of a run or four seconds apart
    worst = max(max(some) for some in lost.values())
    assert worst <= max(STEPS / 48, 4.0 * pace) + pace
