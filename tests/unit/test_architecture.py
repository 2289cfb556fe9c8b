"""The layers of the project, as imports show them: what may import what, and how large a file may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "app.py", *(path for name in ("engine", "lessons", "pages") for path in (ROOT / name).rglob("*.py"))]
SCRIPTS = [path for path in (ROOT / "assets" / "board").rglob("*.js") if "vendor" not in path.parts]
PYTHON_LINES = 400
SCRIPT_LINES = 320


def name_of(path: Path) -> str:
    """A file's module: engine/wire.py is "engine.wire"."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in FILES}


def imported(node: ast.AST) -> Iterator[str]:
    """The modules that an import statement names; of `from package import module` the module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            inside = f"{node.module}.{alias.name}"
            yield inside if inside in MODULES else str(node.module)


@cache
def imports(name: str) -> frozenset[str]:
    """Everything that a module imports, wherever in it."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    return frozenset(other for node in ast.walk(tree) for other in imported(node))


def imports_at_start(name: str) -> set[str]:
    """The project's modules that a module imports as it is loaded: not in functions, not for the type checker."""
    names: set[str] = set()
    nodes: list[ast.AST] = [ast.parse(MODULES[name].read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        names.update(imported(node))
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            nodes += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            nodes += ast.iter_child_nodes(node)
    return (names & MODULES.keys()) - {name}


def is_in(name: str, *packages: str) -> bool:
    """Whether a module is one of these packages or in one of them."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def forbidden(where: str, what: tuple[str, ...], aside: tuple[str, ...] = ()) -> list[str]:
    """The imports of `what` in the modules of `where`, but for those `aside`."""
    return [
        f"{name} imports {other}"
        for name in sorted(MODULES)
        if is_in(name, where) and not is_in(name, *aside)
        for other in sorted(imports(name))
        if is_in(other, *what)
    ]


def test_the_engine_knows_neither_lessons_nor_pages() -> None:
    assert forbidden("engine", ("lessons", "pages", "app")) == []


def test_lessons_do_not_know_the_pages() -> None:
    assert forbidden("lessons", ("pages", "app")) == []


@pytest.mark.parametrize("where", ["engine", "lessons", "pages.live"])
def test_streamlit_is_for_pages_alone(where: str) -> None:
    assert forbidden(where, ("streamlit",)) == []


def test_the_pages_widgets_and_the_live_server_meet_in_the_app_state_alone() -> None:
    assert forbidden("pages.live", ("pages.ui", "pages.main", "pages.home", "pages.lab")) == []
    arrows = forbidden("pages", ("pages.live",), ("pages.live",))
    assert [arrow for arrow in arrows if not arrow.endswith("pages.live.app_state")] == []


def test_the_engine_runs_without_its_models_and_datasets() -> None:
    parts = ("engine.models", "engine.datasets")
    assert forbidden("engine", parts, parts) == []


def test_no_modules_import_each_other() -> None:
    graph = {name: imports_at_start(name) for name in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


@pytest.mark.parametrize(("files", "most"), [(FILES, PYTHON_LINES), (SCRIPTS, SCRIPT_LINES)], ids=["python", "board"])
def test_a_file_can_be_read_at_one_sitting(files: list[Path], most: int) -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {name: count for name, count in lines.items() if count > most} == {}


LOAD_ALL = """
import sys
import app, pages.ui.lesson
from lessons import catalog
for lesson in catalog.lessons():
    catalog.figures(lesson.name)
    catalog.params(lesson.name)
assert "torch" not in sys.modules, "torch"
"""


def test_the_web_process_has_no_torch() -> None:
    done = subprocess.run([sys.executable, "-c", LOAD_ALL], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
