"""Learners at work in a real browser: the buttons are the real ones, and so are the runs behind them."""

from __future__ import annotations

import itertools
import os
import re
import signal
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from engine.controls import Choice
from lessons import catalog, text
from pages.ui import controls
from tests.bench.server import Server
from tests.browser.conftest import Tab

pytestmark = pytest.mark.browser

LESSONS = {
    "gradient_descent": {"en": "Gradient descent", "zh": "梯度下降"},
    "cifar10": {"en": "Seeing with convolutions", "zh": "看"},
}


def heading(page: Page) -> str:
    return page.get_by_role("heading", level=1).first.inner_text()


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("lesson", LESSONS)
def test_a_cold_deep_link_is_right_in_either_language(tab: Tab, lesson: str, language: str) -> None:
    tab.open(f"{lesson}?lang={language}")
    assert LESSONS[lesson][language] in heading(tab.page)
    assert tab.page.get_by_role("dialog").count() == 0
    tab.until("board.run?.id.startsWith('first-') && board.head > 0")
    assert tab.board("board.spec.language") == language
    expect(tab.page.get_by_test_id("stSidebar")).to_contain_text("Contents" if language == "en" else "目录")


WRAPPED = """() => [...document.querySelectorAll("[data-testid=stButtonGroup]")].filter((group) => new Set(
  [...group.querySelectorAll("[data-variant=segmented_control]")].map((one) => one.getBoundingClientRect().top)
).size > 1).map((one) => one.innerText)"""
CUT = """([labels, place]) => {
  const box = document.querySelector(`${place} [data-testid=stSelectbox] input`);
  const style = getComputedStyle(box);
  const most = box.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = `${style.fontSize} ${style.fontFamily}`;
  return labels.filter((label) => pen.measureText(label).width > most);
}"""


def choices() -> Iterator[tuple[bool, str]]:
    """Every option of every list that the default settings show: whether in the folded part, and its label."""
    for lesson, language in itertools.product(catalog.lessons(), catalog.LANGUAGES):
        words, params = text.read(lesson.name, language), catalog.params(lesson.name)()
        yield from ((False, label) for label in words.presets.values())
        drawn = [setting for setting in controls.applying(params) if controls.has_widget(setting)]
        for place, setting in enumerate(drawn):
            if isinstance(setting.control, Choice):
                labels = words.controls[setting.name].options
                yield from ((place >= controls.FEW, labels.get(key, key)) for key in setting.control.options)


def test_every_choice_stands_in_one_line_and_whole(tab: Tab) -> None:
    # buttons of which hardly more would fit, in the column, and in its folded part
    more = {"en": "More settings", "zh": "更多设置"}
    for lesson, language in (("backprop", "en"), ("cifar10", "en"), ("overfitting", "en"), ("overfitting", "zh")):
        tab.open(f"{lesson}?lang={language}")
        tab.page.get_by_test_id("stExpander").get_by_text(more[language], exact=True).click()
        expect(tab.page.get_by_test_id("stNumberInput").last).to_be_visible()  # the seed, which is last of all
        assert tab.page.evaluate(WRAPPED) == []
    for folded, place in ((False, ""), (True, "[data-testid=stExpander]")):
        assert tab.page.evaluate(CUT, [[label for deep, label in choices() if deep is folded], place]) == []


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_opens_alive_trains_and_draws(tab: Tab, lesson: str) -> None:
    tab.with_motion()
    tab.open(f"{lesson}?pace=5")  # not over before a slow browser has looked
    tab.until("board.run && board.run.status === 'recorded' && board.head > 10")
    drawn = tab.board("board.counters.drawn[board.spec.figures[0].id] ?? 0")
    tab.run()
    tab.until("board.head > 3 && board.run.history.rows.n > 3")
    tab.until(f"board.counters.drawn[board.spec.figures[0].id] > {drawn} + 2")
    assert tab.board("board.counters.connections") == 1


