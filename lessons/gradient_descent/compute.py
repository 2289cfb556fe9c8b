"""The gradient descent lesson: see race.py for the optimisers and for the scalars of a step."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from engine.types import Arrays, Checkpoint, Job, Problem, Step, Values
from engine.worker.batched import as_generator
from lessons.gradient_descent.race import Race

batched = Race


def run(job: Job, state: Checkpoint | None = None) -> Generator[Step, Values | None, None]:
    """The race step by step. Raises Problem if the surface has no finite height at the start."""
    yield from as_generator(Race(job, state))


def look(job: Job, state: Checkpoint, name: str, args: Mapping[str, Any]) -> Arrays:
    """The scalars hold everything that the lesson shows; there are no queries. Raises Problem."""
    raise Problem(
        f"Gradient descent has no question named {name!r:.40}; its charts show all it knows.",
        f"“梯度下降”这一课没有名为 {name!r:.40} 的提问，图中已显示全部信息。",
    )
