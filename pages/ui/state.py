"""What one browser session remembers. The only file that touches st.session_state; the URL is read and written here.

A lesson's settings live in its LessonSession, not in the widgets: a widget is drawn from the visit and writes back to
it, so that presets, links, figures and the other language can change settings as well as sliders can.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from engine.params import Params, checked, parse_lenient
from engine.types import Problem, Values
from lessons import catalog
from pages.ui.words import NAMES, say

ASIDE = frozenset({"lang", "done", "run"})  # parts of an address that are not settings
MARKS = ("seen", "ran", "quiz")


@dataclass
class LessonSession:
    """One learner in one lesson.

    `drafts` are values that were typed but cannot be used (yet); `applied` the settings of the run on the board;
    `link` the settings as they last stood in the address; `heard` numbers what was last sent from the board's box;
    `asked` a run that the address named and the board has yet to show; `lent` tells a run that came that way from one
    begun here.
    """

    lesson: str
    params: Params
    drafts: Values = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    run: str | None = None
    applied: Values | None = None
    link: dict[str, str] | None = None
    heard: int = 0
    gone: bool = False
    asked: str = ""
    lent: bool = False
    named: str = ""  # the run as it last stood in the address
    focus: str = ""  # changes when the browser is to look at the board
    whole: bool = False  # the whole page is being drawn, not the workbench alone
    listed: Params | None = None  # the settings of the program that is on the page, if it is

    def take(self, values: Mapping[str, Any]) -> bool:
        """Adopts `values` if all settings together are sound then; says what is wrong if not, and keeps the drafts."""
        wanted = {**self.drafts, **values}
        try:
            self.params = checked(type(self.params), {**self.params.model_dump(), **wanted})
        except Problem as problem:
            self.drafts = wanted
            self.problems = [problem]
            return False
        self.drafts = {}
        self.problems = []
        return True

    def take_link(self, query: Mapping[str, str]) -> None:
        """Adopts the settings of a link; what is wrong in it is named and the rest kept."""
        self.params, self.problems = parse_lenient(type(self.params), query)
        self.drafts = {}

    def job_values(self) -> Values:
        """The settings that make a run what it is: those that only change the view stand at their defaults."""
        return dict(catalog.job(self.lesson, self.params).params)

    def views(self) -> Values:
        """Settings that only change what is drawn or asked: uploaded pictures among them."""
        kind = type(self.params)
        return {name: getattr(self.params, name) for name, control in kind.controls() if control.view}


def learner() -> str:
    """Who this session is to the engine: random, and the same as long as the session lives."""
    if "learner" not in st.session_state:
        st.session_state["learner"] = secrets.token_urlsafe(12)
    name: str = st.session_state["learner"]
    return name


def preferred() -> str:
    """The language the browser asks for."""
    return "zh" if (st.context.locale or "").lower().startswith("zh") else "en"


def language() -> str:
    """The session's language: what was chosen, else the link's, else the browser's."""
    if "language" not in st.session_state:
        wanted = st.query_params.get("lang")
        st.session_state["language"] = wanted if wanted in NAMES else preferred()
        if wanted is not None and wanted not in NAMES:
            known = ", ".join(NAMES)
            st.session_state["language_problem"] = Problem(
                *(say("not_known", one, name="lang", value=repr(wanted[:40]), known=known) for one in NAMES)
            )
    chosen: str = st.session_state["language"]
    return chosen


def language_problem() -> Problem | None:
    """What was wrong with the link's language, once."""
    problem: Problem | None = st.session_state.pop("language_problem", None)
    return problem


def choose_language() -> None:
    """Callback of the language switch."""
    act()
    st.session_state["language"] = st.session_state.get("language_switch") or language()


