"""Bytes a learner brought along (a picture, a text), kept for a while under their digest."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from threading import Lock

from engine.types import Problem

LARGEST = 20_000_000
PER_LEARNER = 40_000_000
IN_ALL = 400_000_000
KEPT_S = 2 * 3600.0


class Blobs:
    """A bounded store in memory: what does not fit a link is named by its SHA-256 in the settings."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[float, str, bytes]] = OrderedDict()  # sha -> (when, whose, bytes)
        self._lock = Lock()

    def put(self, data: bytes, learner: str) -> str:
        """Keeps `data` and returns its digest. Raises Problem if it is too large; older ones make room."""
        if len(data) > LARGEST:
            size, most = len(data) / 1e6, LARGEST / 1e6
            raise Problem(
                f"This file has {size:.0f} MB; at most {most:.0f} MB can be used. Choose a smaller one.",
                f"这个文件有 {size:.0f} MB，最多 {most:.0f} MB，请换一个小些的。",
            )
        sha = hashlib.sha256(data).hexdigest()
        with self._lock:
            self._kept.pop(sha, None)
            self._kept[sha] = (time.monotonic(), learner, data)
            self._tidy(learner)
        return sha

    def __contains__(self, sha: str) -> bool:
        with self._lock:
            return sha in self._kept

    def get(self, sha: str) -> bytes:
        """The bytes, or a Problem if they are gone: a link outlives what it names."""
        with self._lock:
            self._tidy("")
            if sha not in self._kept:
                raise Problem(
                    "The uploaded file this link names is no longer kept (files stay two hours). Upload it again.",
                    "这个链接所指的上传文件已不再保留（文件保留两小时），请重新上传。",
                )
            return self._kept[sha][2]

    def _tidy(self, learner: str) -> None:
        now = time.monotonic()
        for sha in [sha for sha, (when, _, _) in self._kept.items() if now - when > KEPT_S]:
            del self._kept[sha]
        for whose, most in ((learner, PER_LEARNER), ("", IN_ALL)):
            own = [(sha, len(data)) for sha, (_, of, data) in self._kept.items() if whose in ("", of)]
            while sum(size for _, size in own) > most:
                del self._kept[own.pop(0)[0]]
