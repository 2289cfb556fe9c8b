"""The real server as a process of its own, for benchmarks and browser tests: started, measured, stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from types import TracebackType

import psutil

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Server:
    """`python app.py` on a free port; a context manager. Output goes to `log` if given.

    It keeps its runs in a folder of its own, unless TORCHROOM_RUNS is among `environment`.
    """

    def __init__(self, log: Path | None = None, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log
        self.environment = environment

    def __enter__(self) -> Server:
        self.born = time.monotonic()
        self.runs = tempfile.TemporaryDirectory(prefix="torchroom-runs-")
        out = self.log.open("wb") if self.log else subprocess.DEVNULL
        self.process = subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=ROOT,
            env={
                **os.environ,
                "HOST": "127.0.0.1",
                "PORT": str(self.port),
                "TORCHROOM_RUNS": self.runs.name,
                **self.environment,
            },
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        if self.log:
            out.close()  # type: ignore[union-attr]
        self.seen = psutil.Process(self.process.pid)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.runs.cleanup()

    def healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def wait(self, seconds: float = 30.0) -> None:
        """Returns when the server answers. Raises TimeoutError."""
        end = time.monotonic() + seconds
        while not self.healthy():
            if time.monotonic() > end or self.process.poll() is not None:
                raise TimeoutError(f"the server did not answer within {seconds} s (exit code {self.process.poll()})")
            time.sleep(0.05)

    def cpu_s(self) -> float:
        """Seconds of processor time the web process itself has used."""
        times = self.seen.cpu_times()
        return float(times.user + times.system)

    def rss_mb(self) -> float:
        """Resident memory of the web process itself, in MB."""
        return float(self.seen.memory_info().rss) / 1e6
