"""What one browser session remembers. The only file that touches st.session_state and the address.

A lesson's settings live in its LessonSession, not in the widgets: a widget is drawn from the session and writes back
to it, so that presets, links, figures and the other language can change settings as well as sliders can.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from engine.params import Params, parse, parse_lenient
from engine.types import Job, Problem, Values
from lessons import catalog
from pages.ui.words import NAMES, say

# Parts of an address that are not settings.
NOT_SETTINGS = frozenset({"lang", "done", "run"})
# How far a lesson has come, in order.
STAGES = ("seen", "ran", "quiz")


@dataclass
class LessonSession:
    """One learner in one lesson."""

    lesson: str
    params: Params
    drafts: Values = field(default_factory=dict)  # values that were typed but cannot be used (yet)
    problems: list[Problem] = field(default_factory=list)  # shown above the board
    run: str | None = None  # the run on the board; None: the lesson's demo run
    run_params: Values | None = None  # the settings of that run
    run_gone: bool = False  # the run that was to be shown is no longer kept
    from_link: bool = False  # the run came by the address, and was not begun here
    requested_run: str = ""  # a run that the address names and that has yet to be put on the board
    address: dict[str, str] | None = None  # the settings as they last stood in the address
    address_run: str = ""  # the run as it last stood in the address
    text_number: int = 0  # of the last text that was taken from the board's box
    focus: str = ""  # changes when the browser is to scroll to the board
    drawing_page: bool = False  # the whole page is being drawn, not the workbench alone
    program_params: Params | None = None  # the settings of the program in the open tab, if that tab is open
    _job: tuple[Params, Job] | None = None

    @property
    def job(self) -> Job:
        """What is run for the settings as they stand."""
        if self._job is None or self._job[0] is not self.params:
            self._job = (self.params, catalog.job(self.lesson, self.params))
        return self._job[1]

    @property
    def job_params(self) -> Values:
        """The settings that make a run what it is: those that only change the view stand at their defaults."""
        return dict(self.job.params)

    @property
    def view_params(self) -> Values:
        """The settings that only change what is drawn or asked: uploaded pictures among them."""
        settings = type(self.params).settings()
        return {name: getattr(self.params, name) for name, setting in settings.items() if setting.view_only}

    def set_params(self, values: Mapping[str, Any]) -> bool:
        """Takes `values` if all settings together are sound then; keeps them as drafts, and says why, if not."""
        wanted = {**self.drafts, **values}
        try:
            self.params = parse(type(self.params), {**self.params.model_dump(), **wanted})
        except Problem as problem:
            self.drafts = wanted
            self.problems = [problem]
            return False
        self.drafts = {}
        self.problems = []
        return True

    def follow_link(self, query: Mapping[str, str], run: str) -> None:
        """Takes the settings and the run of an address; what is wrong in it is named and the rest kept."""
        self.params, self.problems = parse_lenient(type(self.params), query)
        self.drafts = {}
        self.requested_run = run

    def show_run(self, run: str) -> None:
        """Puts a run of the settings as they stand on the board."""
        self.run = run
        self.run_params = self.job_params
        self.problems = []
        self.run_gone = self.from_link = False
        mark_progress(self.lesson, "ran")


def learner() -> str:
    """Who this session is to the engine: random, and the same as long as the session lives."""
    if "learner" not in st.session_state:
        st.session_state["learner"] = secrets.token_urlsafe(12)
    name: str = st.session_state["learner"]
    return name


# Language


def browser_language() -> str:
    """The language the browser asks for."""
    return "zh" if (st.context.locale or "").lower().startswith("zh") else "en"


def language() -> str:
    """The session's language: what was chosen, else the link's, else the browser's."""
    if "language" not in st.session_state:
        wanted = st.query_params.get("lang")
        st.session_state["language"] = wanted if wanted in NAMES else browser_language()
        if wanted is not None and wanted not in NAMES:
            known = ", ".join(NAMES)
            st.session_state["language_problem"] = Problem(
                *(say("not_known", each, name="lang", value=repr(wanted[:40]), known=known) for each in NAMES)
            )
    chosen: str = st.session_state["language"]
    return chosen


def language_problem() -> Problem | None:
    """What was wrong with the link's language, once."""
    problem: Problem | None = st.session_state.pop("language_problem", None)
    return problem


def on_language() -> None:
    """Callback of the language switch."""
    keep_settings()
    st.session_state["language"] = st.session_state.get("language_switch") or language()


# Settings and the address


