"""How much of the machine one run, one learner and all together may have, so that a class can share it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, fields, replace

DAY_S = 86400.0
HALF_MEMORY_MB = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """The most there may be of each.

    active: runs at once in the workers, of all learners; others wait. waiting: runs in that queue. runs: of one learner
    at once, those in the queue included. steps, seconds: training steps and worker time that all runs of a learner
    take, counted over a day from their first run on. memory: of one run, in MB of the device it runs on (half the
    machine's, unless given).
    """

    active: int = 256
    waiting: int = 1000
    runs: int = 8
    steps: int = 2_000_000_000
    seconds: int = 43_200
    memory: int = HALF_MEMORY_MB

    @classmethod
    def parse(cls, text: str) -> Limits:
        """Limits from "runs=4 seconds=600": what is not named keeps its default. Raises ValueError with the names."""
        names = [field.name for field in fields(cls)]
        given: dict[str, int] = {}
        for part in text.replace(",", " ").split():
            match = re.fullmatch(r"(\w+)=(\d{1,15})", part)
            if not match or match[1] not in names or int(match[2]) < 1:
                raise ValueError(
                    f"TORCHROOM_LIMITS has {part!r:.60}: write NAME=NUMBER, numbers from 1, names {', '.join(names)}"
                )
            given[match[1]] = int(match[2])
        return replace(cls(), **given)

    @classmethod
    def from_environment(cls) -> Limits:
        """The limits that TORCHROOM_LIMITS names, for this server or worker."""
        return cls.parse(os.environ.get("TORCHROOM_LIMITS", ""))
