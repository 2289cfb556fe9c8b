"""`live`: 100 viewers of one running lesson, through the real worker, engine, server and sockets.

cpu_ms_per_update  web process CPU over messages delivered
latency_ms_p95     tick made in the worker to message received
lost               scalars that any viewer never got
rate_kept          training steps a second with the viewers over without, the run as fast as it goes

The first three are of a run of the CIFAR-10 lesson (digits) at ten steps a second, so ten updates a second each;
the last of the same run unpaced, in windows with and without viewers that take turns.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import Any

import numpy as np

from tests.bench.server import Server
from tests.bench.sessions import Session
from tests.bench.viewers import Viewer, gather

VIEWERS = 100
PACE = 10
REPEATS = 5
WINDOW_S = 6.0
SETTINGS = "data=digits&epochs=60&batch=32"
HEAVY = "data=digits&epochs=60&batch=64&network=vgg"  # keeps every processor busy for longer than it is measured


async def started(port: int, query: str) -> tuple[Session, str, str]:
    """A learner opens the lesson by a link and presses Run: the session, the run's id and the ticket."""
    session = Session(port, "cifar10", query)
    await session.join()
    await session.press("run.cifar10")
    if session.errors or not session.board.get("run"):
        raise RuntimeError(f"the page did not start a run: {session.errors or session.board}")
    return session, session.board["run"], session.board["ticket"]


async def watched(server: Server) -> dict[str, Any]:
    """The paced run with all viewers: cost, latency, losses."""
    session, run, ticket = await started(server.port, f"{SETTINGS}&pace={PACE}&seed=1")
    viewers = [Viewer(server.port, ticket, run) for _ in range(VIEWERS)]
    readers = await gather(viewers)
    await going(viewers[0])
    await asyncio.sleep(2)
    cpu, late, rates = [], [], []
    for _ in range(REPEATS):
        for viewer in viewers:
            viewer.ms.clear()
        got, used, began = sum(viewer.messages for viewer in viewers), server.cpu_s(), time.perf_counter()
        await asyncio.sleep(WINDOW_S)
        seconds = time.perf_counter() - began
        messages = sum(viewer.messages for viewer in viewers) - got
        cpu.append((server.cpu_s() - used) * 1e3 / messages)
        late.append(float(np.percentile([ms for viewer in viewers for ms in viewer.ms], 95)))
        rates.append(messages / seconds / VIEWERS)
    for viewer in viewers[1:]:
        await viewer.close()
    await viewers[0].ws.send(f'{{"op":"tell","run":"{run}","command":"stop"}}')  # type: ignore[union-attr]
    await asyncio.sleep(0.5)
    await viewers[0].close()
    await asyncio.gather(*readers)
    last = viewers[0].last  # who stayed to the end; the others closed less than two seconds before
    lost = sum(viewer.last + 1 - len(viewer.steps) for viewer in viewers)
    behind = sum(last - viewer.last > 4 * PACE for viewer in viewers)
    await session.close()
    return {
        "cpu_ms_per_update": round(statistics.median(cpu), 4),
        "latency_ms_p95": round(statistics.median(late), 1),
        "lost": lost + behind,
        "updates_per_s": round(statistics.median(rates), 1),
        "viewers": VIEWERS,
    }


async def kept(server: Server) -> dict[str, Any]:
    """The unpaced run: steps a second with and without viewers, in turns."""
    with_, without = [], []
    for repeat in range(REPEATS):
        session, run, ticket = await started(server.port, f"{HEAVY}&pace=0&seed={10 + repeat}")
        one = Viewer(server.port, ticket, run)
        reading = await gather([one])
        await going(one)
        await asyncio.sleep(1)
        without.append(await rate(one))
        viewers = [Viewer(server.port, ticket, run) for _ in range(VIEWERS - 1)]
        readers = await gather(viewers)
        await asyncio.sleep(0.5)
        with_.append(await rate(one))
        for viewer in viewers:
            await viewer.close()
        await one.ws.send(f'{{"op":"tell","run":"{run}","command":"stop"}}')  # type: ignore[union-attr]
        await asyncio.sleep(0.3)
        await one.close()
        await asyncio.gather(*reading, *readers)
        await session.close()
    ratios = [a / b for a, b in zip(with_, without, strict=True)]
    return {
        "rate_kept": round(statistics.median(ratios), 3),
        "rate_kept_each": [round(ratio, 3) for ratio in ratios],
        "steps_per_s": round(statistics.median(without), 1),
    }


async def going(viewer: Viewer) -> None:
    """Returns when the run has begun: a fresh server's worker takes some seconds."""
    while viewer.last < 3:
        await asyncio.sleep(0.05)


async def rate(viewer: Viewer, seconds: float = 3.0) -> float:
    """Steps a second of a viewer's run, by the steps it was told of."""
    first, began = viewer.last, time.perf_counter()
    await asyncio.sleep(seconds)
    last = viewer.last
    if viewer.status != "running":
        raise RuntimeError(f"the run was {viewer.status} before the measurement was over: it is too short")
    return (last - first) / (time.perf_counter() - began)


def main() -> dict[str, Any]:
    with Server() as server:
        server.wait()

        async def both() -> dict[str, Any]:
            return {**await watched(server), **await kept(server)}

        return asyncio.run(both())
