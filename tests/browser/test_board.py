"""The board in a real browser, alone with a server whose runs are formulas (tests/browser/board)."""

from __future__ import annotations

import base64
import io
import json
import math
import random
import threading
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import uvicorn
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Position, expect

from engine import wire
from engine.types import Array, Scalars
from lessons.board.fold import band_quantiles
from lessons.board.readings import number, reading
from tests.browser.board import figures, server
from tests.browser.conftest import WAIT_S

pytestmark = pytest.mark.browser

ALL = [figure.id for figure in figures.figures()]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    config = uvicorn.Config(server.app(), host="127.0.0.1", port=0, log_level="warning", ws="websockets-sansio")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}"
    running.should_exit = True
    thread.join(10)


class View:
    """A page with the board, and what its console said."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)

    def open(self, run: str = "quick", **query: str) -> View:
        self.control("reset")
        asked = "&".join(f"{key}={value}" for key, value in {"run": run, "spec": "en", **query}.items())
        self.page.goto(f"{self.address}/?{asked}")
        self.page.wait_for_selector(".tr-figure")
        return self

    def js(self, code: str, argument: Any = None) -> Any:
        return self.page.evaluate(code, argument)

    def board(self, code: str) -> Any:
        return self.js(f"torchroom.board.{code}")

    def until(self, code: str, seconds: float = WAIT_S) -> None:
        self.page.wait_for_function(code, timeout=1000 * seconds)

    def drawn(self) -> None:
        """Waits until every figure has been drawn and, unless a run goes on, shows what the playhead stands at."""
        self.until(
            """(() => {
              const { board } = torchroom;
              const figures = [...board.figures.values()];
              if (!board.run || !figures.every((figure) => figure.drawn)) return false;
              if (board.run.status === "running") return true;
              return board.isSettled && !figures.some((figure) => figure.dirty || figure.busy);
            })()"""
        )

    def step(self) -> int:
        return int(self.board("playhead.step"))

    def control(self, what: str) -> Any:
        with urllib.request.urlopen(f"{self.address}/control/{what}") as answer:
            return json.load(answer)

    def mark(self, nodes: str) -> None:
        """Marks these nodes, so that `kept` can tell whether they are the same ones later."""
        self.js(f"document.querySelectorAll({nodes!r}).forEach((node) => {{ node.mine = true; }})")

    def kept(self, nodes: str) -> bool:
        return bool(self.js(f"[...document.querySelectorAll({nodes!r})].every((node) => node.mine)"))

    def drag(self, target: Locator, start: tuple[float, float], end: tuple[float, float]) -> None:
        box = box_of(target)
        self.page.mouse.move(box["x"] + start[0], box["y"] + start[1])
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + end[0], box["y"] + end[1], steps=4)
        self.page.mouse.up()

    def figure(self, name: str) -> Locator:
        return self.page.locator(f".tr-figure[data-figure={name}]")

    def button(self, name: str) -> Locator:
        return self.page.locator(f".tr-{name}")


@pytest.fixture
def view(chromium: Browser, address: str) -> Iterator[View]:
    context = chromium.new_context(viewport={"width": 1280, "height": 2000})
    made = View(context.new_page(), address)
    yield made
    assert made.errors == []
    context.close()


def box_of(target: Locator) -> dict[str, float]:
    found = target.bounding_box()
    assert found is not None
    return {"x": found["x"], "y": found["y"], "width": found["width"], "height": found["height"]}


def pixels(view: View, name: str) -> Any:
    """The body of a figure as (rows, columns, 3)."""
    shot = view.figure(name).locator(".tr-body").screenshot()
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"))


def near(picture: Any, colour: tuple[int, int, int], reach: int = 24) -> int:
    return int((np.abs(picture.astype(int) - colour).max(-1) < reach).sum())


# pure parts


def test_decodes_what_the_wire_packs(view: View) -> None:
    view.open()
    arrays: dict[str, Array] = {
        "a": np.array([1.5, math.nan, math.inf, -math.inf], np.float64),
        "b": np.array([[1, 2, 3]], np.uint8),
        "c": np.array([-1, 2], np.int8),
        "d": np.array([0.1, -65504, 6e-8, math.nan, math.inf, 0.0], np.float16),
        "e": np.array([2**40, -3], np.int64),
        "f": np.array([True, False, True]),
        "g": np.array([[0.1], [2.5]], np.float32),
        "h": np.array([-7], np.int32),
        "i": np.array(3.25),
        "j": np.zeros((0, 4), np.float32),
    }
    packed = base64.b64encode(wire.pack({"type": "é中", "n": 1}, arrays)).decode()
    found = view.js(
        """(text) => {
          const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
          const { header, arrays } = window.live.decode(bytes.buffer);
          const plain = Object.entries(arrays).map(([k, v]) => [k, [v.shape, Array.from(v.values, String)]]);
          return { header, plain: Object.fromEntries(plain) };
        }""",
        packed,
    )
    assert found["header"] == {"type": "é中", "n": 1}
    for name, array in arrays.items():
        shape, values = found["plain"][name]
        assert shape == list(array.shape)
        as_numbers = np.array([float(value.replace("Infinity", "inf")) for value in values], np.float64)
        np.testing.assert_array_equal(as_numbers, array.astype(np.float64).ravel(), err_msg=name)


def test_numbers_are_written_as_in_python(view: View) -> None:
    view.open()
    dice = random.Random(1)
    values = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.125,
        1.125,
        2.5,
        12.25,
        1e-4,
        9.9995e-5,
        999.5,
        1e6,
        999999.5,
        1e21,
        3e300,
        -0.3,
        0.5,
    ]
    values += [dice.uniform(-1, 1) * 10 ** dice.randint(-9, 9) for _ in range(400)]
    values += [dice.randint(-4000, 4000) / 2 ** dice.randint(0, 8) for _ in range(400)]
    asked = [(value, form) for value in values for form in ("", "%", "0", "2", "4")]
    found = view.js("(asked) => asked.map(([value, form]) => window.live.number(value, form))", asked)
    wrong = [(value, form, text, number(value, form)) for (value, form), text in zip(asked, found, strict=True)]
    assert [one for one in wrong if one[2] != one[3].replace("−0.0 %", "0.0 %") and one[2] != one[3]] == []


def test_readings_are_those_of_python(view: View) -> None:
    view.open()
    templates = [template for _, _, template in figures.WORDS.values()]
    templates += [
        "{step} {now:loss} {first:loss|4} {min:loss} {max:loss} {at_min:loss}",
        "[diverged] gone || {flat:loss} || still moving",
        "{best:height.} {best:x.} {lowest:height.} {lowest:x.|2}",
        "{now:nothing} || {say:right|%} of {say:right}",
        "[accuracy] {now:accuracy|%} || no",
        "{min:val} {at_min:val} {now:val}",
        "",
    ]
    histories: list[list[tuple[int, Scalars]]] = [[], [(0, figures.scalars(0))]]
    for last in (5, 33, 60, 120):
        histories.append([(step, figures.scalars(step, last == 60)) for step in range(last + 1)])
    for history in histories:
        # JSON carries no NaN and infinity: they go as words
        plain = [[step, {key: str(value) for key, value in scalars.items()}] for step, scalars in history]
        found = view.js(
            """([templates, history]) => {
              const number = (text) => Number(text.replace("inf", "Infinity"));
              const plain = (scalars) => Object.fromEntries(Object.entries(scalars).map(([k, v]) => [k, number(v)]));
              const pairs = history.map(([step, scalars]) => [step, plain(scalars)]);
              return templates.map((one) => window.live.reading(one, pairs, { sgd: "SGD" }, { right: 0.5 }));
            }""",
            [templates, plain],
        )
        assert found == [reading(one, history, {"right": 0.5}, {"sgd": "SGD"}) for one in templates]


def test_a_long_line_keeps_its_extremes_and_gaps(view: View) -> None:
    view.open()
    n, kept = view.js(
        """() => {
          const x = Float64Array.from({ length: 50000 }, (_, i) => i);
          const y = Float64Array.from(x, (i) => Math.sin(i / 900));
          y[777] = 9; y[778] = -9; y[30000] = NaN;
          const out = window.live.downsample({ x, y });
          return [out.x.length, Array.from(out.x, (step, i) => [step, String(out.y[i])])];
        }"""
    )
    assert n < 4500
    points = dict(kept)
    assert points[777] == "9"
    assert points[778] == "-9"
    assert points[30000] == "NaN"
    assert {0, 49999} <= points.keys()


# drawing


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_plots_maps_graphs_and_strips_draw(view: View, theme: str, width: int) -> None:
    view.page.set_viewport_size({"width": width, "height": 3200})
    view.open(theme=theme, spec="zh-solid" if width == 390 else "en-solid")
    view.drawn()
    background = (255, 255, 255) if theme == "light" else (18, 22, 28)
    for name in ALL:
        picture = pixels(view, name)
        drawn = picture.size // 3 - near(picture, background, 6)
        assert drawn > 0.03 * picture.size / 3, name
    for name in ("contour", "loss"):
        assert near(pixels(view, name), (47, 134, 214)) > 60, name  # the blue line
        assert near(pixels(view, name), (224, 123, 22)) > 60, name
    assert near(pixels(view, "confusion"), (253, 231, 37)) > 500  # the diagonal at viridis' end
    assert near(pixels(view, "boundary"), (47, 134, 214)) > 1000
    assert view.js("document.documentElement.scrollWidth") <= width
    boxes = {name: box_of(view.figure(name)) for name in ALL}
    if width == 390:
        assert all(box["width"] > 340 for box in boxes.values())
        assert [*sorted(ALL, key=lambda name: boxes[name]["y"])] == ALL
    else:
        assert boxes["contour"]["y"] == boxes["relief"]["y"]
        assert 1.3 < boxes["contour"]["width"] / boxes["relief"]["width"] < 1.6
        assert boxes["filters"]["y"] == boxes["boundary"]["y"] == boxes["graph"]["y"]


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


def test_links_show_a_words_own_lines_and_answer_mouse_and_keys(view: View) -> None:
    view.open(spec="en-words")
    view.drawn()
    figure = view.figure("links")
    left, right = (figure.get_by_role("group", name=name, exact=True) for name in ("looks", "is looked at"))
    assert left.get_by_role("button").all_inner_texts() == figures.LOOKING
    assert right.get_by_role("button").all_inner_texts() == figures.SEEN
    expect(figure.locator(".tr-reading")).to_have_text("we gets most.")

    def inked() -> int:
        return int(
            view.js(
                "() => { const { canvas } = torchroom.board.figures.get('links');"
                "const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);"
                "return data.filter((value, at) => at % 4 === 3 && value).length; }"
            )
        )

    every = inked()
    word = left.get_by_role("button", name="sat")
    word.hover()
    expect(word).to_have_attribute("data-hot", "true")
    assert 0 < inked() < every
    assert [one.get_attribute("title") for one in right.get_by_role("button").all()] == [
        f"{name}: 0.25" for name in figures.SEEN
    ]
    right.get_by_role("button", name="we").hover()
    assert [one.get_attribute("title") for one in left.get_by_role("button").all()] == [
        "we: 0.7",
        "sat: 0.25",
        "here: 0",
    ]
    view.page.mouse.move(5, 5)
    assert inked() == every
    right.get_by_role("button", name=".", exact=True).click()
    expect(right.get_by_role("button", name=".", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(left.get_by_role("button", name="we")).to_have_attribute("aria-pressed", "true")
    for key in ("ArrowLeft", "ArrowUp", "Enter"):
        view.page.keyboard.press(key)
    expect(left.get_by_role("button", name="sat")).to_have_attribute("aria-pressed", "true")
    asked = [(one["name"], one["args"]) for one in view.control("state")["heard"] if one["op"] == "ask"]
    # the second gesture says one thing anew, and keeps what the first said
    assert asked == [("pair", {"to": 3}), ("pair", {"to": 3, "from": 1})]
    assert view.step() == 120  # the arrow keys were the words'


def test_a_table_writes_its_numbers_and_answers_mouse_and_keys(view: View) -> None:
    view.open(spec="en-words")
    view.drawn()
    figure = view.figure("table")
    assert figure.get_by_role("columnheader").all_inner_texts() == ["word", "share", "most", "signed", "plain"]
    rows = figure.locator("tbody tr")
    for row, name, values in zip(rows.all(), figures.SEEN, figures.table(1.0), strict=True):
        assert row.get_by_role("rowheader").inner_text() == name
        said = ["–" if math.isnan(one) else number(float(one), "4").replace("-", "−") for one in values]
        assert row.locator("td").all_inner_texts() == said
    bars = [
        [
            one.evaluate("(bar) => [bar.style.width, bar.parentElement.dataset.sign]")
            for one in row.locator("td i").all()[:3]
        ]
        for row in rows.all()
    ]
    assert bars[0] == [["50%", "plus"], ["50%", "plus"], ["50%", "minus"]]
    assert bars[1] == [["100%", "plus"], ["100%", "minus"], ["25%", "plus"]]
    assert bars[2][1][0] == "0%"
    expect(rows.nth(1)).to_have_attribute("aria-selected", "true")  # as the frame said
    rows.nth(2).click()
    expect(rows.nth(2)).to_have_attribute("aria-selected", "true")
    rows.nth(2).focus()
    for key in ("ArrowDown", "Enter"):
        view.page.keyboard.press(key)
    expect(rows.nth(3)).to_have_attribute("aria-selected", "true")
    asked = [(one["name"], one["args"]) for one in view.control("state")["heard"] if one["op"] == "ask"]
    assert asked == [("row", {"row": 2, "word": "here"}), ("row", {"row": 3, "word": "."})]


def test_a_bound_table_shows_the_numbers_of_the_moment_and_writes_nan(view: View) -> None:
    view.open(spec="en-words")
    view.drawn()
    figure = view.figure("bound")
    for step in (31, 120, 2, 30):  # odd ones have no validation loss, that of step 30 is not a number
        view.js("(step) => { const b = torchroom.board; b.playhead.go(step, b.run); b.changed(); }", step)
        now = figures.scalars(step)
        said = [now["loss"], now.get("val", math.nan), now["accuracy"], math.nan]
        for cell, value in zip(figure.locator("td").all(), said, strict=True):
            expect(cell).to_have_text(number(value, "4").replace("-", "−"))


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
    view.page.wait_for_timeout(200)
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


def test_of_two_questions_about_one_figure_the_later_holds(view: View) -> None:
    view.open(spec="en-words")
    view.drawn()
    cell = view.figure("table").locator("tbody tr").nth(3).locator("td").first  # 0.25 as the frame has it
    word = view.figure("links").get_by_role("button", name=".", exact=True)
    row = view.figure("table").locator("tbody tr").first
    expect(cell).to_have_text(number(0.25, "4"))
    for gesture, factor in ((word, 10), (row, 100), (word, 10), (row, 100)):
        gesture.click()
        expect(cell).to_have_text(number(0.25 * factor, "4"))
    # asked again of another moment, both are answered, and it is still the later that shows
    view.board("transport.scrub(20)")
    view.until("torchroom.board.queries.pending.size === 0 && torchroom.board.queries.lastId >= 6")
    expect(cell).to_have_text(number(25.0, "4"))


def test_hero_and_player_fit_above_the_fold(view: View) -> None:
    view.page.set_viewport_size({"width": 1280, "height": 800})
    view.open()
    view.until("torchroom.board.counters.drawn.contour > 0")
    hero = box_of(view.figure("contour").locator(".tr-body"))
    player = box_of(view.page.locator(".tr-player"))
    assert hero["y"] + hero["height"] < player["y"]
    assert player["y"] + player["height"] <= 800
    assert player["height"] < 76


def test_accessible_names(view: View) -> None:
    view.open(spec="zh")
    view.drawn()
    assert view.page.locator("figure").count() == len(ALL) - 1
    assert view.figure("loss").get_attribute("aria-label") == "Loss by step: a chart"
    expect(view.page.get_by_role("heading", name="Loss by step")).to_be_visible()
    for button in view.page.locator(".tr-player button").all():
        assert button.get_attribute("aria-label")
    assert view.page.locator(".tr-board").get_attribute("lang") == "zh-CN"
    assert view.page.locator(".tr-scrub").get_attribute("aria-valuetext") == "步 120 / 120"


def test_a_band_is_that_of_python(view: View) -> None:
    view.open()
    chance = random.Random(3)
    history = []
    for step in range(40):
        scalars = {"loss": 1.0, **({f"s.{k}": chance.gauss(0, 1) for k in range(6)} if step % 3 == 0 else {})}
        history.append((step, {**scalars, **({"s.2": math.nan} if step == 6 else {})}))
    pairs = json.dumps([(step, {k: None if v != v else v for k, v in one.items()}) for step, one in history])
    found = view.js(
        f"""(() => {{
          const pairs = {pairs}.map(([step, all]) => [step, Object.fromEntries(
            Object.entries(all).map(([name, one]) => [name, one === null ? NaN : one]))]);
          return window.live.History.of(pairs).at(30).quartiles("s.");
        }})()"""
    )
    right = band_quantiles("s.", history[:31])
    assert found["x"] == right["x"]
    for key, name in (("low", "low"), ("lower", "lower"), ("middle", "y"), ("upper", "upper"), ("high", "high")):
        assert found[key] == pytest.approx(right[name], abs=1e-12)


def test_readings_follow_the_playhead(view: View) -> None:
    view.open()
    view.drawn()
    history = [(step, figures.scalars(step)) for step in range(121)]
    template = figures.WORDS["loss"][2]
    names = {"sgd": "SGD", "momentum": "Momentum"}
    line = view.figure("loss").locator(".tr-reading")
    expect(line).to_have_text(reading(template, history, {}, names))
    view.board("transport.scrub(20)")
    expect(line).to_have_text(reading(template, history[:21], {}, names))
    view.board("transport.scrub(10)")
    expect(view.figure("confusion").locator(".tr-reading")).to_have_text(
        f"{number(figures.frame(10)[0].data['say']['right'], '%')} of all are right."
    )


def test_theme_changes_without_rebuilding(view: View) -> None:
    view.open()
    view.drawn()
    view.mark(".tr-body > *")
    assert near(pixels(view, "loss"), (255, 255, 255)) > 10000
    view.js("window.dress('dark')")
    view.drawn()
    assert near(pixels(view, "loss"), (18, 22, 28)) > 10000
    colour = "getComputedStyle(document.querySelector('[data-figure=loss] .xtitle')).fill"
    assert view.js(colour) == "rgb(230, 235, 241)"
    assert view.kept(".tr-body > *")
    assert view.board("counters.connections") == 1


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
    view.page.wait_for_timeout(600)  # a smooth scroll ends
    body.evaluate("(body) => body.scrollTo(0, 0)")
    view.js(f"{{ {graph}.dirty = true; torchroom.board.schedule(); }}")
    view.until(f"!{graph}.dirty")
    view.page.wait_for_timeout(300)
    assert body.evaluate("(body) => body.scrollLeft") == 0  # the reader scrolled back: nothing new happened


def test_one_broken_figure_leaves_the_others(view: View) -> None:
    view.open()
    view.drawn()
    view.js(
        """() => {
          const { board } = torchroom;
          const filters = board.figures.get("filters");
          filters.arrange = () => { throw new Error("no such thing"); };
          filters.changed();
          board.changed();
        }"""
    )
    expect(view.figure("filters").locator(".tr-fault")).to_have_text("First-layer filters: no such thing")
    view.board("transport.scrub(40)")
    view.drawn()
    assert view.js("document.querySelector('[data-figure=confusion]').dataset.drawn") != "1"
    assert [error for error in view.errors if "no such thing" not in error] == []
    view.errors.clear()


# updates in place


def test_updates_replace_nothing_and_keep_zoom_and_camera(view: View) -> None:
    view.open("live", spec="en-solid")
    view.drawn()
    # within plotly's drawing the paths and labels are its own affair; its canvases and layers are not
    nodes = ".tr-figure, .tr-figure :not(.tr-plot *), .tr-plot canvas, .svg-container > .main-svg"
    view.mark(nodes)
    view.drag(view.figure("loss").locator(".nsewdrag"), (40, 40), (180, 140))
    view.drag(view.figure("relief").locator(".tr-plot"), (150, 150), (230, 180))
    state = """() => {
      const [loss, relief] = ["loss", "relief"].map((id) => document.querySelector(`[data-figure=${id}] .tr-plot`));
      const { xaxis, yaxis } = loss._fullLayout;
      const short = (range) => range.map((value) => Number(value.toFixed(6)));
      const { eye } = relief._fullLayout.scene._scene.getCamera();
      return [short(xaxis.range), short(yaxis.range), eye, loss.data[0].x.length];
    }"""
    view.page.wait_for_timeout(400)
    before = view.js(state)
    assert before[2]["x"] != pytest.approx(1.25)
    view.until(f"document.querySelector('[data-figure=loss] .tr-plot').data[0].x.length > {before[3]} + 20")
    after = view.js(state)
    assert after[:2] == before[:2]
    assert after[2] == pytest.approx(before[2], rel=1e-3)
    assert view.kept(nodes)
    view.figure("loss").locator(".tr-tool:visible").first.click()  # reset view
    view.page.wait_for_timeout(500)
    assert view.js(state)[0] != before[0]


def test_a_rerun_neither_reconnects_nor_rebuilds(view: View) -> None:
    view.open()
    view.drawn()
    view.mark(".tr-body > *")
    before = view.board("counters.drawn")
    for number_ in range(5):
        view.js(f"window.rerun({{ status: 'slider {number_}' }})")
    view.page.wait_for_timeout(500)
    assert view.control("state")["opened"] == 1
    assert view.board("counters.connections") == 1
    assert view.board("counters.drawn") == before
    assert view.js("document.querySelectorAll('.tr-board').length") == 1
    expect(view.page.locator(".tr-status")).to_have_text("slider 4")


def test_cleanup_and_mount_again_keep_the_board(view: View) -> None:
    view.open()
    view.drawn()
    view.js("window.cleanup(), window.rerun()")
    view.page.wait_for_timeout(1300)
    assert view.board("counters.connections") == 1
    # Streamlit may make a new element for the same component
    view.js(
        """() => {
          window.cleanup();
          document.getElementById("board").remove();
          const other = Object.assign(document.createElement("div"), { id: "board" });
          document.getElementById("theme").prepend(other);
          window.rerun();
        }"""
    )
    view.page.wait_for_timeout(1300)
    assert view.js("document.querySelectorAll('#board .tr-figure').length") == len(ALL) - 1
    assert view.control("state")["opened"] == 1
    view.js("window.cleanup()")
    view.until("torchroom.boards.length === 0")
    assert view.js("document.querySelectorAll('.tr-board').length") == 0


def test_a_new_spec_changes_figures_in_place(view: View) -> None:
    view.open()
    view.drawn()
    view.mark(".tr-figure")
    view.js("window.rerun({ spec: '/live/spec/en-changed.json' })")
    expect(view.page.get_by_role("heading", name="Loss by step, again")).to_be_visible()
    view.drawn()
    assert view.figure("filters").count() == 0
    assert view.kept(".tr-figure")
    assert view.js("document.querySelectorAll('[data-figure=loss] .scatterlayer .trace').length") == 3
    view.js("window.rerun({ spec: '/live/spec/zh.json' })")
    expect(view.figure("filters")).to_be_visible()
    assert view.page.locator(".tr-play").get_attribute("aria-label") == "播放"
    assert view.board("counters.connections") == 1


# the player


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
    page.wait_for_timeout(300)
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
    view.page.wait_for_timeout(300)
    assert view.control("state")["fetched"] == fetched


def test_a_recording_plays_once_and_stays_at_the_end(view: View) -> None:
    view.open(autoplay="1")
    view.until("torchroom.board.playhead.playing && torchroom.board.playhead.step > 5")
    assert view.step() < 60
    view.page.locator(".tr-speed").select_option("8")
    view.until("!torchroom.board.playhead.playing && torchroom.board.playhead.step === 120")
    view.js("window.rerun()")
    view.page.wait_for_timeout(300)
    assert view.step() == 120
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
    view.page.wait_for_timeout(400)
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


# the connection


def test_reconnects_with_the_last_step_it_has(view: View) -> None:
    view.open("live")
    view.until("torchroom.board.head > 6")
    view.control("down")
    expect(view.page.locator(".tr-chip")).to_have_text("Connection lost; reconnecting …")
    view.page.wait_for_timeout(500)
    view.control("up")
    last = view.board("head")
    view.until(f"torchroom.board.head > {last + 4}")
    expect(view.page.locator(".tr-chip")).to_have_text("Running")
    watched = [one["from"] for one in view.control("state")["heard"] if one["op"] == "watch"]
    assert watched == [-1, last]
    rows = view.board("run.history.rows.steps.slice(0, torchroom.board.run.history.rows.n)")
    assert list(rows) == list(range(len(rows)))
    # Chrome itself writes the refused handshakes to the console
    view.errors[:] = [error for error in view.errors if "WebSocket" not in error]


def test_a_rewound_run_forgets_and_says_why(view: View) -> None:
    view.open("live")
    view.until("torchroom.board.head > 14")
    view.control("rewind")
    view.until("torchroom.board.head === 8 && torchroom.board.playhead.step === 8")
    expect(view.page.locator(".tr-notice")).to_contain_text("goes on from step 8")
    view.page.locator(".tr-close").click()
    expect(view.page.locator(".tr-notice")).to_have_count(0)


def test_a_command_to_a_shared_run_moves_to_a_copy(view: View) -> None:
    view.open("shared")
    view.until("torchroom.board.head > 40")
    view.button("play").click()
    view.until("torchroom.board.run.id === 'copy' && torchroom.board.head === 40")
    assert view.js("window.sent") == [["run", "copy"]]
    expect(view.page.locator(".tr-notice")).to_contain_text("your own copy")
    # the rerun that was on its way still names the old run
    view.js("window.rerun({ run: 'shared' })")
    assert view.board("run.id") == "copy"
    view.js("window.rerun({ run: 'copy' })")
    assert view.board("run.id") == "copy"
    assert view.step() == 40


def test_another_run_keeps_the_figures(view: View) -> None:
    view.open()
    view.drawn()
    view.mark(".tr-body > *")
    view.js("window.rerun({ run: 'other' })")
    view.until("torchroom.board.head === 80")
    view.drawn()
    assert view.step() == 80
    assert view.js("document.querySelector('[data-figure=loss] .tr-plot').data[0].x.length") == 81
    assert view.kept(".tr-body > *")
    assert [one["op"] for one in view.control("state")["heard"]] == ["watch", "leave", "watch"]


def test_words_of_failed_queued_and_refused(view: View) -> None:
    view.open("failed", spec="zh")
    expect(view.page.locator(".tr-notice")).to_contain_text("第 51 步起损失为无穷大")
    expect(view.page.locator(".tr-chip")).to_have_text("失败")
    expect(view.figure("loss").locator(".tr-reading")).to_have_text("It ran away at step 70.")
    view.js("window.rerun({ run: 'queued', spec: '/live/spec/en.json' })")
    expect(view.page.locator(".tr-chip")).to_have_text("Waiting: place 3 in the queue")
    expect(view.page.locator(".tr-notice")).to_have_count(0)
    view.js("window.rerun({ run: 'nowhere' })")
    expect(view.page.locator(".tr-notice")).to_contain_text("There is no run 'nowhere'.")
    view.open(ticket="wrong")
    expect(view.page.locator(".tr-notice")).to_have_text("This page is too old to command runs. Reload it.×")


# the box for a text

BOX = {
    "field": "text", "value": "quick", "label": "Your text", "help": "one run's name", "lines": 2, "longest": 30,
    "error": "", "settings": {"text": "quick", "seed": 3}, "n": 0,
}  # fmt: skip


def boxed(view: View, **changes: Any) -> Locator:
    """The page draws the board's box."""
    view.js("(box) => window.rerun({ box })", {**BOX, **changes})
    return view.page.get_by_role("textbox", name="Your text")


