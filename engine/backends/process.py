"""Worker processes on this machine, one for each device, restarted when they die or hang."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.backends.base import Event
from engine.backends.pool import Letters, Outbox, WorkerHandle, WorkerPool
from engine.types import Values
from engine.worker.pipe import LENGTH, read_exactly
from engine.worker.process import PULSE

ROOT = Path(__file__).resolve().parents[2]
STEP_LIMIT_S = float(os.environ.get("TORCHROOM_STEP_LIMIT_S", "60"))
LOOK_S = 0.5  # how often the watchdog looks
QUICK_S = 5.0  # after two in a row that die younger than this, the next one waits a little
EARLY = 3  # deaths in a row before it was ready, and without a word, that are no accident


class Piped(WorkerHandle):
    """A process that speaks by engine/worker/pipe.py, and the threads that write to it and read from it."""

    patience_s = 2.0  # that it has to end itself

    def __init__(self, name: str, device: str, outbox: Outbox) -> None:
        super().__init__(name, device, outbox)
        self.quick_deaths = 0
        self._spawn()

    def command(self) -> Sequence[str]:
        """What is run: a module of this project and its options. Called before each start."""
        raise NotImplementedError

    def inside(self) -> str:
        """The run whose code it is in, or was in when it died; "" if in none."""
        return ""

    def _spawn(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", *self.command()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            # Threads that wait must soon sleep: while they spin and others need a core, steps take 15 times as long.
            # Asleep at once (OMP_WAIT_POLICY=PASSIVE) they wake too late: a third slower on a free machine.
            env={"GOMP_SPINCOUNT": "10000", **os.environ},
            start_new_session=True,  # Ctrl-C is for the server, which then closes us in order
        )
        for work in (self._write, self._read):
            threading.Thread(target=work, args=(self.process, self.letters), name="worker pipe", daemon=True).start()

    def _write(self, process: subprocess.Popen[bytes], letters: Letters) -> None:
        assert process.stdin
        try:
            while (letter := letters.get()) is not None:
                process.stdin.write(LENGTH.pack(len(letter)) + letter)
                process.stdin.flush()
            process.stdin.close()  # the worker ends itself when this ends
        except (BrokenPipeError, ValueError):
            pass  # it died; the reader sees that too and says so

    def _read(self, process: subprocess.Popen[bytes], letters: Letters) -> None:
        assert process.stdout
        born = time.monotonic()
        file = process.stdout.fileno()
        while head := read_exactly(file, LENGTH.size):
            message = read_exactly(file, *LENGTH.unpack(head))
            if not message:
                break
            self.heard(message)
        code = process.wait()
        process.stdout.close()
        if self.closing.is_set():
            letters.put(None)
            return
        quick = time.monotonic() - born < QUICK_S
        lame = not self.up and self.early + 1 >= EARLY
        wait = self.gone(code, self.inside(), self.error or (untold(code) if lame else None))
        self.quick_deaths = self.quick_deaths + 1 if quick else 0
        self.closing.wait(max(wait, 1.0 if self.quick_deaths > 1 else 0.0))
        if not self.closing.is_set():
            self._spawn()

    def close(self) -> None:
        """Ends the process: first by closing its input, then, if it will not, by force."""
        self.closing.set()
        self.letters.put(None)
        try:
            self.process.wait(self.patience_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def untold(code: int) -> Values:
    """What is said of a worker that dies whenever it starts, and does not say why."""
    return {
        "en": f"The worker ends whenever it starts (code {code}); the server's log may say why. It is tried again, "
        "less and less often. Recorded runs can be watched meanwhile.",
        "zh": f"工作进程一启动就退出（代码 {code}），服务器日志中可能有原因。系统会以越来越长的间隔重试。"
        "在此期间可以观看录制的运行。",
    }


class Worker(Piped):
    """One engine/worker/process.py, and the watchdog that kills it when it sits in one call for too long."""

    def __init__(
        self, name: str, device: str, threads: int, outbox: Outbox, step_limit_s: float = STEP_LIMIT_S
    ) -> None:
        self.threads = threads
        self.step_limit_s = step_limit_s
        super().__init__(name, device, outbox)
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def command(self) -> Sequence[str]:
        handle, path = tempfile.mkstemp(prefix="torchroom-pulse-")
        os.write(handle, b"\0" * PULSE.size)
        self._pulse = mmap.mmap(handle, PULSE.size)
        os.close(handle)
        return "engine.worker.process", "--device", self.device, "--threads", str(self.threads), "--pulse", path

    def inside(self) -> str:
        entered, run = PULSE.unpack(self._pulse[:])
        return run.rstrip(b"\0").decode() if entered else ""

    def _watch(self) -> None:
        while not self.closing.wait(LOOK_S):
            entered, _ = PULSE.unpack(self._pulse[:])
            if entered and time.monotonic() - entered > self.step_limit_s:
                PULSE.pack_into(self._pulse, 0, time.monotonic(), self._pulse[8 : PULSE.size])  # once, not each look
                self.process.kill()


class ProcessBackend(WorkerPool):
    """A Backend of one Worker for each device: every CUDA device there is, else MPS, else the processor."""

    def __init__(self, device: str = "auto", threads: int = 0, step_limit_s: float = STEP_LIMIT_S) -> None:
        super().__init__()
        self.device = device
        self.threads = threads
        self.step_limit_s = step_limit_s

    def open(self) -> None:
        self._add(self.device)

    def _add(self, device: str) -> None:
        name = str(len(self.members) + 1)
        self.members.append(Worker(name, device, self.threads, self.outbox, self.step_limit_s))

    def events(self) -> Iterator[Event]:
        for event in super().events():
            header: Values = event[0]
            if header["type"] == "ready" and header["device"] == "cuda:0" and len(self.members) == 1:
                for n in range(1, header["count"]):
                    self._add(f"cuda:{n}")
            yield event
