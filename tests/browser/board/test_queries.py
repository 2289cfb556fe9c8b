"""Questions to the run and what their answers show."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from lessons.board.readings import number
from tests.browser.board.view import View

pytestmark = pytest.mark.browser


def test_of_two_questions_about_one_figure_the_later_holds(view: View) -> None:
    view.open(spec="en-words")
    view.drawn()
    cell = view.figure("table").locator("tbody tr").nth(3).locator("td").first  # 0.25 as the frame has it
    word = view.figure("links").get_by_role("button", name=".", exact=True)
    row = view.figure("table").locator("tbody tr").first
    expect(cell).to_have_text(number(0.25, "4"))
    for gesture, factor in ((word, 10), (row, 100), (word, 10), (row, 100)):
        gesture.click()
        expect(cell).to_have_text(number(0.25 * factor, "4"))
    # asked again of another moment, both are answered, and it is still the later that shows
    view.board("transport.scrub(20)")
    view.until("torchroom.board.queries.pending.size === 0 && torchroom.board.queries.lastId >= 6")
    expect(cell).to_have_text(number(25.0, "4"))


def test_the_pages_own_questions(view: View) -> None:
    view.open()
    view.drawn()
    view.js("window.rerun({ asks: [{ name: 'cell', args: { truth: 2, guess: 2 } }] })")
    view.until("document.querySelectorAll('.tr-item').length === 3")
    view.js("window.rerun({ asks: [] })")
    view.until("document.querySelectorAll('.tr-item').length === 12")
