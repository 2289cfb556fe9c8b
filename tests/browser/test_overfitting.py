"""The overfitting lesson in a real browser: a guess is drawn before the run, the run is held against it."""

from __future__ import annotations

import math
import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Tab

pytestmark = pytest.mark.browser

TITLE = {"en": "Overfitting and regularisation", "zh": "过拟合与正则化"}


def stroke(tab: Tab, figure: str, places: list[tuple[float, float]]) -> None:
    """Draws on a plot, through places in shares of its area, from the upper left."""
    plot = tab.page.locator(f"[data-figure={figure}]")
    plot.scroll_into_view_if_needed()
    area = plot.locator(".nsewdrag").first.bounding_box()
    assert area
    for number, (x, y) in enumerate(places):
        tab.page.mouse.move(area["x"] + x * area["width"], area["y"] + y * area["height"], steps=3 if number else 1)
        if not number:
            tab.page.mouse.down()
    tab.page.mouse.up()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_guess_is_drawn_and_measured_against_the_run(tab: Tab, language: str) -> None:
    tab.open(f"overfitting?lang={language}&steps=200&seeds=4&pace=0&seed={1 + list(TITLE).index(language)}")
    tab.until("board.head > 10 && board.counters.drawn.fit > 0 && board.counters.drawn.curves > 0")
    assert TITLE[language] in tab.page.get_by_role("heading", level=1).first.inner_text()
    stroke(tab, "curves", [(0.005, 0.2), (0.4, 0.5), (0.995, 0.45)])
    tab.page.wait_for_url(re.compile("guess="))
    tab.until("board.figures.get('curves').sketch.stroke === null")
    found = re.search(r"guess=([^&]+)", tab.page.url)
    assert found
    guess = [float(one) for one in re.split(",|%2C", found[1])]
    assert len(guess) == 24
    assert guess[0] > guess[-1] > guess[9]
    run = tab.run()
    tab.done("board.head === 200")
    real = dict(
        tab.board("(({x, y}) => Array.from(x, (at, i) => [at, y[i]]))(board.figures.get('curves').filled()[1])")
    )
    places = [round(200 * k / 23) for k in range(24)]
    there = [real[next(at for at in sorted(real) if at >= place)] for place in places]
    off = math.exp(sum(abs(math.log(y / true)) for y, true in zip(guess, there, strict=True)) / 24)
    assert tab.board("board.figures.get('curves').say.off") == pytest.approx(off, rel=1e-6)
    expect(tab.page.locator("[data-figure=curves] .tr-reading")).to_contain_text(f"{off:.3g}")
    tab.page.locator("[data-figure=curves] .tr-wipe").click()
    tab.until("board.figures.get('curves').spec.traces.at(-1).y.every((one) => one === null)")
    assert tab.board("board.run.id") == run


def test_a_truth_is_drawn_and_learnt_and_features_descend_twice(tab: Tab) -> None:
    tab.open("overfitting?curve=drawn&steps=100&seeds=4&pace=0&points=12")
    tab.until("board.head > 10 && board.counters.drawn.fit > 0")
    before = tab.run()  # what is recorded has another truth
    tab.done("board.figures.get('fit').sketch.index > 0")
    stroke(tab, "fit", [(0.03, 0.3), (0.5, 0.7), (0.97, 0.3)])
    tab.done(f"board.run.id !== {before!r}")
    tab.rested()
    heights = tab.board("board.run.params.truth.split(',').map(Number)")
    assert len(heights) == 24
    assert max(heights) == pytest.approx(4.4 * 0.2, abs=0.15)
    assert min(heights) == pytest.approx(-4.4 * 0.2, abs=0.15)
    tab.page.locator("[data-figure=descent]").scroll_into_view_if_needed()
    tab.until("board.counters.drawn.descent > 0")
    tab.until(  # what was answered about the run before has another truth
        "(({points, peak, highest, before, end}) => points === 12 && peak === 12 && highest > 3 * before"
        " && before > end)(board.figures.get('descent').say)"
    )
