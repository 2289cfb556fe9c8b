"""The engine as pages see it: runs are submitted, shared, watched, commanded, asked and copied. No torch here.

Identical jobs are one run with several viewers. A command from its only viewer acts on the run itself; from one of
several it makes a private copy from that moment on. Runs go on from their last snapshot when a worker dies, and pause
when nobody has watched them for a minute. Every run is kept on disk, and is there again after a restart.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from engine import files
from engine.backends.base import Backend
from engine.datasets.picture import decode
from engine.limits import DAY_S, Limits
from engine.messages import RUN_CONTROLS
from engine.records.blocks import decode_blocks
from engine.records.record import EXPORT_BYTES, Record
from engine.runs.library import IN_ALL, RunLibrary
from engine.runs.uploads import Blobs
from engine.types import ENDED, Arrays, Checkpoint, Job, Problem, Values

DIGEST = re.compile("[0-9a-f]{64}")
LOG = logging.getLogger("torchroom.engine")

UNWATCHED_PAUSE_S = 60.0
UNWATCHED_STOP_S = 600.0
KEPT_RUNS = 200  # ended runs held open, and
KEPT_BYTES = 400_000_000  # of memory for their scalars; those that are let go stay on the shelf
TIDY_S = 60.0  # between two looks at the shelf
SETTLED_S = 1.0  # that a fork of what is under way waits for its state before it is shown without
DEATHS = 2  # in a run's own slice, from the same snapshot

Listener: TypeAlias = Callable[[str, Values, Arrays, bytes], None]
Answer: TypeAlias = "Future[tuple[int | None, Arrays]]"


@dataclass(eq=False)
class Run:
    """One training run: what was asked, how it stands, who watches, and all it did so far."""

    id: str
    job: Job
    learner: str
    record: Record
    status: str = "queued"
    error: Problem | None = None
    note: Problem | None = None
    device: str = ""
    worker: str = ""  # the one that computes it
    stuck: str = ""  # the worker it waits for, which cannot start; why is in the note
    rate: float = 0.0
    spent: float = 0.0  # seconds of its worker
    live: Values = field(default_factory=dict)  # live settings changed since the start
    viewers: dict[str, str] = field(default_factory=dict)  # viewer (one socket) -> learner
    born: float = field(default_factory=time.monotonic)
    left: float = field(default_factory=time.monotonic)  # when the last viewer went
    idle: bool = False  # paused because nobody watched
    shipped: bool = False  # a lesson's own recording, which is no file of the shelf
    cut: bool = False  # its server ended while it was going on; it can go on from its last snapshot
    onlookers: set[str] = field(default_factory=set)  # sockets that only draw it beside another run
    began: bool = False  # handed to a worker
    full: bool = False  # stopped because its record is, or its learner's day
    deaths: int = 0  # of the worker, in this run's own slice, since it last got further
    died_at: int = -1

    @property
    def total(self) -> int:
        """Steps the whole run has; 0 while that is not known."""
        return self.record.total

    @property
    def origin(self) -> tuple[str, int] | None:
        """The run and step this is a fork or copy of."""
        return self.record.origin

    @property
    def marks(self) -> list[int]:
        """Steps at which it can be forked. A lesson's own recording keeps models to look into, not what trains on."""
        return [] if self.status == "recorded" else self.record.snapshots

    @property
    def step(self) -> int:
        """The last step taken, -1 before the first."""
        return self.record.last

    @property
    def params(self) -> Values:
        """The settings in force: the job's, with what was changed while it ran."""
        return {**self.job.params, **self.live}

    @property
    def ended(self) -> bool:
        return self.status in ENDED


@dataclass(slots=True)
class Account:
    """What a learner's runs have taken since `since`: training steps, and seconds of the workers."""

    steps: int = 0
    seconds: float = 0.0
    since: float = field(default_factory=time.monotonic)


