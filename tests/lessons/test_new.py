"""A lesson that `make new` writes passes what the tests of the family ask of every lesson."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lessons import new

ROOT = Path(__file__).parents[2]
COPIED = ("engine", "lessons", "pages", "tests", "pyproject.toml")


def run(folder: Path, *command: str) -> str:
    """What a Python module prints that is run in `folder`; it must succeed."""
    environment = {**os.environ, "TORCHROOM_NATIVE": os.environ.get("TORCHROOM_NATIVE", str(ROOT / "build"))}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_new_lesson_passes_the_tests_of_the_family(tmp_path: Path) -> None:
    for name in COPIED:
        source, ignored = ROOT / name, shutil.ignore_patterns("__pycache__", "demo.run", "browser", "bench")
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=ignored)
        else:
            shutil.copy(source, tmp_path / name)
    run(tmp_path, "lessons.new", "fresh")
    catalog = tmp_path / "lessons" / "catalog.py"
    lines = catalog.read_text("utf-8").replace(
        "CHAPTERS = (", 'CHAPTERS = (Chapter("New", "新", (Lesson("fresh", 10),)),', 1
    )
    catalog.write_text(lines, "utf-8")
    assert "demo.run" in run(tmp_path, "lessons.recordings", "fresh")
    summary = run(tmp_path, "pytest", "-q", "-p", "no:cacheprovider", "tests/lessons/test_contract.py", "-k", "fresh")
    assert "failed" not in summary


@pytest.mark.parametrize("name", ["", "Upper", "2nd", "with-dash", "losses"])
def test_a_name_that_cannot_be_a_lessons_is_refused(name: str) -> None:
    with pytest.raises(SystemExit, match=r"cannot be a lesson's name|is there already"):
        new.main(name)
