"""What the code of a run finds in place when it is called: its threads and its global random generators."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from engine.worker import rng
from engine.worker.worker_run import WorkerRun


class RunContext:
    """Puts that in place for one run after the other.

    on_enter is given the id of the run whose code is about to be called, and "" when it has returned: a watchdog that
    sees the same id for long knows which run hangs.
    """

    def __init__(self, on_enter: Callable[[str], object]) -> None:
        self._on_enter = on_enter
        self._owner: WorkerRun | None = None  # whose global generators are in place

    @contextmanager
    def entered(self, run: WorkerRun) -> Iterator[None]:
        """Inside, code of `run` may be called."""
        self.enter(run)
        try:
            yield
        finally:
            self.leave()

    def enter(self, run: WorkerRun) -> None:
        """Before code of `run` is called; `leave` comes after it."""
        self._on_enter(run.id)
        if torch.get_num_threads() != run.threads:
            torch.set_num_threads(run.threads)
        if self._owner is not run and run.batched is None:
            self.save()
            rng.set_state(run.rng_state)
            self._owner = run

    def leave(self) -> None:
        """After the code has returned. The generators stay as they are: the same run is often next."""
        self._on_enter("")

    def save(self) -> None:
        """Stores the generators' state in the run that owns it, so that anybody may use them."""
        if self._owner is not None:
            self._owner.rng_state = rng.get_state()
            self._owner = None

    def forget(self, run: WorkerRun) -> None:
        """The run is over: nobody needs its generators."""
        if self._owner is run:
            self._owner = None
