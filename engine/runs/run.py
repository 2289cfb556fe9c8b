"""One training run as the server knows it: its job, its state, who watches it, and the record of what it did."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from engine.records.record import Record
from engine.types import ENDED, Checkpoint, Job, Problem, Values

RunState: TypeAlias = Literal[
    "queued",  # waits until a worker has room
    "copying",  # waits for the state of the run that it is a copy or fork of
    "starting",  # handed to a worker, which has not answered yet
    "running",
    "stopping",  # told to stop because its record, or its learner's quota, is full
    "resting",  # told to pause because nobody watches it
    "idle",  # paused because nobody watches it; goes on as soon as somebody does
    "paused",
    "cut",  # its server ended while it went on; can go on from its last checkpoint
    "done",
    "stopped",
    "failed",
    "recorded",  # a recording that came with a lesson
]

_STATUS: dict[RunState, str] = {
    "copying": "queued", "starting": "queued", "stopping": "running", "resting": "running", "idle": "paused",
    "cut": "paused",
}  # fmt: skip
_IN_WORKER = frozenset({"starting", "running", "stopping", "resting", "idle", "paused"})


@dataclass(eq=False)
class Run:
    """One training run. `state` is the only field that says how it stands; the other questions are answered from it."""

    id: str
    job: Job
    learner: str
    record: Record
    state: RunState = "queued"
    error: Problem | None = None  # why it failed
    note: Problem | None = None  # what its viewers should know
    device: str = ""
    worker: str = ""  # the one that computes it
    stuck_worker: str = ""  # the worker it waits for, which cannot start; the reason is in `note`
    rate: float = 0.0  # steps per second
    seconds: float = 0.0  # of its worker's time
    live: Values = field(default_factory=dict)  # live settings changed since the start
    viewers: dict[str, str] = field(default_factory=dict)  # viewer (one socket) -> learner
    onlookers: set[str] = field(default_factory=set)  # sockets that only draw it beside another run
    created: float = field(default_factory=time.monotonic)
    unwatched_since: float = field(default_factory=time.monotonic)  # when the last viewer left
    is_demo: bool = False  # opened from a lesson's folder: never in the library, never evicted
    deaths: int = 0  # of its worker while it computed this run, since the run last got further
    death_step: int = -1  # the furthest step at which that happened

    @property
    def status(self) -> str:
        """The state as learners, records and the wire name it: one of engine.types.STATUSES."""
        return _STATUS.get(self.state, self.state)

    @property
    def ended(self) -> bool:
        """Whether it will take no further step."""
        return self.state in ENDED

    @property
    def in_worker(self) -> bool:
        """Whether a worker has it."""
        return self.state in _IN_WORKER

    @property
    def idle(self) -> bool:
        """Whether it is paused, or told to pause, because nobody watches it."""
        return self.state in ("resting", "idle")

    @property
    def total(self) -> int:
        """Steps the whole run has; 0 while that is not known."""
        return self.record.total

    @property
    def step(self) -> int:
        """The last step taken, -1 before the first."""
        return self.record.last

    def last_checkpoint(self) -> tuple[int, Checkpoint]:
        """The last checkpoint and its step; (-1, {}) if there is none."""
        return self.record.checkpoint(self.step) or (-1, {})

    @property
    def origin(self) -> tuple[str, int] | None:
        """The run and step this is a fork or copy of."""
        return self.record.origin

    @property
    def marks(self) -> list[int]:
        """Steps at which it can be forked. The checkpoints of a lesson's recording can be asked, but not trained on."""
        return [] if self.state == "recorded" else self.record.checkpoints

    @property
    def params(self) -> Values:
        """The settings in force: the job's, with what was changed while it ran."""
        return {**self.job.params, **self.live}
