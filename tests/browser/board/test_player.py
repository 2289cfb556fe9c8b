"""The player: play, pause, scrub, follow, and the commands to the run."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.board.view import View, near, pixels

pytestmark = pytest.mark.browser


def test_keyboard_and_scrubber(view: View) -> None:
    view.open()
    view.drawn()
    page = view.page
    assert view.step() == 120
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    view.until("torchroom.board.playhead.step === 118")
    page.keyboard.press("ArrowRight")
    view.until("torchroom.board.playhead.step === 119")
    page.keyboard.press("Home")
    view.until("torchroom.board.playhead.step === 0")
    expect(page.locator(".tr-count")).to_have_text("step 0 / 120")
    page.keyboard.press(" ")
    view.until("torchroom.board.playhead.playing && torchroom.board.playhead.step > 2")
    page.keyboard.press(" ")
    assert not view.board("playhead.playing")
    at = view.step()
    view.frames()
    assert view.step() == at
    page.keyboard.press("End")
    view.until("torchroom.board.playhead.step === 120")
    # not while somebody types
    page.locator("#field").focus()
    for key in ("ArrowLeft", "Home", " "):
        page.keyboard.press(key)
    assert view.step() == 120
    page.locator(".tr-scrub").fill("37")
    view.until("torchroom.board.playhead.step === 37")
    view.drawn()
    assert view.js("document.querySelector('[data-figure=contour] .tr-plot').data[2].x.length") == 38


def test_frames_are_fetched_when_scrubbed_to_and_do_not_pile_up(view: View) -> None:
    view.open()
    view.drawn()
    for step in range(100, 0, -2):
        view.board(f"transport.scrub({step})")
    view.until("torchroom.board.renderer.frame?.step === 0 && !torchroom.board.frameLoader.busy")
    fetched = view.control("state")["fetched"]
    assert len(fetched) < 12
    assert len(set(fetched)) == len(fetched)
    view.drawn()
    picture = pixels(view, "confusion")
    assert near(picture, (253, 231, 37)) < near(picture, (68, 1, 84))
    view.board("transport.scrub(5)")
    view.drawn()
    assert view.control("state")["fetched"] == fetched


def test_a_recording_plays_once_and_stays_at_the_end(view: View) -> None:
    view.open(autoplay="1")
    view.until("torchroom.board.playhead.playing && torchroom.board.playhead.step > 5")
    assert view.step() < 60
    view.page.locator(".tr-speed").select_option("8")
    view.until("!torchroom.board.playhead.playing && torchroom.board.playhead.step === 120")
    view.js("window.rerun()")
    view.frames()
    assert view.step() == 120
    view.page.locator(".tr-speed").select_option("1")  # at 8 a busy machine may look only when it is over
    view.button("play").click()
    view.until("torchroom.board.playhead.playing && torchroom.board.playhead.step < 60")


def test_less_motion_means_no_autoplay(view: View) -> None:
    view.page.emulate_media(reduced_motion="reduce")
    view.open(autoplay="1")
    view.drawn()
    assert view.step() == 120


def test_a_fast_run_is_replayed_from_its_start(view: View) -> None:
    view.open("fast", autoplay="1")
    view.until("torchroom.board.run.status === 'done'")
    assert view.step() < 100
    seen = view.step()
    view.until(f"torchroom.board.playhead.step > {seen}")
    assert seen < view.step() < 110
    view.until("torchroom.board.playhead.step === 120")


def test_live_run_pause_step_resume_stop(view: View) -> None:
    view.open("live")
    view.until("torchroom.board.head > 6")
    expect(view.page.locator(".tr-chip")).to_have_text("Running")
    expect(view.page.locator(".tr-progress")).to_contain_text("25 steps/s")
    view.until("torchroom.board.playhead.step === torchroom.board.head")
    view.button("play").click()
    view.until("torchroom.board.run.status === 'paused'")
    head = view.control("state")["steps"]["live"]
    view.until(f"torchroom.board.head === {head}")
    expect(view.page.locator(".tr-chip")).to_have_text("Paused")
    view.page.locator("body").click(position={"x": 4, "y": 4})
    view.page.keyboard.press("ArrowRight")
    view.until(f"torchroom.board.head === {head + 1} && torchroom.board.playhead.step === {head + 1}")
    # looking back leaves the run alone
    view.page.keyboard.press("ArrowLeft")
    view.page.keyboard.press("ArrowLeft")
    view.until(f"torchroom.board.playhead.step === {head - 1}")
    expect(view.button("live")).to_be_visible()
    view.button("live").click()
    view.button("play").click()
    view.until(f"torchroom.board.run.status === 'running' && torchroom.board.playhead.step > {head + 4}")
    view.page.keyboard.press("Home")
    view.button("stop").click()
    view.until("torchroom.board.run.status === 'stopped'")
    assert view.step() == 0
    state = view.control("state")
    assert state["told"]["live"] == ["pause", "step", "resume", "stop"]
    assert len(state["fetched"]) <= 1  # frames of a run that is followed are pushed


def test_dragged_back_it_stays_while_the_run_goes_on(view: View) -> None:
    view.open("live")
    view.until("torchroom.board.head > 10")
    view.page.locator(".tr-scrub").fill("4")
    head = view.board("head")
    view.until(f"torchroom.board.head > {head + 6}")
    assert view.step() == 4
    view.page.locator("body").click(position={"x": 4, "y": 4})
    view.page.keyboard.press(" ")  # behind the head it is the playhead that plays, not the run
    view.until("torchroom.board.playhead.follow && torchroom.board.playhead.step === torchroom.board.head")
    assert view.control("state")["told"]["live"] == []
