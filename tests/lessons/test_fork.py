"""Forks of every lesson: with equal settings bit-identical from any checkpoint, else an honest run or a reason."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest

from engine.backends.inline import InlineBackend
from engine.checkpoint import unpack_live
from engine.controls import Slider
from engine.messages import RunCheckpoint, RunScalars, SetParams, StartRun, StepRun, decode_event
from engine.runs.engine import Engine, Run
from engine.types import Checkpoint, Job, Values
from engine.wire import unpack
from engine.worker.scheduler import Scheduler
from lessons import catalog
from tests.conftest import wait_until

NAMES = [lesson.name for lesson in catalog.lessons()]
MEASURED = frozenset({"images_per_s"})  # a rate is a time, not a number of the model
OTHER: dict[
    str, tuple[dict[str, object], dict[str, object] | None]
] = {  # a setting that goes with what was kept, and one that does not
    "gradient_descent": ({"lr": 0.03}, None),
    "losses": ({"lr": 0.02, "outlier_y": 3.0}, {"topic": "softmax"}),
    "activations": ({"lr": 0.1}, {"width": 9}),
    "playground": ({"hidden": "4-2relu"}, None),
    "backprop": ({"edits": "x1h1=0.25"}, {"sizes": "3-5-2"}),
    "overfitting": ({"lr": 0.02, "decay": 0.01}, {"width": 9}),
    "cifar10": ({"lr": 0.07}, {"network": "vgg"}),
    "attention_learned": ({"lr": 0.004}, {"width": 32}),
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    found = Engine(InlineBackend(), tmp_path_factory.mktemp("runs"))
    found.start()
    yield found
    found.close()


def done(run: Run) -> Run:
    wait_until(lambda: run.ended, what=f"the end of {run.id}")
    return run


def job(name: str, **other: object) -> Job:
    values = {**catalog.part(name, "params").TINY.model_dump(mode="json"), "pace": 0, **other}
    checked = catalog.params(name)(**values).model_dump(mode="json")
    return Job(catalog.lesson(name).entry, checked, int(checked["seed"]), "cpu")


def numbers(run: Run, after: int = -1) -> list[tuple[int, dict[str, str]]]:
    """Every number as its digits, all of them, so that NaN equals NaN."""
    return [
        (step, {name: float(value).hex() for name, value in scalars.items() if name not in MEASURED})
        for step, scalars in run.record.history()
        if step > after
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_fork_with_equal_settings_is_bit_identical_at_random_checkpoints(engine: Engine, name: str) -> None:
    run = done(engine.submit(job(name), "ann"))
    assert run.status == "done", run.error
    marks = [step for step in run.marks if step < run.total]
    for step in random.Random(name).sample(marks, min(3, len(marks))):
        fork = done(engine.fork(run.id, step, run.job, "ann"))
        assert (fork.status, fork.step, fork.origin) == ("done", run.total, (run.id, step)), fork.error
        assert numbers(fork) == numbers(run)
        ours, theirs = (one.record.checkpoint(run.total) for one in (fork, run))
        assert ours is not None
        assert theirs is not None
        assert ours[1].keys() == theirs[1].keys()
        for key, array in theirs[1].items():
            np.testing.assert_array_equal(ours[1][key], array, err_msg=f"{name} {key}")


@pytest.mark.parametrize("name", OTHER)
def test_a_fork_with_other_settings_goes_its_own_way_from_the_same_past(engine: Engine, name: str) -> None:
    run = done(engine.submit(job(name), "bob"))
    step = [one for one in run.marks if one < run.total][-1]
    good, bad = OTHER[name]
    fork = done(engine.fork(run.id, step, job(name, **good), "bob"))
    assert fork.status == "done", fork.error
    assert numbers(fork)[: step + 1] == numbers(run)[: step + 1]
    assert numbers(fork, step) != numbers(run, step)
    assert len(numbers(fork)) == fork.total + 1
    if bad is not None:
        failed = done(engine.fork(run.id, step, job(name, **bad), "bob"))
        assert failed.status == "failed"
        assert failed.error is not None
        assert f"cannot go on from step {step} with {next(iter(bad))} changed" in failed.error.en
        assert failed.error.zh


def another(low: float, high: float, value: float) -> float:
    """A value within the bounds that is not `value`, an integer if that is one."""
    if isinstance(value, int):
        return max(int(low), value // 2)
    return 0.5 * value if value > low else low + 0.1 * (high - low)


def played(
    job: Job, state: Checkpoint | None, steps: int, changes: dict[int, Values]
) -> tuple[dict[int, dict[str, str]], dict[int, Checkpoint]]:
    """Numbers and checkpoints of `steps` steps taken one at a time by a worker; `changes` are set before a step."""
    history: dict[int, dict[str, str]] = {}
    checkpoints: dict[int, Checkpoint] = {}

    def heard(message: bytes) -> None:
        match decode_event(*unpack(message)):
            case RunScalars(blocks=blocks):
                for block in blocks:
                    for step, row in zip(block.steps.tolist(), block.values.tolist(), strict=True):
                        named = zip(block.names, row, strict=True)
                        history.setdefault(step, {}).update({k: v.hex() for k, v in named if k not in MEASURED})
            case RunCheckpoint(step=step, arrays=arrays):
                checkpoints[step] = {name: array.copy() for name, array in arrays.items()}

    scheduler = Scheduler("cpu", heard)
    scheduler.handle(StartRun("run", job, "ann", {}, "paused", dict(state or {})))
    for number in range(steps):
        if number in changes:
            scheduler.handle(SetParams("run", changes[number]))
        scheduler.handle(StepRun("run"))
        while not scheduler.take_slice():
            pass
    return history, checkpoints


@pytest.mark.parametrize("name", NAMES)
def test_settings_that_were_changed_on_the_way_are_in_the_checkpoint_and_hold_again(name: str) -> None:
    asked = job(name)
    live = {
        key: another(setting.control.low, setting.control.high, asked.params[key])
        for key, setting in catalog.params(name).settings().items()
        if setting.live and isinstance(setting.control, Slider) and key != "pace"
    }
    numbers, checkpoints = played(asked, None, 8, {3: live})
    assert unpack_live(checkpoints[2]) == {}
    assert unpack_live(checkpoints[5]) == live
    again, later = played(asked, checkpoints[5], 3, {})
    assert again == {step: row for step, row in numbers.items() if step > 5}
    assert later[8].keys() == checkpoints[8].keys()
    for key, array in checkpoints[8].items():
        np.testing.assert_array_equal(later[8][key], array, err_msg=f"{name} {key}")
