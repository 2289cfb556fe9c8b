"""The text reading of a live figure: a template filled from the scalars up to the playhead.

The browser does the same with the same templates; here it is what tests and exports use. The parts:

    {step} {now:loss} {first:loss} {min:loss} {max:loss}     values; {at_min:loss} is the step of the minimum
    {flat:loss}      first step from which the value stays within 2 % of its total change of its last value
    {best:height.}   label of the scalar with that prefix that is lowest now; {lowest:height.} is its value
    {say:right}      a number that came with a patch, or a word
    {now:accuracy|%}  percent; {now:loss|2} two significant digits (three unless told)

Alternatives stand between " || ", each with a condition before it or none: `[diverged] It ran away. || All is well.`
The first whose condition holds (the scalar is there and not zero) and whose numbers are all there is used.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from engine.types import Scalars

History: TypeAlias = Sequence[tuple[int, Scalars]]
PART = re.compile(r"\{(\w+)(?::([^{}|]+))?(?:\|([^{}]+))?\}")
FLAT = 0.02
RAISED = str.maketrans("−0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Missing(Exception):
    """A number that a template asks for is not there."""


def reading(
    template: str,
    history: History,
    say: Mapping[str, float | str] | None = None,
    names: Mapping[str, str] | None = None,
) -> str:
    """The sentence that holds after `history`, (step, scalars) with steps ascending; "" when none does."""
    for alternative in template.split(" || "):
        condition = re.match(r"\s*\[([^\]]+)\]\s*", alternative)
        if condition:
            now = history[-1][1].get(condition[1]) if history else None
            if not now:  # a NaN counts as there
                continue
            alternative = alternative[condition.end() :]
        try:
            return PART.sub(lambda part: fill(part, history, say or {}, names or {}), alternative).strip()
        except Missing:
            continue
    return ""


def parts(template: str) -> list[tuple[str, str, str]]:
    """(word, name, format) of each part of a template; a condition is the word "if"."""
    conditions = [("if", name, "") for name in re.findall(r"(?:^|\|\| )\s*\[([^\]]+)\]", template)]
    return conditions + [(word, name, form) for word, name, form in PART.findall(template)]


def fill(part: re.Match[str], history: History, say: Mapping[str, float | str], names: Mapping[str, str]) -> str:
    word, name, form = part[1], part[2] or "", part[3] or ""
    if word in ("best", "lowest"):
        scalar, value = lowest(name, history)
        rest = scalar[len(name) :]
        return number(value, form) if word == "lowest" else names.get(scalar) or names.get(rest) or rest
    if word == "step":
        if not history:
            raise Missing(word)
        return number(history[-1][0], form or "0")
    if word == "say":
        if name not in say:
            raise Missing(name)
        given = say[name]
        return given if isinstance(given, str) else number(given, form)
    series = [(step, scalars[name]) for step, scalars in history if name in scalars]
    if not series or word not in WORDS:
        raise Missing(name)
    return number(WORDS[word](series), form or ("0" if word in ("at_min", "flat") else ""))


def lowest(prefix: str, history: History) -> tuple[str, float]:
    """The scalar with that prefix that is lowest now, and its value."""
    now = history[-1][1] if history else {}
    candidates = {name: value for name, value in now.items() if name.startswith(prefix) and math.isfinite(value)}
    if not candidates:
        raise Missing(prefix)
    return min(candidates.items(), key=lambda item: item[1])


def at_min(series: list[tuple[int, float]]) -> float:
    finite = [(value, step) for step, value in series if math.isfinite(value)]
    if not finite:
        raise Missing
    return min(finite)[1]


def flat(series: list[tuple[int, float]]) -> float:
    """First step from which the value stays near where it ended; Missing while it still moves."""
    first, last = series[0][1], series[-1][1]
    near = FLAT * abs(last - first)
    since: int | None = None
    for step, value in series:
        still = abs(value - last) <= near
        since = None if not still else step if since is None else since
    if since is None or since >= series[-1][0] or near == 0:
        raise Missing
    return since


def extreme(choose: Callable[[list[float]], float]) -> Callable[[list[tuple[int, float]]], float]:
    def value(series: list[tuple[int, float]]) -> float:
        finite = [value for _, value in series if math.isfinite(value)]
        if not finite:
            raise Missing
        return choose(finite)

    return value


WORDS: dict[str, Callable[[list[tuple[int, float]]], float]] = {
    "now": lambda series: series[-1][1],
    "first": lambda series: series[0][1],
    "min": extreme(min),
    "max": extreme(max),
    "at_min": at_min,
    "flat": flat,
}


def number(value: float, form: str = "") -> str:
    """As the browser writes it: "%" one decimal of a percent, "0" a whole number, "4" that many significant digits.

    With a real minus sign and powers of ten, as the axes of a plot have them.
    """
    return typeset(format_number(value, form))


def typeset(text: str) -> str:
    """ "-1.5e-7" as "−1.5×10⁻⁷"."""
    mantissa, _, exponent = text.replace("-", "−").partition("e")
    return f"{mantissa}×10{exponent.translate(RAISED)}" if exponent else mantissa


def format_number(value: float, form: str) -> str:
    """In ASCII, as Python writes numbers; `form` as in `number`."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
    if form == "%":
        return f"{100 * value:.1f} %"
    if form == "0":
        return f"{round(value)}"
    digits = int(form or 3)
    rounded = float(f"{value:.{digits - 1}e}")
    if rounded == 0:
        return "0"
    if not 1e-4 <= abs(rounded) < 1e6:
        mantissa, exponent = f"{rounded:.{digits - 1}e}".split("e")
        return f"{trimmed(mantissa)}e{int(exponent)}"
    places = max(0, digits - 1 - math.floor(math.log10(abs(rounded))))
    return trimmed(f"{rounded:.{places}f}")


def trimmed(text: str) -> str:
    """ "0.700" as "0.7", "12.0" as "12", "1230" as it is."""
    return text.rstrip("0").rstrip(".") if "." in text else text
