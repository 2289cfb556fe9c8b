"""The frame of every page: language, navigation from the catalog, style sheet."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import streamlit as st

from lessons import catalog, text
from pages.live.app_state import app_state
from pages.ui import state
from pages.ui.words import NAMES, as_text, say

# A loss curve that falls, as SVG: a named icon would be fetched from another site.
ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' height='32' "
    "rx='7' fill='%232f86d6'/%3E%3Cpath d='M6 7c3 14 9 17 20 18' fill='none' stroke='white' stroke-width='3.5' "
    "stroke-linecap='round'/%3E%3Ccircle cx='26' cy='25' r='3.5' fill='%23e07b16'/%3E%3C/svg%3E"
)
# The icon of a lesson in the navigation, by how far it has come.
STAGE_ICONS = {"quiz": ":material/check_circle:", "ran": ":material/timelapse:", "seen": ":material/visibility:"}

st.set_page_config(layout="wide", initial_sidebar_state=252, page_icon=ICON)
language = state.language()
progress = state.progress()

sections: dict[str, list[st.Page]] = {
    "": [st.Page("home.py", title=say("home", language), icon=":material/toc:", default=True)]
}
for chapter in catalog.CHAPTERS:
    sections[chapter.title(language)] = [
        st.Page(
            f"{lesson.name}.py",
            title=text.read(lesson.name, language).title,
            icon=STAGE_ICONS.get(progress.get(lesson.name, ""), lesson.icon),
            url_path=lesson.name,
        )
        for lesson in chapter.lessons
    ]
sections[say("about", language)] = [
    st.Page("lab.py", title=say("lab", language), icon=":material/memory:", url_path="lab")
]
page = st.navigation(sections)


def ready_devices() -> list[str]:
    """The devices that compute, each once."""
    counts = Counter(worker["device"] for worker in app_state().engine.devices() if worker["state"] == "ready")
    return [device if count == 1 else f"{device} × {count}" for device, count in counts.items()]


@st.fragment(run_every=1.0)
def draw_starting() -> None:
    """Says that the engine starts, as long as it does, or why it cannot; then the page is drawn again."""
    if ready_devices():
        state.rerun_page()
    problems = app_state().engine.problems()
    for problem in problems:
        st.warning(as_text(problem.say(language)), icon=":material/error:")
    if not problems:
        st.caption(say("no_device", language))


st.html(f"<style>{Path(__file__).with_name('ui').joinpath('page.css').read_text(encoding='utf-8')}</style>")
with st.sidebar:
    state.set_widget("language_switch", language)
    st.segmented_control(
        say("language", language),
        list(NAMES),
        default=state.initial_value("language_switch", language),
        format_func=NAMES.__getitem__,
        required=True,
        key="language_switch",
        on_change=state.on_language,
        label_visibility="collapsed",
        width="stretch",
    )
    devices = ready_devices()
    if devices:
        st.caption(say("device", language, devices=", ".join(devices)))
    else:
        draw_starting()

page.run()
