"""Several workers as one backend: which worker has which run, and which runs a dead worker had. No torch here."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

from engine.backends.base import Received
from engine.messages import (
    Command,
    Event,
    RunStatus,
    StartRun,
    WorkerDied,
    WorkerReady,
    WorkerStuck,
    decode_event,
)
from engine.types import ENDED, Problem
from engine.wire import unpack

Outbox = queue.SimpleQueue[Received | None]
Commands = queue.SimpleQueue[bytes | None]

MAX_RETRY_S = 60.0  # at most, between two attempts to start a worker that cannot start


class WorkerHandle:
    """One worker as the server sees it: the runs it has, the queue of packed commands to it, and its events.

    `name` is unique in its pool. Behind a handle may be several workers named after it: "ray/2" is behind "ray".
    `commands` ends with None when the process that reads them is gone; its successor reads a new queue.
    """

    def __init__(self, name: str, device: str, outbox: Outbox) -> None:
        self.name = name
        self.device = device
        self.outbox = outbox
        self.runs: set[str] = set()
        self.commands: Commands = queue.SimpleQueue()
        self.closing = threading.Event()
        self.error: Problem | None = None  # why it cannot start, as long as it cannot
        self.failed_starts = 0  # in a row
        self.is_up = False
        self.early_deaths = 0  # before it was up, in a row
        self._names = {name}  # of this worker, or of those behind it
        self._lock = threading.Lock()

    def send(self, command: Command, message: bytes) -> None:
        """Queues a command, given with its packed form; the worker takes it as soon as it can."""
        with self._lock:
            if isinstance(command, StartRun):
                self.runs.add(command.run)
            self.commands.put(message)
            error = self.error
        if error and isinstance(command, StartRun):
            self.report_stuck(error, [command.run])

    def on_message(self, message: bytes) -> None:
        """Passes on an event of the worker, with the worker's name where that matters."""
        event = decode_event(*unpack(message))
        match event:
            case RunStatus():
                if event.status in ENDED:
                    self.runs.discard(event.run)
            case WorkerReady():
                self.device = event.device
                self.error = None
                self.failed_starts = self.early_deaths = 0
                self.is_up = True
            case WorkerDied():  # a worker behind this one
                self.runs -= set(event.runs)
            case WorkerStuck():
                if event.worker in (None, self.name):
                    self.error = event.error
                if event.runs is None:
                    event = replace(event, runs=sorted(self.runs))
        if isinstance(event, RunStatus | WorkerReady | WorkerStuck):
            worker = event.worker or self.name
            self._names.add(worker)
            self._put(replace(event, worker=worker))
        else:
            self.outbox.put(Received(event, message))

    def on_death(self, code: int | str, inside: str = "", error: Problem | None = None) -> float:
        """Reports that the worker died, and why it cannot start if there is an `error`.

        Takes the exit code and the run whose code it was in. Returns the seconds to wait before the next start.
        """
        with self._lock:
            runs = sorted(self.runs)
            self.runs.clear()
            self.commands.put(None)
            self.commands = queue.SimpleQueue()
            self.error = error
        self.early_deaths = 0 if self.is_up else self.early_deaths + 1
        self.is_up = False
        self._put(WorkerDied(sorted(self._names), self.device, code, inside, runs))
        if error is None:
            return 0.0
        self.report_stuck(error, runs)
        self.failed_starts += 1
        return min(MAX_RETRY_S, 2.0 ** (self.failed_starts - 1))

    def report_stuck(self, error: Problem, runs: Sequence[str]) -> None:
        """Reports why the worker cannot start, to the learners of `runs` too."""
        self._put(WorkerStuck(self.device, error, runs=[*runs], worker=self.name))

    def _put(self, event: Event) -> None:
        self.outbox.put(Received(event, event.pack()))

    def close(self) -> None:
        """Ends the worker, and waits until it has ended."""
        raise NotImplementedError


class WorkerPool:
    """A Backend of several workers; a subclass's `open` adds them. A run stays with the worker that began it."""

    def __init__(self) -> None:
        self.workers: list[WorkerHandle] = []
        self.outbox: Outbox = queue.SimpleQueue()
        self._worker_of: dict[str, WorkerHandle] = {}  # by run

    def open(self) -> None:
        """Starts the workers; returns at once."""
        raise NotImplementedError

    def send(self, command: Command) -> None:
        self.forward(command, command.pack())

    def forward(self, command: Command, message: bytes) -> None:
        """`send`, for a command that is packed already."""
        run: str = command.run
        if isinstance(command, StartRun):
            self._worker_of[run] = self._choose(command.job.device)
        self._worker_of.get(run, self.workers[0]).send(command, message)

    def _choose(self, device: str) -> WorkerHandle:
        """The worker with the fewest runs, of those that can start and are of that device if there are any."""
        workers = [worker for worker in self.workers if worker.error is None] or self.workers
        workers = [worker for worker in workers if device in ("auto", worker.device)] or workers
        return min(workers, key=lambda worker: len(worker.runs))

    def events(self) -> Iterator[Received]:
        while (received := self.outbox.get()) is not None:
            event = received.event
            if isinstance(event, RunStatus) and event.status in ENDED:
                self._worker_of.pop(event.run, None)
            yield received

    def close(self) -> None:
        for worker in self.workers:
            worker.closing.set()
        for worker in self.workers:
            worker.close()
        self.outbox.put(None)
