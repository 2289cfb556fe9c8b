"""The contents, as a course: chapters and lessons in order, and how far one has come.

Of each lesson: how long it takes, what it builds on, and what one will be able to do after it.
"""

from __future__ import annotations

import streamlit as st

from lessons import catalog, text
from pages.ui import state
from pages.ui.words import joined, say

# The word for each stage of a lesson.
STAGE_WORDS = {"seen": "seen", "ran": "ran", "quiz": "mastered"}

language = state.language()
progress = state.progress()
names = [lesson.name for lesson in catalog.lessons()]
numbers = {name: number for number, name in enumerate(names, 1)}
finished = sum(progress.get(name) == "quiz" for name in names)
current = next((name for name in names if progress.get(name) != "quiz"), None)  # the first that is not finished
query = {"lang": language} if language != state.browser_language() else None


def title(name: str) -> str:
    return text.read(name, language).title


def card(lesson: catalog.Lesson) -> None:
    """A lesson: what one will be able to do, how long it takes, what it builds on, how far one has come."""
    notes = [say("minutes", language, n=lesson.minutes)]
    if lesson.after:
        before = joined((f"{numbers[name]} · {title(name)}" for name in lesson.after), language)
        notes.append(say("after", language, lessons=before))
    if progress.get(lesson.name):
        notes.append(say(STAGE_WORDS[progress[lesson.name]], language))
    if progress and lesson.name == current:
        notes.append(say("here", language))
    with st.container(border=True, key=f"card-{lesson.name}"):
        head = f"#### {numbers[lesson.name]} · {title(lesson.name)}\n{text.read(lesson.name, language).lead}"
        st.markdown(f"{head}\n\n:small[:gray[{' · '.join(notes)}]]", anchors=False)
        label = say("open" if progress.get(lesson.name) else "begin", language)
        st.page_link(f"{lesson.name}.py", label=label, icon=":material/arrow_forward:", query_params=query)


st.markdown(f"# {say('app', language)}\n### {say('motto', language)}\n{say('promise', language)}", anchors=False)
hours = f"{round(sum(lesson.minutes for lesson in catalog.lessons()) / 30) / 2:g}"
st.markdown(say("course", language, lessons=len(names), chapters=len(catalog.CHAPTERS), hours=hours))
if current:
    label = say("go_on_with" if progress else "start_with", language, number=numbers[current], lesson=title(current))
    with st.container(key="go-on"):
        st.page_link(f"{current}.py", label=label, icon=":material/play_arrow:", query_params=query)
if any(progress.get(name) for name in names):
    st.progress(finished / len(names), say("progress", language, done=finished, all=len(names)))
if finished:
    st.caption(say("keep", language))

for number, chapter in enumerate(catalog.CHAPTERS, 1):
    st.markdown(f"## {chapter.title(language)}", anchors=False)
    with st.container(key=f"chapter-{number}"):
        for lesson in chapter.lessons:
            card(lesson)
state.write_progress_address()
