"""Addresses that an earlier version wrote: each still sets what it says, and is written the same again."""

from __future__ import annotations

import pytest

from tests.pages.conftest import page
from tests.pages.test_pages import link, warnings

LINKS = {
    "gradient_descent": {"surface": "formula", "formula": "x**2 + 3*y**2", "optimisers": "sgd,adam", "lr": "0.02"},
    "losses": {"topic": "classes", "seed": "3"},
    "backprop": {"activation": "tanh"},
    "activations": {"seeds": "3", "steps": "200"},
    "initialisation": {"depth": "12"},
    "playground": {"hidden": "5-3", "features": "x1,x2,x1x2", "points": "spirals", "lr": "0.03"},
    "overfitting": {"points": "30", "width": "32", "early": "1"},
    "cifar10": {"network": "fast", "optimiser": "adam", "lr": "0.001"},
    "attention": {"head": "2.3", "off": "1.1"},
    "attention_learned": {"task": "sort", "layers": "1", "off": "1.1"},
}


@pytest.mark.usefixtures("app_state")
@pytest.mark.parametrize("lesson", LINKS)
def test_an_old_link_still_sets_what_it_says(lesson: str) -> None:
    app = page(lesson, **LINKS[lesson])
    assert not app.exception
    assert warnings(app) == []
    assert link(app) == LINKS[lesson]
