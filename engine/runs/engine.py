"""The engine as pages see it: runs are submitted, shared, watched, commanded, asked, forked and kept. No torch here.

Equal jobs are one run with several viewers. A command from its only viewer acts on the run itself; from one of several
it makes a private copy from that moment on. Runs go on from their last checkpoint when a worker dies, and pause when
nobody has watched them for a minute. Every run is kept on disk, and is there again after a restart.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from engine.backends.base import Backend
from engine.limits import Limits
from engine.messages import RUN_CONTROLS, RunControl, run_control
from engine.records.importing import open_untrusted
from engine.records.record import EXPORT_BYTES, Record
from engine.runs.audience import Audience, wake
from engine.runs.copies import Copies
from engine.runs.dispatcher import Dispatcher
from engine.runs.follower import Follower
from engine.runs.janitor import Janitor
from engine.runs.library import MAX_BYTES, RunLibrary
from engine.runs.listeners import Listener, Listeners
from engine.runs.questions import Answer, DecodePicture, Questions
from engine.runs.quotas import Quotas
from engine.runs.registry import Registry
from engine.runs.run import Run
from engine.runs.supervisor import Supervisor
from engine.runs.uploads import Uploads
from engine.types import Array, Job, Problem, Values

__all__ = ["Engine", "Run"]

LOG = logging.getLogger("torchroom.engine")


def no_pictures(data: bytes) -> Array:
    """For an engine that was given no decoder."""
    raise Problem("This server cannot read pictures.", "这个服务器无法读取图片。")


class Engine:
    """Owns the backend and the runs. All methods may be called from any thread and return at once."""

    def __init__(
        self,
        backend: Backend,
        folder: Path,
        *,
        limits: Limits | None = None,
        max_bytes: int = MAX_BYTES,
        decode_picture: DecodePicture = no_pictures,
    ) -> None:
        """`folder` is where runs are kept, `max_bytes` of them; `decode_picture` turns an upload into pixels."""
        self.backend = backend
        self.limits = limits or Limits.from_environment()
        self.library = RunLibrary(folder, max_bytes)
        self.uploads = Uploads()
        self._lock = threading.RLock()  # held by whoever calls the parts below
        self._closed = threading.Event()
        self._listeners = Listeners()
        self._registry = Registry(self.library)
        self._quotas = Quotas(self.limits)
        self._dispatcher = Dispatcher(backend, self._registry, self._quotas, self.uploads, self._listeners)
        self._audience = Audience(self._registry, self._dispatcher)
        self._copies = Copies(self._registry, self._dispatcher, self._listeners, self._lock)
        self._questions = Questions(self._dispatcher, decode_picture)
        self._supervisor = Supervisor(self._registry, self._dispatcher, self._listeners)
        self._follower = Follower(
            self._registry, self._dispatcher, self._copies, self._questions, self._supervisor, self._listeners
        )
        self._janitor = Janitor(self._registry, self._audience, self._quotas, self._lock, self._closed)

    def start(self) -> None:
        """Starts the workers, the thread that follows them, and the one that cleans up."""
        self.library.prune()
        self.backend.open()
        threading.Thread(target=self._follow, name="engine events", daemon=True).start()
        self._janitor.start()

    def _follow(self) -> None:
        for event, message in self.backend.events():
            with self._lock:
                if self._closed.is_set():
                    return
                try:
                    self._follower.on_event(event, message)
                except Exception:  # an event that cannot be used costs itself, not all runs
                    LOG.exception("event %r of run %r failed", event.kind, getattr(event, "run", ""))

    def close(self) -> None:
        """Ends the workers and closes every file. What was going on is kept as far as it came."""
        self._closed.set()
        self.backend.close()
        with self._lock:
            self._registry.close()

    # Runs

    def submit(self, job: Job, learner: str, again: bool = False) -> Run:
        """A run of `job`: an equal one that is not over is joined, an equal done one is there to be replayed.

        `again` makes a new attempt in any case. Raises Problem when this learner has too many going.
        """
        with self._lock:
            equal = self._registry.equal_run(job)
            if equal and not again and equal.status in ("queued", "running", "paused", "done"):
                return equal
            self._dispatcher.admit(learner)
            run = self._registry.create(job, learner)
            self._registry.remember_as_newest(run)
            self._dispatcher.enqueue(run)
            return run

    def going(self, job: Job) -> bool:
        """Whether an equal run is under way, which `submit` would join."""
        equal = self._registry.equal_run(job)
        return equal is not None and not equal.ended

    def open_record(self, path: Path, name: str) -> Run:
        """A recorded run (a lesson's demo.run) as a run that can be watched and asked. Opened once under `name`."""
        with self._lock:
            run = self._registry.open_run(name)
            if run is None:
                record = Record.open(path)
                run = self._registry.add(Run(name, record.job, "", record, "recorded", is_demo=True))
            return run

    def get(self, run_id: str) -> Run:
        """The run of that id, reopened from the library if need be. Raises Problem where there is none."""
        run = self._registry.open_run(run_id)
        if run is None:
            with self._lock:
                run = self._registry.get(run_id)
        return run

    def has(self, run_id: str) -> bool:
        """Whether `get` would find it."""
        return self._registry.has(run_id)

    def runs(self) -> list[Run]:
        """All open runs but the lessons' recordings, oldest first."""
        with self._lock:
            return [run for run in self._registry.all() if not run.is_demo]

    def place(self, run: Run) -> int | None:
        """How many runs are served before this one, counted from 1; None once a worker has it."""
        with self._lock:
            return self._dispatcher.place(run)

    # Files

    def export(self, run_id: str) -> bytes:
        """A run as it stands as one file, to take away; it plays on a machine without torch."""
        run = self.get(run_id)
        path = self.library.temp_path(secrets.token_hex(8))
        try:
            run.record.export(path)
            return path.read_bytes()
        finally:
            path.unlink(missing_ok=True)

    def import_run(self, data: bytes, validate: Callable[[Record], None]) -> Run:
        """A run that was exported somewhere, as one of this server's. Nothing in it is trusted before it is checked.

        `validate(record)` raises Problem if the record's lesson cannot use it. Raises Problem for whatever is not a
        sound record. The same file imported again is the same run.
        """
        if len(data) > EXPORT_BYTES:
            raise Problem(
                f"This file has {len(data) / 1e6:.0f} MB; a recorded run has at most {EXPORT_BYTES / 1e6:.0f} MB.",
                f"这个文件有 {len(data) / 1e6:.0f} MB，运行记录最多 {EXPORT_BYTES / 1e6:.0f} MB。",
            )
        path = self.library.temp_path(secrets.token_hex(8))
        path.write_bytes(data)
        try:
            record = open_untrusted(path)
            try:
                validate(record)
                run_id = f"{record.job.lesson}-{hashlib.sha256(data).hexdigest()[:12]}"
            finally:
                record.close()
            with self._lock:
                if not self.has(run_id):
                    path.replace(self.library.path(run_id))
                return self.get(run_id)
        finally:
            path.unlink(missing_ok=True)

    def put(self, data: bytes, learner: str) -> str:
        """Keeps an upload for two hours; the digest stands for it in settings and links."""
        return self.uploads.put(data, learner)

    # Workers

    def devices(self) -> list[Values]:
        """Each worker's device as it described itself, with "state": "starting", "ready", "restarting" or "stuck".

        One that is stuck has an "error", the Problem that keeps it from starting.
        """
        with self._lock:
            return self._supervisor.devices()

    def problems(self) -> list[Problem]:
        """Why workers cannot start, each reason once."""
        errors: list[Problem] = [device["error"] for device in self.devices() if device["state"] == "stuck"]
        return list({error.en: error for error in errors}.values())

    # Viewers

    def listen(self, listener: Listener) -> None:
        """`listener(event, message)` is called for all that happens, on the engine's threads; it must be quick."""
        self._listeners.add(listener)

    def watch(self, run_id: str, viewer: str, learner: str, aside: bool = False) -> Run:
        """`viewer` (one socket of `learner`) sees this run from now on; `aside`: only drawn beside another run.

        An onlooker, who sees it aside, neither keeps a run going nor shares it.
        """
        with self._lock:
            run = self.get(run_id)
            if aside:
                run.onlookers.add(viewer)
                return run
            self._audience.join(run, viewer, learner)
        self._listeners.changed(run.id)
        return run

    def leave(self, run_id: str, viewer: str) -> None:
        """`viewer` is gone; a run nobody has watched for a minute pauses, later it stops.

        It pauses at once where its learner has begun another since: that is the one they look at now.
        """
        with self._lock:
            run = self._registry.open_run(run_id)
            if run is not None:
                run.onlookers.discard(viewer)
            if run is None or viewer not in run.viewers:
                return
            self._audience.leave(run, viewer)
        self._listeners.changed(run.id)

    # Commands

    def tell(self, run_id: str, learner: str, command: str, values: Mapping[str, Any] | None = None) -> str:
        """A command to a run: pause, resume, step, stop, or set (with live settings). Returns the run it acted on.

        That is another run, a private copy, when others watch this one too.
        """
        values = dict(values or {})
        if command not in RUN_CONTROLS:
            raise Problem(f"{command!r:.40} is not a command.", f"{command!r:.40} 不是可用的指令。")
        with self._lock:
            run = self.get(run_id)
            if run.ended:
                raise Problem(
                    f"This run has ended ({run.status}), so it cannot be told to {command}. Press Run for a new one.",
                    f"这次运行已经结束（{run.status}），无法再执行“{command}”。请点“运行”开始新的一次。",
                )
            if any(viewer != learner for viewer in run.viewers.values()):
                return self._copies.copy(run, learner, command, values).id
            self._control(run, learner, command, values)
        self._listeners.changed(run.id)
        return run.id

    def _control(self, run: Run, learner: str, control: RunControl, values: Values) -> None:
        """A command to a run that only `learner` watches."""
        if run.state == "cut":
            self._supervisor.revive(run, learner, control, values)
        elif run.state == "copying":
            self._copies.redirect(run, control, values)
        elif run.state == "queued":
            if control == "stop":
                self._dispatcher.stop(run)
            elif control == "set":
                run.live.update(values)
        else:
            if control == "set":
                self._registry.forget_as_newest(run)
            wake(run)
            self._dispatcher.send(run_control(control, run.id, values))

    def fork(self, run_id: str, step: int | None, job: Job, learner: str) -> Run:
        """A new run of `job` from the last checkpoint of `run_id` at or before `step`; equal settings go on unchanged.

        With `step` None it goes on from where that run is now: one that is under way is asked for its present state.
        """
        with self._lock:
            return self._copies.fork(self.get(run_id), step, job, learner)

    def ask(self, run_id: str, step: int | None, name: str, args: Mapping[str, Any]) -> Answer:
        """`look(job, state, name, args)` in a worker, on the live run (`step` None) or the last checkpoint by `step`.

        A digest in args["picture"] goes as its pixels. Returns a future of (the step answered for, arrays).
        """
        answer: Answer = Future()
        answer.set_running_or_notify_cancel()
        try:
            with self._lock:
                self._questions.ask(self.get(run_id), step, name, args, answer)
        except Problem as problem:
            answer.set_exception(problem)
        return answer
