"""One widget for each kind of setting in engine/params.py, drawn from the visit and writing back to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, TypeAlias

import streamlit as st

from engine.params import (
    Choice,
    Control,
    File,
    MultiChoice,
    NamedNumbers,
    Number,
    Params,
    Picture,
    Slider,
    Text,
    Toggle,
)
from engine.types import Values
from lessons.text import ControlWords, Words
from pages.ui import state
from pages.ui.words import say

Changed: TypeAlias = Callable[[str, str], None]  # (lesson, setting), after a widget has moved
NICE = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
ROW, FOLDED = 30, 22  # letters, with three for each button's edges, in the column and in its folded part
FEW = 7  # settings shown before the rest folds


def key_of(lesson: str, name: str) -> str:
    return f"{lesson}.{name}"


def worded(key: str, language: str) -> str:
    """The key of a list: the browser holds its choice as a word, so it is another widget in another language."""
    return key if language == "en" else f"{key}.{language}"


def value_of(lesson: str, name: str, language: str) -> Any:
    """What the widget of a setting has now."""
    key = key_of(lesson, name)
    return state.get(worded(key, language), state.get(key))


def in_a_row(labels: Iterable[str], most: int) -> bool:
    """Whether buttons with these labels fit beside each other in `most` letters."""
    return sum(3 + sum(2 if ord(char) > 0x2E80 else 1 for char in label) for label in labels) <= most


def draw(visit: state.LessonSession, words: Words, changed: Changed) -> None:
    """The settings that matter now: the first FEW in sight, the rest folded, the seed last."""
    shown = applying(visit.params)
    drawn = [(name, control) for name, control in shown if has_widget(control)]
    for name, control in drawn[:FEW]:
        one(visit, name, control, words, changed, ROW)
    picked = [name for name, control in shown if isinstance(control, Number) and control.drawn and name != "seed"]
    if picked:
        values = " · ".join(
            f"{label(words, name).label} **{shown_number(getattr(visit.params, name))}**" for name in picked
        )
        st.caption(say("figure_sets", words.language, values=values))
    more = st.expander(
        say("more", words.language), icon=":material/tune:", key=f"more.{visit.lesson}", on_change="rerun"
    )
    if more.open:
        with more:
            for name, control in drawn[FEW:]:
                one(visit, name, control, words, changed, FOLDED)
            seed_row(visit, words, changed)


def has_widget(control: Control) -> bool:
    """Whether a setting is moved in the settings' column, and not on the board."""
    return not isinstance(control, Number) and not (isinstance(control, Text) and (control.board or not control.drawn))


def box(visit: state.LessonSession, words: Words) -> Values | None:
    """The setting whose box stands on the board, as the board draws it; None where the lesson has none.

    `settings` are those that a run of another text would have besides it; None while something else that was typed
    cannot be used. `n` numbers what was sent from the box and has been heard of.
    """
    for name, control in type(visit.params).controls():
        if isinstance(control, Text) and control.board:
            said = label(words, name)
            alone = not visit.drafts.keys() - {name}
            return {
                "field": name,
                "value": visit.drafts.get(name, getattr(visit.params, name)),
                "label": said.label,
                "help": said.help,
                "lines": control.lines,
                "longest": control.longest,
                "error": " ".join(one.say(words.language) for one in visit.problems) if in_box(visit) else "",
                "settings": visit.job_values() if alone else None,
                "n": visit.heard,
            }
    return None


def in_box(visit: state.LessonSession) -> bool:
    """Whether what is wrong is what was typed into the board's box, and is said there."""
    known = dict(type(visit.params).controls())
    return bool(visit.drafts) and all(isinstance(one := known[name], Text) and one.board for name in visit.drafts)


def applying(params: Params) -> list[tuple[str, Control]]:
    """The settings that matter with the others as they are."""
    return [(name, control) for name, control in type(params).controls() if applies(control, params)]


def applies(control: Control, params: Params) -> bool:
    """Whether a setting means anything beside the others' values."""
    return all(getattr(params, name) in values for name, values in (control.when or {}).items())


def label(words: Words, name: str) -> ControlWords:
    return words.controls.get(name) or ControlWords(say("seed", words.language) if name == "seed" else name)


