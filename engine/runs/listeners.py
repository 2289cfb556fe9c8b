"""What the engine tells its listeners, and the list of those."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from engine.messages import RunFrame, RunScalars

LOG = logging.getLogger("torchroom.engine")


@dataclass(frozen=True, slots=True)
class RunChanged:
    """Something about a run changed: its state, note, viewers, settings or place in the queue."""

    kind: ClassVar[str] = "run"
    run: str


@dataclass(frozen=True, slots=True)
class RunRewound:
    """A run was set back: everything after `step` is void and comes again."""

    kind: ClassVar[str] = "rewind"
    run: str
    step: int


RunEvent: TypeAlias = RunChanged | RunRewound | RunScalars | RunFrame
Listener: TypeAlias = Callable[[RunEvent, bytes], None]


class Listeners:
    """Those who are told what happens to runs. They are called on the engine's threads and must be quick."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def add(self, listener: Listener) -> None:
        """`listener(event, message)` is called for every event; `message` is its packed form, b"" if it has none."""
        self._listeners.append(listener)

    def remove(self, listener: Listener) -> None:
        """`listener` is not called any more."""
        self._listeners.remove(listener)

    def notify(self, event: RunEvent, message: bytes = b"") -> None:
        """Tells all of them."""
        for listener in [*self._listeners]:
            try:
                listener(event, message)
            except Exception:  # one that fails must not keep the event from the others, nor stop the engine
                LOG.exception("a listener failed on run %s", event.run)

    def changed(self, run: str) -> None:
        """Tells all of them that something about a run changed."""
        self.notify(RunChanged(run))
