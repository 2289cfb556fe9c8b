"""Where the frames, or the checkpoints, of a run are in its file, and which are given up when there are many."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable

from engine.records.format import Extent


class ChunkIndex:
    """Where each step's chunk is. What is removed counts as waste: bytes of the file that nothing points to now."""

    def __init__(self) -> None:
        self._extents: dict[int, Extent] = {}
        self.waste = 0

    def __contains__(self, step: int) -> bool:
        return step in self._extents

    def __getitem__(self, step: int) -> Extent:
        return self._extents[step]

    @property
    def steps(self) -> list[int]:
        """The steps there are, ascending."""
        return sorted(self._extents)

    @property
    def n_bytes(self) -> int:
        """Bytes of all chunks."""
        return sum(extent.length for extent in self._extents.values())

    def put(self, step: int, extent: Extent) -> None:
        """Adds a chunk, in place of an earlier one of the same step."""
        self.remove([step])
        self._extents[step] = extent

    def remove(self, steps: Iterable[int]) -> None:
        """Gives up the chunks of those steps, as far as they are there."""
        for step in steps:
            extent = self._extents.pop(step, None)
            if extent:
                self.waste += extent.length

    def remove_after(self, last: int) -> None:
        """Gives up what is of later steps than `last`."""
        self.remove([step for step in self._extents if step > last])

    def at_or_before(self, step: int) -> int | None:
        """The last step there is that is not after `step`."""
        steps = self.steps
        n = bisect_right(steps, step)
        return steps[n - 1] if n else None

    def thin(self, max_count: int, max_bytes: Callable[[int], int]) -> list[int]:
        """Gives up the most crowded steps until there are at most `max_count`, of at most `max_bytes(count)` in all.

        The first and the last always stay. Returns the steps given up.
        """
        removed = []
        size = self.n_bytes
        while len(self._extents) > 2 and (len(self._extents) > max_count or size > max_bytes(len(self._extents))):
            step = most_crowded(self._extents)
            size -= self._extents[step].length
            self.remove([step])
            removed.append(step)
        return removed


def most_crowded(steps: Iterable[int]) -> int:
    """The step whose neighbours are closest together; without it the others stay evenly spread, ends included.

    Needs three steps or more; of several the earliest.
    """
    ordered = sorted(steps)
    triples = zip(ordered, ordered[1:], ordered[2:], strict=False)
    _, step = min((after - before, step) for before, step, after in triples)
    return step
