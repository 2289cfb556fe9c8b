"""One widget for each kind of setting in engine/controls.py, drawn from the session and writing back to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import streamlit as st

from engine.controls import Choice, File, MultiChoice, NamedNumbers, Number, Picture, Slider, Text, Toggle
from engine.params import Params, Setting
from engine.types import Values
from lessons.text import ControlWords, Words
from pages.ui import state
from pages.ui.state import LessonSession
from pages.ui.words import say

OnSetting: TypeAlias = Callable[[str, str], None]  # (lesson, setting), called after a widget has moved

# What `OnSetting` is told when another seed is asked for.
ANOTHER_SEED = "another seed"
# Settings that are in sight; the rest is folded.
FEW = 7
# Letters that a row of buttons has space for in the column.
ROW = 30
# Letters that a row of buttons has space for in the column's folded part.
FOLDED_ROW = 22
# What a logarithmic slider offers of each decade.
NICE = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)


def widget_key(lesson: str, name: str) -> str:
    """The key of the widget of a setting."""
    return f"{lesson}.{name}"


def language_key(key: str, language: str) -> str:
    """The key of a list. The browser holds its choice as a word, so it is another widget in another language."""
    return key if language == "en" else f"{key}.{language}"


def widget_value(lesson: str, name: str, language: str) -> Any:
    """What the widget of a setting has now."""
    key = widget_key(lesson, name)
    return state.get(language_key(key, language), state.get(key))


# Which settings are drawn


def applying(params: Params) -> list[Setting]:
    """The settings that matter with the others as they are."""
    return [setting for setting in type(params).settings().values() if setting.applies(params)]


def has_widget(setting: Setting) -> bool:
    """Whether a setting is moved in the settings' column, and not on the board."""
    return not (isinstance(setting.control, Number) or setting.on_board or setting.hidden)


def board_setting(params: type[Params]) -> str | None:
    """The setting whose box stands on the board, if a lesson has one."""
    return next((name for name, setting in params.settings().items() if setting.on_board), None)


def setting_words(words: Words, name: str) -> ControlWords:
    """Label, help and options of a setting."""
    return words.controls.get(name) or ControlWords(say("seed", words.language) if name == "seed" else name)


def draw(session: LessonSession, words: Words, on_setting: OnSetting) -> None:
    """The settings that matter now: the first FEW in sight, the rest folded, the seed last."""
    settings = applying(session.params)
    with_widget = [setting for setting in settings if has_widget(setting)]
    for setting in with_widget[:FEW]:
        draw_setting(session, setting, words, on_setting, ROW)
    draw_figure_settings(session, settings, words)
    more = st.expander(
        say("more", words.language), icon=":material/tune:", key=f"more.{session.lesson}", on_change="rerun"
    )
    if more.open:
        with more:
            for setting in with_widget[FEW:]:
                draw_setting(session, setting, words, on_setting, FOLDED_ROW)
            draw_seed(session, words, on_setting)


def draw_figure_settings(session: LessonSession, settings: list[Setting], words: Words) -> None:
    """The values of the settings that are set by a click in a figure."""
    values = [
        f"{setting_words(words, setting.name).label} **{number_text(getattr(session.params, setting.name))}**"
        for setting in settings
        if isinstance(setting.control, Number) and not setting.hidden and setting.name != "seed"
    ]
    if values:
        st.caption(say("figure_sets", words.language, values=" · ".join(values)))


def draw_seed(session: LessonSession, words: Words, on_setting: OnSetting) -> None:
    """The seed as a number and a die."""
    seed = getattr(session.params, "seed", None)
    if seed is None:
        return
    key = widget_key(session.lesson, "seed")
    state.set_widget(key, seed)
    seed_words = setting_words(words, "seed")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.number_input(
            seed_words.label,
            0,
            2**31 - 1,
            state.initial_value(key, seed),
            step=1,
            key=key,
            help=seed_words.help or say("seed_help", words.language),
            on_change=on_setting,
            args=(session.lesson, "seed"),
        )
        st.button(
            "",
            icon=":material/casino:",
            key=f"dice.{session.lesson}",
            help=say("dice", words.language),
            on_click=on_setting,
            args=(session.lesson, ANOTHER_SEED),
        )


# One setting


@dataclass(frozen=True, slots=True)
class Widget:
    """What the widgets of all kinds of settings have in common.

    `default` is the value that the widget begins with: what the session's state says is sent to the browser by the
    first rerun that draws it, and nothing by that rerun reaches the browser if another takes its place.
    """

    key: str
    label: str
    options: dict[str, str]  # option -> its word
    value: Any
    default: Any
    language: str
    arguments: Values  # help, on_change and args, as Streamlit's widgets take them

    def word(self, option: str) -> str:
        """What an option is called."""
        return self.options.get(option, option)

    def show(self, value: Any = None, key: str = "") -> Values:
        """Makes the widget show `value`, its own unless told; returns the arguments that each widget takes."""
        state.set_widget(key or self.key, self.value if value is None else value)
        return {"key": key or self.key, **self.arguments}


