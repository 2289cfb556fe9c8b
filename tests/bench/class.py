"""`class`: 100 browsers, each with a live classifier of its own, through the real pages, worker, engine and sockets.

frame_ms_p95      picture made in the worker to picture received
fps               pictures a second that a browser gets; the median browser, and `fps_least` of all
lost              scalars that any browser never got
steps_per_frame   training steps between two pictures (at least 20 are asked for)
worker_cpu, web_cpu, client_cpu   processor time over the time that passed; 2 is all of a two-core machine

Each learner opens the playground by a link with a seed of its own and presses Run. A picture is the boundary of 50 x 50
cells with every unit's map, the weights, the confusion matrix and the points. Once all are under way, only their live
sockets stay, read whole by one process of its own, which is held to one core.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import statistics
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import orjson
import psutil
from websockets.asyncio.client import connect

from tests.bench.server import Server
from tests.bench.sessions import Session

LEARNERS = 100
LESSON = "playground"
SETTINGS = "steps=1000000&pace=250"
WARM_S = 5.0
WINDOW_S = 20.0
AT_ONCE = 5  # pages that open at the same time


@dataclass
class Browser:
    """A live socket of one run: which steps came, and the pictures with their age."""

    url: str
    run: str
    blocks: list[bytes]
    steps: list[int]
    ms: list[float]
    last: int = -1

    async def read(self, until: float, counted_from: float) -> None:
        async with connect(self.url, max_size=None, compression=None) as ws:
            await ws.send(json.dumps({"op": "watch", "run": self.run, "from": -1}))
            while (left := until - time.time()) > 0:
                try:
                    data = await asyncio.wait_for(ws.recv(), left)
                except TimeoutError:
                    return
                now = time.time()
                assert isinstance(data, bytes)
                header = orjson.loads(data[4 : 4 + int.from_bytes(data[:4], "little")])
                if header["type"] == "scalars":
                    self.blocks.append(data)
                elif header["type"] == "frame" and now >= counted_from and header["made"]:
                    self.ms.append((now - header["made"]) * 1e3)
                    self.steps.append(header["step"])

    def lost(self) -> int:
        """Scalars of steps before the last one told that never came."""
        from engine.wire import unpack

        found: set[int] = set()
        for block in self.blocks:
            header, arrays = unpack(block)
            for i in range(len(header["groups"])):
                found.update(arrays[f"steps{i}"].tolist())
        return max(found, default=-1) + 1 - len(found)


def browsers(pipe: Connection, port: int, runs: list[tuple[str, str]]) -> None:
    """The client process: reads all sockets and reports what it saw and used."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    began = time.time() + WARM_S
    all_ = [Browser(f"ws://127.0.0.1:{port}/live?t={ticket}", run, [], [], []) for run, ticket in runs]

    async def watch() -> float:
        reading = asyncio.gather(*(one.read(began + WINDOW_S, began) for one in all_))
        await asyncio.sleep(began - time.time())
        pipe.send("began")
        used = time.process_time()
        await asyncio.sleep(WINDOW_S - 0.2)
        used = time.process_time() - used
        pipe.send("over")
        await reading
        return used

    cpu = asyncio.run(watch())
    gaps = [np.diff(one.steps).mean() if len(one.steps) > 1 else 0.0 for one in all_]
    pipe.send(
        {
            "ms": [ms for one in all_ for ms in one.ms],
            "frames": [len(one.ms) for one in all_],
            "steps": float(np.median(gaps)),
            "lost": sum(one.lost() for one in all_),
            "cpu": cpu / (WINDOW_S - 0.2),
        }
    )


async def opened(port: int, seed: int) -> tuple[str, str]:
    """A learner opens the lesson by a link and presses Run: the run's id and the ticket."""
    session = Session(port, LESSON, f"{SETTINGS}&seed={seed}")
    await session.join()
    await session.press(f"run.{LESSON}")
    if session.errors or not session.board.get("run"):
        raise RuntimeError(f"the page did not start a run: {session.errors or session.board}")
    await session.close()
    return session.board["run"], session.board["ticket"]


async def learners(port: int) -> list[tuple[str, str]]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(seed: int) -> tuple[str, str]:
        async with gate:
            return await opened(port, seed)

    return await asyncio.gather(*(one(1000 + n) for n in range(LEARNERS)))


def main() -> dict[str, Any]:
    with Server() as server:
        server.wait()
        runs = asyncio.run(learners(server.port))
        here, there = multiprocessing.Pipe()
        client = multiprocessing.get_context("spawn").Process(target=browsers, args=(there, server.port, runs))
        client.start()
        worker = next(one for one in server.seen.children() if "engine.worker.process" in " ".join(one.cmdline()))
        assert here.recv() == "began"
        before = [cpu(one) for one in (worker, server.seen)]
        began = time.perf_counter()
        assert here.recv() == "over"
        seconds = time.perf_counter() - began
        after = [cpu(one) for one in (worker, server.seen)]
        found = here.recv()
        client.join(10)
    of_worker, of_web = ((b - a) / seconds for a, b in zip(before, after, strict=True))
    return {
        "frame_ms_p95": round(float(np.percentile(found["ms"], 95)), 1),
        "frame_ms_p50": round(float(np.percentile(found["ms"], 50)), 1),
        "fps": round(statistics.median(found["frames"]) / WINDOW_S, 2),
        "fps_least": round(min(found["frames"]) / WINDOW_S, 2),
        "lost": found["lost"],
        "steps_per_frame": round(found["steps"], 1),
        "worker_cpu": round(of_worker, 2),
        "web_cpu": round(of_web, 2),
        "client_cpu": round(found["cpu"], 2),
        "learners": LEARNERS,
    }


def cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
