"""The fake backend: recorded runs replayed as if computed, in a process that never needs torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine.backends.fake import FakeBackend
from engine.records.record import Record
from engine.runs.engine import Engine
from engine.types import Job, Problem
from lessons import catalog
from tests.conftest import wait_until

FIRST = catalog.lesson("gradient_descent").folder / "demo.run"


def test_a_recorded_run_is_replayed_step_by_step_and_obeys(tmp_path: Path) -> None:
    engine = Engine(FakeBackend(lambda job: FIRST, tick_s=0.001), tmp_path / "runs")
    engine.start()
    first = Record.open(FIRST)
    run = engine.submit(Job(first.job.entry, first.job.params), "ann")
    wait_until(lambda: run.step > 5, what="some steps")
    engine.tell(run.id, "ann", "pause")
    wait_until(lambda: run.status == "paused", what="the pause")
    engine.tell(run.id, "ann", "resume")
    wait_until(lambda: run.ended, what="the end")
    assert run.status == "done"
    assert run.record.history() == first.history()
    with pytest.raises(Problem):
        engine.ask(run.id, None, "anything", {}).result(5)
    missing = Engine(FakeBackend(lambda job: tmp_path / "none.run"), tmp_path / "others")
    missing.start()
    lost = missing.submit(Job(first.job.entry), "ann")
    wait_until(lambda: lost.status == "failed", what="the failure")
    assert lost.error is not None
    for one in (engine, missing):
        one.close()
    first.close()


def test_it_needs_no_torch(tmp_path: Path) -> None:
    program = f"""
import sys, time
from pathlib import Path
from engine.backends.fake import FakeBackend
from engine.runs.engine import Engine
from engine.types import Job
engine = Engine(FakeBackend(lambda job: Path({str(FIRST)!r}), 0.0), Path({str(tmp_path / "runs")!r}))
engine.start()
run = engine.submit(Job("lessons.gradient_descent.compute:run"), "ann")
while not run.ended:
    time.sleep(0.01)
assert run.status == "done" and "torch" not in sys.modules
engine.close()
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
