"""Where a number lies in a histogram that shows both signs and twelve powers of ten. No torch here.

From the top: not finite; above 10^6; 24 bins of half a power of ten from 10^6 down to 10^-6; everything smaller than
that and zero; the same bins for negative numbers; below -10^6.
"""

from __future__ import annotations

REACH = 6  # powers of ten to either side of 1
HALVES = 4 * REACH  # bins of one sign
MIDDLE = HALVES + 2
COUNT = 2 * HALVES + 4


def power(halves: int) -> str:
    """10 to half of `halves`, as a label."""
    return f"10^{halves / 2:g}".replace("-", "−")


def names(not_finite: str) -> list[str]:
    """What a bin holds, from the top."""
    edges = [(power(half), power(half + 1)) for half in range(-2 * REACH, 2 * REACH)]
    up = [f"{low} … {high}" for low, high in edges]
    down = [f"−{high} … −{low}" for low, high in edges]
    far, near = power(2 * REACH), power(-2 * REACH)
    return [not_finite, f"> {far}", *reversed(up), f"−{near} … 0 … {near}", *down, f"< −{far}"]
