"""The messages between the server and a worker: commands go to the worker, events come from it.

Each is a frozen dataclass that knows its form on the wire (engine/wire.py): a JSON header in which a command is named
by "op" and an event by "type", its fields under their own names, and arrays. `run` is a run's id. No torch here.

    data = PauseRun("cifar10-1a2b3c4d").pack()              # bytes, for a pipe or an actor
    match decode_command(*unpack(data)):                    # the worker's side
        case PauseRun(run):
            ...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal, Self, TypeAlias, get_args

from engine import wire
from engine.records.blocks import decode_blocks, encode_blocks
from engine.types import Arrays, Job, Problem, ScalarBlock, Values


@dataclass(frozen=True, slots=True)
class Message:
    """What commands and events have in common. The field `arrays` goes as arrays, every other one in the header."""

    key: ClassVar[str]  # "op" or "type", under which the header has `kind`
    kind: ClassVar[str]
    omitted: ClassVar[tuple[str, ...]] = ()  # fields that the header does not have while they are None

    def header(self) -> Values:
        """The message as JSON, without its arrays."""
        values: Values = {self.key: self.kind}
        for key in _header_keys(type(self)):
            value = getattr(self, key)
            if value is not None or key not in self.omitted:
                values[key] = value.as_json() if isinstance(value, Job | Problem) else value
        return values

    def pack(self) -> bytes:
        """The message as bytes."""
        return wire.pack(self.header(), getattr(self, "arrays", None))

    @classmethod
    def decode(cls, header: Mapping[str, Any], arrays: Arrays) -> Self:
        """The inverse of `pack`, from what `wire.unpack` returns. Raises TypeError where a field is missing."""
        values: Values = {key: header[key] for key in _header_keys(cls) if key in header}
        if "job" in values:
            values["job"] = Job(**values["job"])
        if values.get("error") is not None:
            values["error"] = Problem(**values["error"])
        if "arrays" in cls.__match_args__:
            values["arrays"] = arrays
        return cls(**values)


def _header_keys(cls: type[Message]) -> list[str]:
    return [item.name for item in fields(cls) if item.name != "arrays"]


# Commands


@dataclass(frozen=True, slots=True)
class Command(Message):
    """A message to a worker, about one run."""

    key: ClassVar[str] = "op"
    run: str


@dataclass(frozen=True, slots=True)
class StartRun(Command):
    """Begins a run, from the checkpoint in `arrays` if there is one; the files that the job names are there too.

    live: live settings in force that differ from the job's. status: "running", or "paused" to take one step only.
    """

    kind: ClassVar[str] = "start"
    job: Job
    learner: str
    live: Values = field(default_factory=dict)
    status: str = "running"
    arrays: Arrays = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PauseRun(Command):
    """Takes no further step; frame and checkpoint of the step it stands at are sent."""

    kind: ClassVar[str] = "pause"


@dataclass(frozen=True, slots=True)
class ResumeRun(Command):
    """Goes on after a pause."""

    kind: ClassVar[str] = "resume"


@dataclass(frozen=True, slots=True)
class StepRun(Command):
    """Takes one step and stays paused."""

    kind: ClassVar[str] = "step"


@dataclass(frozen=True, slots=True)
class StopRun(Command):
    """Ends the run where it is."""

    kind: ClassVar[str] = "stop"


@dataclass(frozen=True, slots=True)
class SetParams(Command):
    """Changes live settings from the next step on; answered by ParamsChanged or ParamsRefused."""

    kind: ClassVar[str] = "set"
    values: Values


@dataclass(frozen=True, slots=True)
class TakeCheckpoint(Command):
    """Asks for the present state; RunCheckpoint answers with the same `wanted`, the id of the copy that it is for."""

    kind: ClassVar[str] = "snapshot"
    wanted: str


@dataclass(frozen=True, slots=True)
class AskRun(Command):
    """Calls the lesson's `look(job, state, name, args)`; RunAnswer has the same `id`.

    id: a number chosen by the server. name: what is asked. step: the step of the state that comes along, None for the
    present state of a live run. arrays: that state as "state.NAME", arrays among the arguments as "arg.NAME", and the
    files that the job names.
    """

    kind: ClassVar[str] = "ask"
    id: int
    name: str
    args: Values
    step: int | None
    job: Job
    arrays: Arrays = field(default_factory=dict)


RunControl: TypeAlias = Literal["pause", "resume", "step", "stop", "set"]
RUN_CONTROLS: tuple[RunControl, ...] = get_args(RunControl)  # the commands that a learner may give to a run


def run_control(control: str, run: str, values: Values) -> Command:
    """The command named by one of RUN_CONTROLS; `values` are the settings of a "set"."""
    cls = _COMMANDS[control]
    return SetParams(run, values) if cls is SetParams else cls.decode({"run": run}, {})


def decode_command(header: Mapping[str, Any], arrays: Arrays) -> Command:
    """A command from what `wire.unpack` returns. Raises KeyError for an unknown one, TypeError for a missing field."""
    return _COMMANDS[header["op"]].decode(header, arrays)


# Events


@dataclass(frozen=True, slots=True)
class Event(Message):
    """A message from a worker. `worker` is its name; a worker leaves it out, the backend it belongs to fills it in."""

    key: ClassVar[str] = "type"


@dataclass(frozen=True, slots=True)
class WorkerReady(Event):
    """A worker is up. device: "cpu", "cuda:0", "mps". name: of the hardware. count: devices of this kind there."""

    kind: ClassVar[str] = "ready"
    omitted: ClassVar[tuple[str, ...]] = ("worker",)
    device: str
    run: str = ""
    name: str = ""
    threads: int = 0
    torch: str = ""  # its version
    count: int = 1
    pid: int = 0
    worker: str | None = None


@dataclass(frozen=True, slots=True)
class WorkerDied(Event):
    """Workers are gone, with the `runs` they had. Their successors are on their way and take commands already.

    code: the exit code, or the name of an exception. inside: the run whose code it was in, "" if in none. Sent by a
    backend.
    """

    kind: ClassVar[str] = "died"
    workers: Sequence[str]
    device: str
    code: int | str
    inside: str
    runs: Sequence[str]
    run: str = ""


@dataclass(frozen=True, slots=True)
class WorkerStuck(Event):
    """A worker cannot start for now. It is tried again, and the `runs` wait for it."""

    kind: ClassVar[str] = "stuck"
    omitted: ClassVar[tuple[str, ...]] = ("worker", "runs")
    device: str
    error: Problem
    run: str = ""
    runs: Sequence[str] | None = None
    worker: str | None = None


@dataclass(frozen=True, slots=True)
class RunScalars(Event):
    """Scalars of the steps since the last such message.

    total: steps the whole run has. rate: steps per second. made: wall time of the first of these steps. spent: seconds
    that the run has taken of this worker. On the wire `blocks` are "groups" and their arrays.
    """

    kind: ClassVar[str] = "scalars"
    run: str
    total: int
    rate: float
    blocks: Sequence[ScalarBlock]
    made: float = 0.0
    spent: float = 0.0

    def header(self) -> Values:
        """The message as JSON, without its arrays."""
        return self._encode()[0]

    def pack(self) -> bytes:
        """The message as bytes."""
        return wire.pack(*self._encode())

    def _encode(self) -> tuple[Values, Arrays]:
        groups, arrays = encode_blocks(self.blocks)
        values = {"type": self.kind, "run": self.run, "total": self.total, "rate": self.rate}
        return {**values, "made": self.made, "spent": self.spent, **groups}, arrays

    @classmethod
    def decode(cls, header: Mapping[str, Any], arrays: Arrays) -> Self:
        """The inverse of `pack`, from what `wire.unpack` returns."""
        made, spent = header.get("made", 0.0), header.get("spent", 0.0)
        return cls(header["run"], header["total"], header["rate"], decode_blocks(header, arrays), made, spent)


@dataclass(frozen=True, slots=True)
class RunFrame(Event):
    """The picture of a step. scalars: those of the step, null where not finite. made: wall time of the picture."""

    kind: ClassVar[str] = "frame"
    run: str
    step: int
    scalars: Values
    made: float = 0.0
    arrays: Arrays = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunCheckpoint(Event):
    """The state after `step`, in `arrays`. wanted: as in TakeCheckpoint, "" for one that nobody asked for.

    A run that has no state to give answers with step -1 and no arrays.
    """

    kind: ClassVar[str] = "snapshot"
    run: str
    step: int
    wanted: str = ""
    arrays: Arrays = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunStatus(Event):
    """A run has begun, paused, resumed or ended: "running", "paused", "done", "stopped", "failed" (with its error)."""

    kind: ClassVar[str] = "status"
    omitted: ClassVar[tuple[str, ...]] = ("worker",)
    run: str
    status: str
    error: Problem | None = None
    worker: str | None = None


@dataclass(frozen=True, slots=True)
class ParamsChanged(Event):
    """Live settings that hold from the step after `step` on."""

    kind: ClassVar[str] = "changed"
    run: str
    step: int
    values: Values


@dataclass(frozen=True, slots=True)
class ParamsRefused(Event):
    """Settings that were not adopted, and why."""

    kind: ClassVar[str] = "refused"
    run: str
    error: Problem


@dataclass(frozen=True, slots=True)
class RunAnswer(Event):
    """What `look` returned, in `arrays`, or why it did not. id: that of AskRun. step: the one answered for, if any."""

    kind: ClassVar[str] = "answer"
    omitted: ClassVar[tuple[str, ...]] = ("error",)
    id: int
    run: str
    step: int | None
    error: Problem | None = None
    arrays: Arrays = field(default_factory=dict)


def decode_event(header: Mapping[str, Any], arrays: Arrays) -> Event:
    """An event from what `wire.unpack` returns. Raises KeyError for an unknown one, TypeError for a missing field."""
    return _EVENTS[header["type"]].decode(header, arrays)


_COMMANDS: dict[str, type[Command]] = {
    cls.kind: cls for cls in (StartRun, PauseRun, ResumeRun, StepRun, StopRun, SetParams, TakeCheckpoint, AskRun)
}
_EVENT_TYPES: tuple[type[Event], ...] = (
    WorkerReady, WorkerDied, WorkerStuck,
    RunScalars, RunFrame, RunCheckpoint, RunStatus, RunAnswer, ParamsChanged, ParamsRefused,
)  # fmt: skip
_EVENTS = {cls.kind: cls for cls in _EVENT_TYPES}
