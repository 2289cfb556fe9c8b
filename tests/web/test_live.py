"""The live route: what viewers get, what they may say, and what happens when they do not keep up or do not behave."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from engine import wire
from engine.messages import RunScalars
from engine.params import parse
from engine.runs.engine import Run
from engine.runs.listeners import RunChanged
from engine.types import Problem, ScalarBlock, Values
from lessons import catalog
from pages.live.assets import Assets, stripped
from pages.live.channel import PERIOD, Channel
from pages.live.connection import LONGEST_MESSAGE
from pages.live.protocol import MALFORMED, pack_scalars
from pages.live.ring import LENGTH, Cursor
from pages.live.specs import KEPT_BYTES, Specs
from tests.conftest import wait_until
from tests.web.conftest import LESSON, Site, hear, steps_of, tell, until


def test_a_viewer_gets_every_step_once_and_in_order(site: Site) -> None:
    run = site.run()
    with site.socket() as socket:
        tell(socket, op="watch", run=run.id, **{"from": -1})
        header, _ = hear(socket)
        assert header["type"] == "run"
        assert header["params"] == run.params
        seen: list[int] = []
        frames = 0
        while True:
            header, arrays = hear(socket)
            if header["type"] == "scalars":
                seen += steps_of(header, arrays)
            frames += header["type"] == "frame"
            if header["type"] == "run" and header["status"] == "done" and seen[-1:] == [run.total]:
                break
        assert seen == list(range(run.total + 1))


def test_a_viewer_who_comes_back_names_the_last_step_it_has(site: Site) -> None:
    run = site.run()
    wait_until(lambda: run.status == "done")
    with site.socket() as socket:
        tell(socket, op="watch", run=run.id, **{"from": 50})
        header, arrays = until(socket, "scalars")
        assert steps_of(header, arrays) == list(range(51, run.total + 1))


def test_many_viewers_get_the_same_bytes(site: Site) -> None:
    run = site.run()
    last = []
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(site.socket(f"learner {n}")) for n in range(5)]
        for socket in sockets:
            tell(socket, op="watch", run=run.id, **{"from": -1})
        for socket in sockets:
            data, steps = b"", [0]
            while steps[-1] != run.total:
                data = bytes(socket.recv(10))  # type: ignore[arg-type]
                header, arrays = wire.unpack(data)
                steps = steps_of(header, arrays) if header["type"] == "scalars" else [0]
            last.append(data)
    assert len(set(last)) == 1


def test_a_recording_is_watched_like_a_run(site: Site) -> None:
    first = site.state.demo(LESSON)
    assert first is not None
    with site.socket() as socket:
        tell(socket, op="watch", run=first, **{"from": -1})
        header, _ = hear(socket)
        assert (header["status"], header["error"], header["place"]) == ("recorded", None, None)
        header, arrays = until(socket, "scalars")
        assert steps_of(header, arrays) == list(range(header["total"] + 1 if "total" in header else 201))


def test_at_most_twenty_blocks_a_second(site: Site) -> None:
    run = site.run()
    with site.socket() as socket:
        tell(socket, op="watch", run=run.id, **{"from": -1})
        times = []
        while True:
            header, arrays = until(socket, "scalars")
            times.append(time.monotonic())
            if steps_of(header, arrays)[-1] == run.total:
                break
        assert len(times) > 3
        assert len(times) <= 2 + (times[-1] - times[0]) / PERIOD


@pytest.mark.parametrize(("crowd", "period"), [(1, 0.05), (30, 0.05), (100, 1 / 12), (300, 0.2)])
def test_a_crowd_shares_what_is_sent_of_a_run(site: Site, crowd: int, period: float) -> None:
    first = site.state.demo(LESSON)
    assert first is not None
    watched = open_channel(site, site.state.engine.get(first))
    watched.viewers = {asyncio.Event() for _ in range(crowd)}
    assert watched.period == pytest.approx(period)


def open_channel(site: Site, run: Run) -> Channel:
    """A channel of a run that no socket watches, for looking at cursors and rings without a network."""
    hub = site.state.hub
    return Channel(run, site.loop, hub.describe, hub.frames.frame, hub.spawn)


def on_loop(site: Site, work: Any) -> Any:
    """Calls `work` on the server's event loop, where channels live."""
    import concurrent.futures

    done: concurrent.futures.Future[Any] = concurrent.futures.Future()

    def call() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    site.loop.call_soon_threadsafe(call)
    return done.result(10)


