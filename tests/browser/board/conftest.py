"""A server whose runs are formulas, and the board alone before it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import uvicorn
from playwright.sync_api import BrowserContext

from tests.browser.board import server
from tests.browser.board.view import View
from tests.conftest import wait_until


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    config = uvicorn.Config(server.app(), host="127.0.0.1", port=0, log_level="warning", ws="websockets-sansio")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    wait_until(lambda: running.started)
    yield f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}"
    running.should_exit = True
    thread.join(10)


@pytest.fixture
def view(context: BrowserContext, address: str) -> Iterator[View]:
    page = context.new_page()
    page.set_viewport_size({"width": 1280, "height": 2000})
    page.emulate_media(reduced_motion="no-preference")
    made = View(page, address)
    yield made
    assert made.errors == []
