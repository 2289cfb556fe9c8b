"""Viewers without a browser: many live sockets of one run, each counting what it gets."""

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
    """One page's live socket: everything it is sent, counted. Only `keen` ones take the scalars apart."""

    port: int
    ticket: str
    run: str
    messages: int = 0
    seen: int = 0
    ms: list[float] = field(default_factory=list)  # tick made in the worker to message received
    steps: set[int] = field(default_factory=set)
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
                _, arrays = unpack(data)
                for i in range(len(header["groups"])):
                    self.steps.update(arrays[f"steps{i}"].tolist())
            elif kind == "run":
                self.status = header["status"]

    async def close(self) -> None:
        if self.ws is not None:
            await self.ws.close()


async def gather(viewers: list[Viewer]) -> list[asyncio.Task[None]]:
    """Joins all of them and starts their reading."""
    await asyncio.gather(*(viewer.join() for viewer in viewers))
    return [asyncio.create_task(viewer.read()) for viewer in viewers]