def block(run: str, first: int, last: int) -> tuple[list[ScalarBlock], bytes]:
    steps = np.arange(first, last + 1, dtype=np.int32)
    groups = [ScalarBlock(("loss",), steps, steps[:, None].astype(np.float64))]
    return groups, pack_scalars(run, groups)


def read(messages: list[bytes]) -> list[Any]:
    """Messages as ("scalars", steps) or (kind, step)."""
    out: list[Any] = []
    for data in messages:
        header, arrays = wire.unpack(data)
        out.append((header["type"], steps_of(header, arrays) if header["type"] == "scalars" else header.get("step")))
    return out


def test_a_slow_reader_misses_frames_but_no_scalars(site: Site) -> None:
    first = site.state.demo(LESSON)
    assert first is not None
    run = site.state.engine.get(first)
    last = run.record.last

    def story() -> tuple[list[Any], list[Any], list[Any]]:
        channel = open_channel(site, run)
        channel.step = -1
        channel._frame_due = False
        quick, slow = Cursor(0, -1), Cursor(0, -1)
        got: list[Any] = []
        for step in range(last + 1):
            channel.step = step
            channel.ring.add("scalars", step, block(run.id, step, step)[1])
            channel.ring.add("frame", step, wire.pack({"type": "frame", "run": run.id, "step": step}))
            got += read(channel.since(quick))
        late = read(channel.since(slow))
        return got, late, read(channel.since(slow))

    got, late, nothing = on_loop(site, story)
    assert [one for kind, steps in got if kind == "scalars" for one in steps] == list(range(last + 1))
    assert [step for kind, step in got if kind == "frame"] == list(range(last + 1))
    assert late == [("scalars", list(range(last + 1))), ("frame", last)]
    assert nothing == []


def test_how_long_a_run_is_is_said_when_its_first_scalars_come(site: Site) -> None:
    """Its state may have gone out before, when nobody knew; and not every lesson has pictures that bring news."""
    first = site.state.demo(LESSON)
    assert first is not None
    hub, run = site.state.hub, site.state.engine.get(first)
    total = run.total

    def story() -> list[int]:
        channel = hub.channels[first] = open_channel(site, run)
        try:
            run.record.total = 0
            hub._deliver(RunChanged(first), b"")
            channel.flush()
            run.record.total = total
            blocks, message = block(first, channel.step + 1, channel.step + 5)
            hub._deliver(RunScalars(first, total, 0.0, blocks), message)
            channel.flush()
        finally:
            run.record.total = total
            del hub.channels[first]
        return [wire.unpack(one.data)[0]["total"] for one in channel.ring if one.kind == "run" and one.data]

    assert on_loop(site, story) == [total]


def test_a_rewind_reaches_those_who_read_it_late(site: Site) -> None:
    first = site.state.demo(LESSON)
    assert first is not None
    run = site.state.engine.get(first)

    def story() -> list[Any]:
        channel = open_channel(site, run)
        channel.step = 100
        slow = Cursor(0, 100)
        channel._rewinds.append(60)
        channel.flush()
        assert channel.step == 60 or channel.step == run.record.last
        for step in range(channel.step + 1, channel.step + 1 + 2 * LENGTH):
            channel.ring.add("scalars", step, block(run.id, step, step)[1])
        return read(channel.since(slow))

    heard = on_loop(site, story)
    assert heard[0] == ("rewind", 60)
    assert heard[1][0] == "scalars"
    assert heard[1][1][0] == 61


def test_commands_act_on_the_run_of_their_only_viewer(site: Site) -> None:
    run = site.run()
    with site.socket() as socket:
        tell(socket, op="watch", run=run.id, **{"from": -1})
        until(socket, "run")
        tell(socket, op="tell", run=run.id, command="pause")
        until(socket, "run", status="paused")
        tell(socket, op="tell", run=run.id, command="set", changes={"momentum": 0.5})
        wait_until(lambda: run.live == {"momentum": 0.5})
        tell(socket, op="tell", run=run.id, command="set", changes={"momentum": 50})
        header, _ = until(socket, "refused")
        assert "momentum = 50" in header["error"]["en"]
        tell(socket, op="tell", run=run.id, command="stop")
        until(socket, "run", status="stopped")
        tell(socket, op="tell", run=run.id, command="pause")
        header, _ = until(socket, "refused")
        assert "has ended" in header["error"]["en"]


