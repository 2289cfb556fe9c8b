"""Replays recorded runs as if they were being computed: tests of everything above the engine need no torch."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.backends.base import Event
from engine.records.blocks import encode_blocks
from engine.records.record import Record
from engine.types import Arrays, Checkpoint, Job, Problem, Values
from engine.wire import pack, unpack


class FakeBackend:
    """A Backend that plays `record(job)`, a step each `tick_s`; commands act on the playing."""

    def __init__(self, record: Callable[[Job], Path], tick_s: float = 0.01) -> None:
        self.record = record
        self.tick_s = tick_s
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._status: dict[str, str] = {}
        self._single: dict[str, int] = {}

    def open(self) -> None:
        device = {"device": "fake", "name": "recorded", "threads": 0, "torch": "", "count": 1, "pid": 0}
        self._outbox.put(pack({"type": "ready", "run": "", **device}))

    def start(
        self, run: str, job: Job, learner: str, state: Checkpoint | None = None, live: Values | None = None,
        status: str = "running",
    ) -> None:  # fmt: skip
        self._status[run] = status
        self._single[run] = int(status == "paused")
        threading.Thread(target=self._play, args=(run, job), daemon=True).start()

    def _play(self, run: str, job: Job) -> None:
        self._say(run)
        try:
            record = Record.open(self.record(job))
        except (OSError, Problem) as error:
            self._status[run] = "failed"
            self._say(run, {"en": str(error), "zh": str(error)})
            return
        with contextlib.closing(record):
            self._replay(run, record)

    def _replay(self, run: str, record: Record) -> None:
        for group in record.groups():
            for i in range(len(group.steps)):
                while self._status[run] == "paused" and not self._single[run]:
                    time.sleep(self.tick_s)
                if self._status[run] == "stopped":
                    return
                self._single[run] = max(0, self._single[run] - 1)
                one = type(group)(group.names, group.steps[i : i + 1], group.values[i : i + 1])
                header, arrays = encode_blocks([one])
                header |= {"type": "scalars", "run": run, "total": record.total, "rate": 0.0}
                self._outbox.put(pack(header, arrays))
                step = int(group.steps[i])
                tick = record.frame(step)
                if tick and tick.step == step:
                    self._outbox.put(pack({"type": "frame", "run": run, "step": step, "scalars": {}}, tick.arrays))
                time.sleep(self.tick_s)
        self._status[run] = "done"
        self._say(run)

    def _say(self, run: str, error: Values | None = None) -> None:
        self._outbox.put(pack({"type": "status", "run": run, "status": self._status[run], "error": error}))

    def tell(self, run: str, command: str, values: Mapping[str, Any], arrays: Arrays | None = None) -> None:
        statuses = {"pause": "paused", "resume": "running", "stop": "stopped", "step": "paused"}
        if command in statuses and self._status.get(run) in ("running", "paused"):
            self._status[run] = statuses[command]
            self._single[run] += command == "step"
            self._say(run)
        elif command == "set":
            self._outbox.put(pack({"type": "changed", "run": run, "step": 0, "values": dict(values)}))
        elif command == "snapshot":
            self._outbox.put(pack({"type": "snapshot", "run": run, "step": -1, "wanted": values["wanted"]}))
        elif command == "ask":
            error = {"en": "A recorded run cannot be asked.", "zh": "录制的运行无法回答提问。"}
            self._outbox.put(pack({"type": "answer", "run": run, "id": values["id"], "step": None, "error": error}))

    def events(self) -> Iterator[Event]:
        while (message := self._outbox.get()) is not None:
            yield (*unpack(message), message)

    def close(self) -> None:
        for run in self._status:
            self._status[run] = "stopped"
        self._outbox.put(None)
