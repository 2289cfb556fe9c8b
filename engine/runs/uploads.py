"""Files that learners upload (pictures, texts), kept in memory for a while under their SHA-256 digest."""

from __future__ import annotations

import hashlib
from threading import Lock

from cachetools import TTLCache

from engine.types import Problem

MAX_FILE_BYTES = 20_000_000
MAX_LEARNER_BYTES = 40_000_000
MAX_BYTES = 400_000_000
LIFE_S = 2 * 3600.0


class Uploads:
    """A bounded store: settings and links name a file by its digest."""

    def __init__(self) -> None:
        self._files: TTLCache[str, bytes] = TTLCache(MAX_BYTES, LIFE_S, getsizeof=len)
        self._owners: dict[str, tuple[str, int]] = {}  # digest -> (learner, bytes)
        self._lock = Lock()

    def put(self, data: bytes, learner: str) -> str:
        """Keeps `data` and returns its digest; older files make room. Raises Problem if it is too large."""
        if len(data) > MAX_FILE_BYTES:
            size, most = len(data) / 1e6, MAX_FILE_BYTES / 1e6
            raise Problem(
                f"This file has {size:.0f} MB; at most {most:.0f} MB can be used. Choose a smaller one.",
                f"这个文件有 {size:.0f} MB，最多 {most:.0f} MB，请换一个小些的。",
            )
        digest = hashlib.sha256(data).hexdigest()
        with self._lock:
            self._files.pop(digest, None)
            self._files[digest] = data
            self._owners[digest] = (learner, len(data))
            self._bound(learner)
        return digest

    def _bound(self, learner: str) -> None:
        """Deletes the learner's oldest files until the rest is within their share."""
        self._owners = {digest: owner for digest, owner in self._owners.items() if digest in self._files}
        sizes = {digest: self._owners[digest][1] for digest in self._files if self._owners[digest][0] == learner}
        for digest in list(sizes):
            if sum(sizes.values()) <= MAX_LEARNER_BYTES:
                break
            del self._files[digest], sizes[digest]

    def __contains__(self, digest: str) -> bool:
        with self._lock:
            return digest in self._files

    def get(self, digest: str) -> bytes:
        """The bytes. Raises Problem if they are gone: a link outlives what it names."""
        with self._lock:
            data = self._files.get(digest)
        if data is None:
            raise Problem(
                "The uploaded file this link names is no longer kept (files stay two hours). Upload it again.",
                "这个链接所指的上传文件已不再保留（文件保留两小时），请重新上传。",
            )
        return data
