"""Hands runs to the workers: admission, the queue, the start of a run with its files, and its end."""

from __future__ import annotations

import re

from engine import files
from engine.backends.base import Backend
from engine.messages import Command, StartRun, StopRun
from engine.runs.listeners import Listeners
from engine.runs.quotas import Quotas
from engine.runs.registry import Registry
from engine.runs.run import Run, RunState
from engine.runs.uploads import Uploads
from engine.types import Arrays, Checkpoint, Job

DIGEST = re.compile("[0-9a-f]{64}")


class Dispatcher:
    """The queue and the way from it into the workers. Not for several threads at once."""

    def __init__(
        self, backend: Backend, registry: Registry, quotas: Quotas, uploads: Uploads, listeners: Listeners
    ) -> None:
        self.backend = backend
        self.registry = registry
        self.uploads = uploads
        self.listeners = listeners
        self.quotas = quotas
        self._queue: list[Run] = []

    def admit(self, learner: str) -> None:
        """Makes room for one more run of `learner`: those that nobody watches give way. Raises Problem without room."""
        for run in self.quotas.admit(learner, self.registry.unended(learner), len(self._queue)):
            self.stop(run)

    def place(self, run: Run) -> int | None:
        """How many runs are served before this one, counted from 1; None if it is not in the queue."""
        return self._queue.index(run) + 1 if run in self._queue else None

    def enqueue(self, run: Run) -> None:
        """Puts a run into the queue, and out of it again if there is room."""
        self._queue.append(run)
        self.dispatch()

    def dispatch(self) -> None:
        """Hands queued runs to the workers while there is room, first those of learners with the fewest there."""
        while self._queue:
            in_worker = [run for run in self.registry.all() if run.in_worker]
            if len(in_worker) >= self.quotas.limits.active:
                break
            n_runs = dict.fromkeys((run.learner for run in self._queue), 0)
            for run in in_worker:
                n_runs[run.learner] = n_runs.get(run.learner, 0) + 1
            run = min(self._queue, key=lambda queued: n_runs[queued.learner])
            self._queue.remove(run)
            self.start(run)
        for run in self._queue:
            self.listeners.changed(run.id)

    def start(self, run: Run, checkpoint: Checkpoint | None = None, status: str = "running") -> None:
        """Hands a run to a worker, to go on from `checkpoint` if given; `status` "paused" takes one step only."""
        if not run.in_worker:
            run.state = "starting"
        arrays = {**(checkpoint or {}), **self.files_of(run.job)}
        self.send(StartRun(run.id, run.job, run.learner, run.live, status, arrays))

    def files_of(self, job: Job) -> Arrays:
        """The uploaded files that a job's settings name, as far as they are still kept: they travel with it."""
        digests = [value for value in job.params.values() if isinstance(value, str) and DIGEST.fullmatch(value)]
        return files.pack({digest: self.uploads.get(digest) for digest in digests if digest in self.uploads})

    def send(self, command: Command) -> None:
        """Passes a command on to the worker that has its run."""
        self.backend.send(command)

    def stop(self, run: Run) -> None:
        """Stops a run, in the queue or in its worker."""
        if run in self._queue:
            self._queue.remove(run)
            self.end(run, "stopped")
        else:
            self.send(StopRun(run.id))

    def end(self, run: Run, state: RunState) -> None:
        """A run has ended: its record is completed, and its place is free for the next one."""
        run.state = state
        run.record.end(run.status, run.error)
        self.dispatch()
        self.listeners.changed(run.id)
