"""One run inside a worker: its code, its settings, where it stands, and what of it has been sent."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, field, replace

from engine import files
from engine.checkpoint import LIVE, unpack_live
from engine.messages import StartRun
from engine.params import Params, parse
from engine.types import Job, Step, Values
from engine.worker import lesson_code, rng
from engine.worker.batched import BatchedRun, present_step
from engine.worker.cadence import CheckpointCadence, FrameCadence
from engine.worker.lesson_code import StepGenerator
from engine.worker.problems import not_live
from engine.worker.rng import RngState
from engine.worker.scalars import ScalarBuffer

PACED_CALL_S = 0.020  # between two calls of a BatchedRun with a pace, so that several steps are due at each


@dataclass(slots=True)
class WorkerRun:
    """A run in this process.

    params_class checks live settings; None for a lesson that checks nothing. params: the settings in force, those of
    the job with all live changes. changes: live settings that the code has not been told of yet.
    """

    id: str
    job: Job
    learner: str
    params_class: type[Params] | None
    code: StepGenerator | BatchedRun
    params: Values
    threads: int = 1
    status: str = "running"
    step: Step | None = None  # the last one; None before step 0
    changes: Values = field(default_factory=dict)
    single_steps: int = 0  # still to be taken while paused
    due: float = 0.0  # monotonic time before which the pace forbids the next step
    spent: float = 0.0  # seconds of this worker
    memory: int = 0  # bytes by which its slices have increased what this process holds of the device
    step_s: float = 0.0  # seconds of a step in the last call of a BatchedRun
    rng_state: RngState = ()  # of the global generators, while others run
    scalars: ScalarBuffer = field(default_factory=ScalarBuffer)
    frames: FrameCadence = field(default_factory=FrameCadence)
    checkpoints: CheckpointCadence = field(default_factory=CheckpointCadence)

    @property
    def pace(self) -> float:
        """Steps per second at most; 0 for no limit."""
        return float(self.params.get("pace") or 0.0)

    @property
    def batched(self) -> BatchedRun | None:
        """The code, where it takes many steps at a call."""
        return None if isinstance(self.code, Generator) else self.code

    @property
    def at(self) -> int:
        """The number of the last step; -1 before step 0."""
        return self.step.step if self.step else -1

    @property
    def next_call(self) -> float:
        """Monotonic time of the next call: a BatchedRun with a pace waits until several steps are due."""
        gather = max(0.0, PACED_CALL_S - 1 / self.pace) if self.pace and self.batched else 0.0
        return self.due + gather

    def ready(self, now: float) -> bool:
        """Whether a step may be taken now."""
        return (self.status == "running" and now >= self.next_call) or self.single_steps > 0

    def take_step(self) -> Step | None:
        """The next step of a generator; None at its end."""
        assert isinstance(self.code, Generator)
        try:
            if self.step is None:
                step = next(self.code)
            else:
                changes, self.changes = self.changes or None, {}
                step = self.code.send(changes)
        except StopIteration:
            return None
        self.scalars.add_step(step)
        return step

    def take_steps(self, count: int) -> Step | None:
        """The last of the next `count` steps of a BatchedRun; None at its end."""
        run = self.batched
        assert run is not None
        if run.step >= run.total:
            return None
        if self.changes:
            run.change(self.changes)
            self.changes = {}
        began, made, before = time.monotonic(), time.time(), run.step
        self.scalars.add_blocks(run.step_many(count), made)
        self.step_s = (time.monotonic() - began) / max(1, run.step - before)
        return present_step(run, self.scalars.blocks)

    def moved_to(self, step: Step, now: float) -> None:
        """Stands at `step`, and waits as long as the pace asks."""
        if self.pace:
            self.due = max(self.due + (step.step - self.at) / self.pace, now)
        self.step = step

    def close(self) -> None:
        """Ends the generator, whose cleanup may raise anything."""
        if isinstance(self.code, Generator):
            self.code.close()

    def set_params(self, values: Values, now: float) -> Values:
        """Changes live settings from the next step on. Returns them as they were understood.

        Raises Problem for a setting that is not live, and for values that do not fit.
        """
        if self.params_class is not None:
            live = {name for name, setting in self.params_class.settings().items() if setting.live}
            if fixed := sorted(set(values) - live):
                raise not_live(fixed)
            parsed = parse(self.params_class, {**self.params, **values}).model_dump()
            values = {name: parsed[name] for name in values}
        self.params.update(values)
        self.changes.update(values)
        self.due = min(self.due, now + (1 / self.pace if self.pace else 0.0))
        return values


def start(command: StartRun, device: str, all_threads: int) -> WorkerRun:
    """The run that `command` begins, its code ready to take step 0, or the step after the checkpoint's.

    Seeds the global generators, or puts them back as the checkpoint has them: whoever owned their state has to have
    saved it. Raises whatever the lesson's code raises, and Problem for settings that do not fit.
    """
    job = command.job
    code = lesson_code.load(job.entry)
    if code.params is not None:
        parse(code.params, {**job.params, **command.live})
    if job.device == "auto":
        job = replace(job, device=device)
    state = files.keep(command.arrays)
    rng.seed(job.seed)
    rng.restore(state)
    live = unpack_live(state)
    own = {key: value for key, value in state.items() if not key.startswith((rng.PREFIX, LIVE))}
    lesson = code.start(job, live, own or None)
    run = WorkerRun(command.run, job, command.learner, code.params, lesson, {**job.params, **live, **command.live})
    run.rng_state = rng.get_state()
    run.threads = code.hooks.threads(job) or all_threads
    run.changes = dict(command.live)
    run.status = command.status
    run.single_steps = int(run.status == "paused" and not state)  # so that there is something to look at
    run.scalars.count_rate_from(time.monotonic(), 0)
    return run
