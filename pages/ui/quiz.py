"""Questions: predictions that a run answers, and the quiz at the end. Each in a fragment, so an answer is cheap."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from lessons.text import Question, Words
from pages.ui import state
from pages.ui.words import say


def ask(lesson: str, part: str, number: int, question: Question, language: str) -> int | None:
    """One question; once an option is chosen its explanation stands below. Returns the chosen option's index."""
    key = f"{part}.{lesson}.{number}"
    chosen: int | None = st.radio(
        f"**{number + 1}. {question.ask}**",
        range(len(question.options)),
        index=state.get(f"answer {key}"),
        format_func=question.options.__getitem__,
        key=key,
    )
    if chosen is not None:
        state.put(f"answer {key}", chosen)  # a widget's own value is lost when another page is opened
        if chosen == question.right:
            st.success(f"{say('right', language)} {question.why}", icon=":material/check:")
        else:
            answer = question.options[question.right].rstrip(".。")
            st.warning(f"{say('wrong', language, answer=answer)} {question.why}", icon=":material/close:")
    return chosen


@st.fragment
def predict(lesson: str, words: Words, run: Callable[[str, int], None]) -> None:
    """Predict, then run: `run(lesson, number)` sets the question's settings and runs them."""
    st.caption(say("predict_lead", words.language))
    for number, question in enumerate(words.predict):
        chosen = ask(lesson, "predict", number, question, words.language)
        if chosen is None or not question.settings:
            continue
        if st.button(say("predict_run", words.language), key=f"see.{lesson}.{number}", icon=":material/play_arrow:"):
            run(lesson, number)
            state.rerun_page()


@st.fragment
def quiz(lesson: str, words: Words) -> None:
    """The lesson's quiz, with the score once everything is answered."""
    answers = [ask(lesson, "quiz", number, question, words.language) for number, question in enumerate(words.quiz)]
    if not answers or None in answers:
        return
    right = sum(answer == question.right for answer, question in zip(answers, words.quiz, strict=True))
    if right == len(words.quiz):
        state.mark_progress(lesson, "quiz")
        st.success(say("score_all", words.language, all=right), icon=":material/verified:")
    else:
        st.info(say("score", words.language, right=right, all=len(words.quiz)))
