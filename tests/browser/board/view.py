"""The board in a page of a real browser, alone with the server of this folder."""

from __future__ import annotations

import io
import json
import urllib.request
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Locator, Page

from tests.browser.board import figures
from tests.browser.conftest import WAIT_S

ALL = [figure.id for figure in figures.figures()]


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

    def frames(self, count: int = 10) -> None:
        """Lets the browser draw so many frames, whatever they bring: what does not happen by then was not asked for."""
        self.js(
            "(count) => new Promise((resolve) => {"
            "const next = () => (count-- ? requestAnimationFrame(next) : resolve()); next(); })",
            count,
        )

    def still(self, code: str, frames: int = 10) -> None:
        """Waits until the value of an expression has been the same for so many frames."""
        self.js(
            f"""(frames) => new Promise((resolve) => {{
              let [last, same] = ["", 0];
              const next = () => {{
                const value = JSON.stringify({code});
                [same, last] = [value === last ? same + 1 : 0, value];
                if (same < frames) requestAnimationFrame(next);
                else resolve();
              }};
              next();
            }})""",
            frames,
        )

    def timers(self, ms: int) -> None:
        """Lets all timers of the page go off that are due within `ms`."""
        self.js("(ms) => new Promise((resolve) => setTimeout(resolve, ms + 50))", ms)

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
