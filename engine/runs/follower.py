"""Applies what workers report to the runs: scalars, frames and checkpoints are recorded, states and notes kept."""

from __future__ import annotations

from engine.messages import (
    Event,
    ParamsChanged,
    ParamsRefused,
    RunAnswer,
    RunCheckpoint,
    RunFrame,
    RunScalars,
    RunStatus,
    StopRun,
    WorkerDied,
    WorkerReady,
    WorkerStuck,
)
from engine.runs.copies import Copies
from engine.runs.dispatcher import Dispatcher
from engine.runs.listeners import Listeners
from engine.runs.questions import Questions
from engine.runs.registry import Registry
from engine.runs.run import Run, RunState
from engine.runs.supervisor import Supervisor
from engine.types import ENDED, Problem, Tick


class Follower:
    """Handles every event of the backend. Not for several threads at once."""

    def __init__(
        self,
        registry: Registry,
        dispatcher: Dispatcher,
        copies: Copies,
        questions: Questions,
        supervisor: Supervisor,
        listeners: Listeners,
    ) -> None:
        self.registry = registry
        self.dispatcher = dispatcher
        self.copies = copies
        self.questions = questions
        self.supervisor = supervisor
        self.listeners = listeners

    def on_event(self, event: Event, message: bytes) -> None:
        """Handles one event, given with its packed form. Events of runs that have ended are void, checkpoints aside."""
        match event:
            case WorkerReady():
                self.supervisor.on_ready(event)
            case WorkerStuck():
                self.supervisor.on_stuck(event)
            case WorkerDied():
                self.questions.on_worker_died()
                self.copies.on_worker_died()
                self.supervisor.on_died(event)
            case RunAnswer():
                self.questions.on_answer(event)
            case RunCheckpoint() | RunScalars() | RunFrame() | RunStatus() | ParamsChanged() | ParamsRefused():
                run = self.registry.open_run(event.run)
                if run is not None and (not run.ended or isinstance(event, RunCheckpoint)):
                    self._on_run_event(run, event, message)

    def _on_run_event(self, run: Run, event: Event, message: bytes) -> None:
        match event:
            case RunScalars():
                self._on_scalars(run, event, message)
            case RunFrame():
                run.record.add_frame(message, Tick(event.step, event.scalars, event.arrays, event.made))
                self.listeners.notify(event, message)
            case RunCheckpoint():
                self._on_checkpoint(run, event, message)
            case RunStatus():
                self._on_status(run, event)
            case ParamsChanged():
                run.live.update(event.values)
                run.record.change(event.step, event.values)
                self.listeners.changed(run.id)
            case ParamsRefused():
                run.note = event.error
                self.listeners.changed(run.id)

    def _on_scalars(self, run: Run, event: RunScalars, message: bytes) -> None:
        step = run.step
        run.record.add_scalars(event.blocks, event.total)
        run.rate = event.rate
        # a run that has moved to another worker counts from zero there
        seconds = event.spent - run.seconds if event.spent >= run.seconds else event.spent
        run.seconds = event.spent
        why = self.dispatcher.quotas.charge(run.learner, run.step - step, seconds)
        if why is None and run.record.full:
            why = Problem(
                f"This run has recorded as much as one run may, so it was stopped at step {run.step}. Fork it at its "
                "end to go on.",
                f"这次运行的记录已达上限，因此在第 {run.step} 步停止。在末尾分叉即可继续。",
            )
        if why and run.state != "stopping":
            run.state, run.note = "stopping", why
            self.dispatcher.send(StopRun(run.id))
        self.listeners.notify(event, message)

    def _on_checkpoint(self, run: Run, event: RunCheckpoint, message: bytes) -> None:
        if event.wanted:
            self.copies.on_checkpoint(event.wanted, event.step, dict(event.arrays))
            return
        run.record.add_checkpoint(message)
        if event.step > run.death_step:
            run.deaths = 0

    def _on_status(self, run: Run, event: RunStatus) -> None:
        if event.error:
            run.error = self._explain(run, event.error)
        state: RunState = event.status  # type: ignore[assignment]
        if state in ENDED:
            self.dispatcher.end(run, state)
            return
        if not (run.idle and state == "paused"):
            run.state = state
        elif run.state == "resting":
            run.state = "idle"
        run.worker, run.device = self.supervisor.device_of(event.worker)
        self.listeners.changed(run.id)

    def _explain(self, run: Run, error: Problem) -> Problem:
        """Why a fork could not take its first step: most likely a setting changed that its checkpoint depends on."""
        source = self.registry.open_run(run.origin[0]) if run.origin else None
        if not run.origin or source is None or run.step > run.origin[1]:
            return error
        changed = ", ".join(sorted(name for name, value in run.params.items() if source.params.get(name) != value))
        if not changed:
            return error
        return Problem(
            f"This fork cannot go on from step {run.step} with {changed} changed. Put that back and fork again, or "
            f"press Run to begin anew with it. ({error.en})",
            f"更改 {changed} 后，无法从第 {run.step} 步继续。请改回后再分叉，或点“运行”用新设置重新开始。"
            f"（{error.zh}）",
        )
