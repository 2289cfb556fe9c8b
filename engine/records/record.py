"""One recorded run: its scalars in memory, its frames and checkpoints in a file (engine/records/format.py).

Scalars of every step stay in memory (at most SCALAR_BYTES); frames (at most 256 and FRAME_BYTES) and checkpoints (at
most 64 and CHECKPOINT_BYTES; of a large model five, and at most LARGE_CHECKPOINT_BYTES) stay on disk, but for the
newest frame, which is in memory too. When as much is given up as is kept the file is written anew, so it stays below
twice their sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import RLock
from typing import Any, BinaryIO

import numpy as np

from engine.records.blocks import decode_blocks, encode_blocks, last_step, merged, n_bytes, rows_after, up_to
from engine.records.chunk_file import ChunkFile
from engine.records.format import (
    MAGIC,
    Bounds,
    Chunk,
    busy,
    damaged,
    encode_chunk,
    lock,
    read_chunks,
    refuse_unreadable,
)
from engine.records.index import most_crowded
from engine.types import ENDED, Checkpoint, Job, Problem, ScalarBlock, Scalars, Tick, Values
from engine.wire import pack, unpack

MAX_FRAMES = 256
MAX_CHECKPOINTS = 64
FRAME_BYTES = 12_000_000
CHECKPOINT_BYTES = 5_000_000
LARGE_CHECKPOINTS = 5  # that are kept however large they are, as long as they take no more than
LARGE_CHECKPOINT_BYTES = 48_000_000
SCALAR_BYTES = 32_000_000
WASTE_BYTES = 4_000_000  # given up in a file before it is worth writing it anew
EXPORT_BYTES = 32_000_000  # of a run as one file to take away, and of one that is imported


class Record:
    """What one run did: scalars of every step, some frames, some checkpoints. Safe to use from several threads."""

    def __init__(self, chunks: ChunkFile, job: Job, origin: tuple[str, int] | None = None) -> None:
        self.path = chunks.path
        self.job = job
        self.origin = origin  # the run and step this one is a fork or copy of
        self.total = 0  # steps the whole run has
        self.changes: list[tuple[int, Values]] = []  # settings adopted after a step
        self.status = "running"
        self.error: Problem | None = None
        self.parsed_bytes = 0  # of the file, up to the last complete chunk, when it was read
        self._blocks: list[ScalarBlock] = []
        self._last = -1
        self._weight = 0
        self._newest: Tick | None = None  # the last frame, unless it has not been seen since the file was opened
        self._chunks = chunks
        self._lock = RLock()

    @classmethod
    def create(cls, path: Path, job: Job, origin: tuple[str, int] | None = None) -> Record:
        """A new record, ready to be appended to. Raises FileExistsError where there is a file already."""
        record = cls(ChunkFile.create(path), job, origin)
        record._append("J", record._job_message())
        return record

    @classmethod
    def open(cls, path: Path) -> Record:
        """A record to read; one whose end was never written can be added to. A torn end is cut off.

        Raises Problem if it is no record, or if another process writes it.
        """
        file = path.open("rb", buffering=0)
        try:
            if not lock(file, exclusive=False):
                raise busy(path)
            record = cls.parse(path, file)
            if record.status not in ENDED:
                file.close()
                file = path.open("r+b", buffering=0)
                if not lock(file, exclusive=True):
                    raise busy(path)
                record = cls.parse(path, file)
                record._chunks.truncate(record.parsed_bytes)
        except BaseException:
            file.close()
            raise
        return record

    @classmethod
    def parse(cls, path: Path, file: BinaryIO, bounds: Bounds | None = None) -> Record:
        """A record of everything in an open file up to its last complete chunk; it keeps the file."""
        chunks = ChunkFile(path, file)
        record: Record | None = None
        end = 0
        for chunk in read_chunks(path, file, bounds):
            with refuse_unreadable(path, chunk.extent.offset):
                if record is not None:
                    record._apply(chunk)
                elif chunk.kind == "J":
                    origin = chunk.header.get("origin")
                    job = Job(**chunk.header["job"])
                    record = cls(chunks, job, (str(origin[0]), int(origin[1])) if origin else None)
                else:
                    raise damaged(path, "it does not name its job first")
            end = sum(chunk.extent)
        if record is None:
            raise damaged(path, "it is empty")
        record.parsed_bytes = end
        return record

    def _apply(self, chunk: Chunk) -> None:
        header = chunk.header
        match chunk.kind:
            case "S":
                self.total = int(header.get("total", self.total))
                self._extend(decode_blocks(header, chunk.arrays))
            case "F" | "N":
                self._chunks.index[chunk.kind].put(int(header["step"]), chunk.extent)
            case "C":
                self.changes.append((int(header["step"]), dict(header["values"])))
            case "D":
                self._chunks.index[header["kind"]].remove(int(step) for step in header["steps"])
            case "R":
                self._forget_after(int(header["step"]))
            case "E":
                self.status = str(header["status"])
                error = header.get("error")
                self.error = Problem(str(error["en"]), str(error["zh"])) if error else None

    # Writing

    def add_scalars(self, blocks: Iterable[ScalarBlock], total: int) -> None:
        """Scalars of the steps that follow; `total` is how many steps the whole run has."""
        blocks = list(blocks)
        with self._lock:
            self.total = total
            self._extend(blocks)
            if len(self._blocks) > 256:
                self._blocks = merged(self._blocks)
            header, arrays = encode_blocks(blocks)
            self._append("S", pack({**header, "total": total}, arrays))

    def add_frame(self, message: bytes, tick: Tick | None = None) -> None:
        """A frame as the worker packed it, {"step", "scalars", "made"} and its arrays; `tick` if it is unpacked."""
        tick = tick or tick_of(message)
        with self._lock:
            self._chunks.put("F", tick.step, message, level=1)
            self._newest = tick
            self._thin("F", MAX_FRAMES, lambda _: FRAME_BYTES)

    def add_checkpoint(self, message: bytes) -> None:
        """A checkpoint as the worker packed it, {"step"} and its arrays. Not compressed: weights hardly get smaller."""
        header, _ = unpack(message)
        with self._lock:
            self._chunks.put("N", int(header["step"]), message, level=0)
            self._thin("N", MAX_CHECKPOINTS, max_checkpoint_bytes)

    def change(self, step: int, values: Values) -> None:
        """Settings that the run adopted after `step`."""
        with self._lock:
            self.changes.append((step, values))
            self._append("C", pack({"step": step, "values": values}))

    def rewind(self, step: int) -> None:
        """Everything after `step` did not happen: the run goes on from there."""
        with self._lock:
            self._forget_after(step)
            self._append("R", pack({"step": step}))

    def end(self, status: str, error: Problem | None = None) -> None:
        """The run has ended; the file is complete from here on."""
        with self._lock:
            self.status, self.error = status, error
            self._newest = None  # there may be many such runs
            if self._chunks.waste and self._chunks.is_open:
                self._compact(last=True)
            self._append("E", self._end_message(status))
            self._chunks.share()

    def close(self) -> None:
        """Closes the file; what is in memory can still be read."""
        with self._lock:
            self._chunks.close()

    def remove(self) -> None:
        """Closes and deletes the file."""
        self.close()
        self.path.unlink(missing_ok=True)

    def _extend(self, blocks: list[ScalarBlock]) -> None:
        self._blocks.extend(blocks)
        self._last = max(self._last, last_step(blocks))
        self._weight += n_bytes(blocks)

    def _forget_after(self, step: int) -> None:
        self._blocks = up_to(self._blocks, step)
        self._last = last_step(self._blocks)
        self._weight = n_bytes(self._blocks)
        for index in self._chunks.index.values():
            index.remove_after(step)
        if self._newest and self._newest.step > step:
            self._newest = None
        self.changes = [(at, values) for at, values in self.changes if at < step]

    def _append(self, kind: str, body: bytes) -> None:
        with self._lock:
            self._chunks.append(kind, body)

    def _thin(self, kind: str, max_count: int, max_bytes: Callable[[int], int]) -> None:
        """Gives up frames or checkpoints beyond their bounds, and writes the file anew if that is worth it."""
        removed = self._chunks.index[kind].thin(max_count, max_bytes)
        if removed:
            self._chunks.record_removed(kind, removed)
            self._compact()

    def _compact(self, last: bool = False) -> None:
        """Writes the file anew if half of it is waste; `last`, when nothing will follow, if an eighth is."""
        size = self._chunks.n_bytes
        if self._chunks.waste >= (size // 8 if last else max(WASTE_BYTES, size // 2)):
            self._chunks.rewrite(self._encode("JSCFN"))

    # Reading

    @property
    def last(self) -> int:
        """The last step recorded, -1 before the first."""
        return self._last

    @property
    def weight(self) -> int:
        """Bytes of memory that its scalars take."""
        return self._weight

    @property
    def full(self) -> bool:
        """Whether there are more scalars than a run may keep."""
        return self._weight > SCALAR_BYTES

    @property
    def frames(self) -> list[int]:
        """Steps that have a frame, ascending."""
        with self._lock:
            return self._chunks.index["F"].steps

    @property
    def checkpoints(self) -> list[int]:
        """Steps that have a checkpoint, ascending: those that can be resumed and looked into."""
        with self._lock:
            return self._chunks.index["N"].steps

    @property
    def written_blocks(self) -> list[ScalarBlock]:
        """All scalars, in the blocks in which they came or were merged last."""
        return self._blocks

    def blocks(self, after: int = -1) -> list[ScalarBlock]:
        """All scalars of the steps after `after`, a block for each set of names."""
        with self._lock:
            self._blocks = merged(self._blocks)
            return rows_after(self._blocks, after)

    def history(self) -> list[tuple[int, Scalars]]:
        """(step, scalars) of every step, ascending: what `lessons.board.fold.fold` draws from."""
        rows = [
            (int(step), dict(zip(block.names, map(float, values), strict=True)))
            for block in self.blocks()
            for step, values in zip(block.steps, block.values, strict=True)
        ]
        return sorted(rows, key=lambda row: row[0])

    def scalars(self, step: int) -> Scalars:
        """The scalars of one step, {} if it was not recorded."""
        with self._lock:
            for block in self._blocks:
                n = int(np.searchsorted(block.steps, step))
                if n < len(block.steps) and block.steps[n] == step:
                    return dict(zip(block.names, map(float, block.values[n]), strict=True))
        return {}

    def frame(self, at: int) -> Tick | None:
        """The last frame at or before step `at`; the newest of a run under way comes from memory."""
        with self._lock:
            step = self._chunks.index["F"].at_or_before(at)
            if self._newest and self._newest.step == step:
                return self._newest
            return None if step is None else tick_of(self._chunks.read_body("F", step))

    def checkpoint(self, at: int) -> tuple[int, Checkpoint] | None:
        """The last checkpoint at or before step `at`, with its step."""
        with self._lock:
            step = self._chunks.index["N"].at_or_before(at)
            if step is None:
                return None
            header, arrays = unpack(self._chunks.read_body("N", step))
        return int(header["step"]), arrays

    # Copies

    def copy(self, path: Path, last: int, job: Job | None = None, origin: tuple[str, int] | None = None) -> Record:
        """A new record of `job` that shares this one's past: everything up to and including step `last`."""
        other = Record.create(path, job or self.job, origin)
        with self._lock:
            other.add_scalars(up_to(self.blocks(), last), self.total)
            for kind, index in self._chunks.index.items():
                for step in index.steps:
                    if step <= last:
                        other._chunks.put(kind, step, self._chunks.read_body(kind, step), level=int(kind == "F"))
            for step, values in self._changes_for(job, last):
                other.change(step, values)
        return other

    def _changes_for(self, job: Job | None, last: int) -> Iterator[tuple[int, Values]]:
        """The changes before step `last` that a fork with the settings of `job` keeps: what it sets itself goes first.

        A change is kept if the setting's last value agrees with the job's, or if the job does not have it.
        """
        changes = [(step, values) for step, values in self.changes if step < last]
        final: Values = {}
        for _, values in changes:
            final |= values
        kept_names = {name for name, value in final.items() if not job or job.params.get(name, value) == value}
        for step, values in changes:
            remaining = {name: value for name, value in values.items() if name in kept_names}
            if remaining:
                yield step, remaining

    def export(self, path: Path) -> None:
        """This run as it stands as one complete file of at most EXPORT_BYTES, which plays without torch.

        Where there is too much, frames and checkpoints are thinned evenly. One still going on counts as stopped.
        """
        with self._lock:
            budget = EXPORT_BYTES - len(MAGIC) - 1000 - sum(len(chunk) for _, _, chunk in self._encode("JSC"))
            exported = self._thinned_to(budget)
            with path.open("wb") as file:
                file.write(MAGIC)
                for kind, step, chunk in self._encode("JSCFN"):
                    if kind not in exported or step in exported[kind]:
                        file.write(chunk)
                file.write(encode_chunk("E", self._end_message(self.status if self.status in ENDED else "stopped")))

    def _thinned_to(self, budget: int) -> dict[str, dict[int, int]]:
        """The frames and checkpoints that fit into `budget` bytes, as kind -> step -> bytes."""
        sizes = {kind: {step: index[step].length for step in index.steps} for kind, index in self._chunks.index.items()}
        while sum(sum(steps.values()) for steps in sizes.values()) > budget:
            largest = max(sizes.values(), key=lambda steps: sum(steps.values()))
            if not largest:
                break
            del largest[most_crowded(largest) if len(largest) > 2 else min(largest)]
        return sizes

    def _encode(self, kinds: str) -> Iterator[tuple[str, int, bytes]]:
        """What this record holds now as (kind, step, chunk), without what it gave up; "JSCFN" is all."""
        if "J" in kinds:
            yield "J", -1, encode_chunk("J", self._job_message())
        if "S" in kinds:
            header, arrays = encode_blocks(self.blocks())
            yield "S", -1, encode_chunk("S", pack({**header, "total": self.total}, arrays), 6)
        if "C" in kinds:
            for step, values in self.changes:
                yield "C", step, encode_chunk("C", pack({"step": step, "values": values}))
        for kind, index in self._chunks.index.items():
            for step in index.steps if kind in kinds else ():
                yield kind, step, self._chunks.read(kind, step)

    def _job_message(self) -> bytes:
        return pack({"job": self.job.as_json(), "origin": self.origin})

    def _end_message(self, status: str) -> bytes:
        error: Any = self.error.as_json() if self.error else None
        return pack({"status": status, "error": error})


def tick_of(message: bytes) -> Tick:
    """A frame's message as a Tick."""
    header, arrays = unpack(message)
    return Tick(int(header["step"]), header.get("scalars", {}), arrays, header.get("made", 0.0))


def max_checkpoint_bytes(count: int) -> int:
    """How many bytes that many checkpoints may take."""
    return CHECKPOINT_BYTES if count > LARGE_CHECKPOINTS else LARGE_CHECKPOINT_BYTES
