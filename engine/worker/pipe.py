"""The far end of a worker's pipe: commands come in on standard input, events leave on standard output.

Both are a length (uint32) and a message of engine/wire.py. No torch here.
"""

from __future__ import annotations

import os
import queue
import struct
import threading
from collections.abc import Callable

LENGTH = struct.Struct("<I")


def read_exactly(file: int, n: int) -> bytes:
    """n bytes, or b"" at the end of the stream."""
    parts = []
    while n:
        part = os.read(file, min(n, 1 << 20))
        if not part:
            return b""
        parts.append(part)
        n -= len(part)
    return b"".join(parts)


class Pipe:
    """Standard input and output of this process, from now on. `ended` is called when the server is gone."""

    def __init__(self, ended: Callable[[], object]) -> None:
        self.inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._ended = ended
        self._out = os.dup(1)
        os.dup2(2, 1)  # what a lesson prints must not land among the messages
        threading.Thread(target=self._listen, name="pipe", daemon=True).start()

    def _listen(self) -> None:
        while head := read_exactly(0, LENGTH.size):
            self.inbox.put(read_exactly(0, *LENGTH.unpack(head)))
        self._ended()

    def emit(self, message: bytes) -> None:
        """One message to the server. For one thread."""
        whole = memoryview(LENGTH.pack(len(message)) + message)
        while whole:
            whole = whole[os.write(self._out, whole) :]
