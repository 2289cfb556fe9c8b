"""python -m tests.bench NAME: measures what the project promises; the last line printed is one JSON object.

Ratios are measured side by side in one run, the rest are medians of at least five beside the time of a fixed
calibration loop ("calibration_ms"), so that figures from different machines can be compared at all.
"""

from __future__ import annotations

import importlib
import json
import statistics
import sys
import time

NAMES = (
    *("live", "web", "cnn", "activations", "attention", "playground"),
    *("fork", "records", "lanes", "kernels", "class", "fair", "recovery", "picture"),
)


def calibration_ms() -> float:
    """Median time of a fixed loop of plain Python: how fast this machine is just now."""

    def once() -> float:
        began = time.perf_counter()
        total = 0
        for n in range(1_000_000):
            total += n & 7
        return (time.perf_counter() - began) * 1e3

    return statistics.median(once() for _ in range(5))


def main(names: list[str]) -> None:
    unknown = [name for name in names if name not in NAMES]
    if unknown or not names:
        sys.exit(f"{' '.join(unknown) or 'nothing'}: not a benchmark. They are: {', '.join(NAMES)}")
    for name in names:
        before = calibration_ms()
        found = importlib.import_module(f"tests.bench.{name}").main()
        print(json.dumps({"bench": name, **found, "calibration_ms": round((before + calibration_ms()) / 2, 1)}))


if __name__ == "__main__":
    main(sys.argv[1:])
