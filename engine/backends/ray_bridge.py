"""python -m engine.backends.ray_bridge REQUEST SCRATCH: the process that is connected to Ray and to the workers on it.

To the server it looks like a worker (engine/worker/pipe.py). Behind it is one actor for each worker
(engine/backends/ray_host.py), created again when it dies. Commands are passed on in order, each batch acknowledged
before the next; events are fetched by a call that waits until there are some, because Ray Client has no streams. A Ray
that was started here is shut down at the end; of a cluster that was joined only the actors created here are.
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

from engine.backends.base import Received
from engine.backends.pool import Commands, Outbox, WorkerHandle, WorkerPool
from engine.backends.process import ROOT
from engine.backends.ray import Request, fits, n_processors, no_room, plan_workers
from engine.backends.ray_host import Host
from engine.messages import WorkerStuck, decode_command
from engine.types import Problem, Values
from engine.wire import unpack
from engine.worker.pipe import Pipe
from engine.worker.process import CANNOT_START

STORE_BYTES = 100_000_000  # the object store of a Ray started here; it holds no more than a batch of messages
SPARE_PROCESSORS = 1  # more than the workers ask for: Ray then keeps a process ready, and an actor is soon back
PLACEMENT_TIMEOUT_S = 10.0  # in which an actor should have found its machine
CLOSE_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 5.0
MAX_CONCURRENT_CALLS = 4  # of an actor: one waits for events, one passes commands on
FORWARDED_SETTINGS = ("TORCHROOM_LIMITS",)  # environment variables that the workers on a cluster must have too
TOKEN_FILE = Path(".ray") / "auth_token"  # in the home folder


def connect(request: Request, scratch: Path) -> None:
    """Starts a Ray on this machine, with a token of its own, or joins a cluster and sends it this project's code."""
    logging.getLogger("ray").setLevel(logging.ERROR)
    common: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "namespace": "torchroom"}
    if request.address == "local":
        if not (Path.home() / TOKEN_FILE).exists():  # or Ray would write one there and leave it
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        ray.init(
            address="local", num_cpus=n_processors() + SPARE_PROCESSORS, object_store_memory=STORE_BYTES,
            include_dashboard=False, _temp_dir=str(scratch), **common,
        )  # fmt: skip
        return
    host, port = request.address.removeprefix("ray://").split(":")
    socket.create_connection((host, int(port)), CONNECT_TIMEOUT_S).close()  # Ray would try for a minute, and say less
    code = scratch / "code"
    shutil.rmtree(code, ignore_errors=True)
    for name in request.code:
        shutil.copytree(ROOT / name, code / name, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {name: os.environ[name] for name in FORWARDED_SETTINGS if name in os.environ}
    ray.init(request.address, runtime_env={"working_dir": str(code), "env_vars": environment}, **common)


def ray_nodes() -> list[Values]:
    """`ray.nodes()`: the machines and their resources."""
    nodes: list[Values] = ray.nodes()  # type: ignore[no-untyped-call]
    return nodes


def actor_options(gpus: float, cpus: float) -> Values:
    """Options of a Ray actor. Ray must not restart it: only WorkerHandle knows which runs it had."""
    return {"num_gpus": gpus, "num_cpus": cpus, "max_concurrency": MAX_CONCURRENT_CALLS, "max_restarts": 0}


class ActorHandle(WorkerHandle):
    """A worker on Ray: the actor it lives in, and the thread that creates another when that one dies."""

    def __init__(
        self, name: str, device: str, outbox: Outbox, create: Callable[[], Any], share: tuple[float, float],
        on_lost: Callable[[BaseException], None],
    ) -> None:  # fmt: skip
        super().__init__(name, device, outbox)
        self.create = create
        self.share = share  # (GPUs, processors)
        self.on_lost = on_lost  # called when the connection to Ray fails
        self.actor: Any = None
        self.thread = threading.Thread(target=self._serve, name=f"actor {name}", daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while not self.closing.is_set():
            commands = self.commands
            try:
                self.actor = self.create()
                self._wait_until_placed()
                threading.Thread(target=self._write, args=(self.actor, commands), name="commands", daemon=True).start()
                while messages := ray.get(self.actor.take.remote()):
                    for message in messages:
                        self.on_message(message)
            except RayActorError as error:
                if not self.closing.is_set():
                    reason = None if self.is_up else cannot_start(error)
                    self.closing.wait(self.on_death(type(error).__name__, "", reason))
            except Exception as error:
                if not self.closing.is_set():
                    self.on_lost(error)
                return

    def _wait_until_placed(self) -> None:
        """Waits until Ray has found a machine; reports what is missing if that takes long, or at once if none fits."""
        placed = self.actor.here.remote()
        timeout = PLACEMENT_TIMEOUT_S if fits(*self.share, ray_nodes()) else 0.01
        while True:
            try:
                ray.get(placed, timeout=timeout)
                self.error = None
                return
            except GetTimeoutError:
                if self.error is None:
                    self.error = no_room(*self.share, ray_nodes())
                    self.report_stuck(self.error, sorted(self.runs))
                timeout = PLACEMENT_TIMEOUT_S

    def _write(self, actor: Any, commands: Commands) -> None:
        with contextlib.suppress(Exception):  # `_serve` sees the same failure and reports it
            while (message := commands.get()) is not None:
                batch = [message]
                while not commands.empty() and (following := commands.get()) is not None:
                    batch.append(following)
                ray.get(actor.send.remote(batch))

    def close(self) -> None:
        if self.actor is not None:
            with contextlib.suppress(Exception):  # it may be dead, or still wait for a machine
                if self.is_up:
                    ray.get(self.actor.close.remote(), timeout=CLOSE_TIMEOUT_S)
            with contextlib.suppress(Exception):
                ray.kill(self.actor)


def cannot_start(error: Exception) -> Problem:
    """The message about an actor that died before its worker was up."""
    detail = last_line(error)
    return Problem(
        f"A worker could not start on Ray ({detail}). Its machines need the same Python, and what "
        "requirements.txt and requirements-ray.txt name. It is tried again, less and less often.",
        f"无法在 Ray 上启动工作进程（{detail}）。各机器需要相同的 Python 版本，"
        "并装好 requirements.txt 和 requirements-ray.txt 中的包。系统会以越来越长的间隔重试。",
    )


def unreachable(address: str, error: BaseException) -> Problem:
    """The message about a Ray that cannot be reached."""
    detail = last_line(error)
    return Problem(
        f"Ray at {address} does not answer as it should ({detail}). Look whether it is up and whether "
        "TORCHROOM_ENGINE names it; it is tried again, less and less often. Recorded runs can be watched meanwhile.",
        f"位于 {address} 的 Ray 没有正常应答（{detail}）。请检查它是否在运行，以及 TORCHROOM_ENGINE 是否正确；"
        "系统会以越来越长的间隔重试。在此期间可以观看录制的运行。",
    )


def last_line(error: BaseException) -> str:
    """The name of an exception and the last line of its text, at most 300 characters."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[-1].strip() if lines else ''}"[:300]


class RayLost(WorkerStuck):
    """Ray cannot be reached any more: to the server a worker that is stuck, and to `main` the end of this process."""


def main() -> None:
    request, scratch = Request(**json.loads(sys.argv[1])), Path(sys.argv[2])
    connected = threading.Event()
    pool = WorkerPool()
    pipe = Pipe(lambda: pool.outbox.put(None) if connected.is_set() else os._exit(0))

    def on_lost(error: BaseException) -> None:
        event = RayLost("auto", unreachable(request.address, error))
        pool.outbox.put(Received(event, event.pack()))

    try:
        connect(request, scratch)
        nodes = ray_nodes()
    except Exception as error:
        on_lost(error)
    else:
        workers, gpus, cpus = plan_workers(request, nodes)
        device = "cpu" if not gpus and request.device == "auto" else request.device
        actor = ray.remote(Host).options(**actor_options(gpus, cpus))
        for n in range(1, workers + 1):
            create = partial(actor.remote, f"ray/{n}", device, max(1, int(cpus)), request.step_limit_s)
            pool.workers.append(ActorHandle(f"ray/{n}", device, pool.outbox, create, (gpus, cpus), on_lost))
        threading.Thread(target=forward_commands, args=(pipe, pool), name="commands", daemon=True).start()
        connected.set()
    for event, message in pool.events():
        pipe.emit(message)
        if isinstance(event, RayLost):
            os._exit(CANNOT_START)  # closing a lost connection would only wait; a Ray started here ends with us
    pool.close()
    ray.shutdown()
    shutil.rmtree(scratch, ignore_errors=True)  # the server may be gone, and then cannot do it


def forward_commands(pipe: Pipe, pool: WorkerPool) -> None:
    """Passes each command from the server to the worker that has its run."""
    while True:
        message = pipe.inbox.get()
        pool.forward(decode_command(*unpack(message)), message)


if __name__ == "__main__":
    main()
