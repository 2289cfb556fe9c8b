"""What every backend does: start runs, pass commands on, and give back one stream of events for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, TypeAlias

from engine.types import Arrays, Checkpoint, Job, Values
from engine.wire import pack

Event: TypeAlias = tuple[
    Values, Arrays, bytes
]  # a message of engine/worker/scheduler.py: header, arrays, and as it was packed


class Backend(Protocol):
    """One or more workers, wherever they are.

    Besides the loop's own, `events` yields
        ready  worker, device, name, threads, torch, pid   a worker is up
        died   workers, code, inside, runs                 workers are gone, with `runs` they had; `inside` is the one
                                                           whose code it was in ("" if in none). Others are on their
                                                           way then, and take starts already
        stuck  worker, device, error, runs                 a worker cannot start for now, for a reason in words; it is
                                                           tried again, and the `runs` wait for it
    A worker's name is its own, where there are several; a run's "status" tells whose it is.
    """

    def open(self) -> None:
        """Starts the workers; returns at once."""

    def start(
        self, run: str, job: Job, learner: str, state: Checkpoint | None = None, live: Values | None = None,
        status: str = "running",
    ) -> None:  # fmt: skip
        """Begins a run, from `state` if given, with the `live` changes in force; `status` "paused" takes one step."""

    def tell(self, run: str, command: str, values: Mapping[str, Any], arrays: Arrays | None = None) -> None:
        """Passes a command on: pause, resume, step, stop, set (values), snapshot (wanted), ask (id, name, args …)."""

    def events(self) -> Iterator[Event]:
        """Everything that happens, until `close`."""

    def close(self) -> None:
        """Ends the workers and the stream of events. Leaves nothing behind."""


def start_message(
    run: str, job: Job, learner: str, state: Checkpoint | None, live: Values | None, status: str
) -> bytes:
    """The command that begins a run."""
    header = {"op": "start", "run": run, "job": job.as_json(), "learner": learner, "live": live or {}, "status": status}
    return pack(header, state)


def tell_message(run: str, command: str, values: Mapping[str, Any], arrays: Arrays | None) -> bytes:
    """The command that acts on a run: "set" carries its values as such, the others as fields of their own."""
    fields = {"values": dict(values)} if command == "set" else dict(values)
    return pack({**fields, "op": command, "run": run}, arrays)
