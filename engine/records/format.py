"""The file of a recorded run: chunks one after the other, and the lock that says who may write it.

    "TORCHROOM RUN 1\\n", then chunks:  kind (1 byte), packed (1), zeros (2), crc32 of the body (4), length (8), body

A body is a message of engine/wire.py, zlib-compressed if `packed`. Kinds:

    J  the job, and the run and step it was forked from; always first     S  scalars
    F  a frame        N  a checkpoint        D  frames or checkpoints that were given up
    C  settings that changed while it ran  R  a rewind: all after its step is void       E  the end

A torn end, as a killed server leaves it, is passed over; a damaged or foreign file is refused with a reason. Who writes
a file holds its lock, and who reads it shares that lock: a second server on the same folder leaves it alone.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from engine.types import Arrays, Problem
from engine.wire import unpack

MAGIC = b"TORCHROOM RUN 1\n"
HEAD = struct.Struct("<cBHIQ")
MAX_CHUNK_BYTES = 512_000_000


class Extent(NamedTuple):
    """Where a chunk is in a file: the offset of its head, and the bytes of head and body."""

    offset: int
    length: int


class Chunk(NamedTuple):
    """A chunk as read from a file."""

    kind: str
    header: dict[str, Any]
    arrays: Arrays
    extent: Extent


@dataclass(frozen=True)
class Bounds:
    """The most that may come out of a file that is not trusted."""

    unpacked_bytes: int
    chunks: int
    header_bytes: int


def damaged(path: Path, why: str) -> Problem:
    """The refusal of a file that is not a sound record."""
    return Problem(
        f"{path.name} is not a recorded run that can be read: {why}. Choose a .run file that Torchroom wrote.",
        f"{path.name} 不是可读取的运行记录：{why}。请选择由 Torchroom 写出的 .run 文件。",
    )


def busy(path: Path) -> Problem:
    """The refusal of a file that another server is writing."""
    return Problem(
        f"The run {path.stem} belongs to another Torchroom server on this folder. Open it there, or end that server.",
        f"运行 {path.stem} 正由使用同一文件夹的另一个 Torchroom 服务器占用。请在那边打开，或先关闭那个服务器。",
    )


@contextmanager
def refuse_unreadable(path: Path, offset: int) -> Iterator[None]:
    """Turns whatever a malformed chunk raises while it is taken apart into the refusal of its file."""
    try:
        yield
    except Problem:
        raise
    except (TypeError, KeyError, ValueError, IndexError, AttributeError, OverflowError, zlib.error) as error:
        raise damaged(path, f"the chunk at byte {offset} cannot be read") from error


def lock(file: BinaryIO, exclusive: bool) -> bool:
    """Takes the lock of a file, `exclusive` to write it, shared to read it; False if another process is in the way."""
    try:
        fcntl.flock(file, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def read_chunks(path: Path, file: BinaryIO, bounds: Bounds | None = None) -> Iterator[Chunk]:
    """Every chunk up to the last complete one. Raises Problem for a damaged file, or one beyond its bounds."""
    file.seek(0)
    if file.read(len(MAGIC)) != MAGIC:
        raise damaged(path, "it does not begin as one")
    size = os.fstat(file.fileno()).st_size
    budget = bounds.unpacked_bytes if bounds else MAX_CHUNK_BYTES
    count = 0
    offset = len(MAGIC)
    while offset + HEAD.size <= size:
        kind, packed, _, crc, length = HEAD.unpack(read_exactly(file, HEAD.size))
        if length > MAX_CHUNK_BYTES:
            raise damaged(path, f"a chunk at byte {offset} claims {length} bytes")
        if offset + HEAD.size + length > size:
            break
        body = read_exactly(file, length)
        if zlib.crc32(body) != crc:
            raise damaged(path, f"the chunk at byte {offset} fails its checksum")
        with refuse_unreadable(path, offset):
            if packed:
                body = inflate(body, budget)
            if bounds:
                budget -= len(body)
                count += 1
                if budget <= 0:
                    raise damaged(path, f"it unpacks to more than {bounds.unpacked_bytes / 1e6:.0f} MB")
                if count > bounds.chunks or int.from_bytes(body[:4], "little") > bounds.header_bytes:
                    raise damaged(path, "it is made of more parts than a run has")
            header, arrays = unpack(body)
        yield Chunk(kind.decode("latin-1"), header, arrays, Extent(offset, HEAD.size + length))
        offset += HEAD.size + length


def encode_chunk(kind: str, body: bytes, level: int = 1) -> bytes:
    """A chunk, compressed by zlib of that `level` where that makes it smaller; 0 does not try."""
    compressed = zlib.compress(body, level) if level else body
    packed = len(compressed) < len(body)
    if packed:
        body = compressed
    return HEAD.pack(kind.encode(), packed, 0, zlib.crc32(body), len(body)) + body


def decode_body(chunk: bytes) -> bytes:
    """The message of a chunk."""
    _, packed, _, _, _ = HEAD.unpack_from(chunk)
    body = chunk[HEAD.size :]
    return inflate(body) if packed else body


def inflate(body: bytes, max_bytes: int = MAX_CHUNK_BYTES) -> bytes:
    """zlib, bounded: a small file must not become a large one in memory. Raises Problem, zlib.error."""
    decompressor = zlib.decompressobj()
    unpacked = decompressor.decompress(body, max_bytes)
    if decompressor.unconsumed_tail:
        raise Problem("A chunk of the record unpacks to too much.", "记录中的一个数据块解压后过大。")
    return unpacked


def read_exactly(file: BinaryIO, n: int) -> bytes:
    """n bytes from here on. Raises ValueError where the file ends before."""
    parts = []
    while n:
        part = file.read(n)
        if not part:
            raise ValueError("the file is shorter than it was")
        parts.append(part)
        n -= len(part)
    return b"".join(parts)


def write_all(file: BinaryIO, data: bytes) -> None:
    """Writes all of `data`: one call on an unbuffered file may write less."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]
