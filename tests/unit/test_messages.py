"""Commands and events survive the wire, with the keys that both sides of it expect."""

from __future__ import annotations

import numpy as np
import pytest

from engine.messages import (
    RUN_CONTROLS,
    AskRun,
    Command,
    Event,
    Message,
    ParamsChanged,
    ParamsRefused,
    PauseRun,
    ResumeRun,
    RunAnswer,
    RunCheckpoint,
    RunFrame,
    RunScalars,
    RunStatus,
    SetParams,
    StartRun,
    StepRun,
    StopRun,
    TakeCheckpoint,
    WorkerDied,
    WorkerReady,
    WorkerStuck,
    decode_command,
    decode_event,
    run_control,
)
from engine.types import Job, Problem, ScalarBlock
from engine.wire import unpack

JOB = Job("lessons.losses.compute:run", {"lr": 0.1}, 3, "cpu")
ARRAYS = {"w": np.arange(6.0).reshape(2, 3)}
NO = Problem("no", "不")

COMMANDS: list[tuple[Command, str]] = [
    (StartRun("a", JOB, "ann", {"lr": 0.2}, "paused", ARRAYS), "op run job learner live status"),
    (PauseRun("a"), "op run"),
    (ResumeRun("a"), "op run"),
    (StepRun("a"), "op run"),
    (StopRun("a"), "op run"),
    (SetParams("a", {"lr": 0.2}), "op run values"),
    (TakeCheckpoint("a", "b"), "op run wanted"),
    (AskRun("a", 7, "map", {"x": 1}, None, JOB, ARRAYS), "op run id name args step job"),
]
EVENTS: list[tuple[Event, str]] = [
    (WorkerReady("cpu", name="x86", threads=2, pid=9), "type device run name threads torch count pid"),
    (WorkerReady("cpu", worker="1"), "type device run name threads torch count pid worker"),
    (WorkerDied(["1"], "cpu", -9, "a", ["a", "b"]), "type workers device code inside runs run"),
    (WorkerStuck("cpu", NO), "type device error run"),
    (WorkerStuck("cpu", NO, "", ["a"], "1"), "type device error run runs worker"),
    (RunFrame("a", 3, {"loss": None}, 1.5, ARRAYS), "type run step scalars made"),
    (RunCheckpoint("a", 3, "b", ARRAYS), "type run step wanted"),
    (RunStatus("a", "running"), "type run status error"),
    (RunStatus("a", "failed", NO, "1"), "type run status error worker"),
    (ParamsChanged("a", 3, {"lr": 0.2}), "type run step values"),
    (ParamsRefused("a", NO), "type run error"),
    (RunAnswer(7, "a", None, None, ARRAYS), "type id run step"),
    (RunAnswer(7, "a", 3, NO), "type id run step error"),
]


def same(one: Message, other: Message) -> bool:
    """Equal in kind, header and arrays."""
    arrays, others = getattr(one, "arrays", {}), getattr(other, "arrays", {})
    equal = arrays.keys() == others.keys() and all(np.array_equal(arrays[key], others[key]) for key in arrays)
    return type(one) is type(other) and one.header() == other.header() and equal


@pytest.mark.parametrize(("command", "keys"), COMMANDS)
def test_a_command_survives_the_wire(command: Command, keys: str) -> None:
    header, arrays = unpack(command.pack())
    assert list(header) == keys.split()
    assert same(decode_command(header, arrays), command)


@pytest.mark.parametrize(("event", "keys"), EVENTS)
def test_an_event_survives_the_wire(event: Event, keys: str) -> None:
    header, arrays = unpack(event.pack())
    assert list(header) == keys.split()
    assert same(decode_event(header, arrays), event)


def test_scalars_survive_the_wire() -> None:
    block = ScalarBlock(("loss",), np.arange(3, dtype=np.int32), np.array([[1.0], [np.nan], [np.inf]]))
    header, arrays = unpack(RunScalars("a", 9, 2.5, [block], 1.0, 0.5).pack())
    assert list(header) == ["type", "run", "total", "rate", "made", "spent", "groups"]
    event = decode_event(header, arrays)
    assert isinstance(event, RunScalars)
    assert (event.run, event.total, event.rate, event.made, event.spent) == ("a", 9, 2.5, 1.0, 0.5)
    assert np.array_equal(event.blocks[0].values, block.values, equal_nan=True)


def test_the_commands_of_a_learner_are_built_by_name() -> None:
    built = [run_control(name, "a", {"lr": 1.0}) for name in RUN_CONTROLS]
    assert built == [PauseRun("a"), ResumeRun("a"), StepRun("a"), StopRun("a"), SetParams("a", {"lr": 1.0})]


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(KeyError):
        decode_command({"op": "explode", "run": "a"}, {})
    with pytest.raises(TypeError):
        decode_event({"type": "changed", "run": "a"}, {})
