"""What buttons, widgets and the board do on a lesson's page: callbacks, which run before the page is drawn again."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from engine.controls import Control, File, MultiChoice, NamedNumbers, Picture
from engine.params import parse
from engine.types import ENDED, Problem, Values
from lessons import catalog, text
from pages.live.app_state import app_state
from pages.ui import controls, state
from pages.ui.state import LessonSession

# Buttons


def on_run(lesson: str) -> None:
    """Run. What was typed into the board's box on the way to the button counts."""
    if not on_text_box(lesson):
        submit(state.session_for_callback(lesson))


def on_reset(lesson: str) -> None:
    """Reset: all settings back to the lesson's own."""
    session = state.session_for_callback(lesson)
    set_params(session, {}, over_defaults=True)
    session.problems = []


def on_preset(lesson: str) -> None:
    """A preset was chosen."""
    preset = state.get(controls.language_key(f"preset.{lesson}", state.language()))
    presets = catalog.presets(lesson)
    if preset in presets:
        set_params(state.session_for_callback(lesson), presets[preset], over_defaults=True)


def on_try(lesson: str, number: int) -> None:
    """One of the things to try is run, and looked at."""
    run_from_text(lesson, text.read(lesson, state.language()).tries[number].settings)


def on_predict(lesson: str, number: int) -> None:
    """The run that answers a prediction is begun, and looked at."""
    run_from_text(lesson, text.read(lesson, state.language()).predict[number].settings)


def run_from_text(lesson: str, settings: Mapping[str, Any]) -> None:
    """Runs the lesson's defaults with these settings, and scrolls up to the board."""
    session = state.session_for_callback(lesson)
    session.focus = secrets.token_hex(4)
    if set_params(session, settings, over_defaults=True):
        submit(session)


# Settings


def on_setting(lesson: str, name: str) -> None:
    """A widget moved: its value is taken, and passed to a run that goes on if the setting is a live one."""
    session = state.session_for_callback(lesson)
    if name == controls.ANOTHER_SEED:
        session.set_params({"seed": state.new_seed()})
        return
    setting = type(session.params).settings()[name]
    values = widget_values(session, name, setting.control)
    if values is None or not session.set_params(values):
        return
    if setting.live and not setting.view_only:
        set_live(session, name)
    elif session.params.continues_run and not setting.view_only:
        continue_run(session)
    if setting.autorun and session.run_params != session.job_params:
        submit(session)


def widget_values(session: LessonSession, name: str, control: Control) -> Values | None:
    """The settings that a widget's value stands for; None where it cannot be used, which is said."""
    value = controls.widget_value(session.lesson, name, state.language())
    if not isinstance(control, Picture | File):
        return {name: value}
    if value is None:  # the file was taken away again
        return {name: ""} if isinstance(control, Picture) else None
    content = value.getvalue()
    try:
        if isinstance(control, Picture):
            from engine.datasets.picture import decode  # Pillow is loaded only where a picture comes

            decode(content)
            further: Values = {}
        else:
            further = catalog.figures(session.lesson).on_upload(session.params, name, content)
        return {**further, name: app_state().engine.put(content, state.learner())}
    except Problem as problem:
        session.problems = [problem]
        return None


def set_params(session: LessonSession, settings: Mapping[str, Any], over_defaults: bool = False) -> bool:
    """Takes several settings at once, over the lesson's defaults if so told. Returns whether they can be used."""
    base: Values = {}
    if over_defaults:
        base = type(session.params)().model_dump()
        session.drafts = {}
    return session.set_params({**base, **settings})


# Runs


def submit(session: LessonSession) -> None:
    """Runs the settings as they stand; the same settings again are a new attempt."""
    if session.drafts:  # something typed cannot be used: the message about it stays
        return
    server = app_state()
    before = session.run or server.demo(session.lesson)
    try:
        run = server.engine.submit(session.job, state.learner(), again=is_repeat(session)).id
    except Problem as problem:
        session.problems = [problem]
        return
    server.hub.switch_run(state.learner(), before, run)
    session.show_run(run)


def is_repeat(session: LessonSession) -> bool:
    """Whether the run on the board is over and of the same settings, so that they are run once more.

    Of a class that came by one link, each of whom presses Run, one begins the run and the others join it.
    """
    if session.run is None or session.run_params != session.job_params:
        return False
    engine = app_state().engine
    try:
        ended = engine.get(session.run).status in ENDED
    except Problem:
        return False
    return ended and not (session.from_link and engine.going(session.job))


def set_live(session: LessonSession, name: str) -> None:
    """Passes a live setting on to the run on the board, which may move to a private copy for it."""
    if session.run is None or session.run_params is None:
        return
    engine = app_state().engine
    value = session.job_params[name]
    try:
        if engine.get(session.run).status in ENDED or session.run_params.get(name) == value:
            return
        session.run = engine.tell(session.run, state.learner(), "set", {name: value})
    except Problem as problem:
        session.problems = [problem]
        return
    session.run_params = {**session.run_params, name: value}


