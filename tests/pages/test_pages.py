"""Every page in both languages, drawn and pressed without a browser."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from streamlit.testing.v1 import AppTest

from engine.params import Params
from engine.runs.engine import Run
from lessons import catalog, text
from pages.live.app_state import AppState
from pages.ui.state import query_value
from pages.ui.words import PLAYER, WORDS
from tests.conftest import wait_until
from tests.pages.conftest import page

NAMES = [lesson.name for lesson in catalog.lessons()]
pytestmark = pytest.mark.usefixtures("app_state")


def board(app: AppTest) -> dict[str, object]:
    """The data of the board on the page."""
    (found,) = app.get("bidi_component")
    data: dict[str, object] = json.loads(found.proto.mixed.json or found.proto.json)
    return data


def link(app: AppTest) -> dict[str, str]:
    """The query of the address as it stands."""
    return {key: value if isinstance(value, str) else value[-1] for key, value in app.query_params.items()}


def warnings(app: AppTest) -> list[str]:
    return [one.value for one in app.warning]


def mine(app_state: AppState) -> Run:
    (run,) = app_state.engine.runs()
    return run


def test_the_interface_says_everything_twice() -> None:
    for words in (WORDS, PLAYER):
        for key, (en, zh) in words.items():
            assert en, key
            assert zh, key
            assert set(re.findall(r"{(\w+)}", en)) == set(re.findall(r"{(\w+)}", zh)), key


def test_the_player_has_a_word_for_all_it_says() -> None:
    modules = (catalog.FOLDER.parent / "assets" / "board").rglob("*.js")
    asked = {key for path in modules for key in re.findall(r'\bsay\("(\w+)"', path.read_text("utf-8"))}
    assert asked
    assert asked <= set(PLAYER)


@pytest.mark.parametrize("language", catalog.LANGUAGES)
@pytest.mark.parametrize("name", ["home", "lab", *NAMES])
def test_every_page_is_drawn_in_its_language(name: str, language: str) -> None:
    app = page("" if name == "home" else name, lang=language)
    assert not app.exception
    title = app.main.markdown[0].value.splitlines()[0]
    if name in NAMES:
        assert text.read(name, language).title in title
        assert board(app)["run"] == f"first-{name}"
        assert board(app)["recorded"] is True
    assert link(app).get("lang", "en") == language


@pytest.mark.parametrize("name", NAMES)
def test_every_tab_is_drawn(name: str) -> None:
    from pages.ui.words import say

    app = page(name)
    for part in ("try", "predict", "why", "example", "quiz", "terms", "code", "read_on"):
        app.session_state[f"tabs.{name}"] = say(part, "en")
        app.run()
        assert not app.exception, part


@pytest.mark.parametrize("name", NAMES)
def test_run_makes_a_run_that_the_board_shows(name: str, app_state: AppState) -> None:
    app = page(name)
    app.button(key=f"run.{name}").click().run()
    assert not app.exception
    assert board(app)["run"] == mine(app_state).id
    assert board(app)["recorded"] is False
    assert board(app)["status"] == ""
    assert mine(app_state).job.params == text_values(name)


def as_job(settings: Params) -> Params:
    """Settings as a job has them: what only changes the view stands at its default."""
    kind = type(settings)
    views = {name: kind.model_fields[name].default for name, setting in kind.settings().items() if setting.view_only}
    return settings.model_copy(update=views)


def text_values(name: str) -> dict[str, object]:
    values: dict[str, object] = catalog.params(name)().model_dump(mode="json")
    return values


@pytest.mark.parametrize("name", NAMES)
def test_the_same_settings_again_are_a_new_attempt_once_it_is_over(name: str, app_state: AppState) -> None:
    app = page(name)
    app.button(key=f"run.{name}").click().run()
    first = mine(app_state)
    app.button(key=f"run.{name}").click().run()
    assert mine(app_state) is first  # still going: joined
    app_state.engine.tell(first.id, first.learner, "stop")
    wait_until(lambda: first.ended)
    app.button(key=f"run.{name}").click().run()
    assert len(app_state.engine.runs()) == 2


@pytest.mark.parametrize("name", NAMES)
def test_every_try_runs_with_its_settings(name: str, app_state: AppState) -> None:
    kind = catalog.params(name)
    for number, one in enumerate(text.read(name, "en").tries):
        app = page(name)
        app.button(key=f"try.{name}.{number}").click().run()
        assert not app.exception
        assert warnings(app) == []
        wanted = kind.model_validate(dict(one.settings))
        run = app_state.engine.get(str(board(app)["run"]))
        assert kind.model_validate(run.job.params) == as_job(wanted)
        address = link(app)
        assert "lang" not in address
        assert address.pop("run") == run.id
        assert kind.model_validate(address) == wanted


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_is_offered_and_set(name: str) -> None:
    presets = catalog.part(name, "params").PRESETS
    kind = catalog.params(name)
    for preset, settings in presets.items():
        app = page(name)
        app.selectbox(key=f"preset.{name}").select(preset).run()
        assert not app.exception
        assert kind.model_validate(link(app)) == kind(**settings)


def test_a_link_sets_the_settings_exactly() -> None:
    app = page("gradient_descent", surface="bowl", lr="0.0123456", optimisers="adam,sgd", seed="77")
    assert warnings(app) == []
    assert app.selectbox(key="gradient_descent.surface").value == "bowl"
    assert app.select_slider(key="gradient_descent.lr").value == 0.0123456
    assert board(app)["status"] != ""  # a recording of other settings is on the board, and that is said
    assert link(app) == {
        "surface": "bowl",
        "lr": "0.0123456",
        "optimisers": "adam,sgd",
        "seed": "77",
    }


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"lr": "99"}, ["lr = 99", "0.0001 to 2"]),
        ({"lr": "nan"}, ["lr = 'nan'", "finite number"]),
        ({"lr": ""}, ["lr = ''"]),
        ({"lr": "1e999"}, ["lr"]),
        ({"steps": "12.5"}, ["steps = '12.5'", "whole number"]),
        ({"surface": "moon"}, ["surface = 'moon'", "bowl"]),
        ({"optimisers": "sgd,lion"}, ["'lion'"]),
        ({"optimisers": ""}, ["optimisers needs at least 1"]),
        ({"nonsense": "1"}, ["nonsense is not a setting of this lesson"]),
        ({"seed": "-1"}, ["seed = -1"]),
        ({"lang": "tlh"}, ["lang = 'tlh'", "en, zh"]),
        ({"surface": "formula", "formula": "__import__('os')"}, [""]),
        ({"surface": "formula", "formula": "(" * 150 + "x" + ")" * 150}, [""]),
        ({"surface": "formula", "formula": "9**9**9"}, [""]),
        ({"surface": "formula", "formula": "x +* y"}, [""]),
        ({"lr": "9" * 5000}, ["lr"]),
    ],
)
def test_what_is_wrong_in_a_link_is_named_and_the_rest_kept(query: dict[str, str], says: list[str]) -> None:
    app = page("gradient_descent", momentum="0.5", **query)
    assert not app.exception
    assert len(warnings(app)) == 1
    for part in says:
        assert part in warnings(app)[0]
    assert len(warnings(app)[0]) < 600
    assert app.slider(key="gradient_descent.momentum").value == 0.5
    assert board(app)["run"]


@pytest.mark.parametrize("name", NAMES)
def test_a_browser_that_missed_the_first_drawing_shows_the_links_settings_all_the_same(name: str) -> None:
    # what the session's state says goes out with the first drawing alone; after it a widget's default is all there is
    module = catalog.part(name, "params")
    preset = list(module.PRESETS)[-1]
    app = page(name, lang="zh", **{key: query_value(value) for key, value in module.PRESETS[preset].items()})
    for _ in range(2):
        chosen = app.selectbox(key=f"preset.{name}.zh")
        assert chosen.value == preset
        assert chosen.options[chosen.proto.default] == text.read(name, "zh").presets[preset]
        (switch,) = [one for one in app.sidebar.get("button_group") if one.proto.id.endswith("language_switch")]
        assert list(switch.proto.default) == [list(catalog.LANGUAGES).index("zh")]
        app.run()


def test_two_wrong_values_are_two_messages() -> None:
    app = page("gradient_descent", lr="99", surface="moon")
    assert len(warnings(app)) == 2


def test_a_formula_that_cannot_be_used_stays_to_be_mended(app_state: AppState) -> None:
    app = page("gradient_descent", surface="formula")
    app.text_input(key="gradient_descent.formula").set_value("x +* y").run()
    assert len(warnings(app)) == 1
    assert app.text_input(key="gradient_descent.formula").value == "x +* y"
    app.button(key="run.gradient_descent").click().run()
    assert len(warnings(app)) == 1
    assert app_state.engine.runs() == []
    app.text_input(key="gradient_descent.formula").set_value("x**2 + y**2").run()
    assert warnings(app) == []
    app.button(key="run.gradient_descent").click().run()
    assert mine(app_state).job.params["formula"] == "x**2 + y**2"


def test_the_other_language_keeps_the_settings() -> None:
    app = page("gradient_descent", surface="saddle", lr="0.123")
    app.button_group(key="language_switch").set_value("zh").run()
    assert not app.exception
    assert text.read("gradient_descent", "zh").title in app.main.markdown[0].value
    assert app.select_slider(key="gradient_descent.lr").value == 0.123
    assert link(app)["lang"] == "zh"
    assert link(app)["lr"] == "0.123"


def test_every_run_tells_the_browser_every_value() -> None:
    """The first run may be cut off by another before the browser has heard of it."""
    app = page("gradient_descent", momentum="0.5", surface="saddle", optimisers="sgd,adam", lr="0.123")
    app.run()
    assert list(app.slider(key="gradient_descent.momentum").proto.default) == [0.5]
    assert app.selectbox(key="gradient_descent.surface").proto.default == 2
    rates = app.select_slider(key="gradient_descent.lr").proto
    assert rates.options[int(rates.default[0])] == "0.123"
    chosen = app.get("button_group")[0].proto
    assert [chosen.options[index].content for index in chosen.default] == ["SGD", "Adam"]


def test_settings_outlive_a_visit_to_another_page() -> None:
    app = page("gradient_descent")
    app.slider(key="gradient_descent.momentum").set_value(0.5).run()
    app.switch_page("home.py").run()
    app.query_params.clear()
    app.switch_page("gradient_descent.py").run()
    assert app.slider(key="gradient_descent.momentum").value == 0.5
    assert link(app)["momentum"] == "0.5"


def test_an_address_that_lags_behind_a_move_takes_nothing_back() -> None:
    app = page("gradient_descent")
    app.slider(key="gradient_descent.momentum").set_value(0.5).run()
    app.query_params = {"lr": "0.01"}  # what the browser had when the next widget moved
    app.selectbox(key="gradient_descent.surface").set_value("saddle").run()
    assert link(app) == {"momentum": "0.5", "surface": "saddle"}
    app.query_params = {"lr": "0.01"}  # and this one somebody followed
    app.run()
    assert link(app) == {"lr": "0.01"}


def test_a_live_setting_goes_to_the_run_and_another_is_marked(app_state: AppState) -> None:
    app = page("gradient_descent")
    app.button(key="run.gradient_descent").click().run()
    run = mine(app_state)
    app.slider(key="gradient_descent.momentum").set_value(0.5).run()
    assert board(app)["run"] == run.id  # its only viewer: no copy
    assert board(app)["status"] == ""
    wait_until(lambda: run.live == {"momentum": 0.5})
    app.selectbox(key="gradient_descent.surface").select("bowl").run()
    assert "Settings have changed" in str(board(app)["status"])


def test_a_live_setting_of_a_shared_run_makes_a_private_copy(app_state: AppState) -> None:
    app = page("gradient_descent")
    app.button(key="run.gradient_descent").click().run()
    run = mine(app_state)
    app_state.engine.watch(run.id, "another socket", "another learner")
    app.slider(key="gradient_descent.momentum").set_value(0.5).run()
    assert not app.exception
    assert board(app)["run"] != run.id
    assert run.live == {}


def test_a_quiz_answered_right_finishes_the_lesson() -> None:
    name = NAMES[0]
    app = page(name)
    app.session_state[f"tabs.{name}"] = "Quiz"
    app.run()
    questions = text.read(name, "en").quiz
    app.radio(key=f"quiz.{name}.0").set_value((questions[0].right + 1) % len(questions[0].options)).run()
    assert "Not quite" in app.warning[0].value
    assert questions[0].why[:20] in app.warning[0].value
    for number, question in enumerate(questions):
        app.radio(key=f"quiz.{name}.{number}").set_value(question.right).run()
    assert not app.exception
    assert "This lesson is done" in app.success[-1].value
    app.switch_page("home.py").run()
    assert link(app)["done"] == name


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_contents_are_a_course_that_knows_where_one_is(language: str) -> None:
    app = page("", lang=language)
    titles = [text.read(name, language).title for name in NAMES]
    cards = [one.value for one in app.main.markdown if one.value.startswith("#### ")]
    assert [card.split("\n")[0] for card in cards] == [f"#### {n} · {title}" for n, title in enumerate(titles, 1)]
    first, *_ = app.main.get("page_link")
    assert first.proto.label.endswith(f"1 · {titles[0]}") or f"1 · {titles[0]}" in first.proto.label
    for lesson, card in zip(catalog.lessons(), cards, strict=True):
        assert str(lesson.minutes) in card
        assert all(f"{NAMES.index(one) + 1} · {text.read(one, language).title}" in card for one in lesson.after)
        assert all(NAMES.index(one) < NAMES.index(lesson.name) for one in lesson.after)
    some = page("", lang=language, done=",".join(NAMES[:2]))
    go_on, *_ = some.main.get("page_link")
    assert f"3 · {titles[2]}" in go_on.proto.label
    here = [one.value for one in some.main.markdown if ("you are here" in one.value or "学到这里" in one.value)]
    assert len(here) == 1
    assert titles[2] in here[0]


def test_a_prediction_is_explained_and_then_run(app_state: AppState) -> None:
    name = NAMES[0]
    app = page(name)
    app.session_state[f"tabs.{name}"] = "Predict"
    app.run()
    question = text.read(name, "en").predict[0]
    app.radio(key=f"predict.{name}.0").set_value(question.right).run()
    assert "Right." in app.success[0].value
    app.button(key=f"see.{name}.0").click().run()
    assert not app.exception
    wanted = catalog.params(name).model_validate(dict(question.settings))
    assert catalog.params(name).model_validate(mine(app_state).job.params) == as_job(wanted)


def test_progress_comes_back_with_a_bookmarked_address() -> None:
    app = page(done=f"{NAMES[0]},no_such_lesson")
    assert not app.exception
    assert link(app)["done"] == NAMES[0]


def test_the_engine_room_lists_runs_and_stops_ones_own(app_state: AppState) -> None:
    app = page(NAMES[0])
    app.button(key=f"run.{NAMES[0]}").click().run()
    run = mine(app_state)
    app.switch_page("lab.py").run()
    assert not app.exception
    assert any(run.id in one.value for one in app.main.markdown)
    app.button(key=f"stop.{run.id}").click().run()
    wait_until(lambda: run.ended)


def test_a_run_that_is_gone_is_said_and_the_recording_is_back(app_state: AppState) -> None:
    app = page(NAMES[0])
    app.button(key=f"run.{NAMES[0]}").click().run()
    app_state.engine._registry.pop(mine(app_state).id).record.remove()
    app.run()
    assert not app.exception
    assert board(app)["run"] == f"first-{NAMES[0]}"
    assert "no longer kept" in str(board(app)["status"])


OPEN_ALL = """
import sys, tempfile, pathlib
from streamlit.testing.v1 import AppTest
from engine.backends.fake import FakeBackend
from engine.runs.engine import Engine
from lessons import catalog
from pages.live.hub import Hub
from pages.live.app_state import AppState, open_app_state
backend = FakeBackend(lambda job: catalog.lesson(job.lesson).folder / "demo.run")
engine = Engine(backend, pathlib.Path(sys.argv[1]) / "runs")
engine.start()
open_app_state(AppState(engine, Hub(engine)))
for name in ["home", "lab", *(lesson.name for lesson in catalog.lessons())]:
    app = AppTest.from_file("pages/main.py", default_timeout=30)
    app.switch_page(f"{name}.py")
    app.run()
    assert not app.exception, (name, app.exception)
    if name not in ("home", "lab"):
        app.button(key=f"run.{name}").click().run()
        assert not app.exception, (name, app.exception)
import app as server
heavy = [one for one in ("torch", "sklearn", "scipy", "ray", "transformers") if one in sys.modules]
assert not heavy, heavy
engine.close()
"""


def test_no_page_imports_torch(tmp_path: object) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OPEN_ALL, str(tmp_path)],
        cwd=catalog.FOLDER.parent,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
