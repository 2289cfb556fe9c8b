"""`picture`: a lesson page opened in headless Chromium by its address, with an empty browser cache and with a full one.

cold_ms       navigation to the moment when all figures in sight are drawn, empty cache; medians of ROUNDS over PAGES
warm_ms       the same in another tab of the same browser
wifi_ms       the same as cold_ms at 20 Mbit a second and 20 ms away, as in a full classroom
cold_kb       bytes that the page received over the network meanwhile, as they were sent (compressed), in 1,000 bytes
board_kb      what of it is the board: its modules and its style sheet, response headers included
requests      how many responses that were
"""

from __future__ import annotations

import statistics
from typing import Any

from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tests.bench.server import Server
from tests.browser.conftest import FLAGS, browser_path

PAGES = ("gradient_descent", "attention")
ROUNDS = 3
WIFI = {"offline": False, "latency": 20, "downloadThroughput": 20e6 / 8, "uploadThroughput": 5e6 / 8}
DRAWN = """() => {
  const figures = [...(window.torchroom?.board?.figures.values() ?? [])].filter((figure) => figure.visible);
  if (!figures.length || figures.some((figure) => !figure.drawn)) return 0;
  return performance.now();
}"""


def open_page(context: BrowserContext, url: str, network_conditions: Any = None) -> dict[str, float]:
    """Opens a page in a tab of its own; milliseconds to its picture, and what it received until it was drawn."""
    page = context.new_page()
    network = context.new_cdp_session(page)
    addresses: dict[str, str] = {}
    sizes: dict[str, int] = {}
    network.on(
        "Network.responseReceived", lambda event: addresses.update({event["requestId"]: event["response"]["url"]})
    )
    network.on("Network.loadingFinished", lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}))
    network.send("Network.enable")
    if network_conditions:
        network.send("Network.emulateNetworkConditions", network_conditions)
    page.goto(url)
    drawn = page.wait_for_function(DRAWN, polling=10).json_value()
    board = [size for request, size in sizes.items() if is_board(addresses.get(request, ""))]
    received = {"ms": drawn, "kb": sum(sizes.values()) / 1e3, "board_kb": sum(board) / 1e3, "requests": len(sizes)}
    page.close()
    return received


def is_board(address: str) -> bool:
    return "/live/" in address and address.endswith((".js", ".css")) and "plotly" not in address


def thrice(browser: Browser, url: str) -> dict[str, float]:
    """One page: cold, warm, and cold over a slow network."""
    first, second = (browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-US") for _ in range(2))
    cold, warm, wifi = open_page(first, url), open_page(first, url), open_page(second, url, WIFI)
    first.close()
    second.close()
    return {
        "cold_ms": cold["ms"],
        "warm_ms": warm["ms"],
        "wifi_ms": wifi["ms"],
        "cold_kb": cold["kb"],
        "board_kb": cold["board_kb"],
        "requests": cold["requests"],
    }


def main() -> dict[str, Any]:
    with Server() as server, sync_playwright() as playwright:
        server.wait()
        browser = playwright.chromium.launch(executable_path=browser_path(), args=FLAGS)
        for page in PAGES:  # the server has made its specs, and the browser has compiled what it keeps compiled
            thrice(browser, f"{server.url}/{page}")
        opened = [thrice(browser, f"{server.url}/{page}") for _ in range(ROUNDS) for page in PAGES]
        browser.close()
    return {name: round(statistics.median(opening[name] for opening in opened), 1) for name in opened[0]}
