"""Torchroom as one server: Streamlit's pages, the live route, and the engine, which this file starts and closes.

python app.py            HOST and PORT from the environment are honoured
streamlit run app.py     Streamlit's own options are
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
from streamlit import config
from streamlit.runtime.app_session import AppSession

from engine.backends.choose import chosen
from engine.datasets import cifar10
from engine.runs.engine import Engine
from pages.live.app_state import AppState, close_app_state, open_app_state
from pages.live.hub import ROUTES, Hub
from pages.ui.fault import explain

HERE = Path(__file__).resolve().parent
LOG = logging.getLogger("torchroom")


def spare_resumed_sessions() -> None:
    """Streamlit 1.67.0 scans all modules on the event loop for each session that comes back, even with the file
    watcher off. Does nothing where the watcher is wanted, or where a later version has lost the method."""
    if config.get_option("server.fileWatcherType") == "none" and hasattr(AppSession, "register_file_watchers"):
        AppSession.register_file_watchers = lambda self: None  # type: ignore[method-assign]


def runs_folder(scratch: Path) -> Path:
    """Where runs are kept: TORCHROOM_RUNS, else beside the downloads; a folder that goes with the server if need be."""
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
    """The engine lives as long as the server."""
    spare_resumed_sessions()
    with tempfile.TemporaryDirectory(prefix="torchroom-") as scratch:
        engine = Engine(chosen(os.environ), runs_folder(Path(scratch)))
        engine.start()
        hub = Hub(engine)
        hub.start()
        room = AppState(engine, hub)
        open_app_state(room)
        threading.Thread(target=room.assets.warm, name="compression", daemon=True).start()
        gc.collect()
        gc.freeze()
        try:
            yield
        finally:
            await hub.close()
            engine.close()
            close_app_state()


app = st.App(HERE / "pages" / "main.py", lifespan=lifespan, routes=ROUTES, on_script_error=explain)


def main() -> None:
    """Starts the server where HOST and PORT say; both are passed on, since App.run does not read them itself."""
    options: dict[str, Any] = {"server.address": os.environ.get("HOST") or "127.0.0.1"}
    port = os.environ.get("PORT") or os.environ.get("STREAMLIT_SERVER_PORT")
    if port:
        options["server.port"] = int(port)
    app.run(config=options)


if __name__ == "__main__":
    main()
