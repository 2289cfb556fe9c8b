"""Many seeds of a race in a real browser: the clouds on the map, the bands by step, and what is said of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lessons.gradient_descent.params import Params
from lessons.gradient_descent.race import Race
from tests.browser.conftest import Tab
from tests.lessons.test_gradient_descent import job

SETTINGS: dict[str, Any] = {
    "surface": "bowl",
    "optimisers": ("sgd", "adam"),
    "noise": 1.0,
    "seeds": 6,
    "steps": 60,
    "seed": 11,
}


def test_many_seeds_are_a_cloud_on_the_map_and_a_band_by_step(tab: Tab) -> None:
    tab.open("gradient_descent?surface=bowl&optimisers=sgd,adam&dissect=sgd&noise=1&seeds=6&steps=60&seed=11&pace=0")
    tab.run()
    tab.done("board.head === 60")
    lane = Race(job(**SETTINGS))
    *_, last = lane.step_many(61)
    row = dict(zip(last.names, last.values[-1].tolist(), strict=True))

    # the map: every seed's point at the end, and at the first picture, where all are at the start
    drawn = "board.figures.get('contour').filled().find((one) => one.name === 'SGD')"
    tab.until(f"{drawn}.x.length === 6 && !board.figures.get('contour').dirty")
    found = np.array([tab.board(f"Array.from({drawn}.{axis})") for axis in "xy"]).T
    assert found.astype(np.float32).tolist() == lane.frame()["cloud"][0].tolist()
    assert tab.board(f"{drawn}.customdata") == [11, 12, 13, 14, 15, 16]
    said = tab.page.locator("[data-figure=contour]").inner_text()
    assert f"{row['cloud.sgd']:.3g} from its middle" in said or f"{row['cloud.adam']:.3g} from its middle" in said
    tab.board("board.transport.scrub(0)")
    tab.until(f"board.playhead.step === 0 && new Set({drawn}.x).size === 1")
    assert tab.board(f"{drawn}.x[5]") == Params().start_x
    tab.board("board.transport.scrub(60)")
    tab.until(f"board.playhead.step === 60 && new Set({drawn}.x).size === 6")

    # the band: two pale shapes and a median for each racer, and the nearest race by itself
    figure = "board.figures.get('seeds')"
    tab.page.locator("[data-figure=seeds]").scroll_into_view_if_needed()
    tab.until(f"{figure}.filled().length === 6 && !{figure}.dirty")
    assert tab.board(f"Array.from({figure}.filled()[2].y).at(-1)") == pytest.approx(row["middle.sgd"])
    area = tab.page.locator("[data-figure=seeds] .nsewdrag").first.bounding_box()
    assert area
    values = [row[f"seed.adam.{k}"] for k in range(6)]
    axes = f"{figure}.graph._fullLayout"
    top = values.index(max(values))
    across, down = tab.board(f"{axes}.xaxis.d2p(60)"), tab.board(f"{axes}.yaxis.d2p({values[top]})")
    tab.page.mouse.move(area["x"] + across - 1, area["y"] + down)
    tab.until(f"{figure}.runs.pointed !== null && {figure}.filled().length === 8")
    near = tab.board(f"[{figure}.runs.pointed.name, {figure}.runs.pointed.number]")
    assert tab.board(f"{figure}.filled().find((one) => one.text).text[0]").startswith(f"seed {11 + near[1]}: ")

    # and how wide the clouds are, with theory for SGD alone
    wide = "board.figures.get('apart').filled()"
    assert tab.board(f"{wide}.map((one) => one.name)") == ["SGD", "SGD in theory", "Adam"]
    assert tab.board(f"{wide}.map((one) => Array.from(one.y).at(-1))") == [
        row[name] for name in ("cloud.sgd", "rest.sgd", "cloud.adam")
    ]
