"""The losses lesson in a real browser: points are carried, the run follows, float32 falls off its cliff."""

from __future__ import annotations

import math
import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Tab

pytestmark = pytest.mark.browser

TITLE = {"en": "Loss functions", "zh": "损失函数"}


def carry(tab: Tab, figure: str, name: str, right: float, down: float) -> None:
    """Takes the point `name` of a plot and lets it go so many pixels from there."""
    x, y = tab.board(
        f"""(() => {{
            const plot = board.figures.get('{figure}');
            const trace = plot.spec.traces.find((one) => one.hold?.free && one.name.startsWith('{name}'));
            const [x, y] = [trace.xaxis ?? 'x', trace.yaxis ?? 'y'].map((name) => name.slice(1));
            const {{ ['xaxis' + x]: across, ['yaxis' + y]: up }} = plot.graph._fullLayout;
            const box = plot.graph.getBoundingClientRect();
            return [box.left + across._offset + across.d2p(trace.x[0]), box.top + up._offset + up.d2p(trace.y[0])];
        }})()"""
    )
    tab.page.mouse.move(x, y)
    tab.page.mouse.down()
    tab.page.mouse.move(x + right, y + down, steps=4)
    tab.page.mouse.up()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_opens_alive_and_a_carried_point_starts_a_run_of_its_own(tab: Tab, language: str) -> None:
    tab.with_motion()
    tab.open(f"losses?lang={language}&seed={1 + list(TITLE).index(language)}")
    tab.until("board.run?.status === 'recorded' && board.head > 10 && board.counters.drawn.line > 2")
    assert TITLE[language] in tab.page.get_by_role("heading", level=1).first.inner_text()
    tab.run()
    tab.done()
    run, slope = tab.board("[board.run.id, board.run.history.at(Infinity).now('w.mse')]")
    carry(tab, "line", tab.board("board.figures.get('line').spec.traces.at(-1).name"), 0, -140)
    tab.until(f"board.run.id !== {run!r} && board.run.params?.outlier_y > -5")
    y = tab.board("board.run.params.outlier_y")
    tab.rested()
    assert f"outlier_y={y:g}" in tab.page.url
    tab.done("board.figures.get('line').handles.carried === null")
    assert tab.board("board.figures.get('line').filled().at(-1).y[0]") == y
    now = tab.board("board.run.history.at(Infinity).now('w.mse')")
    assert slope < now < 0.9
    assert tab.board("board.run.params.outlier_x") == 2.5  # straight up
    tab.until("board.playhead.step === 200 && !board.figures.get('line').dirty")
    shown = tab.board("board.figures.get('line').filled()[1].y")
    assert (shown[1] - shown[0]) / 16 == pytest.approx(now)


def test_topics_change_the_board_and_start_their_run(tab: Tab) -> None:
    tab.open("losses?pace=20")
    tab.until("board.head > 0")
    tab.page.get_by_role("combobox", name=re.compile("What is trained")).click()
    tab.page.get_by_role("option", name="Two classes").click()
    tab.until("board.run.params?.topic === 'classes' && board.run.head >= 0 && board.counters.drawn.logit > 0")
    run = tab.board("board.run.id")
    area = tab.page.locator("[data-figure=logit] .nsewdrag").first.bounding_box()
    assert area
    y = area["y"] + area["height"] / 2
    tab.page.mouse.move(area["x"] + area["width"] / 2, y)
    tab.page.mouse.down()
    tab.page.mouse.move(area["x"] + area["width"] / 8, y, steps=3)  # z = -6
    tab.page.mouse.up()
    tab.rested()
    tab.until("board.figures.get('logit').handles.at === null")
    assert re.search(r"logit=-(5\.9|6|6\.1)(&|$)", tab.page.url)
    assert tab.board("board.run.id") == run  # only looked at
    expect(tab.page.locator("[data-figure=logit] .tr-reading")).to_contain_text("−0.99")
    tab.page.get_by_role("combobox", name=re.compile("What is trained")).click()
    tab.page.get_by_role("option", name="Softmax, three classes").click()
    tab.until("board.run.params?.topic === 'softmax' && board.run.head >= 0 && board.counters.drawn.bars > 0")
    carry(tab, "bars", "start z3", 0, 20)
    tab.until("board.run.params?.z3 < -2 && board.run.params.z1 === 2 && board.run.head >= 0")


def test_float32_falls_and_the_table_says_where(tab: Tab) -> None:
    tab.open("losses")
    tab.until("board.head > 0")
    tab.page.get_by_role("button", name=re.compile("Break float32")).click()
    tab.done("board.run.params?.topic === 'overflow'")
    rows = tab.page.locator("[data-figure=steps] tbody tr")
    said = {
        "z A": ["120", "0"],
        "exp z A": ["∞", "1"],
        "Σ exp z": ["∞", "1"],
        "p C": ["0", "0"],
        "log p C": ["−∞", "−180"],
        "L = −log p": ["∞", "180"],
        "∂L/∂z A": ["NaN", "1"],
    }
    for name, cells in said.items():
        row = rows.filter(has=tab.page.get_by_role("rowheader", name=name, exact=True))
        expect(row.locator("td")).to_have_text(cells)
    tab.until("board.playhead.step === 200 && !board.figures.get('falls').dirty")
    loss = tab.board("board.figures.get('falls').filled().map((trace) => Array.from(trace.y))")
    assert loss[0][0] == 180
    assert loss[0][-1] < 0.01
    assert all(math.isnan(one) for one in loss[1][1:])
    expect(tab.page.locator("[data-figure=falls] .tr-reading")).to_contain_text("as written it is NaN")
