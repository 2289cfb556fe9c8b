"""Streamlit's own scripts and style sheets, compressed once.

Streamlit 1.67 sends them as they are, since its middleware would compress them again for each browser. They are
two thirds of the bytes of a page, and a class opens its first page at once.
"""

from __future__ import annotations

import asyncio
import gzip
import re
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from pages.live.assets import KINDS, package_folder

# Their names hold a digest of their content.
PATH = re.compile(r"/static/((?:js|css)/[\w.-]+(?:\.js|\.css))")
HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Content-Encoding": "gzip",
    "Vary": "Accept-Encoding",
}


def streamlit_folder() -> Path:
    """Where the installed streamlit package has them."""
    return package_folder("streamlit") / "static" / "static"


class StreamlitFiles:
    """Middleware that answers for these files, and leaves everything else to `app`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.folder = streamlit_folder()
        self._packing: dict[str, asyncio.Task[bytes]] = {}  # path in the folder -> its compressed bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        packed = await self._packed(scope["path"]) if asks_compressed(scope) else None
        if packed is None:
            await self.app(scope, receive, send)
            return
        kind = KINDS[Path(scope["path"]).suffix]
        await Response(packed, media_type=kind, headers=HEADERS)(scope, receive, send)

    async def _packed(self, path: str) -> bytes | None:
        """The compressed bytes of a file, None where there is no such file; the first to ask has it compressed."""
        match = PATH.fullmatch(path)
        if match is None:
            return None
        name = match[1]
        task = self._packing.get(name)
        if task is None:
            if not (self.folder / name).is_file():
                return None
            task = self._packing[name] = asyncio.create_task(asyncio.to_thread(pack, self.folder / name))
        return await asyncio.shield(task)


def asks_compressed(scope: Scope) -> bool:
    """Whether a request may be answered with what gzip made of a file."""
    is_get = scope["type"] == "http" and scope["method"] == "GET"
    return is_get and "gzip" in Headers(scope=scope).get("accept-encoding", "")


def pack(path: Path) -> bytes:
    """A file's bytes, compressed."""
    return gzip.compress(path.read_bytes(), 6)