def visit(lesson: str) -> LessonSession:
    """This session's visit to a lesson; settings that came by the address since the last run are adopted.

    Not so where the page itself asked for the run, by a widget (`act`), a fragment or `again`: that is no link that
    was followed, and the address that came with it may be one from before the last change.
    """
    key = f"visit {lesson}"
    found: LessonSession | None = st.session_state.get(key)
    query = {name: value for name, value in st.query_params.items() if name not in ASIDE}
    run = st.query_params.get("run", "")
    if found is None:
        found = st.session_state[key] = LessonSession(lesson, catalog.params(lesson)())
        if query:
            found.take_link(query)
        found.asked = run
        mark(lesson, "seen")
    elif not (get("acting") or in_fragment()) and ((query and query != found.link) or (run and run != found.named)):
        # a link followed within the session, or the browser's back button
        found.take_link(query)
        found.asked = run
    return found


def act() -> None:
    """For a callback: the settings stand until the page has been drawn, whatever the address says."""
    st.session_state["acting"] = True


def acting(lesson: str) -> LessonSession:
    """The visit, for a callback."""
    act()
    return visit(lesson)


def again() -> NoReturn:
    """Draws the whole page again, with the settings as they stand."""
    act()
    st.rerun()


def in_fragment() -> bool:
    """Whether only a part of the page is drawn again: the browser's own doing, never a link's or the back button's."""
    context = get_script_run_ctx()
    return bool(context and context.fragment_ids_this_run)


def written(value: Any) -> str:
    """A setting as it stands in a link."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return repr(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
    if isinstance(value, (tuple, list)):
        return ",".join(map(str, value))
    return str(value)


def write_link(found: LessonSession | None) -> None:
    """Puts the settings that differ from the lesson's own into the address, with the run on the board, if it is not
    the lesson's recording, and the language if it was chosen."""
    st.session_state["acting"] = False
    query = {} if found is None else {name: written(value) for name, value in found.params.changed().items()}
    if found is not None:
        found.link = dict(query)
        found.named = found.run or ""
        if found.run:
            query["run"] = found.run
    if language() != preferred():
        query["lang"] = language()
    if dict(st.query_params) != query:
        st.query_params.from_dict(query)


def seed(key: str, value: Any) -> None:
    """Makes the widget `key` show `value` when it is drawn next."""
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value


def first(key: str, value: Any) -> Any:
    """What the widget `key` had when this session drew it first: its default, which does not move with it, or a
    redrawing would take the reader's next move for the last one."""
    return st.session_state.setdefault(f"first {key}", value)


def get(key: str, default: Any = None) -> Any:
    """A widget's value, or anything else kept for this session."""
    return st.session_state.get(key, default)


def put(key: str, value: Any) -> None:
    st.session_state[key] = value


def component(key: str, name: str) -> Any:
    """A state value that a component in the browser has set, or None."""
    found = st.session_state.get(key)
    return None if found is None else found.get(name)


def new_seed() -> int:
    """A seed not used by chance twice; small enough to be read aloud."""
    return secrets.randbelow(10_000)


def mark(lesson: str, what: str) -> None:
    """Notes how far a lesson has come: "seen", "ran", "quiz"."""
    marks: dict[str, str] = st.session_state.setdefault("marks", {})
    if MARKS.index(what) >= MARKS.index(marks.get(lesson, "seen")):
        marks[lesson] = what


def marks() -> dict[str, str]:
    """Lesson -> how far it has come; what a bookmarked address of the contents says counts."""
    found: dict[str, str] = st.session_state.setdefault("marks", {})
    if "done_read" not in st.session_state:
        st.session_state["done_read"] = True
        known = {lesson.name for lesson in catalog.lessons()}
        for name in st.query_params.get("done", "").split(","):
            if name in known:
                found[name] = "quiz"
    return found


def write_progress() -> None:
    """Puts the finished lessons into the address of the contents."""
    st.session_state["acting"] = False
    done = ",".join(lesson.name for lesson in catalog.lessons() if marks().get(lesson.name) == "quiz")
    query = {"done": done} if done else {}
    if language() != preferred():
        query["lang"] = language()
    if dict(st.query_params) != query:
        st.query_params.from_dict(query)
