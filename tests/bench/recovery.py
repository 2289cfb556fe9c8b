"""`recovery`: a worker is killed with SIGKILL in the middle of a lesson's run, five times over.

back_s       the slowest time from the kill to the worker being ready again
going_on_s   the slowest time from the kill to the first step that the run had not made before
lost_steps   the most steps the run was set back by: those since its last checkpoint
"""

from __future__ import annotations

import os
import signal
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.backends.process import ProcessBackend
from engine.runs.engine import Engine
from engine.runs.listeners import RunEvent, RunRewound
from engine.types import Job
from lessons.recordings import job
from tests.conftest import wait_until

KILLS = 5
PACE = 50


def seconds_until(what: Callable[[], bool], since: float) -> float:
    """How long after `since` it is so."""
    wait_until(what)
    return time.perf_counter() - since


def killed(engine: Engine, job: Job, set_back: list[int]) -> tuple[float, float, float]:
    """The run of `job` loses its worker: seconds to a new one, seconds to a new step, steps lost."""
    run = engine.submit(job, "ann")
    engine.watch(run.id, "a page", "ann")
    wait_until(lambda: run.step > 2 * PACE)
    worker, at, count = engine.devices()[0]["pid"], run.step, len(set_back)
    os.kill(worker, signal.SIGKILL)
    began = time.perf_counter()
    wait_until(lambda: len(set_back) > count)

    def ready() -> bool:
        device = engine.devices()[0]
        return bool(device["state"] == "ready" and device["pid"] != worker)

    back = seconds_until(ready, began)
    going_on = seconds_until(lambda: run.step > at, began)
    engine.tell(run.id, "ann", "stop")
    return back, going_on, at - set_back[-1]


def main() -> dict[str, Any]:
    back: list[float] = []
    going_on: list[float] = []
    lost: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(ProcessBackend("cpu"), Path(folder))
        set_back: list[int] = []

        def heard(event: RunEvent, message: bytes) -> None:
            if isinstance(event, RunRewound):
                set_back.append(event.step)

        engine.listen(heard)
        engine.start()
        asked = job("gradient_descent")
        for seed in range(KILLS):  # a run that loses its worker twice is given up: one each
            values = {**asked.params, "steps": 1000, "pace": PACE}
            one = killed(engine, Job(asked.entry, values, seed, "cpu"), set_back)
            for column, value in zip((back, going_on, lost), one, strict=True):
                column.append(value)
        engine.close()
    return {
        "back_s": round(max(back), 2),
        "back_s_p50": round(statistics.median(back), 2),
        "going_on_s": round(max(going_on), 2),
        "lost_steps": int(max(lost)),
        "pace": PACE,
    }
