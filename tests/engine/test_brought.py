"""Recorded runs from elsewhere: a sound one plays, also where there is no torch; anything else is refused in words."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.backends.fake import FakeBackend
from engine.records import importing
from engine.records.format import HEAD, MAGIC, encode_chunk, inflate
from engine.records.record import Record
from engine.runs.engine import Engine
from engine.types import Problem
from engine.wire import pack, unpack
from lessons import catalog, text
from lessons.board.fold import fold
from lessons.import_check import validate

NAMES = [lesson.name for lesson in catalog.lessons()]
ROOT = catalog.FOLDER.parent


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    found = Engine(FakeBackend(lambda job: Path(), 0.0), tmp_path_factory.mktemp("runs"))
    found.start()
    yield found
    found.close()


def exported(name: str, folder: Path) -> bytes:
    """A lesson's recorded run as a player saves it."""
    record = Record.open(catalog.lesson(name).folder / "demo.run")
    record.status = "done"
    path = folder / f"{name}.run"
    record.export(path)
    record.close()
    return path.read_bytes()


class File(bytes):
    """What a failing test need not print in full."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return File(exported("activations", tmp_path_factory.mktemp("sound")))


@pytest.mark.parametrize("name", NAMES)
def test_an_exported_run_comes_back_with_every_number(engine: Engine, tmp_path: Path, name: str) -> None:
    data = exported(name, tmp_path)
    run = engine.import_run(data, validate)
    first = Record.open(catalog.lesson(name).folder / "demo.run")
    assert run.job == first.job
    assert run.status == "done"
    assert repr(run.record.history()) == repr(first.history())
    assert (run.record.frames, run.record.checkpoints) == (first.frames, first.checkpoints)
    for step in first.frames:
        ours, theirs = run.record.frame(step), first.frame(step)
        assert ours
        assert theirs
        for key, array in theirs.arrays.items():
            np.testing.assert_array_equal(ours.arrays[key], array)
    first.close()
    assert engine.import_run(data, validate) is run  # the same file is the same run
    again = engine.export(run.id)
    assert again == data


PLAYER = """
import sys
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "transformers"):
            raise ImportError(f"there is no {name} on this machine")