def test_a_text_is_run_at_once_and_the_page_hears_of_it_after_the_drawing(view: View) -> None:
    view.open()
    view.drawn()
    area = boxed(view)
    expect(area).to_have_value("quick")
    send = view.page.get_by_role("button", name="Run this text")
    expect(send).to_be_disabled()
    view.js(
        "(() => { const { board } = torchroom; const say = board.setStateValue; board.setStateValue = (...all) => {"
        "window.standing = board.renderer.frame.run.id === 'other' && "
        "![...board.figures.values()].some((one) => one.visible && one.dirty); say(...all); }; })()"
    )
    area.fill("other")
    expect(view.page.locator(".tr-box")).to_contain_text("5 of 30 characters")
    area.press("Control+Enter")
    view.until("window.sent.length === 1")
    assert view.js("window.standing") is True
    ((name, sent),) = view.js("window.sent")
    assert (name, sent["text"], sent["run"]) == ("box", "other", "other")
    begun = [one for one in view.control("state")["heard"] if one["op"] == "begin"]
    assert [one["settings"] for one in begun] == [{"text": "other", "seed": 3}]
    assert begun[0]["run"] == "quick"
    expect(send).to_be_disabled()
    # a rerun from before this text says nothing new; the one that has heard of it does
    boxed(view)
    expect(area).to_have_value("other")
    area.fill("oth")  # typing goes on meanwhile
    view.js("(box) => window.rerun({ run: 'other', box })", {**BOX, "value": "other", "n": sent["n"]})
    expect(area).to_have_value("oth")
    assert view.board("run.id") == "other"
    # a preset, say
    boxed(view, value="quick", n=sent["n"])
    expect(area).to_have_value("quick")
    area.fill("live")
    send.click()
    view.until("torchroom.board.run.id === 'live' && window.sent.length === 2")
    assert view.js("window.sent[1][1].n") > sent["n"]
    view.until("torchroom.board.head > 4")  # it has everything the run brings, though it never asked to watch it
    assert [one["op"] for one in view.control("state")["heard"] if one["op"] == "watch"] == ["watch"]


