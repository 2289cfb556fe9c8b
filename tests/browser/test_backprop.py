"""The backpropagation lesson in a real browser: steps back and forth, a number changed where it stands, a check."""

from __future__ import annotations

import math
import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Tab

pytestmark = pytest.mark.browser

TITLE = {"en": "Backpropagation", "zh": "反向传播"}
GRAPH = "board.figures.get('graph')"


def go(tab: Tab, step: int) -> None:
    """Moves the playhead there and waits for that very step's picture."""
    tab.board(f"(board.transport.scrub({step}), 0)")
    tab.until(f"board.playhead.step === {step} && {GRAPH}.data.say?.step === {step}")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_opens_alive_and_every_step_has_its_own_picture(tab: Tab, language: str) -> None:
    tab.with_motion()
    tab.open(f"backprop?lang={language}")
    tab.until("board.run?.status === 'recorded' && board.head === 100 && board.counters.drawn.graph > 0")
    assert TITLE[language] in tab.page.get_by_role("heading", level=1).first.inner_text()
    go(tab, 13)
    reading = tab.page.locator("[data-figure=graph] .tr-reading")
    expect(reading).to_contain_text("L = ")
    assert tab.board(f"{GRAPH}.data.marks.filter((one) => one.includes('∂')).length") == 0
    tab.page.keyboard.press("ArrowRight")  # the loss passes its gradient back
    tab.until(f"{GRAPH}.data.say.step === 14")
    expect(reading).to_contain_text("∂L/∂z[o₁] = o₁ − y₁ =")
    assert tab.page.locator(".tr-edge.tr-lit").count() == 4
    tab.page.keyboard.press("ArrowLeft")  # and back in time
    tab.until(f"{GRAPH}.data.say.step === 13")
    expect(reading).not_to_contain_text("∂L/∂z[o₁]")
    go(tab, 25)
    expect(reading).to_contain_text("← w[x₁→h₁] − lr")
    assert tab.board("board.run.history.at(Infinity).now('gap')") < 1e-12


def test_a_weight_is_checked_and_changed_where_it_stands(tab: Tab) -> None:
    tab.open("backprop?pace=0&steps=50&seed=11")
    tab.until("board.head > 0")
    run = tab.run()
    tab.done()
    go(tab, 24)
    edge = tab.page.locator("[data-figure=graph] .tr-edge[aria-label*='w[h₁→o₂]']")
    edge.focus()
    tab.page.keyboard.press("Enter")
    said = "board.figures.get('check').say"
    tab.until(f"{said}?.name === 'w[h₁→o₂]'")
    exact, near = tab.board(f"[{said}.exact, {said}.near]")
    assert exact == pytest.approx(near, abs=1e-8)
    shown = str(tab.board(f"{GRAPH}.data.marks[{GRAPH}.spec.edges.findIndex((one) => one.name === 'h1o2')]"))
    mantissa = re.search(r"∂ (−?[\d.]+)", shown)
    assert mantissa
    assert float(mantissa[1].replace("−", "-")) == pytest.approx(exact, rel=0.06)
    field = tab.page.locator(".tr-edit input")
    expect(field).to_be_focused()
    field.fill("nonsense")
    field.press("Enter")
    expect(field).to_have_attribute("aria-invalid", "true")
    edge.focus()
    tab.page.keyboard.press("Enter")
    field.fill("0.25")
    field.press("Enter")
    tab.done(f"board.run.id !== '{run}' && board.run.params?.edits === 'h1o2=0.25'")
    tab.rested()
    assert "edits=h1o2%3D0.25" in tab.page.url
    go(tab, 0)
    assert tab.board(f"{GRAPH}.data.given.h1o2") == 0.25


def test_a_typed_expression_is_drawn_and_differentiated(tab: Tab) -> None:
    tab.open(
        "backprop?what=expression&pace=0&lr=0.01&steps=20&expression=sin(a)*b%20%2B%20a**2&values=a%3D0.5,%20b%3D3"
    )
    tab.until("board.head > 0")
    tab.run()
    tab.done()
    go(tab, 8)
    notes = tab.board(f"Object.fromEntries({GRAPH}.spec.nodes.map((one, i) => [one.id, {GRAPH}.data.notes[i]]))")
    value, gradient = notes["a"].split("\n∂ ")
    assert float(value) == 0.5
    assert float(gradient) == pytest.approx(3 * math.cos(0.5) + 2 * 0.5, rel=0.01)
    assert float(notes["b"].split("\n∂ ")[1]) == pytest.approx(math.sin(0.5), rel=0.01)
    box = tab.page.get_by_label("Expression", exact=True)
    box.fill("open('/etc/passwd')")
    box.press("Enter")
    expect(tab.page.get_by_test_id("stAlert")).to_contain_text("“open” at character 1 is not known here")
    assert tab.board("board.run.status") == "done"
    box.fill("a*b + max(a, b)")
    box.press("Enter")
    expect(tab.page.get_by_test_id("stAlert")).to_have_count(0)
    tab.rested()
    tab.run()
    tab.until(
        "board.run.status === 'done' && board.spec.figures[0].nodes.some((one) => one.label === 'v₂ = max(a, b)')"
    )
