"""Runs kept, forked, saved and opened, as a learner does it: in a real browser, before a server that is restarted."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.bench.server import Server
from tests.browser.conftest import Tab

pytestmark = pytest.mark.browser
LESSON = "gradient_descent"


def traces(tab: Tab, figure: str = "height") -> list[dict[str, object]]:
    """Name, opacity and first and last x of the figure's traces as plotly holds them."""
    found: list[dict[str, object]] = tab.board(
        f"board.figures.get({figure!r}).graph.data.map((one) => ({{name: one.name, opacity: one.opacity ?? 1, "
        "x0: one.x?.[0], x1: one.x?.[one.x.length - 1], n: one.x?.length ?? 0}))"
    )
    return found


def scrub(tab: Tab, step: int) -> None:
    tab.page.locator(".tr-scrub").evaluate(
        "(one, step) => { one.value = step; one.dispatchEvent(new Event('input')); }", step
    )
    tab.until(f"board.playhead.step === {step}")


def test_a_run_is_forked_where_the_playhead_is_and_drawn_beside_its_original(tab: Tab) -> None:
    tab.open(f"{LESSON}?pace=0&steps=150&lr=0.02")
    tab.until("board.run")
    first = tab.run()
    tab.until("board.run.ended")
    scrub(tab, 70)
    tab.page.locator(".tr-scrub").press("[")
    tab.until("board.playhead.step === 64")
    button = tab.page.locator(".tr-fork")
    expect(button).to_have_attribute(
        "title", "Fork at step 64 (F): a new run goes on from there with the settings as they stand now"
    )
    slider = tab.page.get_by_role("slider", name="Learning rate").first
    slider.focus()
    for _ in range(4):
        slider.press("ArrowRight")
    tab.page.wait_for_url(f"**lr={slider.get_attribute('aria-valuetext')}&**")  # the page has heard of the last one
    expect(tab.page.locator(".tr-status")).to_contain_text("fork this one")
    button.click()
    tab.until(f"board.run && board.run.id !== {first!r} && board.run.ended && board.playhead.step === 150")
    assert tab.board("board.run.origin") == [first, 64]
    expect(tab.page.locator(".tr-status")).to_contain_text("Forked at step 64: Learning rate")
    tab.until("board.figures.get('height').graph.data.some((one) => one.name.includes('/') && one.x.at(-1) === 150)")
    drawn = traces(tab)
    pale = [one for one in drawn if str(one["name"]).startswith(f"{first}/")]
    own = [one for one in drawn if "/" not in str(one["name"]) and one["x1"] == 150]
    assert [str(one["name"]).split("/")[1] for one in pale if one["n"]] == [one["name"] for one in own]
    assert all(one["x0"] == 64 and one["opacity"] == pytest.approx(0.38) for one in pale if one["n"])
    assert all(one["x0"] == 0 for one in own)
    # every number of the pale curve is the original's, and the fork has left it
    name = str(own[0]["name"])
    original = tab.board(
        f"Array.from(board.figures.get('height').graph.data.find((one) => one.name === {f'{first}/{name}'!r}).y)"
    )
    kept = tab.board(f"Array.from(board.runs.get({first!r}).history.columns.get('height.sgd').values.slice(64, 151))")
    assert original == kept
    assert tab.board("board.run.history.columns.get('height.sgd').values[150]") != kept[-1]
    assert tab.board("board.run.history.columns.get('height.sgd').values[64]") == kept[0]
    # the original is only looked on: it counts no viewer
    assert tab.board(f"board.runs.get({first!r}).viewers") == 0
    scrub(tab, 30)
    tab.until("board.figures.get('height').graph.data.every((one) => !one.name.includes('/'))")


def test_the_keyboard_forks_too_and_equal_settings_give_equal_numbers(tab: Tab) -> None:
    tab.open(f"{LESSON}?pace=0&steps=100&lang=zh")
    tab.until("board.run")
    first = tab.run()
    tab.until("board.run.ended")
    scrub(tab, 40)
    tab.page.locator(".tr-scrub").press("f")
    tab.until(f"board.run && board.run.id !== {first!r} && board.run.ended && board.runs.origin")
    marks = tab.board(f"board.runs.get({first!r}).checkpoints")
    assert tab.board("board.run.origin") == [first, max(mark for mark in marks if mark <= 40)]
    expect(tab.page.locator(".tr-status")).to_contain_text("设置相同，数字也相同")
    for name in ("x.adam", "height.momentum"):
        own, other = (
            tab.board(f"Array.from(board.runs.get({run}).history.columns.get({name!r}).values.slice(0, 101))")
            for run in ("board.run.id", repr(first))
        )
        assert own == other


def test_the_lessons_own_recording_is_no_run_to_fork(tab: Tab) -> None:
    tab.open(LESSON)
    tab.until("board.run?.status === 'recorded' && board.head > 0")
    expect(tab.page.locator(".tr-fork")).to_be_disabled()
    expect(tab.page.locator(".tr-fork")).to_have_attribute(
        "title", "Only a run of your own can be forked. Press Run first."
    )


def test_a_run_is_found_again_by_its_address_after_a_restart(context: BrowserContext, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    page: Page = context.new_page()
    with Server(tmp_path / "log", TORCHROOM_RUNS=str(runs)) as server:
        server.wait()
        tab = Tab(page, server).open(f"{LESSON}?steps=1000&pace=100&lr=0.02")
        tab.until("board.run")
        run = tab.run()
        page.wait_for_url(f"**run={run}**")
        tab.until("board.head > 60")
        server.process.kill()
        server.process.wait()
    address = page.url.split("/", 3)[3]
    with Server(tmp_path / "log2", TORCHROOM_RUNS=str(runs)) as server:
        server.wait()
        tab = Tab(context.new_page(), server).open(address)
        tab.until(f"board.run?.id === {run!r} && board.run.status === 'paused'")
        expect(tab.page.locator(".tr-notice")).to_contain_text("The server ended while this run was going on.")
        head = tab.board("board.head")
        assert head > 60
        scrub(tab, 30)
        tab.page.locator(".tr-scrub").press("End")
        tab.page.locator(".tr-play").click()
        tab.until(f"board.run.status === 'running' && board.head > {head}")
        assert tab.board("Array.from(board.run.history.rows.steps.slice(0, board.head)).every((one, i) => one === i)")
        assert "run=" in tab.page.url
        assert not tab.complaints


def test_a_saved_run_is_opened_in_the_engine_room(tab: Tab, tmp_path: Path) -> None:
    tab.open(f"{LESSON}?steps=80&pace=0&surface=saddle")
    tab.until("board.run")
    run = tab.run()
    tab.until("board.run.ended")
    values = tab.board("Array.from(board.run.history.columns.get('height.sgd').values.slice(0, 81))")
    with tab.page.expect_download() as download:
        tab.page.locator(".tr-save").click()
    assert download.value.suggested_filename == f"{run}.run"
    kept = tmp_path / "kept.run"
    download.value.save_as(kept)
    tab.open("lab")
    (tmp_path / "broken.run").write_bytes(kept.read_bytes()[:-30])
    choose = tab.page.locator("input[type=file]")
    choose.set_input_files(tmp_path / "broken.run")
    expect(tab.page.get_by_test_id("stAlert")).to_contain_text("its end is missing")
    choose.set_input_files(kept)
    tab.page.get_by_text("Show it").click()
    tab.until(f"board.run && board.run.id !== {run!r} && board.run.status === 'done' && board.head === 80")
    assert tab.board("Array.from(board.run.history.columns.get('height.sgd').values.slice(0, 81))") == values
    assert "surface=saddle" in tab.page.url
