"""Worker processes on this machine, one for each device, restarted when they die or hang."""

from __future__ import annotations

import mmap
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.backends.base import Event, start_message, tell_message
from engine.types import ENDED, Arrays, Job, Snapshot, Values
from engine.wire import pack, unpack
from engine.worker import LENGTH, PULSE, read_exactly

ROOT = Path(__file__).resolve().parents[2]
STEP_LIMIT_S = float(os.environ.get("TORCHROOM_STEP_LIMIT_S", "60"))
LOOK_S = 0.5  # how often the watchdog looks
QUICK_S = 5.0  # after two in a row that die younger than this, the next one waits a little

Outbox = queue.SimpleQueue[Event | None]
Letters = queue.SimpleQueue[bytes | None]


class Worker:
    """One worker process, and the threads that write to it, read from it and watch it."""

    def __init__(self, device: str, threads: int, outbox: Outbox, step_limit_s: float = STEP_LIMIT_S) -> None:
        self.device = device
        self.threads = threads
        self.outbox = outbox
        self.step_limit_s = step_limit_s
        self.runs: set[str] = set()
        self.closing = threading.Event()
        self.quick_deaths = 0
        self.letters: Letters = queue.SimpleQueue()
        self._spawn()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def _spawn(self) -> None:
        handle, path = tempfile.mkstemp(prefix="torchroom-pulse-")
        os.write(handle, b"\0" * PULSE.size)
        self._pulse = mmap.mmap(handle, PULSE.size)
        os.close(handle)
        command = [sys.executable, "-m", "engine.worker", "--device", self.device, "--threads", str(self.threads)]
        self.process = subprocess.Popen(
            [*command, "--pulse", path],
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
            header, arrays = unpack(message)
            if header["type"] == "status" and header["status"] in ENDED:
                self.runs.discard(header["run"])
            if header["type"] == "ready":
                self.device = header["device"]
            self.outbox.put((header, arrays, message))
        code = process.wait()
        process.stdout.close()
        letters.put(None)
        if self.closing.is_set():
            return
        entered, inside = PULSE.unpack(self._pulse[:])
        died = {"type": "died", "run": "", "device": self.device, "code": code}
        died |= {"inside": inside.rstrip(b"\0").decode() if entered else "", "runs": sorted(self.runs)}
        self.runs.clear()
        self.letters = queue.SimpleQueue()
        self.outbox.put((died, {}, pack(died)))
        self.quick_deaths = self.quick_deaths + 1 if time.monotonic() - born < QUICK_S else 0
        if self.quick_deaths > 1:
            self.closing.wait(1.0)
        if not self.closing.is_set():
            self._spawn()

    def _watch(self) -> None:
        """Kills a worker that sits in one call for too long: noticed here, mended like any other death."""
        while not self.closing.wait(LOOK_S):
            entered, _ = PULSE.unpack(self._pulse[:])
            if entered and time.monotonic() - entered > self.step_limit_s:
                PULSE.pack_into(self._pulse, 0, time.monotonic(), self._pulse[8 : PULSE.size])  # once, not each look
                self.process.kill()

    def close(self) -> None:
        """Ends the process: first by closing its input, then, if it will not, by force."""
        self.closing.set()
        self.letters.put(None)
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class ProcessBackend:
    """A Backend of one Worker for each device: every CUDA device there is, else MPS, else the processor."""

    def __init__(self, device: str = "auto", threads: int = 0, step_limit_s: float = STEP_LIMIT_S) -> None:
        self.device = device
        self.threads = threads
        self.step_limit_s = step_limit_s
        self.workers: list[Worker] = []
        self._outbox: Outbox = queue.SimpleQueue()
        self._home: dict[str, Worker] = {}

    def open(self) -> None:
        self.workers.append(Worker(self.device, self.threads, self._outbox, self.step_limit_s))

    def start(
        self, run: str, job: Job, learner: str, state: Snapshot | None = None, live: Values | None = None,
        status: str = "running",
    ) -> None:  # fmt: skip
        fitting = [worker for worker in self.workers if job.device in ("auto", worker.device)] or self.workers
        worker = min(fitting, key=lambda one: len(one.runs))
        worker.runs.add(run)
        self._home[run] = worker
        worker.letters.put(start_message(run, job, learner, state, live, status))

    def tell(self, run: str, command: str, values: Mapping[str, Any], arrays: Arrays | None = None) -> None:
        worker = self._home.get(run, self.workers[0])
        worker.letters.put(tell_message(run, command, values, arrays))

    def events(self) -> Iterator[Event]:
        while (event := self._outbox.get()) is not None:
            header = event[0]
            if header["type"] == "ready" and header["device"] == "cuda:0" and len(self.workers) == 1:
                for n in range(1, header["count"]):
                    self.workers.append(Worker(f"cuda:{n}", self.threads, self._outbox, self.step_limit_s))
            if header["type"] == "status" and header["status"] in ENDED:
                self._home.pop(header["run"], None)
            yield event

    def close(self) -> None:
        for worker in self.workers:
            worker.close()
        self._outbox.put(None)
