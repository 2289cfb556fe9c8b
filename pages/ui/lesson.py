"""The shape of every lesson's page: settings and board first, then what to try, to guess, to read."""

from __future__ import annotations

import functools
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import orjson
import streamlit as st

from engine.params import File, MultiChoice, NamedNumbers, Params, Picture, checked
from engine.runs.engine import Run
from engine.types import ENDED, Problem, Values
from lessons import catalog, text
from pages.live.app_state import AppState, app_state
from pages.ui import controls, data, quiz, state
from pages.ui.words import as_text, listed, player, say

LOADER = """
export default function (component) {{
  const {{ data, parentElement }} = component;
  if (data.focus && window.torchroomFocus !== data.focus) {{  // a run begun from the texts below: look at it
    window.torchroomFocus = data.focus;
    const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
    parentElement.closest('[data-testid="stMain"]')?.scrollTo({{ top: 0, behavior }});
  }}
  for (const module of {modules}) {{  // all at once, not one round for each level of imports
    const href = new URL(module, new URL("{folder}", location.origin)).href;
    if (document.querySelector(`link[href="${{href}}"]`)) continue;
    document.head.append(Object.assign(document.createElement("link"), {{ rel: "modulepreload", href }}));
  }}
  let closed = false, close = null;
  import(new URL("{folder}index.js", location.origin)).then((board) => {{
    if (!closed) close = board.default(component);
  }});
  return () => {{ closed = true; if (close) close(); }};
}}
"""


def show(name: str) -> None:
    """Draws the page of a lesson."""
    words = text.read(name, state.language())
    visit = state.visit(name)
    heading(name, words)
    visit.whole = True
    workbench(name)
    visit.whole = False
    reading(visit, words)


@st.fragment
def workbench(name: str) -> None:
    """Settings and board. A fragment: a slider that moves draws this again, not the texts below."""
    language = state.language()
    words = text.read(name, language)
    visit = state.visit(name)
    if visit.asked:
        take_up(visit)
    figures = catalog.figures(name)
    with st.container(key="messages"):  # there even if empty: what stood before the board would move and mount it anew
        said = [] if controls.in_box(visit) else visit.problems
        for problem in filter(None, [state.language_problem(), *said]):
            st.warning(as_text(problem.say(language)), icon=":material/error:")
        for remark in figures.remarks(visit.params):
            st.info(as_text(remark.say(language)), icon=":material/info:")
    left, right = st.columns([1, 3], gap="medium")
    with left:
        with st.container(key="start", gap="small"):
            start(visit, words)
        with st.container(key="settings", gap="small"):
            if "data" in type(visit.params).model_fields:
                data.offer(language)
            controls.draw(visit, words, changed)
    with right:
        draw_board(visit, words)
    state.write_link(visit)
    if not visit.whole and visit.listed not in (None, visit.params):
        state.again()  # the program in the open tab has other settings by now


def heading(name: str, words: text.Words) -> None:
    """Title, lead, minutes, and what to know before: one element."""
    language = words.language
    lesson = catalog.lesson(name)
    notes = [say("minutes", language, n=lesson.minutes)]
    if lesson.after:
        names = listed((text.read(one, language).title for one in lesson.after), language)
        notes.append(say("after", language, lessons=names))
    st.markdown(f"# {words.title} :small[:gray[{' · '.join(notes)}]]\n{words.lead}", anchors=False)


# what the buttons do: callbacks, before the page is drawn again


def press(name: str) -> None:
    """Run: what was typed into the board's box on the way to the button counts."""
    if not typed(name):
        submit(name)


def submit(name: str) -> None:
    """A run of the settings as they stand; the same settings again are a new attempt."""
    visit = state.acting(name)
    if visit.drafts:  # something typed cannot be used: the message about it stays
        return
    room = app_state()
    job = catalog.job(name, visit.params)
    values = dict(job.params)
    try:
        again = visit.applied == values and visit.run is not None and room.engine.get(visit.run).status in ENDED
        again = again and not (visit.lent and room.engine.going(job))  # of a class that came by one link, one begins it
    except Problem:
        again = False
    before = visit.run or room.first(name)
    try:
        visit.run = room.engine.submit(job, state.learner(), again=again).id
    except Problem as problem:
        visit.problems = [problem]
        return
    room.hub.turn(state.learner(), before, visit.run)
    shown(visit, visit.run)


