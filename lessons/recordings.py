"""python -m lessons.recordings [NAME …]: records each lesson's demo.run, so that its page opens alive.

A run of the default settings by the lesson's `run`, on one processor thread: the scalars of every step, some frames
and the checkpoint of the last step, so that questions about it can be answered. A checkpoint of at most SMALL bytes is
also kept at the start and half-way, one larger than the whole file not at all. Of steps to `keep` (engine/types.py)
every frame is kept, and up to OFTEN checkpoints. A file has at most LARGEST bytes; a test makes it again and compares.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from engine.models.kernels import build as native
from engine.records.record import Record
from engine.types import Job, ScalarBlock, Step
from engine.wire import pack
from lessons import catalog

LARGEST = 200_000
FRAMES = (40, 24, 16, 12, 8, 4, 2)  # how many are tried, until the file is small enough
SMALL = 16_000  # bytes
OFTEN = 16


@contextmanager
def reproducibly() -> Iterator[None]:
    """One thread and none of our own kernels: sums in another order have other last digits."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with native.unused():
            yield
    finally:
        torch.set_num_threads(threads)


def job(name: str) -> Job:
    """The default settings of a lesson, as the job its page would submit."""
    values = catalog.params(name)().model_dump(mode="json")
    return Job(catalog.lesson(name).entry, values, int(values.get("seed", 0)), "cpu")


def make(name: str, path: Path) -> None:
    """Writes the recording of lesson `name` to `path`, with as many frames as fit into 200 kB."""
    for frames in FRAMES:
        record(name, path, frames)
        if path.stat().st_size <= LARGEST:
            return
    raise ValueError(f"{name}: {path.stat().st_size} bytes with {FRAMES[-1]} frames; at most {LARGEST} are allowed")


def record(name: str, path: Path, frames: int) -> None:
    """One recording with about `frames` frames, evenly spread."""
    from engine.worker import rng as generators

    asked = job(name)
    run = catalog.part(name, "compute").run
    with reproducibly():
        generators.seed(asked.seed)
        path.unlink(missing_ok=True)
        out = Record.create(path, asked)
        rows: dict[tuple[str, ...], list[Step]] = {}
        total = 0
        for step in run(asked):
            total = step.total
            rows.setdefault(tuple(step.scalars), []).append(step)
            every = max(1, round(total / frames))
            if step.keep or step.step % every == 0 or step.step == total:
                arrays = step.frame()
                if arrays:
                    out.add_frame(pack({"step": step.step, "scalars": {}}, arrays))
            often = step.keep and step.step % max(1, total // OFTEN) == 0
            if often or step.step == total or step.step in (0, total // 2):
                model = {key: array for key, array in step.state().items() if not key.startswith(("optim.", "rng."))}
                size = sum(array.nbytes for array in model.values())
                if model and (size <= SMALL or step.step == total) and size <= LARGEST:
                    out.add_checkpoint(pack({"step": step.step}, model))
    groups = [
        ScalarBlock(
            names,
            np.array([step.step for step in steps], np.int32),
            np.array([list(step.scalars.values()) for step in steps], np.float64),
        )
        for names, steps in rows.items()
    ]
    out.add_scalars(groups, total)
    out.end("recorded")
    out.close()


def main(names: list[str]) -> None:
    for name in names or [lesson.name for lesson in catalog.lessons()]:
        target = catalog.lesson(name).folder / "demo.run"
        with tempfile.TemporaryDirectory() as folder:
            fresh = Path(folder) / "demo.run"
            make(name, fresh)
            target.write_bytes(fresh.read_bytes())
        print(f"{target.relative_to(Path.cwd())}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