def continue_run(session: LessonSession) -> bool:
    """The run on the board goes on with the settings as they stand, as a fork from where it is.

    Returns whether there is one that could: of the learner's own, and not at the end of its steps.
    """
    before, job = session.run, session.job
    if before is None or session.run_params == session.job_params:
        return False
    server = app_state()
    try:
        run = server.engine.get(before)
        if run.is_demo or not run.marks or run.step >= job.params.get("steps", run.total):
            return False
        fork = server.engine.fork(before, None, job, state.learner())
    except Problem as problem:
        session.problems = [problem]
        return True
    server.hub.switch_run(state.learner(), before, fork.id)
    session.show_run(fork.id)
    return True


def open_requested_run(session: LessonSession) -> None:
    """Puts the run that the address names on the board, if it is one of this lesson that can still be shown."""
    name, session.requested_run = session.requested_run, ""
    if not name or name == session.run:
        return
    engine = app_state().engine
    try:
        run = engine.get(name)
        parse(type(session.params), run.params)
    except Problem as problem:
        session.run_gone = True
        if engine.has(name):  # it is there, but cannot be shown: why is worth saying
            session.problems = [*session.problems, problem]
        return
    if run.job.lesson != session.lesson or run.is_demo:
        session.run_gone = True
        return
    session.run, session.run_params = run.id, dict(run.params)
    session.run_gone, session.from_link = False, True


# The board


def on_choose(lesson: str) -> None:
    """A gesture on a figure chose settings: they are taken, and run at once if they make another run."""
    session = state.session_for_callback(lesson)
    before = session.params
    known = type(before).settings()
    chosen = state.component_value(f"board.{lesson}", "choose") or {}
    try:
        settings = catalog.figures(lesson).on_choose(
            before, {name: value for name, value in chosen.items() if name in known and name != "n"}
        )
    except Problem as problem:
        session.problems = [problem]
        return
    settings = {
        name: merged_value(known[name].control, getattr(before, name), value) for name, value in settings.items()
    }
    if not settings or not set_params(session, settings):
        return
    if all(known[name].view_only for name in settings):
        return
    if not before.continues_run or (session.params != before and not continue_run(session)):
        submit(session)


def merged_value(control: Control, value: Any, chosen: Any) -> Any:
    """What a setting becomes when `chosen` is clicked on: of several names or numbers only that one changes."""
    if isinstance(control, MultiChoice) and isinstance(chosen, str):
        return control.toggled(value, chosen)
    if isinstance(control, NamedNumbers) and isinstance(chosen, str):
        return control.put(value, chosen)
    return chosen


def on_fork(lesson: str) -> None:
    """The fork button: a new run goes on from a step of the one on the board, with the settings as they stand."""
    request = state.component_value(f"board.{lesson}", "fork") or {}
    session = state.session_for_callback(lesson)
    source, step = request.get("run"), request.get("step")
    if session.drafts or not isinstance(source, str) or not isinstance(step, int):
        return
    server = app_state()
    try:
        if server.engine.get(source).job.lesson == lesson:
            run = server.engine.fork(source, step, session.job, state.learner()).id
            server.hub.switch_run(state.learner(), source, run)
            session.show_run(run)
    except Problem as problem:
        session.problems = [problem]


def on_board_run(lesson: str) -> None:
    """The board moved to a private copy of its run."""
    name = state.component_value(f"board.{lesson}", "run")
    if not isinstance(name, str) or not name:
        return
    session = state.session_for_callback(lesson)
    try:
        run = app_state().engine.get(name)
    except Problem:
        return
    if run.job.lesson == lesson:
        session.run, session.run_params = name, dict(run.params)


def on_text_box(lesson: str) -> bool:
    """The board's box sent another text: it is taken. Returns whether there was one that had not been taken yet.

    Mostly the board has begun its run already; one is begun only where it could not, or the run is of other settings.
    """
    session = state.session_for_callback(lesson)
    sent = state.component_value(f"board.{lesson}", "box") or {}
    name = controls.board_setting(type(session.params))
    number, content, run = (sent.get(key) for key in ("n", "text", "run"))
    if name is None or not isinstance(number, int) or not isinstance(content, str) or number <= session.text_number:
        return False
    session.text_number = number
    if session.set_params({name: content}):
        if run and is_run_of(str(run), session):
            session.show_run(str(run))
        elif session.run_params != session.job_params:
            submit(session)
    return True


def is_run_of(run: str, session: LessonSession) -> bool:
    """Whether a run is one of the settings as they stand."""
    try:
        return app_state().engine.get(run).job == session.job
    except Problem:
        return False
