"""Where a number lies in a histogram that shows both signs and twelve powers of ten. No torch here.

From the top: not finite; above 10^6; 24 bins of half a power of ten from 10^6 down to 10^-6; everything smaller than
that and zero; the same bins for negative numbers; below -10^6.
"""

from __future__ import annotations

REACH = 6  # powers of ten to either side of 1
HALVES = 4 * REACH  # bins of one sign
MIDDLE = HALVES + 2
COUNT = 2 * HALVES + 4


RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def power(halves: int) -> str:
    """10 to half of `halves`, as a label; √10 is 3.2."""
    whole = f"10{str(halves // 2).translate(RAISED)}"
    return f"3.2·{whole}" if halves % 2 else whole


def row(halves: int, sign: int) -> int:
    """The bin of `sign` that begins at 10 to half of `halves`."""
    return MIDDLE - sign * (halves + 2 * REACH + 1)


def marks() -> list[str]:
    """A few bins to be named beside a histogram."""
    out = [""] * COUNT
    out[0], out[MIDDLE] = "∞", "0"
    for decades in (-4, 0, 4):
        one = f"10{str(decades).translate(RAISED)}" if decades else "1"
        out[row(2 * decades, 1)], out[row(2 * decades, -1)] = one, f"−{one}"
    return out


def names(not_finite: str) -> list[str]:
    """What a bin holds, from the top."""
    edges = [(power(half), power(half + 1)) for half in range(-2 * REACH, 2 * REACH)]
    up = [f"{low} … {high}" for low, high in edges]
    down = [f"−{high} … −{low}" for low, high in edges]
    far, near = power(2 * REACH), power(-2 * REACH)
    return [not_finite, f"> {far}", *reversed(up), f"−{near} … 0 … {near}", *down, f"< −{far}"]
