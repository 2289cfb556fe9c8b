"""Runs outlive their server: kept on disk, found again, cut off cleanly, bounded, and safe from a second server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.backends.inline import InlineBackend
from engine.limits import Limits
from engine.records import record as records
from engine.records.record import Record
from engine.runs.engine import Engine, Run
from engine.runs.library import MAX_BYTES, RunLibrary
from engine.types import Job, Problem, ScalarBlock
from engine.wire import pack
from tests.conftest import wait_until
from tests.engine.test_engine import finished, job


@contextmanager
def serving(folder: Path, limits: Limits | None = None, max_bytes: int = MAX_BYTES) -> Iterator[Engine]:
    engine = Engine(InlineBackend(), folder, limits=limits, max_bytes=max_bytes)
    engine.start()
    try:
        yield engine
    finally:
        engine.close()


def whole(folder: Path, seed: int, steps: int) -> Run:
    with serving(folder) as engine:
        return finished(engine.submit(job(seed, steps=steps), "ann"))


def test_a_finished_run_is_there_after_a_restart_and_can_be_scrubbed_forked_and_asked(tmp_path: Path) -> None:
    before = whole(tmp_path, 1, 120)
    with serving(tmp_path) as engine:
        run = engine.get(before.id)
        assert (run.status, run.error, run.step, run.total) == ("done", None, 120, 120)
        assert run.record.history() == before.record.history()
        assert (run.record.frames, run.record.checkpoints) == (before.record.frames, before.record.checkpoints)
        tick = run.record.frame(64)
        assert tick is not None
        assert tick.arrays["picture"].tolist() == [[tick.step] * 3] * 2
        fork = finished(engine.fork(run.id, 32, job(1, steps=120), "bob"))
        assert fork.record.history() == before.record.history()
        assert fork.origin == (run.id, 32)
        step, arrays = engine.ask(run.id, 16, "double", {}).result(10)
        assert (step, arrays["twice"][0]) == (16, 2 * run.record.scalars(16)["value"])
    with serving(tmp_path) as engine:
        assert engine.get(fork.id).origin == (run.id, 32)


def test_what_a_run_was_told_and_why_it_failed_is_kept(tmp_path: Path) -> None:
    with serving(tmp_path) as engine:
        failed = finished(engine.submit(job(1, fail="problem"), "ann"))
        told = engine.submit(job(2, steps=100_000, pace=300), "ann")
        wait_until(lambda: told.step > 3)
        engine.tell(told.id, "ann", "set", {"rate": 4.0})
        wait_until(lambda: told.live == {"rate": 4.0})
        engine.tell(told.id, "ann", "stop")
        finished(told)
    with serving(tmp_path) as engine:
        again = engine.get(failed.id)
        assert (again.status, str(again.error)) == ("failed", "It went wrong. Do this.")
        assert engine.get(told.id).params["rate"] == 4.0


def test_a_run_that_went_on_when_its_server_was_killed_is_there_and_goes_on_from_its_last_checkpoint(
    tmp_path: Path,
) -> None:
    program = (
        "import sys; from pathlib import Path; from engine.runs.engine import Engine\n"
        "from engine.backends.inline import InlineBackend; from engine.types import Job; import time\n"
        f"engine = Engine(InlineBackend(), Path({str(tmp_path)!r})); engine.start()\n"
        "run = engine.submit(Job('tests.engine.counting.compute:run', {'steps': 400, 'pace': 300}, 3), 'ann')\n"
        "while run.step < 200: time.sleep(0.01)\n"
        "print(run.id, flush=True); time.sleep(100)"
    )
    server = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert server.stdout
    with server.stdout:
        name = server.stdout.readline().strip()
        with serving(tmp_path) as engine, pytest.raises(Problem, match="another Torchroom server"):
            engine.get(name)  # two servers on one folder: it belongs to the other
        server.kill()
        server.wait()
    with serving(tmp_path) as engine:
        run = engine.get(name)
        assert run.status == "paused"
        assert run.step >= 200
        assert run.note is not None
        assert f"up to step {run.step}" in run.note.en
        assert f"from step {run.record.checkpoints[-1]}" in run.note.en
        assert engine.tell(run.id, "bob", "resume") == run.id
        assert finished(run).status == "done"
        assert [step for step, _ in run.record.history()] == list(range(401))
        same = finished(engine.submit(Job(run.job.entry, {"steps": 400}, 3), "bob"))
        assert run.record.history() == same.record.history()
    with serving(tmp_path) as engine:
        assert engine.get(name).record.history() == same.record.history()


def test_a_forks_settings_go_before_what_was_changed_on_the_way(tmp_path: Path) -> None:
    with serving(tmp_path) as engine:
        run = engine.submit(job(7, steps=100_000, pace=300, rate=1.0), "ann")
        for rate in (5.0, 3.0):
            at = run.step
            wait_until(lambda at=at: run.step > at + 30)  # type: ignore[misc]
            engine.tell(run.id, "ann", "set", {"rate": rate})
            wait_until(lambda rate=rate: run.live == {"rate": rate})  # type: ignore[misc]
        wait_until(lambda: len(run.record.changes) == 2)
        engine.tell(run.id, "ann", "pause")
        wait_until(lambda: run.status == "paused")
        first, second = (step for step, _ in run.record.changes)
        between = next(step for step in run.record.checkpoints if step > first)
        engine.tell(run.id, "ann", "stop")
        finished(run)
        found = run.record.checkpoint(between)
        assert found is not None
        for rate in (1.0, 3.0, 5.0):
            fork = engine.fork(run.id, between, job(7, steps=between + 20, rate=rate), "ann")
            assert finished(fork).params["rate"] == rate
            plain = engine.fork(run.id, 0, job(7, steps=between + 20, rate=rate), "ann")
            values = [fork.record.scalars(step)["value"] for step in range(between, between + 21)]
            steady = [finished(plain).record.scalars(step)["value"] for step in range(between, between + 21)]
            np.testing.assert_allclose(np.diff(values), np.diff(steady), rtol=1e-9)
        names = [one.id for one in engine.runs()]
    with serving(tmp_path) as engine:
        assert [engine.get(name).params["rate"] for name in names] == [3.0, 1.0, 1.0, 3.0, 3.0, 5.0, 5.0]
    assert second > first


@pytest.mark.parametrize("command", ["stop", "step", "set"])
def test_a_run_that_was_cut_off_obeys_like_a_paused_one(tmp_path: Path, command: str) -> None:
    with serving(tmp_path) as engine:
        before = engine.submit(job(4, steps=100_000, pace=300), "ann")
        wait_until(lambda: before.step > 20)
    with serving(tmp_path) as engine:
        run = engine.get(before.id)
        last = run.record.checkpoints[-1]
        engine.tell(run.id, "bob", command, {"rate": 3.0} if command == "set" else {})
        if command == "stop":
            assert run.status == "stopped"
            return
        if command == "step":
            wait_until(lambda: run.step == last + 1)
        else:
            wait_until(lambda: run.live == {"rate": 3.0})
        assert run.status == "paused"
        engine.tell(run.id, "bob", "resume")
        wait_until(lambda: run.step > last + 5)


def test_a_run_that_never_began_leaves_nothing(tmp_path: Path) -> None:
    with serving(tmp_path, Limits(active=1)) as engine:
        first = engine.submit(job(1, steps=100_000, pace=50), "ann")
        waiting = engine.submit(job(2, steps=100_000, pace=50), "ann")
        wait_until(lambda: first.step >= 0)
    assert [path.stem for path in tmp_path.iterdir()] == [first.id]
    with serving(tmp_path) as engine, pytest.raises(Problem, match="not here any more"):
        engine.get(waiting.id)


@pytest.mark.parametrize("name", ["../secret", "a/b", "", ".", "x" * 300, "a\0b", "first-*"])
def test_a_name_that_is_no_run_is_not_looked_for_on_disk(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.run").write_bytes(b"")
    with serving(tmp_path / "runs") as engine, pytest.raises(Problem, match="not here any more"):
        engine.get(name)


def scalars(step: int) -> list[ScalarBlock]:
    return [ScalarBlock(("loss",), np.array([step], np.int32), np.array([[step * 0.5]]))]


def message(step: int, size: int) -> bytes:
    noise = np.random.default_rng(step).integers(0, 256, size).astype(np.uint8)
    return pack({"step": step, "scalars": {}, "wanted": ""}, {"a": noise})


@given(st.integers(0, 10_000))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
def test_a_file_torn_anywhere_is_read_up_to_its_last_whole_part_and_can_go_on(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "torn.run"
    path.unlink(missing_ok=True)
    record = Record.create(path, Job("lessons.x.compute:run"))
    begins = os.path.getsize(path)
    for step in range(20):
        record.add_scalars(scalars(step), 20)
        record.add_checkpoint(message(step, 50))
    record.close()
    content = path.read_bytes()
    path.write_bytes(content[: begins + cut % (len(content) - begins)])
    torn = Record.open(path)
    assert torn.history() == [(step, {"loss": step * 0.5}) for step in range(torn.last + 1)]
    assert torn.checkpoints == list(range(torn.last + 1)) or torn.checkpoints == list(range(torn.last))
    last = torn.last
    torn.add_scalars(scalars(last + 1), 20)
    torn.end("stopped")
    torn.close()
    again = Record.open(path)
    assert (again.status, again.last) == ("stopped", last + 1)
    again.close()


def test_a_file_stays_within_its_bounds_however_much_goes_through_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "CHECKPOINT_BYTES", 100_000)
    monkeypatch.setattr(records, "FRAME_BYTES", 50_000)
    monkeypatch.setattr(records, "WASTE_BYTES", 50_000)
    record = Record.create(tmp_path / "a.run", Job("lessons.x.compute:run"))
    largest = 0
    for step in range(2000):
        record.add_scalars(scalars(step), 2000)
        record.add_frame(message(step, 500))
        record.add_checkpoint(message(step, 2000))
        largest = max(largest, os.path.getsize(record.path))
    assert largest < 2 * (100_000 + 50_000) + 2000 * 200
    before = (record.history(), record.frames, record.checkpoints)
    assert max(np.diff(record.checkpoints)) <= 200
    found = record.checkpoint(1000)
    assert found is not None
    np.testing.assert_array_equal(
        found[1]["a"], np.random.default_rng(found[0]).integers(0, 256, 2000).astype(np.uint8)
    )
    record.end("done")
    record.close()
    again = Record.open(tmp_path / "a.run")
    assert (again.history(), again.frames, again.checkpoints) == before
    again.close()
    assert [path.name for path in tmp_path.iterdir()] == ["a.run"]


def test_a_run_that_has_recorded_all_it_may_is_stopped_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "SCALAR_BYTES", 20_000)
    with serving(tmp_path) as engine:
        run = finished(engine.submit(job(1, steps=1_000_000), "ann"))
        assert run.status == "stopped"
        assert run.note is not None
        assert "recorded as much as one run may" in run.note.en


def test_the_shelf_clears_the_oldest_first_and_nothing_that_is_open(tmp_path: Path) -> None:
    shelf = RunLibrary(tmp_path, 5000)
    for n in range(6):
        record = Record.create(shelf.path(f"run-{n}"), Job("lessons.x.compute:run"))
        record.add_scalars(scalars(0), 1)
        record.add_checkpoint(message(0, 1000))
        record.end("done")
        record.close()
        os.utime(record.path, (n, n))
    held = shelf.open("run-0")  # in use, and so the newest
    os.utime(held.path, (0, 0))
    (tmp_path / "left.new").write_bytes(b"half made by a server that was killed")
    os.utime(tmp_path / "left.new", (0, 0))
    shelf.temp_path("coming").write_bytes(b"being checked")
    writing = Record.create(shelf.path("run-6"), Job("lessons.x.compute:run"))
    assert RunLibrary(tmp_path, 5000).prune() == ["left", "run-1", "run-2", "run-3"]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 5000
    held.close()
    writing.close()
    assert RunLibrary(tmp_path, 0).prune(lambda run: run == "run-4") == ["run-0", "run-5", "run-6"]
    assert shelf.has("run-4")
    assert shelf.temp_path("coming").is_file()


def test_two_servers_on_one_folder_do_not_harm_each_other(tmp_path: Path) -> None:
    with serving(tmp_path) as one:
        done = finished(one.submit(job(1, steps=50), "ann"))
        going = one.submit(job(2, steps=100_000, pace=200), "ann")
        wait_until(lambda: going.step > 5)
        with serving(tmp_path, max_bytes=0) as other:  # room for nothing: it would clear all that it may
            assert other.get(done.id).record.history() == done.record.history()
            with pytest.raises(Problem, match="another Torchroom server"):
                other.get(going.id)
            other.library.prune()
            mine = finished(other.submit(job(3, steps=50), "bob"))
        at = going.step
        wait_until(lambda: going.step > at + 5)
        assert one.get(mine.id).record.history() == mine.record.history()
        finished(one.fork(done.id, 8, job(1, steps=50), "ann"))


def test_runs_that_are_let_go_are_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.runs.registry.MAX_ENDED_RUNS", 2)
    with serving(tmp_path) as engine:
        runs = [finished(engine.submit(job(n, steps=20), "ann")) for n in range(5)]
        engine.watch(runs[1].id, "socket", "ann")
        wait_until(lambda: len(engine.runs()) == 2)
        assert runs[1] in engine.runs()
        histories = [engine.get(run.id).record.history() for run in runs]
    assert len({str(history) for history in histories}) == 5
