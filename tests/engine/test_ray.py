"""Ray where it differs from worker processes: actors and what they ask for, a cluster through Ray Client, the ends.

Ray is started here and only here and in test_engine.py: one cluster for the module, and one server that is killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import psutil
import pytest

from engine.backends.inline import InlineBackend
from engine.backends.ray import CODE_FOLDERS, RayBackend, Request, fits, no_room, plan_workers
from engine.messages import RunScalars
from engine.runs.engine import Engine
from engine.runs.listeners import RunEvent
from engine.types import Values
from tests.bench.server import free_port
from tests.conftest import need_ray, wait_until
from tests.engine.test_engine import finished, job, steps_of

CODE = (*CODE_FOLDERS, "tests")


def node(alive: bool = True, **resources: float) -> Values:
    return {"Alive": alive, "Resources": resources}


# What is asked for


@pytest.mark.parametrize(
    ("request_", "nodes", "asked"),
    [
        (Request("ray://h:1"), [node(CPU=8)], (1, 0.0, 1.0)),
        (Request("ray://h:1"), [node(CPU=8), node(CPU=4), node(alive=False, CPU=4)], (2, 0.0, 1.0)),
        (Request("ray://h:1"), [node(CPU=8), node(CPU=4, GPU=4)], (4, 1.0, 1.0)),
        (Request("ray://h:1", gpus=0.25), [node(CPU=8, GPU=2)], (2, 0.25, 1.0)),
        (Request("ray://h:1", gpus=0.25, workers=8, cpus=2.0), [node(CPU=64, GPU=2)], (8, 0.25, 2.0)),
        (Request("ray://h:1", device="cpu"), [node(CPU=8, GPU=2)], (1, 0.0, 1.0)),
        (Request(cpus=3.0), [node(CPU=4)], (1, 0.0, 3.0)),
    ],
)
def test_what_is_not_asked_for_follows_from_the_machines(
    request_: Request, nodes: list[Values], asked: tuple[int, float, float]
) -> None:
    assert plan_workers(request_, nodes) == asked


def test_a_ray_of_our_own_gives_its_processors_to_the_workers() -> None:
    _, _, cpus = plan_workers(Request(), [node(CPU=64)])
    assert cpus == len(os.sched_getaffinity(0))


def test_a_fraction_of_a_gpu_is_what_the_actor_asks_for() -> None:
    need_ray()
    program = (
        "import ray; from engine.backends.ray_bridge import actor_options; from engine.backends.ray_host import Host;"
        "actor = ray.remote(Host).options(**actor_options(0.25, 2));"
        "options = actor_options(0.25, 2); print(options['num_gpus'], options['num_cpus'], options['max_restarts'])"
    )
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert found.stdout.split() == ["0.25", "2", "0"]


def test_whether_there_is_room_is_said_with_what_there_is() -> None:
    machines = [node(CPU=4), node(CPU=16, GPU=1), node(alive=False, CPU=99, GPU=99)]
    assert fits(0.5, 8, machines)
    assert not fits(0.5, 32, machines)
    assert not fits(2, 1, machines)
    assert (
        "no machine of this Ray has that much (its machines: 0 GPU, 4 CPU; 1 GPU, 16 CPU)" in no_room(2, 1, machines).en
    )
    assert "in use" in no_room(1, 1, machines).en


# A cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[str, psutil.Process]]:
    """A Ray of three processors as an operator starts one, with the server that Ray Client speaks to."""
    need_ray()
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", "0123456789abcdef" * 4)
        start = f"start --head --block --port 0 --ray-client-server-port {port} --num-cpus 3 --temp-dir {folder}"
        small = "--include-dashboard false --object-store-memory 100000000 --disable-usage-stats"
        ray = [sys.executable, "-c", "from ray.scripts.scripts import main; main()"]
        head = subprocess.Popen(
            [*ray, *start.split(), *small.split()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        patch.setenv("TORCHROOM_LIMITS", "memory=200")  # the server's, which the cluster has not seen
        try:
            yield f"ray://127.0.0.1:{port}", psutil.Process(head.pid)
        finally:
            family = psutil.Process(head.pid).children(recursive=True)
            head.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                head.wait(20)
            head.kill()
            for child in psutil.wait_procs(family, 5)[1]:
                child.kill()
            head.wait()


def actors(head: psutil.Process) -> list[psutil.Process]:
    """Our actors on the cluster."""
    return [child for child in head.children(recursive=True) if command(child).startswith("ray::Host")]


def workers(head: psutil.Process) -> list[psutil.Process]:
    return [child for child in head.children(recursive=True) if "-m engine.worker.process" in command(child)]


def command(process: psutil.Process) -> str:
    """How it was called; nothing of one that has just ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@pytest.fixture(scope="module")
