"""The engine room: devices and workers, runs with their places in the queue, and a way to stop one's own.

A run that was saved as a file can be opened here.
"""

from __future__ import annotations

import streamlit as st

from engine.records.record import EXPORT_BYTES
from engine.types import ENDED, Problem
from lessons import catalog, text
from lessons.import_check import validate
from pages.live.app_state import app_state
from pages.ui import state
from pages.ui.words import as_text, say

# Runs in the table.
NEWEST = 30

language = state.language()


def on_stop(run: str) -> None:
    """Callback: a run of one's own ends; others who watch it keep it."""
    try:
        app_state().engine.tell(run, state.learner(), "stop")
    except Problem as problem:
        state.put("lab problem", problem)


def cell(value: object) -> str:
    """A value inside a Markdown table."""
    return str(value).replace("|", "\\|").replace("\n", " ")


def table(head: list[str], rows: list[list[object]]) -> str:
    """A Markdown table."""
    lines: list[list[object]] = [[*head], ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell(value) for value in line) + " |" for line in lines)


@st.fragment(run_every=2.0)
def draw_workers_and_runs() -> None:
    """Redrawn every two seconds: few look at this page, and it is text."""
    engine = app_state().engine
    words = [say(key, language) for key in ("col_device", "col_state", "col_runs")]
    runs = engine.runs()
    rows: list[list[object]] = [
        [
            f"{worker['device']} {worker.get('name', '')}",
            say(f"worker_{worker['state']}", language),
            sum(run.worker == worker["worker"] and run.status == "running" for run in runs),
        ]
        for worker in engine.devices()
    ]
    st.markdown(f"### {say('workers', language)}\n\n{table(words, rows)}", anchors=False)
    for cause in engine.problems():
        st.warning(as_text(cause.say(language)), icon=":material/error:")
    problem = state.get("lab problem")
    if problem:
        st.warning(as_text(problem.say(language)), icon=":material/error:")
        state.put("lab problem", None)
    if not runs:
        st.info(say("no_runs", language))
        return
    head = [say(f"col_{key}", language) for key in ("lesson", "state", "place", "step", "rate", "viewers", "who")]
    going = [run for run in runs if run.status not in ENDED]
    ended = [run for run in runs if run.status in ENDED]
    shown = (going + ended[::-1])[:NEWEST]
    rows = [
        [
            f"{text.read(run.job.lesson, language).title} `{run.id}`",
            say(f"status_{run.status}", language),
            engine.place(run) or "",
            f"{max(run.step, 0)} / {run.total or '?'}",
            f"{run.rate:.0f}" if run.status == "running" else "",
            len(run.viewers),
            say("mine", language) if run.learner == state.learner() else "",
        ]
        for run in shown
    ]
    st.markdown(f"### {say('runs', language)}\n\n{table(head, rows)}", anchors=False)
    for run in going:
        if run.learner == state.learner():
            st.button(
                say("stop_mine", language, run=run.id), key=f"stop.{run.id}", on_click=on_stop, args=(run.id,),
                icon=":material/stop:",
            )  # fmt: skip


def draw_import() -> None:
    """A run that somebody saved: checked, kept with the others, and shown by its lesson."""
    st.markdown(f"### {say('bring', language)}\n\n{say('bring_lead', language)}", anchors=False)
    most = EXPORT_BYTES // 1_000_000
    file = st.file_uploader(
        say("bring_file", language, most=most), type="run", max_upload_size=most, key=f"bring.{language}"
    )
    if file is None:
        return
    try:
        run = app_state().engine.import_run(file.getvalue(), validate)
    except Problem as problem:
        st.warning(as_text(problem.say(language)), icon=":material/error:")
        return
    lesson = run.job.lesson
    title = text.read(lesson, language).title
    st.markdown(say("brought", language, lesson=title, steps=run.step, run=run.id))
    changed = catalog.params(lesson)(**run.job.params).changed()
    settings = {name: state.query_value(value) for name, value in changed.items()}
    st.page_link(
        f"{lesson}.py", label=say("bring_show", language), icon=":material/play_arrow:",
        query_params={**settings, "run": run.id},
    )  # fmt: skip


st.markdown(f"# {say('lab', language)}\n{say('lab_lead', language)}", anchors=False)
with st.container(key="engine"):
    draw_workers_and_runs()
draw_import()
state.write_address(None)
