"""The functions that the engine or the pages ask of a module, and what holds where it does not write one."""

from __future__ import annotations

from collections.abc import Generator
from types import ModuleType

from engine.types import Arrays, Checkpoint, Job, Problem, Step, Values
from engine.worker.batched import BatchedRun


class Hooks:
    """A module seen as a contract: each public method of a subclass is a hook.

    `Contract(module)` calls the module's function of a hook's name where it has one, and else the method written in the
    contract. Names of a module that are no hooks are left alone.
    """

    def __init__(self, module: ModuleType) -> None:
        defined = vars(module)
        vars(self).update({name: defined[name] for name in self.names() if name in defined})

    @classmethod
    def names(cls) -> list[str]:
        """The hooks that the contract declares, in order."""
        return [name for name in vars(cls) if not name.startswith("_")]


class Compute(Hooks):
    """What a worker process asks of the module that a job's `entry` names. Only this module may import torch."""

    def run(self, job: Job, state: Checkpoint | None = None) -> Generator[Step, Values | None, None]:
        """Yields a Step for each step, 0 (nothing learnt yet) to its `total`, and receives changed live settings.

        `state` is what `Step.state` gave at step k of a run of this job: the generator then yields k + 1 first, and
        what it yields is bit for bit what that run went on with. Live settings changed before step k are in the job's
        `params` by then; the state need not hold them (engine/checkpoint.py). Required.
        """
        raise NotImplementedError

    def look(self, job: Job, state: Checkpoint | None, name: str, args: Values) -> Arrays:
        """Answers the question `name` about the moment `state` (None: before a run); `figures.answer` draws the answer.

        `args` come from a browser: they are checked here. Raises Problem for an unknown name or unusable arguments.
        Without it, no question is known.
        """
        raise Problem(f"This lesson has no answer to {name!r:.40}.", f"本课无法回答 {name!r:.40}。")

    def batched(self, job: Job, state: Checkpoint | None = None) -> BatchedRun | None:
        """The same run, with the same numbers, as an object that takes many steps at a call: for very small models.

        It is told of live settings changed before `state` by `change`. Without it (None) the worker runs `run`.
        """
        return None

    def threads(self, job: Job) -> int:
        """How many processor threads a run of this job gets, 0 for all the worker has. Without it, one."""
        return 1
