"""Files that a job's settings name by their digest, in the worker: they travel with the job, to whatever machine."""

from __future__ import annotations

from threading import Lock

import numpy as np
from cachetools import LRUCache

from engine.types import Arrays, Problem

PREFIX = "file."
MAX_BYTES = 50_000_000

_files: LRUCache[str, bytes] = LRUCache(MAX_BYTES, getsizeof=len)
_lock = Lock()


def pack(files: dict[str, bytes]) -> Arrays:
    """Files by their digest as arrays to send along."""
    return {PREFIX + digest: np.frombuffer(data, np.uint8) for digest, data in files.items()}


def keep(arrays: Arrays) -> Arrays:
    """Keeps the files among `arrays`, in place of those used longest ago, and returns the rest."""
    with _lock:
        for name, array in arrays.items():
            if name.startswith(PREFIX):
                _files[name.removeprefix(PREFIX)] = array.tobytes()
    return {name: array for name, array in arrays.items() if not name.startswith(PREFIX)}


def read(digest: str) -> bytes:
    """The bytes of a file. Raises Problem where it is not kept any more: a link outlives what it names."""
    with _lock:
        data = _files.get(digest)
    if data is None:
        raise Problem(
            "The uploaded file that these settings name is no longer kept (files stay two hours). Upload it again.",
            "这些设置所指的上传文件已不再保留（文件保留两小时），请重新上传。",
        )
    return data
