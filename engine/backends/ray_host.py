"""The actor on Ray: it keeps one worker process on its machine, with the device and the watchdog of that machine.

A lesson's code never runs in the actor itself, so whatever kills or hangs it ends the worker only, as without Ray. When
the actor is killed, the worker's input ends, and the worker with it.
"""

from __future__ import annotations

import queue
import socket
from dataclasses import replace

from engine.backends.pool import Outbox
from engine.backends.process import WorkerProcess
from engine.messages import WorkerReady, decode_command
from engine.wire import unpack


class Host:
    """One WorkerProcess, reached by calls that carry packed messages, several at a time."""

    def __init__(self, name: str, device: str, threads: int, step_limit_s: float) -> None:
        self.outbox: Outbox = queue.SimpleQueue()
        self.hostname = socket.gethostname()
        self.worker = WorkerProcess(name, device, threads, self.outbox, step_limit_s)

    def here(self) -> str:
        """The machine's name. Answers as soon as Ray has found a machine for the actor."""
        return self.hostname

    def send(self, messages: list[bytes]) -> None:
        """Passes commands on, in their order."""
        for message in messages:
            self.worker.send(decode_command(*unpack(message)), message)

    def take(self) -> list[bytes]:
        """The events since the last call; waits until there is one. Empty at the end."""
        batch = [self.outbox.get()]
        while not self.outbox.empty():
            batch.append(self.outbox.get())
        messages = []
        for received in batch:
            if received is None:
                return []
            event = received.event
            if isinstance(event, WorkerReady):
                messages.append(replace(event, name=f"{event.name} @ {self.hostname}").pack())
            else:
                messages.append(received.message)
        return messages

    def close(self) -> None:
        """Ends the worker."""
        self.worker.close()
        self.outbox.put(None)
