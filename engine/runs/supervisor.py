"""Keeps runs going when a worker dies, cannot start, or is back; knows how each worker stands."""

from __future__ import annotations

from typing import Any

from engine.messages import RunControl, SetParams, StepRun, WorkerDied, WorkerReady, WorkerStuck
from engine.runs.dispatcher import Dispatcher
from engine.runs.listeners import Listeners, RunRewound
from engine.runs.registry import Registry
from engine.runs.run import Run
from engine.types import Problem, Values

MAX_DEATHS = 2  # of a worker while it computed the same run from the same checkpoint


class Supervisor:
    """The workers' states, and the restarts of runs. Not for several threads at once."""

    def __init__(self, registry: Registry, dispatcher: Dispatcher, listeners: Listeners) -> None:
        self.registry = registry
        self.dispatcher = dispatcher
        self.listeners = listeners
        self._devices: dict[str, Values] = {}  # by worker

    def devices(self) -> list[Values]:
        """Each worker's device as it described itself, with "state": "starting", "ready", "restarting" or "stuck"."""
        return list(self._devices.values()) or [{"worker": "", "device": "auto", "name": "", "state": "starting"}]

    def device_of(self, worker: str | None) -> tuple[str, str]:
        """(worker, its device); the first worker there is for None."""
        worker = worker or next(iter(self._devices), "")
        return worker, self._devices.get(worker, {"device": ""})["device"]

    def on_ready(self, event: WorkerReady) -> None:
        """A worker is up: the notes about what kept it from starting are void."""
        worker = event.worker or event.device
        parent = worker.rpartition("/")[0]  # "ray" of "ray/2": it could not be reached before, and is there now
        self._devices.pop(parent, None)
        self._devices[worker] = {**event.header(), "worker": worker, "state": "ready"}
        for run in self.registry.all():
            if run.stuck_worker and run.stuck_worker in (worker, parent):
                run.stuck_worker = ""
                run.note = None
                self.listeners.changed(run.id)

    def on_stuck(self, event: WorkerStuck) -> None:
        """A worker cannot start: its runs wait, and their viewers are told why."""
        worker = event.worker or event.device
        device: dict[str, Any] = {"worker": worker, "device": event.device, "name": "", "state": "stuck"}
        self._devices[worker] = {**device, "error": event.error}
        for run_id in event.runs or ():
            run = self.registry.open_run(run_id)
            if run is not None and not run.ended:
                run.stuck_worker = worker
                run.note = event.error
                self.listeners.changed(run.id)

    def on_died(self, event: WorkerDied) -> None:
        """Workers are gone. Their runs go on from their last checkpoints in others, which are on their way."""
        for worker in event.workers:
            if worker in self._devices:
                self._devices[worker]["state"] = "restarting"
        for run_id in event.runs:
            run = self.registry.open_run(run_id)
            if run is not None and not run.ended:
                self._restart(run, event)

    def _restart(self, run: Run, event: WorkerDied) -> None:
        step, checkpoint = run.last_checkpoint()
        if event.inside == run.id:
            run.deaths += 1
            run.death_step = max(run.death_step, run.step, step)
            if run.deaths >= MAX_DEATHS:
                run.error = Problem(
                    f"The worker died twice while it computed this run, after step {step}, so the run was given up. "
                    "Try a smaller network or batch, or another device.",
                    f"计算这次运行时，工作进程在第 {step} 步之后两次中断，因此已放弃。"
                    "请换用更小的网络或批大小，或其他设备。",
                )
                self.dispatcher.end(run, "failed")
                return
        run.note = Problem(
            f"The worker stopped unexpectedly (code {event.code}). The run goes on from step {max(step, 0)}.",
            f"工作进程意外中断（代码 {event.code}）。运行将从第 {max(step, 0)} 步继续。",
        )
        if run.state in ("stopping", "resting"):  # the command was lost with the worker
            run.state = "running"
        self._rewind(run, step)
        self.dispatcher.start(run, checkpoint, "paused" if run.status == "paused" else "running")

    def revive(self, run: Run, learner: str, control: RunControl, values: Values) -> None:
        """A run whose server ended ("cut") goes on from its last checkpoint, for `learner`, or ends where it is."""
        if control == "stop":
            run.note = None
            self.dispatcher.end(run, "stopped")
            return
        self.dispatcher.admit(learner)
        run.note = None
        run.learner = learner
        step, checkpoint = run.last_checkpoint()
        self._rewind(run, step)
        run.state = "running" if control == "resume" else "paused"
        self.dispatcher.start(run, checkpoint, run.state)
        if control == "step":
            self.dispatcher.send(StepRun(run.id))
        elif control == "set":
            self.dispatcher.send(SetParams(run.id, values))

    def _rewind(self, run: Run, step: int) -> None:
        run.record.rewind(step)
        self.listeners.notify(RunRewound(run.id, step))
