"""The connection: lost and found again, runs that are set back or move to a copy."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.board.view import View
from tests.conftest import wait_until

pytestmark = pytest.mark.browser


def test_reconnects_with_the_last_step_it_has(view: View) -> None:
    view.open("live")
    view.until("torchroom.board.head > 6")
    view.control("down")
    expect(view.page.locator(".tr-chip")).to_have_text("Connection lost; reconnecting …")
    wait_until(lambda: view.control("state")["opened"] > 2, what="another try while the server is down")
    view.control("up")
    last = view.board("head")
    view.until(f"torchroom.board.head > {last + 4}")
    expect(view.page.locator(".tr-chip")).to_have_text("Running")
    watched = [one["from"] for one in view.control("state")["heard"] if one["op"] == "watch"]
    assert watched == [-1, last]
    rows = view.board("run.history.rows.steps.slice(0, torchroom.board.run.history.rows.n)")
    assert list(rows) == list(range(len(rows)))
    # Chrome itself writes the refused handshakes to the console
    view.errors[:] = [error for error in view.errors if "WebSocket" not in error]


def test_a_rewound_run_forgets_and_says_why(view: View) -> None:
    view.open("live")
    view.until("torchroom.board.head > 14")
    view.control("rewind")
    view.until("torchroom.board.head === 8 && torchroom.board.playhead.step === 8")
    expect(view.page.locator(".tr-notice")).to_contain_text("goes on from step 8")
    view.page.locator(".tr-close").click()
    expect(view.page.locator(".tr-notice")).to_have_count(0)


def test_a_command_to_a_shared_run_moves_to_a_copy(view: View) -> None:
    view.open("shared")
    view.until("torchroom.board.head > 40")
    view.button("play").click()
    view.until("torchroom.board.run.id === 'copy' && torchroom.board.head === 40")
    assert view.js("window.sent") == [["run", "copy"]]
    expect(view.page.locator(".tr-notice")).to_contain_text("your own copy")
    # the rerun that was on its way still names the old run
    view.js("window.rerun({ run: 'shared' })")
    assert view.board("run.id") == "copy"
    view.js("window.rerun({ run: 'copy' })")
    assert view.board("run.id") == "copy"
    assert view.step() == 40