def test_a_command_to_a_shared_run_moves_its_sender_to_a_copy(site: Site) -> None:
    run = site.run()
    with site.socket("ada") as ada, site.socket("bob") as bob:
        for socket in (ada, bob):
            tell(socket, op="watch", run=run.id, **{"from": -1})
            until(socket, "run")
        tell(bob, op="tell", run=run.id, command="pause")
        header, _ = until(bob, "moved")
        assert header["from"] == run.id
        copy = header["run"]
        assert copy != run.id
        header, _ = until(bob, "run", run=copy)
        until(ada, "run", status="done")
        assert len(run.viewers) == 1


def begin(site: Site, run: str, number: int = 1, **changes: Any) -> Values:
    settings = {**catalog.params(LESSON)().model_dump(mode="json"), **changes}
    return {"op": "begin", "id": number, "run": run, "settings": settings}


def test_other_settings_begin_one_run_in_the_place_of_the_one_on_show(site: Site) -> None:
    run = site.run()
    with site.socket() as socket:
        tell(socket, op="watch", run=run.id, **{"from": -1})
        until(socket, "run")
        tell(socket, **begin(site, run.id, 5, momentum=0.5))
        header, _ = until(socket, "next")
        assert (header["id"], header["from"]) == (5, run.id)
        begun = header["run"]
        header, _ = until(socket, "run", run=begun)
        assert header["params"]["momentum"] == 0.5
        assert steps_of(*until(socket, "scalars", run=begun))[0] == 0
        # the page, which hears of it later, submits the same job: no second run
        settings = parse(catalog.params(LESSON), {"momentum": 0.5})
        assert site.state.engine.submit(catalog.job(LESSON, settings), "ada").id == begun
        assert len(site.state.engine.runs()) == 2
        # nobody looks at the first one any more: it rests at once
        wait_until(lambda: not run.viewers and run.status in ("paused", "done"))
        # the same settings again are the run that is there
        tell(socket, **begin(site, begun, 6, momentum=0.5))
        header, _ = until(socket, "next", id=6)
        assert (header["from"], header["run"]) == (begun, begun)
        assert len(site.state.engine.runs()) == 2


def test_settings_that_only_change_the_view_begin_no_other_run(site: Site) -> None:
    kind = catalog.params("attention")
    plain, looked = kind(), parse(kind, {"head": "1.3", "token": 2, "other": 1})
    assert catalog.job("attention", plain) == catalog.job("attention", looked)
    assert catalog.job("attention", parse(kind, {"text": "Cats run."})) != catalog.job("attention", plain)


def test_settings_that_are_wrong_begin_nothing_and_say_why(site: Site) -> None:
    run = site.run()
    with site.socket() as socket:
        tell(socket, **begin(site, run.id, 3))  # not on this page
        assert until(socket, "refused", id=3)[0]["error"]["en"] == MALFORMED.en
        tell(socket, op="watch", run=run.id, **{"from": -1})
        tell(socket, **begin(site, run.id, 4, momentum=50))
        with pytest.raises(Problem) as wrong:
            parse(catalog.params(LESSON), {"momentum": 50})
        header, _ = until(socket, "refused", id=4)
        assert header["error"] == {"en": wrong.value.en, "zh": wrong.value.zh}
        tell(socket, op="begin", id=5, run=run.id, settings={"no_such": 1})
        assert "no_such" in until(socket, "refused", id=5)[0]["error"]["en"]
        tell(socket, op="begin", run=run.id, settings={})
        assert until(socket, "refused", id=None)[0]["error"]["zh"] == MALFORMED.zh
        assert site.state.engine.runs() == [run]
        wait_until(lambda: run.status == "done")  # it was not disturbed


def test_the_page_takes_a_learners_boards_to_its_next_run(site: Site) -> None:
    run = site.run()
    hub = site.state.hub
    with site.socket() as ada, site.socket("bob") as bob:
        for socket in (ada, bob):
            tell(socket, op="watch", run=run.id, **{"from": -1})
            until(socket, "run")
        other = site.run(momentum=0.5)
        hub.switch_run("ada", run.id, other.id)
        header, _ = until(ada, "next")
        assert (header["from"], header["run"]) == (run.id, other.id)
        assert hear(ada)[0]["type"] == "run"
        assert steps_of(*until(ada, "scalars", run=other.id))[0] == 0
        assert list(other.viewers.values()) == ["ada"]
        # nobody else is taken along, and nobody anywhere from no run, or to the one on show
        hub.switch_run("ada", None, run.id)
        hub.switch_run("bob", run.id, run.id)
        hub.switch_run("cleo", run.id, other.id)
        tell(bob, op="ask", id=9, run=run.id, step=None, name="no such question", args={})
        while (header := hear(bob)[0])["type"] != "refused":
            assert header["type"] != "next"
        assert list(other.viewers.values()) == ["ada"]


