"""python -m tests.browser.shots [FOLDER]: every page, both languages, light and dark, wide and phone, to be looked at.

`--readme` writes the two pictures of the README instead.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from lessons import catalog
from tests.bench.server import ROOT, Server
from tests.browser.conftest import FLAGS, browser_path

SIZES = {"wide": (1280, 800), "phone": (390, 844)}


def shoot(
    browser: Browser, url: str, path: Path, theme: str, size: tuple[int, int], whole: bool, language: str
) -> None:
    """One picture of one page, after its board has had time to play."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if theme == "dark" else "light",
        locale="zh-CN" if language == "zh" else "en-US",
        device_scale_factor=1 if whole else 1.5,
    )
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_timeout(9000)
    if whole:
        # Streamlit scrolls inside the page: a window as tall as its content shows all of it
        tall = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
        page.set_viewport_size({"width": size[0], "height": min(6000, max(size[1], tall))})
        page.wait_for_timeout(1500)
    page.screenshot(path=path)
    context.close()


def main(arguments: list[str]) -> None:
    readme = "--readme" in arguments
    folder = ROOT / "assets" if readme else Path(next(iter(arguments), ROOT / "shots"))
    folder.mkdir(parents=True, exist_ok=True)
    pages = [lesson.name for lesson in catalog.lessons()]
    with Server() as server, sync_playwright() as playwright:
        server.wait()
        browser = playwright.chromium.launch(executable_path=browser_path(), args=FLAGS)
        if readme:
            for page in pages:
                shoot(browser, f"{server.url}/{page}", folder / f"{page}.png", "light", (1280, 800), False, "en")
        else:
            for page in [*pages, "lab", ""]:
                for language in catalog.LANGUAGES:
                    for theme in ("light", "dark"):
                        for name, size in SIZES.items():
                            path = folder / f"{page or 'home'}-{language}-{theme}-{name}.png"
                            shoot(browser, f"{server.url}/{page}?lang={language}", path, theme, size, True, language)
                            print(path)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
