"""Which run is next: start-time fair queueing between learners (Goyal, Vin and Cheng, 1996).

Next is the learner who has had the least time of those with a run that is ready, and of their runs the one that has
waited longest. A learner who was away has no claim to the time that passed: their account is raised to the clock, which
is the account of whoever was served last.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class FairShare:
    """A learner's runs, the one that has waited longest first, and the time they have had."""

    runs: deque[str] = field(default_factory=deque)
    spent: float = 0.0  # seconds, comparable between learners: see `clock` below
    last: float = 0.0  # seconds of the last slice; of learners with equal accounts the one with the shorter is next

    def charge(self, seconds: float) -> None:
        """Enters a slice of so many seconds."""
        self.last = seconds
        self.spent += seconds


class FairQueue:
    """The shares of all learners who have runs."""

    def __init__(self) -> None:
        self.shares: dict[str, FairShare] = {}  # by learner
        self.clock = 0.0  # the account, before its slice, of the learner who was served last

    def __len__(self) -> int:
        """How many learners have runs."""
        return len(self.shares)

    def add(self, learner: str, run: str) -> None:
        """Puts a run behind the learner's others."""
        self.shares.setdefault(learner, FairShare()).runs.append(run)

    def remove(self, learner: str, run: str) -> None:
        """Takes a run out, and its learner if they have no other."""
        share = self.shares[learner]
        share.runs.remove(run)
        if not share.runs:
            del self.shares[learner]

    def next(self, ready: Callable[[str], bool]) -> str | None:
        """The run that is next of those for which `ready` is true, moved behind its learner's others; None if none."""
        best: tuple[float, float] | None = None
        best_run, best_share = None, None
        for share in self.shares.values():
            account = (max(share.spent, self.clock), share.last)
            if best is None or account < best:
                run = next((run for run in share.runs if ready(run)), None)
                if run is not None:
                    best, best_run, best_share = account, run, share
        if best is not None and best_run is not None and best_share is not None:
            self.clock = best_share.spent = best[0]
            best_share.runs.remove(best_run)
            best_share.runs.append(best_run)
        return best_run