def test_the_end_of_a_socket_is_how_the_engine_learns_that_nobody_watches(site: Site) -> None:
    run = site.run()
    with site.socket() as socket:
        tell(socket, op="watch", run=run.id, **{"from": -1})
        until(socket, "run")
        assert len(run.viewers) == 1
        tell(socket, op="leave", run=run.id)
        wait_until(lambda: not run.viewers)
        tell(socket, op="watch", run=run.id, **{"from": -1})
        wait_until(lambda: len(run.viewers) == 1)
    wait_until(lambda: not run.viewers)
    wait_until(lambda: not site.state.hub.channels)
    assert not site.state.hub.connections


@pytest.mark.parametrize(
    "message",
    [
        "",
        "nonsense",
        "[]",
        "17",
        "{}",
        '{"op":"dance","run":"x"}',
        '{"op":"watch"}',
        '{"op":"watch","run":17}',
        '{"op":"watch","run":"no-such-run","from":-1}',
        '{"op":"watch","run":"first-gradient_descent","from":"1"}',
        '{"op":"watch","run":"../../etc/passwd","from":-1}',
        '{"op":"tell","run":"first-gradient_descent","command":"explode"}',
        '{"op":"tell","run":"first-gradient_descent","command":"set","changes":[1]}',
        '{"op":"tell","run":"first-gradient_descent","command":"pause"}',
        '{"op":"ask","run":"first-gradient_descent","name":"x"}',
        '{"op":"ask","id":1,"run":"first-gradient_descent","name":"x","args":3}',
        '{"op":["watch"],"run":"first-gradient_descent"}',
        "{" * 5000,
        '{"op":"watch","run":"first-gradient_descent","from":1e999}',
    ],
)
def test_a_message_that_cannot_be_heeded_is_refused_and_the_socket_lives_on(site: Site, message: str) -> None:
    first = site.state.demo(LESSON)
    with site.socket() as socket:
        socket.send(message)
        header, _ = hear(socket)
        assert header["type"] == "refused"
        assert header["error"]["en"]
        assert header["error"]["zh"]
        tell(socket, op="watch", run=first, **{"from": -1})
        assert hear(socket)[0]["type"] == "run"


def test_a_question_that_the_lesson_does_not_know_is_refused_with_its_number(site: Site) -> None:
    run = site.run()
    with site.socket() as socket:
        tell(socket, op="ask", id=7, run=run.id, step=None, name="no such question", args={})
        header, _ = until(socket, "refused")
        assert header["id"] == 7


def test_a_flood_is_refused_and_then_cut(site: Site) -> None:
    with site.socket() as socket:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(2000):
                tell(socket, op="leave", run="x")
            while True:
                header, _ = hear(socket)
                assert header["type"] == "refused"
        assert socket.close_code == 1008


@pytest.mark.parametrize(("message", "code"), [("x" * (LONGEST_MESSAGE + 1), 1009), (b"bytes", 1003)])
def test_a_message_too_long_or_binary_ends_the_socket(site: Site, message: str | bytes, code: int) -> None:
    with site.socket() as socket:
        socket.send(message)
        with pytest.raises(ConnectionClosed):
            socket.recv(5)
        assert socket.close_code == code


@pytest.mark.parametrize("ticket", ["", "forged", "ImFkYSI.AAAA"])
def test_without_a_ticket_of_ours_there_is_no_socket(site: Site, ticket: str) -> None:
    with site.socket(ticket=ticket) as socket:
        with pytest.raises(ConnectionClosed):
            socket.recv(5)
        assert socket.close_code == 4403


def test_pages_of_other_sites_are_turned_away(site: Site) -> None:
    with pytest.raises(InvalidStatus) as refusal, site.socket(origin="https://elsewhere.example"):
        pass
    assert refusal.value.response.status_code == 403
    with site.socket(origin=f"http://127.0.0.1:{site.port}") as socket:
        tell(socket, op="watch", run=site.state.demo(LESSON), **{"from": -1})
        assert hear(socket)[0]["type"] == "run"


def test_a_ticket_is_the_same_for_the_whole_session(site: Site) -> None:
    assert site.state.ticket("ada") == site.state.ticket("ada") != site.state.ticket("bob")


