"""The whole worker in a thread of this process: for tests and debuggers. Imports torch."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from engine.backends.base import Event, start_message, tell_message
from engine.messages import decode_command
from engine.types import Arrays, Checkpoint, Job, Values
from engine.wire import pack, unpack


class InlineBackend:
    """A Backend without a second process. What kills a worker kills this process, so nothing here survives that."""

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self._inbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="inline worker", daemon=True)

    def open(self) -> None:
        self._thread.start()

    def _work(self) -> None:
        import torch

        from engine.worker import devices
        from engine.worker.scheduler import Scheduler

        scheduler = Scheduler(str(devices.choose(self.device)), self._outbox.put)
        self._outbox.put(pack({"type": "ready", "run": "", **devices.describe(torch.device(self.device))}))
        wait = 1.0
        while True:
            try:
                message = self._inbox.get(timeout=wait) if wait else self._inbox.get_nowait()
                if message is None:
                    break
                scheduler.handle(decode_command(*unpack(message)))
                wait = 0.0
            except queue.Empty:
                wait = scheduler.take_slice(lambda: not self._inbox.empty())
        self._outbox.put(None)

    def start(
        self, run: str, job: Job, learner: str, state: Checkpoint | None = None, live: Values | None = None,
        status: str = "running",
    ) -> None:  # fmt: skip
        self._inbox.put(start_message(run, job, learner, state, live, status))

    def tell(self, run: str, command: str, values: Mapping[str, Any], arrays: Arrays | None = None) -> None:
        self._inbox.put(tell_message(run, command, values, arrays))

    def events(self) -> Iterator[Event]:
        while (message := self._outbox.get()) is not None:
            yield (*unpack(message), message)

    def close(self) -> None:
        if self._thread.is_alive():
            self._inbox.put(None)
            self._thread.join(10)
        else:
            self._outbox.put(None)
