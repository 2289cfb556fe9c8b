"""Frames and answers of runs as patches of figures, made once for all who want the same."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
from typing import Any, TypeAlias

from engine.params import Params, parse
from engine.runs.engine import Engine, Run
from engine.types import Arrays, Values
from lessons import catalog
from pages.live.lru import LruCache
from pages.live.protocol import FigurePatch, FrameMessage, encode_patches

# Bytes of encoded frames that are kept, and bytes of answers.
KEPT_BYTES = 16 << 20
# Runs whose settings are kept as checked: checking them costs more than all else about a frame.
KEPT_SETTINGS = 1000

Answer: TypeAlias = tuple[int, list[FigurePatch], Arrays]  # (step, patches, their arrays)


class Frames:
    """Makes "frame" messages from records, and patches from the answers to questions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._executor = concurrent.futures.ThreadPoolExecutor(1, "frames")
        self._frames: LruCache[tuple[str, int], bytes] = LruCache(KEPT_BYTES, len)
        self._answers: LruCache[tuple[Any, ...], Answer] = LruCache(KEPT_BYTES, _answer_bytes)
        self._settings: LruCache[tuple[str, int], Params] = LruCache(KEPT_SETTINGS)
        self._asked: dict[tuple[Any, ...], asyncio.Task[Answer]] = {}

    def close(self) -> None:
        """Makes no more frames."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def frame(self, run: Run, step: int | None = None) -> tuple[int, bytes] | None:
        """The last frame at or before `step` (None: the newest), as (its step, its message); None if there is none."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._make_frame, run, step)

    def _make_frame(self, run: Run, step: int | None) -> tuple[int, bytes] | None:
        """Reads the record's file and may compute, so not on the event loop."""
        tick = run.record.frame(run.record.last if step is None else step)
        if tick is None:
            return None
        message = self._frames.get((run.id, tick.step))
        if message is None:
            figures = catalog.figures(run.job.lesson)
            patches, arrays = encode_patches(figures.update(self.settings(run, tick.step), tick))
            message = FrameMessage(run.id, tick.step, tick.made, patches).pack(arrays)
            self._frames.put((run.id, tick.step), message)
        return tick.step, message

    def settings(self, run: Run, step: int) -> Params:
        """The settings in force at a step: the job's, and what was changed while it ran."""
        changes = [values for at, values in run.record.changes if at < step]
        key = (run.id, len(changes))
        params = self._settings.get(key)
        if params is None:
            values = dict(run.job.params)
            for change in changes:
                values.update(change)
            params = parse(catalog.params(run.job.lesson), values)
            self._settings.put(key, params)
        return params

    async def answer(self, run: str, step: int | None, name: str, args: Values) -> Answer:
        """The answer of a lesson's `look` as patches. Those who ask the same of the same step share it.

        Raises Problem for a question that the lesson does not know or cannot answer.
        """
        key = (run, step, name, json.dumps(args, sort_keys=True))
        known = self._answers.get(key)
        if known is not None:
            return known
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.get_running_loop().create_task(self._ask(run, step, name, args))
            task.add_done_callback(lambda _: self._asked.pop(key, None))
        answer = await asyncio.shield(task)
        if step is not None:
            self._answers.put(key, answer)
        return answer

    async def _ask(self, run_id: str, step: int | None, name: str, args: Values) -> Answer:
        run = self._engine.get(run_id)
        at, arrays = await asyncio.wrap_future(self._engine.ask(run_id, step, name, args))
        at = run.step if at is None else at
        figures = catalog.figures(run.job.lesson)
        patches, patch_arrays = encode_patches(figures.answer(self.settings(run, at), name, args, arrays))
        return at, patches, patch_arrays


def _answer_bytes(answer: Answer) -> int:
    return 200 + sum(array.nbytes for array in answer[2].values())
