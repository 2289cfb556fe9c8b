"""python -m engine.worker.process: one process that owns one device and takes the steps of many runs.

Commands come in and events leave by engine/worker/pipe.py. When its input ends the server is dead: the worker ends
itself at once, whatever it is doing, so that none is left behind.
"""

from __future__ import annotations

import argparse
import mmap
import os
import queue
import struct
import time
from pathlib import Path

from engine.messages import WorkerReady, WorkerStuck, decode_command
from engine.wire import unpack
from engine.worker.pipe import Pipe
from engine.worker.problems import cannot_start

NICENESS = 5  # the pages' process comes first
PULSE = struct.Struct("<d56s")  # monotonic time at which a run's code was entered (0: none is running), and its id
CANNOT_START = 3  # exit code of a worker that has said why it cannot start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0, help="0: one for each processor this process may use")
    parser.add_argument("--pulse", default="", help="a file of 64 bytes that tells a watchdog whose code is running")
    options = parser.parse_args()
    pipe = Pipe(lambda: os._exit(0))
    pulse = open_pulse(options.pulse)
    try:
        import torch

        from engine.worker import devices
        from engine.worker.scheduler import Scheduler

        torch.set_num_threads(options.threads or len(os.sched_getaffinity(0)))
        device = devices.choose(options.device)
        devices.warm_up(device)
    except Exception as error:  # whatever is missing or broken will most likely be so at the next try
        pipe.emit(WorkerStuck(options.device, cannot_start(error, options.device)).pack())
        raise SystemExit(CANNOT_START) from error

    def on_enter(run: str) -> None:
        PULSE.pack_into(pulse, 0, time.monotonic() if run else 0.0, run.encode())

    os.nice(NICENESS)  # only now: to be up again soon is urgent
    scheduler = Scheduler(str(device), pipe.emit, on_enter)
    pipe.emit(WorkerReady(**devices.describe(device)).pack())
    wait = 1.0
    while True:
        try:
            message = pipe.inbox.get(timeout=wait) if wait else pipe.inbox.get_nowait()
            scheduler.handle(decode_command(*unpack(message)))
            wait = 0.0
        except queue.Empty:
            wait = scheduler.take_slice(interrupted=lambda: not pipe.inbox.empty())


def open_pulse(path: str) -> mmap.mmap | bytearray:
    """The pulse in the file `path`, shared with the server, which has opened it too; or in memory where none is named.

    The file is deleted: both sides hold it open.
    """
    if not path:
        return bytearray(PULSE.size)
    with Path(path).open("r+b") as file:
        shared = mmap.mmap(file.fileno(), PULSE.size)
    Path(path).unlink()
    return shared


if __name__ == "__main__":
    main()
