"""Who watches which run. A run that nobody watches pauses, and goes on as soon as somebody does; later it stops."""

from __future__ import annotations

import time

from engine.messages import PauseRun, ResumeRun, StopRun
from engine.runs.dispatcher import Dispatcher
from engine.runs.registry import Registry
from engine.runs.run import Run
from engine.types import Problem

UNWATCHED_PAUSE_S = 60.0
UNWATCHED_STOP_S = 600.0


class Audience:
    """The viewers of all runs. Not for several threads at once."""

    def __init__(self, registry: Registry, dispatcher: Dispatcher) -> None:
        self.registry = registry
        self.dispatcher = dispatcher

    def join(self, run: Run, viewer: str, learner: str) -> None:
        """`viewer`, one socket of `learner`, watches the run from now on."""
        run.viewers[viewer] = learner
        if run.idle:
            self.dispatcher.send(ResumeRun(run.id))
            run.note = None
            wake(run)

    def leave(self, run: Run, viewer: str) -> None:
        """`viewer` watches the run no more. If it was the last one and its learner has a newer run, this one pauses."""
        del run.viewers[viewer]
        run.unwatched_since = time.monotonic()
        if not run.viewers and run.state == "running":
            mine = self.registry.unended(run.learner)
            if any(other.created > run.created for other in mine):
                self._rest(run)

    def rest_unwatched(self) -> None:
        """Pauses what nobody has watched for a minute, and stops what nobody has watched for ten."""
        now = time.monotonic()
        for run in self.registry.all():
            if run.viewers or not run.in_worker:
                continue
            if run.state == "running" and now - run.unwatched_since > UNWATCHED_PAUSE_S:
                self._rest(run)
            elif now - run.unwatched_since > UNWATCHED_STOP_S:
                self.dispatcher.send(StopRun(run.id))

    def _rest(self, run: Run) -> None:
        run.state = "resting"
        run.note = Problem("Paused: nobody was watching.", "已暂停：没有人在看。")
        self.dispatcher.send(PauseRun(run.id))


def wake(run: Run) -> None:
    """A run is no longer paused for want of viewers alone; the command that follows says how it goes on."""
    if run.idle:
        run.state = "paused" if run.state == "idle" else "running"
