"""What several unit tests share."""

from __future__ import annotations

import shutil

import pytest

from engine.models.kernels import build as native


@pytest.fixture(scope="session")
def compiled() -> None:
    """The C++ beside torch, compiled unless that has been done."""
    if not any(shutil.which(name) for name in ("c++", "g++", "clang++")):
        pytest.skip("there is no C++ compiler on this machine")
    for source in native.SOURCES:
        native.build(source)
    native.loaded.cache_clear()
    assert all(native.library(source.stem) is not None for source in native.SOURCES)
