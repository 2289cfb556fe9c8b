"""A real server, a real browser, and pages that must not write a word of complaint on their console."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, TimeoutError, expect, sync_playwright

from tests.bench.server import Server

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
WAIT_S = 60  # what is right never needs it, whatever else the machine does
expect.set_options(timeout=1000 * WAIT_S)
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# A software renderer tells of its own slowness, Streamlit looks for its base path by trying the page's own first, and
# plotly draws for a moment on an axis that has no range yet.
NOT_OURS = re.compile(
    "GPU stall due to ReadPixels|willReadFrequently|404 .*/_stcore/(health|host-config)"
    '|<path> attribute d: Expected number, "MNaN'
)

# What a page is like that something was never true of.
STATE = """() => {
  const board = window.torchroom?.board;
  return JSON.stringify(board ? {
    run: [board.run?.id, board.run?.status, board.run?.head], playhead: board.playhead, head: board.head,
    frame: [board.renderer.frame?.run?.id, board.renderer.frame?.step], moved: board.renderer.moved,
    holding: board.renderer.holding, readingsDue: board.renderer.readingsDue, counters: board.counters,
    figures: [...board.figures].map(([id, one]) => [id, one.visible, one.dirty, one.busy]),
    specs: [board.specLoader.path, board.data.spec],
    address: location.href, text: board.root.innerText.slice(0, 1500),
  } : document.body.innerText.slice(0, 1500));
}"""


def browser_path() -> str | None:
    """The browser that tests/browser/install.sh saw to; None lets Playwright use a build of its own."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


# While Playwright is open, asyncio.run cannot be used in its process: these tests are a pytest run of their own.
@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("server") / "log"
    with Server(log, TORCHROOM_CIFAR10=os.environ.get("TORCHROOM_CIFAR10", "")) as server:
        server.wait()
        yield server
    assert "Traceback" not in log.read_text(), log.read_text()[-3000:]


class Tab:
    """One tab on a lesson, and what its board says of itself."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.server = server
        self.complaints: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, message: Any) -> None:
        said = f"{message.text} ({message.location.get('url', '')})"
        if message.type in ("error", "warning") and not NOT_OURS.search(said):
            self.complaints.append(said)

    def open(self, path: str) -> Tab:
        """Goes to a page by its address and waits until it has been drawn, board included if it has one."""
        self.page.goto(f"{self.server.url}/{path}")
        self.rested()
        return self

    def with_motion(self) -> None:
        """A learner who likes motion: recordings are replayed from their start as the page opens."""
        self.page.emulate_media(reduced_motion="no-preference")

    def rested(self) -> None:
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=1000 * WAIT_S)

    def board(self, expression: str) -> Any:
        """The value of a JavaScript expression about `board`, the one on this page, once it is there."""
        self.page.wait_for_function("window.torchroom?.board?.run")
        return self.page.evaluate(f"(() => {{ const board = window.torchroom.board; return {expression}; }})()")

    def until(self, expression: str, seconds: float = WAIT_S) -> Any:
        """Waits until the expression about `board` is true."""
        try:
            self.page.wait_for_function(
                f"(() => {{ const board = window.torchroom?.board; return board && ({expression}); }})()",
                timeout=1000 * seconds,
            )
        except TimeoutError as error:
            raise AssertionError(f"never true: {expression}\n{self.page.evaluate(STATE)}") from error
        return self.board(expression)

    def done(self, also: str = "true") -> None:
        """Waits until the run, if `also` is true of it, is done; shows its end at once, without a replay."""
        ended = f"board.run?.status === 'done' && ({also})"
        self.until(ended)
        self.board("(board.transport.goLive(), 0)")
        self.until(f"{ended} && board.playhead.step === board.head && board.isSettled")

    def run(self) -> str:
        """Presses Run and waits for the new run's first steps; returns its id."""
        before = self.board("board.run?.id ?? ''")
        self.page.get_by_test_id("stButton").get_by_role("button").filter(has_text="Ctrl").first.click()
        self.until(f"board.run && board.run.id !== {before!r} && board.run.head >= 0")
        return str(self.board("board.run.id"))


@pytest.fixture(scope="session")
def shared_context(chromium: Browser) -> Iterator[BrowserContext]:
    """Most tests need no replay, which keeps a processor busy for its length: see Tab.with_motion."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en-US", reduced_motion="reduce")
    context.set_default_timeout(1000 * WAIT_S)
    yield context
    context.close()


@pytest.fixture
def context(shared_context: BrowserContext) -> Iterator[BrowserContext]:
    """A learner who comes for the first time, in a browser that has loaded and compiled the app's code before."""
    yield shared_context
    for page in shared_context.pages:
        page.evaluate("(localStorage.clear(), sessionStorage.clear())")
        page.close()
    shared_context.clear_cookies()


@pytest.fixture
def tab(context: BrowserContext, server: Server) -> Iterator[Tab]:
    tab = Tab(context.new_page(), server)
    yield tab
    assert not tab.complaints, tab.complaints
