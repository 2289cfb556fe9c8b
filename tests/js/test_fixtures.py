"""The fixtures of the board's tests are what Python computes today."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from engine import wire
from tests.js import make_fixtures


@pytest.mark.parametrize("name", sorted(make_fixtures.FIXTURES))
def test_a_fixture_is_what_python_computes(name: str) -> None:
    committed = (make_fixtures.FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert committed == make_fixtures.text(name), "run `make fixtures`, and see that the board's tests still pass"


def test_no_fixture_is_left_over() -> None:
    assert {path.stem for path in make_fixtures.FOLDER.iterdir()} == make_fixtures.FIXTURES.keys()


def test_python_reads_the_messages_as_the_fixture_says() -> None:
    for case in json.loads(make_fixtures.text("wire"), object_hook=float_or_object):
        header, arrays = wire.unpack(base64.b64decode(case["message"]))
        assert header == case["header"]
        assert arrays.keys() == case["arrays"].keys()
        for name, array in arrays.items():
            assert list(array.shape) == case["arrays"][name]["shape"]
            np.testing.assert_array_equal(array.astype(np.float64).ravel(), case["arrays"][name]["values"])


def float_or_object(value: dict[str, object]) -> object:
    return float(str(value["$float"])) if value.keys() == {"$float"} else value