def test_a_text_that_cannot_be_run_is_named_at_the_box_and_kept(view: View) -> None:
    view.open(spec="zh")
    view.drawn()
    area = boxed(view)
    area.fill("nothing")
    area.press("Control+Enter")
    expect(view.page.get_by_role("alert")).to_have_text("没有名为 'nothing' 的运行。")
    expect(area).to_have_attribute("aria-invalid", "true")
    expect(area).to_have_value("nothing")
    expect(area).to_be_focused()
    view.until("window.sent.length === 1")
    assert (view.js("window.sent[0][1].text"), view.js("window.sent[0][1].run")) == ("nothing", "")
    assert view.board("run.id") == "quick"
    expect(view.page.locator(".tr-notice")).to_have_count(0)
    # the page's own answer to it, in whichever language it has by now
    boxed(view, value="nothing", error="There is no such run.", n=view.js("window.sent[0][1].n"))
    expect(view.page.get_by_role("alert")).to_have_text("There is no such run.")
    area.fill("other")
    area.press("Control+Enter")
    view.until("torchroom.board.run.id === 'other'")
    expect(view.page.get_by_role("alert")).to_have_count(0)


def test_without_a_connection_a_text_goes_by_the_page(view: View) -> None:
    view.open()
    view.drawn()
    area = boxed(view)
    view.control("down")
    view.until("!torchroom.board.connection.up")
    area.fill("other")
    area.press("Control+Enter")
    view.until("window.sent.length === 1")
    assert (view.js("window.sent[0][1].text"), view.js("window.sent[0][1].run")) == ("other", "")
    view.control("up")
    view.until("torchroom.board.connection.up")
    area.fill("live")
    area.press("Control+Enter")
    view.until("torchroom.board.run.id === 'live' && window.sent.length === 2")
    assert view.js("window.sent[1][1].run") == "live"
    # Chrome itself writes the refused handshakes to the console
    view.errors[:] = [error for error in view.errors if "WebSocket" not in error]


