"""Viewers without a browser: many live sockets of one run, each counting what it gets.

They share the machine with what they measure, so they take as little of it as they can while the clock runs.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect

from engine.wire import unpack


@dataclass
class Viewer:
    """One page's live socket: everything it is sent, counted."""

    port: int
    ticket: str
    run: str
    messages: int = 0
    ms: list[float] = field(default_factory=list)  # tick made in the worker to message received
    blocks: list[bytes] = field(default_factory=list)  # scalars as they came, counted when the clock has stopped
    last: int = -1
    status: str = ""
    ws: ClientConnection | None = None

    async def join(self) -> None:
        self.ws = await connect(f"ws://127.0.0.1:{self.port}/live?t={self.ticket}", max_size=None, compression=None)
        await self.ws.send(json.dumps({"op": "watch", "run": self.run, "from": -1}))

    async def read(self) -> None:
        """Reads until the socket is closed."""
        assert self.ws is not None
        async for data in self.ws:
            now = time.time()
            assert isinstance(data, bytes)
            self.messages += 1
            size = int.from_bytes(data[:4], "little")
            header: dict[str, Any] = orjson.loads(data[4 : 4 + size])
            kind = header["type"]
            if kind == "scalars":
                if "made" in header:
                    self.ms.append((now - header["made"]) * 1e3)
                self.blocks.append(data)
                self.last = max(self.last, *(last_step(data, size, entry) for entry in header["arrays"][::2]))
            elif kind == "run":
                self.status = header["status"]

    @property
    def steps(self) -> set[int]:
        """Every step whose scalars came."""
        found: set[int] = set()
        for block in self.blocks:
            header, arrays = unpack(block)
            for i in range(len(header["groups"])):
                found.update(arrays[f"steps{i}"].tolist())
        return found

    async def close(self) -> None:
        if self.ws is not None:
            await self.ws.close()


def last_step(message: bytes, size: int, entry: dict[str, Any]) -> int:
    """The last of the int32 steps that `entry` of a message's header (`size` bytes) places in its body."""
    end = 4 + size + (-(size + 4) % 8) + entry["at"] + 4 * entry["shape"][0]
    return int.from_bytes(message[end - 4 : end], "little", signed=True)


async def gather(viewers: list[Viewer]) -> list[asyncio.Task[None]]:
    """Joins all of them and starts their reading."""
    await asyncio.gather(*(viewer.join() for viewer in viewers))
    return [asyncio.create_task(viewer.read()) for viewer in viewers]
