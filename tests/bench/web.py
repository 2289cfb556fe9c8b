"""`web`: 100 simulated Streamlit sessions, each changing a setting every 2 s for 15 s on the fullest lesson page.

rerun_ms_p95     setting sent to script finished
errors           exceptions on any page, or sessions that broke
web_rss_mb       memory of the web process at the end
kb_per_session   its growth over 100 joins
cold_start_s     process start to the first page finished, median of five
resume_100_s     100 sessions cut at once and back with their pages
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from typing import Any

import numpy as np

from tests.bench.server import Server
from tests.bench.sessions import Session

SESSIONS = 100
EVERY_S = 2.0
FOR_S = 15.0
PAGE = "gradient_descent"
SETTING = "gradient_descent.dissect"
VALUES = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw")
COLD_STARTS = 5


def cold_start_s() -> float:
    """Process start to the first page finished."""
    with Server() as server:
        server.wait()

        async def first() -> None:
            session = Session(server.port, PAGE)
            await session.join()
            if session.errors:
                raise RuntimeError(session.errors)
            await session.close()

        asyncio.run(first())
        return time.monotonic() - server.born


async def learner(session: Session, times: list[float]) -> None:
    """Changes a setting every two seconds, at a moment of its own."""
    await asyncio.sleep(random.random() * EVERY_S)
    end = time.monotonic() + FOR_S
    while time.monotonic() < end:
        began = time.monotonic()
        times.append(await session.set(SETTING, string_value=random.choice(VALUES)))
        await asyncio.sleep(max(0.0, EVERY_S - (time.monotonic() - began)))


async def classroom(server: Server) -> dict[str, Any]:
    warm = [Session(server.port, PAGE) for _ in range(5)]
    await asyncio.gather(*(session.join() for session in warm))
    await asyncio.gather(*(session.close() for session in warm))
    await asyncio.sleep(1)
    before = server.rss_mb()
    sessions = [Session(server.port, PAGE) for _ in range(SESSIONS)]
    joins = await asyncio.gather(*(session.join() for session in sessions))
    await asyncio.sleep(1)
    grown = server.rss_mb() - before
    used = server.cpu_s()
    times: list[float] = []
    results = await asyncio.gather(*(learner(session, times) for session in sessions), return_exceptions=True)
    cpu_ms = (server.cpu_s() - used) * 1e3 / max(1, len(times))
    rss = server.rss_mb()
    await asyncio.gather(*(session.cut() for session in sessions))
    began = time.perf_counter()
    back = await asyncio.gather(*(session.join() for session in sessions), return_exceptions=True)
    resumed = time.perf_counter() - began
    errors = sum(len(session.errors) for session in sessions)
    errors += sum(isinstance(one, BaseException) for one in [*results, *back])
    await asyncio.gather(*(session.close() for session in sessions))
    return {
        "rerun_ms_p95": round(float(np.percentile(times, 95)) * 1e3, 1),
        "rerun_ms_p50": round(float(np.percentile(times, 50)) * 1e3, 1),
        "rerun_cpu_ms": round(cpu_ms, 2),
        "reruns": len(times),
        "errors": errors,
        "web_rss_mb": round(rss, 1),
        "kb_per_session": round(grown * 1e3 / SESSIONS, 1),
        "join_100_s": round(max(joins), 2),
        "resume_100_s": round(resumed, 2),
    }


def main() -> dict[str, Any]:
    cold = [cold_start_s() for _ in range(COLD_STARTS)]
    with Server() as server:
        server.wait()
        found = asyncio.run(classroom(server))
    return {**found, "cold_start_s": round(statistics.median(cold), 2), "sessions": SESSIONS}
