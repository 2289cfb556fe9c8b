"""The runs that are open: found by id or by equal job, reopened from the library, evicted when there are many."""

from __future__ import annotations

import secrets

from engine.records.record import Record
from engine.runs.library import RunLibrary
from engine.runs.run import Run, RunState
from engine.types import ENDED, Job, Problem

MAX_ENDED_RUNS = 200  # held open, and
MAX_ENDED_BYTES = 400_000_000  # of memory for their scalars; evicted ones are reopened from the library when asked for


class Registry:
    """All open runs, oldest first. Not for several threads at once, except `get` of a run that is open."""

    def __init__(self, library: RunLibrary) -> None:
        self.library = library
        self._runs: dict[str, Run] = {}
        self._newest: dict[str, str] = {}  # job key -> the newest run of that job

    def all(self) -> list[Run]:
        """Every open run."""
        return list(self._runs.values())

    def open_run(self, run_id: str) -> Run | None:
        """The run of that id if it is open."""
        return self._runs.get(run_id)

    def is_open(self, run_id: str) -> bool:
        """Whether a run of that id is open."""
        return run_id in self._runs

    def unended(self, learner: str) -> list[Run]:
        """The runs of a learner that have not ended."""
        return [run for run in self._runs.values() if run.learner == learner and not run.ended]

    def get(self, run_id: str) -> Run:
        """The run of that id, reopened from the library if need be. Raises Problem where there is none."""
        return self._runs.get(run_id) or self._reopen(run_id)

    def has(self, run_id: str) -> bool:
        """Whether `get` would find it."""
        return run_id in self._runs or self.library.has(run_id)

    def new_id(self, job: Job) -> str:
        """An id that no run has."""
        while self.has(run_id := f"{job.lesson}-{secrets.token_hex(4)}"):
            pass
        return run_id

    def create(self, job: Job, learner: str, state: RunState = "queued") -> Run:
        """A new run with an empty record."""
        run_id = self.new_id(job)
        run = Run(run_id, job, learner, Record.create(self.library.path(run_id), job), state)
        self._runs[run_id] = run
        return run

    def add(self, run: Run) -> Run:
        """Adds a run that was made elsewhere."""
        self._runs[run.id] = run
        return run

    def pop(self, run_id: str) -> Run:
        """Takes a run out; its record stays open."""
        run = self._runs.pop(run_id)
        self.forget_as_newest(run)
        return run

    def equal_run(self, job: Job) -> Run | None:
        """The newest run of `job`, unless its settings were changed on the way."""
        run = self._runs.get(self._newest.get(job.key(), ""))
        return None if run is None or run.live else run

    def remember_as_newest(self, run: Run) -> None:
        """From now on `equal_run` finds this run for its job."""
        self._newest[run.job.key()] = run.id

    def forget_as_newest(self, run: Run) -> None:
        """From now on `equal_run` does not find this run."""
        self._newest = {key: run_id for key, run_id in self._newest.items() if run_id != run.id}

    def _reopen(self, run_id: str) -> Run:
        """A run from the library: ended, or cut off by the end of the server that computed it."""
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
        state: RunState = record.status if record.status in ENDED else "cut"  # type: ignore[assignment]
        run = Run(run_id, record.job, "", record, state, record.error)
        for _, values in record.changes:
            run.live.update(values)
        if state == "cut":
            if record.last < 0:
                record.remove()
                raise gone
            checkpoints = record.checkpoints
            step = checkpoints[-1] if checkpoints else 0
            run.note = Problem(
                f"The server ended while this run was going on. What was recorded is here, up to step {run.step}; "
                f"press play at its end to go on from step {step}, its last snapshot.",
                f"运行途中服务器关闭了。已记录的部分都在（到第 {run.step} 步）；"
                f"在末尾按播放键，可从最后一个快照（第 {step} 步）继续。",
            )
        return self.add(run)

    def evict(self) -> None:
        """Closes the records of the oldest runs that have ended and that nobody sees, until the rest is in bounds."""
        over = [run for run in self._runs.values() if (run.ended or run.state == "cut") and not run.is_demo]
        count, size = len(over), sum(run.record.weight for run in over)
        for run in over:
            if count <= MAX_ENDED_RUNS and size <= MAX_ENDED_BYTES:
                break
            if run.viewers or run.onlookers:
                continue
            count, size = count - 1, size - run.record.weight
            self.pop(run.id).record.close()

    def close(self) -> None:
        """Closes every record; the file of a run that never took a step is deleted."""
        for run in self._runs.values():
            if run.step < 0 and not run.is_demo:
                run.record.remove()
            else:
                run.record.close()
