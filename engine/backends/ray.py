"""Workers on Ray: on one that is started here and ends with the server, or on a cluster reached by Ray Client.

Ray is imported by a process of its own, engine/backends/ray_bridge.py, so that a lost cluster ends that process and not
the server; the bridge is started again like any worker.

    TORCHROOM_ENGINE        ray, or ray://HOST:10001
    TORCHROOM_RAY_GPUS      GPUs of one worker; 0.25 lets four share one. 1 where Ray has any, else 0
    TORCHROOM_RAY_CPUS      processors of one worker, and its threads. All of them in a Ray started here, else 1
    TORCHROOM_RAY_WORKERS   how many workers. One for each GPU, or where there are none for each machine
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from engine.backends.pool import Outbox, WorkerPool
from engine.backends.process import STEP_LIMIT_S, PipedProcess
from engine.types import Problem, Values

CODE_FOLDERS = ("engine", "lessons")  # sent to a cluster


@dataclass(frozen=True)
class Request:
    """What is asked of Ray; None lets `plan_workers` choose by the machines that Ray has.

    address: "local" or "ray://host:port". gpus, cpus: of one worker. code: the folders that are sent to a cluster.
    """

    address: str = "local"
    device: str = "auto"
    gpus: float | None = None
    cpus: float | None = None
    workers: int | None = None
    step_limit_s: float = STEP_LIMIT_S
    code: Sequence[str] = CODE_FOLDERS

    @classmethod
    def from_settings(cls, settings: Mapping[str, str]) -> Request:
        """The request that TORCHROOM_ENGINE and TORCHROOM_RAY_* make. Raises Problem for an impossible value."""
        engine = settings["TORCHROOM_ENGINE"]
        address = "local" if engine == "ray" else engine
        if address != "local" and not re.fullmatch(r"ray://[^\s/:]+:\d+", address):
            raise Problem(
                f"TORCHROOM_ENGINE={engine!r:.80} is no address of a Ray. Write ray for one on this machine, or "
                "ray://HOST:10001 for a cluster.",
                f"TORCHROOM_ENGINE={engine!r:.80} 不是 Ray 的地址。"
                "用 ray 表示在本机启动，或用 ray://HOST:10001 连接集群。",
            )
        gpus = float_setting(settings, "TORCHROOM_RAY_GPUS", 0, 64)
        if gpus is not None and gpus > 1 and gpus % 1:
            raise bad_setting(
                "TORCHROOM_RAY_GPUS", settings["TORCHROOM_RAY_GPUS"], "0 to 1, or a whole number of GPUs", 64
            )
        workers = float_setting(settings, "TORCHROOM_RAY_WORKERS", 1, 256, integer=True)
        return cls(
            address,
            settings.get("TORCHROOM_DEVICE") or "auto",
            gpus,
            float_setting(settings, "TORCHROOM_RAY_CPUS", 0.1, 256),
            None if workers is None else int(workers),
        )


def float_setting(
    settings: Mapping[str, str], name: str, low: float, high: float, integer: bool = False
) -> float | None:
    """A setting as a number within its bounds, None if it is not there. Raises Problem for anything else."""
    text = settings.get(name)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not low <= value <= high or (integer and value % 1):
        raise bad_setting(name, text, f"{'a whole number from ' if integer else ''}{low} to {high}", high)
    return value


def bad_setting(name: str, text: str, bounds: str, high: float) -> Problem:
    """The refusal of a setting that is out of its bounds."""
    return Problem(
        f"{name}={text!r:.40} is not possible. It takes {bounds}; leave it out and it is chosen.",
        f"{name}={text!r:.40} 不可用：取值上限为 {high}，下限见 README；不设置则自动选择。",
    )


def plan_workers(request: Request, nodes: list[Values]) -> tuple[int, float, float]:
    """(number of workers, GPUs of each, processors of each): as asked for, the rest chosen by the machines.

    nodes: what `ray.nodes()` returns.
    """
    resources = [node["Resources"] for node in nodes if node["Alive"]]
    n_gpus = int(sum(resource.get("GPU", 0) for resource in resources))
    gpus = request.gpus if request.gpus is not None else float(n_gpus > 0 and request.device in ("auto", "cuda"))
    workers = request.workers or (max(1, n_gpus) if gpus else max(1, len(resources)))
    cpus = max(1, n_processors() // workers) if request.address == "local" else 1
    return workers, gpus, request.cpus or cpus


def n_processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))


def fits(gpus: float, cpus: float, nodes: list[Values]) -> bool:
    """Whether some machine of Ray is large enough, were nothing else running on it."""
    need = {"GPU": gpus, "CPU": cpus}
    return any(
        node["Alive"] and all(node["Resources"].get(name, 0) >= amount for name, amount in need.items())
        for node in nodes
    )


def no_room(gpus: float, cpus: float, nodes: list[Values]) -> Problem:
    """The message about an actor that waits for a machine."""
    machines = "; ".join(
        f"{node['Resources'].get('GPU', 0):g} GPU, {node['Resources'].get('CPU', 0):g} CPU"
        for node in nodes
        if node["Alive"]
    )
    en, zh = (
        ("what there is, is in use", "现有资源已被占用")
        if fits(gpus, cpus, nodes)
        else ("no machine of this Ray has that much", "Ray 中没有这么大的机器")
    )
    return Problem(
        f"A worker waits for {gpus:g} GPU and {cpus:g} CPU: {en} (its machines: {machines or 'none'}). Ask for less "
        "with TORCHROOM_RAY_GPUS, TORCHROOM_RAY_CPUS or TORCHROOM_RAY_WORKERS, or add a machine; it starts as soon as "
        "there is room.",
        f"工作进程在等待 {gpus:g} 个 GPU 和 {cpus:g} 个 CPU：{zh}（各机器：{machines or '无'}）。"
        "请用 TORCHROOM_RAY_GPUS、TORCHROOM_RAY_CPUS 或 TORCHROOM_RAY_WORKERS 减少要求，或增加机器；"
        "一有空位就会启动。",
    )


class Bridge(PipedProcess):
    """The process of engine/backends/ray_bridge.py, with the workers behind it."""

    close_timeout_s = 20.0  # a Ray that was started here takes some seconds to end

    def __init__(self, outbox: Outbox, request: Request, scratch: str) -> None:
        self.request = request
        self.scratch = scratch
        super().__init__("ray", request.device, outbox)

    def command(self) -> Sequence[str]:
        return "engine.backends.ray_bridge", json.dumps(asdict(self.request)), self.scratch


class RayBackend(WorkerPool):
    """A Backend of workers that Ray places. Raises Problem where Ray is not installed."""

    def __init__(self, request: Request) -> None:
        super().__init__()
        if importlib.util.find_spec("ray") is None:
            raise Problem(
                f"TORCHROOM_ENGINE asks for Ray ({request.address}), which is not installed. Run "
                "`.venv/bin/pip install -r requirements-ray.txt`, or leave TORCHROOM_ENGINE out.",
                f"TORCHROOM_ENGINE 要求使用 Ray（{request.address}），但尚未安装。请运行 "
                "`.venv/bin/pip install -r requirements-ray.txt`，或不设置 TORCHROOM_ENGINE。",
            )
        self.request = request

    def open(self) -> None:
        folder = "/tmp" if os.path.isdir("/tmp") else None  # Ray's sockets lie here: their paths have at most 107 bytes
        self._scratch = tempfile.TemporaryDirectory(prefix="torchroom-ray-", dir=folder, ignore_cleanup_errors=True)
        self.bridge = Bridge(self.outbox, self.request, self._scratch.name)
        self.workers.append(self.bridge)

    def close(self) -> None:
        super().close()
        if self.workers:
            self._scratch.cleanup()
