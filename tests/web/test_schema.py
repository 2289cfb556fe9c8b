"""The types that the board's modules are checked against are those that the server sends."""

from __future__ import annotations

import re

from pages.live.protocol import NextMessage
from pages.live.schema import TARGET, schema


def test_the_committed_types_are_those_of_the_dataclasses() -> None:
    assert TARGET.read_text(encoding="utf-8") == schema(), "run: make types"


def test_every_type_that_is_named_is_written() -> None:
    code = re.sub(r"/\*\*.*?\*/|\"[^\"]*\"", "", schema(), flags=re.DOTALL)
    written = set(re.findall(r"export (?:interface|type) (\w+)", code))
    named = set(re.findall(r"\b[A-Z]\w+", re.sub(r"^//.*$", "", code, flags=re.MULTILINE)))
    assert named - written <= {"Record"}


def test_keys_are_those_of_the_messages() -> None:
    assert list(NextMessage(3, "before", "after").header()) == ["type", "id", "from", "run"]
    assert list(NextMessage(None, "before", "after").header()) == ["type", "from", "run"]
    (fields,) = re.findall(r"interface NextMessage extends ToBrowser {\n(.*?)\n}", schema(), re.DOTALL)
    assert re.findall(r"^  (\S+):", fields, re.MULTILINE) == ["type", "id?", "from", "run"]
