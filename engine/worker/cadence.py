"""When the frame or the checkpoint of a run is due: often enough to look at, and a small part of the run's time."""

from __future__ import annotations

from dataclasses import dataclass

from engine.types import Step
from engine.worker.batched import EVERY_STEP_UNTIL

FRAME_S = 0.036  # between two frames of a run: at most 25 a second, which the eye takes for motion
FRAMES_PER_S = 600  # of all runs together
FRAME_SHARE = 0.03  # of a run's time that frames may take
IDLE_FRAME_SHARE = 0.25  # the same while the run waits for its pace anyway
CHECKPOINT_S = 4.0  # between two checkpoints of a run
CHECKPOINT_SHARE = 0.01  # of a run's time that they may take
EVEN_CHECKPOINTS = 48  # more of them, evenly over the steps of the run,
EVEN_SHARE = 0.02  # unless they take more than this share of its time


@dataclass(slots=True)
class FrameCadence:
    """The step of a run's last frame, and when the next one is due (monotonic seconds)."""

    step: int = -1
    due: float = 0.0

    def taken(self, step: int, began: float, ended: float, idle: bool, runs: int) -> None:
        """A frame of `step` has been made. idle: the run waits for its pace. runs: how many there are."""
        self.step = step
        share = IDLE_FRAME_SHARE if idle else FRAME_SHARE
        self.due = began + max(FRAME_S, (ended - began) / share, runs / FRAMES_PER_S)


@dataclass(slots=True)
class CheckpointCadence:
    """The step of a run's last checkpoint, and when the next ones are due (monotonic seconds)."""

    step: int = -1
    due: float = 0.0
    even_due: float = 0.0  # the earliest time of the next of EVEN_CHECKPOINTS

    def is_due(self, step: Step, before: int, now: float) -> bool:
        """Whether the state after `step` is to be kept; `before` is the step of the run's previous call.

        It is after steps 0, 1, 2, 4, ... up to EVERY_STEP_UNTIL, evenly over the run, and every CHECKPOINT_S.
        """
        power_of_two = step.step & (step.step - 1) == 0 and step.step <= EVERY_STEP_UNTIL
        interval = max(1, step.total // EVEN_CHECKPOINTS)
        even = step.step // interval > before // interval and now >= self.even_due
        return power_of_two or even or now >= self.due

    def taken(self, step: int, began: float, ended: float) -> None:
        """A checkpoint of `step` has been sent."""
        cost = ended - began
        self.step = step
        self.due = began + max(CHECKPOINT_S, cost / CHECKPOINT_SHARE)
        self.even_due = began + cost / EVEN_SHARE
