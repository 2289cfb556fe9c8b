"""Runs that an earlier version recorded: they open, play and are forked as they were."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.backends.inline import InlineBackend
from engine.runs.engine import Engine, Run
from lessons import catalog, text
from lessons.board.fold import fold
from lessons.import_check import validate
from tests.conftest import wait_until

FOLDER = Path(__file__).parents[1] / "data" / "runs"
PLAYGROUND = [0, 1, 2, 4, 8, 12, 14, 16, 20, 24, 26, 30, 32, 36, 38, 40, 44, 48, 52, 56, 60, 64, 68, 72, 76, 80]

# lesson -> steps, frames, checkpoints, and scalars of the last step, as the version that recorded the run showed them
RECORDED = {
    "gradient_descent": (24, [], list(range(25)), {"above.adam": 0.877079958464916}),
    "attention_learned": (20, [0, 6, 16, 20], [0, 1, 2, 4, 8, 16, 20], {"bar.1.1": 0.1514451950788498}),
    "playground": (80, [*range(0, 80, 6), 80], PLAYGROUND, {"loss": 0.7278708219528198}),
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    opened = Engine(InlineBackend(), tmp_path_factory.mktemp("runs"))
    opened.start()
    yield opened
    opened.close()


@pytest.fixture(params=RECORDED, scope="module")
def run(request: pytest.FixtureRequest, engine: Engine) -> Run:
    return engine.import_run((FOLDER / f"{request.param}.run").read_bytes(), validate)


def test_it_opens_with_everything_it_recorded(run: Run) -> None:
    steps, frames, checkpoints, scalars = RECORDED[run.job.lesson]
    assert (run.status, run.step, run.total) == ("done", steps, steps)
    assert (run.record.frames, run.record.checkpoints) == (frames, checkpoints)
    assert [step for step, _ in run.record.history()] == list(range(steps + 1))
    last = run.record.scalars(steps)
    assert {name: last[name] for name in scalars} == scalars


def test_every_frame_of_it_is_drawn(run: Run) -> None:
    lesson = run.job.lesson
    figures = catalog.part(lesson, "figures")
    params = catalog.params(lesson).model_validate(run.params)
    drawn = figures.draw(params, text.read(lesson, "en"))
    for step in run.record.frames or [run.step]:
        tick = run.record.frame(step)
        patches = figures.update(params, tick) if tick else []
        history = [(at, scalars) for at, scalars in run.record.history() if at <= step]
        assert fold(drawn, history, patches).keys() == drawn.keys()


def test_it_is_forked_and_goes_on_as_it_did(engine: Engine, run: Run) -> None:
    steps, _, checkpoints, _ = RECORDED[run.job.lesson]
    middle = checkpoints[len(checkpoints) // 2]
    settings = dict(run.job.params)
    for _, changes in run.record.changes:
        settings |= changes
    job = catalog.job(run.job.lesson, catalog.params(run.job.lesson).model_validate(settings))
    fork = engine.fork(run.id, middle, job, "bob")
    wait_until(lambda: fork.ended)
    assert (fork.status, fork.error, fork.origin) == ("done", None, (run.id, middle))
    for step in range(middle, steps + 1):  # other processors have other last digits
        assert fork.record.scalars(step) == pytest.approx(run.record.scalars(step), rel=1e-3, abs=1e-6, nan_ok=True)
