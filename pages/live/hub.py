"""The live route: one websocket per page, over which runs are watched, commanded and asked.

A run's messages are encoded once, numbered, and kept in a short ring; each socket has a place in it and is woken
when there is more. Who has fallen behind the ring gets one block of scalars from the record instead, and the newest
frame: frames may be skipped, scalars never. Nothing here touches Streamlit's sessions, and torch is never imported.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import gzip
import json
import logging
import re
import threading
import time
import uuid
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

import numpy as np
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from engine import wire
from engine.messages import RUN_CONTROLS
from engine.params import Params, checked
from engine.records.blocks import decode_blocks, encode_blocks, merged, up_to
from engine.runs.engine import Engine, Run
from engine.types import ENDED, Arrays, Problem, ScalarBlock, Values
from lessons import catalog
from lessons.board.figures import Patch
from pages.live.app_state import app_state
from pages.live.assets import Served

LOG = logging.getLogger("torchroom.live")

PERIOD = 0.05  # seconds between two blocks of scalars of one run: at most 20 a second, but for those with a picture,
BLOCKS = 1200  # and so many to all who watch it, so that a crowd does not take the time of what it looks at,
LONGEST_PERIOD = 0.2  # but five a second to each of however many
NEWS = 0.25  # seconds between two "run" messages that differ in rate or viewers only
RING = 96  # messages kept for a run; about four seconds
LONGEST = 64 << 10  # bytes of one message from a browser
RATE, BURST = 40.0, 120.0  # messages a second from one browser, and how many at once
ASKS = 8  # questions of one browser under way at a time
WATCHES = 64  # runs watched by one browser
KEPT = 16 << 20  # bytes of encoded frames and answers kept for other viewers
SETTINGS = 1000  # runs whose checked settings are kept
RUN_ID = re.compile(r"[\w.@-]{1,80}")

Kind: TypeAlias = Literal["run", "scalars", "frame", "rewind"]


@dataclass(slots=True)
class Message:
    """A message of a run as it goes to every viewer; `step` is the last step it is about."""

    number: int
    kind: Kind
    step: int
    data: bytes


@dataclass(slots=True)
class Place:
    """How far one socket has come with one run: the last message, and the last step whose scalars were sent."""

    number: int
    step: int
    aside: bool = False  # only its curves are drawn, beside another run: frames are not sent


def patches(found: list[Patch]) -> tuple[list[Values], Arrays]:
    """Patches as the header lists them, their arrays set apart as {"$": name}."""
    arrays: Arrays = {}

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            name = f"a{len(arrays)}"
            arrays[name] = value
            return {"$": name}
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, Mapping):
            return {str(key): plain(one) for key, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(one) for one in value]
        return value

    listed = [
        {"figure": one.figure, "trace": one.trace, "data": {key: plain(value) for key, value in one.data.items()}}
        for one in found
    ]
    return listed, arrays


def scalars(run: str, groups: list[ScalarBlock]) -> bytes:
    """Groups of scalars as one message."""
    header, arrays = encode_blocks(groups)
    return wire.pack({"type": "scalars", "run": run, **header}, arrays)


def both(problem: Problem | None) -> dict[str, str] | None:
    return None if problem is None else {"en": problem.en, "zh": problem.zh}


class ByteLruCache:
    """The last encoded things by key, bounded in bytes. Safe from several threads."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._items: OrderedDict[Any, tuple[Any, int]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Any) -> Any:
        with self._lock:
            found = self._items.get(key)
            if found is None:
                return None
            self._items.move_to_end(key)
            return found[0]

    def put(self, key: Any, value: Any, size: int) -> None:
        with self._lock:
            if key in self._items:
                self._bytes -= self._items.pop(key)[1]
            self._items[key] = (value, size)
            self._bytes += size
            while self._bytes > self.limit and len(self._items) > 1:
                self._bytes -= self._items.popitem(last=False)[1][1]


