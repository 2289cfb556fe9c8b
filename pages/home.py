"""The contents: chapters, lessons, how long each takes, what one will be able to do, and how far one has come."""

from __future__ import annotations

import streamlit as st

from lessons import catalog, text
from pages.ui import state
from pages.ui.words import say

language = state.language()
marks = state.marks()
st.markdown(f"# {say('app', language)}\n### {say('motto', language)}\n{say('promise', language)}", anchors=False)

names = [lesson.name for lesson in catalog.lessons()]
done = sum(marks.get(name) == "quiz" for name in names)
if any(marks.get(name) for name in names):
    st.progress(done / len(names), say("progress", language, done=done, all=len(names)))
if done:
    st.caption(say("keep", language))

STATES = {"seen": "seen", "ran": "ran", "quiz": "mastered"}
for chapter in catalog.CHAPTERS:
    st.markdown(f"## {chapter.title(language)}", anchors=False)
    for lesson in chapter.lessons:
        words = text.read(lesson.name, language)
        notes = [say("minutes", language, n=lesson.minutes)]
        if lesson.after:
            before = ", ".join(text.read(one, language).title for one in lesson.after)
            notes.append(say("after", language, lessons=before))
        if marks.get(lesson.name):
            notes.append(say(STATES[marks[lesson.name]], language))
        with st.container(border=True, key=f"card-{lesson.name}"):
            st.markdown(f"#### {words.title}\n{words.lead}\n\n:small[:gray[{' · '.join(notes)}]]", anchors=False)
            label = say("open" if marks.get(lesson.name) else "begin", language)
            query = {"lang": language} if language != state.preferred() else None
            st.page_link(f"{lesson.name}.py", label=label, icon=":material/arrow_forward:", query_params=query)
state.write_progress()
