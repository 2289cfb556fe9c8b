"""The interface of every backend: take commands, and give back the events of all its workers as one stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from engine.messages import Command, Event


class Received(NamedTuple):
    """An event, and the bytes it came as: a record stores them, a websocket passes them on."""

    event: Event
    message: bytes


class Backend(Protocol):
    """One or more workers, wherever they are.

    Where there are several, each has a name of its own; the status of a run tells which worker computes it.
    """

    def open(self) -> None:
        """Starts the workers; returns at once. Commands may be sent from now on."""

    def send(self, command: Command) -> None:
        """Passes a command on; returns at once. A StartRun chooses a worker, every other goes to the one of its run."""

    def events(self) -> Iterator[Received]:
        """Everything that happens, until `close`."""

    def close(self) -> None:
        """Ends the workers and the stream of events. Leaves no process behind."""
