"""What the worker sends of its runs, and when: scalars, frames, checkpoints and statuses."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np

from engine.checkpoint import pack_live
from engine.messages import RunCheckpoint, RunFrame, RunScalars, RunStatus
from engine.types import Arrays, Scalars
from engine.worker import rng
from engine.worker.problems import as_problem
from engine.worker.worker_run import WorkerRun

SCALARS_S = 0.050  # between two messages of a run's scalars: at most 20 a second
SCALARS_PER_S = 800  # such messages of all runs together


class RunReporter:
    """Sends messages about `runs` by `emit`. Frames and checkpoints call the run's code (engine/worker/context.py)."""

    def __init__(self, emit: Callable[[bytes], object], runs: Mapping[str, WorkerRun]) -> None:
        self._emit = emit
        self._runs = runs

    @property
    def scalars_interval(self) -> float:
        """Seconds between two messages of a run's scalars."""
        return max(SCALARS_S, len(self._runs) / SCALARS_PER_S)

    def scalars_due(self, run: WorkerRun, now: float) -> bool:
        """Whether there are scalars of `run` that have waited long enough."""
        return run.scalars.made > 0 and now - run.scalars.sent >= self.scalars_interval

    def scalars(self, run: WorkerRun) -> None:
        """Sends the scalars gathered since the last time, if any."""
        if not run.scalars.made or run.step is None:
            return
        made = run.scalars.made
        blocks = run.scalars.take(run.step.step, time.monotonic())
        self._emit(RunScalars(run.id, run.step.total, run.scalars.rate, blocks, made, run.spent).pack())

    def frame(self, run: WorkerRun) -> None:
        """Sends the picture of the present step, if it has one."""
        assert run.step is not None
        began = time.monotonic()
        arrays = run.step.frame()
        if arrays:
            self.scalars(run)
            self._emit(RunFrame(run.id, run.step.step, as_json(run.step.scalars), time.time(), arrays).pack())
        now = time.monotonic()
        idle = run.pace > 0 and run.next_call > now and run.status == "running"
        run.frames.taken(run.step.step, began, now, idle, len(self._runs))

    def checkpoint(self, run: WorkerRun, wanted: str = "") -> None:
        """Sends the state after the present step, if it has one, or an empty answer to `wanted`."""
        began = time.monotonic()
        step = run.at
        arrays: Arrays = {}
        if run.step is not None:
            arrays = run.step.state()
            if arrays:
                arrays = {**arrays, **pack_live(run.params, run.job)}
                if run.batched is None:
                    arrays |= rng.capture()
                self.scalars(run)  # whoever goes on from here needs all that came before
        if arrays or wanted:
            self._emit(RunCheckpoint(run.id, step, wanted, arrays).pack())
        run.checkpoints.taken(step, began, time.monotonic())

    def everything(self, run: WorkerRun) -> None:
        """Sends scalars, frame and checkpoint of exactly this step: it was paused at, stepped to, or is the last."""
        self.scalars(run)
        if run.step is None:
            return
        if run.frames.step != run.at:
            self.frame(run)
        if run.checkpoints.step != run.at:
            self.checkpoint(run)

    def status(self, run: WorkerRun) -> None:
        """Sends the run's status, after its scalars."""
        self.scalars(run)
        self._emit(RunStatus(run.id, run.status).pack())

    def failed(self, run_id: str, error: Exception) -> None:
        """Sends that a run has ended with `error`."""
        self._emit(RunStatus(run_id, "failed", as_problem(error)).pack())


def as_json(scalars: Scalars) -> dict[str, float | None]:
    """Scalars with null for what is not finite; the message of scalars carries those as they are."""
    return {name: float(value) if np.isfinite(value) else None for name, value in scalars.items()}
