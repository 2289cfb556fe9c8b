"""The routes under /live: the websocket, the board's files and specs, frames, and runs as files."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from engine.types import ENDED, Problem
from pages.live.app_state import AppState
from pages.live.assets import Served
from pages.live.connection import Connection
from pages.live.dispatch import Dispatcher

LOG = logging.getLogger("torchroom.live")

# What is named by its content never changes.
IMMUTABLE = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
NO_STORE = {"Cache-Control": "no-store"}
# Keeps the server's middleware from compressing a response again at each request.
IDENTITY = {"Content-Encoding": "identity"}


def routes(state: AppState, origins: Collection[str] = ()) -> list[BaseRoute]:
    """The live routes of one server. Pages of `origins` may open the websocket, besides the server's own."""
    dispatcher = Dispatcher(state.hub, state.engine)

    async def live(ws: WebSocket) -> None:
        """WebSocket /live?t=TICKET."""
        if not same_origin(ws, origins):
            await ws.close(1008)
            return
        learner = state.learner(ws.query_params.get("t"))
        await ws.accept()  # first, or the browser never sees why it was closed
        if learner is None:
            await ws.close(4403)
            return
        await serve(Connection(ws, learner, state.hub.since, dispatcher.handle), state)

    async def asset(request: Request) -> Response:
        """GET /live/assets/{version}/{path}: a file of the board."""
        return compressed(request, state.assets.get(request.path_params["version"], request.path_params["path"]))

    async def spec(request: Request) -> Response:
        """GET /live/spec/{sha}.json: figures as they are drawn for some settings."""
        return compressed(request, state.specs.get(request.path_params["sha"]))

    async def frame(request: Request) -> Response:
        """GET /live/frame/{run}/{step}: the last frame at or before a step, for a scrubber that has let it go."""
        try:
            run = state.engine.get(request.path_params["run"])
            made = await state.hub.frames.frame(run, request.path_params["step"])
        except Problem as problem:
            return not_found(problem.en)
        if made is None:
            return not_found("no frame yet")
        caching = IMMUTABLE if run.status in ENDED else NO_STORE
        return Response(made[1], media_type="application/octet-stream", headers={**caching, **IDENTITY})

    async def record(request: Request) -> Response:
        """GET /live/record/{run}: a run as it stands as one file, to keep or to open elsewhere."""
        run = request.path_params["run"]
        try:
            data = await asyncio.get_running_loop().run_in_executor(None, state.engine.export, run)
        except Problem as problem:
            return not_found(problem.en)
        headers = {"Content-Disposition": f'attachment; filename="{run}.run"', **IDENTITY, **NO_STORE}
        return Response(data, media_type="application/octet-stream", headers=headers)

    return [
        WebSocketRoute("/live", live),
        Route("/live/assets/{version}/{path:path}", asset),
        Route("/live/spec/{sha}.json", spec),
        Route("/live/frame/{run}/{step:int}", frame),
        Route("/live/record/{run}", record),
    ]


def same_origin(ws: WebSocket, origins: Collection[str]) -> bool:
    """Whether a websocket comes from this server's own pages, or those of `origins`.

    Streamlit's own check covers its own routes only. No Origin means no browser: a browser always sends one and
    cannot forge it.
    """
    origin = ws.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == ws.headers.get("host") or origin in origins


async def serve(connection: Connection, state: AppState) -> None:
    """Sends and receives until the browser goes; then its runs are no longer watched by it."""
    state.hub.connections.add(connection)
    sender = asyncio.create_task(connection.send())
    sender.add_done_callback(log_failure)
    try:
        await connection.receive()
    except WebSocketDisconnect:
        pass
    finally:
        sender.cancel()
        state.hub.connections.discard(connection)
        for run in list(connection.cursors):
            state.hub.leave(connection, run)


def log_failure(sender: asyncio.Task[None]) -> None:
    """Logs why a sender ended. A browser that went away in the middle of a message is no failure."""
    gone = (RuntimeError, OSError, WebSocketDisconnect)
    if not sender.cancelled() and (error := sender.exception()) and not isinstance(error, gone):
        LOG.error("sender failed", exc_info=error)


def compressed(request: Request, served: Served | None) -> Response:
    """A file or spec, in the encoding that the browser takes."""
    if served is None:
        return not_found("not here")
    headers = {**IMMUTABLE, "Vary": "Accept-Encoding"}
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(gzip.decompress(served.packed), media_type=served.kind, headers=headers)
    return Response(served.packed, media_type=served.kind, headers={**headers, "Content-Encoding": "gzip"})


def not_found(why: str) -> Response:
    return Response(why, 404, headers=NO_STORE)