@pytest.mark.parametrize("lesson", LESSONS)
def test_pause_step_scrub_and_go_on(tab: Tab, lesson: str) -> None:
    tab.open(f"{lesson}?seed=3&pace=5")  # not over before a slow browser has taken the click
    tab.until("board.head > 0")
    tab.run()
    player = tab.page.locator(".tr-player")
    tab.until("board.head > 5 && board.run.status === 'running'")
    player.locator(".tr-play").click()
    tab.until("board.run.status === 'paused'")
    at = tab.board("board.head")
    player.locator(".tr-forward").click()
    tab.until(f"board.head === {at} + 1")
    tab.page.locator("h1").first.click()
    tab.page.keyboard.press("ArrowLeft")
    tab.until(f"board.playhead.step === {at}")
    tab.page.keyboard.press("Home")
    tab.until("board.playhead.step === 0")
    expect(player.locator(".tr-count")).to_contain_text("step 0 /")
    tab.page.keyboard.press("End")
    tab.until(f"board.playhead.step === {at} + 1")
    tab.page.keyboard.press("Space")
    tab.until(f"board.run.status === 'running' && board.head > {at} + 3")
    player.locator(".tr-scrub").evaluate(
        "el => { el.value = 2; el.dispatchEvent(new Event('input', {bubbles: true})) }"
    )
    tab.until("board.playhead.step === 2")
    head = tab.board("board.head")
    tab.until(f"board.head > {head}")
    assert tab.board("board.playhead.step") == 2  # the run goes on; this viewer looks at the past
    player.locator(".tr-live").click()
    tab.until("board.playhead.step >= board.head - 1")
    player.locator(".tr-stop").click()
    tab.until("board.run.status === 'stopped'")


def test_a_click_on_the_map_chooses_the_start_and_runs(tab: Tab) -> None:
    tab.open("gradient_descent")
    tab.until("board.counters.drawn.contour > 0 && board.head > 0")
    before = tab.board("board.run.id")
    area = tab.page.locator("[data-figure=contour] .nsewdrag").first.bounding_box()
    assert area
    tab.page.mouse.click(area["x"] + area["width"] * 0.75, area["y"] + area["height"] * 0.3)
    tab.until(f"board.run.id !== {before!r} && board.head >= 0")
    tab.rested()
    assert re.search(r"start_x=", tab.page.url)
    x = float(re.search(r"start_x=([-\d.e]+)", tab.page.url).group(1))  # type: ignore[union-attr]
    assert tab.board("board.run.params.start_x") == pytest.approx(x)
    assert tab.board("board.run.history.at(0).now('x.sgd')") == pytest.approx(x)


def test_moving_a_live_slider_changes_the_run_and_never_reconnects(tab: Tab) -> None:
    tab.open("gradient_descent?pace=5&seed=5&steps=1000")
    tab.until("board.head > 0")
    run = tab.run()
    tab.until("board.head > 5")
    slider = tab.page.get_by_role("slider", name=re.compile("Learning rate")).first
    slider.focus()
    for _ in range(3):
        tab.page.keyboard.press("ArrowRight")
    tab.until("Math.abs(board.run.params.lr - 0.07) > 1e-6")
    assert tab.board("board.run.id") == run
    assert tab.board("board.counters.connections") == 1
    head = tab.board("board.head")
    tab.until(f"board.head > {head}")


def test_zoom_and_camera_are_kept_while_it_trains(tab: Tab) -> None:
    tab.open("gradient_descent?pace=5&seed=6&steps=1000")
    tab.until("board.head > 0 && board.counters.drawn.contour > 0")
    tab.run()
    tab.page.evaluate("document.querySelector('[data-figure=contour] .js-plotly-plot').id = 'kept'")
    zoomed = "document.getElementById('kept')._fullLayout.xaxis.range.map((one) => one.toFixed(6)).join()"
    whole = tab.page.evaluate(zoomed)
    area = tab.page.locator("[data-figure=contour] .nsewdrag").first.bounding_box()
    assert area
    tab.page.mouse.move(area["x"] + 0.3 * area["width"], area["y"] + 0.3 * area["height"])
    tab.page.mouse.down()
    tab.page.mouse.move(area["x"] + 0.7 * area["width"], area["y"] + 0.7 * area["height"], steps=5)
    tab.page.mouse.up()
    before = tab.page.evaluate(zoomed)
    drawn = tab.board("board.counters.drawn.contour")
    tab.until(f"board.counters.drawn.contour > {drawn} + 3")
    assert tab.page.evaluate(zoomed) == before != whole