class Channel:
    """A run that somebody watches. All of it happens on the event loop, but for the making of frames."""

    def __init__(self, hub: Hub, run: Run) -> None:
        self.hub = hub
        self.run = run
        self.sockets: set[Socket] = set()
        self.ring: deque[Message] = deque(maxlen=RING)
        self.number = 0
        self.step = run.record.last  # last step whose scalars were sent; what came before is in the record
        self.blocks: list[tuple[list[ScalarBlock], bytes]] = []  # scalars not yet sent, and as the worker packed them
        self.rewinds: deque[tuple[int, int]] = deque(maxlen=RING)  # (message number, step)
        self.pending: list[int] = []  # rewinds not yet told
        self.behind = True  # the record may hold more than the scalars that were heard of
        self.news = True
        self.news_at = 0.0
        self.news_said: Values = {}
        self.frame_due = False
        self.frame_made: Message | None = None
        self.making = False
        self.flush_handle: asyncio.TimerHandle | None = None
        self.news_handle: asyncio.TimerHandle | None = None
        self.flush_at = 0.0
        self.past: tuple[int, int, int, bytes] | None = None  # (from, to, rewinds, block): the history last packed

    @property
    def period(self) -> float:
        """Seconds between two blocks, on average."""
        return min(max(PERIOD, len(self.sockets) / BLOCKS), LONGEST_PERIOD)

    def wanted(self) -> None:
        """Sends what is new when its turn comes. To a crowd it may be early, by what its period is longer than PERIOD:
        a step that was late is no reason for all that follow it to be."""
        if self.flush_handle is None:
            loop = self.hub.loop
            delay = max(0.0, self.flush_at - (self.period - PERIOD) - loop.time())
            self.flush_handle = loop.call_later(delay, self.flush)

    def flush(self) -> None:
        if self.flush_handle is not None:
            self.flush_handle.cancel()
            self.flush_handle = None
        now = self.hub.loop.time()
        before = self.number
        for step in self.pending:
            self.step = min(self.step, step)
            self.add("rewind", step, self.rewind(step))
            self.rewinds.append((self.number, step))
        self.pending.clear()
        self.send_scalars()
        if self.news:
            self.tell_news(now)
        if self.frame_due and not self.making:
            self.hub.spawn(self.make_frame())
        if self.number != before:
            self.wake()

    def send_scalars(self) -> None:
        """Puts the scalars that came into the ring; one block that goes on where the last ended stays as it came."""
        blocks, self.blocks = self.blocks, []
        groups = [group for block, _ in blocks for group in block]
        if groups:
            now = self.hub.loop.time()
            self.flush_at = min(max(self.flush_at, now), now + self.period - PERIOD) + self.period
            first = min(int(group.steps[0]) for group in groups)
            last = max(int(group.steps[-1]) for group in groups)
            if first == self.step + 1:
                self.step = last
                data = blocks[0][1] if len(blocks) == 1 else scalars(self.run.id, merged(groups))
                self.add("scalars", last, data)
            elif last > self.step:
                self.catch_up()
        if self.behind:
            self.behind = False
            self.catch_up()

    def catch_up(self) -> None:
        """What the record has beyond the ring: the past of a copy comes all at once and without events."""
        last = self.run.record.last
        if last > self.step:
            groups = up_to(self.run.record.groups(self.step), last)
            self.step = last
            if groups:
                self.add("scalars", last, scalars(self.run.id, groups))

    def tell_news(self, now: float) -> None:
        said = self.hub.describe(self.run)
        if said == self.news_said:
            self.news = False
            return
        gist = ("status", "total", "error", "note", "device", "place", "params", "snapshots", "origin")
        urgent = any(said[key] != self.news_said.get(key) for key in gist)
        if not urgent and now < self.news_at:
            if self.news_handle is None:  # of its own: scalars that come meanwhile do not wait for it
                self.news_handle = self.hub.loop.call_later(self.news_at - now, self.tell_late)
            return
        self.news = False
        self.news_said = said
        self.news_at = now + NEWS
        self.add("run", self.step, wire.pack(said))

    def tell_late(self) -> None:
        self.news_handle = None
        self.wanted()

    def add(self, kind: Kind, step: int, data: bytes) -> None:
        """Puts a message into the ring; of runs' states and frames only the newest is worth keeping."""
        if kind in ("run", "frame"):
            for index, old in enumerate(self.ring):
                if old.kind == kind:
                    self.ring[index] = Message(old.number, kind, old.step, b"")
        self.number += 1
        self.ring.append(Message(self.number, kind, step, data))

    def rewind(self, step: int) -> bytes:
        note = both(self.run.note) or {"en": "", "zh": ""}
        return wire.pack({"type": "rewind", "run": self.run.id, "step": step, "note": note})

    def wake(self) -> None:
        for socket in self.sockets:
            socket.wake.set()

    async def make_frame(self) -> None:
        """The newest frame as a message, made beside the loop; those that came meanwhile are skipped."""
        self.making = True
        try:
            while self.frame_due and self.sockets:
                self.frame_due = False
                made = await self.hub.frame(self.run, None)
                if made is None:
                    continue
                step, data = made
                if step <= self.run.record.last:  # not void by now
                    self.add("frame", step, data)
                    self.wake()
                await asyncio.sleep(self.period / 2)
        except Exception:  # a lesson's figures failed: its scalars go on
            LOG.exception("no frame of run %s", self.run.id)
        finally:
            self.making = False

    def history(self, first: int) -> bytes | None:
        """Scalars after step `first` up to the ring's end, packed once for all who ask the same."""
        if first >= self.step:
            return None
        key = (first, self.step, self.rewinds[-1][0] if self.rewinds else 0)
        if self.past is None or self.past[:3] != key:
            groups = up_to(self.run.record.groups(first), self.step)
            if not groups:
                return None
            self.past = (*key, scalars(self.run.id, groups))
        return self.past[3]

    def join(self, socket: Socket, seen: int, aside: bool = False) -> list[bytes]:
        """Everything a new viewer needs who has the steps up to `seen`."""
        self.sockets.add(socket)
        self.flush()
        messages = [wire.pack(self.hub.describe(self.run))]
        if seen > self.step:  # the run was set back while the viewer was away
            messages.append(self.rewind(self.step))
            seen = self.step
        block = self.history(seen)
        if block:
            messages.append(block)
        socket.places[self.run.id] = Place(self.number, self.step, aside)
        if aside:
            return messages
        newest = self.newest_frame()
        if newest:
            messages.append(newest)
        else:
            self.frame_due = True
            if not self.making:
                self.hub.spawn(self.make_frame())
        return messages

    def newest_frame(self) -> bytes | None:
        for message in reversed(self.ring):
            if message.kind == "frame":
                return message.data or None
        return None

    def since(self, place: Place) -> list[bytes]:
        """The messages after `place`, which moves on. Of states and frames only the newest; of scalars all."""
        if place.number == self.number:
            return []
        found: list[bytes] = []
        if self.ring and place.number + 1 >= self.ring[0].number:
            for message in self.ring:
                if message.number > place.number and message.data and not (place.aside and message.kind == "frame"):
                    found.append(message.data)
                    if message.kind in ("scalars", "rewind"):
                        place.step = message.step
        else:
            lowest = min((step for number, step in self.rewinds if number > place.number), default=place.step)
            if lowest < place.step:
                found.append(self.rewind(lowest))
                place.step = lowest
            block = self.history(place.step)
            if block:
                found.append(block)
            place.step = self.step
            newest = {message.kind: message.data for message in self.ring if message.data}
            wanted = ("run",) if place.aside else ("run", "frame")
            found.extend(newest[kind] for kind in wanted if kind in newest)
        place.number = self.number
        return found


