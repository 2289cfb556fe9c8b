"""The playground in a real browser: units enlarged, a network rebuilt while it runs, weights written, points drawn."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Tab

pytestmark = pytest.mark.browser

NET = "board.figures.get('network')"
MAP = "board.figures.get('boundary')"
SIZES = f"Array.from({NET}.data.sizes?.values ?? {NET}.data.sizes ?? [], Number).join()"


def at(tab: Tab, spot: str) -> tuple[float, float]:
    """Where a place of the network's drawing is on the screen."""
    x, y = tab.board(
        f"(() => {{ const box = {NET}.canvas.getBoundingClientRect(); const [x, y] = {spot}; "
        "return [box.left + x, box.top + y]; })()"
    )
    return float(x), float(y)


def test_a_unit_is_enlarged_a_weight_is_written_and_the_network_grows_while_it_runs(tab: Tab) -> None:
    tab.open("playground?lang=en&steps=1000000&pace=200&seed=3&hidden=3-3")
    tab.until(f"board.run?.status === 'recorded' && {NET}.drawn > 0")
    expect(tab.page.get_by_text("computing on")).to_be_visible()  # when it comes the page is drawn again
    tab.rested()
    first = tab.run()
    tab.until(f"{SIZES} === '2,3,3,1' && board.head > 30")
    # pointed at, a unit is shown large, and the exact value under the pointer is asked for
    tab.page.mouse.move(*at(tab, f"{NET}.plan.spots[1][1]"))
    tab.until(f"{MAP}.focus?.index === 1 && {NET}.tip.textContent.includes('layer 1, unit 2')")
    expect(tab.page.locator("[data-figure=boundary] .tr-title")).to_contain_text("layer 1, unit 2")
    plane = tab.page.locator("[data-figure=boundary] .tr-canvas").bounding_box()
    assert plane
    tab.page.mouse.move(plane["x"] + plane["width"] / 2, plane["y"] + plane["height"] / 3)
    tab.until(f"{MAP}.focus === null && /: 0\\.\\d{{5,}}$/.test({MAP}.pointer.tip.textContent)")
    # + over the first layer: the run goes on in a fork
    tab.page.get_by_role("button", name="One unit more").first.click()
    tab.until(f"board.run.id !== {first!r} && board.run.status === 'running' && {SIZES} === '2,4,3,1'")
    second = str(tab.board("board.run.id"))
    step = tab.until("board.runs.origin?.step")
    assert tab.board("board.runs.origin.run.id") == first
    assert step >= 30
    tab.until(f"board.head > {step} + 20")
    assert "hidden=4-3" in tab.page.url
    # a click on a unit, another bias
    tab.page.mouse.click(*at(tab, f"{NET}.plan.spots[2][0]"))
    form = tab.page.locator(".tr-edit")
    expect(form.get_by_role("spinbutton")).to_have_count(5)  # the bias and four weights
    form.get_by_label("bias").fill("7.5")
    tab.page.keyboard.press("Enter")
    tab.until(f"board.run.id !== {second!r} && board.run.status === 'running'")
    assert tab.board("board.run.params.edits") == "2.0.b=7.5"
    tab.until(f"Math.abs({NET}.weight(2, 0, -1) - 7.5) < 3")
    # a setting of the column carries the run on as well
    third = str(tab.board("board.run.id"))
    tab.page.get_by_role("button", name="x₁x₂").click()
    tab.until(f"board.run.id !== {third!r} && {SIZES} === '3,4,3,1'")
    # by the keyboard: to the first hidden unit, and open it
    tab.page.locator(".tr-network").focus()
    for key in ("ArrowRight", "ArrowRight", "Enter"):
        tab.page.keyboard.press(key)
    expect(form.get_by_role("spinbutton")).to_have_count(4)
    tab.page.keyboard.press("Escape")
    expect(form).to_be_hidden()


def test_points_are_drawn_and_a_csv_is_read_or_told_what_is_wrong(tab: Tab, tmp_path: Any) -> None:
    tab.open("playground?lang=en&points=drawn&steps=1000000&pace=200&seed=4&hidden=3")
    tab.until("board.run && board.head > 0")
    expect(tab.page.get_by_text("computing on")).to_be_visible()  # when it comes the page is drawn again
    tab.rested()
    first = tab.run()
    tab.until(f"{MAP}.strokes.enabled && {MAP}.plan && {MAP}.data.dots?.shape[0] === 40 && board.head > 10")
    plane = tab.page.locator("[data-figure=boundary] .tr-canvas").bounding_box()
    assert plane
    x, y = plane["x"] + plane["width"] / 2, plane["y"] + plane["height"] / 3
    tab.page.mouse.move(x - 30, y)
    tab.page.mouse.down()
    tab.page.mouse.move(x + 30, y, steps=6)
    assert tab.board(f"{MAP}.strokes.places.length") > 2
    tab.page.mouse.up()
    tab.until(f"board.run.id !== {first!r} && {MAP}.data.dots?.shape[0] > 42 && board.run.status === 'running'")
    assert "drawn=" in tab.page.url
    tab.page.get_by_text("More settings").click()
    bad, good = tmp_path / "bad.csv", tmp_path / "good.csv"
    bad.write_text("1,2,a\n3,x,b\n5,6,a\n7,8,b\n")
    good.write_text("x,y,class\n" + "\n".join(f"{n % 5},{n // 5},{'abc'[n % 3]}" for n in range(30)))
    tab.page.locator("input[type=file]").set_input_files(bad)
    expect(tab.page.get_by_text(re.compile("This CSV cannot be used: line 2"))).to_be_visible()
    before = str(tab.board("board.run.id"))
    tab.page.locator("input[type=file]").set_input_files(good)
    tab.until(f"board.run.id !== {before!r} && {SIZES} === '2,3,3' && {MAP}.data.dots?.shape[0] === 30")
    assert tab.board(f"{MAP}.data.tiles?.shape.join()") == "1,50,50,3"
    assert re.search(r"csv=[0-9a-f]{64}", tab.page.url)