def test_what_the_connection_cannot_carry_goes_by_the_page(view: View) -> None:
    view.open()
    view.drawn()
    area = boxed(view)
    area.fill("word " * 20_000)
    expect(view.page.locator("[data-over=true]")).to_contain_text("100000 of 30")
    area.press("Control+Enter")
    view.until("window.sent.length === 1")
    boxed(view, settings=None, value="quick", n=view.js("window.sent[0][1].n"))  # something else cannot be used as yet
    area.fill("other")
    area.press("Control+Enter")
    view.until("window.sent.length === 2")
    area.fill("live")
    view.page.locator("#field").focus()  # left without sending: the page hears of it at once
    view.until("window.sent.length === 3")
    assert [one[1]["run"] for one in view.js("window.sent")] == ["", "", ""]
    assert [one["op"] for one in view.control("state")["heard"]] == ["watch"]
    assert view.board("link.connections") == 1


def test_the_key_that_sends_is_the_pages_own_where_there_is_nothing_to_send(view: View) -> None:
    view.open()
    view.drawn()
    area = boxed(view)
    view.js(
        "(() => { window.keys = []; document.addEventListener('keydown', (event) => window.keys.push(event.key)); })()"
    )
    area.press("Control+Enter")
    assert view.js("window.keys") == ["Control", "Enter"]
    area.fill("other")
    area.press("Control+Enter")
    view.until("torchroom.board.run.id === 'other'")
    assert view.js("window.keys") == ["Control", "Enter", "Control"]


