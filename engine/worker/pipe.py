"""The worker's end of its pipe: commands come in on standard input, events leave on standard output.

Each is a length (uint32, little-endian) and a message of engine/wire.py. No torch here.
"""

from __future__ import annotations

import os
import queue
import struct
import threading
from collections.abc import Callable

LENGTH = struct.Struct("<I")


def read_exactly(file: int, n: int) -> bytes:
    """n bytes of the file descriptor, or b"" at its end."""
    parts = []
    while n:
        part = os.read(file, min(n, 1 << 20))
        if not part:
            return b""
        parts.append(part)
        n -= len(part)
    return b"".join(parts)


class Pipe:
    """Standard input and output of this process, from now on. `on_end` is called when the server is gone."""

    def __init__(self, on_end: Callable[[], object]) -> None:
        self.inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._on_end = on_end
        self._out = os.dup(1)
        os.dup2(2, 1)  # what a lesson prints goes to standard error: it must not land among the messages
        threading.Thread(target=self._listen, name="pipe", daemon=True).start()

    def _listen(self) -> None:
        while head := read_exactly(0, LENGTH.size):
            self.inbox.put(read_exactly(0, *LENGTH.unpack(head)))
        self._on_end()

    def emit(self, message: bytes) -> None:
        """Sends one message to the server. To be called by one thread only."""
        rest = memoryview(LENGTH.pack(len(message)) + message)
        while rest:
            rest = rest[os.write(self._out, rest) :]
