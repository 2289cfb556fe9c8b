"""A cache that forgets what was used longest ago, for the encoded frames, answers, settings and specs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from cachetools import LRUCache

K = TypeVar("K")
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """A cachetools.LRUCache behind a lock: at most `limit` in the sum of `size(value)`, 1 each unless told.

    A value larger than `limit` counts as `limit`, so the newest value is always kept.
    """

    def __init__(self, limit: int, size: Callable[[V], int] = lambda _: 1) -> None:
        self._lock = threading.Lock()
        self._items: LRUCache[K, V] = LRUCache(limit, getsizeof=lambda value: min(limit, size(value)))

    def __contains__(self, key: K) -> bool:
        with self._lock:
            return key in self._items

    @property
    def size(self) -> int:
        """The sum of the sizes of what is kept."""
        return int(self._items.currsize)

    def get(self, key: K) -> V | None:
        """The value of `key`, which is then the last to be forgotten; None where it is not kept."""
        with self._lock:
            return self._items.get(key)

    def put(self, key: K, value: V) -> None:
        """Keeps `value`; those used longest ago make room."""
        with self._lock:
            self._items[key] = value
