"""The board as a whole in a real browser: it draws, follows the page and the theme, and keeps what it has drawn."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from lessons.board.readings import number, reading
from tests.browser.board import figures
from tests.browser.board.view import ALL, View, box_of, near, pixels

pytestmark = pytest.mark.browser


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


def test_figures_out_of_sight_are_not_drawn(view: View) -> None:
    view.page.set_viewport_size({"width": 1280, "height": 600})
    view.open("live")
    view.until("torchroom.board.counters.drawn.contour > 3")
    assert view.board("counters.drawn.strip") == 0
    view.figure("strip").scroll_into_view_if_needed()
    view.until("torchroom.board.counters.drawn.strip > 0")


def test_updates_replace_nothing_and_keep_zoom_and_camera(view: View) -> None:
    view.open("live", spec="en-solid")
    view.drawn()
    # within plotly's drawing the paths and labels are its own affair; its canvases and layers are not
    nodes = ".tr-figure, .tr-figure :not(.tr-plot *), .tr-plot canvas, .svg-container > .main-svg"
    view.mark(nodes)
    state = """() => {
      const [loss, relief] = ["loss", "relief"].map((id) => document.querySelector(`[data-figure=${id}] .tr-plot`));
      const { xaxis, yaxis } = loss._fullLayout;
      const short = (range) => range.map((value) => Number(value.toFixed(6)));
      const { eye } = relief._fullLayout.scene._scene.getCamera();
      return [short(xaxis.range), short(yaxis.range), eye, loss.data[0].x.length];
    }"""
    fresh = view.js(state)
    view.drag(view.figure("loss").locator(".nsewdrag"), (40, 40), (180, 140))
    view.drag(view.figure("relief").locator(".tr-plot"), (150, 150), (230, 180))
    view.still(f"({state})().slice(0, 3)")
    before = view.js(state)
    assert before[0] != fresh[0]
    assert before[1] != fresh[1]
    assert before[2]["x"] != pytest.approx(1.25)
    view.until(f"document.querySelector('[data-figure=loss] .tr-plot').data[0].x.length > {before[3]} + 20")
    after = view.js(state)
    assert after[:2] == before[:2]
    assert after[2] == pytest.approx(before[2], rel=1e-3)
    assert view.kept(nodes)
    view.figure("loss").locator(".tr-tool:visible").first.click()  # reset view
    view.until(f"({state})()[0][0] !== {before[0][0]}")
    assert view.js(state)[0] != before[0]


def test_a_rerun_neither_reconnects_nor_rebuilds(view: View) -> None:
    view.open()
    view.drawn()
    view.mark(".tr-body > *")
    before = view.board("counters.drawn")
    for number_ in range(5):
        view.js(f"window.rerun({{ status: 'slider {number_}' }})")
    expect(view.page.locator(".tr-status")).to_have_text("slider 4")
    view.frames()
    assert view.control("state")["opened"] == 1
    assert view.board("counters.connections") == 1
    assert view.board("counters.drawn") == before
    assert view.js("document.querySelectorAll('.tr-board').length") == 1


def test_cleanup_and_mount_again_keep_the_board(view: View) -> None:
    view.open()
    view.drawn()
    view.js("window.cleanup(), window.rerun()")
    view.timers(1000)  # so long a board lives on that is not put back
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
    view.timers(1000)  # so long a board lives on that is not put back
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
