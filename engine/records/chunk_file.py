"""The open file of one run, and where in it each of its frames and checkpoints is."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from engine.records.format import MAGIC, Extent, decode_body, encode_chunk, lock, read_exactly, write_all
from engine.records.index import ChunkIndex
from engine.wire import pack

INDEXED = "FN"  # the kinds of chunk that are found again by their step: frames and checkpoints


class ChunkFile:
    """Chunks are appended to it and read from it, by kind and step. Not for several threads at once."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.index = {kind: ChunkIndex() for kind in INDEXED}
        self._file: BinaryIO | None = file

    @classmethod
    def create(cls, path: Path) -> ChunkFile:
        """A new file, locked for this process. Raises FileExistsError where there is one already."""
        file = path.open("x+b", buffering=0)  # without a buffer what was written is there, however this process ends
        lock(file, exclusive=True)
        file.write(MAGIC)
        return cls(path, file)

    @property
    def is_open(self) -> bool:
        return self._file is not None

    @property
    def waste(self) -> int:
        """Bytes of the file that nothing points to any more."""
        return sum(index.waste for index in self.index.values())

    @property
    def n_bytes(self) -> int:
        """Bytes of the file."""
        return self._open_file().seek(0, os.SEEK_END)

    def append(self, kind: str, body: bytes, level: int = 1) -> Extent:
        """Writes a chunk, compressed with that `level` of zlib."""
        file = self._open_file()
        chunk = encode_chunk(kind, body, level)
        offset = file.seek(0, os.SEEK_END)
        write_all(file, chunk)
        return Extent(offset, len(chunk))

    def put(self, kind: str, step: int, body: bytes, level: int) -> None:
        """Writes the frame or checkpoint of a step, in place of an earlier one of that step."""
        self.index[kind].put(step, self.append(kind, body, level))

    def record_removed(self, kind: str, steps: list[int]) -> None:
        """Writes down which frames or checkpoints were given up, for who reads the file later."""
        self.index[kind].waste += self.append("D", pack({"kind": kind, "steps": steps})).length

    def read(self, kind: str, step: int) -> bytes:
        """The whole chunk of a frame or checkpoint."""
        file = self._open_file()
        extent = self.index[kind][step]
        file.seek(extent.offset)
        return read_exactly(file, extent.length)

    def read_body(self, kind: str, step: int) -> bytes:
        """The message of a frame or checkpoint."""
        return decode_body(self.read(kind, step))

    def rewrite(self, chunks: Iterable[tuple[str, int, bytes]]) -> None:
        """Replaces the file by one of these (kind, step, chunk) only, which may be read from it meanwhile."""
        path = self.path.with_suffix(".new")
        file = path.open("w+b", buffering=0)
        index = {kind: ChunkIndex() for kind in INDEXED}
        try:
            lock(file, exclusive=True)
            write_all(file, MAGIC)
            for kind, step, chunk in chunks:
                if kind in index:
                    index[kind].put(step, Extent(file.tell(), len(chunk)))
                write_all(file, chunk)
            path.replace(self.path)
        except BaseException:
            file.close()
            path.unlink(missing_ok=True)
            raise
        self.close()
        self._file, self.index = file, index

    def truncate(self, size: int) -> None:
        """Cuts off what is behind the last complete chunk."""
        self._open_file().truncate(size)

    def share(self) -> None:
        """Lets others read the file: nothing more will be written."""
        if self._file:
            lock(self._file, exclusive=False)

    def close(self) -> None:
        """Closes the file; nothing can be read or written any more."""
        if self._file:
            self._file.close()
            self._file = None

    def _open_file(self) -> BinaryIO:
        if self._file is None:
            raise ValueError(f"record {self.path.name} is closed")
        return self._file
