"""The shape of every lesson's page: settings and board first, then what to try, to predict, to read."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable

import streamlit as st

from engine.params import Params
from engine.types import Values
from lessons import catalog, text
from pages.ui import actions, board_view, controls, data, quiz, state
from pages.ui.state import LessonSession
from pages.ui.words import as_text, joined, say


def show(name: str) -> None:
    """Draws the page of a lesson."""
    words = text.read(name, state.language())
    session = state.lesson_session(name)
    draw_heading(name, words)
    session.drawing_page = True
    draw_workbench(name)
    session.drawing_page = False
    draw_tabs(session, words)


def draw_heading(name: str, words: text.Words) -> None:
    """Title, lead, minutes, and what to know before: one element."""
    language = words.language
    lesson = catalog.lesson(name)
    notes = [say("minutes", language, n=lesson.minutes)]
    if lesson.after:
        before = joined((text.read(other, language).title for other in lesson.after), language)
        notes.append(say("after", language, lessons=before))
    st.markdown(f"# {words.title} :small[:gray[{' · '.join(notes)}]]\n{words.lead}", anchors=False)


@st.fragment
def draw_workbench(name: str) -> None:
    """Settings and board. A fragment: a slider that moves draws this again, not the texts below."""
    words = text.read(name, state.language())
    session = state.lesson_session(name)
    actions.open_requested_run(session)
    with st.container(key="messages"):  # there even if empty: what stood before the board would move and mount it anew
        draw_messages(session, words.language)
    left, right = st.columns([1, 3], gap="medium")
    with left:
        with st.container(key="start", gap="small"):
            draw_presets(session, words)
            draw_buttons(session, words.language)
        with st.container(key="settings", gap="small"):
            if "data" in type(session.params).model_fields:
                data.offer(words.language)
            controls.draw(session, words, actions.on_setting)
    with right:
        board_view.draw_board(session, words)
    state.write_address(session)
    if not session.drawing_page and session.program_params not in (None, session.params):
        state.rerun_page()  # the program in the open tab has other settings by now


def draw_messages(session: LessonSession, language: str) -> None:
    """What is wrong, and what a learner should know about the settings."""
    problems = [] if board_view.is_text_box_problem(session) else session.problems
    for problem in filter(None, [state.language_problem(), *problems]):
        st.warning(as_text(problem.say(language)), icon=":material/error:")
    for remark in catalog.figures(session.lesson).remarks(session.params):
        st.info(as_text(remark.say(language)), icon=":material/info:")


def draw_presets(session: LessonSession, words: text.Words) -> None:
    """The list of presets; the learner's own settings are one of its entries while they are no preset."""
    name, language = session.lesson, words.language
    presets = catalog.presets(name)
    if not presets:
        return
    current = session.params.changed()
    match = next((preset for preset in presets if preset_changes(type(session.params), preset) == current), "")
    options = [*presets] if match else ["", *presets]
    key = controls.language_key(f"preset.{name}", language)
    state.set_widget(key, match)
    initial = state.initial_value(key, match)  # or a browser that missed the first drawing would send the first preset
    st.selectbox(
        say("preset", language),
        options,
        options.index(initial) if initial in options else 0,
        format_func=lambda preset: words.presets.get(preset, preset) if preset else say("own", language),
        key=key,
        on_change=actions.on_preset,
        args=(name,),
        label_visibility="collapsed",
    )


@functools.lru_cache(maxsize=256)
def preset_changes(params: type[Params], preset: str) -> Values:
    """What a preset changes, as `Params.changed` would say it."""
    presets = catalog.presets(params.__module__.split(".")[-2])
    return params(**presets[preset]).changed()


def draw_buttons(session: LessonSession, language: str) -> None:
    """Run and Reset."""
    with st.container(horizontal=True, gap="small"):
        st.button(
            say("run", language),
            key=f"run.{session.lesson}",
            type="primary",
            icon=":material/play_arrow:",
            help=say("run_help", language),
            on_click=actions.on_run,
            args=(session.lesson,),
            shortcut="Ctrl+Enter",
            width="stretch",
        )
        st.button(
            "",
            key=f"reset.{session.lesson}",
            icon=":material/restart_alt:",
            help=say("reset_help", language),
            on_click=actions.on_reset,
            args=(session.lesson,),
        )


# What stands under the board


def draw_tabs(session: LessonSession, words: text.Words) -> None:
    """The texts of the lesson; only the open tab is drawn."""
    parts: dict[str, Callable[[LessonSession, text.Words], object]] = {
        "try": draw_tries,
        "predict": lambda session, words: quiz.predict(session.lesson, words, actions.on_predict),
        "why": lambda session, words: draw_blocks(words.why),
        "example": lambda session, words: draw_blocks(words.example),
        "quiz": lambda session, words: quiz.quiz(session.lesson, words),
        "terms": draw_terms,
        "code": draw_program,
        "read_on": lambda session, words: st.markdown("\n".join(f"- {item}" for item in words.read_on)),
    }
    session.program_params = None
    labels = [say(part, words.language) for part in parts]
    tabs = st.tabs(labels, key=f"tabs.{session.lesson}", on_change=state.keep_settings)
    for tab, draw in zip(tabs, parts.values(), strict=True):
        if tab.open:
            with tab:
                draw(session, words)


def draw_tries(session: LessonSession, words: text.Words) -> None:
    """Things to try; a click on one sets its settings and runs them."""
    for number, item in enumerate(words.tries):
        st.button(
            item.text,
            key=f"try.{session.lesson}.{number}",
            icon=":material/play_arrow:",
            on_click=actions.on_try,
            args=(session.lesson, number),
            width="stretch",
            wrap=True,
        )


def draw_terms(session: LessonSession, words: text.Words) -> None:
    """The lesson's terms and what they mean."""
    st.markdown("\n".join(f"- **{term}**: {meaning}" for term, meaning in words.terms.items()))


def draw_program(session: LessonSession, words: text.Words) -> None:
    """The program of the lesson with the settings as they stand, to read and to take away."""
    session.program_params = session.params
    program = catalog.script(session.lesson, session.params)
    st.caption(say("code_lead", words.language))
    st.download_button(
        say("download", words.language),
        program,
        f"{session.lesson}.py",
        "text/x-python",
        key=f"download.{session.lesson}",
        icon=":material/download:",
        on_click="ignore",
    )
    st.code(program, "python", height=520)


def draw_blocks(blocks: Iterable[text.Block]) -> None:
    """Blocks of text: neighbours in one element, folded ones by themselves."""
    together: list[str] = []
    for block in blocks:
        if block.folded:
            draw_paragraphs(together)
            together = []
            with st.expander(block.heading):
                st.markdown(block.body, anchors=False)
        else:
            together.append(f"### {block.heading}\n\n{block.body}" if block.heading else block.body)
    draw_paragraphs(together)


def draw_paragraphs(paragraphs: list[str]) -> None:
    """Paragraphs as one element; none where there are none."""
    if paragraphs:
        st.markdown("\n\n".join(paragraphs), anchors=False)
