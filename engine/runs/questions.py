"""Questions to the model of a run, which a worker answers by the `look` function of its lesson."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, TypeAlias

from engine.messages import AskRun, RunAnswer
from engine.runs.dispatcher import Dispatcher
from engine.runs.run import Run
from engine.types import Array, Arrays, Problem

Answer: TypeAlias = "Future[tuple[int | None, Arrays]]"  # the step answered for, and what `look` returned
DecodePicture: TypeAlias = Callable[[bytes], Array]


class Questions:
    """The questions that wait for an answer. Not for several threads at once."""

    def __init__(self, dispatcher: Dispatcher, decode_picture: DecodePicture) -> None:
        self.dispatcher = dispatcher
        self.decode_picture = decode_picture  # an uploaded file as pixels; raises Problem
        self._pending: dict[int, Answer] = {}
        self._ids = itertools.count(1)

    def ask(self, run: Run, step: int | None, name: str, args: Mapping[str, Any], answer: Answer) -> None:
        """Asks about the live run (`step` None, or one it has not reached) or its last checkpoint by `step`.

        A digest in args["picture"] goes as the pixels of that upload. Raises Problem if it is not kept any more.
        """
        arrays: Arrays = {}
        args = dict(args)
        if isinstance(args.get("picture"), str) and args["picture"]:
            arrays["arg.picture"] = self.decode_picture(self.dispatcher.uploads.get(args.pop("picture")))
        is_present = step is None or step >= run.step
        checkpoint_step: int | None = None
        if not (is_present and run.in_worker) or run.status == "paused":
            saved = run.record.checkpoint(run.step if step is None else step)
            if saved:
                checkpoint_step, checkpoint = saved
                arrays |= {f"state.{key}": array for key, array in checkpoint.items()}
        question = next(self._ids)
        self._pending[question] = answer
        arrays |= self.dispatcher.files_of(run.job)
        self.dispatcher.send(AskRun(run.id, question, name, args, checkpoint_step, run.job, arrays))

    def on_answer(self, event: RunAnswer) -> None:
        """A worker answered, or said why it cannot."""
        answer = self._pending.pop(event.id, None)
        if answer is None:
            return
        if event.error:
            answer.set_exception(event.error)
        else:
            answer.set_result((event.step, event.arrays))

    def on_worker_died(self) -> None:
        """No worker answers what was asked before; all are asked again by those who want to know."""
        pending, self._pending = self._pending, {}
        for answer in pending.values():
            answer.set_exception(
                Problem("The worker stopped before it could answer. Ask again.", "工作进程在回答前中断，请再试一次。")
            )
