"""What the browser may send, what each message to it is as bytes, and the caches between."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine import wire
from engine.types import Arrays, ScalarBlock
from lessons.board.figures import Patch
from pages.live import protocol
from pages.live.lru import LruCache
from pages.live.protocol import Bilingual, FrameMessage, RewindMessage, encode_patches, pack_scalars


@pytest.mark.parametrize(
    ("data", "values"),
    [
        ({"op": "watch"}, {"seen": -1, "aside": False}),
        ({"op": "watch", "from": 7, "aside": True}, {"seen": 7, "aside": True}),
        ({"op": "watch", "aside": "yes", "more": 1}, {"aside": False}),
        ({"op": "leave"}, {}),
        ({"op": "tell", "command": "pause", "changes": None}, {"command": "pause", "changes": {}}),
        ({"op": "tell", "command": "set", "changes": {"lr": 0.1}}, {"changes": {"lr": 0.1}}),
        ({"op": "ask", "id": 3, "name": "x"}, {"args": {}, "step": None}),
        ({"op": "ask", "id": 3, "name": "x", "args": {"row": 1}, "step": 4}, {"args": {"row": 1}, "step": 4}),
        ({"op": "begin", "id": 3, "settings": {}}, {"settings": {}}),
    ],
)
def test_a_message_is_read_with_its_defaults(data: dict[str, Any], values: dict[str, Any]) -> None:
    message = protocol.parse_message({"run": "cifar10-1a2b3c4d", **data})
    assert {name: getattr(message, name) for name in values} == values


@pytest.mark.parametrize(
    "data",
    [
        {"op": "watch", "from": True},
        {"op": "watch", "from": 1.0},
        {"op": "watch", "run": "../x"},
        {"op": "watch", "run": "x" * 81},
        {"op": "watch", "run": "x\n"},
        {"op": "tell", "command": "start"},
        {"op": "tell", "command": ["set"]},
        {"op": "ask", "id": "3", "name": "x"},
        {"op": "ask", "id": 3, "name": "x", "step": True},
        {"op": "ask", "id": 3, "name": "x", "step": 2.0},
        {"op": "begin", "id": 3},
        {"op": "begin", "id": 3, "settings": None},
    ],
)
def test_a_message_of_another_form_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        protocol.parse_message({"run": "x", **data})


def test_the_bytes_are_those_that_browsers_know() -> None:
    block = ScalarBlock(("loss",), np.array([3, 4], np.int32), np.array([[0.5], [0.25]]))
    arrays: Arrays = {"steps0": block.steps, "values0": block.values}
    header: dict[str, Any] = {"type": "scalars", "run": "x", "groups": [{"names": ["loss"], "n": 2}]}
    assert pack_scalars("x", [block]) == wire.pack(header, arrays)

    patches, arrays = encode_patches([Patch("map", {"tiles": np.zeros((1, 2, 2)), "say": {"n": np.float64(3)}})])
    listed = [{"figure": "map", "trace": "", "data": {"tiles": {"$": "a0"}, "say": {"n": 3.0}}}]
    header = {"type": "frame", "run": "x", "step": 4, "made": 1.5, "patches": listed}
    assert FrameMessage("x", 4, 1.5, patches).pack(arrays) == wire.pack(header, arrays)

    header = {"type": "rewind", "run": "x", "step": 4, "note": {"en": "a", "zh": "b"}}
    assert RewindMessage("x", 4, Bilingual("a", "b")).pack() == wire.pack(header)


def test_a_cache_forgets_what_was_used_longest_ago_and_keeps_the_newest_however_large() -> None:
    cache: LruCache[str, bytes] = LruCache(10, len)
    cache.put("a", b"1234")
    cache.put("b", b"1234")
    assert cache.get("a") == b"1234"
    cache.put("c", b"1234")
    assert ("a" in cache, "b" in cache, "c" in cache) == (True, False, True)
    assert cache.size == 8
    cache.put("d", b"x" * 100)
    assert cache.get("d") == b"x" * 100
    assert cache.get("a") is None
