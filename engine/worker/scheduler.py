"""Many runs on one device, in turn: the inside of a worker, and of the inline backend.

A run is a generator; pausing it is not calling `next`, stopping it is closing it. Or it is a lane
(engine/worker/batched.py), which takes as many steps at a call as fit into a few milliseconds. FairShare are slices of
at most 20 ms, shorter where many learners wait. Next is always the learner who has had the least time of those who are
ready (start-time fair queueing: Goyal, Vin and Cheng 1996; who was away has saved nothing up), and of their runs the
one that has waited longest. A single step that takes longer is a slice of its own, so light runs are served between
any two of those, and heavy ones share evenly what is left. A run computes on one thread unless its lesson's
`threads(job)` says 0, all of them: small models are faster on one, and the pages need a processor too. Everything that
leaves is one packed message of engine/wire.py, given to `emit`:

    scalars   run, groups, total, rate, spent (seconds of this worker), made (wall time of its first step)
    frame     run, step, scalars, made + arrays
    snapshot  run, step, wanted + arrays    status    run, status, error
    changed   run, step, values             answer    id, step, error + arrays
"""

from __future__ import annotations

import contextlib
import importlib
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import numpy as np
import torch

from engine import files
from engine.checkpoint import LIVE, pack_live, unpack_live
from engine.hooks import Compute
from engine.limits import Limits
from engine.params import Params, checked
from engine.records.blocks import encode_blocks, merged
from engine.types import Arrays, Job, Problem, ScalarBlock, Step, Values
from engine.wire import pack
from engine.worker import devices
from engine.worker import rng as generators
from engine.worker.batched import BatchedRun, last_scalars

SLICE_S = 0.020
ROUND_S = 0.100  # in which every learner should have had a turn
CALL_S = 0.004  # of a lane
BEAT_S = 0.020  # between two calls of a lane that a pace holds back
FLUSH_S = 0.050  # at most 20 messages a second of scalars for each run
FLUSHES = 800  # a second, for all runs
FRAME_S = 0.036  # at most 25 a second, with every other beat: motion, rather than pictures
FRAMES = 600  # a second, for all runs
FRAME_SHARE = 0.03  # of a run's time, at most, goes into pictures,
IDLE_SHARE = 0.25  # or so much, while it keeps its pace all the same: it would only have waited
SNAPSHOT_S = 4.0
SNAPSHOT_SHARE = 0.01
MARKS = 48  # steps of a run that are kept evenly over it, as long as they take no more than
MARK_SHARE = 0.02  # of its time
MARKED = 64  # up to here the steps 1, 2, 4, ... are always kept
RATE_S = 1.0

Emit = Callable[[bytes], None]
Lesson = Generator[Step, Values | None, None]


@dataclass(slots=True)
class FairShare:
    """A learner's runs, the one that has waited longest first, and what they have had of this worker."""

    runs: deque[str] = field(default_factory=deque)
    spent: float = 0.0  # seconds, counted from when the least served one of that time had had as many
    last: float = 0.0  # seconds of the last slice


@dataclass(slots=True)
class Active:
    """A run in this process."""

    id: str
    job: Job
    learner: str
    kind: type[Params] | None
    going: Lesson | BatchedRun
    params: Values
    threads: int = 1
    status: str = "running"
    step: Step | None = None
    changes: Values = field(default_factory=dict)
    wanted: int = 0  # single steps asked for while paused
    due: float = 0.0
    spent: float = 0.0  # seconds of this worker
    memory: int = 0  # bytes that its turns have added to what the device holds
    world: generators.World = ()  # the global generators, while others run
    rows: list[tuple[int, tuple[str, ...], list[float]]] = field(default_factory=list)
    groups: list[ScalarBlock] = field(default_factory=list)  # what a lane has in place of rows
    made: float = 0.0  # wall time of the first of the rows
    cost: float = 0.0  # seconds that a step of a lane takes
    flushed: float = 0.0
    frame_step: int = -1
    frame_due: float = 0.0
    snapshot_step: int = -1
    snapshot_due: float = 0.0
    mark_due: float = 0.0
    rate: float = 0.0
    rate_from: tuple[float, int] = (0.0, 0)

    @property
    def pace(self) -> float:
        """Steps a second at most; 0 is as fast as it goes."""
        return float(self.params.get("pace") or 0.0)

    @property
    def lane(self) -> BatchedRun | None:
        return None if isinstance(self.going, Generator) else self.going

    @property
    def beat(self) -> float:
        """Seconds that steps of a lane which are due wait for more of them, so that a call has some to take."""
        return max(0.0, BEAT_S - 1 / self.pace) if self.pace and self.lane else 0.0

    def ready(self, now: float) -> bool:
        return (self.status == "running" and now >= self.due and now >= self.due + self.beat) or self.wanted > 0


