"""Replays recorded runs as if they were computed now, so that tests of everything above the engine need no torch."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from engine.backends.base import Received
from engine.messages import (
    AskRun,
    Command,
    Event,
    ParamsChanged,
    PauseRun,
    ResumeRun,
    RunAnswer,
    RunCheckpoint,
    RunFrame,
    RunScalars,
    RunStatus,
    SetParams,
    StartRun,
    StepRun,
    StopRun,
    TakeCheckpoint,
    WorkerReady,
)
from engine.records.record import Record
from engine.types import Job, Problem, ScalarBlock

NO_ANSWER = Problem("A recorded run cannot be asked.", "录制的运行无法回答提问。")


class FakeBackend:
    """A Backend that plays the file `record(job)`, one step every `tick_s` seconds, and obeys commands meanwhile."""

    def __init__(self, record: Callable[[Job], Path], tick_s: float = 0.01) -> None:
        self.record = record
        self.tick_s = tick_s
        self._outbox: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._status: dict[str, str] = {}
        self._single_steps: dict[str, int] = {}  # asked for while paused

    def open(self) -> None:
        self._outbox.put(WorkerReady("fake", name="recorded"))

    def send(self, command: Command) -> None:
        match command:
            case StartRun(run):
                self._status[run] = command.status
                self._single_steps[run] = int(command.status == "paused")
                threading.Thread(target=self._play, args=(run, command.job), daemon=True).start()
            case PauseRun(run):
                self._change_status(run, "paused")
            case StepRun(run):
                self._change_status(run, "paused", single_steps=1)
            case ResumeRun(run):
                self._change_status(run, "running")
            case StopRun(run):
                self._change_status(run, "stopped")
            case SetParams(run, values):
                self._outbox.put(ParamsChanged(run, 0, values))
            case TakeCheckpoint(run, wanted):
                self._outbox.put(RunCheckpoint(run, -1, wanted))
            case AskRun(run, number):
                self._outbox.put(RunAnswer(number, run, None, NO_ANSWER))

    def _change_status(self, run: str, status: str, single_steps: int = 0) -> None:
        if self._status.get(run) in ("running", "paused"):
            self._status[run] = status
            self._single_steps[run] += single_steps
            self._outbox.put(RunStatus(run, status))

    def _play(self, run: str, job: Job) -> None:
        self._outbox.put(RunStatus(run, self._status[run]))
        try:
            record = Record.open(self.record(job))
        except (OSError, Problem) as error:
            self._status[run] = "failed"
            self._outbox.put(RunStatus(run, "failed", Problem(str(error), str(error))))
            return
        with contextlib.closing(record):
            self._replay(run, record)

    def _replay(self, run: str, record: Record) -> None:
        for block in record.blocks():
            for i, step in enumerate(block.steps.tolist()):
                while self._status[run] == "paused" and not self._single_steps[run]:
                    time.sleep(self.tick_s)
                if self._status[run] == "stopped":
                    return
                self._single_steps[run] = max(0, self._single_steps[run] - 1)
                row = ScalarBlock(block.names, block.steps[i : i + 1], block.values[i : i + 1])
                self._outbox.put(RunScalars(run, record.total, 0.0, [row]))
                tick = record.frame(step)
                if tick and tick.step == step:
                    self._outbox.put(RunFrame(run, step, {}, arrays=tick.arrays))
                time.sleep(self.tick_s)
        self._status[run] = "done"
        self._outbox.put(RunStatus(run, "done"))

    def events(self) -> Iterator[Received]:
        while (event := self._outbox.get()) is not None:
            yield Received(event, event.pack())

    def close(self) -> None:
        for run in self._status:
            self._status[run] = "stopped"
        self._outbox.put(None)
