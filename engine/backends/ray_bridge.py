"""python -m engine.backends.ray_bridge REQUEST SCRATCH: the process that holds on to Ray and to the workers on it.

To the server it is like a worker (engine/worker/pipe.py). Behind it is one actor for each worker
(engine/backends/ray_host.py), made again when it dies. Commands are handed over in order, each batch acknowledged
before the next; events are asked for by a call that waits until there are some, so they come as they happen, also
through Ray Client, which has no streams. A Ray that was started here ends here; of one that was joined, only our
actors do.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import shutil
import socket
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError

from engine.backends.pool import Letters, Outbox, WorkerHandle, WorkerPool
from engine.backends.process import ROOT
from engine.backends.ray import Request, fits, no_room, processors, settled
from engine.backends.ray_host import Host
from engine.types import Values
from engine.wire import pack, unpack
from engine.worker.pipe import Pipe
from engine.worker.process import CANNOT_START

STORE_BYTES = 100_000_000  # the object store of a Ray of our own: what waits in it is a batch of messages
SPARE = 1  # processor more than the workers ask for: Ray then keeps a process ready, where an actor is soon back
PLACED_S = 10.0  # in which an actor should have found its machine
CLOSE_S = 5.0
REACHED_S = 5.0
CALLS = 4  # of an actor at once: one waits for events, one hands commands over
TOLD = ("TORCHROOM_LIMITS",)  # settings of the server that its workers on a cluster must have too
TOKEN = Path(".ray") / "auth_token"


def connect(request: Request, scratch: Path) -> None:
    """Starts a Ray on this machine, with a token of its own, or joins the cluster and sends it our code."""
    logging.getLogger("ray").setLevel(logging.ERROR)
    common: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "namespace": "torchroom"}
    if request.address == "local":
        if not (Path.home() / TOKEN).exists():  # else Ray would write one there, to stay
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        ray.init(
            address="local", num_cpus=processors() + SPARE, object_store_memory=STORE_BYTES, include_dashboard=False,
            _temp_dir=str(scratch), **common,
        )  # fmt: skip
        return
    host, port = request.address.removeprefix("ray://").split(":")
    socket.create_connection((host, int(port)), REACHED_S).close()  # Ray itself tries for a minute, and says less
    code = scratch / "code"
    shutil.rmtree(code, ignore_errors=True)
    for name in request.code:
        shutil.copytree(ROOT / name, code / name, ignore=shutil.ignore_patterns("__pycache__"))
    told = {name: os.environ[name] for name in TOLD if name in os.environ}
    ray.init(request.address, runtime_env={"working_dir": str(code), "env_vars": told}, **common)


def machines() -> list[Values]:
    """What Ray says of its machines."""
    nodes: list[Values] = ray.nodes()  # type: ignore[no-untyped-call]
    return nodes


def asks(gpus: float, cpus: float) -> Values:
    """What an actor asks of Ray: its share of a machine, and not to be made again by Ray, which knows of no runs."""
    return {"num_gpus": gpus, "num_cpus": cpus, "max_concurrency": CALLS, "max_restarts": 0}


class Seat(WorkerHandle):
    """A worker's place on Ray: the actor that has it, another when that one dies, and words as long as none can."""

    def __init__(
        self, name: str, device: str, outbox: Outbox, make: Callable[[], Any], share: tuple[float, float],
        lost: Callable[[BaseException], None],
    ) -> None:  # fmt: skip
        super().__init__(name, device, outbox)
        self.lost = lost
        self.make = make
        self.share = share  # GPUs and processors
        self.actor: Any = None
        self.thread = threading.Thread(target=self._live, name=f"seat {name}", daemon=True)
        self.thread.start()

    def _live(self) -> None:
        while not self.closing.is_set():
            letters = self.letters
            try:
                self.actor = self.make()
                self._place()
                threading.Thread(target=self._write, args=(self.actor, letters), name="letters", daemon=True).start()
                while messages := ray.get(self.actor.take.remote()):
                    for message in messages:
                        self.heard(message)
            except RayActorError as error:
                if not self.closing.is_set():
                    self.closing.wait(self.gone(type(error).__name__, "", None if self.up else failed(error)))
            except Exception as error:
                if not self.closing.is_set():
                    self.lost(error)
                return

    def _place(self) -> None:
        """Waits until the actor has a machine; says what is missing if that takes long, or can never be."""
        placed = self.actor.here.remote()
        patience = PLACED_S if fits(*self.share, machines()) else 0.01
        while True:
            try:
                ray.get(placed, timeout=patience)
                self.error = None
                return
            except GetTimeoutError:
                if self.error is None:
                    self.error = no_room(*self.share, machines())
                    self.say_stuck(self.error, sorted(self.runs))
                patience = PLACED_S

    def _write(self, actor: Any, letters: Letters) -> None:
        with contextlib.suppress(Exception):  # whoever takes from it sees that too and says so
            while (letter := letters.get()) is not None:
                batch = [letter]
                while not letters.empty() and (more := letters.get()) is not None:
                    batch.append(more)
                ray.get(actor.tell.remote(batch))

    def close(self) -> None:
        if self.actor is not None:
            with contextlib.suppress(Exception):  # it may be gone, or never have been placed
                if self.up:
                    ray.get(self.actor.close.remote(), timeout=CLOSE_S)
            with contextlib.suppress(Exception):
                ray.kill(self.actor)


