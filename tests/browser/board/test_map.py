"""Maps: colours of bytes and numbers, captions, and picking by mouse and keys."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import Position, expect

from lessons.board.readings import number, reading
from tests.browser.board import figures
from tests.browser.board.view import View, box_of, pixels

pytestmark = pytest.mark.browser


def shade(view: View, name: str, tile: int, across: float, down: float) -> tuple[int, ...]:
    """The colour of a map's pixel at a place of a tile, in cells."""
    place = view.js(
        "([name, tile, across, down]) => {"
        "const figure = torchroom.board.figures.get(name);"
        "const [x, y] = figure.corner(tile);"
        "return [x + across * figure.plan.cell, y + down * figure.plan.cell]; }",
        [name, tile, across, down],
    )
    return tuple(int(one) for one in pixels(view, name)[int(place[1]), int(place[0])])


def test_a_map_of_bytes_is_blended_stands_for_its_span_and_has_dots_on_it(view: View) -> None:
    view.open(spec="en-words")
    view.drawn()
    figure = view.figure("field")
    view.until("torchroom.board.figures.get('field').names[0].startsWith('step 120')")
    assert view.board("figures.get('field').names") == [
        reading("step {step}\nloss {now:loss|2}", [(step, figures.scalars(step)) for step in range(121)]),
        "the other",
    ]
    plan = view.board("figures.get('field').plan")
    scale = figure.locator(".tr-scale")
    assert scale.inner_text().split() == [number(-3.0, "3"), number(5.0, "3")]
    for (row, column), byte in (((0, 0), 0), ((1, 2), 102), ((3, 3), 255)):
        x, y = view.js("() => torchroom.board.figures.get('field').corner(1)")
        at: Position = {"x": x + (column + 0.5) * plan["cell"], "y": y + (row + 0.5) * plan["cell"]}
        figure.locator(".tr-canvas").hover(position=at)
        said = f"the other · {row} · {column}: {-3 + 8 * byte / 255:.7g}".replace("-", "−")
        expect(figure.locator(".tr-tip")).to_have_text(said)
    view.page.mouse.move(5, 5)
    # dots of four kinds in the corners of each tile: odd blue, even orange, dark from 2 on
    for tile in (0, 1):
        quarter = 4 * 64 / 255
        found = [shade(view, "field", tile, quarter * x, quarter * y) for x, y in ((1, 1), (3, 1), (1, 3), (3, 3))]
        for colour, wanted in zip(found, ("#ffd9ad", "#b9dcff", "#5c2a00", "#0a2f57"), strict=True):
            assert np.abs(np.array(colour) - [int(wanted[i : i + 2], 16) for i in (1, 3, 5)]).max() < 40, (tile, found)
    # between a cell at one end and its neighbour at the other the colour goes over; without "smooth" it would jump
    low, middle, high = (shade(view, "field", 0, across, 2.5) for across in (0.6, 1.0, 1.4))
    assert low != middle != high
    assert min(np.abs(np.subtract(low, middle)).sum(), np.abs(np.subtract(middle, high)).sum()) > 30
    # the other map shows one tile in full, named, and another after a click
    close = view.figure("close")
    expect(close.locator(".tr-title")).to_contain_text("One tile of it · step 120")
    assert view.board("figures.get('close').tiles.values.length") == 16
    figure.locator(".tr-canvas").click(position={"x": x + 5, "y": y + 5})
    expect(close.locator(".tr-title")).to_have_text("One tile of it · the other")
    assert list(view.js("() => Object.values(torchroom.board.figures.get('close').tiles.values)")) == [
        17 * i for i in range(16)
    ]


def test_captions_wider_than_their_tiles_go_on_in_further_lines(view: View) -> None:
    view.page.set_viewport_size({"width": 390, "height": 6000})
    view.open()
    view.drawn()
    names = ["Uniform (0, 1): activations\nloss 2.3 · right 10 %", "均匀分布：激活值\n损失 2.3 · 正确 10 %"]
    view.js(
        """(names) => {
          window.texts = [];
          const { fillText } = CanvasRenderingContext2D.prototype;
          CanvasRenderingContext2D.prototype.fillText = function (text, ...at) {
            window.texts.push(text);
            return fillText.call(this, text, ...at);
          };
          const figure = torchroom.board.figures.get("filters");
          const tiles = Array.from({ length: figure.tiles.n }, (_, i) => names[i % 2]);
          figure.respec({ ...figure.spec, tiles, across: 4 });
          figure.body.style.height = "600px";
          torchroom.board.schedule();
        }""",
        names,
    )
    view.until("!torchroom.board.figures.get('filters').dirty && window.texts.length > 8")
    texts = view.js("window.texts")
    assert view.board("figures.get('filters').plan.wraps")
    assert not [text for text in texts if "…" in text]
    for name in names:
        for part in name.replace("\n", " ").split(" "):
            assert any(part in "".join(texts[i : i + 9]) for i in range(len(texts))), (part, texts)
    assert not [text for text in texts if text.startswith(("%", "："))]  # what belongs to what is before it


def test_a_map_answers_mouse_and_keys(view: View) -> None:
    view.open()
    view.drawn()
    confusion = view.figure("confusion")
    plan = view.board("figures.get('confusion').plan")
    at: Position = {"x": plan["left"] + 3.5 * plan["cell"], "y": plan["top"] + 1.5 * plan["cell"]}
    confusion.locator(".tr-canvas").hover(position=at)
    expect(confusion.locator(".tr-tip")).to_have_text("is car · taken for cat: 0")
    confusion.locator(".tr-canvas").click(position=at)
    view.until("document.querySelectorAll('.tr-item').length === 4")
    box = box_of(confusion.locator(".tr-selected"))
    assert box["width"] == pytest.approx(plan["cell"], abs=1)
    # the question follows the playhead
    view.board("transport.scrub(20)")
    view.until("torchroom.board.queries.pending.size === 0")
    view.timers(200)  # the time between two questions of one kind
    asked = [one for one in view.control("state")["heard"] if one["op"] == "ask"]
    assert [one["step"] for one in asked] == [120, 20]
    assert asked[0]["args"] == {"truth": 1, "guess": 3}
    confusion.locator(".tr-map").focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "Enter"):
        view.page.keyboard.press(key)
    view.until("document.querySelectorAll('.tr-item').length === 6")
    assert view.step() == 20  # the arrow keys were the map's
    boundary = view.figure("boundary")
    boundary.locator(".tr-canvas").click()
    view.until("window.sent.length === 1")
    assert set(view.js("window.sent[0][1]")) == {"start_x", "start_y", "n"}
