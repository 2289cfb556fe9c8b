"""`playground`: a 6 x 8 network's whole picture: boundary, all unit maps, weights, losses.

worker_ms_per_frame  the picture and the losses of all points, in the worker, packed
bytes_per_frame      as a browser gets it
fps                  pictures of different steps painted a second in headless Chromium, over a minute
heap_growth          the page's heap after a collection, at 60 s over that at 10 s
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch
from playwright.sync_api import sync_playwright

from engine import wire
from engine.types import Job, Tick
from lessons import catalog
from lessons.playground import figures
from lessons.playground.compute import Playground
from lessons.playground.params import FEATURES, Params
from pages.live.protocol import encode_patches
from tests.bench.server import Server
from tests.browser.conftest import FLAGS, browser_path

SETTINGS: dict[str, Any] = {
    "points": "spirals",
    "hidden": "-".join(["8"] * 6),
    "features": FEATURES,
    "optimiser": "adam",
    "lr": 0.005,
    "steps": 1_000_000,
    "pace": 250.0,
}
ROUNDS = 200
PAINTED = """() => {
  const board = window.torchroom.board;
  const seen = (window.painted = new Set());
  const figure = board.figures.get("network");
  const draw = figure.draw;
  figure.draw = function () {
    const done = draw.call(this);
    if (done !== false && board.renderer.frame) seen.add(board.renderer.frame.step);
    return done;
  };
}"""


def computed() -> dict[str, Any]:
    """Time and size of a picture, without a server."""
    torch.set_num_threads(1)
    settings = Params(**SETTINGS)
    lane = Playground(Job(catalog.lesson("playground").entry, settings.model_dump(mode="json"), 0))
    lane.step_many(500)
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        arrays = lane.frame()
        lane.measure(0.0)
        wire.pack({"type": "frame"}, arrays)
        times.append(time.perf_counter() - began)
    listed, found = encode_patches(figures.update(settings, Tick(lane.step, {}, lane.frame())))
    sent = wire.pack({"type": "frame", "run": "playground-00000000", "step": lane.step, "patches": listed}, found)
    return {"worker_ms_per_frame": round(1e3 * statistics.median(times), 3), "bytes_per_frame": len(sent)}


def watched() -> dict[str, Any]:
    """A minute in a browser."""
    query = "&".join(
        f"{key}={','.join(value) if isinstance(value, tuple) else value}" for key, value in SETTINGS.items()
    )
    with Server() as server, sync_playwright() as playwright:
        server.wait()
        browser = playwright.chromium.launch(executable_path=browser_path(), args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"{server.url}/playground?{query}")
        page.get_by_test_id("stButton").get_by_role("button").filter(has_text="Ctrl").first.click(timeout=60_000)
        page.wait_for_function("window.torchroom?.board?.run?.status === 'running' && torchroom.board.head > 100")
        devtools = page.context.new_cdp_session(page)

        def heap() -> float:
            devtools.send("HeapProfiler.collectGarbage")
            return float(devtools.send("Runtime.getHeapUsage")["usedSize"])

        page.evaluate(PAINTED)
        began = time.perf_counter()
        page.wait_for_timeout(10_000)
        early = heap()
        page.wait_for_timeout(50_000 - 1e3 * (time.perf_counter() - began - 10))
        seconds = time.perf_counter() - began
        painted, late = int(page.evaluate("window.painted.size")), heap()
        browser.close()
    return {"fps": round(painted / seconds, 1), "heap_growth": round(late / early, 3), "heap_mb": round(late / 1e6, 1)}


def main() -> dict[str, Any]:
    return {**computed(), **watched()}
