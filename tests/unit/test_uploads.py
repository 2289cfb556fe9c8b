"""Uploads are kept under their digest, for a while and within bounds; in the worker too."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from engine import files
from engine.runs import uploads
from engine.runs.uploads import Uploads
from engine.types import Problem


def test_an_upload_is_found_by_its_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Uploads()
    digest = store.put(b"abc", "ann")
    assert digest == hashlib.sha256(b"abc").hexdigest()
    assert digest in store
    assert store.get(digest) == b"abc"
    with pytest.raises(Problem, match="no longer kept"):
        store.get("0" * 64)


def test_too_large_a_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_FILE_BYTES", 2_000_000)
    with pytest.raises(Problem, match="at most 2 MB"):
        Uploads().put(bytes(3_000_000), "ann")


def test_of_one_learner_the_oldest_go_first_and_the_others_keep_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_LEARNER_BYTES", 250)
    store = Uploads()
    other = store.put(bytes(200), "bob")
    first, second, third = (store.put(bytes([n]) * 100, "ann") for n in (1, 2, 3))
    assert [digest in store for digest in (other, first, second, third)] == [True, False, True, True]


def test_in_all_the_store_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_BYTES", 250)
    store = Uploads()
    first, second, third = (store.put(bytes([n]) * 100, f"learner {n}") for n in (1, 2, 3))
    assert [digest in store for digest in (first, second, third)] == [False, True, True]


def test_an_upload_is_forgotten_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "LIFE_S", 0.0)
    store = Uploads()
    digest = store.put(b"abc", "ann")
    assert digest not in store
    with pytest.raises(Problem, match="two hours"):
        store.get(digest)


def test_files_travel_among_the_arrays_of_a_job() -> None:
    digest = hashlib.sha256(b"abc").hexdigest()
    state = {"w": np.zeros(2)}
    assert files.keep({**state, **files.pack({digest: b"abc"})}).keys() == state.keys()
    assert files.read(digest) == b"abc"
    with pytest.raises(Problem, match="Upload it again"):
        files.read("0" * 64)
