"""Opens a file that somebody brought along: bounded in every size, and checked in every part before it is used.

What a lesson says of its settings and frames is checked by lessons/import_check.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.records.format import Bounds, damaged
from engine.records.record import EXPORT_BYTES, MAX_FRAMES, SCALAR_BYTES, Record
from engine.types import ENDED

MAX_UNPACKED_BYTES = 128_000_000
MAX_CHUNKS = 5000
MAX_HEADER_BYTES = 1_000_000
MAX_NAME_LENGTH = 200


def open_untrusted(path: Path) -> Record:
    """A record from anywhere, to read. Raises Problem unless it is complete, ended, of bounded size, and sound."""
    size = path.stat().st_size
    if size > EXPORT_BYTES:
        raise damaged(path, f"it has {size / 1e6:.0f} MB, and at most {EXPORT_BYTES / 1e6:.0f} MB are taken")
    file = path.open("rb", buffering=0)
    try:
        record = Record.parse(path, file, Bounds(MAX_UNPACKED_BYTES, MAX_CHUNKS, MAX_HEADER_BYTES))
        if record.parsed_bytes != size or record.status not in ENDED:
            raise damaged(path, "its end is missing")
        check_job(record)
        check_scalars(record)
        check_steps(record)
    except BaseException:
        file.close()
        raise
    return record


def check_job(record: Record) -> None:
    """Raises Problem unless the job has fields of the right types, and an entry "a.b:c"."""
    job = record.job
    is_entry = isinstance(job.entry, str) and job.entry.count(":") == 1 and "." in job.entry
    is_typed = isinstance(job.params, dict) and isinstance(job.seed, int) and isinstance(job.device, str)
    if not (is_entry and is_typed):
        raise damaged(record.path, "its job is not one")


def check_scalars(record: Record) -> None:
    """Raises Problem unless every block of scalars has the shapes and types that a run writes."""
    for block in record.written_blocks:
        n = len(block.steps)
        has_shape = block.steps.shape == (n,) and block.values.shape == (n, len(block.names))
        if not has_shape or block.steps.dtype != np.int32 or block.values.dtype != np.float64:
            raise damaged(record.path, "its scalars have no right shape")
        if any(not isinstance(name, str) or len(name) > MAX_NAME_LENGTH for name in block.names):
            raise damaged(record.path, "a scalar has no right name")
    if record.weight > SCALAR_BYTES:
        raise damaged(record.path, f"its scalars take {record.weight / 1e6:.0f} MB")


def check_steps(record: Record) -> None:
    """Raises Problem unless the steps count up from 0, and all else is of steps that there are."""
    blocks = record.written_blocks
    n = sum(len(block.steps) for block in blocks)
    steps = np.sort(np.concatenate([block.steps for block in blocks])) if blocks else np.zeros(0)
    if not n or not np.array_equal(steps, np.arange(n)) or not n - 1 <= record.total <= 2**31 - 1:
        raise damaged(record.path, "its steps do not follow each other from 0")
    if any(bool((np.diff(block.steps) <= 0).any()) for block in record.blocks()):
        raise damaged(record.path, "its steps are out of order")
    if len(record.frames) > MAX_FRAMES:
        raise damaged(record.path, f"it has more than {MAX_FRAMES} frames")
    if any(not 0 <= step < n for step in (*record.frames, *record.checkpoints)):
        raise damaged(record.path, "a frame or snapshot is of a step that it does not have")
    if any(not -1 <= step < n for step, _ in record.changes):
        raise damaged(record.path, "a change is of a step that it does not have")
