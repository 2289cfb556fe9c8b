"""Plots: gaps, handles that are carried, lines that are drawn, clicks that choose."""

from __future__ import annotations

import math

import pytest
from playwright.sync_api import expect

from lessons.board.readings import number
from tests.browser.board import figures
from tests.browser.board.view import View, box_of

pytestmark = pytest.mark.browser


def test_not_a_number_is_a_gap(view: View) -> None:
    view.open()
    view.drawn()
    lines = "[...document.querySelectorAll('[data-figure=loss] .scatterlayer .trace')]"
    assert view.js(f"{lines}.map((trace) => trace.querySelectorAll('path.js-line').length)") == [1, 2]


def test_a_plot_without_a_point_says_so(view: View) -> None:
    view.open()
    view.drawn()
    empty = view.figure("loss").locator(".tr-empty")
    expect(empty).to_have_text("")
    for y, said in (("null, NaN", "Nothing that can be drawn at this step"), ("null, 2", "")):
        plot = "torchroom.board.figures.get('loss')"
        traces = f"[{{ name: 'one', x: [1, 2], y: [{y}] }}]"
        view.js(f"{{ {plot}.respec({{ ...{plot}.spec, traces: {traces} }}); torchroom.board.schedule(); }}")
        expect(empty).to_have_text(said)


def test_the_log_switch(view: View) -> None:
    view.open()
    view.drawn()
    view.figure("loss").get_by_role("button", name="log").click()
    view.until("document.querySelector('[data-figure=loss] .tr-plot')._fullLayout.yaxis.type === 'log'")
    expect(view.figure("loss").get_by_role("button", name="log")).to_have_attribute("aria-pressed", "true")


def test_a_long_run_stays_light(view: View) -> None:
    view.open("long")
    view.until("torchroom.board.head === 19999")
    view.drawn()
    n = view.js("document.querySelector('[data-figure=loss] .tr-plot').data[0].x.length")
    assert 1000 < n <= 4100


def test_a_click_anywhere_on_the_contour_chooses(view: View) -> None:
    view.open()
    view.drawn()
    area = box_of(view.figure("contour").locator(".nsewdrag"))
    view.page.mouse.click(area["x"] + 0.75 * area["width"], area["y"] + 0.25 * area["height"])
    view.until("window.sent.length === 1")
    name, value = view.js("window.sent[0]")
    assert name == "choose"
    assert value["start_x"] == pytest.approx(1.5, abs=0.03)
    assert value["start_y"] == pytest.approx(1.0, abs=0.03)
    view.page.mouse.click(area["x"] + 20, area["y"] + 20)
    view.until("window.sent.length === 2")
    assert view.js("window.sent[1][1].n > window.sent[0][1].n")
    # a drag is a zoom, not a choice
    view.drag(view.figure("contour").locator(".nsewdrag"), (50, 50), (150, 150))
    view.frames()
    assert view.js("window.sent.length") == 2
    assert view.js("getComputedStyle(document.querySelector('[data-figure=contour] .nsewdrag')).cursor") == "crosshair"


def test_a_free_point_is_carried_as_far_and_as_finely_as_its_settings(view: View) -> None:
    view.open(spec="en-words")
    view.drawn()
    plot = "figures.get('carried')"
    area = box_of(view.figure("carried").locator(".nsewdrag"))

    def at(x: float, y: float) -> tuple[float, float]:
        return area["width"] * x / 4, area["height"] * (1 - y / 10)

    nsew = view.figure("carried").locator(".nsewdrag")
    view.drag(nsew, at(1.0, 5.0), at(2.1, 6.6))
    view.until("window.sent.length === 1")
    assert {**view.js("window.sent[0][1]"), "n": 0} == {"start_x": 2.0, "start_y": 6.5, "n": 0}
    assert view.board(f"{plot}.filled()[0].x[0]") == 2.0  # it stays there until the page has taken it over
    view.drag(nsew, at(3.05, 5.1), at(1.0, 9.9))  # it does not go aside, nor beyond 8
    view.until("window.sent.length === 2")
    assert {**view.js("window.sent[1][1]"), "n": 0} == {"start_y": 8.0, "n": 0}
    view.drag(nsew, at(0.2, 9.0), at(2.0, 2.0))  # nothing is near
    view.drag(nsew, at(1.0, 5.0), at(1.02, 5.05))  # hardly moved
    view.frames()
    assert view.js("window.sent.length") == 2


def test_a_line_is_drawn_where_the_pointer_goes_and_its_distance_is_said(view: View) -> None:
    view.open(spec="en-words")
    view.drawn()
    figure, plot = view.figure("sketch"), "figures.get('sketch')"
    nsew = figure.locator(".nsewdrag")
    area = box_of(nsew)

    def at(x: float, y: float) -> tuple[float, float]:
        return area["width"] * x / 120, area["height"] * (1 - (math.log10(y) + 2) / 3)

    expect(figure.locator(".tr-reading")).to_have_text("Nothing drawn.")
    expect(figure.locator(".tr-wipe")).to_be_hidden()
    assert view.board(f"{plot}.filled()[0].line.width") == 3  # the patch found it by its key
    view.drag(nsew, at(20, 1.0), at(80, 0.1))
    view.until("window.sent.length === 1")
    heights = view.js("window.sent[0][1].guess").split(",")
    assert (heights[0], heights[5], heights[6]) == ("", "", "")
    expected = [1.0, 10 ** (-1 / 3), 10 ** (-2 / 3), 0.1]  # a straight line on the logarithmic axis
    drawn = [float(one) for one in heights[1:5]]
    assert drawn == pytest.approx(expected, rel=0.06)
    ratios = [abs(math.log(y / figures.scalars(x)["loss"])) for x, y in zip((20, 40, 60, 80), drawn, strict=True)]
    off = number(math.exp(sum(ratios) / 4), "6")
    expect(figure.locator(".tr-reading")).to_have_text(f"Off by a factor of {off}.")
    view.drag(nsew, at(100, 0.5), at(120, 0.011))  # goes on with the same line, as low as it may
    view.until("window.sent.length === 2")
    more = view.js("window.sent[1][1].guess").split(",")
    assert more[1:5] == heights[1:5]
    assert float(more[5]) == pytest.approx(0.5, rel=0.06)
    assert float(more[6]) == 0.05
    view.js("rerun({spec: '/live/spec/zh-words.json'})")
    view.until("torchroom.board.figures.get('sketch').sketch.stroke === null")  # the page has taken it over
