"""The messages of one run that somebody watches: encoded once, numbered, sent at a pace that all its viewers share.

Who has fallen behind the ring gets one block of scalars from the record instead, and the newest frame: frames may be
skipped, scalars never.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any

from engine.records.blocks import merged, up_to
from engine.runs.engine import Run
from engine.types import ScalarBlock
from pages.live.protocol import Bilingual, RewindMessage, RunMessage, pack_scalars
from pages.live.ring import Cursor, Ring

LOG = logging.getLogger("torchroom.live")

# Seconds between two blocks of scalars of one run, as long as few watch it.
PERIOD = 0.05
# Blocks of one run that are sent each second, all viewers together: a crowd must not take the time of what it watches.
BLOCKS_PER_S = 1200
# Seconds between two blocks of scalars of one run, however many watch it.
LONGEST_PERIOD = 0.2
# Seconds between two "run" messages that differ in nothing but rate, viewers and frames.
STATUS_PERIOD = 0.25


class Channel:
    """What is sent of one run. All of it happens on the event loop.

    `describe(run)` makes the "run" message, `newest_frame(run)` the newest "frame" message with its step, or None;
    `spawn` starts a task. A viewer is known by the event that is set when there is more to send to it.
    """

    def __init__(
        self,
        run: Run,
        loop: asyncio.AbstractEventLoop,
        describe: Callable[[Run], RunMessage],
        newest_frame: Callable[[Run], Awaitable[tuple[int, bytes] | None]],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self.run = run
        self.viewers: set[asyncio.Event] = set()
        self.ring = Ring()
        self.step = run.record.last  # the last one whose scalars were sent; what came before is in the record
        self._loop = loop
        self._describe = describe
        self._newest_frame = newest_frame
        self._spawn = spawn
        self._blocks: list[tuple[list[ScalarBlock], bytes]] = []  # scalars to send, with the worker's own bytes of them
        self._rewinds: list[int] = []  # steps of rewinds to send
        self._behind = True  # the record may hold more than the scalars that were heard of
        self._status_due = True
        self._status_at = 0.0  # when the next "run" message may follow that is not urgent
        self._status: RunMessage | None = None  # as sent last
        self._frame_due = False
        self._making_frame = False
        self._flush_at = 0.0
        self._flush_timer: asyncio.TimerHandle | None = None
        self._status_timer: asyncio.TimerHandle | None = None
        self._packed_history: tuple[int, int, int, bytes] | None = None  # (first, last, last rewind, message)

    def close(self) -> None:
        """Cancels what was to be sent."""
        for timer in (self._flush_timer, self._status_timer):
            if timer is not None:
                timer.cancel()

    @property
    def period(self) -> float:
        """Seconds between two blocks, on average."""
        return min(max(PERIOD, len(self.viewers) / BLOCKS_PER_S), LONGEST_PERIOD)

    # What happens to the run

    def on_scalars(self, blocks: list[ScalarBlock], message: bytes) -> None:
        """Scalars came, in `message` as the worker packed them. The state, which has length and rate, follows them."""
        self._blocks.append((blocks, message))
        self._status_due = True
        self._schedule()

    def on_status(self) -> None:
        """Something about the run has changed."""
        self._status_due = self._behind = True
        self._schedule()

    def on_frame(self) -> None:
        """The record has a newer frame. To few viewers it goes at once, behind the scalars of its step: with a pace of
        its own it would miss every other block."""
        self._frame_due = True
        self._status_due = self._behind = True
        if self.period == PERIOD:
            self.flush()
        else:
            self._schedule()

    def on_rewind(self, step: int) -> None:
        """The run goes on from `step`; scalars that were to be sent are void."""
        self._blocks.clear()
        self._rewinds.append(step)
        self._status_due = self._behind = True
        self.flush()

    # Sending

    def _schedule(self) -> None:
        """Calls `flush` when a period has passed since the last block.

        Where the period is longer than PERIOD it may come earlier by the difference, to make up for a late one:
        `_flush_at` keeps the average pace.
        """
        if self._flush_timer is None:
            delay = max(0.0, self._flush_at - (self.period - PERIOD) - self._loop.time())
            self._flush_timer = self._loop.call_later(delay, self.flush)

    def flush(self) -> None:
        """Puts everything that is due into the ring and wakes the viewers."""
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        before = self.ring.number
        for step in self._rewinds:
            self.step = min(self.step, step)
            self.ring.add("rewind", step, self._pack_rewind(step))
        self._rewinds.clear()
        self._send_scalars()
        if self._status_due:
            self._send_status()
        if self._frame_due and not self._making_frame:
            self._spawn(self._send_frames())
        if self.ring.number != before:
            self._wake()

    def _send_scalars(self) -> None:
        """Sends the scalars that came. One block that follows the last one sent goes as the worker packed it."""
        arrived, self._blocks = self._blocks, []
        blocks = [block for part, _ in arrived for block in part]
        if blocks:
            now = self._loop.time()
            self._flush_at = min(max(self._flush_at, now), now + self.period - PERIOD) + self.period
            first = min(int(block.steps[0]) for block in blocks)
            last = max(int(block.steps[-1]) for block in blocks)
            if first == self.step + 1:
                self.step = last
                message = arrived[0][1] if len(arrived) == 1 else pack_scalars(self.run.id, merged(blocks))
                self.ring.add("scalars", last, message)
            elif last > self.step:
                self._catch_up()
        if self._behind:
            self._behind = False
            self._catch_up()

    def _catch_up(self) -> None:
        """Sends what the record has beyond the last step sent: the past of a copy comes at once and without events."""
        last = self.run.record.last
        if last > self.step:
            blocks = up_to(self.run.record.blocks(self.step), last)
            self.step = last
            if blocks:
                self.ring.add("scalars", last, pack_scalars(self.run.id, blocks))

    def _send_status(self) -> None:
        """Sends how the run stands, if that has changed: later, where only its rate, viewers or frames have."""
        status, sent, now = self._describe(self.run), self._status, self._loop.time()
        if status == sent:
            self._status_due = False
            return
        urgent = sent is None or status != replace(
            sent, rate=status.rate, viewers=status.viewers, frames=status.frames, seed=status.seed
        )
        if not urgent and now < self._status_at:
            if self._status_timer is None:  # one of its own: scalars that come meanwhile do not wait for it
                self._status_timer = self._loop.call_later(self._status_at - now, self._send_status_late)
            return
        self._status_due = False
        self._status = status
        self._status_at = now + STATUS_PERIOD
        self.ring.add("run", self.step, status.pack())

    def _send_status_late(self) -> None:
        self._status_timer = None
        self._schedule()

    async def _send_frames(self) -> None:
        """Sends the newest frame, which is made beside the loop; those that came meanwhile are skipped."""
        self._making_frame = True
        try:
            while self._frame_due and self.viewers:
                self._frame_due = False
                made = await self._newest_frame(self.run)
                if made is None:
                    continue
                step, message = made
                if step <= self.run.record.last:  # no rewind has made it void meanwhile
                    self.ring.add("frame", step, message)
                    self._wake()
                await asyncio.sleep(self.period / 2)
        except Exception:  # the lesson's figures failed: its scalars go on
            LOG.exception("no frame of run %s", self.run.id)
        finally:
            self._making_frame = False

    def _pack_rewind(self, step: int) -> bytes:
        note = Bilingual.of(self.run.note) if self.run.note else Bilingual("", "")
        return RewindMessage(self.run.id, step, note).pack()

    def _wake(self) -> None:
        for wake in self.viewers:
            wake.set()

    # Viewers

    def join(self, wake: asyncio.Event, seen: int, aside: bool = False) -> tuple[Cursor, list[bytes]]:
        """A new viewer who has the steps up to `seen`: its place in the ring, and everything it needs before that.

        With `aside` it is sent no frames.
        """
        self.viewers.add(wake)
        self.flush()
        messages = [self._describe(self.run).pack()]
        if seen > self.step:  # the run was set back while the viewer was away
            messages.append(self._pack_rewind(self.step))
            seen = self.step
        history = self._history(seen)
        if history:
            messages.append(history)
        cursor = Cursor(self.ring.number, self.step, aside)
        if aside:
            return cursor, messages
        frame = self.ring.newest("frame")
        if frame:
            messages.append(frame)
        else:
            self._frame_due = True
            if not self._making_frame:
                self._spawn(self._send_frames())
        return cursor, messages

    def since(self, cursor: Cursor) -> list[bytes]:
        """The messages after `cursor`, which moves on: all scalars, and of states and frames the newest."""
        if cursor.number == self.ring.number:
            return []
        messages = self.ring.after(cursor) if self.ring.reaches(cursor) else self._since_record(cursor)
        cursor.number = self.ring.number
        return messages

    def _since_record(self, cursor: Cursor) -> list[bytes]:
        """What a viewer needs who has fallen behind the ring: its scalars come from the record."""
        messages = []
        lowest = self.ring.lowest_rewind(cursor)
        if lowest < cursor.step:
            messages.append(self._pack_rewind(lowest))
            cursor.step = lowest
        history = self._history(cursor.step)
        if history:
            messages.append(history)
        cursor.step = self.step
        newest = [self.ring.newest("run"), None if cursor.aside else self.ring.newest("frame")]
        return messages + [message for message in newest if message]

    def _history(self, seen: int) -> bytes | None:
        """Scalars of the steps after `seen` up to the last one sent, packed once for all who ask the same."""
        if seen >= self.step:
            return None
        key = (seen, self.step, self.ring.last_rewind)
        if self._packed_history is None or self._packed_history[:3] != key:
            blocks = up_to(self.run.record.blocks(seen), self.step)
            if not blocks:
                return None
            self._packed_history = (*key, pack_scalars(self.run.id, blocks))
        return self._packed_history[3]
