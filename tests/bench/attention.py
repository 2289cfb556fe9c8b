"""`attention`: a learner's new sentence in a real headless browser, through the real page, engine, worker and server.

answer_ms_p95          Ctrl+Enter under a new 16-token sentence to the animation frame in which all 72 heads of it are
                       on the canvas; 95th percentile of REPEATS sentences, each begun while the one before is
                       still having its heads tried
bytes_all_heads_256    everything the page receives, HTTP and both websockets, from Ctrl+Enter under a new text of 256
                       tokens to the end of its run: all heads in small, one in full, and every later picture;
                       payloads as they are before the socket compresses them; median
client_download_mb     everything a browser with an empty cache receives from opening the page until it is alive and
                       quiet, in 10^6 bytes, as sent; median
"""

from __future__ import annotations

import random
import statistics
import time
from typing import Any

import numpy as np
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from lessons.attention.tokens import LONGEST, tokens
from tests.bench.server import Server
from tests.browser.conftest import FLAGS, browser_path

REPEATS = 60
WARM = 5
PAUSE_S = 0.8
COLD = 5
LONG = 5
WORDS = (
    *("river", "music", "garden", "doctor", "window", "summer", "teacher", "market", "animal", "winter", "letter"),
    *("bridge", "kitchen", "machine", "village", "picture", "island", "morning", "paper", "horse", "stone", "water"),
)

# Answers with the milliseconds from the key to the frame that finds the heads drawn.
TIMED = """
() => new Promise((resolve, reject) => {
  const board = window.torchroom.board;
  const before = board.run?.id;
  let began = 0;
  const pressed = (event) => {
    if (event.key !== "Enter" || !event.ctrlKey || began) return;
    began = performance.now();
    requestAnimationFrame(look);
  };
  document.addEventListener("keydown", pressed, { capture: true });
  const look = () => {
    const now = performance.now();
    const heads = board.figures.get("heads");
    const { frame, moved } = board.renderer;
    const there = board.run?.id !== before && frame?.run === board.run && !moved && !heads.dirty;
    if (there && heads.drawnAt > began) {
      document.removeEventListener("keydown", pressed, { capture: true });
      resolve(now - began);
    } else if (now - began > 20000) reject(new Error("no heads within 20 s"));
    else requestAnimationFrame(look);
  };
  window.timing = true;
})
"""


def sentence(count: int, chance: random.Random) -> str:
    """A new text of exactly `count` tokens."""
    words = [chance.choice(WORDS) for _ in range(count - 2)]
    text = " ".join(words)
    assert len(tokens(text).pieces) == count, text
    return text


class Wire:
    """Counts all bytes a page receives: HTTP as sent, websocket frames by their payload."""

    def __init__(self, page: Page) -> None:
        self.bytes = 0
        self.last = time.monotonic()
        session: CDPSession = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.loadingFinished", lambda event: self.add(event["encodedDataLength"]))
        page.on("websocket", lambda socket: socket.on("framereceived", lambda data: self.add(len(data))))

    def add(self, count: float) -> None:
        self.bytes += int(count)
        self.last = time.monotonic()


def opened(browser: Browser, url: str) -> tuple[Page, Wire]:
    """The lesson in a browser with an empty cache, alive and quiet."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-US").new_page()
    wire = Wire(page)
    page.goto(f"{url}/attention")
    page.wait_for_function("window.torchroom?.board?.figures.get('heads')?.drawn > 0", timeout=60_000)
    while time.monotonic() - wire.last < 1.5:
        page.wait_for_timeout(100)
    return page, wire


def submitted(page: Page, text: str) -> float:
    """Types a text and sends it; the milliseconds until all its heads are drawn."""
    area = page.get_by_role("textbox", name="Your sentence")
    area.fill(text)
    timing = page.evaluate_handle(f"() => {{ window.timed = ({TIMED})(); }}")
    area.press("Control+Enter")
    taken = float(page.evaluate("() => window.timed"))
    timing.dispose()
    return taken


def measure(browser: Browser, url: str) -> dict[str, Any]:
    chance = random.Random(7)
    downloads = []
    for _ in range(COLD):
        page, wire = opened(browser, url)
        downloads.append(wire.bytes / 1e6)
        page.context.close()
    page, wire = opened(browser, url)
    times = []
    for number in range(WARM + REPEATS):
        taken = submitted(page, sentence(16, chance))
        if number >= WARM:
            times.append(taken)
        page.wait_for_timeout(1000 * PAUSE_S)
    sizes, long_ms = [], []
    for _ in range(LONG):
        page.wait_for_function("window.torchroom.board.run.ended", timeout=60_000)
        page.wait_for_timeout(3000)  # what the run before still had to say
        before = wire.bytes
        long_ms.append(submitted(page, sentence(LONGEST, chance)))
        page.wait_for_function("window.torchroom.board.run.ended", timeout=120_000)
        while time.monotonic() - wire.last < 2:
            page.wait_for_timeout(100)
        sizes.append(wire.bytes - before)
    page.context.close()
    return {
        "answer_ms_p95": round(float(np.percentile(times, 95)), 1),
        "answer_ms_p50": round(statistics.median(times), 1),
        "answers": len(times),
        "bytes_all_heads_256": int(statistics.median(sizes)),
        "answer_256_ms": round(statistics.median(long_ms), 1),
        "client_download_mb": round(statistics.median(downloads), 3),
    }


def main() -> dict[str, Any]:
    with Server() as server, sync_playwright() as playwright:
        server.wait()
        browser = playwright.chromium.launch(executable_path=browser_path(), args=FLAGS)
        try:
            return measure(browser, server.url)
        finally:
            browser.close()
