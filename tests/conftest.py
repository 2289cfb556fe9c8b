"""Fixtures that several levels share."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable

import pytest
from hypothesis import settings

# The same examples every time, so that a change fails on what it changed; TORCHROOM_EXAMPLES=new looks for others.
settings.register_profile("same", derandomize=os.environ.get("TORCHROOM_EXAMPLES") != "new")
settings.load_profile("same")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the files with the slowest tests first, so that none of them is begun when all else is done."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def wait_until(condition: Callable[[], object], seconds: float = 60.0, what: str = "") -> None:
    """Returns as soon as `condition` holds; fails, naming `what`, if it does not within `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"not within {seconds} s: {what or condition}")
        time.sleep(0.005)


def need_ray() -> None:
    """Skips where Ray is not installed. Ray itself is not imported: its own process has it, not the tests'."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("the ray package is not installed (requirements-ray.txt)")
