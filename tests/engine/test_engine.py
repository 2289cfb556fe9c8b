"""What the engine promises, with every backend that computes: worker processes, Ray, and the same loop in a thread."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import psutil
import pytest

from engine.backends.base import Backend
from engine.backends.inline import InlineBackend
from engine.backends.process import ProcessBackend
from engine.backends.ray import RayBackend, Request
from engine.limits import Limits
from engine.runs.engine import Engine, Run
from engine.runs.listeners import RunRewound
from engine.types import Job, Problem
from tests.conftest import need_ray, wait_until

ENTRY = "tests.engine.counting.compute:run"


def job(seed: int = 0, **params: Any) -> Job:
    return Job(ENTRY, params, seed)


def made(kind: str, folder: Path) -> Engine:
    backend: Backend = InlineBackend() if kind == "inline" else ProcessBackend("cpu", threads=1)
    engine = Engine(backend, folder)
    engine.start()
    return engine


@pytest.fixture(scope="module")
def on_ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine on a Ray of its own, which all tests here share: it takes a while to start."""
    need_ray()
    engine = Engine(RayBackend(Request(cpus=1, step_limit_s=2.0)), tmp_path_factory.mktemp("ray") / "runs")
    engine.start()
    wait_until(lambda: engine.devices()[0]["state"] == "ready", 120, "the worker on Ray")
    yield engine
    ours = psutil.Process(cast("RayBackend", engine.backend).bridge.process.pid)
    family = [ours, *ours.children(recursive=True)]
    engine.close()
    assert len(family) > 5
    assert psutil.wait_procs(family, 5)[1] == []  # closing leaves nothing of it behind


