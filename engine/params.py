"""Settings of a lesson: each field with its default, its bounds and how it is drawn. Checked once, at the door.

    class Params(engine.params.Params):
        lr: Annotated[float, Slider(0.001, 4.0, log=True, live=True)] = 0.05
        surface: Annotated[str, Choice(("bowl", "saddle"))] = "bowl"

The same class draws the widgets, fills the URL, checks what comes back from it, and is checked again in the worker.
A value outside its bounds is named with its bounds, never clamped in silence.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from engine.types import Problem, Values

When: TypeAlias = Mapping[str, tuple[Any, ...]]
# `when` draws a control only while another setting has one of the named values: {"surface": ("formula",)}.
# `live` settings may change while the run goes on: the loop receives them from `yield`.
# `view` settings change only what is drawn or asked of a run: they are no part of its job.
# `runs` settings start a run of their own as soon as their value is another.


@dataclass(frozen=True, slots=True)
class Slider:
    """A number from `low` to `high`; `log` spaces the widget by factors, `step` is the grain it offers."""

    low: float
    high: float
    step: float | None = None
    log: bool = False
    runs: bool = False
    live: bool = False
    view: bool = False
    when: When | None = None

    def read(self, name: str, value: Any) -> Any:
        return value

    def check(self, name: str, value: Any) -> None:
        if not (math.isfinite(value) and self.low <= value <= self.high):
            raise Problem(
                f"{name} = {plain(value)} is outside {plain(self.low)} to {plain(self.high)}. "
                "Choose a value between them.",
                f"{name} = {plain(value)} 超出了 {plain(self.low)} 到 {plain(self.high)} 的范围，请在其间选一个值。",
            )


@dataclass(frozen=True, slots=True)
class Choice:
    """One of `options`; drawn as a list, or as a row of buttons if `row`."""

    options: tuple[str, ...]
    row: bool = False
    runs: bool = False
    live: bool = False
    view: bool = False
    when: When | None = None

    def read(self, name: str, value: Any) -> Any:
        return value

    def check(self, name: str, value: Any) -> None:
        if value not in self.options:
            known = listed(self.options)
            raise Problem(
                f"{name} = {value!r:.60} is not known. Choose one of: {known}.",
                f"{name} = {value!r:.60} 不存在，可选：{known}。",
            )


@dataclass(frozen=True, slots=True)
class MultiChoice:
    """Some of `options`, at least `least`; "sgd,adam" in a URL.

    `many`: a list to search in, of options that need no other words than their own.
    """

    options: tuple[str, ...]
    least: int = 1
    many: bool = False
    runs: bool = False
    live: bool = False
    view: bool = False
    when: When | None = None

    def read(self, name: str, value: Any) -> Any:
        return tuple(part for part in value.split(",") if part) if isinstance(value, str) else value

    def check(self, name: str, value: Any) -> None:
        for one in value:
            Choice(self.options).check(name, one)
        if len(value) < self.least or len(set(value)) < len(value):
            raise Problem(
                f"{name} needs at least {self.least} of {listed(self.options)}, each once; it has {len(value)}.",
                f"{name} 至少要选 {self.least} 项（{listed(self.options)}），且不重复；现在有 {len(value)} 项。",
            )

    def toggled(self, value: tuple[str, ...], one: str) -> tuple[str, ...]:
        """`value` with `one` put in, or taken out if it was there: what a click on a figure does."""
        return tuple(other for other in value if other != one) if one in value else (*value, one)


@dataclass(frozen=True, slots=True)
class Toggle:
    """Yes or no; "1" or "0" in a URL."""

    live: bool = False
    view: bool = False
    when: When | None = None

    def read(self, name: str, value: Any) -> Any:
        return value

    def check(self, name: str, value: Any) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Text:
    """At most `longest` characters that match `pattern`, if one is given; drawn as a box of so many `lines`.

    `board`: it is what a run is about, and its box stands on the board, above the figures; what is typed there is run
    as soon as it is sent, before the page around it is drawn again. At most one setting of a lesson can be that. Not
    `drawn`: it has no widget of its own, a figure sets it, the URL keeps it.
    """

    longest: int = 200
    pattern: str = ""
    lines: int = 1
    board: bool = False
    drawn: bool = True
    runs: bool = False
    live: bool = False
    view: bool = False
    when: When | None = None

    def read(self, name: str, value: Any) -> Any:
        return value

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


@dataclass(frozen=True, slots=True)
class Number:
    """A number with no widget of its own: a figure sets it (a start point, a chosen image), the URL keeps it.

    Not `drawn`: the figure shows it as well, so the settings need not.
    """

    low: float
    high: float
    drawn: bool = True
    live: bool = False
    view: bool = False
    when: When | None = None

    def read(self, name: str, value: Any) -> Any:
        return value

    def check(self, name: str, value: Any) -> None:
        Slider(self.low, self.high).check(name, value)


@dataclass(frozen=True, slots=True)
class NamedNumbers:
    """Numbers by name, at most `most`, each from `low` to `high`: "a=2, b=-1.5", drawn as a box.

    A figure sets one of them at a time: "b=3" goes to the others, "b=" takes b away.
    """

    low: float
    high: float
    most: int = 100
    live: bool = False
    view: bool = False
    when: When | None = None

    def read(self, name: str, value: Any) -> Any:
        """The same in one form, so that equal settings are equal texts. Raises Problem."""
        if not isinstance(value, str):
            return value
        return ", ".join(f"{one}={plain(number)}" for one, number in self.numbers(name, value).items())

    def check(self, name: str, value: Any) -> None:
        pass

    def numbers(self, name: str, value: str) -> dict[str, float]:
        """ "a=2, b=-1.5" as a dictionary. Raises Problem for what is no number, or too large or too much."""
        found: dict[str, float] = {}
        for part in filter(None, (one.strip() for one in re.split("[,;，；、\\n]", value))):
            key, sign, text = (one.strip() for one in re.sub("[＝:：]", "=", part).partition("="))
            try:
                number = float(text.replace("−", "-")) if sign else math.nan
            except ValueError:
                number = math.nan
            if not re.fullmatch("[A-Za-z][A-Za-z0-9]{0,11}", key) or not self.low <= number <= self.high:
                low, high = plain(self.low), plain(self.high)
                raise Problem(
                    f"{name}: {part!r:.60} is not a name and its number, from {low} to {high}. Write them as "
                    "a=2, b=-1.5.",
                    f"{name}：{part!r:.60} 不是“名字=数”的形式，或者数不在 {low} 到 {high} 之间。请写成 a=2, b=-1.5。",
                )
            found[key] = float(f"{number:.6g}")
        if len(found) > self.most:
            raise Problem(
                f"{name} names {len(found)} numbers; at most {self.most} fit. Take some away.",
                f"{name} 里有 {len(found)} 个数，最多 {self.most} 个，请删去一些。",
            )
        return found

    def put(self, value: str, one: str) -> str:
        """`value` with "b=3" in it instead of what b was; with "b=" without b."""
        key, _, number = one.partition("=")
        rest = [part for part in value.split(", ") if part and part.partition("=")[0] != key]
        return ", ".join([*rest, one] if number else rest)


@dataclass(frozen=True, slots=True)
class Picture:
    """The digest of an uploaded picture (see Engine.put), or "" for none; drawn as an upload, used in questions."""

    live: bool = False
    view: bool = True
    when: When | None = None

    def read(self, name: str, value: Any) -> Any:
        return value

    def check(self, name: str, value: Any) -> None:
        check_digest(name, value, ("picture", "图片"))


@dataclass(frozen=True, slots=True)
class File:
    """The digest of an uploaded file (see Engine.put), or "" for none; drawn as an upload of at most `largest` MB.

    The lesson's figures have `on_upload(params, name, data) -> settings`: what else is set when it comes, or a Problem.
    """

    suffixes: tuple[str, ...]
    largest: int = 1
    live: bool = False
    view: bool = False
    when: When | None = None

    def read(self, name: str, value: Any) -> Any:
        return value

    def check(self, name: str, value: Any) -> None:
        check_digest(name, value, ("file", "文件"))


def check_digest(name: str, value: Any, kind: tuple[str, str]) -> None:
    """Raises Problem for what cannot stand for an upload of that `kind`, named in English and Chinese."""
    if not re.fullmatch("([0-9a-f]{64})?", value):
        en, zh = kind
        raise Problem(
            f"{name} = {value!r:.60} is not the mark of an uploaded {en}. Upload the {en} itself.",
            f"{name} = {value!r:.60} 不是已上传{zh}的标识，请直接上传{zh}。",
        )


def plain(value: float) -> str:
    """A number as a message names it: whole ones with all their digits."""
    return f"{value:.0f}" if value == round(value, 0) and abs(value) < 1e15 else f"{value:g}"


def listed(options: tuple[str, ...]) -> str:
    """Options as a message names them: all, or the first and the last of very many."""
    return ", ".join(options) if len(options) <= 20 else f"{', '.join(options[:3])}, …, {options[-1]}"


Control: TypeAlias = Slider | Choice | MultiChoice | Toggle | Text | Number | NamedNumbers | Picture | File


class Params(BaseModel):
    """Base of every lesson's settings. Immutable; unknown names and values that are not finite are refused.

    With `continues_run`, a setting that is changed takes the run on the board along: a fork goes on with it.
    """

    continues_run: ClassVar[bool] = False
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def controls(cls) -> Iterator[tuple[str, Control]]:
        """(name, control) of each setting, in the order they are written."""
        for name, info in cls.model_fields.items():
            for mark in info.metadata:
                if isinstance(mark, Control):
                    yield name, mark

    @field_validator("*", mode="before")
    @classmethod
    def _read(cls, value: Any, info: ValidationInfo) -> Any:
        control = dict(cls.controls()).get(info.field_name or "")
        return control.read(info.field_name or "", value) if control else value

    @field_validator("*", mode="after")
    @classmethod
    def _check(cls, value: Any, info: ValidationInfo) -> Any:
        control = dict(cls.controls()).get(info.field_name or "")
        if control:
            control.check(info.field_name or "", value)
        return value

    def changed(self) -> Values:
        """Only what differs from the defaults: what a link needs to carry."""
        return {
            name: value for name, value in self.model_dump().items() if value != type(self).model_fields[name].default
        }


P = TypeVar("P", bound=Params)


def checked(kind: type[P], values: Mapping[str, Any]) -> P:
    """`values` as a `kind`. Raises Problem: the first value that is wrong, with its bounds and the way out."""
    try:
        return kind.model_validate(dict(values))
    except ValidationError as errors:
        raise problem(kind, errors.errors()[0]) from errors


def parse_lenient(kind: type[P], values: Mapping[str, Any]) -> tuple[P, list[Problem]]:
    """As `checked`, for a link: what is wrong goes back to its default, and every wrong value has its Problem."""
    good = dict(values)
    problems: list[Problem] = []
    while True:
        try:
            return kind.model_validate(good), problems
        except ValidationError as errors:
            for error in errors.errors():
                problems.append(problem(kind, error))
                if not error["loc"] or error["loc"][0] not in good:  # a rule about several settings together
                    good = {}
                    break
                good.pop(str(error["loc"][0]), None)


def problem(kind: type[Params], error: Any) -> Problem:
    """What pydantic found wrong, as a sentence for a learner."""
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, Problem):
        return cause
    name = str(error["loc"][0]) if error["loc"] else "settings"
    if error["type"] == "extra_forbidden":
        known = ", ".join(kind.model_fields)
        return Problem(
            f"{name:.40} is not a setting of this lesson. Its settings are: {known}.",
            f"{name:.40} 不是本课的设置项。可用的有：{known}。",
        )
    expected = {"int": "whole number", "float": "finite number", "finite": "finite number", "bool": "1 or 0"}
    wanted = next((text for start, text in expected.items() if error["type"].startswith(start)), error["msg"])
    chinese = {"whole number": "整数", "finite number": "有限数", "1 or 0": "1 或 0"}.get(wanted, wanted)
    control = dict(kind.controls()).get(name)
    if isinstance(control, Slider | Number):
        low, high = plain(control.low), plain(control.high)
        wanted, chinese = f"{wanted} from {low} to {high}", f" {low} 到 {high} 之间的{chinese}"
    return Problem(
        f"{name} = {error['input']!r:.60} cannot be used: it must be a {wanted}.",
        f"{name} = {error['input']!r:.60} 无法使用：需要{chinese}。",
    )


def whole(args: Values, name: str, low: int, high: int, default: int | None = None) -> int:
    """A whole number from `low` to `high` out of a browser's arguments; `default`, or `low`, if it is not there.

    2.0 is one: JSON does not tell it from 2. Raises Problem for anything else, 2.5 among it.
    """
    value = args.get(name, low if default is None else default)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low <= value <= high or value != int(value):
        raise Problem(
            f"{name} = {value!r:.40} is not a whole number from {low} to {high}.",
            f"{name} = {value!r:.40} 不是 {low} 到 {high} 之间的整数。",
        )
    return int(value)