class Bucket:
    """How many messages may still come: RATE a second, at most BURST at once."""

    def __init__(self) -> None:
        self.left = BURST
        self.at = time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self.left = min(BURST, self.left + (now - self.at) * RATE)
        self.at = now
        self.left -= 1
        return self.left >= 0


class Socket:
    """One page's websocket."""

    def __init__(self, hub: Hub, ws: WebSocket, learner: str) -> None:
        self.hub = hub
        self.ws = ws
        self.learner = learner
        self.id = uuid.uuid4().hex
        self.wake = asyncio.Event()
        self.places: dict[str, Place] = {}
        self.outbox: deque[bytes] = deque()  # first views, answers, refusals: to this viewer alone
        self.asking = 0
        self.bucket = Bucket()

    def post(self, *messages: bytes) -> None:
        self.outbox.extend(messages)
        self.wake.set()

    def refuse(self, number: Any, problem: Problem) -> None:
        self.post(wire.pack({"type": "refused", "id": number, "error": both(problem)}))

    async def send(self) -> None:
        """Sends as fast as the browser reads; what comes meanwhile waits in the rings."""
        send = self.ws.send_bytes
        while True:
            await self.wake.wait()
            self.wake.clear()
            while self.outbox:
                await send(self.outbox.popleft())
            for run, place in list(self.places.items()):
                channel = self.hub.channels.get(run)
                if channel is not None:
                    for data in channel.since(place):
                        await send(data)

    async def receive(self) -> None:
        while True:
            event = await self.ws.receive()
            if event["type"] == "websocket.disconnect":
                return
            text = event.get("text")
            if text is None or len(text) > LONGEST:
                await self.ws.close(1009 if text else 1003)
                return
            if not self.bucket.take():
                if self.bucket.left < -BURST:
                    await self.ws.close(1008)
                    return
                self.refuse(None, TOO_FAST)
                continue
            self.heed(text)

    def heed(self, text: str) -> None:
        """Does what a message asks; whatever is wrong with it is said, and nothing else happens."""
        number = None
        try:
            message = orjson.loads(text)
            if not isinstance(message, dict):
                raise MALFORMED
            number = message.get("id") if isinstance(message.get("id"), int) else None
            known = {"watch": self.watch, "leave": self.leave, "tell": self.tell, "ask": self.ask, "begin": self.begin}
            action = known.get(message.get("op", ""))
            run = message.get("run")
            if action is None or not isinstance(run, str) or not RUN_ID.fullmatch(run):
                raise MALFORMED
            action(run, message)
        except Problem as problem:
            self.refuse(number, problem)
        except (orjson.JSONDecodeError, TypeError, ValueError, KeyError):
            self.refuse(number, MALFORMED)
        except Exception:
            LOG.exception("message failed: %.200s", text)
            self.refuse(number, FAILED)

    def watch(self, run: str, message: Values) -> None:
        seen = message.get("from", -1)
        if not isinstance(seen, int) or isinstance(seen, bool):
            raise MALFORMED
        if len(self.places) >= WATCHES and run not in self.places:
            raise Problem(
                f"This page already watches {WATCHES} runs, the most one page may. Close one first.",
                f"本页已在观看 {WATCHES} 个运行，这是一页的上限。请先关掉一个。",
            )
        self.post(*self.hub.join(self, run, max(-1, seen), message.get("aside") is True))

    def leave(self, run: str, message: Values | None = None) -> None:
        if run in self.places:
            self.hub.part(self, run)

    def tell(self, run: str, message: Values) -> None:
        command, changes = message.get("command"), message.get("changes") or {}
        if command not in RUN_CONTROLS or not isinstance(changes, dict):
            raise MALFORMED
        if changes:
            job = self.hub.engine.get(run).job
            new = checked(catalog.params(job.lesson), {**job.params, **changes})
            changes = {name: value for name, value in new.model_dump(mode="json").items() if name in changes}
        moved = self.hub.engine.tell(run, self.learner, command, changes)
        if moved != run:
            first = self.hub.join(self, moved, -1)
            self.leave(run)
            self.post(wire.pack({"type": "moved", "from": run, "run": moved}), *first)

    def begin(self, run: str, message: Values) -> None:
        """A run of other settings in the place of `run`, with no page to be drawn in between."""
        number, settings = message.get("id"), message.get("settings")
        if not isinstance(number, int) or not isinstance(settings, dict) or run not in self.places:
            raise MALFORMED
        lesson = self.hub.engine.get(run).job.lesson
        job = catalog.job(lesson, checked(catalog.params(lesson), settings))
        begun = self.hub.engine.submit(job, self.learner).id
        first = [] if begun == run else self.hub.join(self, begun, -1)
        self.post(wire.pack({"type": "next", "id": number, "from": run, "run": begun}), *first)
        if begun != run:
            self.leave(run)  # it rests at once, and leaves the worker to the new one

    def ask(self, run: str, message: Values) -> None:
        number, name, args, step = (message.get(key) for key in ("id", "name", "args", "step"))
        if not isinstance(number, int) or not isinstance(name, str) or not isinstance(args or {}, dict):
            raise MALFORMED
        if step is not None and (not isinstance(step, int) or isinstance(step, bool)):
            raise MALFORMED
        if self.asking >= ASKS:
            raise TOO_FAST
        self.asking += 1
        self.hub.spawn(self.answer(run, number, step, name, args or {}))

    async def answer(self, run: str, number: int, step: int | None, name: str, args: Values) -> None:
        try:
            at, listed, arrays = await self.hub.ask(run, step, name, args)
            head = {"type": "answer", "id": number, "run": run, "step": at, "name": name, "patches": listed}
            self.post(wire.pack(head, arrays))
        except Problem as problem:
            self.refuse(number, problem)
        except Exception:
            LOG.exception("question %r about run %s failed", name, run)
            self.refuse(number, FAILED)
        finally:
            self.asking -= 1


