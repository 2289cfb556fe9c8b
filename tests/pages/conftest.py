"""A server without a worker: the engine replays recorded runs, so pages can be drawn and pressed without torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from engine.backends.fake import FakeBackend
from engine.runs.engine import Engine
from engine.types import Job
from lessons import catalog
from pages.live.app_state import AppState, close_app_state, open_app_state
from pages.live.hub import Hub

MAIN = str(catalog.FOLDER.parent / "pages" / "main.py")


def first(job: Job) -> Path:
    return catalog.lesson(job.lesson).folder / "demo.run"


@pytest.fixture
def app_state(tmp_path: Path) -> Iterator[AppState]:
    engine = Engine(FakeBackend(first, tick_s=0.002), tmp_path / "runs")
    engine.start()
    found = AppState(engine, Hub(engine))
    open_app_state(found)
    yield found
    close_app_state()
    engine.close()


def page(name: str = "", **query: str) -> AppTest:
    """A page as a browser gets it by a deep link, drawn once."""
    app = AppTest.from_file(MAIN, default_timeout=20)
    for key, value in query.items():
        app.query_params[key] = value
    if name:
        app.switch_page(f"{name}.py")
    return app.run()
