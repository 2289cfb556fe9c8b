"""Streamlit's traps, on the real server: python app.py in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from websockets.sync.client import connect

from engine.wire import unpack
from tests.bench.server import ROOT, Server
from tests.bench.sessions import Session
from tests.conftest import wait_until

PAGE = "gradient_descent"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server") / "log") as found:
        found.wait(60)
        yield found


def settings_of_the_server() -> dict[str, object]:
    import tomllib

    found: dict[str, object] = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))
    return found


def test_the_settings_that_make_it_fast_and_safe() -> None:
    from streamlit import config

    options = config.get_config_options(force_reparse=True)
    assert options["server.fileWatcherType"].value == "none"
    assert options["runner.postScriptGC"].value is False
    assert options["server.enableStaticServing"].value is False
    assert options["server.enableAgentApi"].value is False
    assert options["server.enableXsrfProtection"].value is True
    assert options["browser.gatherUsageStats"].value is False
    assert options["client.showErrorDetails"].value == "none"


def test_the_theme_speaks_the_colour_language_of_the_figures() -> None:
    from lessons.board import colors

    theme = settings_of_the_server()["theme"]
    assert isinstance(theme, dict)
    assert tuple(theme["chartCategoricalColors"]) == colors.CATEGORIES
    for mode in ("light", "dark"):
        assert theme[mode]["blueColor"] == colors.TRAIN
        assert theme[mode]["orangeColor"] == colors.VALIDATION


def test_a_session_trains_for_real(server: Server) -> None:
    async def story() -> None:
        session = Session(server.port, PAGE)
        await session.join()
        assert session.errors == []
        await session.set(f"{PAGE}.momentum", double_array_value=[0.5])
        await session.press(f"run.{PAGE}")
        assert session.errors == []
        assert "momentum=0.5" in session.query
        run = str(session.board["run"])
        assert run.startswith(f"{PAGE}-")
        with connect(f"ws://127.0.0.1:{server.port}/live?t={session.board['ticket']}", max_size=None) as live:
            live.send(json.dumps({"op": "watch", "run": run, "from": -1}))
            kinds = set()
            while "scalars" not in kinds:
                data = live.recv(30)
                assert isinstance(data, bytes)
                kinds.add(unpack(data)[0]["type"])
        await session.close()

    asyncio.run(story())


def test_an_address_from_before_the_last_change_is_no_link_that_was_followed(tmp_path: Path) -> None:
    """The rerun of a fragment, and of the whole page when the engine is ready, may be asked for before the browser has
    heard of the address that a change wrote. The back button's rerun is another."""
    before = "lr=0.2"

    async def story() -> list[str]:
        session = Session(server.port, PAGE, before)
        await session.join()
        await session.set(f"{PAGE}.momentum", double_array_value=[0.5])
        written = [session.query]
        session.query = before
        await session.rerun(session.widgets[f"{PAGE}.momentum"].fragment)
        written.append(session.query)
        assert session.timer  # which looks whether the engine is ready
        worker.resume()
        while session.timer:
            session.query = before
            await session.rerun(session.timer)
        written.append(session.query)
        session.query = before
        await session.rerun()
        written.append(session.query)
        assert session.errors == []
        await session.close()
        return written

    with Server(tmp_path / "log") as server:
        wait_until(lambda: bool(server.seen.children()), what="a worker")
        worker = server.seen.children()[0]
        worker.suspend()  # long before it is ready
        server.wait(60)
        change, fragment, page, back = (dict(parse_qsl(query)) for query in asyncio.run(story()))
    assert change == fragment == page == {"lr": "0.2", "momentum": "0.5"}
    assert back == {"lr": "0.2"}


@pytest.mark.slow
def test_a_hundred_sessions_that_were_cut_come_back_for_what_arriving_costs(server: Server) -> None:
    async def story() -> tuple[float, float, list[str]]:
        sessions = [Session(server.port, PAGE) for _ in range(100)]
        await sessions[0].join()  # what only the first one pays
        began = server.cpu_s()  # not the clock: other tests may share the machine
        await asyncio.gather(*(one.join() for one in sessions[1:]))
        arriving = server.cpu_s() - began
        names = [one.id for one in sessions]
        await asyncio.gather(*(one.cut() for one in sessions))
        await asyncio.sleep(0.5)
        began = server.cpu_s()
        await asyncio.gather(*(one.join() for one in sessions))
        back = server.cpu_s() - began
        assert [one.id for one in sessions] == names
        errors = [error for one in sessions for error in one.errors]
        await asyncio.gather(*(one.close() for one in sessions))
        return arriving, back, errors

    arriving, back, errors = asyncio.run(story())
    assert errors == []
    assert back < 2 * arriving  # as much, when all is well; ten times where each return scans all modules


@pytest.mark.slow
def test_it_shuts_down_within_a_second_with_streams_open_and_leaves_nothing(tmp_path: Path) -> None:
    import psutil

    async def ticket(port: int) -> str:
        session = Session(port, PAGE)
        await session.join()
        await session.press(f"run.{PAGE}")
        await session.close()
        return json.dumps([session.board["ticket"], session.board["run"]])

    with Server(tmp_path / "log") as server:
        server.wait(60)
        signed, run = json.loads(asyncio.run(ticket(server.port)))
        workers = server.seen.children(recursive=True)
        assert workers
        with contextlib.ExitStack() as stack:
            for _ in range(10):
                one = stack.enter_context(connect(f"ws://127.0.0.1:{server.port}/live?t={signed}", max_size=None))
                one.send(json.dumps({"op": "watch", "run": run, "from": -1}))
                one.recv(10)
            began = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(10)
            took = time.monotonic() - began
        wait_until(
            lambda: not any(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers)
        )
    assert took < 1.0, (tmp_path / "log").read_text()
    assert "Traceback" not in (tmp_path / "log").read_text()
