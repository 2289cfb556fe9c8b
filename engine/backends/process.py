"""Worker processes on this machine, one for each device, started again when they die or hang."""

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

from engine.backends.base import Received
from engine.backends.pool import Commands, Outbox, WorkerHandle, WorkerPool
from engine.messages import WorkerReady
from engine.types import Problem
from engine.worker.pipe import LENGTH, read_exactly
from engine.worker.process import PULSE

ROOT = Path(__file__).resolve().parents[2]
STEP_LIMIT_S = float(os.environ.get("TORCHROOM_STEP_LIMIT_S", "60"))
WATCHDOG_PERIOD_S = 0.5
SHORT_LIFE_S = 5.0  # after two lives in a row shorter than this, the next start waits
SHORT_LIFE_WAIT_S = 1.0
MAX_EARLY_DEATHS = 3  # in a row, before it was up and without a reason given; from then on it counts as stuck


class PipedProcess(WorkerHandle):
    """A process at the other end of engine/worker/pipe.py, and the threads that write to it and read from it."""

    close_timeout_s = 2.0  # in which it has to end by itself

    def __init__(self, name: str, device: str, outbox: Outbox) -> None:
        super().__init__(name, device, outbox)
        self.short_lives = 0  # in a row
        self._spawn()

    def command(self) -> Sequence[str]:
        """The module of this project to run, and its options. Called before each start."""
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
            # OpenMP threads that wait must sleep soon: while they spin and others need the core, a step takes 15 times
            # as long. With OMP_WAIT_POLICY=PASSIVE they sleep at once, and a free machine is a third slower.
            env={"GOMP_SPINCOUNT": "10000", **os.environ},
            start_new_session=True,  # Ctrl-C reaches the server alone, which then ends this process in order
        )
        for work in (self._write, self._read):
            threading.Thread(target=work, args=(self.process, self.commands), name="worker pipe", daemon=True).start()

    def _write(self, process: subprocess.Popen[bytes], commands: Commands) -> None:
        assert process.stdin
        try:
            while (message := commands.get()) is not None:
                process.stdin.write(LENGTH.pack(len(message)) + message)
                process.stdin.flush()
            process.stdin.close()  # the worker ends itself when its input ends
        except (BrokenPipeError, ValueError):
            pass  # it died: `_read` sees that too and reports it

    def _read(self, process: subprocess.Popen[bytes], commands: Commands) -> None:
        assert process.stdout
        started = time.monotonic()
        file = process.stdout.fileno()
        while head := read_exactly(file, LENGTH.size):
            message = read_exactly(file, *LENGTH.unpack(head))
            if not message:
                break
            self.on_message(message)
        code = process.wait()
        process.stdout.close()
        if self.closing.is_set():
            commands.put(None)
            return
        lived_s = time.monotonic() - started
        cannot_start = not self.is_up and self.early_deaths + 1 >= MAX_EARLY_DEATHS
        wait = self.on_death(code, self.inside(), self.error or (unexplained_deaths(code) if cannot_start else None))
        self.short_lives = self.short_lives + 1 if lived_s < SHORT_LIFE_S else 0
        self.closing.wait(max(wait, SHORT_LIFE_WAIT_S if self.short_lives > 1 else 0.0))
        if not self.closing.is_set():
            self._spawn()

    def close(self) -> None:
        """Ends the process: by closing its input, and by SIGKILL if that is not enough."""
        self.closing.set()
        self.commands.put(None)
        try:
            self.process.wait(self.close_timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def unexplained_deaths(code: int) -> Problem:
    """The message about a worker that dies whenever it starts and gives no reason."""
    return Problem(
        f"The worker ends whenever it starts (code {code}); the server's log may say why. It is tried again, less and "
        "less often. Recorded runs can be watched meanwhile.",
        f"工作进程一启动就退出（代码 {code}），服务器日志中可能有原因。系统会以越来越长的间隔重试。"
        "在此期间可以观看录制的运行。",
    )


class WorkerProcess(PipedProcess):
    """One engine/worker/process.py, and the watchdog that kills it when one call takes longer than `step_limit_s`."""

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
        while not self.closing.wait(WATCHDOG_PERIOD_S):
            entered, _ = PULSE.unpack(self._pulse[:])
            if entered and time.monotonic() - entered > self.step_limit_s:
                PULSE.pack_into(self._pulse, 0, time.monotonic(), self._pulse[8 : PULSE.size])  # not again next time
                self.process.kill()


class ProcessBackend(WorkerPool):
    """A Backend of one WorkerProcess for each device: every CUDA device there is, else MPS, else the processor."""

    def __init__(self, device: str = "auto", threads: int = 0, step_limit_s: float = STEP_LIMIT_S) -> None:
        super().__init__()
        self.device = device
        self.threads = threads
        self.step_limit_s = step_limit_s

    def open(self) -> None:
        self._add(self.device)

    def _add(self, device: str) -> None:
        name = str(len(self.workers) + 1)
        self.workers.append(WorkerProcess(name, device, self.threads, self.outbox, self.step_limit_s))

    def events(self) -> Iterator[Received]:
        for received in super().events():
            event = received.event
            if isinstance(event, WorkerReady) and event.device == "cuda:0" and len(self.workers) == 1:
                for n in range(1, event.count):  # only a worker can tell how many there are: torch is not loaded here
                    self._add(f"cuda:{n}")
            yield received
