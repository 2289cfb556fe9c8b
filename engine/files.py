"""Files that a job names by their digest, where its lesson runs: they come with the job, whatever machine that is."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from engine.types import Arrays, Problem

PREFIX = "file."
MOST = 50_000_000  # bytes; the oldest go first

_kept: OrderedDict[str, bytes] = OrderedDict()


def pack(found: dict[str, bytes]) -> Arrays:
    """Files by their digest as arrays to send along."""
    return {PREFIX + sha: np.frombuffer(data, np.uint8) for sha, data in found.items()}


def keep(arrays: Arrays) -> Arrays:
    """Keeps the files among `arrays` and returns the rest."""
    for key, array in arrays.items():
        if key.startswith(PREFIX):
            _kept[key.removeprefix(PREFIX)] = array.tobytes()
            _kept.move_to_end(key.removeprefix(PREFIX))
    while sum(map(len, _kept.values())) > MOST and len(_kept) > 1:
        _kept.popitem(last=False)
    return {key: array for key, array in arrays.items() if not key.startswith(PREFIX)}


def read(sha: str) -> bytes:
    """The bytes of a file. Raises Problem where nobody has them any more: a link outlives what it names."""
    if sha not in _kept:
        raise Problem(
            "The uploaded file that these settings name is no longer kept (files stay two hours). Upload it again.",
            "这些设置所指的上传文件已不再保留（文件保留两小时），请重新上传。",
        )
    return _kept[sha]
