"""The bins of a histogram of both signs and twelve powers of ten. No torch here.

From the top: not finite; above 10^6; 24 bins of half a power of ten from 10^6 down to 10^-6; -10^-6 to 10^-6; the same
bins for negative numbers; below -10^6.
"""

from __future__ import annotations

REACH = 6  # powers of ten on either side of 1
HALVES = 4 * REACH  # bins of one sign, of half a power of ten each
MIDDLE = HALVES + 2
COUNT = 2 * HALVES + 4


RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def power(halves: int) -> str:
    """10 ** (halves / 2) as a label; √10 is written as 3.2."""
    power_of_ten = f"10{str(halves // 2).translate(RAISED)}"
    return f"3.2·{power_of_ten}" if halves % 2 else power_of_ten


def row(halves: int, sign: int) -> int:
    """The bin of numbers of `sign` (1 or -1) whose size is 10 ** (halves / 2) or a little more."""
    return MIDDLE - sign * (halves + 2 * REACH + 1)


def marks() -> list[str]:
    """The labels beside a histogram, empty for most bins."""
    labels = [""] * COUNT
    labels[MIDDLE] = "0"
    for decades in (0, 4):
        label = f"10{str(decades).translate(RAISED)}" if decades else "1"
        labels[row(2 * decades, 1)], labels[row(2 * decades, -1)] = label, f"−{label}"
    return labels


def names(not_finite: str) -> list[str]:
    """The range of every bin, from the top; `not_finite` names the first."""
    edges = [(power(half), power(half + 1)) for half in range(-2 * REACH, 2 * REACH)]
    up = [f"{low} … {high}" for low, high in edges]
    down = [f"−{high} … −{low}" for low, high in edges]
    far, near = power(2 * REACH), power(-2 * REACH)
    return [not_finite, f"> {far}", *reversed(up), f"−{near} … 0 … {near}", *down, f"< −{far}"]
