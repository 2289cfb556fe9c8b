"""How much one learner may have of the machine, so that a class can share it. No torch here."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, fields, replace

DAY_S = 86400.0
HALF = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """The most there may be of each. A learner's steps and seconds are counted over a day from their first run on.

    active: runs at once in the workers, all learners together; others wait. waiting: runs in that queue. runs: of one
    learner at once, waiting ones included. steps, seconds: that all runs of a learner take in a day, in training steps
    and in the workers' time. memory: of one run, in MB of the device it runs on (half the machine's, unless given).
    """

    active: int = 256
    waiting: int = 1000
    runs: int = 8
    steps: int = 2_000_000_000
    seconds: int = 43_200
    memory: int = HALF

    @classmethod
    def of(cls, text: str) -> Limits:
        """From "runs=4 seconds=600": what is not named stays as it is. Raises ValueError with the names there are."""
        names = [field.name for field in fields(cls)]
        found: dict[str, int] = {}
        for part in text.replace(",", " ").split():
            match = re.fullmatch(r"(\w+)=(\d{1,15})", part)
            if not match or match[1] not in names or int(match[2]) < 1:
                raise ValueError(
                    f"TORCHROOM_LIMITS has {part!r:.60}: write NAME=NUMBER, numbers from 1, names {', '.join(names)}"
                )
            found[match[1]] = int(match[2])
        return replace(cls(), **found)

    @classmethod
    def here(cls) -> Limits:
        """Those that TORCHROOM_LIMITS names, for this server or worker."""
        return cls.of(os.environ.get("TORCHROOM_LIMITS", ""))