class Loop:
    """Advances many runs. `enter` names the run whose code is about to be called ("" for none): a watchdog's view."""

    def __init__(self, device: str, emit: Emit, enter: Callable[[str], None] = lambda run: None) -> None:
        self.device = device
        self.emit = emit
        self.enter = enter
        self.threads = torch.get_num_threads()  # of a run that asks for all; the others take one
        self.runs: dict[str, Active] = {}
        self.limits = Limits.from_environment()
        self._turns: dict[str, FairShare] = {}  # by learner
        self._clock = 0.0  # what whoever came last had had then
        self._world = ""  # the run whose global generators are in place

    # Commands

    def handle(self, message: Values, arrays: Arrays) -> None:
        """Obeys one message: {"op": "start" | "pause" | "resume" | "step" | "stop" | "set" | "snapshot" | "ask", …}."""
        op = message["op"]
        if op == "start":
            self._start(message, arrays)
        elif op == "ask":
            self._ask(message, arrays)
        else:
            run = self.runs.get(message["run"])
            if run is None:
                if op == "snapshot":
                    self.emit(
                        pack({"type": "snapshot", "run": message["run"], "wanted": message["wanted"], "step": -1})
                    )
                return
            getattr(self, f"_{op}")(run, message)

    def _start(self, message: Values, state: Arrays) -> None:
        run_id = message["run"]
        job = Job(**message["job"])
        try:
            module, _, name = job.entry.partition(":")
            kind = getattr(importlib.import_module(f"{module.rpartition('.')[0]}.params"), "Params", None)
            if kind is not None:
                checked(kind, {**job.params, **message.get("live", {})})
            if job.device == "auto":
                job = Job(job.entry, job.params, job.seed, self.device)
            state = files.keep(state)
            self._leave_world()
            generators.seed(job.seed)
            generators.restore(state)
            live = unpack_live(state)
            own = {key: value for key, value in state.items() if not key.startswith((generators.PREFIX, LIVE))}
            code = importlib.import_module(module)
            compute = Compute(code)
            batched = compute.batched(job, own or None) if name == "run" else None
            if batched is not None:
                batched.change(live)
            # a generator cannot be told of a change before its first step: its job has the settings as they stand
            changed = Job(job.entry, {**job.params, **live}, job.seed, job.device)
            lesson = batched or getattr(code, name)(changed, own or None)
            now = time.monotonic()
            settings = {**job.params, **live, **message.get("live", {})}
            run = Active(run_id, job, message["learner"], kind, lesson, settings)
            run.world = generators.leave()
            # the same for equal jobs: sums in another order have other last digits
            run.threads = compute.threads(job) or self.threads
            run.changes = dict(message.get("live", {}))
            run.status = message.get("status", "running")
            run.rate_from = (now, 0)
        except Exception as error:  # any lesson may fail in any way; that is its own run's end
            self._fail(run_id, error)
            return
        self.runs[run_id] = run
        self._turns.setdefault(run.learner, FairShare()).runs.append(run_id)
        if run.status == "paused" and not state:
            run.wanted = 1  # so that there is something to look at
        self._status(run)

    def _pause(self, run: Active, message: Values) -> None:
        if run.status == "running":
            run.status = "paused"
            self._moment(run)
            self._status(run)

    def _resume(self, run: Active, message: Values) -> None:
        if run.status == "paused":
            run.status = "running"
            run.due = time.monotonic()
            run.rate_from = (run.due, run.step.step if run.step else 0)
            self._status(run)

    def _step(self, run: Active, message: Values) -> None:
        if run.status == "running":
            self._pause(run, message)
        run.wanted += 1

    def _stop(self, run: Active, message: Values) -> None:
        self._moment(run)
        run.status = "stopped"
        self._drop(run)
        with contextlib.suppress(Exception):
            if isinstance(run.going, Generator):
                run.going.close()
        self._status(run)

    def _set(self, run: Active, message: Values) -> None:
        values: Values = message["values"]
        if run.kind is not None:
            live = {name for name, control in run.kind.controls() if control.live}
            fixed = sorted(set(values) - live)
            try:
                if fixed:
                    raise Problem(
                        f"{', '.join(fixed)} cannot change while a run goes on. Start a new run with it.",
                        f"{', '.join(fixed)} 不能在运行中更改，请用新的设置重新运行。",
                    )
                now_set = checked(run.kind, {**run.params, **values}).model_dump()
            except Problem as error:
                self.emit(pack({"type": "refused", "run": run.id, "error": said(error)}))
                return
            values = {name: now_set[name] for name in values}
        run.params.update(values)
        run.changes.update(values)
        run.due = min(run.due, time.monotonic() + (1 / run.pace if run.pace else 0.0))
        at = run.step.step if run.step else -1
        self.emit(pack({"type": "changed", "run": run.id, "step": at, "values": values}))

    def _snapshot(self, run: Active, message: Values) -> None:
        self._flush(run)
        self._keep(run, wanted=message["wanted"])

    def _ask(self, message: Values, arrays: Arrays) -> None:
        run = self.runs.get(message["run"])
        job = Job(**message["job"])
        step = message["step"]
        arrays = files.keep(arrays)
        header: Values = {"type": "answer", "id": message["id"], "run": message["run"]}
        state = {name[6:]: array for name, array in arrays.items() if name.startswith("state.")}
        extra = {name[4:]: array for name, array in arrays.items() if name.startswith("arg.")}
        try:
            if job.device == "auto":
                job = Job(job.entry, job.params, job.seed, self.device)
            if run is not None and run.step is not None and not state:
                self._enter_world(run)
                state, step = run.step.state(), run.step.step
            look = Compute(importlib.import_module(job.entry.partition(":")[0])).look
            self._leave_world()
            answer = look(job, state or None, message["name"], {**message["args"], **extra})
            self.emit(pack({**header, "step": step}, answer))
        except Exception as error:  # an answer that cannot be given is only that
            self.emit(pack({**header, "step": step, "error": said(error)}))
        finally:
            self.enter("")

    # FairShare

    def turn(self, interrupted: Callable[[], bool] = lambda: False) -> float:
        """One slice of whoever is next. Returns how long nothing is due, in seconds (0: call again; at most 1)."""
        now = time.monotonic()
        run = self._next(now)
        if run is None:
            waits = [run.due + run.beat - now for run in self.runs.values() if run.status == "running"]
            waits += [run.flushed + self._between - now for run in self.runs.values() if run.made]
            for other in self.runs.values():
                if other.made and now - other.flushed >= self._between:
                    self._flush(other)
            return max(0.0, min([1.0, *waits]))
        self._enter_world(run)
        turns, began = self._turns[run.learner], now
        held = 0 if run.lane else devices.held(self.device)  # lanes are small by their settings
        end = now + min(SLICE_S, ROUND_S / len(self._turns))
        try:
            while run.ready(now):
                self._advance(run, now)
                now = time.monotonic()
                if run.id not in self.runs or now >= end or interrupted():
                    break
            if run.lane is None and run.id in self.runs:  # one that is over holds nothing
                run.memory += devices.held(self.device) - held
                self._check_memory(run)
        except Exception as error:  # any lesson may fail in any way; that is its own run's end
            self._drop(run)
            self._flush(run)
            self._fail(run.id, error)
        finally:
            self.enter("")
            turns.last = time.monotonic() - began
            turns.spent += turns.last
            run.spent += turns.last
        if run.made and now - run.flushed >= self._between:
            self._flush(run)
        return 0.0

    @property
    def _between(self) -> float:
        """Seconds between two messages of a run's scalars."""
        return max(FLUSH_S, len(self.runs) / FLUSHES)

    def _next(self, now: float) -> Active | None:
        """The run whose turn it is; its learner is brought up to the clock, or to be away would be to save up."""
        best: tuple[float, float] | None = None
        found, whose = None, None
        for turns in self._turns.values():
            standing = (max(turns.spent, self._clock), turns.last)
            if best is None or standing < best:
                run = next((run for name in turns.runs if (run := self.runs[name]).ready(now)), None)
                if run is not None:
                    best, found, whose = standing, run, turns
        if best is not None and found is not None and whose is not None:
            self._clock = whose.spent = best[0]
            whose.runs.remove(found.id)
            whose.runs.append(found.id)
        return found

    def _check_memory(self, run: Active) -> None:
        """Raises Problem where a run holds more than one may: before the machine has none left for anybody."""
        if run.memory > 1e6 * self.limits.memory:
            raise Problem(
                f"This run holds {run.memory / 1e6:,.0f} MB; one run may hold {self.limits.memory:,} MB here. Choose a "
                "smaller batch or network and run again.",
                f"这次运行占用 {run.memory / 1e6:,.0f} MB 内存，而这里一次运行最多 {self.limits.memory:,} MB。"
                "请减小批大小或网络后重新运行。",
            )

    def _advance(self, run: Active, now: float) -> None:
        """One step, or a lane's next few; what is due of it in pictures and snapshots, or the end."""
        single = run.wanted > 0
        before = run.step.step if run.step else -1
        step = self._few(run, 1 if single else self._count(run, now)) if run.lane else self._one(run)
        if step is None:
            self._moment(run)
            run.status = "done"
            self._drop(run)
            self._status(run)
            return
        run.step = step
        if single:
            run.wanted -= 1
        if run.pace:
            run.due = max(run.due + (step.step - before) / run.pace, now)
        end = step.step >= step.total
        if single or end:
            self._moment(run)
            return
        if step.whole or now >= run.frame_due:
            self._frame(run)
        doubled = step.step & (step.step - 1) == 0 and step.step <= MARKED
        every = max(1, step.total // MARKS)
        even = step.step // every > before // every and now >= run.mark_due
        if step.whole or doubled or even or now >= run.snapshot_due:
            self._keep(run)

    def _one(self, run: Active) -> Step | None:
        """The next step of a generator; None at its end."""
        assert isinstance(run.going, Generator)
        try:
            if run.step is None:
                step = next(run.going)
            else:
                changes, run.changes = run.changes or None, {}
                step = run.going.send(changes)
        except StopIteration:
            return None
        run.made = run.made or time.time()
        run.rows.append((step.step, tuple(step.scalars), list(step.scalars.values())))
        return step

    def _few(self, run: Active, count: int) -> Step | None:
        """The next `count` steps of a lane; None at its end."""
        lane = run.lane
        assert lane is not None
        if lane.step >= lane.total:
            return None
        if run.changes:
            lane.change(run.changes)
            run.changes = {}
        began, made, before = time.monotonic(), time.time(), lane.step
        run.groups += lane.step_many(count)
        run.made = run.made or made
        run.cost = (time.monotonic() - began) / max(1, lane.step - before)
        return Step(lane.step, last_scalars(run.groups), lane.total, lane.frame, lane.state)

    def _count(self, run: Active, now: float) -> int:
        """How many steps a lane is to take: as many as are due and fit into CALL_S, to the next marked one at most."""
        at = run.step.step if run.step else -1
        if at < 1:
            return 1
        fit = min(CALL_S, ROUND_S / len(self._turns))
        count = max(1, int(fit / run.cost)) if run.cost else 1
        if run.pace:
            count = min(count, 1 + int((now - run.due) * run.pace))
        return min(count, (1 << at.bit_length()) - at) if at < MARKED else count

    def _moment(self, run: Active) -> None:
        """Scalars, picture and snapshot of exactly this step: someone paused, stepped or reached the end."""
        self._flush(run)
        if run.step is None:
            return
        self._enter_world(run)
        if run.frame_step != run.step.step:
            self._frame(run)
        if run.snapshot_step != run.step.step:
            self._keep(run)

    def _frame(self, run: Active) -> None:
        assert run.step is not None
        began = time.monotonic()
        arrays = run.step.frame()
        if arrays:
            self._flush(run)
            header = {"type": "frame", "run": run.id, "step": run.step.step, "scalars": finite(run.step.scalars)}
            header["made"] = time.time()
            self.emit(pack(header, arrays))
        now = time.monotonic()
        waits = run.pace and run.due + run.beat > now and run.status == "running"
        run.frame_step = run.step.step
        share = IDLE_SHARE if waits else FRAME_SHARE
        run.frame_due = began + max(FRAME_S, (now - began) / share, len(self.runs) / FRAMES)

    def _keep(self, run: Active, wanted: str = "") -> None:
        began = time.monotonic()
        step = -1
        arrays: Arrays = {}
        if run.step is not None:
            arrays = run.step.state()
            step = run.step.step
            if arrays:
                arrays = {**arrays, **pack_live(run.params, run.job)}
                if run.lane is None:
                    arrays |= generators.capture()
                self._flush(run)  # whoever goes on from here must have all that came before
        if arrays or wanted:
            self.emit(pack({"type": "snapshot", "run": run.id, "step": step, "wanted": wanted}, arrays))
        cost = time.monotonic() - began
        run.snapshot_step = step
        run.snapshot_due = began + max(SNAPSHOT_S, cost / SNAPSHOT_SHARE)
        run.mark_due = began + cost / MARK_SHARE

    def _flush(self, run: Active) -> None:
        """Sends the scalars gathered since the last time, a group for each set of names."""
        if not run.made or run.step is None:
            return
        now = time.monotonic()
        since, from_step = run.rate_from
        if now - since >= RATE_S:
            run.rate = (run.step.step - from_step) / (now - since)
            run.rate_from = (now, run.step.step)
        by_names: dict[tuple[str, ...], list[tuple[int, list[float]]]] = {}
        for step, names, values in run.rows:
            by_names.setdefault(names, []).append((step, values))
        groups = [
            ScalarBlock(names, np.array([s for s, _ in rows], np.int32), np.array([v for _, v in rows], np.float64))
            for names, rows in by_names.items()
        ]
        header, arrays = encode_blocks([*groups, *merged(run.groups)])
        head = {"type": "scalars", "run": run.id, "total": run.step.total, "rate": run.rate, "made": run.made}
        head["spent"] = run.spent
        self.emit(pack({**head, **header}, arrays))
        run.rows.clear()
        run.groups.clear()
        run.made = 0.0
        run.flushed = now

    # Ends

    def _status(self, run: Active) -> None:
        self._flush(run)
        self.emit(pack({"type": "status", "run": run.id, "status": run.status, "error": None}))

    def _fail(self, run_id: str, error: Exception) -> None:
        self.emit(pack({"type": "status", "run": run_id, "status": "failed", "error": said(error)}))

    def _drop(self, run: Active) -> None:
        self._flush(run)
        self.runs.pop(run.id, None)
        turns = self._turns[run.learner].runs
        turns.remove(run.id)
        if not turns:
            del self._turns[run.learner]
        if self._world == run.id:
            self._world = ""

    # The global generators

    def _enter_world(self, run: Active) -> None:
        self.enter(run.id)
        if torch.get_num_threads() != run.threads:
            torch.set_num_threads(run.threads)
        if self._world != run.id and run.lane is None:
            self._leave_world()
            generators.enter(run.world)
            self._world = run.id

    def _leave_world(self) -> None:
        if self._world:
            self.runs[self._world].world = generators.leave()
            self._world = ""


def finite(scalars: dict[str, float]) -> dict[str, float | None]:
    """Scalars as JSON: what is not finite becomes null (the scalars' own message carries it as it is)."""
    return {name: float(value) if np.isfinite(value) else None for name, value in scalars.items()}


def said(error: Exception) -> dict[str, str]:
    """An error as the two sentences a learner reads."""
    if isinstance(error, Problem):
        return {"en": error.en, "zh": error.zh}
    name = type(error).__name__
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return {
            "en": "This run needs more memory than the device has. Choose a smaller batch or network and run again.",
            "zh": "这次运行所需的内存超过了设备的容量。请减小批大小或网络后重新运行。",
        }
    detail = f"{name}: {error}"[:300]
    return {
        "en": f"The lesson's code stopped with an error it did not expect ({detail}). Nothing else is affected: "
        "change a setting or run again, and report it if it comes back.",
        "zh": f"课程代码遇到意料之外的错误而停止（{detail}）。其他运行不受影响："
        "请更改设置或重新运行；若再次出现，请反馈。",
    }
