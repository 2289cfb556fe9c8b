"""The box for a text: sent over the connection, or by the page."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.board.view import View

pytestmark = pytest.mark.browser

BOX = {
    "field": "text", "value": "quick", "label": "Your text", "help": "one run's name", "lines": 2, "longest": 30,
    "error": "", "settings": {"text": "quick", "seed": 3}, "n": 0,
}  # fmt: skip

TELL_AFTER_MS = 690  # on a machine too busy to draw, the page hears of a text after 700 ms all the same


def boxed(view: View, **changes: Any) -> Locator:
    """The page draws the board's box."""
    view.js("(box) => window.rerun({ box })", {**BOX, **changes})
    return view.page.get_by_role("textbox", name="Your text")


def test_a_text_is_run_at_once_and_the_page_hears_of_it_after_the_drawing(view: View) -> None:
    view.open()
    view.drawn()
    area = boxed(view)
    expect(area).to_have_value("quick")
    send = view.page.get_by_role("button", name="Run this text")
    expect(send).to_be_disabled()
    view.js(
        "(() => { const { board } = torchroom; const say = board.setStateValue; board.setStateValue = (...all) => {"
        "const drawn = board.renderer.frame.run.id === 'other' && "
        "![...board.figures.values()].some((figure) => figure.visible && figure.dirty);"
        f"window.standing = drawn || performance.now() - window.pressedAt > {TELL_AFTER_MS}; say(...all); }};"
        "addEventListener('keydown', () => { window.pressedAt = performance.now(); }, true); })()"
    )
    area.fill("other")
    expect(view.page.locator(".tr-box")).to_contain_text("5 of 30 characters")
    area.press("Control+Enter")
    view.until("window.sent.length === 1")
    assert view.js("window.standing") is True
    ((name, sent),) = view.js("window.sent")
    assert (name, sent["text"], sent["run"]) == ("box", "other", "other")
    begun = [one for one in view.control("state")["heard"] if one["op"] == "begin"]
    assert [one["settings"] for one in begun] == [{"text": "other", "seed": 3}]
    assert begun[0]["run"] == "quick"
    expect(send).to_be_disabled()
    # a rerun from before this text says nothing new; the one that has heard of it does
    boxed(view)
    expect(area).to_have_value("other")
    area.fill("oth")  # typing goes on meanwhile
    view.js("(box) => window.rerun({ run: 'other', box })", {**BOX, "value": "other", "n": sent["n"]})
    expect(area).to_have_value("oth")
    assert view.board("run.id") == "other"
    # a preset, say
    boxed(view, value="quick", n=sent["n"])
    expect(area).to_have_value("quick")
    area.fill("live")
    send.click()
    view.until("torchroom.board.run.id === 'live' && window.sent.length === 2")
    assert view.js("window.sent[1][1].n") > sent["n"]
    view.until("torchroom.board.head > 4")  # it has everything the run brings, though it never asked to watch it
    assert [one["op"] for one in view.control("state")["heard"] if one["op"] == "watch"] == ["watch"]


def test_a_text_that_cannot_be_run_is_named_at_the_box_and_kept(view: View) -> None:
    view.open(spec="zh")
    view.drawn()
    area = boxed(view)
    area.fill("nothing")
    area.press("Control+Enter")
    expect(view.page.get_by_role("alert")).to_have_text("没有名为 'nothing' 的运行。")
    expect(area).to_have_attribute("aria-invalid", "true")
    expect(area).to_have_value("nothing")
    expect(area).to_be_focused()
    view.until("window.sent.length === 1")
    assert (view.js("window.sent[0][1].text"), view.js("window.sent[0][1].run")) == ("nothing", "")
    assert view.board("run.id") == "quick"
    expect(view.page.locator(".tr-notice")).to_have_count(0)
    # the page's own answer to it, in whichever language it has by now
    boxed(view, value="nothing", error="There is no such run.", n=view.js("window.sent[0][1].n"))
    expect(view.page.get_by_role("alert")).to_have_text("There is no such run.")
    area.fill("other")
    area.press("Control+Enter")
    view.until("torchroom.board.run.id === 'other'")
    expect(view.page.get_by_role("alert")).to_have_count(0)


def test_without_a_connection_a_text_goes_by_the_page(view: View) -> None:
    view.open()
    view.drawn()
    area = boxed(view)
    view.control("down")
    view.until("!torchroom.board.connection.up")
    area.fill("other")
    area.press("Control+Enter")
    view.until("window.sent.length === 1")
    assert (view.js("window.sent[0][1].text"), view.js("window.sent[0][1].run")) == ("other", "")
    view.control("up")
    view.until("torchroom.board.connection.up")
    area.fill("live")
    area.press("Control+Enter")
    view.until("torchroom.board.run.id === 'live' && window.sent.length === 2")
    assert view.js("window.sent[1][1].run") == "live"
    # Chrome itself writes the refused handshakes to the console
    view.errors[:] = [error for error in view.errors if "WebSocket" not in error]


def test_what_the_connection_cannot_carry_goes_by_the_page(view: View) -> None:
    view.open()
    view.drawn()
    area = boxed(view)
    area.fill("word " * 20_000)
    expect(view.page.locator("[data-over=true]")).to_contain_text("100000 of 30")
    area.press("Control+Enter")
    view.until("window.sent.length === 1")
    boxed(view, settings=None, value="quick", n=view.js("window.sent[0][1].n"))  # something else cannot be used as yet
    area.fill("other")
    area.press("Control+Enter")
    view.until("window.sent.length === 2")
    area.fill("live")
    view.page.locator("#field").focus()  # left without sending: the page hears of it at once
    view.until("window.sent.length === 3")
    assert [one[1]["run"] for one in view.js("window.sent")] == ["", "", ""]
    assert [one["op"] for one in view.control("state")["heard"]] == ["watch"]
    assert view.board("connection.connections") == 1


def test_the_key_that_sends_is_the_pages_own_where_there_is_nothing_to_send(view: View) -> None:
    view.open()
    view.drawn()
    area = boxed(view)
    view.js(
        "(() => { window.keys = []; document.addEventListener('keydown', (event) => window.keys.push(event.key)); })()"
    )
    area.press("Control+Enter")
    assert view.js("window.keys") == ["Control", "Enter"]
    area.fill("other")
    area.press("Control+Enter")
    view.until("torchroom.board.run.id === 'other'")
    assert view.js("window.keys") == ["Control", "Enter", "Control"]