def draw_setting(session: LessonSession, setting: Setting, words: Words, on_setting: OnSetting, row: int) -> None:
    """Draws one setting; a choice as buttons where their labels fit into a `row` of so many letters."""
    name, control = setting.name, setting.control
    of = setting_words(words, name)
    key = widget_key(session.lesson, name)
    value = session.drafts.get(name, getattr(session.params, name))
    default = state.initial_value(key, value)
    explained = of.help
    if setting.live and not setting.view_only:
        explained = say("live_note", words.language, help=explained).strip()
    arguments = {"help": explained or None, "on_change": on_setting, "args": (session.lesson, name)}
    widget = Widget(key, of.label, dict(of.options), value, default, words.language, arguments)
    match control:
        case Slider(log=True):
            draw_log_slider(control, widget)
        case Slider():
            draw_slider(control, widget, int if isinstance(getattr(session.params, name), int) else float)
        case Choice(row=True) if fits_row(map(widget.word, control.options), row):
            draw_buttons(control, widget)
        case Choice():
            draw_list(control, widget)
        case MultiChoice(many=True):
            draw_search_list(control, widget)
        case MultiChoice():
            draw_pills(control, widget)
        case Toggle():
            st.toggle(widget.label, default, **widget.show())
        case Text() if control.lines > 1:  # no max_chars: the browser would refuse a longer text without a word
            st.text_area(widget.label, default, height=24 * control.lines + 20, **widget.show())
        case Text() | NamedNumbers():
            st.text_input(widget.label, default, **widget.show())
        case File() | Picture():
            draw_upload(control, widget)


def draw_log_slider(control: Slider, widget: Widget) -> None:
    grid = log_grid(control.low, control.high, isinstance(widget.value, int))
    grid = with_value(with_value(grid, widget.value), widget.default)
    st.select_slider(widget.label, grid, widget.default, format_func=number_text, **widget.show())


def draw_slider(control: Slider, widget: Widget, kind: type[int] | type[float]) -> None:
    step = kind(control.step) if control.step else (1 if kind is int else (control.high - control.low) / 100)
    st.slider(
        widget.label,
        kind(control.low),
        kind(control.high),
        kind(widget.default),
        step=step,
        format="%d" if kind is int else "%g",
        **widget.show(kind(widget.value)),
    )


def draw_buttons(control: Choice, widget: Widget) -> None:
    st.segmented_control(
        widget.label,
        control.options,
        default=widget.default,
        format_func=widget.word,
        required=True,
        width="stretch",
        **widget.show(),
    )


def draw_list(control: Choice, widget: Widget) -> None:
    arguments = widget.show(key=language_key(widget.key, widget.language))
    index = control.options.index(widget.default)
    st.selectbox(widget.label, control.options, index, format_func=widget.word, **arguments)


def draw_search_list(control: MultiChoice, widget: Widget) -> None:
    st.multiselect(
        widget.label,
        control.options,
        list(widget.default),
        placeholder=say("search", widget.language),
        **widget.show(list(widget.value)),
    )


def draw_pills(control: MultiChoice, widget: Widget) -> None:
    st.pills(
        widget.label,
        control.options,
        default=list(widget.default),
        format_func=widget.word,
        selection_mode="multi",
        **widget.show(list(widget.value)),
    )


def draw_upload(control: File | Picture, widget: Widget) -> None:
    """An upload; its widget cannot be given a value."""
    arguments = dict(widget.arguments)
    if isinstance(control, File):
        types, largest = list(control.suffixes), control.largest
    else:
        types, largest = ["png", "jpg", "jpeg", "webp", "gif", "bmp"], 10
        arguments["help"] = arguments["help"] or say("upload_help", widget.language)
    st.file_uploader(widget.label, types, max_upload_size=largest, key=widget.key, **arguments)


def fits_row(labels: Iterable[str], most: int) -> bool:
    """Whether buttons with these labels fit beside each other in `most` letters, with three for each one's edges."""
    return sum(3 + sum(2 if ord(char) > 0x2E80 else 1 for char in label) for label in labels) <= most


@lru_cache(maxsize=256)
def log_grid(low: float, high: float, integers: bool) -> tuple[float, ...]:
    """Values that a logarithmic slider offers: ten a decade, all of them numbers one would say.

    Powers of two for integers between powers of two.
    """
    if integers and math.log2(low).is_integer() and math.log2(high).is_integer():
        return tuple(2**power for power in range(int(math.log2(low)), int(math.log2(high)) + 1))
    values = {low, high}
    for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        for nice in NICE:
            value = float(f"{nice}e{power}")
            if low < value < high and (not integers or value.is_integer()):
                values.add(value)
    return tuple(int(value) if integers else value for value in sorted(values))


def with_value(grid: tuple[float, ...], value: float) -> tuple[float, ...]:
    """The grid with a value of a link or a preset between its own, exactly as it is."""
    return grid if value in grid else tuple(sorted((*grid, value)))


def number_text(value: float) -> str:
    """A number as a slider shows it."""
    return f"{value:g}" if isinstance(value, int) or abs(value) < 1e-12 else f"{value:.6g}"
