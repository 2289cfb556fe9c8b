"""The activations lesson in a real browser: nine boundaries move, the dashed line is dragged, depth answers."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Tab

pytestmark = pytest.mark.browser

TITLE = {"en": "Activations", "zh": "激活函数"}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_opens_alive_in_either_language_and_trains(tab: Tab, language: str) -> None:
    tab.with_motion()
    seed = 2 + list(TITLE).index(language)  # an equal run would be the one that another test has made
    tab.open(f"activations?lang={language}&seed={seed}&steps=1500")
    tab.until("board.run?.status === 'recorded' && board.head > 10 && board.counters.drawn.boundaries > 2")
    assert TITLE[language] in tab.page.get_by_role("heading", level=1).first.inner_text()
    assert tab.board("board.spec.language") == language
    tab.run()
    drawn = tab.board("board.counters.drawn.boundaries")
    tab.until(f"board.run.status !== 'recorded' && board.counters.drawn.boundaries > {drawn} + 5")
    tab.until("board.figures.get('boundaries').names[3].includes('%')")
    tab.until("board.figures.get('boundaries').data.tiles.shape.join() === '9,24,24'")
    said = tab.board("board.figures.get('boundaries').names")
    assert len(said) == 9
    assert all(re.search(r"\n[\d.]+ % · \S+ [\d.]+ %$", one) for one in said), said


def test_the_dashed_line_is_dragged_and_no_run_is_started(tab: Tab) -> None:
    tab.open("activations?functions=sigmoid,relu&x=-1")
    tab.until("board.counters.drawn.shape > 0 && board.head > 0")
    run = tab.board("board.run.id")
    area = tab.page.locator("[data-figure=shape] .nsewdrag").first.bounding_box()
    assert area
    shape = "board.figures.get('shape')"
    handle = f"{shape}.filled().find((trace) => trace.name === 'Sigmoid •')"
    assert tab.board(f"{handle}.x[0]") == -1
    y = area["y"] + area["height"] / 2
    tab.page.mouse.move(area["x"] + area["width"] * 5 / 12, y)
    tab.page.mouse.down()
    tab.page.mouse.move(area["x"] + area["width"] * 0.6, y, steps=3)
    tab.page.mouse.move(area["x"] + area["width"] * 8 / 12, y, steps=3)  # x = 2, before it is let go
    tab.until(f"Math.abs({handle}.x[0] - 2) < 0.11")
    at = tab.board(f"[{handle}.x[0], {handle}.y[0]]")
    tab.until(f"Math.abs({shape}.say.value - {at[1]}) < 1e-9")
    tab.page.mouse.up()
    tab.until(f"{shape}.handles.at === null && Math.abs({handle}.x[0] - {at[0]}) < 1e-9")  # the page has taken it over
    assert tab.board(f"{handle}.y[0]") == pytest.approx(at[1], abs=1e-8)
    tab.rested()
    assert f"x={at[0]:g}" in tab.page.url
    assert tab.board("board.run.id") == run
    expect(tab.page.locator("[data-figure=shape] .tr-reading")).to_contain_text(f"x = {at[0]:g}")
    slider = tab.page.get_by_role("slider", name=re.compile("Input x"))
    slider.focus()
    tab.page.keyboard.press("ArrowRight")  # the keyboard's way
    tab.until(f"Math.abs({handle}.x[0] - {at[0]} - 0.05) < 1e-9")


def test_depth_answers_once_and_again_when_its_settings_change(tab: Tab) -> None:
    tab.open("activations?functions=relu,linear&init=he&layers=50")
    tab.until("board.head > 0")
    deep = "board.figures.get('deep')"
    signal = f"{deep}.filled().find((trace) => trace.name === 'signal.relu')"
    tab.until(f"{deep}.moment && {signal}.y.length === 50")
    assert tab.board(f"{deep}.say.n") == 2
    asked = tab.board("board.queries.lastId")
    tab.run()
    tab.until("board.head > 40")
    assert tab.board("board.queries.lastId") == asked  # it is about no run
    assert tab.board(f"{signal}.y.length") == 50
    slider = tab.page.get_by_role("slider", name=re.compile("Layers of the deep network"))
    slider.focus()
    tab.page.keyboard.press("ArrowLeft")
    tab.until(f"{signal}.y.length === 49")
    assert tab.board("board.queries.lastId") == asked + 1


def test_a_thing_to_try_runs_with_its_settings(tab: Tab) -> None:
    tab.open("activations")
    tab.until("board.head > 0")
    tab.page.get_by_role("button", name=re.compile("Start from very small weights")).click()
    tab.done("board.run.params?.init === 'small'")
    now = "board.run.history.at(Infinity).now"
    assert tab.board(f"{now}('loss.tanh')") == pytest.approx(0.6931, abs=2e-3)
    assert tab.board(f"{now}('dead.step')") == 1
    assert "init=small" in tab.page.url


def test_many_seeds_are_a_band_and_the_nearest_run_is_drawn_by_itself(tab: Tab) -> None:
    tab.open("activations?seeds=6&functions=relu&pace=0&steps=60&width=6&depth=2&seed=11")
    tab.until("board.head > 0")
    tab.run()
    tab.done("board.head === 60")
    figure = "board.figures.get('seeds')"
    tab.page.locator("[data-figure=seeds]").scroll_into_view_if_needed()
    tab.until(f"{figure}.filled().length === 3 && !{figure}.dirty")
    area = tab.page.locator("[data-figure=seeds] .nsewdrag").first.bounding_box()
    assert area
    values = tab.board(
        "[0, 1, 2, 3, 4, 5].map((k) => board.figures.get('seeds').moment.series('seed.relu.' + k).values[3])"
    )
    axes = f"{figure}.graph._fullLayout"
    for k in (values.index(max(values)), values.index(min(values))):
        across = tab.board(f"{axes}.xaxis.d2p(30)")
        down = tab.board(f"{axes}.yaxis.d2p({values[k]})")
        tab.page.mouse.move(area["x"] + across, area["y"] + down)
        tab.until(f"{figure}.runs.pointed?.number === {k} && {figure}.runs.pointed.at === 3")
        said = tab.board(f"{figure}.filled().at(-1).text[0]")
        assert said.startswith(f"seed {11 + k}: ")
        assert float(said.split(": ")[1]) == pytest.approx(values[k], rel=1e-2)
    tab.page.mouse.move(area["x"], area["y"] - 60)
    tab.until(f"{figure}.runs.pointed === null && {figure}.filled().length === 3")
