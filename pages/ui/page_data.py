"""What a lesson's page gives to the board, with each rerun: `PageData`, and by its address the `BoardSpec`.

`pages/live/schema.py` writes both as TypeScript interfaces for the board.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from lessons.contract import Query

FigureSpec: TypeAlias = Mapping[str, Any]  # a figure of lessons/board/figures.py, its words (FigureText) among it


@dataclass(frozen=True, slots=True)
class FigureText:
    """The words of one figure, in the page's language."""

    title: str
    caption: str
    alt: str
    """A description for who cannot see it."""
    reading: str
    """A template of lessons/board/readings.py, filled from the run; "" for none."""


@dataclass(frozen=True, slots=True)
class BoardSpec:
    """All figures of a lesson as they are drawn for some settings, in one language."""

    lesson: str
    figures: Sequence[FigureSpec]
    names: Mapping[str, str]
    """Label of each scalar, class and option that readings name."""
    ui: Mapping[str, str]
    """The words of the player (pages/ui/words.py)."""
    language: str


@dataclass(frozen=True, slots=True)
class TextBoxData:
    """The setting whose box stands on the board: the text that a run is about."""

    field: str
    """Name of the setting."""
    value: str
    label: str
    help: str
    lines: int
    longest: int
    """Characters it may have."""
    error: str
    """What is wrong with the text; "" if nothing."""
    settings: Mapping[str, Any] | None
    """Those of a run with another text; null while something else that was typed cannot be used."""
    n: int
    """The number of the last text that the page took from the box."""


@dataclass(frozen=True, slots=True)
class PageData:
    """What the page says at each rerun."""

    spec: str
    """The address of the BoardSpec."""
    run: str | None
    """The run on show; null where there is none, not even a recording."""
    ticket: str
    """Goes with the websocket's address: commands are the learner's."""
    asks: Sequence[Query]
    """Questions that the page itself asks of the run."""
    recorded: bool
    """The run is the lesson's demo run."""
    autoplay: bool
    status: str
    """How the run differs from the settings as they stand; "" if not at all."""
    focus: str
    """Another value than before: scroll to the board."""
    box: TextBoxData | None
    assets: Mapping[str, str]
    """File -> its address, of those that the board loads itself."""
