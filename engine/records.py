"""Recorded runs: one append-only file each, readable without torch, never unpickled.

    "TORCHROOM RUN 1\\n", then chunks:  kind (1 byte), packed (1), zeros (2), crc32 of the body (4), length (8), body

A body is a message of engine/wire.py, zlib-compressed if `packed`. Kinds: J the job (first), S scalars, F a frame,
N a snapshot, C settings changed while it ran, R a rewind (all after its step is void), E the end. A torn last chunk,
as a killed server leaves it, is passed over; a damaged or foreign file is refused with a reason.

Scalars of every step stay in memory; frames (at most 256) and snapshots (at most 48 MB) stay on disk.
"""

from __future__ import annotations

import os
import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import RLock
from typing import Any, BinaryIO

import numpy as np

from engine.types import Arrays, Group, Job, Problem, Scalars, Snapshot, Tick, Values
from engine.wire import pack, unpack

MAGIC = b"TORCHROOM RUN 1\n"
HEAD = struct.Struct("<cBHIQ")
FRAMES = 256
SNAPSHOT_BYTES = 48_000_000
CHUNK_BYTES = 512_000_000


def damaged(path: Path, why: str) -> Problem:
    """The refusal of a file that is not a sound record."""
    return Problem(
        f"{path.name} is not a recorded run that can be read: {why}. Choose a .run file that Torchroom wrote.",
        f"{path.name} 不是可读取的运行记录：{why}。请选择由 Torchroom 写出的 .run 文件。",
    )


