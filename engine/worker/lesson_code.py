"""The code of a lesson that the worker calls, found by a job's entry. No other file of the engine imports lessons."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import TypeAlias

from engine.hooks import Compute
from engine.params import Params
from engine.types import Checkpoint, Job, Step, Values
from engine.worker.batched import BatchedRun

StepGenerator: TypeAlias = Generator[Step, Values | None, None]


@dataclass(frozen=True, slots=True)
class LessonCode:
    """A lesson's module compute.py, with the defaults of engine/hooks.py for the functions that it leaves out.

    generator: the function that the entry names. params: the class of the lesson's settings; None where nothing checks
    them.
    """

    hooks: Compute
    generator: Callable[[Job, Checkpoint | None], StepGenerator]
    batched: bool  # whether `hooks.batched`, if it gives a run, replaces the generator
    params: type[Params] | None

    def start(self, job: Job, live: Values, state: Checkpoint | None) -> StepGenerator | BatchedRun:
        """The run of `job`, from step 0 or from the step after a checkpoint's, with the `live` settings in force."""
        batched = self.hooks.batched(job, state) if self.batched else None
        if batched is not None:
            batched.change(live)
            return batched
        # a generator cannot be told of changes before its first step: its job has the settings as they are now
        return self.generator(replace(job, params={**job.params, **live}), state)


def load(entry: str) -> LessonCode:
    """The code of "package.module:function". Raises ImportError or AttributeError where there is none."""
    module, _, name = entry.partition(":")
    params = importlib.import_module(f"{module.rpartition('.')[0]}.params")
    compute = importlib.import_module(module)
    return LessonCode(
        hooks=Compute(compute),
        generator=getattr(compute, name),
        batched=name == "run",
        params=getattr(params, "Params", None),
    )