MALFORMED = Problem("That message has no form this server knows.", "服务器看不懂这条消息。")
TOO_FAST = Problem("Too many requests at once. Wait a moment, then go on.", "请求太快，请稍等片刻再继续。")
FAILED = Problem(
    "The server could not do that; its log says why. The page goes on.",
    "服务器没能完成这个操作（原因见服务器日志），页面可以继续使用。",
)


class Hub:
    """All sockets and the runs they watch, between the engine's thread and the event loop."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.channels: dict[str, Channel] = {}
        self.sockets: set[Socket] = set()
        self.loop: asyncio.AbstractEventLoop = None  # type: ignore[assignment]  # set by start
        self._tasks: set[asyncio.Task[None]] = set()
        self._maker = concurrent.futures.ThreadPoolExecutor(1, "frames")
        self._frames = ByteLruCache(KEPT)
        self._answers = ByteLruCache(KEPT)
        self._settings = ByteLruCache(SETTINGS)  # checking them costs more than all else about a frame
        self._asked: dict[Any, asyncio.Future[tuple[int, list[Values], Arrays]]] = {}

    def start(self) -> None:
        """Begins to listen to the engine; called on the event loop that will send."""
        self.loop = asyncio.get_running_loop()
        self.engine.listen(self.heard)

    async def close(self) -> None:
        """Ends every stream: a server that goes down does not wait for browsers."""
        for task in list(self._tasks):
            task.cancel()
        for socket in list(self.sockets):
            try:
                await asyncio.wait_for(socket.ws.close(1012), 0.2)
            except (TimeoutError, RuntimeError, OSError):
                continue
        self._maker.shutdown(wait=False, cancel_futures=True)

    def spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # from the engine's thread

    def heard(self, run: str, event: Values, arrays: Arrays, message: bytes) -> None:
        """An event of the engine, on the engine's threads; runs that nobody watches cost one look."""
        if run in self.channels:
            groups = decode_blocks(event, arrays) if event["type"] == "scalars" else []
            try:
                self.loop.call_soon_threadsafe(self._heed, run, event["type"], event.get("step", -1), groups, message)
            except RuntimeError:  # the loop is closed: the server is going down
                return

    def _heed(self, run: str, kind: str, step: int, groups: list[ScalarBlock], message: bytes) -> None:
        channel = self.channels.get(run)
        if channel is None:
            return
        if kind == "scalars":
            channel.blocks.append((groups, message))
            channel.news = True  # how fast it goes, and first of all how long it is
        elif kind == "run":
            channel.news = channel.behind = True
        elif kind == "frame":
            channel.frame_due = True
            channel.news = channel.behind = True
            if channel.period == PERIOD:
                channel.flush()  # at once, behind its scalars: with a pace of its own it would miss every other beat
                return
        elif kind == "rewind":
            channel.blocks.clear()
            channel.pending.append(step)
            channel.news = channel.behind = True
            channel.flush()
            return
        channel.wanted()

    # viewers

    def join(self, socket: Socket, run: str, after: int, aside: bool = False) -> list[bytes]:
        """Makes `socket` a viewer, or with `aside` an onlooker; returns what it is sent first.

        Raises Problem for a run that is not known.
        """
        channel = self.channels.get(run)
        if channel is None:
            channel = self.channels[run] = Channel(self, self.engine.get(run))
        self.engine.watch(run, socket.id, socket.learner, aside)
        return channel.join(socket, after, aside)

    def part(self, socket: Socket, run: str) -> None:
        socket.places.pop(run, None)
        channel = self.channels.get(run)
        if channel is not None:
            channel.sockets.discard(socket)
            if not channel.sockets:
                del self.channels[run]
                for handle in (channel.flush_handle, channel.news_handle):
                    if handle is not None:
                        handle.cancel()
        try:
            self.engine.leave(run, socket.id)
        except Problem:
            return

    def turn(self, learner: str, run: str | None, to: str) -> None:
        """Makes a learner's boards that show `run` viewers of `to`: sooner than the page being drawn for it can.

        May be called from any thread.
        """

        def tell() -> None:
            for socket in self.sockets:
                if socket.learner == learner and run in socket.places:
                    first = self.join(socket, to, -1)
                    socket.post(wire.pack({"type": "next", "from": run, "run": to}), *first)

        if self.loop is not None and run is not None and run != to:
            self.loop.call_soon_threadsafe(tell)

    # frames and answers

    async def frame(self, run: Run, step: int | None) -> tuple[int, bytes] | None:
        """The last frame at or before `step` (None: the newest), as (its step, its message)."""
        figures = catalog.figures(run.job.lesson)

        def make() -> tuple[int, bytes] | None:  # reads the record's file, and may compute: not on the loop
            tick = run.record.frame(run.record.last if step is None else step)
            if tick is None:
                return None
            data = self._frames.get((run.id, tick.step))
            if data is None:
                listed, arrays = patches(figures.update(self.settings(run, tick.step), tick))
                head = {"type": "frame", "run": run.id, "step": tick.step, "made": tick.made, "patches": listed}
                data = wire.pack(head, arrays)
                self._frames.put((run.id, tick.step), data, len(data))
            return tick.step, data

        return await self.loop.run_in_executor(self._maker, make)

    def settings(self, run: Run, step: int) -> Params:
        """The settings in force at a step: the job's, and what was changed while it ran."""
        changes = [values for at, values in run.record.changes if at < step]
        key = (run.id, len(changes))
        known: Params | None = self._settings.get(key)
        if known is None:
            values = dict(run.job.params)
            for one in changes:
                values.update(one)
            known = checked(catalog.params(run.job.lesson), values)
            self._settings.put(key, known, 1)
        return known

    def describe(self, run: Run) -> Values:
        """The header of the "run" message."""
        return {
            "type": "run",
            "run": run.id,
            "status": run.status,
            "total": run.total,
            "error": both(run.error),
            "note": both(run.note),
            "device": run.device,
            "place": self.engine.place(run),
            "rate": round(run.rate, 1),
            "viewers": len(run.viewers),
            "params": run.params,
            "seed": run.job.seed,
            "snapshots": run.marks,
            "origin": run.origin if run.origin and self.engine.has(run.origin[0]) else None,
            "frames": run.record.frames,
        }

    async def ask(self, run: str, step: int | None, name: str, args: Values) -> tuple[int, list[Values], Arrays]:
        """What `compute.look` says, as patches; viewers who ask the same of the same step share one answer."""
        key = (run, step, name, json.dumps(args, sort_keys=True))
        known = self._answers.get(key)
        if known is not None:
            found: tuple[int, list[Values], Arrays] = known
            return found
        shared = self._asked.get(key)
        if shared is None:
            shared = self._asked[key] = self.loop.create_task(self._ask(run, step, name, args))
            shared.add_done_callback(lambda _: self._asked.pop(key, None))
        answer = await asyncio.shield(shared)
        if step is not None:
            self._answers.put(key, answer, 200 + sum(array.nbytes for array in answer[2].values()))
        return answer

    async def _ask(self, run: str, step: int | None, name: str, args: Values) -> tuple[int, list[Values], Arrays]:
        found = self.engine.get(run)
        at, arrays = await asyncio.wrap_future(self.engine.ask(run, step, name, args))
        at = found.step if at is None else at
        params = self.settings(found, at)
        made = catalog.figures(found.job.lesson).answer(params, name, args, arrays)
        listed, apart = patches(made)
        return at, listed, apart