def shown(visit: state.LessonSession, run: str) -> None:
    """The board has a run of the visit's own settings."""
    visit.run = run
    visit.applied = visit.job_values()
    visit.problems = []
    visit.gone = visit.lent = False
    state.mark(visit.lesson, "ran")


def typed(name: str) -> bool:
    """The board's box sent another text: it is taken. Returns whether there was one that had not been heard of.

    Mostly the board has begun its run already; only where it could not, or the run is of other settings, one is begun.
    """
    visit = state.acting(name)
    sent = state.component(f"board.{name}", "box") or {}
    field = next((one for one, control in type(visit.params).controls() if getattr(control, "board", False)), None)
    number, text, run = (sent.get(key) for key in ("n", "text", "run"))
    if field is None or not isinstance(number, int) or not isinstance(text, str) or number <= visit.heard:
        return False
    visit.heard = number
    if visit.take({field: text}):
        job = catalog.job(name, visit.params)
        try:
            begun = app_state().engine.get(str(run)).job == job if run else False
        except Problem:
            begun = False
        if begun:
            shown(visit, str(run))
        elif visit.applied != job.params:
            submit(name)
    return True


def take_up(visit: state.LessonSession) -> None:
    """Puts the run that the address names on the board, if it is one of this lesson that can still be shown."""
    asked, visit.asked = visit.asked, ""
    if asked == visit.run:
        return
    try:
        run = app_state().engine.get(asked)
        checked(type(visit.params), run.params)
    except Problem as problem:
        visit.gone = True
        if app_state().engine.has(asked):  # it is there, but not to be had: why is worth saying
            visit.problems = [*visit.problems, problem]
        return
    if run.job.lesson != visit.lesson or run.shipped:
        visit.gone = True
        return
    visit.run, visit.applied, visit.gone, visit.lent = run.id, dict(run.params), False, True


def forked(name: str) -> None:
    """The fork button: a new run goes on from a step of the one on the board, with the settings as they stand."""
    asked = dict(state.component(f"board.{name}", "fork") or {})
    visit = state.acting(name)
    source, step = asked.get("run"), asked.get("step")
    if visit.drafts or not isinstance(source, str) or not isinstance(step, int):
        return
    room = app_state()
    try:
        if room.engine.get(source).job.lesson == name:
            run = room.engine.fork(source, step, catalog.job(name, visit.params), state.learner()).id
            room.hub.turn(state.learner(), source, run)
            shown(visit, run)
    except Problem as problem:
        visit.problems = [problem]


def changed(name: str, setting: str) -> None:
    """A widget moved: the visit takes its value, and a run that goes on takes it too if the setting is a live one."""
    visit = state.acting(name)
    if setting == "another seed":
        visit.take({"seed": state.new_seed()})
        return
    control = dict(type(visit.params).controls())[setting]
    value = controls.value_of(name, setting, state.language())
    if isinstance(control, Picture):
        value = upload(visit, value)
        if value is None:
            return
    further = brought(visit, setting, value) if isinstance(control, File) else {setting: value}
    if further is None or not visit.take(further):
        return
    if control.live and not control.view:
        tell(visit, setting)
    elif visit.params.continues_run and not control.view:
        carry(visit)
    if getattr(control, "runs", False) and visit.applied != visit.job_values():
        submit(name)


def upload(visit: state.LessonSession, file: Any) -> str | None:
    """Keeps an uploaded picture and returns its digest, "" for none; None if it cannot be used, which is said."""
    if file is None:
        return ""
    from engine.datasets.picture import decode  # Pillow is loaded only where a picture comes

    content = file.getvalue()
    try:
        decode(content)
        return app_state().engine.put(content, state.learner())
    except Problem as problem:
        visit.problems = [problem]
        return None