def test_a_confusion_cell_opens_its_images(tab: Tab) -> None:
    tab.open("cifar10")
    tab.until("board.head > 100 && board.counters.drawn.confusion !== undefined")
    figure = tab.page.locator("[data-figure=confusion]")
    figure.scroll_into_view_if_needed()
    tab.until("board.counters.drawn.confusion > 0")
    box = figure.locator("canvas").first
    expect(box).to_be_visible()
    box.focus() if box.get_attribute("tabindex") else None
    place = box.bounding_box()
    assert place
    # the diagonal from the upper left: true 0 named 0 has images in any trained network
    side = min(place["width"], place["height"])
    for part in (0.2, 0.25, 0.3, 0.35):
        tab.page.mouse.click(place["x"] + place["width"] / 2 - side / 2 + side * part, place["y"] + side * part)
        tab.until("board.queries.pending.size === 0")  # each is answered before the next
    tab.until("[...board.figures.values()].some((f) => f.spec.id.includes('cell') && f.drawn > 0)")


def test_the_language_switches_and_the_run_stays(tab: Tab) -> None:
    tab.open("gradient_descent?pace=5&seed=8&steps=1000")
    tab.until("board.head > 0")
    run = tab.run()
    tab.page.get_by_test_id("stSidebar").get_by_text("中文").click()
    tab.until("board.spec.language === 'zh'")
    tab.rested()
    assert "梯度下降" in heading(tab.page)
    assert tab.board("board.run.id") == run
    assert "lang=zh" in tab.page.url
    assert tab.board("board.counters.connections") == 1


def test_a_killed_worker_is_survived_and_said_in_words(tab: Tab, server: Server) -> None:
    tab.open("gradient_descent?pace=5&seed=9&steps=1000")
    tab.until("board.head > 0")
    run = tab.run()
    tab.until("board.head > 20")
    worker = next(child for child in server.seen.children() if "engine.worker.process" in " ".join(child.cmdline()))
    os.kill(worker.pid, signal.SIGKILL)
    expect(tab.page.locator(".tr-notices")).to_contain_text("worker")
    head = tab.board("board.head")
    tab.until(f"board.head > {head} + 10")
    assert tab.board("board.run.id") == run


def test_a_wrong_link_is_named_and_the_page_goes_on(tab: Tab) -> None:
    tab.open("gradient_descent?lr=99&surface=cone&nonsense=1&steps=50")
    tab.until("board.head > 0")
    warnings = tab.page.get_by_test_id("stAlert")
    expect(warnings).to_have_count(3)
    for words in ("lr = 99", "cone", "nonsense"):
        expect(warnings.filter(has_text=words)).to_have_count(1)
    assert tab.page.url.endswith("steps=50")


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("__import__('os').system('id')", "__import__"),
        ("9**9**9*x", "exponent"),
        ("x +* y", "f(x, y)"),
        ("(" * 99 + "x" + ")" * 99, "deep"),
        ("open('/etc/passwd')", "open"),
    ],
)
def test_what_is_typed_is_never_run_and_never_breaks_the_page(tab: Tab, formula: str, words: str) -> None:
    tab.open("gradient_descent?surface=formula")
    tab.until("board.head > 0")
    field = tab.page.get_by_test_id("stTextInput").locator("input").first
    field.fill(formula[:200])
    field.press("Enter")
    alert = tab.page.get_by_test_id("stAlert").first
    expect(alert).to_contain_text(words)
    expect(tab.page.locator(".tr-player")).to_be_visible()