# routes


def from_here(ws: WebSocket) -> bool:
    """Whether a websocket comes from our own pages. Streamlit's own check covers its own routes only.

    No Origin means no browser; a browser always sends one and cannot forge it.
    """
    origin = ws.headers.get("origin")
    if origin is None or urlsplit(origin).netloc == ws.headers.get("host"):
        return True
    from streamlit import config

    return origin in config.get_option("server.corsAllowedOrigins")


async def live(ws: WebSocket) -> None:
    """WebSocket /live?t=TICKET."""
    if not from_here(ws):
        await ws.close(1008)
        return
    room = app_state()
    learner = room.learner(ws.query_params.get("t"))
    await ws.accept()  # first, or the browser never sees why it was closed
    if learner is None:
        await ws.close(4403)
        return
    socket = Socket(room.hub, ws, learner)
    room.hub.sockets.add(socket)
    sender = asyncio.create_task(socket.send())
    sender.add_done_callback(quietly)
    try:
        await socket.receive()
    except WebSocketDisconnect:
        pass
    finally:
        sender.cancel()
        room.hub.sockets.discard(socket)
        for run in list(socket.places):
            room.hub.part(socket, run)


def quietly(task: asyncio.Task[None]) -> None:
    """A browser that went away in the middle of a message is nothing to report."""
    gone = (RuntimeError, OSError, WebSocketDisconnect)
    if not task.cancelled() and (error := task.exception()) and not isinstance(error, gone):
        LOG.error("sender failed", exc_info=error)


