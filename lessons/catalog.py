"""The lessons in their order, in chapters. A lesson is on the site when its name stands here."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from engine.params import Params
from engine.types import Job, Values
from lessons.contract import Figures

FOLDER = Path(__file__).parent
LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Lesson:
    """A folder of `lessons`, how many minutes it takes, and the lessons it builds on."""

    name: str
    minutes: int
    after: tuple[str, ...] = ()
    icon: str = ":material/play_circle:"

    @property
    def folder(self) -> Path:
        return FOLDER / self.name

    @property
    def entry(self) -> str:
        """What a Job names: the generator function of this lesson."""
        return f"lessons.{self.name}.compute:run"


@dataclass(frozen=True, slots=True)
class Chapter:
    en: str
    zh: str
    lessons: tuple[Lesson, ...]

    def title(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


CHAPTERS = (
    Chapter(
        "Learning is descending",
        "学习就是下山",
        (
            Lesson("gradient_descent", 12, icon=":material/landscape:"),
            Lesson("losses", 15, ("gradient_descent",), icon=":material/straighten:"),
        ),
    ),
    Chapter(
        "Inside a network",
        "网络内部",
        (
            Lesson("backprop", 15, ("gradient_descent",), icon=":material/undo:"),
            Lesson("activations", 15, ("gradient_descent",), icon=":material/show_chart:"),
            Lesson("initialisation", 15, ("activations",), icon=":material/start:"),
        ),
    ),
    Chapter(
        "Building and judging",
        "搭网络，看成败",
        (
            Lesson("playground", 20, ("gradient_descent", "activations"), icon=":material/grid_view:"),
            Lesson("overfitting", 20, ("losses",), icon=":material/gesture:"),
        ),
    ),
    Chapter("Seeing", "看懂图像", (Lesson("cifar10", 20, ("gradient_descent",), icon=":material/image_search:"),)),
    Chapter(
        "Attention",
        "注意力",
        (
            Lesson("attention", 20, ("gradient_descent",), icon=":material/hub:"),
            Lesson("attention_learned", 15, ("attention",), icon=":material/visibility:"),
        ),
    ),
)


def lessons() -> Iterator[Lesson]:
    """Every lesson, in order."""
    for chapter in CHAPTERS:
        yield from chapter.lessons


@lru_cache
def lesson(name: str) -> Lesson:
    """The lesson of that name. Raises KeyError: only names of the catalog are ever imported."""
    known = {lesson.name: lesson for lesson in lessons()}
    return known[name]


def part(name: str, module: str) -> Any:
    """A module of a lesson: "params" or "figures" ("compute" belongs to the worker alone)."""
    return importlib.import_module(f"lessons.{lesson(name).name}.{module}")


def figures(name: str) -> Figures:
    """What a lesson draws, with every hook of the contract."""
    return Figures(part(name, "figures"))


def presets(name: str) -> dict[str, Values]:
    """Preset -> the settings it changes."""
    values: dict[str, Values] = part(name, "params").PRESETS
    return values


def params(name: str) -> type[Params]:
    """The class of a lesson's settings."""
    kind: type[Params] = part(name, "params").Params
    return kind


def job(name: str, settings: Params) -> Job:
    """What is run for these settings: those that only change the view stand at their defaults, so that equal
    experiments are one run whatever each learner looks at."""
    defaults = type(settings)().model_dump(mode="json")
    views = {name: defaults[name] for name, setting in settings.settings().items() if setting.view_only}
    values = {**settings.model_dump(mode="json"), **views}
    return Job(lesson(name).entry, values, int(values.get("seed", 0)))


def script(name: str, settings: Params) -> str:
    """The lesson as a plain program, its block of constants filled in with `settings`."""
    source = (lesson(name).folder / "script.py").read_text(encoding="utf-8")
    values = {field.upper(): value for field, value in settings.model_dump().items()}
    lines = []
    inside = False
    for line in source.splitlines():
        if line.strip() in ("# settings", "# end of settings"):
            inside = line.strip() == "# settings"
        constant = re.match(r"([A-Z][A-Z0-9_]*)(\s*:[^=]+)? = ", line) if inside else None
        if constant and constant[1] in values:
            comment = re.search(r"\s{2,}# .*$", line)
            line = f"{constant[0]}{values[constant[1]]!r}{comment[0] if comment else ''}"
        lines.append(line)
    return "\n".join(lines) + "\n"
