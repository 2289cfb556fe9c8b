"""Links between words."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.board import figures
from tests.browser.board.view import View

pytestmark = pytest.mark.browser


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
