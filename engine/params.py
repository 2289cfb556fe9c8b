"""Settings of a lesson: fields with a default, a control and marks (engine/controls.py).

    class Params(engine.params.Params):
        lr: Annotated[float, Slider(0.001, 4.0, log=True), Live()] = 0.05
        surface: Annotated[str, Choice(("bowl", "saddle"))] = "bowl"

The same class draws the widgets, fills the URL, checks what comes back from it, and is checked again in the worker.
A value outside its bounds is named with its bounds, never clamped in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from engine.controls import Autorun, Control, Hidden, Live, Number, OnBoard, Slider, ViewOnly, When, number_text
from engine.types import Problem, Values


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of Params: its control, and what the marks beside it say (see engine/controls.py)."""

    name: str
    control: Control
    live: bool = False
    view_only: bool = False
    autorun: bool = False
    hidden: bool = False
    on_board: bool = False
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, metadata: list[Any]) -> Setting | None:
        """The setting of a field with these annotations; None where no control is among them."""
        control = next((item for item in metadata if isinstance(item, Control)), None)
        if control is None:
            return None

        def has(mark: type) -> bool:
            return any(isinstance(item, mark) for item in metadata)

        when = {key: values for item in metadata if isinstance(item, When) for key, values in item.values.items()}
        return cls(name, control, has(Live), has(ViewOnly), has(Autorun), has(Hidden), has(OnBoard), when)

    def applies(self, params: Params) -> bool:
        """Whether the setting means anything beside the values of the others."""
        return all(getattr(params, name) in values for name, values in self.when.items())


class Params(BaseModel):
    """Base of every lesson's settings. Immutable; unknown names and values that are not finite are refused.

    Where a lesson `continues_run`, a changed setting takes the run on the board along: a fork goes on with it.
    """

    continues_run: ClassVar[bool] = False
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def settings(cls) -> dict[str, Setting]:
        """The settings by name, in the order they are written."""
        return _settings(cls)

    @classmethod
    def controls(cls) -> Iterator[tuple[str, Control]]:
        """(name, control) of each setting, in the order they are written."""
        for name, setting in cls.settings().items():
            yield name, setting.control

    @field_validator("*", mode="before")
    @classmethod
    def _read(cls, value: Any, info: ValidationInfo) -> Any:
        setting = cls.settings().get(info.field_name or "")
        return setting.control.read(setting.name, value) if setting else value

    @field_validator("*", mode="after")
    @classmethod
    def _check(cls, value: Any, info: ValidationInfo) -> Any:
        setting = cls.settings().get(info.field_name or "")
        if setting:
            setting.control.check(setting.name, value)
        return value

    def changed(self) -> Values:
        """Only what differs from the defaults: what a link needs to carry."""
        return {
            name: value for name, value in self.model_dump().items() if value != type(self).model_fields[name].default
        }


@cache
def _settings(params: type[Params]) -> dict[str, Setting]:
    settings = (Setting.of(name, info.metadata) for name, info in params.model_fields.items())
    return {setting.name: setting for setting in settings if setting}


P = TypeVar("P", bound=Params)


def parse(params: type[P], values: Mapping[str, Any]) -> P:
    """`values` as a `params`. Raises Problem: the first value that is wrong, with its bounds and the way out."""
    try:
        return params.model_validate(dict(values))
    except ValidationError as errors:
        raise as_problem(params, errors.errors()[0]) from errors


def parse_lenient(params: type[P], values: Mapping[str, Any]) -> tuple[P, list[Problem]]:
    """As `parse`, for a link: what is wrong goes back to its default, and every wrong value has its Problem."""
    usable = dict(values)
    problems: list[Problem] = []
    while True:
        try:
            return params.model_validate(usable), problems
        except ValidationError as errors:
            for error in errors.errors():
                problems.append(as_problem(params, error))
                if not error["loc"] or error["loc"][0] not in usable:  # a rule about several settings together
                    usable = {}
                    break
                usable.pop(str(error["loc"][0]), None)


def as_problem(params: type[Params], error: Any) -> Problem:
    """What pydantic found wrong, as a sentence for a learner."""
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, Problem):
        return cause
    name = str(error["loc"][0]) if error["loc"] else "settings"
    if error["type"] == "extra_forbidden":
        known = ", ".join(params.model_fields)
        return Problem(
            f"{name:.40} is not a setting of this lesson. Its settings are: {known}.",
            f"{name:.40} 不是本课的设置项。可用的有：{known}。",
        )
    expected = {"int": "whole number", "float": "finite number", "finite": "finite number", "bool": "1 or 0"}
    en = next((text for start, text in expected.items() if error["type"].startswith(start)), error["msg"])
    zh = {"whole number": "整数", "finite number": "有限数", "1 or 0": "1 或 0"}.get(en, en)
    control = dict(params.controls()).get(name)
    if isinstance(control, Slider | Number):
        low, high = number_text(control.low), number_text(control.high)
        en, zh = f"{en} from {low} to {high}", f" {low} 到 {high} 之间的{zh}"
    return Problem(
        f"{name} = {error['input']!r:.60} cannot be used: it must be a {en}.",
        f"{name} = {error['input']!r:.60} 无法使用：需要{zh}。",
    )


def int_arg(args: Values, name: str, low: int, high: int, default: int | None = None) -> int:
    """An integer from `low` to `high` out of a browser's arguments; `default`, or `low`, if it is not there.

    2.0 is one: JSON does not tell it from 2. Raises Problem for anything else, 2.5 among it.
    """
    value = args.get(name, low if default is None else default)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not low <= value <= high or value != int(value):
        raise Problem(
            f"{name} = {value!r:.40} is not a whole number from {low} to {high}.",
            f"{name} = {value!r:.40} 不是 {low} 到 {high} 之间的整数。",
        )
    return int(value)