def brought(visit: state.LessonSession, setting: str, file: Any) -> Values | None:
    """Keeps an uploaded file: the settings that come of it, None if it cannot be used, which is said."""
    if file is None:
        return None
    content = file.getvalue()
    try:
        further = catalog.figures(visit.lesson).on_upload(visit.params, setting, content)
        return {**further, setting: app_state().engine.put(content, state.learner())}
    except Problem as problem:
        visit.problems = [problem]
        return None


def tell(visit: state.LessonSession, setting: str) -> None:
    """Passes a live setting on to the run on the board, which may move to a private copy for it."""
    if visit.run is None or visit.applied is None:
        return
    engine = app_state().engine
    value = visit.job_values()[setting]
    try:
        if engine.get(visit.run).status in ENDED or visit.applied.get(setting) == value:
            return
        visit.run = engine.tell(visit.run, state.learner(), "set", {setting: value})
    except Problem as problem:
        visit.problems = [problem]
        return
    visit.applied = {**visit.applied, setting: value}


def carry(visit: state.LessonSession) -> bool:
    """The run on the board goes on with the settings as they stand, as a fork from where it is.

    Returns whether there is one that could: of the learner's own, and not at the end of its steps.
    """
    room = app_state()
    before = visit.run
    job = catalog.job(visit.lesson, visit.params)
    if before is None or visit.applied == dict(job.params):
        return False
    try:
        run = room.engine.get(before)
        if run.shipped or not run.marks or run.step >= job.params.get("steps", run.total):
            return False
        fork = room.engine.fork(before, None, job, state.learner())
    except Problem as problem:
        visit.problems = [problem]
        return True
    room.hub.turn(state.learner(), before, fork.id)
    shown(visit, fork.id)
    return True


def adopt(name: str, settings: Mapping[str, Any], fresh: bool, go: bool) -> None:
    """Takes several settings at once, over the defaults if `fresh`, and runs them if `go`."""
    visit = state.acting(name)
    base = type(visit.params)().model_dump() if fresh else {}
    if fresh:
        visit.drafts = {}
    if visit.take({**base, **settings}) and go:
        submit(name)


def try_it(name: str, number: int) -> None:
    state.acting(name).focus = secrets.token_hex(4)
    adopt(name, text.read(name, state.language()).tries[number].settings, fresh=True, go=True)


def answer_by_run(name: str, number: int) -> None:
    state.acting(name).focus = secrets.token_hex(4)
    adopt(name, text.read(name, state.language()).predict[number].settings, fresh=True, go=True)


def choose_preset(name: str) -> None:
    chosen = state.get(controls.worded(f"preset.{name}", state.language()))
    presets = catalog.presets(name)
    if chosen in presets:
        adopt(name, presets[chosen], fresh=True, go=False)


def reset(name: str) -> None:
    adopt(name, {}, fresh=True, go=False)
    state.acting(name).problems = []


def chosen(name: str) -> None:
    """A gesture on a figure chose settings ("choose"): they are taken, and run at once if they make another run."""
    picked = dict(state.component(f"board.{name}", "choose") or {})
    picked.pop("n", None)
    now = state.acting(name).params
    known = dict(type(now).controls())
    picked = {field: value for field, value in picked.items() if field in known}
    try:
        picked = catalog.figures(name).on_choose(now, picked)
    except Problem as problem:
        state.acting(name).problems = [problem]
        return
    for field, value in picked.items():
        control = known[field]
        if isinstance(control, MultiChoice) and isinstance(value, str):
            picked[field] = control.toggled(getattr(now, field), value)
        elif isinstance(control, NamedNumbers) and isinstance(value, str):
            picked[field] = control.put(getattr(now, field), value)
    if picked:
        runs = any(not known[field].view for field in picked)
        carries = runs and now.continues_run
        adopt(name, picked, fresh=False, go=runs and not carries)
        visit = state.acting(name)
        if carries and not visit.drafts and visit.params != now and not carry(visit):
            submit(name)


def moved(name: str) -> None:
    """The board moved to a private copy of its run."""
    run = state.component(f"board.{name}", "run")
    if isinstance(run, str) and run:
        visit = state.acting(name)
        try:
            found = app_state().engine.get(run)
        except Problem:
            return
        if found.job.lesson == name:
            visit.run = run
            visit.applied = dict(found.params)