class Engine:
    """Owns the backend and the runs. All methods may be called from any thread and return at once."""

    def __init__(
        self,
        backend: Backend,
        folder: Path,
        *,
        limits: Limits | None = None,
        most: int = IN_ALL,
    ) -> None:
        self.backend = backend
        self.library = RunLibrary(folder, most)
        self.limits = limits or Limits.here()
        self.blobs = Blobs()
        self._runs: dict[str, Run] = {}
        self._accounts: dict[str, Account] = {}  # by learner
        self._latest: dict[str, str] = {}  # job key -> the run that answers for it
        self._queue: list[str] = []
        self._devices: dict[str, Values] = {}
        self._listeners: list[Listener] = []
        self._asks: dict[int, tuple[str, Answer]] = {}
        self._copies: dict[str, tuple[str, str, Values]] = {}  # copy -> (source, command, values), until its snapshot
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        self._settled = threading.Condition(self._lock)  # a copy has what it waited for
        self._closed = threading.Event()

    def start(self) -> None:
        """Starts the workers and the two threads that follow them."""
        self.library.tidy()
        self.backend.open()
        threading.Thread(target=self._follow, name="engine events", daemon=True).start()
        threading.Thread(target=self._tidy, name="engine housekeeping", daemon=True).start()

    def close(self) -> None:
        """Ends the workers and lets go of every file. What was going on is kept as far as it came."""
        self._closed.set()
        self.backend.close()
        with self._lock:
            for run in self._runs.values():
                if run.step < 0 and not run.shipped:
                    run.record.remove()
                else:
                    run.record.close()

    # Runs

    def submit(self, job: Job, learner: str, again: bool = False) -> Run:
        """A run of `job`: an equal one that is not over is joined, an equal done one is there to be replayed.

        `again` makes a new attempt in any case. Raises Problem when this learner has too many going.
        """
        with self._lock:
            same = self._same(job)
            if same and not again and same.status in ("queued", "running", "paused", "done"):
                return same
            self._spare(learner)
            name = self._name(job)
            run = Run(name, job, learner, Record.create(self.library.place(name), job))
            self._runs[run.id] = run
            self._latest[job.key()] = run.id
            self._queue.append(run.id)
            self._dispatch()
            return run

    def going(self, job: Job) -> bool:
        """Whether an equal run is under way, which `submit` would join."""
        same = self._same(job)
        return same is not None and not same.ended

    def open_record(self, path: Path, name: str) -> Run:
        """A recorded run (a lesson's demo.run) as a run that can be watched and asked. Opened once under `name`."""
        with self._lock:
            if name not in self._runs:
                record = Record.open(path)
                self._runs[name] = Run(name, record.job, "", record, status="recorded", shipped=True)
            return self._runs[name]

    def get(self, run_id: str) -> Run:
        """The run of that name, taken from the shelf if need be, or a Problem."""
        run = self._runs.get(run_id)
        if run is None:
            with self._lock:
                run = self._runs.get(run_id) or self._again(run_id)
        return run

    def has(self, run_id: str) -> bool:
        """Whether `get` would find it."""
        return run_id in self._runs or self.library.has(run_id)

    def export(self, run_id: str) -> bytes:
        """A run as it stands as one file, to take away; it plays on a machine without torch."""
        run = self.get(run_id)
        path = self.library.aside(secrets.token_hex(8))
        try:
            run.record.export(path)
            return path.read_bytes()
        finally:
            path.unlink(missing_ok=True)

    def bring(self, data: bytes, judge: Callable[[Record], None]) -> Run:
        """A run that was exported somewhere, as one of this server's. Nothing in it is believed before it is checked.

        `judge(record)` says whether its lesson can use it. Raises Problem for whatever is not a sound record; the
        same file brought again is the same run.
        """
        if len(data) > EXPORT_BYTES:
            raise Problem(
                f"This file has {len(data) / 1e6:.0f} MB; a recorded run has at most {EXPORT_BYTES / 1e6:.0f} MB.",
                f"这个文件有 {len(data) / 1e6:.0f} MB，运行记录最多 {EXPORT_BYTES / 1e6:.0f} MB。",
            )
        path = self.library.aside(secrets.token_hex(8))
        path.write_bytes(data)
        try:
            record = Record.check(path)
            try:
                judge(record)
                name = f"{record.job.lesson}-{hashlib.sha256(data).hexdigest()[:12]}"
            finally:
                record.close()
            with self._lock:
                if not self.has(name):
                    path.replace(self.library.place(name))
                return self.get(name)
        finally:
            path.unlink(missing_ok=True)

    def runs(self) -> list[Run]:
        """All runs that are kept, oldest first."""
        with self._lock:
            return [run for run in self._runs.values() if not run.shipped]

    def devices(self) -> list[Values]:
        """Each worker's device as it described itself, with "state": "starting", "ready", "restarting" or "stuck".

        One that is stuck has an "error", the Problem that keeps it from starting.
        """
        with self._lock:
            return list(self._devices.values()) or [{"worker": "", "device": "auto", "name": "", "state": "starting"}]

    def problems(self) -> list[Problem]:
        """Why workers cannot start, each reason once."""
        found = {one["error"].en: one["error"] for one in self.devices() if one["state"] == "stuck"}
        return list(found.values())

    def place(self, run: Run) -> int | None:
        """How many runs are served before this one, counted from 1; None once it has begun."""
        with self._lock:
            return self._queue.index(run.id) + 1 if run.id in self._queue else None

    def listen(self, listener: Listener) -> None:
        """`listener(run_id, event, arrays, message)` hears everything, on the engine's threads; it must be quick.

        Events: "run" (something about it changed), "scalars" (groups), "frame" (step), "rewind" (step).
        """
        self._listeners.append(listener)

    def watch(self, run_id: str, viewer: str, learner: str, aside: bool = False) -> Run:
        """`viewer` (one socket of `learner`) sees this run from now on; `aside`: only drawn beside another run.

        An onlooker does not count where it is asked whether somebody watches, or whose run this is.
        """
        with self._lock:
            run = self.get(run_id)
            if aside:
                run.onlookers.add(viewer)
                return run
            run.viewers[viewer] = learner
            if run.idle:
                run.idle = False
                run.note = None
                self.backend.tell(run.id, "resume", {})
        self._say(run)
        return run

    def leave(self, run_id: str, viewer: str) -> None:
        """`viewer` is gone; a run nobody has watched for a minute pauses, later it stops.

        It pauses at once where its learner has begun another since: that one is what they look at now.
        """
        with self._lock:
            run = self._runs.get(run_id)
            if run is not None:
                run.onlookers.discard(viewer)
            if run is None or viewer not in run.viewers:
                return
            del run.viewers[viewer]
            run.left = time.monotonic()
            if not run.viewers and run.began and run.status == "running":
                mine = (one for one in self._runs.values() if one.learner == run.learner and not one.ended)
                if any(one.born > run.born for one in mine):
                    self._rest(run)
        self._say(run)

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
            if not self._alone(run, learner):
                return self._copy(run, learner, command, values)
            if run.cut:
                self._wake(run, learner, command, values)
            elif run.id in self._queue:
                if command == "stop":
                    self._queue.remove(run.id)
                    self._end(run, "stopped")
                elif command == "set":
                    run.live.update(values)
            elif run.id in self._copies:
                source, _, _ = self._copies[run.id]
                self._copies[run.id] = (source, command, values)
            else:
                if command == "set":
                    self._latest = {key: name for key, name in self._latest.items() if name != run.id}
                run.idle = False
                self.backend.tell(run.id, command, values)
        self._say(run)
        return run.id

    def fork(self, run_id: str, step: int | None, job: Job, learner: str) -> Run:
        """A new run of `job` from the last snapshot of `run_id` at or before `step`; equal settings go on unchanged.

        With `step` None it goes on from where that run is now: one that is under way is asked for its present state.
        """
        with self._lock:
            source = self.get(run_id)
            if step is None and source.began and not source.ended and run_id not in self._copies:
                self._spare(learner)
                name = self._name(job)
                run = Run(name, job, learner, Record.create(self.library.place(name), job))
                self._runs[run.id] = run
                self._copies[run.id] = (run_id, "resume", {})
                self.backend.tell(run_id, "snapshot", {"wanted": run.id})
                self._settled.wait_for(lambda: run.id not in self._copies, SETTLED_S)
                return run
            step = source.step if step is None else step
            found = source.record.snapshot(step)
            if found is None:
                raise Problem(
                    f"No snapshot at or before step {step} was kept. Fork at one of the marked steps.",
                    f"第 {step} 步及之前没有保存快照，请在有标记的步骤处分叉。",
                )
            if not source.marks:
                raise Problem(
                    "The lesson's own recording cannot be forked. Press Run, then fork your run.",
                    "课程自带的录像不能分叉。请先点“运行”，再对自己的运行分叉。",
                )
            self._spare(learner)
            at, state = found
            state = own(state, job)
            name = self._name(job)
            run = Run(name, job, learner, source.record.copy(self.library.place(name), at, job, (run_id, at)))
            self._runs[run.id] = run
            self._begin(run, state)
        self._say(run)
        return run

    def ask(self, run_id: str, step: int | None, name: str, args: Mapping[str, Any]) -> Answer:
        """`look(job, state, name, args)` in a worker, on the live run (`step` None) or the last snapshot by `step`.

        A digest in args["picture"] goes as its pixels. Returns a future of (the step answered for, arrays).
        """
        answer: Answer = Future()
        answer.set_running_or_notify_cancel()
        try:
            with self._lock:
                run = self.get(run_id)
                arrays: Arrays = {}
                rest = dict(args)
                if isinstance(rest.get("picture"), str) and rest["picture"]:
                    arrays["arg.picture"] = decode(self.blobs.get(rest.pop("picture")))
                head = step is None or step >= run.step
                at: int | None = None
                if not (head and run.began) or run.status == "paused":
                    found = run.record.snapshot(run.step if step is None else step)
                    if found:
                        at, state = found
                        arrays |= {f"state.{key}": array for key, array in state.items()}
                number = next(self._numbers)
                self._asks[number] = (run.id, answer)
                message = {"id": number, "name": name, "args": rest, "step": at, "job": run.job.as_json()}
                self.backend.tell(run.id, "ask", message, {**arrays, **self._files(run.job)})
        except Problem as problem:
            answer.set_exception(problem)
        return answer

    def put(self, data: bytes, learner: str) -> str:
        """Keeps an upload for two hours; the digest stands for it in settings and links."""
        return self.blobs.put(data, learner)

    # Inside

    def _name(self, job: Job) -> str:
        while self.has(name := f"{job.lesson}-{secrets.token_hex(4)}"):
            pass
        return name

    def _same(self, job: Job) -> Run | None:
        """The run that answers for `job`, unless its settings were changed on the way."""
        run = self._runs.get(self._latest.get(job.key(), ""))
        return None if run is None or run.live else run

    def _again(self, run_id: str) -> Run:
        """A run from the shelf: ended, or cut off by the end of the server it went on in."""
        gone = Problem(
            f"The run {run_id:.40} is not here any more. Press Run to make a new one.",
            f"运行 {run_id:.40} 已不存在，请点“运行”重新开始。",
        )
        if not self.library.has(run_id):
            raise gone
        try:
            record = self.library.open(run_id)
        except FileNotFoundError:
            raise gone from None
        run = Run(run_id, record.job, "", record, record.status, record.error, cut=record.status not in ENDED)
        for _, values in record.changes:
            run.live.update(values)
        if run.cut:
            if record.last < 0:
                record.remove()
                raise gone
            found = record.snapshots
            step = found[-1] if found else 0
            run.status = "paused"
            run.note = Problem(
                f"The server ended while this run was going on. What was recorded is here, up to step {run.step}; "
                f"press play at its end to go on from step {step}, its last snapshot.",
                f"运行途中服务器关闭了。已记录的部分都在（到第 {run.step} 步）；"
                f"在末尾按播放键，可从最后一个快照（第 {step} 步）继续。",
            )
        self._runs[run.id] = run
        return run

    def _wake(self, run: Run, learner: str, command: str, values: Values) -> None:
        """A run that was cut off goes on from its last snapshot, or ends where it is."""
        run.cut = False
        run.note = None
        if command == "stop":
            self._end(run, "stopped")
            return
        self._spare(learner)
        run.learner = learner
        found = run.record.snapshot(run.step)
        step, state = found or (-1, None)
        run.record.rewind(step)
        self._say(run, {"type": "rewind", "run": run.id, "step": step})
        run.status = "running" if command == "resume" else "paused"
        self._begin(run, state, run.status)
        if command in ("step", "set"):
            self.backend.tell(run.id, command, values)

    def _alone(self, run: Run, learner: str) -> bool:
        return set(run.viewers.values()) <= {learner}

    def _spare(self, learner: str) -> None:
        """Room for one more run of `learner`: those nobody watches give way first."""
        used = self._used_up(learner)
        if used:
            raise used
        most = self.limits.runs
        own = [run for run in self._runs.values() if run.learner == learner and not run.ended]
        for run in own:
            if len(own) >= most and not run.viewers:
                own = [one for one in own if one is not run]
                self._stop(run)
        if len(own) >= most:
            raise Problem(
                f"You have {len(own)} runs going; {most} at once is the limit. Stop one, then run this.",
                f"你已有 {len(own)} 个运行在进行，上限为 {most} 个。请先停止一个。",
            )
        if len(self._queue) >= self.limits.waiting:
            raise Problem(
                f"{len(self._queue)} runs are waiting for their turn here, the most there may be. Try again in a "
                "minute.",
                f"这里已有 {len(self._queue)} 个运行在排队，达到上限。请过一分钟再试。",
            )

    def _used_up(self, learner: str) -> Problem | None:
        """Why this learner has to wait for tomorrow, if so."""
        account = self._accounts.get(learner)
        if account is None:
            return None
        left = (account.since + DAY_S - time.monotonic()) / 3600
        if left <= 0:
            del self._accounts[learner]
            return None
        for used, most, en, zh in (
            (account.steps, self.limits.steps, "training steps", "训练步"),
            (int(account.seconds), self.limits.seconds, "seconds of computing", "秒计算时间"),
        ):
            if used >= most:
                return Problem(
                    f"Your runs have taken {used:,} {en} within a day; {most:,} is the limit here. What is recorded "
                    f"can still be replayed; new steps are possible again in {left:.1f} hours.",
                    f"你的运行在一天内已用去 {used:,} {zh}，这里的上限是 {most:,}。"
                    f"已有的记录仍可回放，{left:.1f} 小时后可以继续训练。",
                )
        return None

    def _charge(self, run: Run, steps: int, spent: float) -> None:
        """Adds what a run has taken to its learner's account, and stops it where that is used up."""
        account = self._accounts.setdefault(run.learner, Account())
        account.steps += max(0, steps)
        account.seconds += spent - run.spent if spent >= run.spent else spent  # less: it is in another worker now
        run.spent = spent
        used = self._used_up(run.learner)
        if used and not run.full:
            run.full, run.note = True, used
            self.backend.tell(run.id, "stop", {})

    def _stop(self, run: Run) -> None:
        if run.id in self._queue:
            self._queue.remove(run.id)
            self._end(run, "stopped")
        else:
            self.backend.tell(run.id, "stop", {})

    def _dispatch(self) -> None:
        """Hands queued runs to the workers while there is room, first those of learners with the fewest going."""
        while self._queue:
            going = [run for run in self._runs.values() if run.began and not run.ended]
            if len(going) >= self.limits.active:
                break
            load = {run.learner: 0 for run in self._runs.values()}
            for run in going:
                load[run.learner] += 1
            first = min(self._queue, key=lambda name: load[self._runs[name].learner])
            self._queue.remove(first)
            self._begin(self._runs[first])
        for name in self._queue:
            self._say(self._runs[name])

    def _begin(self, run: Run, state: Checkpoint | None = None, status: str = "running") -> None:
        run.began = True
        arrays = {**(state or {}), **self._files(run.job)}
        self.backend.start(run.id, run.job, run.learner, arrays or None, run.live, status)

    def _files(self, job: Job) -> Arrays:
        """The files that a job's settings name, as far as they are still kept: they travel with it."""
        named = [value for value in job.params.values() if isinstance(value, str) and DIGEST.fullmatch(value)]
        return files.pack({sha: self.blobs.get(sha) for sha in named if sha in self.blobs})

    def _copy(self, run: Run, learner: str, command: str, values: Values) -> str:
        """A private copy of a shared run from now on. Its state is fetched from the worker; until then it waits."""
        name = self._name(run.job)
        if command == "stop" or not (run.began or run.cut):
            copy = Run(name, run.job, learner, self._past(run, name, run.step), live=dict(run.live))
            self._runs[copy.id] = copy
            self._end(copy, "stopped")
            return name
        copy = Run(name, run.job, learner, Record.create(self.library.place(name), run.job), live=dict(run.live))
        self._runs[copy.id] = copy
        if run.cut:
            self._copies[copy.id] = (run.id, command, values)
            self._copied(copy.id, *(run.record.snapshot(run.step) or (-1, {})))
        else:
            self._copies[copy.id] = (run.id, command, values)
            self.backend.tell(run.id, "snapshot", {"wanted": copy.id})
        return copy.id

    def _copied(self, copy_id: str, step: int, state: Checkpoint) -> None:
        """The snapshot a copy waited for is here: it shares the past and goes its own way."""
        source_id, command, values = self._copies.pop(copy_id)
        self._settled.notify_all()
        copy, source = self._runs[copy_id], self._runs[source_id]
        copy.record.remove()
        forked = copy.job is not source.job  # it goes its way with settings of its own
        if forked and not state:  # its source ended before it could say where it was
            step, state = source.record.snapshot(source.step) or (step, {})
        copy.record = self._past(source, copy.id, step if state else source.step, copy.job if forked else None)
        state = own(state, copy.job) if forked else state
        if not state:  # it ended in the meantime: the copy is its replay
            self._end(copy, source.status)
            return
        if command == "stop":
            self._end(copy, "stopped")
            return
        if command == "set":
            self._begin(copy, state, "running" if source.status == "running" else "paused")
            self.backend.tell(copy.id, "set", values)
        else:
            self._begin(copy, state, "running" if command == "resume" else "paused")

    def _past(self, source: Run, name: str, upto: int, job: Job | None = None) -> Record:
        """The record of a copy called `name`: what its source did up to a step."""
        return source.record.copy(self.library.place(name), upto, job, (source.id, upto))

    def _end(self, run: Run, status: str) -> None:
        run.status = status
        run.record.end(status, run.error)
        run.began = False
        self._dispatch()
        self._say(run)

    def _say(self, run: Run, event: Values | None = None, arrays: Arrays | None = None, message: bytes = b"") -> None:
        for listener in self._listeners:
            try:
                listener(run.id, event or {"type": "run"}, arrays or {}, message)
            except Exception:  # one that fails must not silence the others, nor the engine
                LOG.exception("a listener failed on run %s", run.id)

    # What workers say

    def _follow(self) -> None:
        for header, arrays, message in self.backend.events():
            with self._lock:
                if self._closed.is_set():
                    return
                try:
                    self._heed(header, arrays, message)
                except Exception:  # an event that cannot be used costs itself, not all runs
                    LOG.exception("event %r of run %r failed", header.get("type"), header.get("run"))

    def _heed(self, header: Values, arrays: Arrays, message: bytes) -> None:
        kind = header["type"]
        if kind == "ready":
            self._ready(header)
        elif kind == "died":
            self._died(header)
        elif kind == "stuck":
            self._stuck(header)
        elif kind == "answer":
            self._answered(header, arrays)
        elif header["run"] in self._runs:
            run = self._runs[header["run"]]
            if not run.ended or kind == "snapshot":
                getattr(self, f"_on_{kind}")(run, header, arrays, message)

    def _on_scalars(self, run: Run, header: Values, arrays: Arrays, message: bytes) -> None:
        before = run.step
        run.record.add_scalars(decode_blocks(header, arrays), header["total"])
        self._charge(run, run.step - before, header.get("spent", 0.0))
        run.rate = header["rate"]
        if run.record.full and not run.full:
            run.full = True
            run.note = Problem(
                f"This run has recorded as much as one run may, so it was stopped at step {run.step}. Fork it at its "
                "end to go on.",
                f"这次运行的记录已达上限，因此在第 {run.step} 步停止。在末尾分叉即可继续。",
            )
            self.backend.tell(run.id, "stop", {})
        self._say(run, header, arrays, message)

    def _on_frame(self, run: Run, header: Values, arrays: Arrays, message: bytes) -> None:
        run.record.add_frame(message)
        self._say(run, header, arrays, message)

    def _on_snapshot(self, run: Run, header: Values, arrays: Arrays, message: bytes) -> None:
        wanted = header["wanted"]
        if wanted:
            if wanted in self._copies:
                self._copied(wanted, header["step"], dict(arrays))
        else:
            run.record.add_snapshot(message)
            if header["step"] > run.died_at:
                run.deaths = 0

    def _on_status(self, run: Run, header: Values, arrays: Arrays, message: bytes) -> None:
        error = header["error"]
        if error:
            run.error = Problem(error["en"], error["zh"])
            if run.origin and run.step <= run.origin[1] and run.origin[0] in self._runs:
                run.error = self._unfit(run, self._runs[run.origin[0]], run.error)
        if header["status"] in ENDED:
            self._end(run, header["status"])
            return
        run.status = header["status"]
        run.worker = header.get("worker") or next(iter(self._devices), "")
        run.device = self._devices.get(run.worker, {"device": ""})["device"]
        self._say(run)

    def _unfit(self, run: Run, source: Run, error: Problem) -> Problem:
        """Why a fork could not take its first step: most likely what was changed does not go with what was kept."""
        changed = ", ".join(sorted(name for name, value in run.params.items() if source.params.get(name) != value))
        if not changed:
            return error
        step = run.step
        return Problem(
            f"This fork cannot go on from step {step} with {changed} changed. Put that back and fork again, or press "
            f"Run to begin anew with it. ({error.en})",
            f"更改 {changed} 后，无法从第 {step} 步继续。请改回后再分叉，或点“运行”用新设置重新开始。（{error.zh}）",
        )

    def _on_changed(self, run: Run, header: Values, arrays: Arrays, message: bytes) -> None:
        run.live.update(header["values"])
        run.record.change(header["step"], header["values"])
        self._say(run)

    def _on_refused(self, run: Run, header: Values, arrays: Arrays, message: bytes) -> None:
        run.note = Problem(header["error"]["en"], header["error"]["zh"])
        self._say(run)

    def _answered(self, header: Values, arrays: Arrays) -> None:
        _, answer = self._asks.pop(header["id"], (None, None))
        if answer is None:
            return
        if header.get("error"):
            answer.set_exception(Problem(header["error"]["en"], header["error"]["zh"]))
        else:
            answer.set_result((header["step"], arrays))

    def _ready(self, header: Values) -> None:
        """A worker is up. What was said of it while it could not start is over."""
        worker: str = header.get("worker") or header["device"]
        self._devices.pop(worker.rpartition("/")[0], None)  # what it is behind had something to say, and is there now
        self._devices[worker] = {**header, "worker": worker, "state": "ready"}
        for run in self._runs.values():
            if run.stuck and run.stuck in (worker, worker.rpartition("/")[0]):
                run.stuck = ""
                run.note = None
                self._say(run)

    def _stuck(self, header: Values) -> None:
        """A worker cannot start: those who wait for it, and the engine room, are told why."""
        error = Problem(header["error"]["en"], header["error"]["zh"])
        worker = header["worker"]
        told = {"worker": worker, "device": header["device"], "name": "", "state": "stuck", "error": error}
        self._devices[worker] = told
        for name in header["runs"]:
            run = self._runs.get(name)
            if run is not None and not run.ended:
                run.stuck = worker
                run.note = error
                self._say(run)

    def _died(self, header: Values) -> None:
        """A worker is gone. Its runs go on from their last snapshots in the next one, which is on its way."""
        for worker in header["workers"]:
            if worker in self._devices:
                self._devices[worker]["state"] = "restarting"
        for number, (_, answer) in list(self._asks.items()):
            del self._asks[number]
            answer.set_exception(
                Problem("The worker stopped before it could answer. Ask again.", "工作进程在回答前中断，请再试一次。")
            )
        for copy_id, (source_id, _, _) in list(self._copies.items()):
            found = self._runs[source_id].record.snapshot(self._runs[source_id].step)
            self._copied(copy_id, *(found or (-1, {})))
        for name in header["runs"]:
            run = self._runs.get(name)
            if run is None or run.ended:
                continue
            found = run.record.snapshot(run.step)
            step, state = found or (-1, None)
            if header["inside"] == name:
                run.deaths += 1
                run.died_at = max(run.died_at, run.step, step)
                if run.deaths >= DEATHS:
                    run.error = Problem(
                        f"The worker died twice while it computed this run, after step {step}, so the run was given "
                        "up. Try a smaller network or batch, or another device.",
                        f"计算这次运行时，工作进程在第 {step} 步之后两次中断，因此已放弃。"
                        "请换用更小的网络或批大小，或其他设备。",
                    )
                    self._end(run, "failed")
                    continue
            paused = run.status == "paused"
            run.record.rewind(step)
            run.note = Problem(
                f"The worker stopped unexpectedly (code {header['code']}). The run goes on from step {max(step, 0)}.",
                f"工作进程意外中断（代码 {header['code']}）。运行将从第 {max(step, 0)} 步继续。",
            )
            self._say(run, {"type": "rewind", "run": run.id, "step": step})
            self._begin(run, state, "paused" if paused else "running")

    def _rest(self, run: Run) -> None:
        """Pauses a run until somebody watches it again."""
        run.idle = True
        run.note = Problem("Paused: nobody was watching.", "已暂停：没有人在看。")
        self.backend.tell(run.id, "pause", {})

    def _tidy(self) -> None:
        """Runs nobody watches pause, then stop; the oldest ended ones are let go; the shelf is kept in its bounds."""
        looked = time.monotonic()
        while not self._closed.wait(1.0):
            with self._lock:
                now = time.monotonic()
                for run in list(self._runs.values()):
                    if run.viewers or run.ended or not run.began:
                        continue
                    if run.status == "running" and now - run.left > UNWATCHED_PAUSE_S:
                        self._rest(run)
                    elif now - run.left > UNWATCHED_STOP_S:
                        self.backend.tell(run.id, "stop", {})
                self._let_go()
            if time.monotonic() - looked > TIDY_S:
                looked = time.monotonic()
                with self._lock:
                    self._accounts = {name: one for name, one in self._accounts.items() if looked < one.since + DAY_S}
                self.library.tidy(self._runs.__contains__)

    def _let_go(self) -> None:
        """Closes the records of the oldest runs that are over and that nobody sees; `get` finds them on the shelf."""
        over = [run for run in self._runs.values() if (run.ended or run.cut) and not run.shipped]
        count, size = len(over), sum(run.record.weight for run in over)
        for run in over:
            if count <= KEPT_RUNS and size <= KEPT_BYTES:
                break
            if run.viewers or run.onlookers:
                continue
            count, size = count - 1, size - run.record.weight
            del self._runs[run.id]
            self._latest = {key: name for key, name in self._latest.items() if name != run.id}
            run.record.close()


def own(state: Checkpoint, job: Job) -> Checkpoint:
    """A snapshot for a fork with the settings of `job`, which go before what was changed while its source ran."""
    void = {f"live.{name}" for name, value in job.params.items() if state.get(f"live.{name}", value) != value}
    return {name: array for name, array in state.items() if name not in void}
