"""A run that takes many steps at a call: for models so small that a step costs less than Python's way round it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

from engine.types import Arrays, Checkpoint, ScalarBlock, Scalars, Step, Values


class BatchedRun(Protocol):
    """One learner's run. Unlike a generator it is told how far to go, and says what happened on the way in arrays.

    A lesson's `batched(job, state=None)` makes one (engine/hooks.py). It draws random numbers from generators of its
    own, so that its numbers are the same whoever runs beside it, and its loop holds no Python object for a step.
    """

    step: int  # the last one taken; -1 before step 0
    total: int

    def step_many(self, count: int) -> list[ScalarBlock]:
        """Goes `count` steps further, to `total` at most, and returns their scalars. Step 0 is the untrained model."""

    def change(self, values: Values) -> None:
        """Live settings that hold from the next step on."""

    def frame(self) -> Arrays:
        """The picture of the present step."""

    def state(self) -> Checkpoint:
        """Everything that the next step depends on, copied."""


def last_scalars(groups: list[ScalarBlock]) -> Scalars:
    """The scalars of the last step that `groups` tell of."""
    step = max(group.steps[-1] for group in groups)
    found: Scalars = {}
    for group in groups:
        if group.steps[-1] == step:
            found.update(zip(group.names, group.values[-1].tolist(), strict=True))
    return found


def as_generator(lane: BatchedRun) -> Generator[Step, Values | None, None]:
    """A lane as the generator that every lesson's `run` is."""
    while lane.step < lane.total:
        groups = lane.step_many(1)
        changes = yield Step(lane.step, last_scalars(groups), lane.total, lane.frame, lane.state)
        if changes:
            lane.change(changes)
