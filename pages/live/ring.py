"""The last messages of one run, numbered, and how far each of its viewers has come with them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["run", "scalars", "frame", "rewind"]

# Messages that are kept of a run: about four seconds of them.
LENGTH = 96


@dataclass(slots=True)
class Entry:
    """A message of a run as it goes to every viewer. `step` is the last step it is about; no data: it is outdated."""

    number: int
    kind: Kind
    step: int
    data: bytes


@dataclass(slots=True)
class Cursor:
    """How far one viewer has come with one run."""

    number: int  # of the last message that was sent
    step: int  # the last one whose scalars were sent
    aside: bool = False  # the run is only drawn beside another: frames are not sent


class Ring:
    """The last LENGTH messages of a run. Of its states and frames only the newest is kept."""

    def __init__(self) -> None:
        self.number = 0  # of the last message
        self._entries: deque[Entry] = deque(maxlen=LENGTH)
        self._rewinds: deque[tuple[int, int]] = deque(maxlen=LENGTH)  # (message number, step)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def add(self, kind: Kind, step: int, data: bytes) -> None:
        """Appends a message; an older one of the same kind is outdated by a state or a frame."""
        if kind in ("run", "frame"):
            for index, old in enumerate(self._entries):
                if old.kind == kind:
                    self._entries[index] = Entry(old.number, kind, old.step, b"")
        self.number += 1
        self._entries.append(Entry(self.number, kind, step, data))
        if kind == "rewind":
            self._rewinds.append((self.number, step))

    def newest(self, kind: Kind) -> bytes | None:
        """The newest message of a kind, if it is still here."""
        return next((entry.data or None for entry in reversed(self._entries) if entry.kind == kind), None)

    @property
    def last_rewind(self) -> int:
        """The number of the last rewind, 0 if there was none."""
        return self._rewinds[-1][0] if self._rewinds else 0

    def lowest_rewind(self, cursor: Cursor) -> int:
        """The lowest step to which the run went back after what `cursor` has seen; its own step if it did not."""
        return min((step for number, step in self._rewinds if number > cursor.number), default=cursor.step)

    def reaches(self, cursor: Cursor) -> bool:
        """Whether everything after `cursor` is still here."""
        return bool(self._entries) and cursor.number + 1 >= self._entries[0].number

    def after(self, cursor: Cursor) -> list[bytes]:
        """The messages after `cursor`, whose step moves on with them."""
        messages = []
        for entry in self._entries:
            if entry.number > cursor.number and entry.data and not (cursor.aside and entry.kind == "frame"):
                messages.append(entry.data)
                if entry.kind in ("scalars", "rewind"):
                    cursor.step = entry.step
        return messages
