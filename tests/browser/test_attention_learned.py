"""Learners watch heads find their jobs, switch them off, and type sequences of their own, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Tab

pytestmark = pytest.mark.browser

NAME = "attention_learned"


def click(tab: Tab, figure: str, tile: int, row: int, column: int) -> None:
    """Presses a cell of a map as a learner would, with the mouse."""
    tab.page.locator(f"[data-figure={figure}]").scroll_into_view_if_needed()
    tab.until(f"board.figures.get('{figure}').drawn > 0")
    x, y = tab.board(
        f"(() => {{ const map = board.figures.get('{figure}'); const [x, y] = map.corner({tile});"
        "const box = map.canvas.getBoundingClientRect(); const cell = map.plan.cell;"
        f"return [box.left + x + ({column} + 0.5) * cell, box.top + y + ({row} + 0.5) * cell]; }})()"
    )
    tab.page.mouse.click(x, y)


def said(tab: Tab, figure: str) -> str:
    return str(tab.board(f"board.figures.get('{figure}').words.textContent"))


def values(figure: str) -> str:
    """A JavaScript expression: all numbers that a map shows."""
    return f"Array.from(board.figures.get('{figure}').tiles.values)"


@pytest.mark.parametrize(("language", "title"), [("en", "Attention being learned"), ("zh", "注意力")])
def test_a_cold_deep_link_opens_alive(tab: Tab, language: str, title: str) -> None:
    tab.with_motion()
    tab.open(f"{NAME}?lang={language}")
    expect(tab.page.get_by_role("heading", level=1).first).to_contain_text(title)
    tab.until("board.run?.status === 'recorded' && board.head === 300 && board.counters.drawn.heads > 0")
    assert tab.page.get_by_role("dialog").count() == 0


def test_it_trains_and_its_heads_can_be_opened_scrubbed_and_switched_off(tab: Tab) -> None:
    tab.open(f"{NAME}?seed=2&pace=0")
    tab.until("board.head > 0")
    tab.run()
    tab.done()
    tab.until("board.playhead.step === 300 && board.figures.get('heads').tiles")
    assert tab.board("board.run.history.at(300).now('val_exact')") > 0.9
    assert tab.board("board.run.history.at(300).now('top.source.head')") == 2  # the text says so
    rows = tab.board(
        f"(() => {{ const all = {values('heads')}; const rows = [];"
        "for (let at = 0; at < all.length; at += 16) rows.push(all.slice(at, at + 16)); return rows; })()"
    )
    assert len(rows) == 8 * 16
    assert tab.board("board.figures.get('heads').plan.across") == 4  # a row for each layer
    for number, row in enumerate(rows):
        assert sum(row) == pytest.approx(1, abs=2e-4)
        assert not any(row[number % 16 + 1 :])

    # another head in full, and the network without it
    click(tab, "heads", 1, 8, 7)
    tab.until("board.figures.get('without').words.textContent.includes('head 1.2')")
    title = tab.page.locator("[data-figure=head] .tr-title")
    tab.page.locator("[data-figure=head]").scroll_into_view_if_needed()
    expect(title).to_have_text(re.compile("1.2$"))
    assert tab.board(values("head")) == tab.board(f"{values('heads')}.slice(256, 512)")
    numbers = re.findall(r"[\d.]+", said(tab, "without"))
    assert numbers[:3] == ["300", "1.2", "256"]
    assert float(numbers[3]) > float(numbers[4])  # the loss is larger without it

    # a cell of it: where this weight comes from
    click(tab, "head", 0, 9, 6)
    tab.until("board.figures.get('pair').words.textContent.includes('from place 10 to place 7')")
    assert "Head 1.2" in said(tab, "pair")
    weight = float(re.findall(r"weight of ([\d.]+) %", said(tab, "pair"))[0])
    assert weight == pytest.approx(100 * tab.board(f"{values('head')}[9 * 16 + 6]"), abs=0.051)

    # back to the start, where nobody has learned anything
    tab.page.locator("h1").first.click()
    tab.page.keyboard.press("Home")
    tab.until("board.playhead.step === 0")
    tab.until(f"Math.max(...{values('head')}.slice(9 * 16, 9 * 16 + 16)) < 0.5")
    tab.until("board.figures.get('without').words.textContent.startsWith('At step 0')")
    assert tab.board(values("head")) == tab.board(f"{values('heads')}.slice(256, 512)")
    off = tab.board("board.figures.get('off').patches().find((one) => one.data.text).data.text.length")
    assert off == 9


def test_several_heads_are_off_together_at_whatever_step_was_kept(tab: Tab) -> None:
    tab.open(f"{NAME}?off=2.1,2.2,2.3,2.4")
    tab.until("board.run?.status === 'recorded' && board.head === 300")
    tab.page.locator("h1").first.click()
    tab.page.keyboard.press("End")
    reading = tab.page.locator("[data-figure=off_together] .tr-reading")
    reading.scroll_into_view_if_needed()
    expect(reading).to_contain_text("At step 300, without 2.1, 2.2, 2.3, 2.4:")
    assert tab.board("board.figures.get('heads').data.crossed.join()") == "4,5,6,7"
    at_end = reading.text_content()
    # between two kept states the answer is that of the one before, and says so
    tab.board("board.transport.scrub(160)")
    expect(reading).to_contain_text("At step 150, without 2.1, 2.2, 2.3, 2.4:")  # a recording has one half-way
    assert reading.text_content() != at_end
    run = tab.board("board.run.id")
    tab.page.locator("[data-figure=off_together]").page.goto(f"{tab.server.url}/{NAME}?off=3.1")
    expect(tab.page.locator(".tr-notices")).to_contain_text("has no head 3.1: its 2 layers have 4 heads each")
    assert tab.board("board.run.id") == run


def test_a_sequence_of_ones_own_is_written_and_a_bad_one_named(tab: Tab) -> None:
    tab.open(f"{NAME}?own=FACEBEAD")
    written = "board.figures.get('own')?.patches().find((one) => one.data.text)?.data.text[0].join('')"
    tab.until("board.head === 300")
    tab.page.keyboard.press("End")
    tab.until(f"board.playhead.step === 300 && {written} === 'DAEBECAF'")
    field = tab.page.get_by_test_id("stTextInput").locator("input").first
    field.fill("feed")
    field.press("Enter")
    tab.until(f"({written} ?? '').replace(/<.*?>/g, '').length === 4")
    for typed, words in (("ABC🙂", "🙂"), ("ABCDEFGHABCDEFGH", "16 symbols"), ("<b>", "'<'")):
        field.fill(typed)
        field.press("Enter")
        expect(tab.page.get_by_test_id("stAlert").first).to_contain_text(words)
        expect(tab.page.locator(".tr-player")).to_be_visible()
    field.fill("KA")  # a letter of the page that this network has never met
    field.press("Enter")
    expect(tab.page.locator(".tr-notices")).to_contain_text("knows A to J; K is new")
    expect(tab.page.get_by_test_id("stAlert")).to_have_count(0)
    field.fill("JIG")
    field.press("Enter")
    expect(tab.page.locator(".tr-notices")).to_have_text("")  # what was asked has its answer now
    field.fill("")
    field.press("Enter")
    tab.until("!board.figures.has('own')")


def test_the_job_to_look_for_is_a_view_and_never_disturbs_the_run(tab: Tab) -> None:
    tab.open(f"{NAME}?pace=5&seed=4")
    tab.until("board.head > 0")
    run = tab.run()
    tab.until("board.head > 5")
    tab.page.get_by_test_id("stSelectbox").nth(1).click()
    tab.page.get_by_role("option", name="to the bar").click()
    tab.until("board.figures.has('bar') && !board.figures.has('source')")
    assert tab.board("board.run.id") == run
    assert tab.board("board.counters.connections") == 1
    head = tab.board("board.head")
    tab.until(f"board.head > {head}")
    slider = tab.page.locator(".tr-player .tr-stop")
    slider.click()
    tab.until("board.run.status === 'stopped'")
