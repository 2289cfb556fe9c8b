"""The initialisation lesson in a real browser: histograms side by side, live; copies that stay copies; overflow."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Tab

pytestmark = pytest.mark.browser

TITLE = {"en": "Initialisation", "zh": "初始化"}
LAYERS = "board.figures.get('layers')"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_opens_alive_in_either_language_and_trains(tab: Tab, language: str) -> None:
    tab.with_motion()
    seed = 2 + list(TITLE).index(language)  # an equal run would be the one that another test has made
    tab.open(f"initialisation?lang={language}&seed={seed}&depth=6&pace=20")
    tab.until("board.run?.status === 'recorded' && board.head > 10 && board.counters.drawn.layers > 2")
    assert TITLE[language] in tab.page.get_by_role("heading", level=1).first.inner_text()
    tab.run()
    drawn = tab.board("board.counters.drawn.layers")
    tab.until(f"board.run.status !== 'recorded' && board.counters.drawn.layers > {drawn} + 5")
    tab.until(f"{LAYERS}.data.tiles.shape.join() === '8,52,48'")
    tab.until(f"{LAYERS}.names[3].includes('%')")
    box = tab.page.locator("[data-figure=layers] .tr-canvas").bounding_box()
    assert box
    x, y, cell = tab.board(f"[...{LAYERS}.corner(3), {LAYERS}.plan.cell]")
    tab.page.mouse.move(box["x"] + x + 2 * cell, box["y"] + y + 10 * cell + 1)
    said = tab.page.locator("[data-figure=layers] .tr-tip")
    expect(said).to_have_text(re.compile(r"He.* \S+ … \S+ · \S+ 1: 0(\.\d+)?$"))


def test_copies_stay_copies_and_an_overflow_is_called_by_its_name(tab: Tab) -> None:
    tab.open("initialisation?inits=zeros,uniform,he&depth=40&width=32&steps=20&pace=0&seed=9&value=0.05")
    tab.until("board.head > 0")
    tab.run()
    tab.done("board.head === 20")
    now = "board.run.history.at(Infinity).now"
    assert tab.board(f"{now}('distinct.zeros')") == 1
    assert tab.board(f"{now}('distinct.he')") == 32
    assert tab.board(f"{now}('failed.uniform')") == 1
    tab.until(f"{LAYERS}.names[1].includes('overflowed')")
    assert tab.board(f"{LAYERS}.tiles.values[52 * 80 + 79]") > 150  # the top row of uniform's last layer
    table = tab.page.locator("[data-figure=units]")
    table.scroll_into_view_if_needed()
    expect(table.locator("tbody tr").nth(0)).to_contain_text("Zeros")
    expect(table.locator("tbody tr").nth(0).locator("td").first).to_have_text("1")
    expect(table.locator("tbody tr").nth(1)).to_contain_text("not finite")
    fit = tab.page.locator("[data-figure=fit]")
    fit.scroll_into_view_if_needed()
    tab.until("board.figures.get('fit').tiles.values.length === 35")
