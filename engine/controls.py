"""The kinds of setting that a lesson can have: how each is drawn, read from a link, and checked.

A setting is an annotated field of the lesson's Params (engine/params.py): its control, and marks that say more:

    lr: Annotated[float, Slider(0.001, 4.0, log=True), Live()] = 0.05
    formula: Annotated[str, Text(), When(surface=("formula",))] = "x^2 + y^2"
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from engine.types import Problem

# Marks


@dataclass(frozen=True, slots=True)
class Live:
    """The setting may change while a run goes on; the run gets its new value before its next step."""


@dataclass(frozen=True, slots=True)
class ViewOnly:
    """The setting changes only what is drawn or asked of a run: it is no part of the run's job."""


@dataclass(frozen=True, slots=True)
class Autorun:
    """A run starts as soon as the setting has another value, without a press on Run."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """The setting is not shown among the settings: a figure sets it and shows it, the URL keeps it."""


@dataclass(frozen=True, slots=True)
class OnBoard:
    """The setting is what a run is about. It is a Text whose box stands on the board, above the figures.

    What is typed there is run as soon as it is sent, before the page around it is drawn again. A lesson has at most
    one.
    """


class When:
    """The setting is drawn only while other settings have one of the given values: When(surface=("formula",))."""

    def __init__(self, **values: tuple[Any, ...]) -> None:
        self.values = values


# Controls


class Control:
    """How a setting is drawn and checked; `name` is the setting's, for messages. Raises Problem for what is refused."""

    def read(self, name: str, value: Any) -> Any:
        """A value of a link or a widget in the form that the field's type takes."""
        return value

    def check(self, name: str, value: Any) -> None:
        """Raises Problem for a value of the right type that is out of bounds."""


@dataclass(frozen=True)
class Slider(Control):
    """A number from `low` to `high`; `log` spaces the widget by factors, `step` is the grain it offers."""

    low: float
    high: float
    step: float | None = None
    log: bool = False

    def check(self, name: str, value: Any) -> None:
        check_bounds(name, value, self.low, self.high)


@dataclass(frozen=True)
class Number(Control):
    """A number from `low` to `high` without a widget: a figure sets it (a start point, a chosen image)."""

    low: float
    high: float

    def check(self, name: str, value: Any) -> None:
        check_bounds(name, value, self.low, self.high)


@dataclass(frozen=True)
class Choice(Control):
    """One of `options`; drawn as a list, or as a row of buttons if `row`."""

    options: tuple[str, ...]
    row: bool = False

    def check(self, name: str, value: Any) -> None:
        check_option(name, value, self.options)


@dataclass(frozen=True)
class MultiChoice(Control):
    """Some of `options`, at least `least`, each once; "sgd,adam" in a URL.

    `many`: drawn as a list to search in, of options that are their own labels.
    """

    options: tuple[str, ...]
    least: int = 1
    many: bool = False

    def read(self, name: str, value: Any) -> Any:
        return tuple(part for part in value.split(",") if part) if isinstance(value, str) else value

    def check(self, name: str, value: Any) -> None:
        for option in value:
            check_option(name, option, self.options)
        if len(value) < self.least or len(set(value)) < len(value):
            options = options_text(self.options)
            raise Problem(
                f"{name} needs at least {self.least} of {options}, each once; it has {len(value)}.",
                f"{name} 至少要选 {self.least} 项（{options}），且不重复；现在有 {len(value)} 项。",
            )

    def toggled(self, value: tuple[str, ...], option: str) -> tuple[str, ...]:
        """`value` with `option` put in, or taken out if it was there: what a click on a figure does."""
        return tuple(other for other in value if other != option) if option in value else (*value, option)


@dataclass(frozen=True)
class Toggle(Control):
    """Yes or no; "1" or "0" in a URL."""


@dataclass(frozen=True)
class Text(Control):
    """At most `longest` characters that match `pattern`, if one is given; drawn as a box of `lines` lines."""

    longest: int = 200
    pattern: str = ""
    lines: int = 1

    def check(self, name: str, value: Any) -> None:
        if len(value) > self.longest:
            raise Problem(
                f"{name} has {len(value)} characters; at most {self.longest} fit. Shorten it.",
                f"{name} 有 {len(value)} 个字符，最多 {self.longest} 个，请缩短。",
            )
        if self.pattern and not re.fullmatch(self.pattern, value):
            raise Problem(
                f"{name} = {value!r:.60} does not have the form it needs ({self.pattern}).",
                f"{name} = {value!r:.60} 的格式不对（应符合 {self.pattern}）。",
            )


