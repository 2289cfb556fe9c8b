"""`activations`: nine classifiers side by side in headless Chromium, through the real worker, engine and server.

fps        distinct frames of the nine boundaries painted a second
rate_kept  training steps a second with the page open over without anybody watching: the same run, unpaced

The page starts a run, and then looks away from it and back in turns: it stops watching, as a page does that is left,
and watches again, in short windows: alone, watched, watched, alone, and so on. Two neighbours make a ratio, so that a
machine whose speed drifts does not count, and the median of all is the figure.
"""

from __future__ import annotations

import json
import statistics
import time
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright
from websockets.sync.client import connect

from engine.wire import unpack
from tests.bench.server import Server
from tests.browser.conftest import FLAGS, browser_path

RUNS = 4
PAIRS = 5
WINDOW_S = 2.5
SETTLE_S = 0.3
HEAD = "window.torchroom.board.head"
SETTINGS = "pace=0&steps=100000"  # or they would be over before they are measured
COUNT = """
() => {
  const board = window.torchroom.board, figure = board.figures.get("boundaries");
  let drawn = figure.drawn;
  window.painted = new Set();
  const look = () => {
    if (figure.drawn !== drawn) {
      drawn = figure.drawn;
      window.painted.add(board.renderer.frame.step);
    }
    window.counting = requestAnimationFrame(look);
  };
  look();
}
"""


def opened(page: Page, server: Server, seed: int) -> tuple[str, str]:
    """The lesson with a run going that this page started: the run's id and a ticket."""
    page.goto(f"{server.url}/activations?{SETTINGS}&seed={seed}")
    page.wait_for_function("window.torchroom?.board?.run?.status === 'recorded'", timeout=60_000)
    page.get_by_test_id("stButton").get_by_role("button").filter(has_text="Ctrl").first.click()
    board = "window.torchroom.board"
    page.wait_for_function(f"{board}.run.status === 'running' && {board}.head > 500", timeout=60_000)
    return str(page.evaluate(f"{board}.run.id")), str(page.evaluate(f"{board}.data.ticket"))


def probe(server: Server, run: str, ticket: str, known: int) -> tuple[float, int]:
    """When the worker made a step, and which: a socket that knows the steps up to `known`, closed when it has one."""
    with connect(f"ws://127.0.0.1:{server.port}/live?t={ticket}", max_size=None, compression=None) as ws:
        ws.send(json.dumps({"op": "watch", "run": run, "from": known}))
        while True:
            header, arrays = unpack(ws.recv(timeout=20))  # type: ignore[arg-type]
            if header["type"] == "run" and header["status"] != "running":
                raise RuntimeError(f"the run was {header['status']} before the measurement was over: it is too short")
            if header["type"] == "scalars" and "made" in header:
                steps = [arrays[f"steps{i}"][0] for i in range(len(header["groups"]))]
                return float(header["made"]), int(np.min(steps))


def rate(server: Server, run: str, ticket: str, known: int) -> float:
    """Steps a second over a window, by the worker's own clock."""
    began, first = probe(server, run, ticket, known)
    time.sleep(WINDOW_S)
    ended, last = probe(server, run, ticket, first)
    return (last - first) / (ended - began)


def main() -> dict[str, Any]:
    alone, watched, fps = [], [], []
    with Server() as server, sync_playwright() as playwright:
        server.wait()
        browser = playwright.chromium.launch(executable_path=browser_path(), args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        for number in range(RUNS):
            run, ticket = opened(page, server, 100 + number)
            for pair in range(PAIRS):
                for seen in (False, True) if pair % 2 == 0 else (True, False):
                    verb = "watch" if seen else "leave"
                    page.evaluate(f"window.torchroom.board.connection.{verb}(window.torchroom.board.run)")
                    time.sleep(SETTLE_S)
                    if not seen:
                        alone.append(rate(server, run, ticket, page.evaluate(HEAD)))
                        continue
                    page.evaluate(COUNT)
                    began = time.perf_counter()
                    watched.append(rate(server, run, ticket, page.evaluate(HEAD)))
                    fps.append(page.evaluate("window.painted.size") / (time.perf_counter() - began))
                    page.evaluate("cancelAnimationFrame(window.counting)")
            page.evaluate(
                "window.torchroom.board.connection.watch(window.torchroom.board.run)"
            )  # or it never hears the end
            page.locator(".tr-stop").click()
            page.wait_for_function("window.torchroom.board.run.status === 'stopped'")
        browser.close()
    ratios = [a / b for a, b in zip(watched, alone, strict=True)]
    return {
        "fps": round(statistics.median(fps), 1),
        "rate_kept": round(statistics.median(ratios), 3),
        "rate_kept_each": [round(ratio, 3) for ratio in ratios],
        "fps_each": [round(one, 1) for one in fps],
        "steps_per_s": round(statistics.median(alone), 1),
    }