class Record:
    """What one run did: scalars of every step, some frames, some snapshots. Safe to use from several threads."""

    def __init__(self, path: Path, job: Job) -> None:
        self.path = path
        self.job = job
        self.total = 0
        self.changes: list[tuple[int, Values]] = []
        self.status = "running"
        self._groups: list[Group] = []
        self._places: dict[str, dict[int, tuple[int, int]]] = {"F": {}, "N": {}}  # kind -> step -> (offset, length)
        self._lock = RLock()
        self._file: BinaryIO | None = None

    @classmethod
    def create(cls, path: Path, job: Job) -> Record:
        """A new record, ready to be appended to."""
        record = cls(path, job)
        record._file = path.open("w+b")
        record._file.write(MAGIC)
        record._append("J", pack({"job": plain(job)}))
        return record

    @classmethod
    def open(cls, path: Path) -> Record:
        """A finished (or torn) record, to read. Raises Problem if it is not one."""
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise damaged(path, "it does not begin as one")
            record: Record | None = None
            size = path.stat().st_size
            while True:
                at = file.tell()
                head = file.read(HEAD.size)
                if len(head) < HEAD.size:
                    break
                kind, packed, _, crc, length = HEAD.unpack(head)
                if length > CHUNK_BYTES:
                    raise damaged(path, f"a chunk at byte {at} claims {length} bytes")
                if at + HEAD.size + length > size:
                    break
                body = file.read(length)
                if zlib.crc32(body) != crc:
                    raise damaged(path, f"the chunk at byte {at} fails its checksum")
                name = kind.decode("latin-1")
                header, arrays = unpack(inflate(body) if packed else body)
                if record is None:
                    if name != "J":
                        raise damaged(path, "it does not name its job first")
                    try:
                        record = cls(path, Job(**header["job"]))
                    except (TypeError, KeyError) as error:
                        raise damaged(path, "its job cannot be read") from error
                    continue
                record._replay(name, header, arrays, (at, HEAD.size + length))
        if record is None:
            raise damaged(path, "it is empty")
        record._file = path.open("rb")
        return record

    def _replay(self, kind: str, header: dict[str, Any], arrays: Arrays, place: tuple[int, int]) -> None:
        if kind == "S":
            self.total = header.get("total", self.total)
            self._groups.extend(groups_of(header, arrays))
        elif kind in "FN":
            self._places[kind][int(header["step"])] = place
        elif kind == "C":
            self.changes.append((int(header["step"]), header["values"]))
        elif kind == "R":
            self._forget(int(header["step"]))
        elif kind == "E":
            self.status = str(header["status"])

    def _append(self, kind: str, body: bytes, squeeze: int = 1) -> tuple[int, int]:
        with self._lock:
            if self._file is None:
                raise ValueError(f"record {self.path.name} is closed")
            small = zlib.compress(body, squeeze) if squeeze else body
            packed = len(small) < len(body)
            body = small if packed else body
            at = self._file.seek(0, os.SEEK_END)
            self._file.write(HEAD.pack(kind.encode(), packed, 0, zlib.crc32(body), len(body)))
            self._file.write(body)
            return at, HEAD.size + len(body)

    def _read(self, place: tuple[int, int]) -> bytes:
        with self._lock:
            if self._file is None:
                raise ValueError(f"record {self.path.name} is closed")
            self._file.seek(place[0])
            chunk = self._file.read(place[1])
        packed = chunk[1]
        body = chunk[HEAD.size :]
        return inflate(body) if packed else body

    # Writing

    def add_scalars(self, groups: Iterable[Group], total: int) -> None:
        """Scalars of the steps that follow."""
        groups = list(groups)
        with self._lock:
            self.total = total
            self._groups.extend(groups)
            if len(self._groups) > 256:
                self._groups = merged(self._groups)
            header, arrays = packed_groups(groups)
            self._append("S", pack({**header, "total": total}, arrays))

    def add_frame(self, message: bytes) -> None:
        """A frame as the worker packed it: {"step", "scalars"} and its arrays."""
        self._add("F", message, squeeze=1)
        with self._lock:
            while len(self._places["F"]) > FRAMES:
                self._thin("F")

    def add_snapshot(self, message: bytes) -> None:
        """A snapshot as the worker packed it: {"step"} and its arrays. Weights do not compress, so they are not."""
        self._add("N", message, squeeze=0)
        with self._lock:
            places = self._places["N"]
            while len(places) > 2 and sum(length for _, length in places.values()) > SNAPSHOT_BYTES:
                self._thin("N")

    def _thin(self, kind: str) -> None:
        """Drops the one whose neighbours are closest together: what is left stays evenly spread, ends included."""
        steps = sorted(self._places[kind])
        _, least = min((after - before, step) for before, step, after in zip(steps, steps[1:], steps[2:], strict=False))
        del self._places[kind][least]

    def _add(self, kind: str, message: bytes, squeeze: int) -> None:
        header, _ = unpack(message)
        place = self._append(kind, message, squeeze)
        with self._lock:
            self._places[kind][int(header["step"])] = place

    def change(self, step: int, values: Values) -> None:
        """Settings that the run adopted after `step`."""
        with self._lock:
            self.changes.append((step, values))
            self._append("C", pack({"step": step, "values": values}))

    def rewind(self, step: int) -> None:
        """Everything after `step` did not happen: the run goes on from there."""
        with self._lock:
            self._forget(step)
            self._append("R", pack({"step": step}))

    def _forget(self, step: int) -> None:
        kept = []
        for group in self._groups:
            n = int(np.searchsorted(group.steps, step, side="right"))
            if n:
                kept.append(Group(group.names, group.steps[:n], group.values[:n]))
        self._groups = kept
        for places in self._places.values():
            for late in [at for at in places if at > step]:
                del places[late]
        self.changes = [(at, values) for at, values in self.changes if at < step]

    def end(self, status: str) -> None:
        """The run has ended; the file is whole from here on."""
        with self._lock:
            self.status = status
            self._append("E", pack({"status": status}))
            if self._file:
                self._file.flush()

    def close(self) -> None:
        """Lets go of the file."""
        with self._lock:
            if self._file:
                self._file.close()
                self._file = None

    def remove(self) -> None:
        """Closes and deletes the file."""
        self.close()
        self.path.unlink(missing_ok=True)

    # Reading

    @property
    def last(self) -> int:
        """The last step recorded, -1 before the first."""
        with self._lock:
            return max((int(group.steps[-1]) for group in self._groups), default=-1)

    @property
    def frames(self) -> list[int]:
        """Steps that have a frame, ascending."""
        with self._lock:
            return sorted(self._places["F"])

    @property
    def snapshots(self) -> list[int]:
        """Steps that have a snapshot, ascending: those that can be resumed and looked into."""
        with self._lock:
            return sorted(self._places["N"])

    def groups(self, after: int = -1) -> list[Group]:
        """All scalars of the steps after `after`, a group for each set of names."""
        with self._lock:
            self._groups = merged(self._groups)
            found = []
            for group in self._groups:
                n = int(np.searchsorted(group.steps, after, side="right"))
                if n < len(group.steps):
                    found.append(Group(group.names, group.steps[n:], group.values[n:]))
            return found

    def history(self) -> list[tuple[int, Scalars]]:
        """(step, scalars) of every step, ascending: what `lessons.board.fold` draws from."""
        rows = [
            (int(step), dict(zip(group.names, map(float, values), strict=True)))
            for group in self.groups()
            for step, values in zip(group.steps, group.values, strict=True)
        ]
        return sorted(rows, key=lambda row: row[0])

    def scalars(self, step: int) -> Scalars:
        """The scalars of one step, {} if it was not recorded."""
        with self._lock:
            for group in self._groups:
                n = int(np.searchsorted(group.steps, step))
                if n < len(group.steps) and group.steps[n] == step:
                    return dict(zip(group.names, map(float, group.values[n]), strict=True))
        return {}

    def frame(self, at: int) -> Tick | None:
        """The last frame at or before step `at`."""
        message = self._before("F", at)
        if message is None:
            return None
        header, arrays = unpack(message)
        return Tick(int(header["step"]), header.get("scalars", {}), arrays)

    def snapshot(self, at: int) -> tuple[int, Snapshot] | None:
        """The last snapshot at or before step `at`, with its step."""
        message = self._before("N", at)
        if message is None:
            return None
        header, arrays = unpack(message)
        return int(header["step"]), arrays

    def _before(self, kind: str, at: int) -> bytes | None:
        with self._lock:
            steps = sorted(self._places[kind])
            n = bisect_right(steps, at)
            return self._read(self._places[kind][steps[n - 1]]) if n else None

    # Copies

    def copy(self, path: Path, upto: int, job: Job | None = None) -> Record:
        """A new record of `job` that shares this one's past: everything up to and including step `upto`."""
        other = Record.create(path, job or self.job)
        with self._lock:
            past = [
                Group(group.names, group.steps[:n], group.values[:n])
                for group in self.groups()
                if (n := int(np.searchsorted(group.steps, upto, side="right")))
            ]
            other.add_scalars(past, self.total)
            for kind in "FN":
                for step in sorted(self._places[kind]):
                    if step <= upto:
                        other._add(kind, self._read(self._places[kind][step]), squeeze=kind == "F")
            for step, values in self.changes:
                if step < upto:
                    other.change(step, values)
        return other


