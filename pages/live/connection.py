"""One browser page's websocket: what it is to be sent, how far it has come with each run, how much it may ask."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Callable

from starlette.websockets import WebSocket

from pages.live.protocol import TOO_FAST, Bilingual, RefusedMessage
from pages.live.ring import Cursor

# Bytes of one message from a browser.
LONGEST_MESSAGE = 64 << 10
# Messages a second from one browser.
RATE = 40.0
# Messages from one browser at once.
BURST = 120.0


class RateLimit:
    """How many messages may still come: RATE a second, at most BURST at once."""

    def __init__(self) -> None:
        self.left = BURST
        self._at = time.monotonic()

    def take(self) -> bool:
        """Whether one more may come; counts it in any case."""
        now = time.monotonic()
        self.left = min(BURST, self.left + (now - self._at) * RATE)
        self._at = now
        self.left -= 1
        return self.left >= 0


class Connection:
    """A websocket of one learner.

    `since(run, cursor)` gives the messages of a run after a cursor, which moves on; `handle(connection, text)` does
    what a message from the browser asks.
    """

    def __init__(
        self,
        ws: WebSocket,
        learner: str,
        since: Callable[[str, Cursor], list[bytes]],
        handle: Callable[[Connection, str], None],
    ) -> None:
        self.ws = ws
        self.learner = learner
        self.id = uuid.uuid4().hex
        self.wake = asyncio.Event()  # there is something to send
        self.cursors: dict[str, Cursor] = {}  # run -> how far it was sent
        self.questions = 0  # that are being answered
        self._outbox: deque[bytes] = deque()  # first views, answers, refusals: messages to this viewer alone
        self._since = since
        self._handle = handle
        self._limit = RateLimit()

    def post(self, *messages: bytes) -> None:
        """Sends messages to this viewer alone."""
        self._outbox.extend(messages)
        self.wake.set()

    def refuse(self, request: int | None, why: Bilingual) -> None:
        """Says why a message from the browser is not heeded; `request` is its id."""
        self.post(RefusedMessage(request, why).pack())

    async def send(self) -> None:
        """Sends as fast as the browser reads; what comes meanwhile waits in the rings."""
        send = self.ws.send_bytes
        while True:
            await self.wake.wait()
            self.wake.clear()
            while self._outbox:
                await send(self._outbox.popleft())
            for run, cursor in list(self.cursors.items()):
                for message in self._since(run, cursor):
                    await send(message)

    async def receive(self) -> None:
        """Handles what comes until the browser goes; one that sends too much or no text is cut off."""
        while True:
            event = await self.ws.receive()
            if event["type"] == "websocket.disconnect":
                return
            text = event.get("text")
            if text is None or len(text) > LONGEST_MESSAGE:
                await self.ws.close(1009 if text else 1003)
                return
            if self._limit.take():
                self._handle(self, text)
            elif self._limit.left < -BURST:
                await self.ws.close(1008)
                return
            else:
                self.refuse(None, TOO_FAST)
