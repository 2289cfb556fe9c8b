"""Graphs and strips: picking by mouse and keys, and scrolling to what happens."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.board.view import View

pytestmark = pytest.mark.browser


def test_graph_and_strip_answer_mouse_and_keys(view: View) -> None:
    view.open()
    view.drawn()
    view.figure("graph").locator(".tr-node").first.click()
    view.until("torchroom.board.queries.lastId === 1 && torchroom.board.queries.pending.size === 0")
    view.page.keyboard.press("ArrowRight")
    view.page.keyboard.press("Enter")
    view.until("torchroom.board.queries.lastId === 2 && torchroom.board.queries.pending.size === 0")
    view.figure("strip").locator(".tr-item").nth(2).click()
    view.until("torchroom.board.figures.get('filters').tiles.n === 1")
    asked = [(one["name"], one["args"]) for one in view.control("state")["heard"] if one["op"] == "ask"]
    assert asked == [("node", {"node": "x1"}), ("node", {"node": "x2"}), ("image", {"index": 102})]
    assert view.step() == 120


def test_a_graph_wider_than_its_place_brings_what_happens_into_sight(view: View) -> None:
    view.page.set_viewport_size({"width": 390, "height": 6000})
    view.open()
    view.drawn()
    graph = "torchroom.board.figures.get('graph')"
    view.js(f"{graph}.respec({{ ...{graph}.spec, width: 1200 }})")
    last = view.js(f"{graph}.spec.nodes.reduce((most, node, i, all) => (node.x > all[most].x ? i : most), 0)")
    lit = f"{graph}.take([{{ figure: 'graph', trace: '', data: {{ ...{graph}.data, lit_nodes: [{last}] }} }}])"
    view.js(f"{{ {lit}; torchroom.board.schedule(); }}")
    body = view.figure("graph").locator(".tr-body")
    expect(view.figure("graph").locator(".tr-node").nth(last).locator("rect")).to_be_in_viewport(ratio=1)
    view.until(f"{graph}.body.scrollLeft > 100")
    view.still(f"{graph}.body.scrollLeft")  # a smooth scroll ends
    body.evaluate("(body) => body.scrollTo(0, 0)")
    view.js(f"{{ {graph}.dirty = true; torchroom.board.schedule(); }}")
    view.until(f"!{graph}.dirty")
    view.frames()
    assert body.evaluate("(body) => body.scrollLeft") == 0  # the reader scrolled back: nothing new happened
