"""Runs that take many steps at a call: for models so small that a step costs less than the Python around it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

from engine.types import Arrays, Checkpoint, ScalarBlock, Scalars, Step, Values

CALL_S = 0.004  # seconds that a call of `step_many` should take at most
EVERY_STEP_UNTIL = 64  # a call ends at each power of two up to here, where a checkpoint is due (cadence.py)


class BatchedRun(Protocol):
    """One learner's run. Unlike a generator it is told how many steps to take, and returns their scalars as arrays.

    A lesson's `batched(job, state=None)` makes one (engine/hooks.py). It draws from generators of its own, never from
    the global ones, so its numbers are the same whoever runs beside it; and its loop makes no Python object for a step.
    """

    step: int  # the last one taken; -1 before step 0
    total: int

    def step_many(self, count: int) -> list[ScalarBlock]:
        """Takes `count` steps, but none beyond `total`, and returns their scalars. Step 0 is the untrained model."""

    def change(self, values: Values) -> None:
        """Changes live settings, from the next step on."""

    def frame(self) -> Arrays:
        """The picture of the present step."""

    def state(self) -> Checkpoint:
        """Copies of everything that the next step depends on."""


def last_scalars(blocks: list[ScalarBlock]) -> Scalars:
    """The scalars of the last step in `blocks`."""
    step = max(block.steps[-1] for block in blocks)
    scalars: Scalars = {}
    for block in blocks:
        if block.steps[-1] == step:
            scalars.update(zip(block.names, block.values[-1].tolist(), strict=True))
    return scalars


def present_step(run: BatchedRun, blocks: list[ScalarBlock]) -> Step:
    """The step that `run` stands at; `blocks` end with its scalars."""
    return Step(run.step, last_scalars(blocks), run.total, run.frame, run.state)


def as_generator(run: BatchedRun) -> Generator[Step, Values | None, None]:
    """A BatchedRun as the generator that a lesson's `run` has to be."""
    while run.step < run.total:
        blocks = run.step_many(1)
        changes = yield present_step(run, blocks)
        if changes:
            run.change(changes)


def steps_per_call(at: int, step_s: float, call_s: float, pace: float, late_s: float) -> int:
    """How many steps the next call takes of a run that stands at step `at`.

    As many as fit into `call_s` seconds at `step_s` each, as are due, and as lead to the next power of two.

    at: -1 before step 0. step_s: seconds of a step in the last call, 0 if unknown. pace: steps per second at most, 0
    for no limit. late_s: seconds for which the next step has been due.
    """
    if at < 1:
        return 1
    count = max(1, int(call_s / step_s)) if step_s else 1
    if pace:
        count = min(count, 1 + int(late_s * pace))
    return min(count, (1 << at.bit_length()) - at) if at < EVERY_STEP_UNTIL else count
