"""The parts of the engine that need no worker: a run's state, quotas, places in a file, and slices of scalars."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from engine.limits import Limits
from engine.records.blocks import rows_after, up_to
from engine.records.format import Extent
from engine.records.index import ChunkIndex
from engine.records.record import Record
from engine.runs.quotas import Quotas
from engine.runs.run import Run, RunState
from engine.types import ENDED, STATUSES, Job, Problem, ScalarBlock, Tick
from engine.wire import pack

JOB = Job("lessons.x.compute:run")


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    record = Record.create(tmp_path / "x-1.run", JOB)
    yield Run("x-1", JOB, "ann", record)
    record.close()


@pytest.mark.parametrize("state", get_args(RunState))
def test_every_state_is_one_status_for_the_wire(run: Run, state: RunState) -> None:
    run.state = state
    assert run.status in STATUSES
    assert run.ended == (run.status in ENDED)
    assert not (run.ended and run.in_worker)


def test_a_learner_with_all_runs_taken_gives_up_one_that_nobody_watches(run: Run) -> None:
    quotas = Quotas(Limits(runs=1, waiting=2))
    assert quotas.admit("ann", [], 0) == []
    assert quotas.admit("ann", [run], 0) == [run]
    run.viewers["socket"] = "ann"
    with pytest.raises(Problem, match="You have 1 runs going; 1 at once"):
        quotas.admit("ann", [run], 0)
    with pytest.raises(Problem, match="2 runs are waiting"):
        quotas.admit("bob", [], 2)


def test_what_was_taken_adds_up_to_the_limit_of_a_day() -> None:
    quotas = Quotas(Limits(steps=100, seconds=10))
    assert quotas.charge("ann", 60, 4.0) is None
    assert quotas.charge("bob", 60, 4.0) is None
    exhausted = quotas.charge("ann", 60, 4.0)
    assert exhausted is not None
    assert "120 training steps" in exhausted.en
    with pytest.raises(Problem, match="120 training steps"):
        quotas.admit("ann", [], 0)
    exhausted = quotas.charge("bob", 0, 6.5)
    assert exhausted is not None
    assert "10 seconds" in exhausted.en


def test_what_is_given_up_leaves_the_rest_evenly_spread() -> None:
    index = ChunkIndex()
    for step in (0, 1, 2, 3, 4, 8, 16):
        index.put(step, Extent(step * 10, 10))
    assert index.thin(5, lambda count: 1000) == [1, 3]
    assert index.steps == [0, 2, 4, 8, 16]
    assert (index.n_bytes, index.waste) == (50, 20)
    assert [index.at_or_before(step) for step in (-1, 0, 7, 99)] == [None, 0, 4, 16]
    assert index.thin(5, lambda count: 0) == [2, 4, 8]
    index.remove_after(0)
    assert index.steps == [0]


def test_blocks_are_cut_at_a_step() -> None:
    steps = np.arange(5, dtype=np.int32)
    blocks = [
        ScalarBlock(("a",), steps, steps[:, None].astype(np.float64)),
        ScalarBlock(("b",), steps[:0], np.zeros((0, 1))),
    ]
    for step in range(-1, 6):
        before, beyond = up_to(blocks, step), rows_after(blocks, step)
        assert [int(s) for block in before for s in block.steps] == [s for s in range(5) if s <= step]
        assert [int(s) for block in beyond for s in block.steps] == [s for s in range(5) if s > step]
        assert all(len(block.steps) for block in before + beyond)


def test_the_newest_frame_of_a_run_under_way_is_not_read_from_its_file(run: Run) -> None:
    record = run.record
    message = pack({"step": 4, "scalars": {}}, {"a": np.ones(3)})
    tick = Tick(4, {}, {"a": np.ones(3)})
    record.add_frame(pack({"step": 2, "scalars": {}}, {"a": np.zeros(3)}))
    record.add_frame(message, tick)
    assert record.frame(4) is record.frame(9) is tick
    earlier = record.frame(3)
    assert earlier is not None
    assert earlier.step == 2
    record.rewind(3)
    assert (frame := record.frame(9)) is not None
    assert frame.step == 2
    record.add_frame(message, tick)
    record.end("done")
    ended = record.frame(9)
    assert ended is not None
    assert ended is not tick
    np.testing.assert_array_equal(ended.arrays["a"], np.ones(3))
