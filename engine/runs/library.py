"""The folder of recorded runs, RUN.run each: found again after a restart, bounded in all, the oldest cleared first.

MultiChoice servers may share one folder: a run that is being written belongs to its writer, and a file that anybody has
open is not cleared away (engine/records/record.py says how they are locked).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

from engine.records.record import Record, lock

IN_ALL = 2_000_000_000
MAKING_S = 600.0  # a file that is older and not a run yet never becomes one
NAME = re.compile(r"[\w-]{1,80}")


class RunLibrary:
    """Recorded runs in `folder`, at most `most` bytes of them, but for those that are open."""

    def __init__(self, folder: Path, most: int = IN_ALL) -> None:
        self.folder = folder
        self.most = most

    def place(self, run: str) -> Path:
        """Where a run's file is, if it is there."""
        return self.folder / f"{run}.run"

    def has(self, run: str) -> bool:
        """Whether a run of that name was kept. Any name may be asked for."""
        return NAME.fullmatch(run) is not None and self.place(run).is_file()

    def open(self, run: str) -> Record:
        """A kept run, which counts as used now. Raises Problem for a damaged one, or one that another server writes."""
        path = self.place(run)
        record = Record.open(path)
        os.utime(path)
        return record

    def aside(self, name: str) -> Path:
        """A place in the same folder for a file that is not a run (yet)."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"{name}.new"

    def tidy(self, spare: Callable[[str], bool] = lambda run: False) -> list[str]:
        """Clears the oldest until the rest fits, and what was left half made; returns the runs cleared."""
        self.folder.mkdir(parents=True, exist_ok=True)
        found = []
        now = time.time()
        for path in self.folder.iterdir():
            try:
                if path.suffix in (".run", ".new"):
                    found.append((path.suffix == ".run", path.stat().st_mtime, path.stat().st_size, path))
            except FileNotFoundError:  # another server was quicker
                continue
        total = sum(size for _, _, size, _ in found)
        cleared = []
        for whole, made, size, path in sorted(found):
            if total <= self.most or spare(path.stem) if whole else now - made < MAKING_S:
                continue
            if remove(path):
                total -= size
                cleared.append(path.stem)
        return cleared


def remove(path: Path) -> bool:
    """Deletes a file that nobody has open; returns whether it is gone."""
    try:
        with path.open("rb") as file:
            if not lock(file, alone=True):
                return False
            path.unlink(missing_ok=True)
    except FileNotFoundError:
        pass
    return True
