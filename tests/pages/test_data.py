"""The download of CIFAR-10 from a page: offered, followed, and explained when it fails."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from engine.datasets import cifar10
from engine.types import Problem
from pages.ui import data
from tests.conftest import wait_until
from tests.pages.conftest import page

pytestmark = pytest.mark.usefixtures("app_state", "nothing_here")


@pytest.fixture
def nothing_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TORCHROOM_CIFAR10", raising=False)
    monkeypatch.setenv("TORCHROOM_DATA", str(tmp_path / "data"))


def test_what_is_missing_is_said_and_offered() -> None:
    app = page("cifar10")
    assert not app.exception
    assert any("1,797" in one.value for one in app.caption)
    assert app.button(key="fetch")


def test_a_download_is_followed_and_its_end_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, here = threading.Event(), threading.Event()

    def download(progress: cifar10.Progress) -> Path:
        progress(85 << 20, 170 << 20)
        go_on.wait(10)
        here.set()
        return Path()

    monkeypatch.setattr(cifar10, "download", download)
    monkeypatch.setattr(cifar10, "available", here.is_set)
    app = page("cifar10")
    app.button(key="fetch").click().run()
    assert not app.exception
    assert data.download().going
    app.run()
    assert "85 of 170 MB" in app.get("progress")[0].proto.text
    other = page("cifar10")  # a second learner sees the same download
    assert "85 of 170 MB" in other.get("progress")[0].proto.text
    go_on.set()
    wait_until(lambda: not data.download().going)
    app.run()
    assert any("CIFAR-10 is here" in one.value for one in app.success)


def test_a_download_that_fails_says_why_and_can_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(progress: cifar10.Progress) -> Path:
        raise Problem("There is no network. Connect, then try again.", "没有网络。")

    monkeypatch.setattr(cifar10, "download", download)
    app = page("cifar10")
    app.button(key="fetch").click().run()
    wait_until(lambda: not data.download().going)
    app.run()
    assert not app.exception
    assert any("There is no network" in one.value for one in app.error)
    assert app.button(key="fetch")
    assert app.button(key="run.cifar10")
