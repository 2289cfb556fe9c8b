"""Tables of numbers."""

from __future__ import annotations

import math

import pytest
from playwright.sync_api import expect

from lessons.board.readings import number
from tests.browser.board import figures
from tests.browser.board.view import View

pytestmark = pytest.mark.browser


def test_a_table_writes_its_numbers_and_answers_mouse_and_keys(view: View) -> None:
    view.open(spec="en-words")
    view.drawn()
    figure = view.figure("table")
    assert figure.get_by_role("columnheader").all_inner_texts() == ["word", "share", "most", "signed", "plain"]
    rows = figure.locator("tbody tr")
    for row, name, values in zip(rows.all(), figures.SEEN, figures.table(1.0), strict=True):
        assert row.get_by_role("rowheader").inner_text() == name
        said = ["–" if math.isnan(one) else number(float(one), "4").replace("-", "−") for one in values]
        assert row.locator("td").all_inner_texts() == said
    bars = [
        [
            one.evaluate("(bar) => [bar.style.width, bar.parentElement.dataset.sign]")
            for one in row.locator("td i").all()[:3]
        ]
        for row in rows.all()
    ]
    assert bars[0] == [["50%", "plus"], ["50%", "plus"], ["50%", "minus"]]
    assert bars[1] == [["100%", "plus"], ["100%", "minus"], ["25%", "plus"]]
    assert bars[2][1][0] == "0%"
    expect(rows.nth(1)).to_have_attribute("aria-selected", "true")  # as the frame said
    rows.nth(2).click()
    expect(rows.nth(2)).to_have_attribute("aria-selected", "true")
    rows.nth(2).focus()
    for key in ("ArrowDown", "Enter"):
        view.page.keyboard.press(key)
    expect(rows.nth(3)).to_have_attribute("aria-selected", "true")
    asked = [(one["name"], one["args"]) for one in view.control("state")["heard"] if one["op"] == "ask"]
    assert asked == [("row", {"row": 2, "word": "here"}), ("row", {"row": 3, "word": "."})]


def test_a_bound_table_shows_the_numbers_of_the_moment_and_writes_nan(view: View) -> None:
    view.open(spec="en-words")
    view.drawn()
    figure = view.figure("bound")
    for step in (31, 120, 2, 30):  # odd ones have no validation loss, that of step 30 is not a number
        view.js("(step) => { const b = torchroom.board; b.playhead.go(step, b.run); b.changed(); }", step)
        now = figures.scalars(step)
        said = [now["loss"], now.get("val", math.nan), now["accuracy"], math.nan]
        for cell, value in zip(figure.locator("td").all(), said, strict=True):
            expect(cell).to_have_text(number(value, "4").replace("-", "−"))
