"""Operations on lists of ScalarBlock: slices by step, merging, and their form inside a message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from engine.types import Arrays, ScalarBlock


def up_to(blocks: Iterable[ScalarBlock], last: int) -> list[ScalarBlock]:
    """The rows with step <= last; a block left without rows is dropped. The steps of a block must ascend."""
    return _split(blocks, last)[0]


def rows_after(blocks: Iterable[ScalarBlock], step: int) -> list[ScalarBlock]:
    """The other rows, those beyond `step`."""
    return _split(blocks, step)[1]


def _split(blocks: Iterable[ScalarBlock], step: int) -> tuple[list[ScalarBlock], list[ScalarBlock]]:
    before, beyond = [], []
    for block in blocks:
        n = int(np.searchsorted(block.steps, step, side="right"))
        if n:
            before.append(ScalarBlock(block.names, block.steps[:n], block.values[:n]))
        if n < len(block.steps):
            beyond.append(ScalarBlock(block.names, block.steps[n:], block.values[n:]))
    return before, beyond


def merged(blocks: Iterable[ScalarBlock]) -> list[ScalarBlock]:
    """One block for each set of names, its rows in the order of `blocks`."""
    by_names: dict[tuple[str, ...], list[ScalarBlock]] = {}
    for block in blocks:
        by_names.setdefault(block.names, []).append(block)
    return [
        parts[0]
        if len(parts) == 1
        else ScalarBlock(names, np.concatenate([p.steps for p in parts]), np.concatenate([p.values for p in parts]))
        for names, parts in by_names.items()
    ]


def last_step(blocks: Iterable[ScalarBlock]) -> int:
    """The largest step of all blocks, -1 if they have no row."""
    return max((int(block.steps[-1]) for block in blocks if len(block.steps)), default=-1)


def n_bytes(blocks: Iterable[ScalarBlock]) -> int:
    """Bytes of memory that the arrays of the blocks take."""
    return sum(block.steps.nbytes + block.values.nbytes for block in blocks)


def encode_blocks(blocks: Iterable[ScalarBlock]) -> tuple[dict[str, Any], Arrays]:
    """Blocks as the header and arrays of a message: "groups": [{"names", "n"}], steps0, values0, steps1, ..."""
    entries = []
    arrays: Arrays = {}
    for i, block in enumerate(blocks):
        entries.append({"names": block.names, "n": len(block.steps)})
        arrays[f"steps{i}"] = block.steps
        arrays[f"values{i}"] = block.values
    return {"groups": entries}, arrays


def decode_blocks(header: Mapping[str, Any], arrays: Arrays) -> list[ScalarBlock]:
    """The inverse of `encode_blocks`."""
    return [
        ScalarBlock(tuple(entry["names"]), arrays[f"steps{i}"], arrays[f"values{i}"])
        for i, entry in enumerate(header["groups"])
    ]
