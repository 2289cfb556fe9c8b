"""The board without Streamlit: `python -m tests.browser.board.server [port]`, then open the address it prints.

It speaks the live protocol with runs that are formulas, so that what the board does can be seen and tested alone:

    quick    done, 120 steps           live     goes on while it is watched, 25 steps a second of 2000
    fast     arrives within a second   shared   a command moves the page to its private copy
    failed   with an error             queued   third in the queue          long   20,000 steps
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from engine import wire
from engine.types import ENDED, ScalarBlock
from pages.live.assets import Assets
from pages.live.protocol import encode_patches, pack_scalars
from tests.browser.board import figures

ASSETS = Assets()
PAGE = Path(__file__).with_name("page.html")
EVERY = 10  # steps between two frames


@dataclass
class Demo:
    """A run: a formula, how far it is, and how fast it goes on."""

    id: str
    status: str = "done"
    total: int = 120
    step: int = -1
    rate: float | None = None
    error: dict[str, str] | None = None
    note: dict[str, str] | None = None
    place: int | None = None
    told: list[str] = field(default_factory=list)

    def row(self, step: int) -> dict[str, float]:
        if self.id == "long":
            return {"loss": float(np.sin(step / 700) + 0.3 * np.sin(step * 1.7)), "accuracy": 0.5}
        return figures.scalars(step, diverged=self.id == "failed")

    def groups(self, after: int, to: int) -> list[ScalarBlock]:
        """Scalars of the steps after `after` up to `to`, neighbours with equal names together."""
        found: list[ScalarBlock] = []
        block: list[int] = []
        for step in [*range(after + 1, to + 1), None]:
            if block and (step is None or self.row(step).keys() != self.row(block[0]).keys()):
                values = np.array([list(self.row(one).values()) for one in block], np.float64)
                found.append(ScalarBlock(tuple(self.row(block[0])), np.array(block, np.int32), values))
                block = []
            if step is not None:
                block.append(step)
        return found

    def frames(self) -> list[int]:
        return [] if self.id == "long" else list(range(0, self.step + 1, EVERY))

    def frame(self, step: int) -> bytes | None:
        kept = [one for one in self.frames() if one <= step]
        if not kept:
            return None
        listed, arrays = encode_patches(figures.frame(kept[-1]))
        return wire.pack({"type": "frame", "run": self.id, "step": kept[-1], "patches": listed}, arrays)

    def described(self) -> bytes:
        powers = [0, 1, 2, 4, 8, 16, 32, 64, 96, 128, 256]
        return wire.pack(
            {
                "type": "run",
                "run": self.id,
                "status": self.status,
                "total": self.total,
                "error": self.error,
                "note": self.note,
                "device": "cpu",
                "place": self.place,
                "rate": self.rate,
                "viewers": 1,
                "params": {},
                "seed": 0,
                "checkpoints": [one for one in powers if one <= self.step],
                "frames": self.frames(),
            }
        )


def runs() -> dict[str, Demo]:
    broken = {
        "en": "The loss is infinite since step 51. Try a smaller step size.",
        "zh": "第 51 步起损失为无穷大,请减小步长。",
    }
    made = [
        Demo("quick", "recorded", step=120),
        Demo("other", "done", step=80, total=80),
        Demo("live", "running", 2000, 0, 25.0),
        Demo("fast", "running", 120, 60, None),  # already past what a page must see in its first second
        Demo("shared", "running", 400, 40, 25.0),
        Demo("copy", "paused", 400, 40, 25.0),
        Demo("failed", "failed", 120, 70, error=broken),
        Demo("queued", "queued", 120, -1, place=3),
        Demo("long", "done", 19_999, 19_999),
    ]
    return {one.id: one for one in made}


class Server:
    """All that the routes share."""

    def __init__(self) -> None:
        self.runs = runs()
        self.sockets: dict[WebSocket, set[str]] = {}
        self.heard: list[dict[str, Any]] = []
        self.opened = 0
        self.down = False
        self.fetched: list[str] = []
        self.going: set[asyncio.Task[None]] = set()

    async def all(self, run: str, data: bytes | None) -> None:
        for socket, watched in list(self.sockets.items()):
            if run in watched and data is not None:
                await socket.send_bytes(data)

    async def go_on(self, run: Demo) -> None:
        """Advances a run in time while somebody watches it."""
        while run.status not in ENDED and any(run.id in watched for watched in self.sockets.values()):
            await asyncio.sleep(0.08)
            if run.status == "running":
                await self.advance(run, 12 if run.id == "fast" else 2)

    async def advance(self, run: Demo, count: int) -> None:
        before = run.step
        run.step = min(run.total, run.step + count)
        if run.step == run.total:
            run.status = "done"
        await self.all(run.id, pack_scalars(run.id, run.groups(before, run.step)))
        if run.step // EVERY > before // EVERY:
            await self.all(run.id, run.frame(run.step))
        await self.all(run.id, run.described())

    async def live(self, socket: WebSocket) -> None:
        await socket.accept()
        self.opened += 1
        if self.down or socket.query_params.get("t") != "demo":
            await socket.close(1011 if self.down else 4403)
            return
        self.sockets[socket] = set()
        try:
            while True:
                await self.heed(socket, await socket.receive_json())
        except (WebSocketDisconnect, KeyError, RuntimeError):
            pass
        finally:
            self.sockets.pop(socket, None)

    async def heed(self, socket: WebSocket, message: dict[str, Any]) -> None:
        self.heard.append(message)
        run = self.runs.get(message["run"])
        if run is None:
            error = {"en": f"There is no run {message['run']!r}.", "zh": f"没有名为 {message['run']!r} 的运行。"}
            await socket.send_bytes(wire.pack({"type": "refused", "id": message.get("id"), "error": error}))
        elif message["op"] == "watch":
            await self.watch(socket, run, message["from"])
        elif message["op"] == "leave":
            self.sockets[socket].discard(run.id)
        elif message["op"] == "ask":
            step = run.step if message["step"] is None else message["step"]
            listed, arrays = encode_patches(figures.answer(message["name"], message["args"], step))
            head = {"type": "answer", "id": message["id"], "run": run.id, "step": step, "name": message["name"]}
            await socket.send_bytes(wire.pack({**head, "patches": listed}, arrays))
        elif message["op"] == "tell":
            await self.tell(socket, run, message["command"])
        elif message["op"] == "begin":
            await self.begin(socket, run, message["id"], message["settings"]["text"])

    async def watch(self, socket: WebSocket, run: Demo, after: int) -> None:
        self.sockets[socket].add(run.id)
        await socket.send_bytes(run.described())
        if run.step > after:
            await socket.send_bytes(pack_scalars(run.id, run.groups(after, run.step)))
        frame = run.frame(run.step)
        if frame:
            await socket.send_bytes(frame)
        task = asyncio.create_task(self.go_on(run))
        self.going.add(task)
        task.add_done_callback(self.going.discard)

    async def tell(self, socket: WebSocket, run: Demo, command: str) -> None:
        run.told.append(command)
        if run.id == "shared":
            self.sockets[socket].discard(run.id)
            await socket.send_bytes(wire.pack({"type": "moved", "from": run.id, "run": "copy"}))
            await self.watch(socket, self.runs["copy"], -1)
        elif command == "step":
            await self.advance(run, 1)
        else:
            run.status = {"pause": "paused", "resume": "running", "stop": "stopped"}[command]
            await self.all(run.id, run.described())

    async def begin(self, socket: WebSocket, run: Demo, number: int, text: str) -> None:
        """The text names the run."""
        if text not in self.runs:
            error = {"en": f"There is no run {text!r}.", "zh": f"没有名为 {text!r} 的运行。"}
            await socket.send_bytes(wire.pack({"type": "refused", "id": number, "error": error}))
            return
        self.sockets[socket].discard(run.id)
        await socket.send_bytes(wire.pack({"type": "next", "id": number, "from": run.id, "run": text}))
        await self.watch(socket, self.runs[text], -1)

    async def control(self, request: Request) -> Response:
        """What tests do to the server: /control/drop, down, up, rewind, reset, state."""
        what = request.path_params["what"]
        if what in ("drop", "down"):
            self.down = what == "down"
            for socket in list(self.sockets):
                await socket.close(1012)
        elif what == "up":
            self.down = False
        elif what == "rewind":
            run = self.runs["live"]
            run.step, run.status = 8, "paused"
            run.note = {
                "en": "The worker was restarted; the run goes on from step 8.",
                "zh": "工作进程已重启,从第 8 步继续。",
            }
            await self.all("live", wire.pack({"type": "rewind", "run": "live", "step": 8, "note": run.note}))
            await self.all("live", run.described())
        elif what == "reset":
            self.runs = runs()
            self.heard.clear()
            self.fetched.clear()
            self.opened = 0
            self.down = False
        told = {run.id: run.told for run in self.runs.values()}
        steps = {run.id: run.step for run in self.runs.values()}
        return JSONResponse(
            {"opened": self.opened, "heard": self.heard, "fetched": self.fetched, "told": told, "steps": steps}
        )

    def routes(self) -> list[Any]:
        return [
            Route("/", page),
            WebSocketRoute("/live", self.live),
            Route("/live/assets/{version}/{path:path}", asset),
            Route("/live/spec/{name}.json", spec),
            Route("/live/frame/{run}/{step:int}", self.frame),
            Route("/control/{what}", self.control, methods=["GET", "POST"]),
        ]

    async def frame(self, request: Request) -> Response:
        run, step = request.path_params["run"], request.path_params["step"]
        self.fetched.append(f"{run}/{step}")
        data = self.runs[run].frame(step)
        return Response(data or b"", 200 if data else 404, media_type="application/octet-stream")


async def page(_: Request) -> Response:
    names = {name: ASSETS.url(name) for name in ("", "board.css", "plotly.min.js")}
    return HTMLResponse(PAGE.read_text(encoding="utf-8").replace("ASSETS", orjson.dumps(names).decode()))


async def asset(request: Request) -> Response:
    found = ASSETS.get(request.path_params["version"], request.path_params["path"])
    if found is None:
        return Response("not here", 404)
    headers = {"Content-Encoding": "gzip", "Cache-Control": "max-age=31536000, immutable"}
    return Response(found.packed, media_type=found.kind, headers=headers)


async def spec(request: Request) -> Response:
    language, *more = request.path_params["name"].split("-")
    made = figures.spec(language, "solid" in more, "changed" in more, "words" in more)
    return Response(orjson.dumps(made, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")


def app() -> Starlette:
    return Starlette(routes=Server().routes())


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8599
    uvicorn.run(app(), host="127.0.0.1", port=port, log_level="warning", ws="websockets-sansio")