def test_a_seventh_tab_loads(context: BrowserContext, server: Server) -> None:
    tabs = [Tab(context.new_page(), server).open("gradient_descent") for _ in range(7)]
    for tab in tabs:
        tab.until("board.head > 0")
        assert not tab.complaints


def test_the_theme_is_followed_without_a_rebuild(tab: Tab) -> None:
    tab.open("gradient_descent")
    tab.until("board.head > 0 && board.counters.drawn.contour > 0")
    tab.page.evaluate("document.querySelector('[data-figure=contour] .js-plotly-plot').id = 'kept'")
    colour = "getComputedStyle(document.querySelector('#kept .xtick text')).fill"
    light = tab.page.evaluate(colour)
    tab.page.emulate_media(color_scheme="dark")
    tab.page.wait_for_function(f"document.querySelector('#kept') && {colour} !== {light!r}")
    assert tab.board("board.counters.connections") == 1


def test_an_upload_is_classified_and_a_bad_one_is_named(tab: Tab) -> None:
    import io

    from PIL import Image

    tab.open("cifar10")
    tab.until("board.head > 0")
    tab.page.evaluate("window.torchroom.board.same = true")
    chooser = tab.page.locator("input[type=file]").first
    if not chooser.count():
        tab.page.get_by_text(re.compile("More")).first.click()
        tab.rested()
    picture = io.BytesIO()
    Image.new("RGB", (80, 60), (200, 40, 40)).save(picture, "PNG")
    chooser.set_input_files({"name": "mine.png", "mimeType": "image/png", "buffer": picture.getvalue()})
    tab.page.locator("[data-figure=own]").scroll_into_view_if_needed()  # out of sight it is not drawn
    tab.until("[...board.figures.values()].some((f) => f.spec.id === 'own' && f.drawn > 0)", 30)
    tab.page.locator("input[type=file]").first.set_input_files(
        {"name": "broken.png", "mimeType": "image/png", "buffer": picture.getvalue()[:60]}
    )
    expect(tab.page.get_by_test_id("stAlert").first).to_be_visible()
    assert tab.board("board.same")  # a message above the board does not cost what was chosen on it


def test_on_a_phone_no_layer_of_a_deep_network_lies_on_another(chromium, server: Server) -> None:  # type: ignore[no-untyped-def]
    context = chromium.new_context(viewport={"width": 390, "height": 844}, locale="en-US")
    tab = Tab(context.new_page(), server).open("cifar10?network=vgg&epochs=1&pace=5")
    tab.until("board.head > 0")
    tab.run()
    figure = tab.page.locator("[data-figure=network]")
    figure.scroll_into_view_if_needed()
    tab.until("board.counters.drawn.network > 0 && document.querySelectorAll('.tr-node').length === 12")
    boxes = [box for one in figure.locator(".tr-node rect").all() if (box := one.bounding_box())]
    assert len(boxes) == 12
    for left, right in itertools.combinations(sorted(boxes, key=lambda box: box["x"]), 2):
        assert left["x"] + left["width"] <= right["x"] or abs(left["y"] - right["y"]) >= left["height"]
    assert figure.locator(".tr-body").evaluate("(body) => body.scrollWidth > body.clientWidth")
    tab.page.locator(".tr-stop").click()
    context.close()


def test_on_a_phone_the_board_comes_right_after_run_and_nothing_is_cut_off(chromium, server: Server) -> None:  # type: ignore[no-untyped-def]
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    tab = Tab(context.new_page(), server).open("gradient_descent")
    tab.until("board.head > 0")
    run = tab.page.get_by_role("button", name=re.compile("Run")).first.bounding_box()
    board = tab.page.locator(".tr-board").bounding_box()
    slider = tab.page.get_by_test_id("stSlider").first.bounding_box()
    assert run
    assert board
    assert slider
    assert run["y"] < board["y"] < slider["y"]
    assert board["x"] >= 0
    assert board["x"] + board["width"] <= 390
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
