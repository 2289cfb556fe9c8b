"""python -m engine.worker.process: one process that owns one device and advances many runs.

Commands come in and events leave by engine/worker/pipe.py. The end of its input is the death of the server: the worker
ends itself at once, whatever it is doing, so none is ever left behind.
"""

from __future__ import annotations

import argparse
import mmap
import os
import queue
import struct
import time
from pathlib import Path

from engine.types import Values
from engine.wire import pack, unpack
from engine.worker.pipe import Pipe

NICE = 5  # the page answers first, training takes the rest
PULSE = struct.Struct("<d56s")  # when the run's code was entered (monotonic seconds), which run
CANNOT_START = 3  # the code it ends with after saying why


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0, help="0: one for each processor this process may use")
    parser.add_argument("--pulse", default="", help="a file of 64 bytes that tells a watchdog which run is being run")
    options = parser.parse_args()
    pipe = Pipe(lambda: os._exit(0))
    pulse = bytearray(PULSE.size)
    if options.pulse:
        with Path(options.pulse).open("r+b") as file:
            shared = mmap.mmap(file.fileno(), PULSE.size)
        Path(options.pulse).unlink()  # both sides hold it open now
    try:
        import torch

        from engine.worker import devices
        from engine.worker.scheduler import Loop

        torch.set_num_threads(options.threads or len(os.sched_getaffinity(0)))
        device = devices.choose(options.device)
        devices.warm(device)
    except Exception as error:  # whatever is missing or broken here, the next try will most likely find it so too
        pipe.emit(pack({"type": "stuck", "run": "", "device": options.device, "error": reason(error, options.device)}))
        raise SystemExit(CANNOT_START) from error

    def enter(run: str) -> None:
        PULSE.pack_into(shared if options.pulse else pulse, 0, time.monotonic() if run else 0.0, run.encode())

    os.nice(NICE)  # only now: starting, or starting again, is urgent
    loop = Loop(str(device), pipe.emit, enter)
    pipe.emit(pack({"type": "ready", "run": "", **devices.describe(device)}))
    wait = 1.0
    while True:
        try:
            message = pipe.inbox.get(timeout=wait) if wait else pipe.inbox.get_nowait()
            loop.handle(*unpack(message))
            wait = 0.0
        except queue.Empty:
            wait = loop.turn(lambda: not pipe.inbox.empty())


def reason(error: Exception, device: str) -> Values:
    """Why no worker can start here, and what to do, in both languages."""
    if isinstance(error, ImportError):
        name = error.name or str(error)
        return {
            "en": f"Nothing can be computed: the Python package {name} is missing or broken. Run `make env`, which "
            "installs what requirements.txt names. Recorded runs can be watched without it.",
            "zh": f"这里无法进行计算：缺少 Python 包 {name}，或它已损坏。请运行 `make env`，"
            "它会安装 requirements.txt 中列出的包。没有它也可以观看录制的运行。",
        }
    detail = f"{type(error).__name__}: {error}"[:300]
    return {
        "en": f"The worker cannot start on the device {device!r} ({detail}). Set TORCHROOM_DEVICE to cpu, cuda or mps, "
        "or leave it out.",
        "zh": f"工作进程无法在设备 {device!r} 上启动（{detail}）。请把 TORCHROOM_DEVICE 设为 cpu、cuda 或 mps，"
        "或者不设置它。",
    }


if __name__ == "__main__":
    main()