@pytest.fixture(scope="module", params=["inline", "process", "ray"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    if request.param == "ray":
        yield request.getfixturevalue("on_ray")
        return
    engine = made(request.param, tmp_path_factory.mktemp("runs") / "runs")
    yield engine
    engine.close()


@pytest.fixture(params=["process", "ray"])
def workers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An engine for tests that kill its worker process; a single step may take two seconds."""
    if request.param == "ray":
        yield request.getfixturevalue("on_ray")
        return
    engine = Engine(ProcessBackend("cpu", threads=1, step_limit_s=2.0), tmp_path / "runs")
    engine.start()
    yield engine
    engine.close()


def finished(run: Run) -> Run:
    wait_until(lambda: run.ended, what=f"the end of {run.id}, now {run.status} at {run.step}")
    return run


def steps_of(run: Run) -> list[int]:
    return [step for step, _ in run.record.history()]


def test_a_run_goes_from_step_0_to_its_end_and_every_scalar_is_kept(engine: Engine) -> None:
    run = finished(engine.submit(job(steps=300), "ann"))
    assert run.status == "done"
    assert run.error is None
    assert steps_of(run) == list(range(301))
    assert run.record.scalars(20).keys() == {"value", "tenth"}
    assert run.record.frames[-1] == run.record.checkpoints[-1] == run.total == 300
    assert run.record.checkpoints[:8] == [0, 1, 2, 4, 8, 16, 32, 64]


def test_of_a_run_of_whole_steps_every_picture_is_kept_however_fast_it_goes(engine: Engine) -> None:
    plain, whole = (finished(engine.submit(job(steps=250, label=label), "ann")) for label in ("plain", "whole"))
    assert whole.record.frames == list(range(251))
    assert len(plain.record.frames) < 100
    kept = whole.record.checkpoints
    assert max(after - before for before, after in pairwise(kept)) <= 16
    tick = whole.record.frame(101)
    assert tick is not None
    assert (tick.step, int(tick.arrays["picture"][0, 0])) == (101, 101)


def test_the_same_seed_gives_the_same_run_whoever_runs_beside_it(engine: Engine) -> None:
    alone = finished(engine.submit(job(5, steps=200), "ann", again=True)).record.history()
    beside = [engine.submit(job(seed, steps=5000), f"other {seed}") for seed in (6, 7)]
    again = finished(engine.submit(job(5, steps=200), "ann", again=True)).record.history()
    for run in beside:
        finished(run)
    assert again == alone
    assert finished(engine.submit(job(8, steps=200), "ann")).record.history() != alone


def test_pause_step_resume_stop(engine: Engine) -> None:
    run = engine.submit(job(11, steps=100_000, pace=200), "ann")
    wait_until(lambda: run.step > 3, what="a few steps")
    engine.tell(run.id, "ann", "pause")
    wait_until(lambda: run.status == "paused", what="the pause")
    at = run.step
    assert at in run.record.frames
    assert at in run.record.checkpoints
    finished(engine.submit(job(111, steps=50), "bob"))  # another run had its turns meanwhile
    assert run.step == at
    engine.tell(run.id, "ann", "step")
    wait_until(lambda: run.step == at + 1, what="one step")
    finished(engine.submit(job(112, steps=50), "bob"))
    assert run.step == at + 1
    engine.tell(run.id, "ann", "resume")
    wait_until(lambda: run.step > at + 5, what="going on")
    engine.tell(run.id, "ann", "stop")
    assert finished(run).status == "stopped"
    assert steps_of(run) == list(range(run.step + 1))
    with pytest.raises(Problem, match="ended"):
        engine.tell(run.id, "ann", "resume")


def test_a_live_setting_changes_the_run_from_the_next_step_and_is_recorded(engine: Engine) -> None:
    run = engine.submit(job(12, steps=100_000, pace=200, rate=0.0), "ann")
    wait_until(lambda: run.step > 3, what="a few steps")
    engine.tell(run.id, "ann", "set", {"rate": 10.0})
    wait_until(lambda: run.live == {"rate": 10.0}, what="the change")
    at = run.record.changes[0][0]
    wait_until(lambda: run.step > at + 30, what="steps after the change")
    engine.tell(run.id, "ann", "stop")
    values = [finished(run).record.scalars(step)["value"] for step in range(run.step + 1)]
    assert max(np.diff(values[: at + 1]), default=0) <= 1.0  # one number below 1 a step until then
    assert max(np.diff(values[at:])) > 1.0
    assert run.params["rate"] == 10.0


def test_settings_that_are_wrong_or_not_live_are_refused_in_words_and_the_run_goes_on(engine: Engine) -> None:
    run = engine.submit(job(13, steps=100_000, pace=200), "ann")
    for values, words in (({"rate": 99.0}, "0 to 10"), ({"steps": 5}, "cannot change while")):
        engine.tell(run.id, "ann", "set", values)
        wait_until(lambda words=words: run.note and words in run.note.en, what=words)  # type: ignore[misc]
    at = run.step
    wait_until(lambda: run.step > at, what="going on")
    engine.tell(run.id, "ann", "stop")
    assert finished(run).live == {}


def test_pace_holds_a_run_back_and_is_itself_live(engine: Engine) -> None:
    run = engine.submit(job(14, steps=100_000, pace=40), "ann")
    wait_until(lambda: run.step >= 1, what="the start")
    first, began = run.step, time.monotonic()
    wait_until(lambda: run.step >= first + 40, what="40 steps")
    rate = (run.step - first) / (time.monotonic() - began)
    assert 20 < rate < 60
    engine.tell(run.id, "ann", "set", {"pace": 1000.0})
    wait_until(lambda: run.step > first + 300, what="the new pace")
    engine.tell(run.id, "ann", "stop")
    finished(run)


@pytest.mark.parametrize(
    ("fail", "words"), [("problem", "It went wrong. Do this."), ("raise", "KeyError"), ("memory", "smaller batch")]
)
def test_a_lesson_that_raises_fails_its_own_run_only(engine: Engine, fail: str, words: str) -> None:
    other = engine.submit(job(15, steps=100_000, pace=100), "bob")
    run = finished(engine.submit(job(16, fail=fail), "ann", again=True))
    assert run.status == "failed"
    assert run.error is not None
    assert words in run.error.en
    assert run.error.zh
    assert steps_of(run) == list(range(10))
    at = other.step
    wait_until(lambda: other.step > at, what="the other run going on")
    engine.tell(other.id, "bob", "stop")
    finished(other)


def test_settings_are_checked_again_in_the_worker(engine: Engine) -> None:
    run = finished(engine.submit(job(rate=77.0), "ann"))
    assert run.status == "failed"
    assert run.error is not None
    assert "0 to 10" in run.error.en


def test_identical_jobs_are_one_run_and_a_done_one_is_replayed(engine: Engine) -> None:
    first = engine.submit(job(17, steps=100_000, pace=100), "ann")
    assert engine.submit(job(17, steps=100_000, pace=100), "bob") is first
    assert engine.submit(job(18, steps=100_000, pace=100), "bob") is not first
    for run in engine.runs():
        if not run.ended:
            engine.tell(run.id, run.learner, "stop")
            finished(run)
    done = finished(engine.submit(job(19), "ann"))
    assert engine.submit(job(19), "bob") is done
    assert engine.submit(job(19), "bob", again=True) is not done


def test_who_shares_a_run_gets_a_private_copy_that_is_the_same_up_to_then(engine: Engine) -> None:
    run = engine.submit(job(20, steps=100_000, pace=200), "ann")
    engine.watch(run.id, "socket a", "ann")
    engine.watch(run.id, "socket b", "bob")
    wait_until(lambda: run.step > 20, what="a few steps")
    copy = engine.get(engine.tell(run.id, "bob", "pause"))
    assert copy is not run
    wait_until(lambda: copy.status == "paused" and copy.step > 0, what="the copy to be paused")
    at = copy.step
    wait_until(lambda: run.step > at + 20, what="the shared run going on")
    assert copy.step == at
    assert copy.record.history() == run.record.history()[: at + 1]
    assert copy.origin == (run.id, at)
    engine.tell(copy.id, "bob", "resume")
    wait_until(lambda: copy.step > at + 20, what="the copy going on")
    assert copy.record.history()[: at + 20] == run.record.history()[: at + 20]  # same settings: the same numbers
    changed = engine.get(engine.tell(run.id, "bob", "set", {"rate": 5.0}))
    wait_until(lambda: changed.live == {"rate": 5.0}, what="the change in a second copy")
    left = engine.get(engine.tell(run.id, "bob", "stop"))
    assert left.status == "stopped"
    assert run.status == "running"
    engine.leave(run.id, "socket b")
    assert engine.tell(run.id, "ann", "stop") == run.id
    for one in (run, copy, changed):
        if not one.ended:
            engine.tell(one.id, one.learner, "stop")
        finished(one)


def test_a_fork_with_equal_settings_goes_on_bit_identically(engine: Engine) -> None:
    run = finished(engine.submit(job(21, steps=60), "ann"))
    for step in (0, 4, 33):
        fork = finished(engine.fork(run.id, step, job(21, steps=60), "ann"))
        assert fork.status == "done"
        assert fork.record.history() == run.record.history()
    other = finished(engine.fork(run.id, 8, job(21, steps=60, rate=3.0), "ann"))
    assert other.record.history()[:9] == run.record.history()[:9]
    assert other.record.history()[9:] != run.record.history()[9:]


def test_questions_are_answered_for_a_live_a_finished_and_a_past_moment(engine: Engine) -> None:
    run = engine.submit(job(22, steps=100_000, pace=100), "ann")
    wait_until(lambda: run.step > 5, what="a few steps")
    step, arrays = engine.ask(run.id, None, "double", {}).result(10)
    assert step is not None
    at = step
    wait_until(lambda: run.step >= at, what="the answered step")
    assert arrays["twice"][0] == 2 * run.record.scalars(step)["value"]
    engine.tell(run.id, "ann", "stop")
    finished(run)
    for asked, answered in ((None, run.step), (4, 4), (3, 2)):
        step, arrays = engine.ask(run.id, asked, "double", {}).result(10)
        assert step == answered
        assert arrays["twice"][0] == 2 * run.record.scalars(answered)["value"]
    with pytest.raises(Problem, match="nothing"):
        engine.ask(run.id, None, "nothing", {}).result(10)
    with pytest.raises(Problem, match="not here"):
        engine.ask("no-such-run", None, "double", {}).result(10)


def test_learners_get_equal_shares_however_many_runs_they_have(engine: Engine) -> None:
    many = [engine.submit(job(30 + n, steps=1_000_000, cost_s=0.002), "many") for n in range(4)]
    one = engine.submit(job(40, steps=1_000_000, cost_s=0.002), "one")
    wait_until(lambda: all(run.step > 0 for run in [*many, one]), what="all going")
    start = [run.step for run in [*many, one]]

    def fair() -> bool:
        *others, own = [run.step - at for run, at in zip([*many, one], start, strict=True)]
        enough = own + sum(others) > 400
        return enough and 0.7 < own / sum(others) < 1.4 and max(others) < 1.7 * min(others)

    wait_until(fair, what="equal shares")  # by time: one step that the machine held up is made good by and by
    for run in [*many, one]:
        engine.tell(run.id, run.learner, "stop")
        finished(run)


def test_the_queue_has_places_and_a_limit_a_learner_can_act_on(tmp_path: Path) -> None:
    engine = Engine(InlineBackend(), tmp_path / "runs", limits=Limits(active=1, runs=2))
    engine.start()
    first, second = (engine.submit(job(n, steps=1_000_000, pace=50), "ann") for n in (1, 2))
    third = engine.submit(job(3, steps=1_000_000, pace=50), "bob")
    engine.watch(first.id, "socket 1", "ann")
    engine.watch(second.id, "socket 2", "ann")
    assert [engine.place(run) for run in (first, second, third)] == [None, 1, 2]
    with pytest.raises(Problem, match="2 at once"):
        engine.submit(job(4, steps=1_000_000), "ann")
    wait_until(lambda: first.step > 0, what="the first")
    engine.tell(first.id, "ann", "stop")
    wait_until(lambda: third.step > 0 or second.step > 0, what="the next")
    engine.close()


@pytest.mark.parametrize("limits", [Limits(steps=300), Limits(seconds=1)])
def test_a_day_of_one_learner_ends_in_words_and_leaves_the_others_theirs(tmp_path: Path, limits: Limits) -> None:
    engine = Engine(InlineBackend(), tmp_path / "runs", limits=limits)
    engine.start()
    run = finished(engine.submit(job(5, steps=1_000_000, cost_s=0.002), "ann"))
    assert run.status == "stopped"
    assert run.note is not None
    for said in (run.note.en, run.note.zh):
        assert str(limits.steps if limits.steps == 300 else limits.seconds) in said
    with pytest.raises(Problem, match="limit here"):
        engine.submit(job(6), "ann")
    assert finished(engine.submit(job(7, steps=20), "bob")).status == "done"
    engine.close()


def test_a_queue_that_is_full_says_so(tmp_path: Path) -> None:
    engine = Engine(InlineBackend(), tmp_path / "runs", limits=Limits(active=1, waiting=1))
    engine.start()
    for n in range(2):
        engine.submit(job(n, steps=1_000_000, pace=50), f"learner {n}")
    with pytest.raises(Problem, match="1 runs are waiting"):
        engine.submit(job(9), "ann")
    engine.close()


def test_a_run_that_holds_too_much_memory_fails_alone_and_names_the_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHROOM_LIMITS", "memory=200")
    engine = made("process", tmp_path / "runs")
    small = engine.submit(job(1, steps=1_000_000, pace=50, grows=0), "bob")
    large = finished(engine.submit(job(2, steps=1_000, cost_s=0.001, grows=10), "ann"))
    assert large.status == "failed"
    assert large.error is not None
    assert "one run may hold 200 MB" in large.error.en
    assert 15 <= large.step <= 60
    at = small.step
    wait_until(lambda: small.step > at, what="the other run")
    assert not small.ended
    engine.close()


def test_a_run_nobody_watches_pauses_and_wakes_when_someone_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.runs.audience.UNWATCHED_PAUSE_S", 0.3)
    engine = made("inline", tmp_path / "runs")
    run = engine.submit(job(1, steps=1_000_000, pace=50), "ann")
    wait_until(lambda: run.status == "paused", what="the pause")
    assert run.note is not None
    assert "nobody" in run.note.en
    engine.watch(run.id, "socket", "ann")
    at = run.step
    wait_until(lambda: run.step > at, what="waking up")
    monkeypatch.setattr("engine.runs.audience.UNWATCHED_STOP_S", 0.3)
    engine.leave(run.id, "socket")
    wait_until(lambda: run.status == "stopped", what="the stop")
    engine.close()


def test_a_run_left_for_a_newer_one_of_its_learner_rests_at_once(engine: Engine) -> None:
    older, others = (
        engine.submit(job(seed, steps=1_000_000, pace=50), who) for seed, who in ((61, "ann"), (62, "bob"))
    )
    for run, who in ((older, "ann"), (others, "bob")):
        engine.watch(run.id, f"socket of {who}", who)
        engine.watch(run.id, f"second socket of {who}", who)
    wait_until(lambda: older.step > 0 and others.step > 0, what="the start")
    newer = engine.submit(job(63, steps=1_000_000, pace=50), "ann")
    engine.watch(newer.id, "socket of ann", "ann")
    engine.leave(older.id, "socket of ann")
    assert not older.idle  # somebody still looks
    engine.leave(older.id, "second socket of ann")
    for viewer in ("socket of bob", "second socket of bob"):
        engine.leave(others.id, viewer)
    wait_until(lambda: older.status == "paused", what="the rest")
    assert older.note is not None
    assert "nobody" in older.note.en
    assert not others.idle  # bob has no newer one
    engine.leave(newer.id, "socket of ann")
    assert not newer.idle  # the newest stays, for a page that only loads again
    engine.watch(older.id, "socket of ann", "ann")
    at = older.step
    wait_until(lambda: older.step > at, what="waking up")
    for run in (older, newer, others):
        engine.tell(run.id, run.learner, "stop")
        finished(run)


def test_listeners_hear_all_of_it(engine: Engine) -> None:
    heard: list[tuple[str, str]] = []
    engine.listen(lambda event, message: heard.append((event.run, event.kind)))
    run = finished(engine.submit(job(50), "ann"))
    assert {kind for name, kind in heard if name == run.id} >= {"run", "scalars", "frame"}


# What kills a worker


def kill(engine: Engine) -> None:
    os.kill(engine.devices()[0]["pid"], signal.SIGKILL)


def test_a_killed_worker_is_back_and_every_run_goes_on(workers: Engine) -> None:
    runs = [workers.submit(job(n, steps=3000, pace=300), f"learner {n}") for n in range(3)]
    wait_until(lambda: all(run.step > 20 for run in runs), what="all going")
    rewinds: list[int] = []
    workers.listen(lambda event, message: rewinds.extend([event.step] if isinstance(event, RunRewound) else []))
    kill(workers)
    wait_until(lambda: len(rewinds) == 3, what="the death being noticed")
    at = [run.step for run in runs]
    for run in runs:
        assert run.note is not None
        assert "goes on from step" in run.note.en
    wait_until(lambda: all(run.step > step for run, step in zip(runs, at, strict=True)), what="all going on")
    fresh = [finished(workers.submit(job(n, steps=3000, pace=0), f"learner {n}")) for n in range(3)]
    for run, other in zip(runs, fresh, strict=True):
        assert finished(run).status == "done"
        assert steps_of(run) == list(range(3001))
        assert run.record.history() == other.record.history()  # none lost, none doubled, the same numbers


def test_a_run_that_kills_its_worker_twice_is_given_up_and_the_others_live(workers: Engine) -> None:
    other = workers.submit(job(1, steps=1_000_000, pace=50), "bob")
    run = workers.submit(job(2, fail="die", pace=50), "ann")
    wait_until(lambda: run.ended, what="the bad run to be given up")
    assert run.status == "failed"
    assert run.error is not None
    assert "twice" in run.error.en
    at = other.step
    wait_until(lambda: other.step > at + 5, what="the other run going on")


def test_a_run_that_hangs_is_noticed_and_given_up(workers: Engine) -> None:
    run = workers.submit(job(1, fail="hang"), "ann")
    wait_until(lambda: run.ended, what="the hanging run to be given up")
    assert run.status == "failed"


def test_closing_leaves_no_process_behind(tmp_path: Path) -> None:
    engine = made("process", tmp_path / "runs")
    wait_until(lambda: engine.devices()[0]["state"] == "ready", what="the worker")
    pid = engine.devices()[0]["pid"]
    run = engine.submit(job(1, steps=1_000_000), "ann")
    wait_until(lambda: run.step > 0, what="a run")
    began = time.monotonic()
    engine.close()
    assert time.monotonic() - began < 2.0
    assert not Path(f"/proc/{pid}").exists()
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [f"{run.id}.run"]


def test_a_worker_ends_itself_when_its_server_is_killed(tmp_path: Path) -> None:
    """The server is a process of its own here; SIGKILL gives it no chance to tidy up."""
    import subprocess
    import sys

    program = (
        "import sys, time; from pathlib import Path; from engine.runs.engine import Engine;"
        "from engine.backends.process import ProcessBackend;"
        f"engine = Engine(ProcessBackend('cpu', threads=1), Path({str(tmp_path / 'runs')!r})); engine.start();\n"
        "while engine.devices()[0]['state'] != 'ready': time.sleep(0.05)\n"
        "print(engine.devices()[0]['pid'], flush=True); time.sleep(100)"
    )
    server = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert server.stdout
    with server.stdout:
        pid = int(server.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        server.kill()
        server.wait()
        wait_until(lambda: not Path(f"/proc/{pid}").exists(), what="the worker ending itself")


def test_nothing_above_the_worker_imports_torch() -> None:
    import subprocess
    import sys

    light = (
        "engine.runs.engine, engine.backends.choose, engine.backends.fake, engine.records.record, lessons.board.figures"
    )
    program = f"import {light}, sys; assert not {{'torch', 'ray', 'streamlit'}} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", program], check=True)
