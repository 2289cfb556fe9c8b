"""Recorded runs: what is written is read, bounded, rewound and copied; what is not a record is refused."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.records import format
from engine.records import record as records
from engine.records.record import Record
from engine.types import Job, Problem, ScalarBlock
from engine.wire import pack

JOB = Job("lessons.x.compute:run", {"lr": 0.1, "names": ["a", "b"]}, 7)


def scalars(first: int, last: int) -> list[ScalarBlock]:
    """A step with "loss" each, and one with "valid" too at every tenth."""
    steps = np.arange(first, last + 1, dtype=np.int32)
    plain, tenth = steps[steps % 10 != 0], steps[steps % 10 == 0]
    return [
        ScalarBlock(("loss",), plain, plain[:, None] * 0.5),
        ScalarBlock(("loss", "valid"), tenth, np.stack([tenth * 0.5, tenth * 2.0], 1)),
    ]


def frame(step: int, size: int = 10) -> bytes:
    return pack({"step": step, "scalars": {}}, {"picture": np.full(size, step % 256, np.uint8)})


def checkpoint(step: int, size: int = 10) -> bytes:
    return pack({"step": step, "wanted": ""}, {"w": np.random.default_rng(step).random(size, np.float32)})


def recorded(path: Path, last: int = 40) -> Record:
    record = Record.create(path, JOB)
    record.add_scalars(scalars(0, last), last)
    for step in range(0, last + 1, 4):
        record.add_frame(frame(step))
    for step in (0, 1, 2, 4, 8, 16, 32):
        record.add_checkpoint(checkpoint(step))
    record.change(20, {"lr": 0.2})
    return record


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = recorded(tmp_path / "a.run")
    written.end("done")
    written.close()
    read = Record.open(tmp_path / "a.run")
    assert (read.job, read.total, read.status, read.last) == (JOB, 40, "done", 40)
    assert read.changes == [(20, {"lr": 0.2})]
    assert read.scalars(7) == {"loss": 3.5}
    assert read.scalars(30) == {"loss": 15.0, "valid": 60.0}
    assert [step for step, _ in read.history()] == list(range(41))
    tick = read.frame(11)
    assert tick is not None
    assert tick.step == 8
    assert tick.arrays["picture"].tolist() == [8] * 10
    found = read.checkpoint(31)
    assert found is not None
    assert found[0] == 16
    np.testing.assert_array_equal(found[1]["w"], np.random.default_rng(16).random(10, np.float32))
    assert read.checkpoint(-1) is None
    read.close()


def test_groups_after_a_step_leave_out_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    record = recorded(tmp_path / "a.run")
    for after in (-1, 0, 9, 10, 39, 40):
        assert sorted(int(s) for group in record.blocks(after) for s in group.steps) == list(range(after + 1, 41))
    record.close()


def test_a_rewind_forgets_what_came_after_also_when_read_again(tmp_path: Path) -> None:
    record = recorded(tmp_path / "a.run")
    record.rewind(16)
    record.add_scalars([ScalarBlock(("loss",), np.array([17], np.int32), np.array([[99.0]]))], 40)
    for one in (record, Record.open(flushed(record))):
        assert one.last == 17
        assert one.scalars(17) == {"loss": 99.0}
        assert max(one.frames) == max(one.checkpoints) == 16
        assert one.changes == []
        one.close()


def flushed(record: Record) -> Path:
    record.end("stopped")
    return record.path


def test_a_copy_shares_the_past_and_nothing_else(tmp_path: Path) -> None:
    source = recorded(tmp_path / "a.run")
    copy = source.copy(tmp_path / "b.run", 16)
    source.add_scalars(scalars(41, 45), 45)
    assert copy.last == 16
    assert copy.frames == [0, 4, 8, 12, 16]
    assert copy.checkpoints == [0, 1, 2, 4, 8, 16]
    assert copy.history() == source.history()[:17]
    source.close()
    copy.close()


def test_frames_and_checkpoints_stay_bounded_and_spread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "CHECKPOINT_BYTES", 10_000)
    record = Record.create(tmp_path / "a.run", JOB)
    for step in range(1000):
        record.add_frame(frame(step))
        record.add_checkpoint(checkpoint(step, 100))
    assert len(record.frames) <= records.MAX_FRAMES
    assert record.frames[0] == record.checkpoints[0] == 0
    assert record.frames[-1] == record.checkpoints[-1] == 999
    assert max(np.diff(record.frames)) <= 16
    assert 10 <= len(record.checkpoints) <= 25
    assert max(np.diff(record.checkpoints)) <= 200
    record.close()


def test_a_large_model_keeps_five_checkpoints_however_large_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "CHECKPOINT_BYTES", 1000)
    monkeypatch.setattr(records, "LARGE_CHECKPOINT_BYTES", 100_000)
    kept = []
    for size in (1000, 10_000):  # five of the second would be too much
        record = Record.create(tmp_path / f"{size}.run", JOB)
        for step in range(100):
            record.add_checkpoint(checkpoint(step, size))
        kept.append(record.checkpoints)
        assert (kept[-1][0], kept[-1][-1]) == (0, 99)
        record.close()
    assert len(kept[0]) == records.LARGE_CHECKPOINTS
    assert max(np.diff(kept[0])) <= 64
    assert 2 <= len(kept[1]) < records.LARGE_CHECKPOINTS


def test_a_torn_last_chunk_costs_only_itself(tmp_path: Path) -> None:
    record = recorded(tmp_path / "a.run")
    flushed(record)
    record.close()
    whole = record.path.read_bytes()
    record.path.write_bytes(whole[:-5])
    torn = Record.open(record.path)
    assert torn.last == 40
    torn.close()


@pytest.mark.parametrize("content", [b"", b"hello", format.MAGIC, b"PK\x03\x04 a zip", format.MAGIC + b"x" * 300])
def test_a_foreign_file_is_refused_with_a_reason(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "foreign.run"
    path.write_bytes(content)
    with pytest.raises(Problem, match="foreign"):
        Record.open(path)


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_a_damaged_file_is_a_problem_never_a_crash(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "a.run"
    path.unlink(missing_ok=True)
    record = recorded(path)
    flushed(record)
    record.close()
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        Record.open(path).close()
    except Problem:
        return