def lesson_session(lesson: str) -> LessonSession:
    """This session in a lesson; settings that came by the address since the last rerun are taken.

    Not so where the page itself asked for the rerun, by a widget (`keep_settings`), a fragment or `rerun_page`: that
    is no link that was followed, and the address that came with it may be one from before the last change.
    """
    key = f"lesson {lesson}"
    session: LessonSession | None = st.session_state.get(key)
    query = {name: value for name, value in st.query_params.items() if name not in NOT_SETTINGS}
    run = st.query_params.get("run", "")
    if session is None:
        session = st.session_state[key] = LessonSession(lesson, catalog.params(lesson)())
        session.requested_run = run
        if query:
            session.follow_link(query, run)
        mark_progress(lesson, "seen")
        return session
    moved = bool(query and query != session.address) or bool(run and run != session.address_run)
    if moved and not (get("settings stand") or is_fragment_rerun()):
        session.follow_link(query, run)  # within the session, or by the browser's back button
    return session


def keep_settings() -> None:
    """For a callback: the settings stand until the page has been drawn, whatever the address says."""
    st.session_state["settings stand"] = True


def session_for_callback(lesson: str) -> LessonSession:
    """This session in a lesson, its settings as they stand."""
    keep_settings()
    return lesson_session(lesson)


def rerun_page() -> NoReturn:
    """Draws the whole page again, with the settings as they stand."""
    keep_settings()
    st.rerun()


def is_fragment_rerun() -> bool:
    """Whether only a part of the page is drawn again: the browser's own doing, never a link's or the back button's."""
    context = get_script_run_ctx()
    return bool(context and context.fragment_ids_this_run)


def query_value(value: Any) -> str:
    """A setting as it stands in a link."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return repr(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
    if isinstance(value, (tuple, list)):
        return ",".join(map(str, value))
    return str(value)


def write_address(session: LessonSession | None) -> None:
    """Puts a lesson's settings into the address, as far as they differ from its defaults, and the run on the board.

    A lesson's demo run is not named. The language is, if it is not the one that the browser asks for.
    """
    query = {}
    if session is not None:
        query = {name: query_value(value) for name, value in session.params.changed().items()}
        session.address = dict(query)
        session.address_run = session.run or ""
        if session.run:
            query["run"] = session.run
    _write_query(query)


def write_progress_address() -> None:
    """Puts the finished lessons into the address of the contents."""
    done = ",".join(lesson.name for lesson in catalog.lessons() if progress().get(lesson.name) == "quiz")
    _write_query({"done": done} if done else {})


def _write_query(query: dict[str, str]) -> None:
    st.session_state["settings stand"] = False
    if language() != browser_language():
        query["lang"] = language()
    if dict(st.query_params) != query:
        st.query_params.from_dict(query)


# Widgets


def set_widget(key: str, value: Any) -> None:
    """Makes the widget `key` show `value` when it is drawn next."""
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value


def initial_value(key: str, value: Any) -> Any:
    """What the widget `key` had when this session drew it first, which is its default.

    The default must not move with the value, or a rerun would take the reader's next move for the last one.
    """
    return st.session_state.setdefault(f"first {key}", value)


def get(key: str, default: Any = None) -> Any:
    """A widget's value, or anything else kept for this session."""
    return st.session_state.get(key, default)


def put(key: str, value: Any) -> None:
    """Keeps something for this session."""
    st.session_state[key] = value


def component_value(key: str, name: str) -> Any:
    """A state value that a component in the browser has set, or None."""
    values = st.session_state.get(key)
    return None if values is None else values.get(name)


def new_seed() -> int:
    """A seed not used by chance twice; small enough to be read aloud."""
    return secrets.randbelow(10_000)


# Progress


def mark_progress(lesson: str, stage: str) -> None:
    """Notes how far a lesson has come, one of STAGES; it never goes back."""
    stages: dict[str, str] = st.session_state.setdefault("progress", {})
    if STAGES.index(stage) >= STAGES.index(stages.get(lesson, "seen")):
        stages[lesson] = stage


def progress() -> dict[str, str]:
    """Lesson -> how far it has come; what a bookmarked address of the contents says counts."""
    stages: dict[str, str] = st.session_state.setdefault("progress", {})
    if "done_read" not in st.session_state:
        st.session_state["done_read"] = True
        known = {lesson.name for lesson in catalog.lessons()}
        for name in st.query_params.get("done", "").split(","):
            if name in known:
                stages[name] = "quiz"
    return stages
