"""Whether a recorded run from elsewhere is one that its lesson can show. Torch is not needed for that."""

from __future__ import annotations

import numpy as np

from engine.params import parse
from engine.records.record import Record
from engine.types import Problem
from lessons import catalog, text
from lessons.board import figures as board
from lessons.board.fold import fold


def validate(record: Record) -> None:
    """Raises Problem unless a lesson of this Torchroom made such a run, and its figures take every frame of it."""
    names = [lesson.name for lesson in catalog.lessons()]
    job = record.job
    if job.lesson not in names or catalog.lesson(job.lesson).entry != job.entry:
        raise Problem(
            f"This is a run of a lesson that is not here ({job.entry!r:.60}). Here are: {', '.join(names)}.",
            f"这是本站没有的课程的运行（{job.entry!r:.60}）。本站课程：{', '.join(names)}。",
        )
    kind = catalog.params(job.lesson)
    params = parse(kind, job.params)
    known = params.model_dump(mode="json")
    odd = [name for name, value in job.params.items() if name not in known or known[name] != value]
    if odd or job.seed != known.get("seed", job.seed):
        raise unusable(f"its setting {(odd or ['seed'])[0]!r:.40} is not as this lesson writes it")
    settings = dict(job.params)
    for _, values in record.changes:
        settings |= values
        parse(kind, settings)
    try:
        figures = catalog.figures(job.lesson)
        drawn = figures.draw(params, text.read(job.lesson, "en"))
        history = [(step, record.scalars(step)) for step in (0, 1)]
        for step in record.frames:
            tick = record.frame(step)
            if tick is None or tick.step != step:
                raise unusable(f"its frame of step {step} cannot be read")
            patches = figures.update(params, tick)
            fold(drawn, history, patches)
            odd = [patch.figure for patch in patches if not fits(drawn[patch.figure], patch)]
            if odd:
                raise unusable(f"its frame of step {step} has no such picture as {odd[0]!r} shows")
        for step in record.checkpoints:
            record.checkpoint(step)
    except Problem:
        raise
    except Exception as error:  # made to look like a run, its arrays can be wrong in any way
        raise unusable(f"its figures cannot be drawn from it ({type(error).__name__})") from error


def fits(figure: board.Figure, patch: board.Patch) -> bool:
    """Whether the pictures of a patch have the shape that lessons/board/figures.py gives its kind of figure."""
    if figure.kind == "map" and "tiles" in patch.data:
        tiles = np.asarray(patch.data["tiles"])
        return tiles.ndim == 4 and tiles.shape[-1] == 3 if figure.colours == "rgb" else tiles.ndim == 3
    if figure.kind == "strip" and "images" in patch.data:
        images = np.asarray(patch.data["images"])
        return images.ndim == 4 and images.shape[-1] == 3 and images.dtype == np.uint8
    return True


def unusable(why: str) -> Problem:
    return Problem(
        f"This file is not a run that its lesson can show: {why}. Save the run again where it was made.",
        f"这个文件不是该课程可以显示的运行：{why}。请在原处重新保存。",
    )
