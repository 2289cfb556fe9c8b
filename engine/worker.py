"""python -m engine.worker: one process that owns one device and advances many runs.

Commands come in on standard input, events leave on standard output, both as a length (uint32) and a message of
engine/wire.py. The end of standard input is the death of the server: the worker ends itself at once, whatever it is
doing, so none is ever left behind.
"""

from __future__ import annotations

import argparse
import mmap
import os
import queue
import struct
import threading
import time
from pathlib import Path

LENGTH = struct.Struct("<I")
NICE = 5  # the page answers first, training takes the rest
PULSE = struct.Struct("<d56s")  # when the run's code was entered (monotonic seconds), which run


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0, help="0: one for each processor this process may use")
    parser.add_argument("--pulse", default="", help="a file of 64 bytes that tells a watchdog which run is being run")
    options = parser.parse_args()
    out = os.dup(1)
    os.dup2(2, 1)  # what a lesson prints must not land among the messages
    inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def listen() -> None:
        while head := read_exactly(0, LENGTH.size):
            inbox.put(read_exactly(0, *LENGTH.unpack(head)))
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()

    import torch

    from engine import devices
    from engine.loop import Loop
    from engine.wire import pack, unpack

    torch.set_num_threads(options.threads or len(os.sched_getaffinity(0)))
    device = devices.choose(options.device)
    devices.warm(device)

    def emit(message: bytes) -> None:
        whole = memoryview(LENGTH.pack(len(message)) + message)
        while whole:
            whole = whole[os.write(out, whole) :]

    pulse = bytearray(PULSE.size)
    if options.pulse:
        with Path(options.pulse).open("r+b") as file:
            shared = mmap.mmap(file.fileno(), PULSE.size)
        Path(options.pulse).unlink()  # both sides hold it open now

    def enter(run: str) -> None:
        PULSE.pack_into(shared if options.pulse else pulse, 0, time.monotonic() if run else 0.0, run.encode())

    os.nice(NICE)  # only now: starting, or starting again, is urgent
    loop = Loop(str(device), emit, enter)
    emit(pack({"type": "ready", "run": "", **devices.describe(device)}))
    wait = 1.0
    while True:
        try:
            message = inbox.get(timeout=wait) if wait else inbox.get_nowait()
            loop.handle(*unpack(message))
            wait = 0.0
        except queue.Empty:
            wait = loop.turn(lambda: not inbox.empty())


if __name__ == "__main__":
    main()