def failed(error: Exception) -> Values:
    """Why an actor ended before its worker was up, in both languages."""
    detail = last_line(error)
    return {
        "en": f"A worker could not start on Ray ({detail}). Its machines need the same Python, and what "
        "requirements.txt and requirements-ray.txt name. It is tried again, less and less often.",
        "zh": f"无法在 Ray 上启动工作进程（{detail}）。各机器需要相同的 Python 版本，"
        "并装好 requirements.txt 和 requirements-ray.txt 中的包。系统会以越来越长的间隔重试。",
    }


def unreachable(address: str, error: BaseException) -> Values:
    """Why there is no Ray to speak with, in both languages."""
    detail = last_line(error)
    return {
        "en": f"Ray at {address} does not answer as it should ({detail}). Look whether it is up and whether "
        "TORCHROOM_ENGINE names it; it is tried again, less and less often. Recorded runs can be watched meanwhile.",
        "zh": f"位于 {address} 的 Ray 没有正常应答（{detail}）。请检查它是否在运行，以及 TORCHROOM_ENGINE 是否正确；"
        "系统会以越来越长的间隔重试。在此期间可以观看录制的运行。",
    }


def last_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[-1].strip() if lines else ''}"[:300]


def main() -> None:
    request, scratch = Request(**json.loads(sys.argv[1])), Path(sys.argv[2])
    connected = threading.Event()
    crew = WorkerPool()
    pipe = Pipe(lambda: crew.outbox.put(None) if connected.is_set() else os._exit(0))

    def lost(error: BaseException) -> None:
        words = unreachable(request.address, error)
        crew.outbox.put(({"type": "lost"}, {}, pack({"type": "stuck", "run": "", "device": "auto", "error": words})))

    try:
        connect(request, scratch)
        nodes = machines()
    except Exception as error:
        lost(error)
    else:
        workers, gpus, cpus = settled(request, nodes)
        device = "cpu" if not gpus and request.device == "auto" else request.device
        actor = ray.remote(Host).options(**asks(gpus, cpus))
        for n in range(1, workers + 1):
            arguments = (f"ray/{n}", device, max(1, int(cpus)), request.step_limit_s)
            crew.members.append(
                Seat(f"ray/{n}", device, crew.outbox, partial(actor.remote, *arguments), (gpus, cpus), lost)
            )
        threading.Thread(target=obey, args=(pipe, crew), name="commands", daemon=True).start()
        connected.set()
    for header, _, message in crew.events():
        pipe.emit(message)
        if header["type"] == "lost":
            os._exit(CANNOT_START)  # what is left of the connection would only wait; a Ray of our own ends with us
    crew.close()
    ray.shutdown()
    shutil.rmtree(scratch, ignore_errors=True)  # the server may be gone, and cannot do it


def obey(pipe: Pipe, crew: WorkerPool) -> None:
    """Hands each command to the seat that has the run."""
    while True:
        letter = pipe.inbox.get()
        header, _ = unpack(letter)
        if header["op"] == "start":
            crew.begin(header["run"], header["job"]["device"], letter)
        else:
            crew.send(header["run"], letter)


if __name__ == "__main__":
    main()
