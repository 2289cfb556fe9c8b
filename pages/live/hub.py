"""All connections and the runs they watch, between the engine's threads and the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, cast

from engine.messages import RunFrame, RunScalars
from engine.runs.engine import Engine, Run
from engine.runs.listeners import RunChanged, RunEvent, RunRewound
from engine.types import Problem
from pages.live.channel import Channel
from pages.live.connection import Connection
from pages.live.frames import Frames
from pages.live.protocol import Bilingual, NextMessage, RunMessage, RunStatus
from pages.live.ring import Cursor


class Hub:
    """Who watches what. Everything but `on_event` and `switch_run` belongs to the event loop."""

    def __init__(self, engine: Engine) -> None:
        self.frames = Frames(engine)
        self.channels: dict[str, Channel] = {}
        self.connections: set[Connection] = set()
        self._engine = engine
        self._loop: asyncio.AbstractEventLoop | None = None  # set by start
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begins to listen to the engine; called on the event loop that will send."""
        self._loop = asyncio.get_running_loop()
        self._engine.listen(self.on_event)

    async def close(self) -> None:
        """Ends every stream: a server that goes down does not wait for browsers."""
        for task in list(self._tasks):
            task.cancel()
        for connection in list(self.connections):
            try:
                await asyncio.wait_for(connection.ws.close(1012), 0.2)
            except (TimeoutError, RuntimeError, OSError):
                continue
        self.frames.close()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs `work` as a task that `close` cancels."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # What the engine tells

    def on_event(self, event: RunEvent, message: bytes) -> None:
        """An event of the engine, on one of its threads. One of a run that nobody watches costs a look-up."""
        if event.run not in self.channels or self._loop is None:
            return
        try:
            self._loop.call_soon_threadsafe(self._deliver, event, message)
        except RuntimeError:  # the loop is closed: the server is going down
            return

    def _deliver(self, event: RunEvent, message: bytes) -> None:
        channel = self.channels.get(event.run)
        if channel is None:
            return
        match event:
            case RunScalars():
                channel.on_scalars(list(event.blocks), message)
            case RunChanged():
                channel.on_status()
            case RunFrame():
                channel.on_frame()
            case RunRewound():
                channel.on_rewind(event.step)

    # Viewers

    def open_channel(self, run: Run) -> Channel:
        """A channel of `run`, which nobody watches yet."""
        return Channel(run, asyncio.get_running_loop(), self.describe, self.frames.frame, self.spawn)

    def join(self, connection: Connection, run: str, seen: int, aside: bool = False) -> list[bytes]:
        """Makes a connection that has the steps up to `seen` a viewer of `run`; returns what it is sent first.

        With `aside` the run is only drawn beside another. Raises Problem for a run that is not known.
        """
        channel = self.channels.get(run)
        if channel is None:
            channel = self.channels[run] = self.open_channel(self._engine.get(run))
        self._engine.watch(run, connection.id, connection.learner, aside)
        connection.cursors[run], messages = channel.join(connection.wake, seen, aside)
        return messages

    def leave(self, connection: Connection, run: str) -> None:
        """A connection no longer watches `run`; the channel of a run that nobody watches is closed."""
        connection.cursors.pop(run, None)
        channel = self.channels.get(run)
        if channel is not None:
            channel.viewers.discard(connection.wake)
            if not channel.viewers:
                self.channels.pop(run).close()
        try:
            self._engine.leave(run, connection.id)
        except Problem:
            return

    def since(self, run: str, cursor: Cursor) -> list[bytes]:
        """The messages of a run after `cursor`, which moves on."""
        channel = self.channels.get(run)
        return channel.since(cursor) if channel else []

    def switch_run(self, learner: str, before: str | None, run: str) -> None:
        """Makes a learner's boards that show `before` viewers of `run`, earlier than the page drawn for it can.

        May be called from any thread.
        """

        def switch() -> None:
            for connection in self.connections:
                if connection.learner == learner and before in connection.cursors:
                    first = self.join(connection, run, -1)
                    connection.post(NextMessage(None, before, run).pack(), *first)

        if self._loop is not None and before is not None and before != run:
            self._loop.call_soon_threadsafe(switch)

    def describe(self, run: Run) -> RunMessage:
        """How a run stands."""
        return RunMessage(
            run=run.id,
            status=cast(RunStatus, run.status),
            total=run.total,
            error=Bilingual.of(run.error) if run.error else None,
            note=Bilingual.of(run.note) if run.note else None,
            device=run.device,
            place=self._engine.place(run),
            rate=round(run.rate, 1),
            viewers=len(run.viewers),
            params=run.params,
            seed=run.job.seed,
            checkpoints=run.marks,
            origin=run.origin if run.origin and self._engine.has(run.origin[0]) else None,
            frames=run.record.frames,
        )
