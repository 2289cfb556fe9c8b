"""A network: weights as colours, units pointed at, numbers written."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.board.view import View, box_of, near, pixels

pytestmark = pytest.mark.browser


def test_a_network_is_drawn_lends_its_units_and_takes_another_weight(view: View) -> None:
    """Colours, hits and choices of the seventh kind, with weights and maps that are known."""
    view.open(spec="en-words")
    view.drawn()
    net = "torchroom.board.figures.get('net')"
    assert view.js(f"[{net}.weight(1, 0, 1), {net}.weight(1, 1, -1), {net}.weight(2, 0, 1)]") == [-2, 1, 1]
    body = view.figure("net").locator(".tr-body")
    box = box_of(body)

    def spot(code: str) -> tuple[float, float]:
        x, y = view.js(f"{net}.plan.spots{code}")
        return box["x"] + x, box["y"] + y

    picture = pixels(view, "net")
    x, y = view.js(f"{net}.plan.spots[1][0]")
    assert near(picture[int(y) - 4 : int(y) + 5, int(x) - 10 : int(x) - 5], (154, 74, 6)) > 20  # its left half is low
    assert near(picture[int(y) - 4 : int(y) + 5, int(x) + 5 : int(x) + 10], (20, 84, 143)) > 20  # its right half high
    view.page.mouse.move(*spot("[1][0]"))
    view.until("torchroom.board.figures.get('plane').focus?.index === 0")
    expect(view.figure("plane").locator(".tr-title")).to_contain_text("unit 1 of 1")
    a, b = spot("[1][1]"), spot("[2][0]")
    view.page.mouse.move((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)
    assert view.js(f"{net}.at") == {"layer": 2, "unit": 0, "input": 1}
    assert view.figure("net").locator(".tr-tip").inner_text().endswith("weight 1")
    view.page.mouse.click((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)
    view.page.keyboard.type("0.5")
    view.page.keyboard.press("Enter")
    name, sent = view.js("window.sent.at(-1)")
    assert (name, sent["weights"]) == ("choose", ["2.0.1=0.5"])
    view.figure("net").get_by_role("button", name="more").click()
    assert view.js("window.sent.at(-1)[1].hidden") == "3"
    view.page.mouse.click(*spot("[0][2]"))  # an input that is off
    assert view.js("window.sent.at(-1)[1].features") == "c"
