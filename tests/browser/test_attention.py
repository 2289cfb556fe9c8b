"""A learner with the attention lesson in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Tab

pytestmark = pytest.mark.browser


def typed(tab: Tab, text: str) -> None:
    area = tab.page.get_by_role("textbox").first
    area.fill(text)
    area.press("Control+Enter")


def test_a_new_sentence_runs_at_once_and_a_head_is_opened_by_a_click(tab: Tab) -> None:
    tab.open("attention")
    tab.until("board.figures.get('heads')?.drawn > 0 && board.run.status === 'recorded'")
    run = tab.board("board.run.id")
    typed(tab, "The cat sat on the mat because it was warm.")
    tab.until(f"board.run.id !== {run!r} && board.figures.get('lines')?.shown?.left.includes('cat')")
    box = tab.page.locator("[data-figure=heads] canvas").first
    spot = tab.board(
        "(() => { const f = board.figures.get('heads'); const [x, y] = f.corner(2); return [x + 5, y + 5]; })()"
    )
    now = tab.board("board.run.id")
    box.click(position={"x": spot[0], "y": spot[1]})
    expect(tab.page.locator("[data-figure=lines] .tr-reading")).to_contain_text("Head 1.3")
    tab.rested()
    assert "head=1.3" in tab.page.url
    assert tab.board("board.run.id") == now  # another view is not another run
    tab.page.locator("[data-figure=lines] .tr-side").first.get_by_role("button", name="warm").click()
    expect(tab.page.locator("[data-figure=way] .tr-reading")).to_contain_text("warm")
    row = tab.board(
        "(({ values, columns }) => Array.from(values.subarray(0, columns)).reduce((a, b) => a + b))"
        "(board.figures.get('weights').tiles)"
    )
    assert row == pytest.approx(1, abs=1e-5)


def test_a_click_switches_a_head_off_and_on_again(tab: Tab) -> None:
    tab.open("attention?pace=0")
    tab.until("board.figures.get('heads')?.drawn > 0")
    figure = tab.page.locator("[data-figure=changes]")
    figure.scroll_into_view_if_needed()
    tab.until("board.figures.get('changes')?.plan")
    place = "(() => { const f = board.figures.get('changes'); const [x, y] = f.corner(71); return [x + 5, y + 5]; })()"
    x, y = tab.board(place)
    figure.locator("canvas").first.click(position={"x": x, "y": y})
    tab.until("board.run.params?.off?.length === 1 && board.run.params?.off[0] === '6.12' && board.head >= 0")
    tab.until("board.figures.get('meaning').say.off === 1")
    tab.rested()
    assert "off=6.12" in tab.page.url
    x, y = tab.board(place)
    figure.locator("canvas").first.click(position={"x": x, "y": y})
    tab.until("board.run.params?.off?.length === 0")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("word " * 10_000, "4000"),
        ("word " * 300, "256"),
        ("   ", "no words"),
        ("🙂🙂", "UNK"),
        ("我喜欢猫", "UNK"),
        ("Hello", "One token"),
    ],
)
def test_an_odd_text_gets_a_message_and_nothing_else_is_lost(tab: Tab, text: str, words: str) -> None:
    tab.open("attention?others=Cats run.&head=1.3")
    tab.until("board.figures.get('heads')?.drawn > 0")
    typed(tab, text)
    expect(tab.page.get_by_test_id("stAlert").first).to_contain_text(words)
    tab.rested()
    assert tab.page.get_by_role("textbox").nth(1).input_value() == "Cats run."
    assert re.search("head=1.3", tab.page.url)
    expect(tab.page.locator(".tr-player")).to_be_visible()


def test_a_text_of_256_tokens_is_drawn_and_its_words_can_be_scrolled_to(tab: Tab) -> None:
    tab.open("attention?pace=0")
    tab.until("board.figures.get('heads')?.drawn > 0")
    typed(tab, " ".join(["river"] * 254))
    tab.until("board.figures.get('lines')?.shown?.left.length === 256", 40)
    last = tab.page.locator("[data-figure=lines] .tr-side").first.get_by_role("button").last
    last.scroll_into_view_if_needed()
    expect(last).to_have_text("[SEP]")