def test_frames_are_fetched_by_plain_get(site: Site) -> None:
    first = site.state.demo(LESSON)
    status, headers, body = site.get(f"/live/frame/{first}/100")
    if not site.state.engine.get(str(first)).record.frames:
        assert status == 404
    else:
        header, _ = wire.unpack(body)
        assert header["type"] == "frame"
        assert header["step"] <= 100
        assert "immutable" in headers["cache-control"]
    assert site.get("/live/frame/nothing/3")[0] == 404
    assert site.get("/live/frame/nothing/x")[0] == 404


def test_specs_are_named_by_their_content_and_kept_for_good(site: Site) -> None:
    url = site.state.specs.put(b'{"lesson": 1}')
    assert site.state.specs.put(b'{"lesson": 1}') == url
    status, headers, body = site.get(url)
    assert (status, json.loads(body)) == (200, {"lesson": 1})
    assert "immutable" in headers["cache-control"]
    assert headers["content-type"] == "application/json"
    status, headers, body = site.get(url, **{"Accept-Encoding": "gzip"})
    assert headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(body)) == {"lesson": 1}
    assert site.get("/live/spec/0123.json")[0] == 404


def test_files_are_compressed_once_and_served_under_an_address_with_their_digest(site: Site) -> None:
    assets = site.state.assets
    plotly = assets.plotly.read_bytes()
    modules = {path.relative_to(assets.folder).as_posix(): path.read_text() for path in assets.folder.rglob("*.js")}
    assert {"index.js", "figures/plot.js"} <= modules.keys()
    files = {name: stripped(source).encode() for name, source in modules.items()}
    files["board.css"] = (assets.folder / "board.css").read_bytes()
    files["plotly.min.js"] = plotly
    for name, content in files.items():
        url = assets.url(name)
        status, headers, body = site.get(url, **{"Accept-Encoding": "gzip"})
        assert status == 200
        assert headers["content-encoding"] == "gzip"
        assert "immutable" in headers["cache-control"]
        assert gzip.decompress(body) == content
        assert site.get(url)[2] == content
    assert plotly.lstrip().startswith(b"/**")
    assert "@param" in modules["board.js"]
    assert b"@param" not in files["board.js"]
    start = site.get(assets.url("start.js"))[2].decode()
    assert set(json.loads(start[start.index("[") : start.index("]") + 1])) == modules.keys()
    began = time.process_time()  # the server's threads are this process's
    gzip.compress(plotly, 9)
    once = time.process_time() - began
    began = time.process_time()
    for _ in range(20):
        site.get(assets.url("plotly.min.js"), **{"Accept-Encoding": "gzip"})
    assert time.process_time() - began < 2 * once
    assert site.get("/live/assets/plotly.min.js")[0] == 404
    assert site.get("/live/assets/..%2f..%2fapp.py")[0] == 404
    assert site.get(assets.url("..%2f..%2fapp.py"))[0] == 404


def test_an_edited_module_changes_the_address_of_all_files_and_the_old_ones_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pages.live.assets.LOOK_S", 0.0)
    (tmp_path / "figures").mkdir()
    (tmp_path / "index.js").write_text('import "./figures/plot.js";')
    (tmp_path / "figures" / "plot.js").write_text("1;")
    (tmp_path / "types.d.ts").write_text("export {};")
    assets = Assets(tmp_path)
    first = assets.version()
    assert assets.version() == first
    start = assets.get(first, "start.js")
    assert start is not None
    assert b'["figures/plot.js", "index.js"]' in gzip.decompress(start.packed)
    assert assets.get(first, "types.d.ts") is None
    (tmp_path / "figures" / "plot.js").write_text("22;")
    second = assets.version()
    assert second != first
    (tmp_path / "figures" / "map.js").write_text("3;")
    third = assets.version()
    assert third not in (first, second)
    (tmp_path / "figures" / "map.js").unlink()
    assert assets.version() == second
    old, new, missing = (
        assets.get(first, "figures/plot.js"),
        assets.get(second, "figures/plot.js"),
        assets.get(second, "figures/map.js"),
    )
    assert old is not None
    assert new is not None
    assert (gzip.decompress(old.packed), gzip.decompress(new.packed), missing) == (b"1;", b"22;", None)


def test_the_specs_that_are_kept_are_bounded() -> None:
    specs = Specs()
    urls = [specs.put(np.random.default_rng(n).bytes(1 << 20)) for n in range(20)]
    assert not specs.has(urls[0])
    assert specs.has(urls[-1])
    assert specs.size <= KEPT_BYTES
