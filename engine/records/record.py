"""Recorded runs: one append-only file each, readable without torch, never unpickled.

    "TORCHROOM RUN 1\\n", then chunks:  kind (1 byte), packed (1), zeros (2), crc32 of the body (4), length (8), body

A body is a message of engine/wire.py, zlib-compressed if `packed`. Kinds: J the job and what it was forked from
(first), S scalars, F a frame, N a snapshot, C settings changed while it ran, D frames or snapshots given up, R a rewind
(all after its step is void), E the end. A torn end, as a killed server leaves it, is passed over; a damaged or foreign
file is refused with a reason.

Scalars of every step stay in memory (at most SCALAR_BYTES); frames (at most 256 and FRAME_BYTES) and snapshots (at most
64 and SNAPSHOT_BYTES; of a large model five, and at most LARGE_BYTES) stay on disk. When as much is given up as is
kept the file is written anew, so that it stays below twice their sum. Who writes a file holds it locked, and who reads
it shares that lock: a second server on the same folder leaves it alone.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from threading import RLock
from typing import Any, BinaryIO

import numpy as np

from engine.records.blocks import decode_blocks, encode_blocks, last_step, merged, n_bytes, rows_after, up_to
from engine.types import ENDED, Arrays, Checkpoint, Job, Problem, ScalarBlock, Scalars, Tick, Values
from engine.wire import pack, unpack

MAGIC = b"TORCHROOM RUN 1\n"
HEAD = struct.Struct("<cBHIQ")
FRAMES = 256
SNAPSHOTS = 64
FRAME_BYTES = 12_000_000
SNAPSHOT_BYTES = 5_000_000
LARGE = 5  # snapshots that are kept however large they are, as long as they take no more than
LARGE_BYTES = 48_000_000
SCALAR_BYTES = 32_000_000
WASTE_BYTES = 4_000_000  # given up in a file before it is worth writing it anew
EXPORT_BYTES = 32_000_000  # of a run as one file to take away, and of one that is brought along
CHUNK_BYTES = 512_000_000
UNPACKED_BYTES = 128_000_000  # of all chunks of a file that is brought along,
CHUNKS = 5000  # how many it may have,
HEADER_BYTES = 1_000_000  # and the JSON of one
LONGEST_NAME = 200


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


def lock(file: BinaryIO, alone: bool) -> bool:
    """Takes the lock of a file, for one writer `alone` or shared by readers; False if someone is in the way."""
    try:
        fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Record:
    """What one run did: scalars of every step, some frames, some snapshots. Safe to use from several threads."""

    def __init__(self, path: Path, job: Job, origin: tuple[str, int] | None = None) -> None:
        self.path = path
        self.job = job
        self.origin = origin  # the run and step this one is a fork or copy of
        self.total = 0
        self.changes: list[tuple[int, Values]] = []
        self.status = "running"
        self._size = 0  # of the file when it was read
        self.error: Problem | None = None
        self._groups: list[ScalarBlock] = []
        self._last = -1
        self._weight = 0  # bytes of scalars in memory
        self._waste = 0  # bytes in the file that nothing points to any more
        self._places: dict[str, dict[int, tuple[int, int]]] = {"F": {}, "N": {}}  # kind -> step -> (offset, length)
        self._lock = RLock()
        self._file: BinaryIO | None = None

    @classmethod
    def create(cls, path: Path, job: Job, origin: tuple[str, int] | None = None) -> Record:
        """A new record, ready to be appended to. Raises FileExistsError where there is a file already."""
        record = cls(path, job, origin)
        record._file = path.open("x+b", buffering=0)  # what was written is there, however this process ends
        lock(record._file, alone=True)
        record._file.write(MAGIC)
        record._append("J", record._opening())
        return record

    @classmethod
    def open(cls, path: Path) -> Record:
        """A record to read; one whose end was never written can be added to. Raises Problem if it is not a record.

        A torn end is cut off. Raises Problem too if another process writes this file.
        """
        file = path.open("rb", buffering=0)
        try:
            if not lock(file, alone=False):
                raise busy(path)
            record = cls._parsed(path, file)
            if record.status not in ENDED:
                file.close()
                file = path.open("r+b", buffering=0)
                if not lock(file, alone=True):
                    raise busy(path)
                record = cls._parsed(path, file)
                file.truncate(record._size)
        except BaseException:
            file.close()
            raise
        record._file = file
        return record

    @classmethod
    def check(cls, path: Path) -> Record:
        """A record from anywhere, to read: whole, ended, of bounded size, and sound in every part, or a Problem.

        What a lesson says of its settings and frames is for who knows lessons.
        """
        size = path.stat().st_size
        if size > EXPORT_BYTES:
            raise damaged(path, f"it has {size / 1e6:.0f} MB, and at most {EXPORT_BYTES / 1e6:.0f} MB are taken")
        file = path.open("rb", buffering=0)
        try:
            record = cls._parsed(path, file, UNPACKED_BYTES)
            if record._size != size or record.status not in ENDED:
                raise damaged(path, "its end is missing")
            record._file = file
            record._sound()
        except BaseException:
            file.close()
            raise
        return record

    @classmethod
    def _parsed(cls, path: Path, file: BinaryIO, unpacked: int = 0) -> Record:
        """Everything in a file up to its last whole chunk; with `unpacked` a bound on what may come out of it."""
        file.seek(0)
        if file.read(len(MAGIC)) != MAGIC:
            raise damaged(path, "it does not begin as one")
        record: Record | None = None
        size = os.fstat(file.fileno()).st_size
        left = unpacked or CHUNK_BYTES
        chunks = 0
        at = len(MAGIC)
        while at + HEAD.size <= size:
            kind, packed, _, crc, length = HEAD.unpack(exactly(file, HEAD.size))
            if length > CHUNK_BYTES:
                raise damaged(path, f"a chunk at byte {at} claims {length} bytes")
            if at + HEAD.size + length > size:
                break
            body = exactly(file, length)
            if zlib.crc32(body) != crc:
                raise damaged(path, f"the chunk at byte {at} fails its checksum")
            try:
                plain_body = inflate(body, left) if packed else body
                if unpacked:
                    left -= len(plain_body)
                    chunks += 1
                    if left <= 0:
                        raise damaged(path, f"it unpacks to more than {unpacked / 1e6:.0f} MB")
                    if chunks > CHUNKS or int.from_bytes(plain_body[:4], "little") > HEADER_BYTES:
                        raise damaged(path, "it is made of more parts than a run has")
                header, arrays = unpack(plain_body)
                name = kind.decode("latin-1")
                if record is None:
                    if name != "J":
                        raise damaged(path, "it does not name its job first")
                    origin = header.get("origin")
                    record = cls(path, Job(**header["job"]), (str(origin[0]), int(origin[1])) if origin else None)
                else:
                    record._replay(name, header, arrays, (at, HEAD.size + length))
            except Problem:
                raise
            except (TypeError, KeyError, ValueError, IndexError, AttributeError, OverflowError, zlib.error) as error:
                raise damaged(path, f"the chunk at byte {at} cannot be read") from error
            at += HEAD.size + length
        if record is None:
            raise damaged(path, "it is empty")
        record._size = at
        return record

    def _replay(self, kind: str, header: dict[str, Any], arrays: Arrays, place: tuple[int, int]) -> None:
        if kind == "S":
            self.total = int(header.get("total", self.total))
            groups = decode_blocks(header, arrays)
            self._groups.extend(groups)
            self._last = max(self._last, last_step(groups))
            self._weight += n_bytes(groups)
        elif kind in "FN":
            self._places[kind][int(header["step"])] = place
        elif kind == "C":
            self.changes.append((int(header["step"]), dict(header["values"])))
        elif kind == "D":
            for step in header["steps"]:
                self._places[header["kind"]].pop(int(step), None)
        elif kind == "R":
            self._forget(int(header["step"]))
        elif kind == "E":
            self.status = str(header["status"])
            error = header.get("error")
            self.error = Problem(str(error["en"]), str(error["zh"])) if error else None

    def _sound(self) -> None:
        """Raises Problem unless scalars, frames and snapshots are such as a run writes."""
        job, steps = self.job, 0
        plain_job = isinstance(job.params, dict) and isinstance(job.entry, str) and job.entry.count(":") == 1
        if not plain_job or "." not in job.entry or not isinstance(job.seed, int) or not isinstance(job.device, str):
            raise damaged(self.path, "its job is not one")
        for group in self._groups:
            n = len(group.steps)
            shaped = group.steps.shape == (n,) and group.values.shape == (n, len(group.names))
            if not shaped or group.steps.dtype != np.int32 or group.values.dtype != np.float64:
                raise damaged(self.path, "its scalars have no right shape")
            if any(not isinstance(name, str) or len(name) > LONGEST_NAME for name in group.names):
                raise damaged(self.path, "a scalar has no right name")
            steps += n
        if self._weight > SCALAR_BYTES:
            raise damaged(self.path, f"its scalars take {self._weight / 1e6:.0f} MB")
        every = np.sort(np.concatenate([group.steps for group in self._groups])) if self._groups else np.zeros(0)
        if not steps or not np.array_equal(every, np.arange(steps)) or not steps - 1 <= self.total <= 2**31 - 1:
            raise damaged(self.path, "its steps do not follow each other from 0")
        if any(bool((np.diff(group.steps) <= 0).any()) for group in self.groups()):
            raise damaged(self.path, "its steps are out of order")
        if len(self._places["F"]) > FRAMES:
            raise damaged(self.path, f"it has more than {FRAMES} frames")
        if any(not 0 <= at < steps for places in self._places.values() for at in places):
            raise damaged(self.path, "a frame or snapshot is of a step that it does not have")
        if any(not -1 <= at < steps for at, _ in self.changes):
            raise damaged(self.path, "a change is of a step that it does not have")

    def _opening(self) -> bytes:
        return pack({"job": self.job.as_json(), "origin": self.origin})

    def _append(self, kind: str, body: bytes, squeeze: int = 1) -> tuple[int, int]:
        with self._lock:
            if self._file is None:
                raise ValueError(f"record {self.path.name} is closed")
            chunk = chunk_of(kind, body, squeeze)
            at = self._file.seek(0, os.SEEK_END)
            written(self._file, chunk)
            return at, len(chunk)

    def _read(self, place: tuple[int, int]) -> bytes:
        chunk = self._raw(place)
        packed = chunk[1]
        body = chunk[HEAD.size :]
        return inflate(body) if packed else body

    def _raw(self, place: tuple[int, int]) -> bytes:
        with self._lock:
            if self._file is None:
                raise ValueError(f"record {self.path.name} is closed")
            self._file.seek(place[0])
            return exactly(self._file, place[1])

    def _chunks_of(self, kinds: str) -> Iterator[tuple[str, int, bytes]]:
        """What this record holds now as (kind, step, chunk), without what it gave up; "JSCFN" is all."""
        if "J" in kinds:
            yield "J", -1, chunk_of("J", self._opening())
        if "S" in kinds:
            header, arrays = encode_blocks(self.groups())
            yield "S", -1, chunk_of("S", pack({**header, "total": self.total}, arrays), 6)
        for step, values in self.changes if "C" in kinds else ():
            yield "C", step, chunk_of("C", pack({"step": step, "values": values}))
        for kind in set(kinds) & set("FN"):
            for step in sorted(self._places[kind]):
                yield kind, step, self._raw(self._places[kind][step])

    def _tidy(self, last: bool = False) -> None:
        """Writes the file anew once as much of it is waste as not; `last`: once there is waste worth mentioning."""
        assert self._file
        size = self._file.seek(0, os.SEEK_END)
        if self._waste < (size // 8 if last else max(WASTE_BYTES, size // 2)):
            return
        aside = self.path.with_suffix(".new")
        file = aside.open("w+b", buffering=0)
        places: dict[str, dict[int, tuple[int, int]]] = {"F": {}, "N": {}}
        try:
            lock(file, alone=True)
            written(file, MAGIC)
            for kind, step, chunk in self._chunks_of("JSCFN"):
                if kind in places:
                    places[kind][step] = (file.tell(), len(chunk))
                written(file, chunk)
            aside.replace(self.path)
        except BaseException:
            file.close()
            aside.unlink(missing_ok=True)
            raise
        self._file.close()
        self._file, self._places, self._waste = file, places, 0

    def export(self, path: Path) -> None:
        """This run as it stands as one whole file of at most EXPORT_BYTES, which plays without torch.

        Where there is too much, frames and snapshots are thinned evenly. One still going on counts as stopped.
        """
        with self._lock:
            room = EXPORT_BYTES - len(MAGIC) - 1000
            kept = {kind: dict(places) for kind, places in self._places.items()}
            fixed = sum(len(chunk) for kind, _, chunk in self._chunks_of("JSC"))
            while fixed + sum(length for places in kept.values() for _, length in places.values()) > room:
                kind = max(kept, key=lambda one: sum(length for _, length in kept[one].values()))
                if len(kept[kind]) > 2:
                    del kept[kind][crowded(kept[kind])]
                elif kept[kind]:
                    del kept[kind][min(kept[kind])]
                else:
                    break
            with path.open("wb") as file:
                file.write(MAGIC)
                for kind, step, chunk in self._chunks_of("JSCFN"):
                    if kind not in kept or step in kept[kind]:
                        file.write(chunk)
                file.write(chunk_of("E", self._ending(self.status if self.status in ENDED else "stopped")))

    def _ending(self, status: str) -> bytes:
        error = {"en": self.error.en, "zh": self.error.zh} if self.error else None
        return pack({"status": status, "error": error})

    # Writing

    def add_scalars(self, groups: Iterable[ScalarBlock], total: int) -> None:
        """Scalars of the steps that follow."""
        groups = list(groups)
        with self._lock:
            self.total = total
            self._groups.extend(groups)
            self._last = max(self._last, last_step(groups))
            self._weight += n_bytes(groups)
            if len(self._groups) > 256:
                self._groups = merged(self._groups)
            header, arrays = encode_blocks(groups)
            self._append("S", pack({**header, "total": total}, arrays))

    def add_frame(self, message: bytes) -> None:
        """A frame as the worker packed it: {"step", "scalars"} and its arrays."""
        self._add("F", message, squeeze=1)
        with self._lock:
            self._bound("F", FRAMES, lambda _: FRAME_BYTES)

    def add_snapshot(self, message: bytes) -> None:
        """A snapshot as the worker packed it: {"step"} and its arrays. Weights do not compress, so they are not."""
        self._add("N", message, squeeze=0)
        with self._lock:
            self._bound("N", SNAPSHOTS, lambda kept: SNAPSHOT_BYTES if kept > LARGE else LARGE_BYTES)

    def _bound(self, kind: str, count: int, size: Callable[[int], int]) -> None:
        """Gives up the most crowded until there are at most `count`, in at most as many bytes as `size` allows so many;
        the first and the last always stay."""
        places = self._places[kind]
        total = sum(length for _, length in places.values())
        given_up = []
        while len(places) > 2 and (len(places) > count or total > size(len(places))):
            given_up.append(step := crowded(places))
            _, length = places.pop(step)
            self._waste += length
            total -= length
        if given_up:
            self._waste += self._append("D", pack({"kind": kind, "steps": given_up}))[1]
            self._tidy()

    def _add(self, kind: str, message: bytes, squeeze: int) -> None:
        header, _ = unpack(message)
        place = self._append(kind, message, squeeze)
        with self._lock:
            step = int(header["step"])
            self._waste += self._places[kind].get(step, (0, 0))[1]
            self._places[kind][step] = place

    @property
    def full(self) -> bool:
        """Whether there are more scalars than a run may keep."""
        return self._weight > SCALAR_BYTES

    @property
    def weight(self) -> int:
        """Bytes of memory that its scalars take."""
        return self._weight

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
        kept = up_to(self._groups, step)
        self._groups = kept
        self._last = last_step(kept)
        self._weight = n_bytes(kept)
        for places in self._places.values():
            for late in [at for at in places if at > step]:
                self._waste += places.pop(late)[1]
        self.changes = [(at, values) for at, values in self.changes if at < step]

    def end(self, status: str, error: Problem | None = None) -> None:
        """The run has ended; the file is whole from here on."""
        with self._lock:
            self.status, self.error = status, error
            if self._waste and self._file:
                self._tidy(last=True)
            self._append("E", self._ending(status))
            if self._file:
                lock(self._file, alone=False)  # from now on others may read it too

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
        return self._last

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

    def groups(self, after: int = -1) -> list[ScalarBlock]:
        """All scalars of the steps after `after`, a group for each set of names."""
        with self._lock:
            self._groups = merged(self._groups)
            return rows_after(self._groups, after)

    def history(self) -> list[tuple[int, Scalars]]:
        """(step, scalars) of every step, ascending: what `lessons.board.fold.fold` draws from."""
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
        return Tick(int(header["step"]), header.get("scalars", {}), arrays, header.get("made", 0.0))

    def snapshot(self, at: int) -> tuple[int, Checkpoint] | None:
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

    def copy(self, path: Path, upto: int, job: Job | None = None, origin: tuple[str, int] | None = None) -> Record:
        """A new record of `job` that shares this one's past: everything up to and including step `upto`."""
        other = Record.create(path, job or self.job, origin)
        with self._lock:
            other.add_scalars(up_to(self.groups(), upto), self.total)
            for kind in "FN":
                for step in sorted(self._places[kind]):
                    if step <= upto:
                        other._add(kind, self._read(self._places[kind][step]), squeeze=kind == "F")
            earlier = [(step, values) for step, values in self.changes if step < upto]
            at_last: Values = {}
            for _, values in earlier:
                at_last |= values
            stand = {name for name, value in at_last.items() if not job or job.params.get(name, value) == value}
            for step, values in earlier:  # what a fork sets otherwise stands in its job
                if kept := {name: value for name, value in values.items() if name in stand}:
                    other.change(step, kept)
        return other


