"""The contents, as a course: chapters and lessons in order, how long each takes, what it builds on, what one will be
able to do after it, how far one has come, and where to go on."""

from __future__ import annotations

import streamlit as st

from lessons import catalog, text
from pages.ui import state
from pages.ui.words import listed, say

language = state.language()
marks = state.marks()


def title(name: str) -> str:
    return text.read(name, language).title


st.markdown(f"# {say('app', language)}\n### {say('motto', language)}\n{say('promise', language)}", anchors=False)

names = [lesson.name for lesson in catalog.lessons()]
numbers = {name: number for number, name in enumerate(names, 1)}
done = sum(marks.get(name) == "quiz" for name in names)
here = next((name for name in names if marks.get(name) != "quiz"), None)
query = {"lang": language} if language != state.preferred() else None
hours = f"{round(sum(lesson.minutes for lesson in catalog.lessons()) / 30) / 2:g}"
st.markdown(say("course", language, lessons=len(names), chapters=len(catalog.CHAPTERS), hours=hours))
if here:
    label = say("go_on_with" if marks else "start_with", language, number=numbers[here], lesson=title(here))
    with st.container(key="go-on"):
        st.page_link(f"{here}.py", label=label, icon=":material/play_arrow:", query_params=query)
if any(marks.get(name) for name in names):
    st.progress(done / len(names), say("progress", language, done=done, all=len(names)))
if done:
    st.caption(say("keep", language))

STATES = {"seen": "seen", "ran": "ran", "quiz": "mastered"}


def card(lesson: catalog.Lesson) -> None:
    """A lesson: what one will be able to do, how long it takes, what it builds on, how far one has come."""
    notes = [say("minutes", language, n=lesson.minutes)]
    if lesson.after:
        before = listed((f"{numbers[one]} · {title(one)}" for one in lesson.after), language)
        notes.append(say("after", language, lessons=before))
    if marks.get(lesson.name):
        notes.append(say(STATES[marks[lesson.name]], language))
    if marks and lesson.name == here:
        notes.append(say("here", language))
    with st.container(border=True, key=f"card-{lesson.name}"):
        head = f"#### {numbers[lesson.name]} · {title(lesson.name)}\n{text.read(lesson.name, language).lead}"
        st.markdown(f"{head}\n\n:small[:gray[{' · '.join(notes)}]]", anchors=False)
        label = say("open" if marks.get(lesson.name) else "begin", language)
        st.page_link(f"{lesson.name}.py", label=label, icon=":material/arrow_forward:", query_params=query)


for number, chapter in enumerate(catalog.CHAPTERS, 1):
    st.markdown(f"## {chapter.title(language)}", anchors=False)
    with st.container(key=f"chapter-{number}"):
        for lesson in chapter.lessons:
            card(lesson)
state.write_progress()
