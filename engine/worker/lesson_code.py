"""The functions of a lesson that the worker calls, found by the lesson's entry. No other file looks for them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeAlias

from engine.params import Params
from engine.types import Arrays, Checkpoint, Job, Problem, Step, Values
from engine.worker.batched import BatchedRun

StepGenerator: TypeAlias = Generator[Step, Values | None, None]


def one_thread(job: Job) -> int:
    """The default of `threads`: one, on which small models are computed fastest."""
    return 1


def no_answer(job: Job, state: Checkpoint | None, name: str, args: Values) -> Arrays:
    """The default of `look`: raises Problem."""
    raise Problem(
        f"The lesson {job.lesson!r} answers no questions.",
        f"课程“{job.lesson}”不回答任何问题。",
    )


@dataclass(frozen=True, slots=True)
class LessonCode:
    """What a lesson's compute.py offers the worker, with the defaults for what it leaves out.

    run(job, state): a generator that yields a Step after each step; it is sent the live settings that changed, or None.
    batched(job, state): the same run as a BatchedRun; None where the lesson has none.
    look(job, state, name, args): the arrays that answer the question `name` about a checkpoint.
    threads(job): how many threads of the processor a run computes on; 0 is all that the worker has. Equal jobs get
    equal numbers: sums in another order have other last digits.
    params: the class of the lesson's settings; None for a lesson that checks nothing.
    """

    run: Callable[[Job, Checkpoint | None], StepGenerator]
    batched: Callable[[Job, Checkpoint | None], BatchedRun] | None
    look: Callable[[Job, Checkpoint | None, str, Values], Arrays]
    threads: Callable[[Job], int]
    params: type[Params] | None

    def start(self, job: Job, state: Checkpoint | None) -> StepGenerator | BatchedRun:
        """The run of `job`, from a checkpoint or anew: batched where the lesson can."""
        return (self.batched or self.run)(job, state)


def load(entry: str) -> LessonCode:
    """The code of "package.module:function". Raises ImportError or AttributeError if there is none.

    `batched` replaces the function "run" alone: another function of the same module is another run.
    """
    module, _, name = entry.partition(":")
    params = importlib.import_module(f"{module.rpartition('.')[0]}.params")
    code = importlib.import_module(module)
    return LessonCode(
        run=getattr(code, name),
        batched=getattr(code, "batched", None) if name == "run" else None,
        look=getattr(code, "look", no_answer),
        threads=getattr(code, "threads", one_thread),
        params=getattr(params, "Params", None),
    )
