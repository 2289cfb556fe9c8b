"""`fork`: forks with equal settings at five random checkpoints of a run of each lesson, through the process backend.

identical              1 if every number of the next 200 steps (or to the end) is the original's, bit by bit
seconds_to_first_tick  the slowest fork's time from the request to its first new step, heard in the web process
"""

from __future__ import annotations

import contextlib
import random
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from engine.backends.process import ProcessBackend
from engine.messages import RunScalars
from engine.runs.engine import Engine, Run
from engine.runs.listeners import RunEvent
from engine.types import Job, Problem
from lessons import catalog
from lessons.recordings import job

FORKS = 5
NEXT = 200
MEASURED = frozenset({"images_per_s"})  # a rate is a time, not a number of the model


def original(engine: Engine, name: str) -> Run:
    """A whole run of the default settings, as fast as it goes."""
    asked = job(name)
    run = engine.submit(Job(asked.entry, {**asked.params, "pace": 0}, asked.seed, asked.device), name)
    engine.watch(run.id, name, name)
    while not run.ended:
        time.sleep(0.02)
    if run.status != "done":
        raise RuntimeError(f"{name}: {run.status}, {run.error}")
    return run


def rows(run: Run, after: int, upto: int) -> list[tuple[int, dict[str, bytes]]]:
    """Every number of the steps after `after` up to `upto`, as its bytes: NaN equals NaN and no digit is lost."""
    return [
        (step, {name: float(value).hex().encode() for name, value in scalars.items() if name not in MEASURED})
        for step, scalars in run.record.history()
        if after < step <= upto
    ]


def first_tick(engine: Engine, run: Run, step: int) -> tuple[Run, float]:
    """A fork with equal settings, and the seconds to its first new step."""
    came = threading.Event()
    wanted: list[str] = []
    early: set[str] = set()

    def heard(event: RunEvent, message: bytes) -> None:
        if isinstance(event, RunScalars):
            early.add(event.run)
            if event.run in wanted:
                came.set()

    engine.listen(heard)
    began = time.perf_counter()
    fork = engine.fork(run.id, step, run.job, run.learner)
    engine.watch(fork.id, f"viewer of {fork.id}", run.learner)
    wanted.append(fork.id)
    if fork.id not in early:
        came.wait(30)
    took = time.perf_counter() - began
    engine._listeners.remove(heard)
    return fork, took


def main() -> dict[str, Any]:
    dice = random.Random(0)
    identical, compared = True, 0
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(ProcessBackend("cpu"), Path(folder))
        engine.start()
        for lesson in catalog.lessons():
            run = original(engine, lesson.name)
            marks = [step for step in run.marks if step < run.total]
            for step in dice.sample(marks, min(FORKS, len(marks))):
                fork, took = first_tick(engine, run, step)
                times.setdefault(lesson.name, []).append(took)
                upto = min(step + NEXT, run.total)
                while fork.step < upto and not fork.ended:
                    time.sleep(0.01)
                identical &= rows(fork, step, upto) == rows(run, step, upto) != []
                compared += upto - step
                with contextlib.suppress(Problem):  # it may have ended by now
                    engine.tell(fork.id, run.learner, "stop")
        engine.close()
    every = [took for some in times.values() for took in some]
    return {
        "identical": int(identical),
        "seconds_to_first_tick": round(max(every), 3),
        "seconds_to_first_tick_p50": round(statistics.median(every), 3),
        "seconds_by_lesson": {name: round(max(some), 3) for name, some in times.items()},
        "forks": len(every),
        "steps_compared": compared,
    }