def test_the_same_numbers_again_are_not_drawn_again(view: View) -> None:
    view.open("live")
    view.until("torchroom.board.head > 12 && torchroom.board.figures.get('filters').drawn > 1")
    view.js("torchroom.board.transport.command('stop')")
    view.until("torchroom.board.run.ended")
    view.drawn()
    drawn = view.board("counters.drawn")
    view.js(
        "(() => { for (const figure of torchroom.board.figures.values())"
        "figure.take(figure.framePatches.map((patch) => structuredClone(patch))); })()"
    )
    view.drawn()
    assert view.board("counters.drawn") == drawn
    view.js(
        "(() => { const figure = torchroom.board.figures.get('filters');"
        "const patch = structuredClone(figure.framePatches[0]);"
        "patch.data.tiles.values[1] += 1;"
        "figure.take([patch]);"
        "torchroom.board.schedule(); })()"
    )
    view.drawn()
    assert view.board("counters.drawn") == {**drawn, "filters": drawn["filters"] + 1}


# gestures


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
    view.page.wait_for_timeout(200)
    assert view.js("window.sent.length") == 2
    assert view.js("getComputedStyle(document.querySelector('[data-figure=contour] .nsewdrag')).cursor") == "crosshair"


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
    view.page.wait_for_timeout(500)
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


def test_the_pages_own_questions(view: View) -> None:
    view.open()
    view.drawn()
    view.js("window.rerun({ asks: [{ name: 'cell', args: { truth: 2, guess: 2 } }] })")
    view.until("document.querySelectorAll('.tr-item').length === 3")
    view.js("window.rerun({ asks: [] })")
    view.until("document.querySelectorAll('.tr-item').length === 12")


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


def test_figures_out_of_sight_are_not_drawn(view: View) -> None:
    view.page.set_viewport_size({"width": 1280, "height": 600})
    view.open("live")
    view.until("torchroom.board.counters.drawn.contour > 3")
    assert view.board("counters.drawn.strip") == 0
    view.figure("strip").scroll_into_view_if_needed()
    view.until("torchroom.board.counters.drawn.strip > 0")


# network


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
