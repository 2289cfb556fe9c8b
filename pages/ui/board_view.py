"""The board on a lesson's page: the component, the run it shows, and the specs of its figures."""

from __future__ import annotations

import functools
import json
from dataclasses import asdict
from typing import Any

import orjson
import streamlit as st

from engine.controls import Text
from engine.params import Params
from engine.runs.engine import Run
from engine.types import Problem, Values
from lessons import catalog, text
from pages.live.app_state import AppState, app_state
from pages.ui import actions, controls, state
from pages.ui.page_data import BoardSpec, FigureText, PageData, TextBoxData
from pages.ui.state import LessonSession
from pages.ui.words import player, say

# Files beside its modules that the board loads itself.
BOARD_FILES = ("board.css", "plotly.min.js")
# What Streamlit runs to mount the board.
LOADER = """
export default function (component) {{
  const {{ data, parentElement }} = component;
  if (data.focus && window.torchroomFocus !== data.focus) {{  // a run begun from the texts below: look at it
    window.torchroomFocus = data.focus;
    const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
    parentElement.closest('[data-testid="stMain"]')?.scrollTo({{ top: 0, behavior }});
  }}
  let closed = false, close = null;
  import(new URL("{start}", location.origin)).then((board) => {{
    if (!closed) close = board.default(component);
  }});
  return () => {{ closed = true; if (close) close(); }};
}}
"""


def draw_board(session: LessonSession, words: text.Words) -> None:
    """The board with the run it shows: the learner's own, or the lesson's demo run."""
    name, server = session.lesson, app_state()
    run = own_run(session)
    demo = run is None
    if demo and (demo_id := server.demo(name)):
        run = server.engine.get(demo_id)
    params = session.job_params if run is None else run.params
    page_data = PageData(
        spec=spec_url(server, name, words.language, {**params, **session.view_params}),
        run=None if run is None else run.id,
        ticket=server.ticket(state.learner()),
        asks=catalog.figures(name).asks(session.params),
        recorded=demo and run is not None,
        autoplay=run is not None,
        status=status(session, run, demo, words),
        focus=session.focus,
        box=text_box(session, words),
        assets={file: server.assets.url(file) for file in BOARD_FILES},
    )
    component(server)(
        key=f"board.{name}",
        data=asdict(page_data),
        on_run_change=functools.partial(actions.on_board_run, name),
        on_choose_change=functools.partial(actions.on_choose, name),
        on_fork_change=functools.partial(actions.on_fork, name),
        on_box_change=functools.partial(actions.on_text_box, name),
    )


def own_run(session: LessonSession) -> Run | None:
    """The run that the learner has on the board; None if there is none, or it is no longer kept."""
    if session.run is None:
        return None
    try:
        return app_state().engine.get(session.run)
    except Problem:
        session.run, session.run_params, session.run_gone = None, None, True
        return None


def status(session: LessonSession, run: Run | None, demo: bool, words: text.Words) -> str:
    """What stands above the board: how the run on it differs from the settings as they stand."""
    language = words.language
    if session.run_gone:
        return say("gone", language)
    if run is None:
        return say("not_here", language)
    if demo:
        return say("recorded" if run.params == session.job_params else "linked", language)
    if session.run_params != session.job_params:
        return say("changed", language)
    if run.origin and app_state().engine.has(run.origin[0]):
        return fork_summary(run, words)
    return ""


def fork_summary(run: Run, words: text.Words) -> str:
    """What a fork has changed, and since when."""
    assert run.origin
    source, step = run.origin
    try:
        before = app_state().engine.get(source).params
    except Problem:
        return ""
    changes = [
        f"{words.controls[name].label if name in words.controls else name} "
        f"{state.query_value(before[name])} → {state.query_value(value)}"
        for name, value in run.params.items()
        if name in before and before[name] != value
    ]
    key = "forked" if changes else "forked_same"
    return say(key, words.language, step=step, changed=", ".join(changes))


def text_box(session: LessonSession, words: text.Words) -> TextBoxData | None:
    """The setting whose box stands on the board; None where the lesson has none."""
    name = controls.board_setting(type(session.params))
    if name is None:
        return None
    control = dict(type(session.params).controls())[name]
    assert isinstance(control, Text)
    box_words = controls.setting_words(words, name)
    problems = session.problems if is_text_box_problem(session) else []
    return TextBoxData(
        field=name,
        value=session.drafts.get(name, getattr(session.params, name)),
        label=box_words.label,
        help=box_words.help,
        lines=control.lines,
        longest=control.longest,
        error=" ".join(problem.say(words.language) for problem in problems),
        settings=None if session.drafts.keys() - {name} else session.job_params,
        n=session.text_number,
    )


def is_text_box_problem(session: LessonSession) -> bool:
    """Whether what is wrong is what was typed into the board's box, and is said there."""
    return bool(session.drafts) and session.drafts.keys() == {controls.board_setting(type(session.params))}


# The component


def component(server: AppState) -> Any:
    """The board as a Streamlit component. Inline code is sent with every rerun, so it only loads the modules."""
    start = server.assets.start()
    known, mount = server.shared.get("board", (None, None))
    if known != start:
        js = LOADER.format(start=start)
        mount = st.components.v2.component("torchroom_board", js=js, isolate_styles=False)
        server.shared["board"] = (start, mount)
    return mount


# Figures


def spec_url(server: AppState, lesson: str, language: str, values: Values) -> str:
    """Where the browser finds the board's figures as drawn for `values`."""
    key = (lesson, language, json.dumps(values, sort_keys=True), text.changed(lesson, language))
    return server.specs.url(key, lambda: make_spec(lesson, language, catalog.params(lesson)(**values)))


def make_spec(lesson: str, language: str, params: Params) -> bytes:
    """The board spec as JSON."""
    words = text.read(lesson, language)
    figures: list[Values] = []
    names: dict[str, str] = {}
    for figure in catalog.figures(lesson).draw(params, words).values():
        of = words.figures[figure.id]
        figures.append({**asdict(figure), **asdict(FigureText(of.title, of.caption, of.alt, of.reading))})
        names |= of.labels
    for control in words.controls.values():
        names |= control.options
    spec = BoardSpec(lesson, figures, names, player(language), language)
    return orjson.dumps(spec, option=orjson.OPT_SERIALIZE_NUMPY)