@dataclass(frozen=True)
class NamedNumbers(Control):
    """Numbers by name, at most `most`, each from `low` to `high`: "a=2, b=-1.5", drawn as a box.

    A figure sets one of them at a time: "b=3" goes to the others, "b=" takes b away.
    """

    low: float
    high: float
    most: int = 100

    def read(self, name: str, value: Any) -> Any:
        """The same text in one form, so that equal settings are equal texts."""
        if not isinstance(value, str):
            return value
        return ", ".join(f"{key}={number_text(number)}" for key, number in self.numbers(name, value).items())

    def numbers(self, name: str, value: str) -> dict[str, float]:
        """ "a=2, b=-1.5" as a dictionary. Raises Problem for what is no number, or too large or too much."""
        numbers: dict[str, float] = {}
        for part in filter(None, (text.strip() for text in re.split("[,;，；、\\n]", value))):
            key, sign, text = (piece.strip() for piece in re.sub("[＝:：]", "=", part).partition("="))
            try:
                number = float(text.replace("−", "-")) if sign else math.nan
            except ValueError:
                number = math.nan
            if not re.fullmatch("[A-Za-z][A-Za-z0-9]{0,11}", key) or not self.low <= number <= self.high:
                low, high = number_text(self.low), number_text(self.high)
                raise Problem(
                    f"{name}: {part!r:.60} is not a name and its number, from {low} to {high}. Write them as "
                    "a=2, b=-1.5.",
                    f"{name}：{part!r:.60} 不是“名字=数”的形式，或者数不在 {low} 到 {high} 之间。请写成 a=2, b=-1.5。",
                )
            numbers[key] = float(f"{number:.6g}")
        if len(numbers) > self.most:
            raise Problem(
                f"{name} names {len(numbers)} numbers; at most {self.most} fit. Take some away.",
                f"{name} 里有 {len(numbers)} 个数，最多 {self.most} 个，请删去一些。",
            )
        return numbers

    def put(self, value: str, change: str) -> str:
        """`value` with the number that `change` ("b=3") gives; without it if it gives none ("b=")."""
        key, _, number = change.partition("=")
        others = [part for part in value.split(", ") if part and part.partition("=")[0] != key]
        return ", ".join([*others, change] if number else others)


@dataclass(frozen=True)
class Picture(Control):
    """The digest of an uploaded picture (see Engine.put), or "" for none; drawn as an upload, used in questions."""

    def check(self, name: str, value: Any) -> None:
        check_digest(name, value, ("picture", "图片"))


@dataclass(frozen=True)
class File(Control):
    """The digest of an uploaded file (see Engine.put), or "" for none; drawn as an upload of at most `largest` MB.

    The figures' hook `on_upload` says what else is set when it comes.
    """

    suffixes: tuple[str, ...]
    largest: int = 1

    def check(self, name: str, value: Any) -> None:
        check_digest(name, value, ("file", "文件"))


# Checks and their messages


def check_bounds(name: str, value: float, low: float, high: float) -> None:
    """Raises Problem for a number that is not from `low` to `high`."""
    if not (math.isfinite(value) and low <= value <= high):
        number, bounds = number_text(value), (number_text(low), number_text(high))
        raise Problem(
            f"{name} = {number} is outside {bounds[0]} to {bounds[1]}. Choose a value between them.",
            f"{name} = {number} 超出了 {bounds[0]} 到 {bounds[1]} 的范围，请在其间选一个值。",
        )


def check_option(name: str, value: Any, options: tuple[str, ...]) -> None:
    """Raises Problem for what is none of the options."""
    if value not in options:
        known = options_text(options)
        raise Problem(
            f"{name} = {value!r:.60} is not known. Choose one of: {known}.",
            f"{name} = {value!r:.60} 不存在，可选：{known}。",
        )


def check_digest(name: str, value: Any, kind: tuple[str, str]) -> None:
    """Raises Problem for what cannot stand for an upload of that `kind`, named in English and Chinese."""
    if not re.fullmatch("([0-9a-f]{64})?", value):
        en, zh = kind
        raise Problem(
            f"{name} = {value!r:.60} is not the mark of an uploaded {en}. Upload the {en} itself.",
            f"{name} = {value!r:.60} 不是已上传{zh}的标识，请直接上传{zh}。",
        )


def number_text(value: float) -> str:
    """A number as a message names it: integers with all their digits."""
    return f"{value:.0f}" if value == round(value, 0) and abs(value) < 1e15 else f"{value:g}"


def options_text(options: tuple[str, ...]) -> str:
    """Options as a message names them: all, or the first three and the last of more than twenty."""
    return ", ".join(options) if len(options) <= 20 else f"{', '.join(options[:3])}, …, {options[-1]}"