def one(visit: state.LessonSession, name: str, control: Control, words: Words, changed: Changed, row: int) -> None:
    """Draws one setting; a choice as buttons where their labels fit into a `row` of so many letters.

    The value it begins with is the widget's default too: what the session's state says is sent to the browser by the
    first run that draws it, and nothing by that run reaches the browser if another takes its place.
    """
    said = label(words, name)
    key = key_of(visit.lesson, name)
    value = visit.drafts.get(name, getattr(visit.params, name))
    default = state.first(key, value)
    explained = said.help
    if control.live and not control.view:
        explained = say("live_note", words.language, help=explained).strip()
    common: dict[str, Any] = {
        "key": key,
        "help": explained or None,
        "on_change": changed,
        "args": (visit.lesson, name),
    }
    options = said.options
    match control:
        case Slider(log=True):
            whole = isinstance(value, int)
            grid = with_value(with_value(grid_of(control.low, control.high, whole), value), default)
            state.seed(key, value)
            st.select_slider(said.label, grid, default, format_func=shown_number, **common)
        case Slider():
            kind = int if isinstance(getattr(visit.params, name), int) else float
            step = kind(control.step) if control.step else (1 if kind is int else (control.high - control.low) / 100)
            state.seed(key, kind(value))
            plain = "%d" if kind is int else "%g"
            st.slider(
                said.label, kind(control.low), kind(control.high), kind(default), step=step, format=plain, **common
            )
        case Choice(row=True) if in_a_row((options.get(option, option) for option in control.options), row):
            state.seed(key, value)
            st.segmented_control(
                said.label,
                control.options,
                default=default,
                format_func=lambda option: options.get(option, option),
                required=True,
                width="stretch",
                **common,
            )
        case Choice():
            common["key"] = worded(key, words.language)
            state.seed(common["key"], value)
            index = control.options.index(default)
            st.selectbox(
                said.label, control.options, index, format_func=lambda option: options.get(option, option), **common
            )
        case MultiChoice(many=True):
            state.seed(key, list(value))
            st.multiselect(
                said.label, control.options, list(default), placeholder=say("search", words.language), **common
            )
        case MultiChoice():
            state.seed(key, list(value))
            st.pills(
                said.label,
                control.options,
                default=list(default),
                format_func=lambda option: options.get(option, option),
                selection_mode="multi",
                **common,
            )
        case Toggle():
            state.seed(key, value)
            st.toggle(said.label, default, **common)
        # no max_chars in either: the browser would refuse a text that is too long without a word
        case Text() if control.lines > 1:
            state.seed(key, value)
            st.text_area(said.label, default, height=24 * control.lines + 20, **common)
        case Text() | NamedNumbers():
            state.seed(key, value)
            st.text_input(said.label, default, **common)
        case File():
            st.file_uploader(said.label, list(control.suffixes), max_upload_size=control.largest, **common)
        case Picture():
            st.file_uploader(
                said.label,
                ["png", "jpg", "jpeg", "webp", "gif", "bmp"],
                max_upload_size=10,
                **{**common, "help": explained or say("upload_help", words.language)},
            )


def seed_row(visit: state.LessonSession, words: Words, changed: Changed) -> None:
    """The seed as a number and a die."""
    if "seed" not in type(visit.params).model_fields:
        return
    key = key_of(visit.lesson, "seed")
    state.seed(key, visit.params.seed)  # type: ignore[attr-defined]
    said = label(words, "seed")
    help_text = said.help or say("seed_help", words.language)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.number_input(
            said.label,
            0,
            2**31 - 1,
            state.first(key, visit.params.seed),  # type: ignore[attr-defined]
            step=1,
            key=key,
            help=help_text,
            on_change=changed,
            args=(visit.lesson, "seed"),
        )
        st.button(
            "",
            icon=":material/casino:",
            key=f"dice.{visit.lesson}",
            help=say("dice", words.language),
            on_click=changed,
            args=(visit.lesson, "another seed"),
        )


@lru_cache(maxsize=256)
def grid_of(low: float, high: float, whole: bool) -> tuple[float, ...]:
    """Values that a logarithmic slider offers: ten a decade, all of them numbers one would say; powers of two for
    whole numbers between powers of two."""
    if whole and math.log2(low).is_integer() and math.log2(high).is_integer():
        return tuple(2**power for power in range(int(math.log2(low)), int(math.log2(high)) + 1))
    found = {low, high}
    for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        for nice in NICE:
            value = float(f"{nice}e{power}")
            if low < value < high and (not whole or value.is_integer()):
                found.add(value)
    return tuple(int(value) if whole else value for value in sorted(found))


def with_value(grid: tuple[float, ...], value: float) -> tuple[float, ...]:
    """The grid with a value of a link or a preset between its own, exactly as it is."""
    return grid if value in grid else tuple(sorted((*grid, value)))


def shown_number(value: float) -> str:
    return f"{value:g}" if isinstance(value, int) or abs(value) < 1e-12 else f"{value:.6g}"