def joined(cluster: tuple[str, psutil.Process], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine with two workers of half a processor on that cluster, joined once for the module."""
    address, _ = cluster
    wait_until(lambda: reached(address), 60, "the cluster")
    backend = RayBackend(Request(address, cpus=0.5, workers=2, code=CODE))
    engine = Engine(backend, tmp_path_factory.mktemp("joined") / "runs")
    engine.start()
    wait_until(lambda: states(engine) == ["ready", "ready"], 120, "two workers on the cluster")
    yield engine
    engine.close()


def reached(address: str) -> bool:
    host, port = address.removeprefix("ray://").split(":")
    try:
        socket.create_connection((host, int(port)), 1).close()
    except OSError:
        return False
    return True


def states(engine: Engine) -> list[str]:
    return [one["state"] for one in engine.devices()]


def test_through_ray_client_runs_stream_obey_and_have_the_numbers_of_any_other_backend(
    joined: Engine, tmp_path: Path
) -> None:
    heard: list[int] = []

    def listen(event: RunEvent, message: bytes) -> None:
        if isinstance(event, RunScalars) and event.run == watched.id:
            heard.extend(sorted(int(step) for block in event.blocks for step in block.steps))

    runs = [joined.submit(job(seed, steps=400), f"learner {seed}") for seed in range(4)]
    assert all(finished(run).status == "done" for run in runs)
    assert {run.worker for run in runs} == {"ray/1", "ray/2"}
    inline = Engine(InlineBackend(), tmp_path / "runs")
    inline.start()
    for seed, run in enumerate(runs):
        assert steps_of(run) == list(range(401))
        assert run.record.history() == finished(inline.submit(job(seed, steps=400), "ann")).record.history()
    inline.close()
    large = finished(joined.submit(job(8, steps=1000, cost_s=0.001, grows=10), "ann"))
    assert large.error is not None
    assert "one run may hold 200 MB" in large.error.en
    watched = joined.submit(job(9, steps=1_000_000, pace=100), "ann")
    joined.listen(listen)
    wait_until(lambda: watched.step > 20, what="a few steps")
    step, arrays = joined.ask(watched.id, None, "double", {}).result(20)
    wait_until(lambda: step is not None and watched.step >= step, what="the answered step")
    assert arrays["twice"][0] == 2 * watched.record.scalars(step or 0)["value"]
    joined.tell(watched.id, "ann", "stop")
    assert finished(watched).status == "stopped"
    assert heard == sorted(set(heard))  # each step once, in order
    assert len(heard) > 10


@pytest.mark.slow
def test_an_actor_that_is_killed_is_made_again_and_only_its_runs_notice(
    joined: Engine, cluster: tuple[str, psutil.Process]
) -> None:
    _, head = cluster
    runs = [joined.submit(job(30 + n, steps=2000, pace=200), f"learner {n}") for n in range(2)]
    wait_until(lambda: all(run.step > 20 for run in runs), what="both going")
    assert {run.worker for run in runs} == {"ray/1", "ray/2"}
    ours = actors(head)
    assert len(ours) == 2
    ours[0].kill()
    wait_until(lambda: any(run.note for run in runs), 10, "the death being told")
    hit = next(run for run in runs if run.note)
    spared = next(run for run in runs if run is not hit)
    assert hit.note is not None
    assert "goes on from step" in hit.note.en
    at = hit.step
    wait_until(lambda: hit.step > at, 60, "going on")
    assert spared.note is None
    for run in runs:
        assert finished(run).status == "done"
        assert steps_of(run) == list(range(2001))


@pytest.mark.slow
def test_the_bridge_that_is_killed_comes_back_and_the_runs_go_on(joined: Engine) -> None:
    run = joined.submit(job(40, steps=1_000_000, pace=100), "ann")
    wait_until(lambda: run.step > 20, what="a few steps")
    cast("RayBackend", joined.backend).bridge.process.kill()
    wait_until(lambda: run.note, 10, "the death being told")
    assert "ready" not in states(joined)
    at = run.step
    wait_until(lambda: run.step > at, 90, "going on")
    joined.tell(run.id, "ann", "stop")
    assert steps_of(finished(run)) == list(range(run.step + 1))


def test_a_request_that_has_no_place_is_said_to_whoever_waits_and_leaving_spares_the_cluster(
    joined: Engine, cluster: tuple[str, psutil.Process], tmp_path: Path
) -> None:
    address, head = cluster
    wait_until(lambda: len(actors(head)) == 2, what="the end of what a killed bridge had")  # Ray waits 30 s for it
    before = {child.pid for child in actors(head)}
    engine = Engine(RayBackend(Request(address, gpus=0.5, workers=1, code=CODE)), tmp_path / "runs")
    engine.start()
    early = engine.submit(job(50), "ann")
    wait_until(lambda: early.note and "waits for" in early.note.en, 120, "the words")
    late = engine.submit(job(51), "bob")
    wait_until(lambda: late.note, what="the words for who comes later")
    for run in (early, late):
        assert run.note is not None
        assert "waits for 0.5 GPU and 1 CPU: no machine of this Ray has that much" in run.note.en
        assert "TORCHROOM_RAY_GPUS" in run.note.zh
        assert run.status == "queued"
    assert set(states(engine)) == {"stuck"}
    engine.close()
    wait_until(lambda: {child.pid for child in actors(head)} == before, what="nothing of it left")
    assert states(joined).count("ready") == 2


def test_closing_leaves_the_cluster_up_and_nothing_of_ours_on_it(
    cluster: tuple[str, psutil.Process], joined: Engine
) -> None:
    address, head = cluster
    assert len(actors(head)) >= 2
    assert len(workers(head)) >= 2
    joined.close()
    wait_until(lambda: not actors(head) and not workers(head), 45, "actors and workers gone")
    assert head.is_running()
    assert reached(address)


# A Ray of our own


@pytest.mark.slow
def test_a_ray_of_our_own_ends_when_its_server_is_killed(tmp_path: Path) -> None:
    """The server is a process of its own here; SIGKILL gives it no chance to tidy up."""
    need_ray()
    program = (
        "import time; from pathlib import Path; from engine.runs.engine import Engine;"
        "from engine.backends.ray import RayBackend, Request;"
        f"engine = Engine(RayBackend(Request()), Path({str(tmp_path / 'runs')!r})); engine.start();\n"
        "while engine.devices()[0]['state'] != 'ready': time.sleep(0.05)\n"
        "print('ready', flush=True); time.sleep(100)"
    )
    server = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert server.stdout
    with server.stdout:
        assert server.stdout.readline() == "ready\n"
        children = psutil.Process(server.pid).children(recursive=True)
        assert len(children) > 5
        scratch = Path(children[0].cmdline()[-1])
        assert scratch.is_dir()
        server.kill()
        server.wait()
        assert psutil.wait_procs(children, 30)[1] == []
        assert not scratch.exists()
