"""Board specs, the JSON of a board's figures, served under /live/spec by the digest of their content."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Hashable

from pages.live.assets import Served
from pages.live.lru import LruCache

# Bytes of compressed specs that are kept.
KEPT_BYTES = 16 << 20
# Addresses that are kept with what the spec was drawn from.
KEPT_URLS = 1024


class Specs:
    """Board specs, compressed once. Those used longest ago go when they grow beyond KEPT_BYTES."""

    def __init__(self) -> None:
        self._files: LruCache[str, Served] = LruCache(KEPT_BYTES, lambda served: len(served.packed))
        self._urls: LruCache[Hashable, str] = LruCache(KEPT_URLS)

    @property
    def size(self) -> int:
        """Bytes of compressed specs that are kept now."""
        return self._files.size

    def put(self, body: bytes) -> str:
        """Keeps this JSON and returns where the browser finds it."""
        sha = hashlib.sha256(body).hexdigest()[:24]
        if self._files.get(sha) is None:
            self._files.put(sha, Served(gzip.compress(body, 5), "application/json"))
        return f"/live/spec/{sha}.json"

    def url(self, key: Hashable, make: Callable[[], bytes]) -> str:
        """Where the browser finds the spec of `key`, which `make` draws unless it is kept."""
        url = self._urls.get(key)
        if url is None or not self.has(url):
            url = self.put(make())
            self._urls.put(key, url)
        return url

    def has(self, url: str) -> bool:
        """Whether the spec at this address is kept."""
        return url.removeprefix("/live/spec/").removesuffix(".json") in self._files

    def get(self, sha: str) -> Served | None:
        """A spec by its digest."""
        return self._files.get(sha)
