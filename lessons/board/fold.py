"""Figures as they look at one step: what the browser draws, in Python, for tests and for checking imported runs."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping
from itertools import count, takewhile
from typing import Any

import numpy as np

from engine.types import Scalars
from lessons.board.figures import Figure, Patch, spec


def fold(
    figures: Mapping[str, Figure], history: Iterable[tuple[int, Scalars]], patches: Iterable[Patch] = ()
) -> dict[str, dict[str, Any]]:
    """The figures as the browser draws them: scalars up to the playhead, and the patches of one frame.

    Returns figure id -> its spec, with bound traces filled in and patch data under the trace (plots) or "data".
    """
    rows = list(history)
    specs = {name: copy.deepcopy(spec(figure)) for name, figure in figures.items()}
    for drawn in specs.values():
        for trace in drawn.get("traces", ()):
            if "band" in trace:
                trace |= band_quantiles(trace["band"], rows)
            for attribute, source in trace.get("bind", {}).items():
                set_attribute(trace, attribute, bound_values(source, rows, trace["bind"]))
        if drawn["kind"] == "table" and drawn["bind"] and rows:
            values = [bound_values(row, rows, {}) for row in drawn["bind"]]
            drawn["data"] = {"names": drawn["rows"], "values": values}
    for patch in patches:
        drawn = specs[patch.figure]
        if drawn["kind"] == "plot":
            target = next(trace for trace in drawn["traces"] if trace.get("key", trace["name"]) == patch.trace)
        else:
            target = drawn.setdefault("data", {})
        for attribute, value in patch.data.items():
            set_attribute(target, attribute, value)
    for drawn in specs.values():
        if tiles := specs.get(drawn.get("shows", ""), {}).get("data", {}).get("tiles"):
            drawn.setdefault("data", {})["tiles"] = tiles[:1]
    return specs


def bound_values(source: str | list[str | None], rows: list[tuple[int, Scalars]], bind: Mapping[str, Any]) -> list[Any]:
    """The numbers a binding stands for; steps at which a bound scalar is absent are left out for the whole trace."""
    if not isinstance(source, str):
        last = dict(rows[-1][1]) if rows else {}
        return [last.get(name) if name else None for name in source]
    needed = {name for name in bind.values() if isinstance(name, str) and name != "step"}
    complete = [(step, scalars) for step, scalars in rows if needed <= scalars.keys()]
    return [step if source == "step" else scalars[source] for step, scalars in complete]


def band_quantiles(prefix: str, rows: list[tuple[int, Scalars]]) -> dict[str, list[float]]:
    """A band's numbers at the steps that have them: x, low, lower, y (the median), upper, high; finite ones alone."""
    columns: dict[str, list[float]] = {key: [] for key in ("x", "low", "lower", "y", "upper", "high")}
    for step, scalars in rows:
        runs = takewhile(lambda value: value is not None, (scalars.get(f"{prefix}{k}") for k in count()))
        values = [value for value in runs if value is not None and math.isfinite(value)]
        if values:
            quantiles = np.quantile(values, [0, 0.25, 0.5, 0.75, 1]).tolist()
            for column, value in zip(columns.values(), [step, *quantiles], strict=True):
                column.append(value)
    return columns


def set_attribute(target: dict[str, Any], attribute: str, value: Any) -> None:
    """Sets "marker.size" as plotly means it."""
    *path, last = attribute.split(".")
    for part in path:
        target = target.setdefault(part, {})
    target[last] = value.tolist() if isinstance(value, np.ndarray) else value
