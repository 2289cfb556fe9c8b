"""A learner with the attention lesson in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Tab

pytestmark = pytest.mark.browser


def box(tab: Tab) -> Locator:
    return tab.page.get_by_role("textbox", name=re.compile("Your sentence|你的句子"))


def typed(tab: Tab, text: str) -> None:
    area = box(tab)
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
    ("text", "words", "note"),
    [
        ("word " * 10_000, "4000", False),
        ("word " * 300, "256", False),
        ("   ", "no words", False),
        ("🙂🙂", "UNK", True),
        ("我喜欢猫", "UNK", True),
        ("Hello", "One token", True),
    ],
)
def test_an_odd_text_gets_a_message_and_nothing_else_is_lost(tab: Tab, text: str, words: str, note: bool) -> None:
    tab.open("attention?others=Cats run.&head=1.3")
    tab.until("board.figures.get('heads')?.drawn > 0")
    typed(tab, text)
    where = (tab.page.get_by_test_id("stAlert") if note else tab.page.locator(".tr-wrong")).filter(has_text=words)
    expect(where).to_be_visible()
    tab.until(f"board.data.box.value.length === {len(text.encode('utf-16-le')) // 2}")
    tab.rested()
    expect(where).to_be_visible()  # and the page, which has heard of it, says the same
    assert box(tab).input_value() == text
    assert tab.page.get_by_role("textbox", name="Compare with").input_value() == "Cats run."
    assert re.search("head=1.3", tab.page.url)
    expect(tab.page.locator(".tr-player")).to_be_visible()


def test_a_text_of_256_tokens_is_drawn_and_its_words_can_be_scrolled_to(tab: Tab) -> None:
    tab.open("attention?pace=0")
    tab.until("board.figures.get('heads')?.drawn > 0")
    typed(tab, " ".join(["river"] * 254))
    tab.until("board.figures.get('lines')?.shown?.left.length === 256")
    last = tab.page.locator("[data-figure=lines] .tr-side").first.get_by_role("button").last
    last.scroll_into_view_if_needed()
    expect(last).to_have_text("[SEP]")


def test_one_sentence_is_one_run_and_the_page_follows_it(tab: Tab) -> None:
    tab.open("attention?pace=0&head=1.3")
    tab.until("board.figures.get('heads')?.drawn > 0 && board.connection.up")
    tab.board(
        "(() => { window.shown = [board.run.id]; const show = board.show.bind(board); board.show = (id, ...rest) => {"
        "window.shown.push(id); show(id, ...rest); }; })()"
    )
    first = tab.board("board.run.id")
    typed(tab, "One run, and no more.")
    tab.until(f"board.run.id !== {first!r} && board.data.run === board.run.id")
    tab.rested()
    begun = tab.board("board.run.id")
    assert tab.page.evaluate("window.shown") == [first, begun]
    assert "text=One+run%2C+and+no+more." in tab.page.url
    assert "head=1.3" in tab.page.url
    tab.until("board.run.ended")
    # back and forth before the page has heard of either: a run that is over is shown again, not made again
    typed(tab, "Another one.")
    tab.until(f"board.run.id !== {begun!r}")
    typed(tab, "One run, and no more.")
    tab.until(
        f"board.run.id === {begun!r} && board.data.run === {begun!r} && board.data.box.n === board.textBox.number"
    )
    tab.rested()
    assert tab.board("board.run.id") == begun
    assert tab.page.evaluate("window.shown.length") == 4  # each of the four once
    assert tab.board("board.data.status") == ""
    # with nothing new in the box the same key is that of the Run button: a new attempt
    box(tab).press("Control+Enter")
    tab.until(f"board.run.id !== {begun!r} && board.run.params?.text === 'One run, and no more.'")


def test_the_box_follows_presets_things_to_try_and_links(tab: Tab) -> None:
    tab.open("attention?text=Cats run.&lang=zh")
    tab.until("board.figures.get('heads')?.drawn > 0")
    assert box(tab).input_value() == "Cats run."
    typed(tab, "Dogs sleep.")
    tab.until("board.run.params?.text === 'Dogs sleep.' && board.data.run === board.run.id")
    tab.page.get_by_test_id("stSelectbox").first.click()
    tab.page.get_by_test_id("stSelectboxVirtualDropdown").get_by_text("谁咬了谁").click()
    expect(box(tab)).to_have_value("The dog bit the man.")
    tab.page.get_by_role("button", name="运行", exact=False).filter(has_text="Ctrl").click()
    tab.until("board.run.params?.text === 'The dog bit the man.'")
    tab.rested()
    box(tab).fill("  ")
    box(tab).press("Control+Enter")
    expect(tab.page.locator(".tr-wrong")).to_contain_text("没有编码器能读的词")
    tab.page.get_by_test_id("stSidebar").get_by_text("English").click()
    expect(tab.page.locator(".tr-wrong")).to_contain_text("no words the encoder could read")
    assert box(tab).input_value() == "  "
    tab.page.locator("[class*=st-key-try-attention-0] button").click()
    expect(tab.page.locator(".tr-wrong")).to_be_hidden()
    tab.until("board.run.params?.text === board.data.box.value && board.data.run === board.run.id")
    assert box(tab).input_value() == tab.board("board.run.params.text")


def test_what_was_typed_on_the_way_to_the_run_button_counts_once(tab: Tab) -> None:
    tab.open("attention?pace=0")
    tab.until("board.figures.get('heads')?.drawn > 0 && board.connection.up")
    tab.board(
        "(() => { window.shown = [board.run.id]; const show = board.show.bind(board); board.show = (id, ...rest) => {"
        "window.shown.push(id); show(id, ...rest); }; })()"
    )
    box(tab).fill("On the way.")
    tab.page.get_by_role("button", name="Run").filter(has_text="Ctrl").click()
    tab.until("board.run.params?.text === 'On the way.' && board.head >= 0 && board.data.run === board.run.id")
    tab.rested()
    assert len(tab.page.evaluate("window.shown")) == 2


def test_a_text_typed_while_the_connection_is_down_is_run_by_the_page(tab: Tab) -> None:
    tab.open("attention?pace=0")
    tab.until("board.figures.get('heads')?.drawn > 0 && board.connection.up")
    tab.board("(board.connection.open = () => {}, board.connection.socket.close())")
    tab.until("!board.connection.up")
    typed(tab, "Nobody listens.")
    tab.until("board.data.box.value === 'Nobody listens.' && board.data.run === board.run.id")
    tab.rested()
    tab.board("(delete board.connection.open, board.connection.open())")
    tab.until("board.run.params?.text === 'Nobody listens.' && board.head === 72")
    typed(tab, "Somebody listens again.")
    tab.until("board.run.params?.text === 'Somebody listens again.' && board.data.run === board.run.id")
