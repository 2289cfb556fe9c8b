"""Runs that go on from the state of another: forks with settings of their own, and private copies of a shared run."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from engine.messages import RunControl, SetParams, TakeCheckpoint
from engine.runs.dispatcher import Dispatcher
from engine.runs.listeners import Listeners
from engine.runs.registry import Registry
from engine.runs.run import Run
from engine.types import Checkpoint, Job, Problem, Values

FORK_WAIT_S = 1.0  # that the fork of a run under way waits for the state of its source before it is shown without


@dataclass(slots=True)
class Pending:
    """A run in state "copying": it waits for the present state of `source`, then does as its learner said last."""

    copy: Run
    source: Run
    control: RunControl
    values: Values  # of a "set"

    @property
    def is_fork(self) -> bool:
        """Whether it has settings of its own, so that it is no mere copy."""
        return self.copy.job is not self.source.job


class Copies:
    """Makes forks and private copies. Every method is called with `lock` held."""

    def __init__(self, registry: Registry, dispatcher: Dispatcher, listeners: Listeners, lock: threading.RLock) -> None:
        self.registry = registry
        self.dispatcher = dispatcher
        self.listeners = listeners
        self._pending: dict[str, Pending] = {}  # by the id of the copy
        self._resolved = threading.Condition(lock)

    # Forks

    def fork(self, source: Run, step: int | None, job: Job, learner: str) -> Run:
        """A new run of `job` from the last checkpoint of `source` at or before `step`; None: from where it is now."""
        if step is None and source.in_worker:
            return self._fork_present(source, job, learner)
        return self._fork_checkpoint(source, source.step if step is None else step, job, learner)

    def _fork_present(self, source: Run, job: Job, learner: str) -> Run:
        """The worker is asked for the state of the source; the fork is returned without it if that takes long."""
        self.dispatcher.admit(learner)
        fork = self.registry.create(job, learner, "copying")
        self._pending[fork.id] = Pending(fork, source, "resume", {})
        self.dispatcher.send(TakeCheckpoint(source.id, fork.id))
        self._resolved.wait_for(lambda: fork.id not in self._pending, FORK_WAIT_S)
        return fork

    def _fork_checkpoint(self, source: Run, step: int, job: Job, learner: str) -> Run:
        saved = source.record.checkpoint(step)
        if saved is None:
            raise Problem(
                f"No snapshot at or before step {step} was kept. Fork at one of the marked steps.",
                f"第 {step} 步及之前没有保存快照，请在有标记的步骤处分叉。",
            )
        if not source.marks:
            raise Problem(
                "The lesson's own recording cannot be forked. Press Run, then fork your run.",
                "课程自带的录像不能分叉。请先点“运行”，再对自己的运行分叉。",
            )
        self.dispatcher.admit(learner)
        at, checkpoint = saved
        fork_id = self.registry.new_id(job)
        record = source.record.copy(self.registry.library.path(fork_id), at, job, (source.id, at))
        fork = self.registry.add(Run(fork_id, job, learner, record))
        self.dispatcher.start(fork, without_overridden(checkpoint, job))
        self.listeners.changed(fork.id)
        return fork

    # Private copies

    def copy(self, source: Run, learner: str, control: RunControl, values: Values) -> Run:
        """A private copy of a run that others watch too; `control` acts on the copy from this moment on."""
        if control == "stop" or not (source.in_worker or source.state == "cut"):
            return self._stopped_copy(source, learner)
        copy = self.registry.create(source.job, learner, "copying")
        copy.live = dict(source.live)
        self._pending[copy.id] = Pending(copy, source, control, values)
        if source.state == "cut":  # no worker has its state: its last checkpoint does
            self._resolve(copy.id, *source.last_checkpoint())
        else:
            self.dispatcher.send(TakeCheckpoint(source.id, copy.id))
        return copy

    def _stopped_copy(self, source: Run, learner: str) -> Run:
        """For who wants no more of a run than what there is: it needs no worker."""
        copy_id = self.registry.new_id(source.job)
        path = self.registry.library.path(copy_id)
        record = source.record.copy(path, source.step, None, (source.id, source.step))
        copy = self.registry.add(Run(copy_id, source.job, learner, record, live=dict(source.live)))
        self.dispatcher.end(copy, "stopped")
        return copy

    def redirect(self, copy: Run, control: RunControl, values: Values) -> None:
        """A later command to a run that still waits for its state: it takes the place of the first one."""
        pending = self._pending[copy.id]
        pending.control, pending.values = control, values

    # The state is here

    def on_checkpoint(self, copy_id: str, step: int, checkpoint: Checkpoint) -> None:
        """A worker sent the state of a run for a copy; it sends none if the run has ended meanwhile, or has none."""
        if copy_id in self._pending:
            self._resolve(copy_id, step, checkpoint)

    def on_worker_died(self) -> None:
        """No answer will come: every copy goes on from the last checkpoint of its source."""
        for copy_id, pending in list(self._pending.items()):
            self._resolve(copy_id, *pending.source.last_checkpoint())

    def _resolve(self, copy_id: str, step: int, checkpoint: Checkpoint) -> None:
        """The copy gets the past of its source up to `step`, and goes on from `checkpoint` or ends."""
        pending = self._pending.pop(copy_id)
        self._resolved.notify_all()
        copy, source = pending.copy, pending.source
        if pending.is_fork and not checkpoint:  # the source ended before it could tell where it was
            step, checkpoint = source.last_checkpoint()
        self._inherit(pending, step if checkpoint else source.step)
        if pending.is_fork:
            checkpoint = without_overridden(checkpoint, copy.job)
        if not checkpoint:  # nothing to go on from: it is a replay of its source
            self.dispatcher.end(copy, source.state if source.ended else "stopped")
        elif pending.control == "stop":
            self.dispatcher.end(copy, "stopped")
        elif pending.control == "set":
            self.dispatcher.start(copy, checkpoint, "running" if source.status == "running" else "paused")
            self.dispatcher.send(SetParams(copy.id, pending.values))
        else:
            self.dispatcher.start(copy, checkpoint, "running" if pending.control == "resume" else "paused")

    def _inherit(self, pending: Pending, step: int) -> None:
        """Replaces the copy's empty record by one with the past of its source, up to `step`."""
        copy, source = pending.copy, pending.source
        copy.record.remove()
        job = copy.job if pending.is_fork else None
        copy.record = source.record.copy(self.registry.library.path(copy.id), step, job, (source.id, step))


def without_overridden(checkpoint: Checkpoint, job: Job) -> dict[str, Any]:
    """A checkpoint for a fork: the fork's own settings go before what was changed while its source ran ("live.*")."""
    overridden = {
        f"live.{name}" for name, value in job.params.items() if checkpoint.get(f"live.{name}", value) != value
    }
    return {name: array for name, array in checkpoint.items() if name not in overridden}
