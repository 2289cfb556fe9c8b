"""Many runs on one device, in turn: the inside of a worker, and of the inline backend.

A run is a generator: it is paused by not calling `next`, and stopped by closing it. Or it is a BatchedRun
(engine/worker/batched.py), which takes as many steps at a call as fit into a few milliseconds. Whose run is next is
decided in engine/worker/fair_share.py; it then has a slice of at most 20 ms, shorter where many learners wait. A single
step that takes longer is a slice of its own: light runs are served between any two such steps, and heavy runs share
what time is left.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace

import torch

from engine import files
from engine.limits import Limits
from engine.messages import (
    AskRun,
    Command,
    ParamsChanged,
    ParamsRefused,
    PauseRun,
    ResumeRun,
    RunAnswer,
    RunCheckpoint,
    SetParams,
    StartRun,
    StepRun,
    StopRun,
    TakeCheckpoint,
)
from engine.types import Problem, Values
from engine.worker import devices, lesson_code
from engine.worker.batched import CALL_S, steps_per_call
from engine.worker.context import RunContext
from engine.worker.fair_share import FairQueue
from engine.worker.problems import as_problem, too_much_memory
from engine.worker.reports import RunReporter
from engine.worker.worker_run import WorkerRun, start

SLICE_S = 0.020
ROUND_S = 0.100  # in which every learner should have had a slice

Emit = Callable[[bytes], object]


class Scheduler:
    """Takes the steps of many runs and sends what happens by `emit`, as packed events of engine/messages.py.

    on_enter is given the id of the run whose code is about to be called, "" when it has returned.
    """

    def __init__(self, device: str, emit: Emit, on_enter: Callable[[str], object] = lambda run: None) -> None:
        self.device = device
        self.all_threads = torch.get_num_threads()  # of a run that asks for all of them
        self.runs: dict[str, WorkerRun] = {}
        self.limits = Limits.from_environment()
        self.queue = FairQueue()
        self._emit = emit
        self._context = RunContext(on_enter)
        self._reporter = RunReporter(emit, self.runs)

    # Commands

    def handle(self, command: Command) -> None:
        """Carries out one command. What is meant for a run that is not here (any more) is ignored."""
        match command:
            case StartRun():
                self._start(command)
            case AskRun():
                self._answer(command)
            case TakeCheckpoint(run=run_id, wanted=wanted) if run_id not in self.runs:
                self._emit(RunCheckpoint(run_id, -1, wanted).pack())
            case (
                PauseRun(run=run_id)
                | ResumeRun(run=run_id)
                | StepRun(run=run_id)
                | StopRun(run=run_id)
                | SetParams(run=run_id)
                | TakeCheckpoint(run=run_id)
            ) if run_id in self.runs:
                self._control(self.runs[run_id], command)

    def _control(self, run: WorkerRun, command: Command) -> None:
        match command:
            case PauseRun():
                self._pause(run)
            case ResumeRun():
                self._resume(run)
            case StepRun():
                self._pause(run)
                run.single_steps += 1
            case StopRun():
                self._stop(run)
            case SetParams(values=values):
                self._set(run, values)
            case TakeCheckpoint(wanted=wanted):
                self._reporter.scalars(run)
                with self._context.entered(run):
                    self._reporter.checkpoint(run, wanted)

    def _start(self, command: StartRun) -> None:
        self._context.save()
        try:
            run = start(command, self.device, self.all_threads)
        except Exception as error:  # any lesson may fail in any way; that is its own run's end
            self._reporter.failed(command.run, error)
            return
        self.runs[run.id] = run
        self.queue.add(run.learner, run.id)
        self._reporter.status(run)

    def _pause(self, run: WorkerRun) -> None:
        if run.status == "running":
            run.status = "paused"
            with self._context.entered(run):
                self._reporter.everything(run)
            self._reporter.status(run)

    def _resume(self, run: WorkerRun) -> None:
        if run.status == "paused":
            run.status = "running"
            run.due = time.monotonic()
            run.scalars.count_rate_from(run.due, max(0, run.at))
            self._reporter.status(run)

    def _stop(self, run: WorkerRun) -> None:
        with self._context.entered(run):
            self._reporter.everything(run)
            run.status = "stopped"
            self._remove(run)
            with contextlib.suppress(Exception):
                run.close()
        self._reporter.status(run)

    def _set(self, run: WorkerRun, values: Values) -> None:
        try:
            values = run.set_params(values, time.monotonic())
        except Problem as problem:
            self._emit(ParamsRefused(run.id, problem).pack())
            return
        self._emit(ParamsChanged(run.id, run.at, values).pack())

    def _answer(self, command: AskRun) -> None:
        run, step = self.runs.get(command.run), command.step
        arrays = files.keep(command.arrays)
        state = {name.removeprefix("state."): array for name, array in arrays.items() if name.startswith("state.")}
        extra = {name.removeprefix("arg."): array for name, array in arrays.items() if name.startswith("arg.")}
        job = command.job if command.job.device != "auto" else replace(command.job, device=self.device)
        try:
            if run is not None and run.step is not None and not state:
                self._context.enter(run)
                state, step = run.step.state(), run.step.step
            look = lesson_code.load(job.entry).hooks.look
            self._context.save()
            arrays = look(job, state or None, command.name, {**command.args, **extra})
            self._emit(RunAnswer(command.id, command.run, step, arrays=arrays).pack())
        except Exception as error:  # no answer; the run itself goes on
            self._emit(RunAnswer(command.id, command.run, step, as_problem(error)).pack())
        finally:
            self._context.leave()

    # Slices

    def take_slice(self, interrupted: Callable[[], bool] = lambda: False) -> float:
        """Gives a slice to the run that is next, and ends it where `interrupted` returns true.

        Returns for how many seconds nothing is due: 0 if there was a run, and at most 1.
        """
        now = time.monotonic()
        run_id = self.queue.next(lambda name: self.runs[name].ready(now))
        if run_id is None:
            return self._idle(now)
        run = self.runs[run_id]
        share, began = self.queue.shares[run.learner], now
        end = now + min(SLICE_S, ROUND_S / len(self.queue))
        with self._context.entered(run):
            try:
                memory = 0 if run.batched else devices.memory_in_use(self.device)
                while run.ready(now):
                    self._advance(run, now)
                    now = time.monotonic()
                    if run.id not in self.runs or now >= end or interrupted():
                        break
                if run.batched is None and run.id in self.runs:  # its settings keep a BatchedRun small
                    self._count_memory(run, devices.memory_in_use(self.device) - memory)
            except Exception as error:  # any lesson may fail in any way; that is its own run's end
                self._remove(run)
                self._reporter.failed(run.id, error)
        seconds = time.monotonic() - began
        share.charge(seconds)
        run.spent += seconds
        if self._reporter.scalars_due(run, now):
            self._reporter.scalars(run)
        return 0.0

    def _idle(self, now: float) -> float:
        """Sends the scalars that have waited long enough. Returns seconds until a step or such a message is due."""
        interval = self._reporter.scalars_interval
        waits = [run.next_call - now for run in self.runs.values() if run.status == "running"]
        waits += [run.scalars.sent + interval - now for run in self.runs.values() if run.scalars.made]
        for run in self.runs.values():
            if self._reporter.scalars_due(run, now):
                self._reporter.scalars(run)
        return max(0.0, min([1.0, *waits]))

    def _advance(self, run: WorkerRun, now: float) -> None:
        """Takes a step of `run`, or a BatchedRun's next few, and sends what is due then; or ends the run."""
        single, before = run.single_steps > 0, run.at
        step = run.take_steps(1 if single else self._step_count(run, now)) if run.batched else run.take_step()
        if step is None:
            self._report_everything(run)
            run.status = "done"
            self._remove(run)
            self._reporter.status(run)
            return
        run.moved_to(step, now)
        if single:
            run.single_steps -= 1
        if single or step.step >= step.total:
            self._report_everything(run)
            return
        if step.keep or now >= run.frames.due:
            self._reporter.frame(run)
        if step.keep or run.checkpoints.is_due(step, before, now):
            self._reporter.checkpoint(run)

    def _report_everything(self, run: WorkerRun) -> None:
        self._context.enter(run)  # for a watchdog a call of its own: frame and checkpoint may take as long as a step
        self._reporter.everything(run)

    def _step_count(self, run: WorkerRun, now: float) -> int:
        call_s = min(CALL_S, ROUND_S / len(self.queue))
        return steps_per_call(run.at, run.step_s, call_s, run.pace, now - run.due)

    def _count_memory(self, run: WorkerRun, added: int) -> None:
        """Raises Problem where a run holds more than it may: before the machine has none left for anybody."""
        run.memory += added
        if run.memory > 1e6 * self.limits.memory:
            raise too_much_memory(run.memory, self.limits.memory)

    def _remove(self, run: WorkerRun) -> None:
        self._reporter.scalars(run)
        self.runs.pop(run.id, None)
        self.queue.remove(run.learner, run.id)
        self._context.forget(run)
