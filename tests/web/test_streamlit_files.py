"""Streamlit's scripts travel compressed, and are compressed once however many browsers ask."""

from __future__ import annotations

import asyncio
import gzip
import re
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message

from pages.live import streamlit_files
from pages.live.streamlit_files import StreamlitFiles, streamlit_folder
from tests.bench.server import Server


async def get(app: StreamlitFiles, path: str, encodings: str = "gzip, br", method: str = "GET") -> dict[str, Any]:
    """Headers, by name, and "body" of the answer."""
    answer: dict[str, Any] = {"body": b""}

    async def send(message: Message) -> None:
        answer.update({name.decode(): value.decode() for name, value in message.get("headers", [])})
        answer["body"] += message.get("body", b"")

    async def receive() -> Message:
        return {"type": "http.request"}

    headers = [(b"accept-encoding", encodings.encode())]
    await app({"type": "http", "method": method, "path": path, "headers": headers}, receive, send)
    return answer


def test_a_class_that_opens_the_page_at_once_has_each_script_compressed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "js").mkdir()
    (tmp_path / "js" / "index.abc.js").write_text("let learners = 30;" * 100)
    packed: list[str] = []
    pack = streamlit_files.pack

    def counted(path: Path) -> bytes:
        packed.append(path.name)
        return pack(path)

    monkeypatch.setattr(streamlit_files, "streamlit_folder", lambda: tmp_path)
    monkeypatch.setattr(streamlit_files, "pack", counted)
    app = StreamlitFiles(PlainTextResponse("Streamlit's own"))

    async def story() -> None:
        answers = await asyncio.gather(*(get(app, "/static/js/index.abc.js") for _ in range(30)))
        for answer in answers:
            assert answer["content-encoding"] == "gzip"
            assert answer["content-type"] == "text/javascript; charset=utf-8"
            assert "immutable" in answer["cache-control"]
            assert gzip.decompress(answer["body"]) == (tmp_path / "js" / "index.abc.js").read_bytes()
        for path in ("/", "/static/js/other.js", "/static/js/../../app.py", "/static/media/font.woff2", "/live"):
            assert (await get(app, path))["body"] == b"Streamlit's own"
        assert (await get(app, "/static/js/index.abc.js", "identity"))["body"] == b"Streamlit's own"
        assert (await get(app, "/static/js/index.abc.js", method="HEAD"))["body"] == b"Streamlit's own"

    asyncio.run(story())
    assert packed == ["index.abc.js"]


def test_the_server_sends_streamlits_scripts_compressed(tmp_path: Path) -> None:
    with Server(tmp_path / "log") as server:
        server.wait(60)
        page = urllib.request.urlopen(server.url).read().decode()
        names = re.findall(r'"\./static/((?:js|css)/[^"]+\.(?:js|css))"', page)
        assert names
        for name in names:
            asked = urllib.request.Request(f"{server.url}/static/{name}", headers={"Accept-Encoding": "gzip"})
            with urllib.request.urlopen(asked) as answer:
                assert answer.headers["content-encoding"] == "gzip"
                assert gzip.decompress(answer.read()) == (streamlit_folder() / name).read_bytes()
            with urllib.request.urlopen(f"{server.url}/static/{name}") as answer:
                assert answer.headers["content-encoding"] is None
                assert answer.read() == (streamlit_folder() / name).read_bytes()
