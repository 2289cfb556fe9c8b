"""The scalars of a run between two messages, and how fast it goes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from engine.records.blocks import merged
from engine.types import ScalarBlock, Step

RATE_S = 1.0  # seconds over which steps per second are counted


@dataclass(slots=True)
class ScalarBuffer:
    """Scalars that have not been sent yet: rows of a generator's steps, or blocks of a BatchedRun's."""

    made: float = 0.0  # wall time of the first of them; 0 while there are none
    sent: float = 0.0  # monotonic time of the last message
    rate: float = 0.0  # steps per second
    rate_since: float = 0.0  # from when, in monotonic seconds,
    rate_step: int = 0  # and from which step on the next rate is counted
    _rows: list[tuple[int, tuple[str, ...], list[float]]] = field(default_factory=list)
    blocks: list[ScalarBlock] = field(default_factory=list)

    def add_step(self, step: Step) -> None:
        """Adds the scalars of a step that was computed just now."""
        self.made = self.made or time.time()
        self._rows.append((step.step, tuple(step.scalars), list(step.scalars.values())))

    def add_blocks(self, blocks: list[ScalarBlock], made: float) -> None:
        """Adds what `step_many` returned; it was called at the wall time `made`."""
        self.blocks += blocks
        self.made = self.made or made

    def count_rate_from(self, now: float, step: int) -> None:
        """Begins to count steps per second anew: the run stands at `step`, and has not gone on until now."""
        self.rate_since, self.rate_step = now, step

    def take(self, step: int, now: float) -> list[ScalarBlock]:
        """Everything gathered, one block for each set of names; the buffer is then empty. `step` is the present one."""
        if now - self.rate_since >= RATE_S:
            self.rate = (step - self.rate_step) / (now - self.rate_since)
            self.count_rate_from(now, step)
        by_names: dict[tuple[str, ...], list[tuple[int, list[float]]]] = {}
        for row_step, names, values in self._rows:
            by_names.setdefault(names, []).append((row_step, values))
        blocks = [
            ScalarBlock(names, np.array([s for s, _ in rows], np.int32), np.array([v for _, v in rows], np.float64))
            for names, rows in by_names.items()
        ]
        blocks += merged(self.blocks)
        self._rows.clear()
        self.blocks.clear()
        self.made = 0.0
        self.sent = now
        return blocks