def inflate(body: bytes) -> bytes:
    """zlib, bounded: a small file must not become a large one in memory."""
    engine = zlib.decompressobj()
    out = engine.decompress(body, CHUNK_BYTES)
    if engine.unconsumed_tail:
        raise Problem("A chunk of the record unpacks to too much.", "记录中的一个数据块解压后过大。")
    return out


def plain(job: Job) -> Values:
    """A job as JSON."""
    return {"entry": job.entry, "params": dict(job.params), "seed": job.seed, "device": job.device}


def merged(groups: Iterable[Group]) -> list[Group]:
    """One group for each set of names, steps ascending."""
    by_names: dict[tuple[str, ...], list[Group]] = {}
    for group in groups:
        by_names.setdefault(group.names, []).append(group)
    return [
        parts[0]
        if len(parts) == 1
        else Group(names, np.concatenate([p.steps for p in parts]), np.concatenate([p.values for p in parts]))
        for names, parts in by_names.items()
    ]


def packed_groups(groups: Iterable[Group]) -> tuple[dict[str, Any], Arrays]:
    """Groups as the header and arrays of a message: "groups": [{"names", "n"}], steps0, values0, steps1, ..."""
    entries = []
    arrays: Arrays = {}
    for i, group in enumerate(groups):
        entries.append({"names": group.names, "n": len(group.steps)})
        arrays[f"steps{i}"] = group.steps
        arrays[f"values{i}"] = group.values
    return {"groups": entries}, arrays


def groups_of(header: Mapping[str, Any], arrays: Arrays) -> list[Group]:
    """The inverse of `packed_groups`."""
    return [
        Group(tuple(entry["names"]), arrays[f"steps{i}"], arrays[f"values{i}"])
        for i, entry in enumerate(header["groups"])
    ]
