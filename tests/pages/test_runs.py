"""A run in the address: shown again by whoever comes with it, with its settings, or said to be gone."""

from __future__ import annotations

from typing import cast

import pytest
from streamlit.testing.v1 import AppTest

from engine.backends.fake import FakeBackend
from engine.types import Job
from lessons import catalog
from pages.live.app_state import AppState
from tests.conftest import wait_until
from tests.pages.conftest import page
from tests.pages.test_pages import board, link, mine, warnings

NAME = "gradient_descent"


def ran(app_state: AppState, app: AppTest) -> str:
    app.button(key=f"run.{NAME}").click().run()
    run = mine(app_state)
    wait_until(lambda: run.ended)
    app.run()
    return run.id


def test_the_address_names_the_run_and_brings_it_back(app_state: AppState) -> None:
    run = ran(app_state, page(NAME, steps="60"))
    app = page(NAME, steps="60")
    assert "run" not in link(app)
    assert str(board(app)["run"]).startswith("first-")
    app = page(NAME, steps="60", run=run)
    assert not app.exception
    assert (board(app)["run"], board(app)["status"], board(app)["recorded"]) == (run, "", False)
    assert link(app) == {"steps": "60", "run": run}
    app.selectbox(key=f"{NAME}.surface").select("bowl").run()
    assert "Settings have changed" in str(board(app)["status"])


def test_a_class_that_comes_by_one_link_and_presses_run_makes_one_run(app_state: AppState) -> None:
    run = ran(app_state, page(NAME))
    cast(FakeBackend, app_state.engine.backend).tick_s = 1.0  # the next run is under way as long as the class arrives
    for _ in range(3):
        page(NAME, run=run).button(key=f"run.{NAME}").click().run()
    assert len(app_state.engine.runs()) == 2


@pytest.mark.parametrize("name", ["gradient_descent-00000000", "../x", "first-gradient_descent", "first-cifar10"])
def test_a_run_that_is_not_there_is_said_and_the_settings_stay(app_state: AppState, name: str) -> None:
    app = page(NAME, lr="0.02", run=name)
    assert not app.exception
    assert "no longer kept" in str(board(app)["status"])
    assert str(board(app)["run"]).startswith("first-")
    assert link(app) == {"lr": "0.02"}


def test_a_run_of_another_lesson_is_not_shown(app_state: AppState) -> None:
    values = catalog.params("activations")().model_dump(mode="json")
    other = app_state.engine.submit(Job(catalog.lesson("activations").entry, values, 0), "ada")
    app = page(NAME, run=other.id)
    assert not app.exception
    assert str(board(app)["run"]).startswith("first-")


def test_what_a_fork_changed_is_said_in_the_pages_words(app_state: AppState) -> None:
    from lessons import text
    from pages.ui.board_view import fork_summary

    run = app_state.engine.get(ran(app_state, page(NAME)))
    other = catalog.job(NAME, catalog.params(NAME).model_validate({"lr": 0.02}))
    record = run.record.copy(app_state.engine.library.path("gradient_descent-fork"), 5, other, (run.id, 5))
    record.end("stopped")
    record.close()
    fork = app_state.engine.get("gradient_descent-fork")
    said = fork_summary(fork, text.read(NAME, "en"))
    assert "Forked at step 5: Learning rate: SGD, momentum, Nesterov 0.07 → 0.02." in said
    assert "从第 5 步分叉" in fork_summary(fork, text.read(NAME, "zh"))
    app = page(NAME, lr="0.02", run=fork.id)
    assert "Forked at step 5" in str(board(app)["status"])
    assert warnings(app) == []
