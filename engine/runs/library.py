"""The folder of recorded runs, RUN.run each: found again after a restart, bounded in bytes, the oldest deleted first.

Several servers may share one folder: a run that is being written belongs to its writer, and a file that anybody has
open is not deleted (engine/records/format.py says how they are locked).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

from engine.records.format import lock
from engine.records.record import Record

MAX_BYTES = 2_000_000_000
TEMP_LIFE_S = 600.0  # a temporary file that is older was left by a server that was killed
RUN_ID = re.compile(r"[\w-]{1,80}")


class RunLibrary:
    """Recorded runs in `folder`, at most `max_bytes` of them, those that are open aside."""

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES) -> None:
        self.folder = folder
        self.max_bytes = max_bytes

    def path(self, run_id: str) -> Path:
        """Where the file of a run is, or would be."""
        return self.folder / f"{run_id}.run"

    def has(self, run_id: str) -> bool:
        """Whether there is a run of that id. Any text may be asked for."""
        return RUN_ID.fullmatch(run_id) is not None and self.path(run_id).is_file()

    def open(self, run_id: str) -> Record:
        """A recorded run, which counts as used now. Raises Problem for a damaged one, or one another server writes."""
        path = self.path(run_id)
        record = Record.open(path)
        os.utime(path)
        return record

    def temp_path(self, name: str) -> Path:
        """Where a file may lie in the same folder that is not a run, or not yet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"{name}.new"

    def prune(self, is_open: Callable[[str], bool] = lambda run_id: False) -> list[str]:
        """Deletes the oldest runs until the rest fits, but none that `is_open`, and temporary files that were left.

        Returns the names of what was deleted.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        files = []  # temporary files first, then runs, each the oldest first
        now = time.time()
        for path in self.folder.iterdir():
            try:
                if path.suffix in (".run", ".new"):
                    files.append((path.suffix == ".run", path.stat().st_mtime, path.stat().st_size, path))
            except FileNotFoundError:  # another server deleted it meanwhile
                continue
        total = sum(size for _, _, size, _ in files)
        deleted = []
        for is_run, modified, size, path in sorted(files):
            keep = (total <= self.max_bytes or is_open(path.stem)) if is_run else now - modified < TEMP_LIFE_S
            if not keep and delete(path):
                total -= size
                deleted.append(path.stem)
        return deleted


def delete(path: Path) -> bool:
    """Deletes a file that nobody has open; returns whether it is gone."""
    try:
        with path.open("rb") as file:
            if not lock(file, exclusive=True):
                return False
            path.unlink(missing_ok=True)
    except FileNotFoundError:
        pass
    return True
