"""Several workers as one backend: who has which run, and what becomes of those whose worker is gone. No torch here."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.backends.base import Event, start_message, tell_message
from engine.types import ENDED, Arrays, Checkpoint, Job, Values
from engine.wire import pack, unpack

Outbox = queue.SimpleQueue[Event | None]
Letters = queue.SimpleQueue[bytes | None]

AGAIN_S = 60.0  # at most, between two tries of a worker that cannot start


class WorkerHandle:
    """One worker, seen from here: the runs it has, the letters that go to it, and what it says.

    `name` tells it from the others of its crew ("ray/2" is behind "ray"); `letters` ends with None when whoever read
    them is gone.
    """

    def __init__(self, name: str, device: str, outbox: Outbox) -> None:
        self.name = name
        self.device = device
        self.outbox = outbox
        self.runs: set[str] = set()
        self.letters: Letters = queue.SimpleQueue()
        self.closing = threading.Event()
        self.error: Values | None = None  # why it cannot start, as long as it cannot
        self.failures = 0  # to start, in a row
        self.up = False
        self.early = 0  # deaths before it was up, in a row
        self._names = {name}  # it, or those behind it
        self._lock = threading.Lock()

    def start(self, run: str, letter: bytes) -> None:
        """Gives it a run, which it begins as soon as it can."""
        with self._lock:
            self.runs.add(run)
            self.letters.put(letter)
            error = self.error
        if error:
            self.say_stuck(error, [run])

    def heard(self, message: bytes) -> None:
        """What it said, told to all; with its name, where that matters."""
        header, arrays = unpack(message)
        kind = header["type"]
        if kind == "status" and header["status"] in ENDED:
            self.runs.discard(header["run"])
        elif kind == "ready":
            self.device = header["device"]
            self.error = None
            self.failures = self.early = 0
            self.up = True
        elif kind == "died":  # one that is behind it
            self.runs -= set(header["runs"])
        elif kind == "stuck":
            if header.get("worker", self.name) == self.name:
                self.error = header["error"]
            header.setdefault("runs", sorted(self.runs))
        if kind in ("status", "ready", "stuck"):
            self._names.add(header.setdefault("worker", self.name))
            message = pack(header, arrays)
        self.outbox.put((header, arrays, message))

    def gone(self, code: int | str, inside: str = "", error: Values | None = None) -> float:
        """Tells that it died, and why it cannot start if `error`. Returns how many seconds to wait for the next one."""
        with self._lock:
            runs = sorted(self.runs)
            self.runs.clear()
            self.letters.put(None)
            self.letters = queue.SimpleQueue()
            self.error = error
        self.early = 0 if self.up else self.early + 1
        self.up = False
        died = {"type": "died", "run": "", "device": self.device, "code": code, "inside": inside, "runs": runs}
        self._put({**died, "workers": sorted(self._names)})
        if error is None:
            return 0.0
        self.say_stuck(error, runs)
        self.failures += 1
        return min(AGAIN_S, 2.0 ** (self.failures - 1))

    def say_stuck(self, error: Values, runs: Sequence[str]) -> None:
        """Tells why it is not there, to the learners of those runs too."""
        self._put(
            {"type": "stuck", "run": "", "worker": self.name, "device": self.device, "error": error, "runs": [*runs]}
        )

    def _put(self, header: Values) -> None:
        self.outbox.put((header, {}, pack(header)))

    def close(self) -> None:
        """Ends it, and waits until it has."""
        raise NotImplementedError


class WorkerPool:
    """A Backend of members; who adds them says where they are. A run stays with the member that began it."""

    def __init__(self) -> None:
        self.members: list[WorkerHandle] = []
        self.outbox: Outbox = queue.SimpleQueue()
        self._home: dict[str, WorkerHandle] = {}

    def start(
        self, run: str, job: Job, learner: str, state: Checkpoint | None = None, live: Values | None = None,
        status: str = "running",
    ) -> None:  # fmt: skip
        self.begin(run, job.device, start_message(run, job, learner, state, live, status))

    def tell(self, run: str, command: str, values: Mapping[str, Any], arrays: Arrays | None = None) -> None:
        self.send(run, tell_message(run, command, values, arrays))

    def begin(self, run: str, device: str, letter: bytes) -> None:
        """Gives a run to the member with the fewest, of those that can start and are of its device if there are any."""
        members = [one for one in self.members if one.error is None] or self.members
        members = [one for one in members if device in ("auto", one.device)] or members
        member = min(members, key=lambda one: len(one.runs))
        self._home[run] = member
        member.start(run, letter)

    def send(self, run: str, letter: bytes) -> None:
        """Passes a letter on to whoever has the run, or had it."""
        self._home.get(run, self.members[0]).letters.put(letter)

    def events(self) -> Iterator[Event]:
        while (event := self.outbox.get()) is not None:
            header = event[0]
            if header["type"] == "status" and header["status"] in ENDED:
                self._home.pop(header["run"], None)
            yield event

    def close(self) -> None:
        for member in self.members:
            member.closing.set()
        for member in self.members:
            member.close()
        self.outbox.put(None)
