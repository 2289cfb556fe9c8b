"""`records`: what a default run takes on disk, and how a long one scrubs in a browser.

bytes_default_run_max  the largest file that a lesson's default run leaves (from `fast` runs: pace 0, else as it is)
bytes_default_run      each lesson's
scrub_frame_ms_p95     from a move of the scrubber to its drawing, end to end over a run of 10,000 steps in Chromium
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

from engine.backends.process import ProcessBackend
from engine.runs.engine import Engine
from lessons import catalog
from lessons.recordings import job
from tests.bench.server import Server
from tests.browser.conftest import FLAGS, Tab, browser_path

LONG = "activations?steps=10000&pace=0&width=4&depth=1"  # the longest run there is that has maps and curves
STEPS = 10_000
STOPS = 200

# One move of the scrubber an animation frame, and how long until the frame that shows it has been handed on.
SCRUB = """
async ([steps, stops]) => {
  const board = window.torchroom.board;
  const scrub = document.querySelector(".tr-scrub");
  const drawn = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  const times = [];
  for (let i = 0; i <= stops; i++) {
    await drawn();
    const began = performance.now();
    scrub.value = Math.round((steps * i) / stops);
    scrub.dispatchEvent(new Event("input"));
    await drawn();
    times.push(performance.now() - began);
    if (board.playhead.step !== Number(scrub.value)) throw new Error(`at ${board.playhead.step}, not ${scrub.value}`);
  }
  return times;
}
"""


def sizes(folder: Path) -> dict[str, int]:
    """Bytes on disk of every lesson's default run, made by the real engine at the lesson's own pace."""
    engine = Engine(ProcessBackend("cpu"), folder)
    engine.start()
    runs = {lesson.name: engine.submit(job(lesson.name), lesson.name) for lesson in catalog.lessons()}
    for name, run in runs.items():
        engine.watch(run.id, name, name)
    end = time.monotonic() + 300
    while not all(run.ended for run in runs.values()):
        if time.monotonic() > end:
            raise TimeoutError({name: f"{run.step} of {run.total}" for name, run in runs.items()})
        time.sleep(0.1)
    for name, run in runs.items():
        if run.status != "done":
            raise RuntimeError(f"{name}: {run.status}, {run.error}")
    engine.close()
    return {name: run.record.path.stat().st_size for name, run in runs.items()}


DRAWINGS = "Object.values(board.counters.drawn).reduce((sum, one) => sum + one, 0)"


def scrubbing() -> tuple[list[float], int, int]:
    """Milliseconds of each move over a run of 10,000 steps, its number of frames, and how often a figure was drawn."""
    with Server() as server, sync_playwright() as playwright:
        server.wait()
        browser = playwright.chromium.launch(executable_path=browser_path(), args=FLAGS)
        tab = Tab(browser.new_page(viewport={"width": 1280, "height": 800}), server)
        tab.open(LONG)
        tab.until("board.run")
        tab.run()
        tab.until(f"board.run.ended && board.head === {STEPS}", 240)
        tab.open(tab.page.url.split("/", 3)[3])  # opened afresh, from the record
        tab.until(f"board.run.status === 'done' && board.head === {STEPS} && board.renderer.begun")
        tab.until("[...board.figures.values()].some((one) => one.drawn > 2)")
        before = int(tab.board(DRAWINGS))
        times: list[float] = tab.page.evaluate(SCRUB, [STEPS, STOPS])
        frames = int(tab.board("board.run.frameSteps.length"))
        drawings = int(tab.board(DRAWINGS)) - before
        browser.close()
        return times, frames, drawings


def main() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        found = sizes(Path(folder))
    times, frames, drawings = scrubbing()
    return {
        "bytes_default_run_max": max(found.values()),
        "bytes_default_run": found,
        "scrub_frame_ms_p95": round(float(np.percentile(times, 95)), 1),
        "scrub_frame_ms_p50": round(float(np.percentile(times, 50)), 1),
        "scrub_steps": STEPS,
        "scrub_frame_ms_max": round(max(times), 1),
        "scrub_frames": frames,
        "scrub_drawings": drawings,
    }
