"""The actor on Ray: it keeps one worker process on its machine, with that machine's device and watchdog.

A lesson's code never runs in the actor itself, so what kills or hangs a run costs the worker only, as it does without
Ray. When the actor is killed, its worker's input ends, and the worker with it.
"""

from __future__ import annotations

import queue
import socket

from engine.backends.pool import Outbox
from engine.backends.process import Worker
from engine.wire import pack, unpack


class Host:
    """One Worker, reached by calls: `tell` and `take` carry messages of engine/wire.py, as many as there are."""

    def __init__(self, name: str, device: str, threads: int, step_limit_s: float) -> None:
        self.outbox: Outbox = queue.SimpleQueue()
        self.place = socket.gethostname()
        self.worker = Worker(name, device, threads, self.outbox, step_limit_s)

    def here(self) -> str:
        """The machine's name. Answers as soon as the actor has been placed."""
        return self.place

    def tell(self, letters: list[bytes]) -> None:
        """Passes commands on, in their order."""
        for letter in letters:
            header, _ = unpack(letter)
            if header["op"] == "start":
                self.worker.start(header["run"], letter)
            else:
                self.worker.letters.put(letter)

    def take(self) -> list[bytes]:
        """What happened since the last call; waits until something has. Empty at the end."""
        events = [self.outbox.get()]
        while not self.outbox.empty():
            events.append(self.outbox.get())
        messages = []
        for event in events:
            if event is None:
                return []
            header, arrays, message = event
            if header["type"] == "ready":
                message = pack({**header, "name": f"{header['name']} @ {self.place}"}, arrays)
            messages.append(message)
        return messages

    def close(self) -> None:
        """Ends the worker."""
        self.worker.close()
        self.outbox.put(None)
