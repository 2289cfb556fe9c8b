"""The whole worker in a thread of this process: for tests and debuggers. Imports torch."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

from engine.backends.base import Received
from engine.messages import Command, WorkerReady, decode_command, decode_event
from engine.wire import unpack


class InlineBackend:
    """A Backend without a second process. What kills a worker kills this process."""

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
        self._outbox.put(WorkerReady(**devices.describe(torch.device(self.device))).pack())
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

    def send(self, command: Command) -> None:
        self._inbox.put(command.pack())

    def events(self) -> Iterator[Received]:
        while (message := self._outbox.get()) is not None:
            yield Received(decode_event(*unpack(message)), message)

    def close(self) -> None:
        if self._thread.is_alive():
            self._inbox.put(None)
            self._thread.join(10)
        else:
            self._outbox.put(None)
