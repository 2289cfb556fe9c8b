"""Torchroom as one server: Streamlit's pages, the live routes, and the engine, which this file starts and closes.

python app.py            honours HOST and PORT in the environment
streamlit run app.py     honours Streamlit's own options
"""

from __future__ import annotations

import gc
import logging
import os
import tempfile
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import Route, Router, WebSocketRoute
from streamlit import config
from streamlit.runtime.app_session import AppSession

from engine.backends.choose import choose_backend
from engine.datasets import cifar10, picture
from engine.runs.engine import Engine
from pages.live.app_state import AppState, close_app_state, open_app_state
from pages.live.hub import Hub
from pages.live.routes import routes
from pages.live.streamlit_files import StreamlitFiles
from pages.ui.fault import explain

HERE = Path(__file__).resolve().parent
LOG = logging.getLogger("torchroom")


def spare_resumed_sessions() -> None:
    """Keeps Streamlit 1.67.0 from scanning all modules, on the event loop, for each session that comes back.

    It does so even with the file watcher off. Does nothing where the watcher is wanted, or where a later version has
    lost the method.
    """
    if config.get_option("server.fileWatcherType") == "none" and hasattr(AppSession, "register_file_watchers"):
        AppSession.register_file_watchers = lambda self: None  # type: ignore[method-assign]


def runs_folder(scratch: Path) -> Path:
    """The folder of runs: TORCHROOM_RUNS, else one beside the downloads; `scratch` where that cannot be written."""
    folder = Path(os.environ.get("TORCHROOM_RUNS") or cifar10.data_folder() / "runs")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        LOG.warning("runs are not kept beyond this server: %s (%s). Name a folder in TORCHROOM_RUNS.", folder, error)
        return scratch


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """Runs the engine, and serves the live routes, as long as the server runs."""
    spare_resumed_sessions()
    with tempfile.TemporaryDirectory(prefix="torchroom-") as scratch:
        folder = runs_folder(Path(scratch))
        engine = Engine(choose_backend(os.environ), folder, decode_picture=picture.decode)
        engine.start()
        hub = Hub(engine)
        hub.start()
        state = AppState(engine, hub)
        open_app_state(state)
        live.routes[:] = routes(state, config.get_option("server.corsAllowedOrigins"))
        threading.Thread(target=state.assets.warm, name="compression", daemon=True).start()
        gc.collect()
        gc.freeze()
        try:
            yield
        finally:
            live.routes.clear()
            await hub.close()
            engine.close()
            close_app_state()


# Streamlit wants the routes before the server starts, when there is no engine yet: `lifespan` fills this router.
live = Router(redirect_slashes=False)
app = st.App(
    HERE / "pages" / "main.py",
    lifespan=lifespan,
    routes=[WebSocketRoute("/live", live), Route("/live/{path:path}", live)],
    middleware=[Middleware(StreamlitFiles)],
    on_script_error=explain,
)


def main() -> None:
    """Starts the server where HOST and PORT say; App.run does not read them itself."""
    options: dict[str, Any] = {"server.address": os.environ.get("HOST") or "127.0.0.1"}
    port = os.environ.get("PORT") or os.environ.get("STREAMLIT_SERVER_PORT")
    if port:
        options["server.port"] = int(port)
    app.run(config=options)


if __name__ == "__main__":
    main()