def exactly(file: BinaryIO, n: int) -> bytes:
    """n bytes from here on. Raises ValueError where the file ends before."""
    parts = []
    while n:
        part = file.read(n)
        if not part:
            raise ValueError("the file is shorter than it was")
        parts.append(part)
        n -= len(part)
    return b"".join(parts)


def written(file: BinaryIO, data: bytes) -> None:
    """Writes all of it: without a buffer one call may take less."""
    whole = memoryview(data)
    while whole:
        whole = whole[file.write(whole) :]


def chunk_of(kind: str, body: bytes, squeeze: int = 1) -> bytes:
    """A body with its head, compressed where that makes it smaller; `squeeze` 0 does not try."""
    small = zlib.compress(body, squeeze) if squeeze else body
    packed = len(small) < len(body)
    body = small if packed else body
    return HEAD.pack(kind.encode(), packed, 0, zlib.crc32(body), len(body)) + body


def crowded(places: Mapping[int, Any]) -> int:
    """The step whose neighbours are closest together: without it what is left stays evenly spread, ends included."""
    steps = sorted(places)
    _, least = min((after - before, step) for before, step, after in zip(steps, steps[1:], steps[2:], strict=False))
    return least


def inflate(body: bytes, most: int = CHUNK_BYTES) -> bytes:
    """zlib, bounded: a small file must not become a large one in memory. Raises Problem, zlib.error."""
    engine = zlib.decompressobj()
    out = engine.decompress(body, most)
    if engine.unconsumed_tail:
        raise Problem("A chunk of the record unpacks to too much.", "记录中的一个数据块解压后过大。")
    return out
