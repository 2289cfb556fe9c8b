"""What a pointer can do to a trace of a plot: lead it along a curve, carry it, draw it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.controls import Slider
from engine.params import Params


@dataclass(frozen=True, slots=True)
class Drag:
    """How a point is carried along an axis: the setting it gives, from `low` to `high` in grains of `step`."""

    sets: str
    low: float
    high: float
    step: float = 0.1

    @classmethod
    def along(cls, params: Params, setting: str) -> Drag:
        """As far as the slider of that setting goes, and in its grains."""
        slider = dict(params.controls())[setting]
        assert isinstance(slider, Slider), setting
        return cls(setting, slider.low, slider.high, slider.step or 0.1)

    def json(self) -> dict[str, Any]:
        return {"sets": self.sets, "from": self.low, "to": self.high, "by": self.step}


@dataclass(frozen=True, slots=True)
class OnCurve:
    """A handle that follows the pointer along the line named `curve`, in a plot whose click sets x.

    With `slope`, the name of another line, it is a tangent as steep as that one's y; `upright`, it is a vertical line
    at that x. With `say` the point's y fills this part of the figure's reading, and its x the part "x".
    """

    curve: str
    slope: str = ""
    upright: bool = False
    say: str = ""

    def json(self) -> dict[str, Any]:
        given = {"slope": self.slope, "upright": self.upright, "say": self.say}
        return {"curve": self.curve, **{key: value for key, value in given.items() if value}}


@dataclass(frozen=True, slots=True)
class Carried:
    """A point that is picked up and carried, along x, y or both; where it is let go are settings."""

    x: Drag | None = None
    y: Drag | None = None

    def json(self) -> dict[str, Any]:
        return {"free": {axis: drag.json() for axis, drag in (("x", self.x), ("y", self.y)) if drag}}


@dataclass(frozen=True, slots=True)
class Sketch:
    """A line drawn by hand: its y, from `low` to `high`, go to the setting `sets`.

    With `against`, the name of a trace bound to scalars, and `say`, the factor by which the drawing is off that trace
    fills this part of the reading.
    """

    sets: str
    low: float
    high: float
    against: str = ""
    say: str = ""

    def json(self) -> dict[str, Any]:
        given = {"against": self.against, "say": self.say}
        given = {key: value for key, value in given.items() if value}
        return {"sets": self.sets, "from": self.low, "to": self.high, **given}
