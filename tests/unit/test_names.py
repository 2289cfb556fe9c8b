"""Names that say nothing, or not what the field calls a thing, do not come back (the glossary is in README)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Private words that gave way to standard ones: old -> what it is called now.
RENAMED = {
    "Lane": "BatchedRun",
    "Turns": "FairShare",
    "Crew": "WorkerPool",
    "Member": "WorkerHandle",
    "Letters": "Commands",
    "Shelf": "RunLibrary",
    "Room": "AppState",
    "the_room": "app_state",
    "Visit": "LessonSession",
    "Kept": "cachetools.LRUCache",
    "Place": "Cursor",
    "Group": "ScalarBlock",
    "groups_of": "decode_blocks",
    "packed_groups": "encode_blocks",
    "Named": "NamedNumbers",
    "Several": "MultiChoice",
    "Snapshot": "Checkpoint",
    "salvaged": "parse_lenient",
    "checked": "parse",
    "heed": "handle_message",
    "obey": "handle_commands",
    "tell_news": "send_status",
    "brought": "on_upload",
    "judge": "validate",
    "carries": "continues_run",
    "world": "rng_state",
    "gust": "noise",
    "chance": "generator",
    "slopes": "gradients",
    "Asks": "Queries",
    "Dock": "Player",
    "Halves": "BFloat16Conv",
}

# Words that stood for many things at once: a variable says what it holds.
VAGUE = {
    "snapshot",
    "snapshots",
    "one",
    "found",
    "kept",
    "said",
    "whole",
    "plain",
    "told",
    "visit",
    "room",
    "heard",
    "lane",
    "letters",
}

BANNED = {*RENAMED, *VAGUE}


def python_files() -> list[Path]:
    """The product's Python, without the programs for learners (script.py)."""
    folders = [ROOT / name for name in ("engine", "lessons", "pages")]
    files = [ROOT / "app.py", *(path for folder in folders for path in folder.rglob("*.py"))]
    return [path for path in files if path.name != "script.py"]


def javascript_files() -> list[Path]:
    return [path for path in (ROOT / "assets" / "board").rglob("*.js") if "vendor" not in path.parts]


def identifiers(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, name) of everything that a module names itself: definitions, arguments, variables and attributes set."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.lineno, node.name
            case ast.arg():
                yield node.lineno, node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.lineno, node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.lineno, node.attr
            case ast.alias(asname=str(alias)):
                yield node.lineno, alias


def javascript_identifiers(source: str) -> Iterator[tuple[int, str]]:
    """(line, name) of every word of a module outside its comments and strings."""
    blank = re.sub(
        r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'",
        lambda match: re.sub(r"[^\n]", " ", match[0]),
        source,
        flags=re.DOTALL,
    )
    for number, line in enumerate(blank.splitlines(), 1):
        for name in re.findall(r"(?<![\w$])[A-Za-z_$][\w$]*(?!\s*:(?!:))", line):
            yield number, name


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_python_uses_the_words_of_the_glossary(path: Path) -> None:
    named = identifiers(ast.parse(path.read_text(encoding="utf-8")))
    assert [f"line {line}: {name}" for line, name in named if name in BANNED] == []


@pytest.mark.parametrize("path", javascript_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_javascript_uses_the_words_of_the_glossary(path: Path) -> None:
    named = javascript_identifiers(path.read_text(encoding="utf-8"))
    assert [f"line {line}: {name}" for line, name in named if name in BANNED] == []