# parts of the page


def start(visit: state.LessonSession, words: text.Words) -> None:
    """Preset, Run, Reset."""
    name, language = visit.lesson, words.language
    presets = catalog.presets(name)
    if presets:
        kind = type(visit.params)
        current = visit.params.changed()
        match = next((one for one, settings in presets.items() if preset_of(kind, one) == current), None)
        options = [*presets] if match else ["", *presets]
        key = controls.worded(f"preset.{name}", language)
        state.seed(key, match or "")
        first = state.first(key, match or "")  # or a browser that missed the first drawing would send the first preset
        st.selectbox(
            say("preset", language),
            options,
            options.index(first) if first in options else 0,
            format_func=lambda one: words.presets.get(one, one) if one else say("own", language),
            key=key,
            on_change=choose_preset,
            args=(name,),
            label_visibility="collapsed",
        )
    with st.container(horizontal=True, gap="small"):
        st.button(
            say("run", language),
            key=f"run.{name}",
            type="primary",
            icon=":material/play_arrow:",
            help=say("run_help", language),
            on_click=press,
            args=(name,),
            shortcut="Ctrl+Enter",
            width="stretch",
        )
        st.button(
            "",
            key=f"reset.{name}",
            icon=":material/restart_alt:",
            help=say("reset_help", language),
            on_click=reset,
            args=(name,),
        )


@functools.lru_cache(maxsize=256)
def preset_of(kind: type[Params], preset: str) -> Values:
    """What a preset changes, as `Params.changed` would say it."""
    presets = catalog.presets(kind.__module__.split(".")[-2])
    return kind(**presets[preset]).changed()


def draw_board(visit: state.LessonSession, words: text.Words) -> None:
    """The board with the run it shows: the learner's own, or the lesson's recording."""
    name, language = visit.lesson, words.language
    room = app_state()
    run = None
    if visit.run is not None:
        try:
            run = room.engine.get(visit.run)
        except Problem:
            visit.run, visit.applied, visit.gone = None, None, True
    recorded = run is None
    if run is None:
        first = room.first(name)
        run = room.engine.get(first) if first else None
    values = visit.job_values() if run is None else run.params
    status = ""
    if visit.gone:
        status = say("gone", language)
    elif run is None:
        status = say("not_here", language)
    elif recorded:
        status = say("recorded" if values == visit.job_values() else "linked", language)
    elif visit.applied != visit.job_values():
        status = say("changed", language)
    elif run.origin and room.engine.has(run.origin[0]):
        status = lineage(room, run, words)
    component(room)(
        key=f"board.{name}",
        data={
            "spec": board_spec(room, name, language, {**values, **visit.views()}),
            "run": None if run is None else run.id,
            "ticket": room.ticket(state.learner()),
            "asks": catalog.figures(name).asks(visit.params),
            "recorded": recorded and run is not None,
            "autoplay": run is not None,
            "status": status,
            "focus": visit.focus,
            "box": controls.box(visit, words),
            "assets": {one: room.assets.url(one) for one in ("board.css", "plotly.min.js")},
        },
        on_run_change=functools.partial(moved, name),
        on_choose_change=functools.partial(chosen, name),
        on_fork_change=functools.partial(forked, name),
        on_box_change=functools.partial(typed, name),
    )


def lineage(room: AppState, run: Run, words: text.Words) -> str:
    """What a fork has changed, and since when."""
    assert run.origin
    source, step = run.origin
    try:
        before = room.engine.get(source).params
    except Problem:
        return ""
    changed = []
    for one, value in run.params.items():
        if one in before and before[one] != value:
            label = words.controls[one].label if one in words.controls else one
            changed.append(f"{label} {state.written(before[one])} → {state.written(value)}")
    key = "forked" if changed else "forked_same"
    return say(key, words.language, step=step, changed=", ".join(changed))


