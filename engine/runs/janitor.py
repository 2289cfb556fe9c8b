"""What is done from time to time: runs nobody watches pause, old runs are closed, old files deleted."""

from __future__ import annotations

import threading
import time

from engine.runs.audience import Audience
from engine.runs.quotas import Quotas
from engine.runs.registry import Registry

PERIOD_S = 1.0
PRUNE_PERIOD_S = 60.0


class Janitor:
    """A thread that looks after the runs while `closed` is not set; it takes `lock` for what it does to them."""

    def __init__(
        self, registry: Registry, audience: Audience, quotas: Quotas, lock: threading.RLock, closed: threading.Event
    ) -> None:
        self.registry = registry
        self.audience = audience
        self.quotas = quotas
        self.lock = lock
        self.closed = closed

    def start(self) -> None:
        """Starts the thread."""
        threading.Thread(target=self._work, name="engine janitor", daemon=True).start()

    def _work(self) -> None:
        pruned = time.monotonic()
        while not self.closed.wait(PERIOD_S):
            with self.lock:
                self.audience.rest_unwatched()
                self.registry.evict()
            if time.monotonic() - pruned > PRUNE_PERIOD_S:
                pruned = time.monotonic()
                with self.lock:
                    self.quotas.prune()
                self.registry.library.prune(self.registry.is_open)
