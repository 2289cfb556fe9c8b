"""`fair`: 100 learners with a light run each beside three who train on CIFAR-10, on one worker process.

wait_ms_p95   between two messages of a light run's steps, as the engine gets them (250)
wait_ms_max   the longest of them
heavy_share   what the worker's time had left for the three: the least of them over the most (1: evenly)
heavy_part    their part of the time that passed

Light: a small classifier at 20 steps a second, each learner's own. Heavy: the lesson's three networks, as fast as they
go, on real CIFAR-10 where TORCHROOM_CIFAR10 names it, else on digits.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from engine.backends.process import ProcessBackend
from engine.messages import RunScalars
from engine.params import parse
from engine.runs.engine import Engine
from engine.runs.listeners import RunEvent
from engine.types import Job
from lessons import catalog

LIGHT = 100
PACE = 20
NETWORKS = ("tutorial", "vgg", "fast")
WINDOW_S = 20.0


def main() -> dict[str, Any]:
    heard: dict[str, list[float]] = defaultdict(list)

    def listen(event: RunEvent, message: bytes) -> None:
        if isinstance(event, RunScalars):
            heard[event.run].append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(ProcessBackend("cpu"), Path(folder) / "runs")
        engine.start()
        engine.listen(listen)
        kind = catalog.params("cifar10")
        data = "cifar10" if os.environ.get("TORCHROOM_CIFAR10") else "digits"
        heavy = []
        for n, network in enumerate(NETWORKS):
            settings = parse(kind, {"data": data, "network": network, "epochs": 60, "pace": 0.0, "seed": n})
            heavy.append(engine.submit(catalog.job("cifar10", settings), f"heavy {n}"))
        light = [
            engine.submit(
                Job("tests.engine.classifier.compute:run", {"pace": PACE, "steps": 1_000_000}, n), f"light {n}"
            )
            for n in range(LIGHT)
        ]
        for run in [*heavy, *light]:
            engine.watch(run.id, f"viewer of {run.id}", run.learner)
        while any(run.step < 3 for run in [*heavy, *light]):
            failed = [run for run in heavy if run.ended]
            if failed:
                raise RuntimeError(f"{failed[0].id}: {failed[0].error}")
            time.sleep(0.1)
        time.sleep(2)
        began, spent = time.perf_counter(), [run.seconds for run in heavy]
        time.sleep(WINDOW_S)
        ended = time.perf_counter()
        shares = [run.seconds - before for run, before in zip(heavy, spent, strict=True)]
        waits = [np.diff([at for at in heard[run.id] if began <= at <= ended] or [began, ended]) * 1e3 for run in light]
        engine.close()
    every = np.concatenate(waits)
    return {
        "wait_ms_p95": round(float(np.percentile(every, 95)), 1),
        "wait_ms_p50": round(float(np.percentile(every, 50)), 1),
        "wait_ms_max": round(float(every.max()), 1),
        "heavy_share": round(min(shares) / max(shares), 3),
        "heavy_part": round(sum(shares) / (ended - began), 3),
        "light": LIGHT,
        "data": data,
    }