FOREVER = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


def served(request: Request, found: Served | None) -> Response:
    if found is None:
        return Response("not here", 404, headers={"Cache-Control": "no-store"})
    headers = {**FOREVER, "Vary": "Accept-Encoding"}
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(gzip.decompress(found.packed), media_type=found.kind, headers=headers)
    return Response(found.packed, media_type=found.kind, headers={**headers, "Content-Encoding": "gzip"})


async def asset(request: Request) -> Response:
    return served(request, app_state().assets.get(request.path_params["version"], request.path_params["path"]))


async def spec(request: Request) -> Response:
    return served(request, app_state().specs.get(request.path_params["sha"]))


async def frame(request: Request) -> Response:
    """GET /live/frame/{run}/{step}: the last frame at or before a step, for a scrubber that has let it go."""
    room = app_state()
    try:
        run = room.engine.get(request.path_params["run"])
        made = await room.hub.frame(run, request.path_params["step"])
    except Problem as problem:
        return Response(problem.en, 404, headers={"Cache-Control": "no-store"})
    if made is None:
        return Response("no frame yet", 404, headers={"Cache-Control": "no-store"})
    keep = FOREVER if run.status in ENDED else {"Cache-Control": "no-store"}
    # "identity" keeps the middleware from compressing it again at each request
    return Response(made[1], media_type="application/octet-stream", headers={**keep, "Content-Encoding": "identity"})


async def record(request: Request) -> Response:
    """GET /live/record/{run}: a run as it stands as one file, to keep or to open elsewhere."""
    room = app_state()
    name = request.path_params["run"]
    try:
        data = await asyncio.get_running_loop().run_in_executor(None, room.engine.export, name)
    except Problem as problem:
        return Response(problem.en, 404, headers={"Cache-Control": "no-store"})
    headers = {"Content-Disposition": f'attachment; filename="{name}.run"', "Content-Encoding": "identity"}
    return Response(data, media_type="application/octet-stream", headers={**headers, "Cache-Control": "no-store"})


ROUTES: list[BaseRoute] = [
    WebSocketRoute("/live", live),
    Route("/live/assets/{version}/{path:path}", asset),
    Route("/live/spec/{sha}.json", spec),
    Route("/live/frame/{run}/{step:int}", frame),
    Route("/live/record/{run}", record),
]
