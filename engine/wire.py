"""The message format of the worker's pipe, the browser's websocket and the record file: a JSON header and arrays.

    uint32  length of the header in bytes, little-endian
    header  JSON; its "arrays" lists {"name", "dtype", "shape", "at"} of each array, `at` counted from the body
    body    starts at the next multiple of 8; each array little-endian, C order, at a multiple of 8

The alignment lets a Float64Array in the browser be a view of the body. Arrays can hold NaN and infinity, which JSON
cannot.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from engine.types import Array, Arrays, Problem

DTYPES = frozenset({"uint8", "int8", "int32", "int64", "float16", "float32", "float64", "bool"})


def pack(header: Mapping[str, Any], arrays: Mapping[str, Array] | None = None) -> bytes:
    """A message of a `header` that is JSON and `arrays` of the DTYPES, of any shape. Raises TypeError for another."""
    entries = []
    parts = []
    offset = 0
    for name, array in (arrays or {}).items():
        dtype = array.dtype.name
        if dtype not in DTYPES:
            raise TypeError(f"array {name!r} is {dtype}; the wire carries {', '.join(sorted(DTYPES))}")
        data = array.tobytes()
        entries.append({"name": name, "dtype": dtype, "shape": array.shape, "at": offset})
        padding = b"\0" * (-len(data) % 8)
        parts += [data, padding]
        offset += len(data) + len(padding)
    head = orjson.dumps({**header, "arrays": entries})
    return b"".join([struct.pack("<I", len(head)), head, b"\0" * (-(len(head) + 4) % 8), *parts])


def unpack(message: bytes | memoryview) -> tuple[dict[str, Any], Arrays]:
    """The header (without "arrays") and the arrays of a message, as read-only views of it.

    Raises Problem for bytes that are not such a message.
    """
    try:
        (length,) = struct.unpack_from("<I", message)
        header = orjson.loads(memoryview(message)[4 : 4 + length])
        if not isinstance(header, dict):
            raise ValueError("its header is no object")
        body = 4 + length + (-(length + 4) % 8)
        arrays = {}
        for entry in header.pop("arrays"):
            if entry["dtype"] not in DTYPES:
                raise ValueError(entry["dtype"])
            shape = tuple(int(n) for n in entry["shape"])
            if any(n < 0 for n in shape) or entry["at"] < 0:
                raise ValueError("negative size")
            count = math.prod(shape)
            flat = np.frombuffer(message, np.dtype(entry["dtype"]).newbyteorder("<"), count, body + entry["at"])
            arrays[entry["name"]] = flat.reshape(shape)
    except (struct.error, ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise Problem(
            f"These {len(message)} bytes are not a Torchroom message ({error}).",
            f"这 {len(message)} 字节不是 Torchroom 消息（{error}）。",
        ) from error
    return header, arrays