sys.meta_path.insert(0, NoTorch())
import asyncio, pathlib, json
from engine.backends.fake import FakeBackend
from engine.runs.engine import Engine
from engine.types import Problem
from lessons import catalog, text
from lessons.board import figures as board
from lessons.board.fold import fold
from lessons.import_check import validate
from pages.live.hub import Hub
engine = Engine(FakeBackend(lambda job: None, 0.0), pathlib.Path(sys.argv[1]) / "runs")
engine.start()
hub = Hub(engine)
async def play(path):
    hub.start()
    run = engine.import_run(path.read_bytes(), validate)
    figures = catalog.figures(run.job.lesson)
    drawn = figures.draw(catalog.params(run.job.lesson)(**run.job.params), text.read(run.job.lesson, "en"))
    history = run.record.history()
    for step in {0, run.step // 3, run.step // 2, run.step}:
        tick = run.record.frame(step)
        patches = figures.update(hub.frames.settings(run, step), tick) if tick else []
        shown = fold(drawn, history[: step + 1], patches)
        assert shown.keys() == drawn.keys()
        made = await hub.frames.frame(run, step)
        assert (made is None) == (tick is None)
    return [run.job.lesson, run.step, len(run.record.frames)]
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.run")):
    print(json.dumps(asyncio.run(play(path))))
engine.close()
assert "torch" not in sys.modules
"""


def test_runs_play_scrub_and_draw_where_importing_torch_fails(tmp_path: Path) -> None:
    for name in NAMES:
        exported(name, tmp_path)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PLAYER, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = [orjson.loads(line) for line in done.stdout.splitlines()]
    assert [name for name, _, _ in found] == sorted(NAMES)
    for name, steps, frames in found:
        first = Record.open(catalog.lesson(name).folder / "demo.run")
        assert (steps, frames) == (first.last, len(first.frames))
        first.close()


def chunks(data: bytes) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """A record taken apart: (kind, header, arrays)."""
    found = []
    at = len(MAGIC)
    while at < len(data):
        kind, packed, _, _, length = HEAD.unpack_from(data, at)
        body = data[at + HEAD.size : at + HEAD.size + length]
        found.append((kind.decode(), *unpack(inflate(body) if packed else body)))
        at += HEAD.size + length
    return found


def whole(parts: list[tuple[str, dict[str, Any], dict[str, Any]]]) -> bytes:
    """The inverse of `chunks`, with sound checksums."""
    return MAGIC + b"".join(encode_chunk(kind, pack(header, arrays)) for kind, header, arrays in parts)


def said_twice(problem: Problem) -> None:
    assert problem.en
    assert problem.zh


def refused(engine: Engine, data: bytes, words: str | None = None) -> None:
    before = sorted(engine.library.folder.iterdir())
    with pytest.raises(Problem, match=words) as found:
        engine.import_run(data, validate)
    said_twice(found.value)
    assert sorted(engine.library.folder.iterdir()) == before  # nothing of it was kept


def test_foreign_truncated_and_oversized_files_are_refused_with_a_reason(
    engine: Engine, sound: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("data.pkl", pickle.dumps({"a": 1}))
    for data in (b"", b"hello", archive.getvalue(), pickle.dumps([1, 2]), b"\x89PNG\r\n" + bytes(100)):
        refused(engine, data, "does not begin as one")
    refused(engine, MAGIC, "it is empty")
    for cut in (1, 10, 60, len(sound) // 2):
        refused(engine, sound[:-cut], "its end is missing|cannot be read")
    refused(engine, sound + b"more", "its end is missing")
    refused(engine, sound[:-40] + bytes(40))
    monkeypatch.setattr("engine.runs.engine.EXPORT_BYTES", 1000)
    refused(engine, sound, "at most 0 MB")


def test_a_small_file_that_unpacks_to_too_much_is_refused(engine: Engine, sound: bytes) -> None:
    bomb = zlib.compress(bytes(importing.MAX_UNPACKED_BYTES + 1), 9)
    assert len(bomb) < 200_000
    chunk = HEAD.pack(b"F", 1, 0, zlib.crc32(bomb), len(bomb)) + bomb
    first = len(MAGIC) + HEAD.size + HEAD.unpack_from(sound, len(MAGIC))[4]
    refused(engine, sound[:first] + chunk + sound[first:], "unpacks to")


def test_a_file_of_too_many_parts_or_too_much_to_read_in_one_is_refused(engine: Engine, sound: bytes) -> None:
    first = len(MAGIC) + HEAD.size + HEAD.unpack_from(sound, len(MAGIC))[4]
    many = encode_chunk("R", pack({"step": 10**6})) * (importing.MAX_CHUNKS + 1)
    long = encode_chunk("C", pack({"step": 0, "values": {"x" * (importing.MAX_HEADER_BYTES + 1): 1}}))
    for more in (many, long):
        refused(engine, sound[:first] + more + sound[first:], "more parts than a run has")


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('it ran')",))


CRAFTED: dict[str, Any] = {
    "a lesson that is not here": ("J", lambda head, arrays: head["job"].update(entry="lessons.other.compute:run")),
    "an entry that is code": ("J", lambda head, arrays: head["job"].update(entry="os:system")),
    "an entry of another module": ("J", lambda head, arrays: head["job"].update(entry="os.activations.path:run")),
    "no job at all": ("J", lambda head, arrays: head.update(job=[1, 2])),
    "a job of other fields": ("J", lambda head, arrays: head["job"].update(code="print()")),
    "a setting that is not known": ("J", lambda head, arrays: head["job"]["params"].update(colour="red")),
    "a setting out of bounds": ("J", lambda head, arrays: head["job"]["params"].update(lr=1e9)),
    "a setting of another type": ("J", lambda head, arrays: head["job"]["params"].update(lr={"a": 1})),
    "an origin that is none": ("J", lambda head, arrays: head.update(origin=5)),
    "steps out of order": ("S", lambda head, arrays: arrays.update(steps0=arrays["steps0"][::-1].copy())),
    "steps missing": ("S", lambda head, arrays: arrays.update(steps0=arrays["steps0"] + 1)),
    "steps of another kind": ("S", lambda head, arrays: arrays.update(steps0=arrays["steps0"].astype(np.float64))),
    "values of another shape": ("S", lambda head, arrays: arrays.update(values0=arrays["values0"][:, :1].copy())),
    "a total below its steps": ("S", lambda head, arrays: head.update(total=3)),
    "a total that is no number": ("S", lambda head, arrays: head.update(total="many")),
    "names that are none": ("S", lambda head, arrays: head["groups"][0].update(names=[{"a": 1}])),
    "a frame of no step": ("F", lambda head, arrays: head.update(step=10**9)),
    "a frame of a step in words": ("F", lambda head, arrays: head.update(step="one")),
    "a frame of another shape": (
        "F",
        lambda head, arrays: arrays.update({key: np.zeros((1, 2), np.uint8) for key in arrays}),
    ),
    "a snapshot of no step": ("N", lambda head, arrays: head.update(step=-5)),
    "an end that is none": ("E", lambda head, arrays: head.update(status="running")),
    "an error that is none": ("E", lambda head, arrays: head.update(error="help")),
}


@pytest.mark.parametrize("what", CRAFTED)
def test_a_file_made_to_look_like_a_run_is_refused(engine: Engine, sound: bytes, what: str) -> None:
    kind, change = CRAFTED[what]
    parts = [(one, dict(header), dict(arrays)) for one, header, arrays in chunks(sound)]
    _, header, arrays = next(part for part in parts if part[0] == kind)
    change(header, arrays)
    refused(engine, whole(parts))


def test_the_same_file_made_again_unchanged_is_taken(engine: Engine, sound: bytes) -> None:
    assert engine.import_run(whole(chunks(sound)), validate).status == "done"


def test_a_pickle_inside_is_bytes_and_nothing_runs(engine: Engine, sound: bytes) -> None:
    body = pickle.dumps(Bomb())
    chunk = HEAD.pack(b"N", 0, 0, zlib.crc32(body), len(body)) + body
    refused(engine, sound[:-60] + chunk + sound[-60:])
    first = len(MAGIC) + HEAD.size + HEAD.unpack_from(sound, len(MAGIC))[4]
    refused(engine, sound[:first] + chunk + sound[first:])


@given(data=st.data())
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None, derandomize=True
)
def test_whatever_bytes_are_changed_the_file_is_refused_or_still_sound(
    engine: Engine, sound: bytes, data: st.DataObject
) -> None:
    """Single bytes, and with `mended` also the checksums over them, so that what lies behind those is tried too."""
    content = bytearray(sound)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    if data.draw(st.booleans()):
        at = len(MAGIC)
        while at + HEAD.size <= len(content):
            kind, packed, zeros, _, length = HEAD.unpack_from(content, at)
            if at + HEAD.size + length > len(content):
                break
            body = bytes(content[at + HEAD.size : at + HEAD.size + length])
            HEAD.pack_into(content, at, kind, packed, zeros, zlib.crc32(body), length)
            at += HEAD.size + length
    try:
        run = engine.import_run(bytes(content), validate)
    except Problem as problem:
        said_twice(problem)
        return
    assert run.status in ("done", "stopped", "failed", "recorded")
    name = run.job.lesson
    figures = catalog.figures(name)
    params = catalog.params(name)(**run.job.params)
    tick = run.record.frame(run.step)
    patches = figures.update(params, tick) if tick else []
    fold(figures.draw(params, text.read(name, "zh")), run.record.history(), patches)


@given(header=st.binary(max_size=200), body=st.binary(max_size=200), kind=st.sampled_from("JSFNCDREX"))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
def test_any_chunk_with_a_sound_checksum_is_refused_or_harmless(
    engine: Engine, sound: bytes, header: bytes, body: bytes, kind: str
) -> None:
    message = len(header).to_bytes(4, "little") + header + bytes(-(len(header) + 4) % 8) + body
    first = len(MAGIC) + HEAD.size + HEAD.unpack_from(sound, len(MAGIC))[4]
    try:
        engine.import_run(sound[:first] + encode_chunk(kind, message) + sound[first:], validate)
    except Problem as problem:
        said_twice(problem)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    kind=st.sampled_from("JSFNCDRE"),
    header=st.dictionaries(
        st.sampled_from(["step", "steps", "kind", "values", "status", "error", "job", "origin", "groups", "total"]),
        JSON,
    ),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
def test_any_header_is_refused_or_harmless(engine: Engine, sound: bytes, kind: str, header: dict[str, Any]) -> None:
    parts = chunks(sound)
    parts.insert(-1, (kind, header, {}))
    try:
        engine.import_run(whole(parts), validate)
    except Problem as problem:
        said_twice(problem)
