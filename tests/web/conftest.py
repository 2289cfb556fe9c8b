"""The live server by itself, over a real socket, in front of an engine that replays recordings."""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from engine.backends.fake import FakeBackend
from engine.runs.engine import Engine, Run
from engine.types import Arrays, Job, Values
from engine.wire import unpack
from lessons import catalog
from pages.live.app_state import AppState
from pages.live.hub import Hub
from pages.live.routes import routes
from tests.bench.server import free_port
from tests.conftest import wait_until

LESSON = "gradient_descent"


@dataclass
class Site:
    """A running live server."""

    state: AppState
    port: int
    loop: asyncio.AbstractEventLoop

    def run(self, learner: str = "ada", **params: Any) -> Run:
        settings = {**catalog.params(LESSON)().model_dump(mode="json"), **params}
        return self.state.engine.submit(Job(catalog.lesson(LESSON).entry, settings, settings["seed"]), learner)

    def socket(self, learner: str = "ada", ticket: str | None = None, origin: str = "") -> ClientConnection:
        signed = self.state.ticket(learner) if ticket is None else ticket
        sender = Origin(origin) if origin else None
        url = f"ws://127.0.0.1:{self.port}/live?t={signed}"
        return connect(url, origin=sender, max_size=None, compression=None)

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of a GET."""
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:
                return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, {k.lower(): v for k, v in error.headers.items()}, error.read()


def tell(socket: ClientConnection, **message: Any) -> None:
    socket.send(json.dumps(message))


def hear(socket: ClientConnection, seconds: float = 10.0) -> tuple[Values, Arrays]:
    data = socket.recv(seconds)
    assert isinstance(data, bytes)
    return unpack(data)


def until(socket: ClientConnection, kind: str, **wanted: Any) -> tuple[Values, Arrays]:
    """The next message of that kind with those header fields; others are passed over."""
    while True:
        header, arrays = hear(socket)
        if header["type"] == kind and all(header.get(key) == value for key, value in wanted.items()):
            return header, arrays


def steps_of(header: Values, arrays: Arrays) -> list[int]:
    """The steps of a "scalars" message."""
    found: set[int] = set()
    for index in range(len(header["groups"])):
        found.update(arrays[f"steps{index}"].tolist())
    return sorted(found)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    backend = FakeBackend(lambda job: catalog.lesson(job.lesson).folder / "demo.run", tick_s=0.004)
    engine = Engine(backend, tmp_path / "runs")
    engine.start()
    state = AppState(engine, Hub(engine))
    loops: list[asyncio.AbstractEventLoop] = []

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        loops.append(asyncio.get_running_loop())
        state.hub.start()
        yield
        await state.hub.close()

    port = free_port()
    app = Starlette(routes=routes(state), lifespan=lifespan)
    config = uvicorn.Config(app, port=port, log_level="error", ws="websockets-sansio", ws_per_message_deflate=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    yield Site(state, port, loops[0])
    server.should_exit = True
    thread.join(10)
    assert not thread.is_alive()
    engine.close()