def component(room: AppState) -> Any:
    """The board as a Streamlit component. Inline code is sent with every rerun, so it only loads the modules."""
    folder = room.assets.url("")
    if room.board is None or room.board[0] != folder:
        js = LOADER.format(folder=folder, modules=json.dumps(room.assets.modules()))
        room.board = (folder, st.components.v2.component("torchroom_board", js=js, isolate_styles=False))
    return room.board[1]


def board_spec(room: AppState, name: str, language: str, values: Values) -> str:
    """Where the browser finds the board's figures as drawn for `values`."""
    key = (name, language, json.dumps(values, sort_keys=True), text.changed(name, language))
    url = room.drawn.get(key)
    if url is None or not room.specs.has(url):
        url = room.specs.put(make_spec(name, language, catalog.params(name)(**values)))
        room.drawn[key] = url
        while len(room.drawn) > 1024:
            room.drawn.pop(next(iter(room.drawn)))
    return url


def make_spec(name: str, language: str, params: Params) -> bytes:
    """The board spec as JSON."""
    words = text.read(name, language)
    figures = catalog.figures(name).draw(params, words)
    listed = []
    names: dict[str, str] = {}
    for figure in figures.values():
        said = words.figures[figure.id]
        listed.append(
            {**asdict(figure), "title": said.title, "caption": said.caption, "alt": said.alt, "reading": said.reading}
        )
        names |= said.labels
    for control in words.controls.values():
        names |= control.options
    spec = {"lesson": name, "figures": listed, "names": names, "ui": player(language), "language": language}
    return orjson.dumps(spec, option=orjson.OPT_SERIALIZE_NUMPY)


def reading(visit: state.LessonSession, words: text.Words) -> None:
    """What stands under the board, in tabs."""
    name, language = visit.lesson, words.language
    drawers: dict[str, Callable[[state.LessonSession, text.Words], object]] = {
        "try": tries,
        "predict": lambda visit, words: quiz.predict(name, words, answer_by_run),
        "why": lambda visit, words: blocks(words.why),
        "example": lambda visit, words: blocks(words.example),
        "quiz": lambda visit, words: quiz.quiz(name, words),
        "terms": terms,
        "code": code,
        "read_on": lambda visit, words: st.markdown("\n".join(f"- {one}" for one in words.read_on)),
    }
    visit.listed = None
    tabs = st.tabs([say(part, language) for part in drawers], key=f"tabs.{name}", on_change=state.act)
    for tab, draw in zip(tabs, drawers.values(), strict=True):
        if tab.open:
            with tab:
                draw(visit, words)


def tries(visit: state.LessonSession, words: text.Words) -> None:
    """Things to try; a click on one sets its settings and runs them."""
    for number, one in enumerate(words.tries):
        st.button(
            one.text,
            key=f"try.{visit.lesson}.{number}",
            icon=":material/play_arrow:",
            on_click=try_it,
            args=(visit.lesson, number),
            width="stretch",
            wrap=True,
        )


def terms(visit: state.LessonSession, words: text.Words) -> None:
    st.markdown("\n".join(f"- **{term}**: {meaning}" for term, meaning in words.terms.items()))


def code(visit: state.LessonSession, words: text.Words) -> None:
    """The program of the lesson with the settings as they stand, to read and to take away."""
    visit.listed = visit.params
    program = catalog.script(visit.lesson, visit.params)
    st.caption(say("code_lead", words.language))
    st.download_button(
        say("download", words.language),
        program,
        f"{visit.lesson}.py",
        "text/x-python",
        key=f"download.{visit.lesson}",
        icon=":material/download:",
        on_click="ignore",
    )
    st.code(program, "python", height=520)


def blocks(found: tuple[text.Block, ...]) -> None:
    """Blocks of text: neighbours in one element, folded ones by themselves."""
    together: list[str] = []
    for block in found:
        if block.folded:
            if together:
                st.markdown("\n\n".join(together), anchors=False)
                together = []
            with st.expander(block.heading):
                st.markdown(block.body, anchors=False)
        else:
            together.append(f"### {block.heading}\n\n{block.body}" if block.heading else block.body)
    if together:
        st.markdown("\n\n".join(together), anchors=False)
