"""python -m engine.models.kernels.build: compiles the C++ files of this folder, where the machine has a compiler.

Each file computes what torch computes too, faster, and to the last bit or nearly; without it everything works. Files
are compiled when the environment is made, never while a learner waits: a worker loads what is there. The name of a
compiled library holds a digest of its source, the compiler's flags and the processor's features, so one made from
another source or for another processor is not loaded.

    CXX                 the compiler; otherwise c++, g++ or clang++, whichever is found first
    TORCHROOM_NATIVE    folder of the compiled libraries (default: build, beside engine), or 0: use none
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

HERE = Path(__file__).parent
SOURCES = tuple(sorted(HERE.glob("*.cpp")))
FLAGS = ("-std=c++17", "-O3", "-shared", "-fPIC")
NATIVE = "-mcpu=native" if platform.machine() in ("arm64", "aarch64") else "-march=native"
FLAG_SETS = ((NATIVE, "-fopenmp"), (NATIVE,), ("-fopenmp",), ())  # tried in turn: not every compiler knows both

_unused: set[str] = set()  # names of kernels that `library` hides


def processor() -> str:
    """The processor's feature flags as Linux lists them; elsewhere its name and architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        return next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        return platform.processor() + platform.machine()


def library_path(source: Path) -> Path | None:
    """Path of the library compiled from `source` on this machine, existing or not; None if none is to be used."""
    folder = os.environ.get("TORCHROOM_NATIVE") or HERE.parents[2] / "build"
    if folder == "0":
        return None
    made_of = "\n".join((source.read_text("utf-8"), *FLAGS, platform.system(), processor()))
    return Path(folder).resolve() / f"{source.stem}-{hashlib.sha256(made_of.encode()).hexdigest()[:16]}.so"


def library(name: str) -> ctypes.CDLL | None:
    """The library compiled from `name`.cpp, or None where there is none.

    torch has to be imported before: its OpenMP threads are then shared with the library.
    """
    return None if name in _unused else loaded(name)


@cache
def loaded(name: str) -> ctypes.CDLL | None:
    """As `library`; each file is looked for once."""
    target = library_path(next(source for source in SOURCES if source.stem == name))
    try:
        return ctypes.CDLL(str(target)) if target and target.is_file() else None
    except OSError:
        return None


def call(function: Any, *args: int | float | torch.Tensor | None) -> None:
    """Calls a compiled function with 32-bit ints, doubles and tensors' addresses (None: a null pointer).

    Raises ValueError where it answers that it has no code for these.
    """
    if function(*(as_c(value) for value in args)):
        raise ValueError(f"{function.__name__} has no code for {args[:7]}")


def as_c(value: int | float | torch.Tensor | None) -> Any:
    """`value` as ctypes passes it."""
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return ctypes.c_double(value)
    return ctypes.c_void_p(None if value is None else value.data_ptr())


@contextmanager
def unused(*names: str) -> Iterator[None]:
    """Inside, torch computes what these kernels (all, if none is named) compute otherwise."""
    hidden = {*names} or {source.stem for source in SOURCES}
    before = {*_unused}
    _unused.update(hidden)
    try:
        yield
    finally:
        _unused.clear()
        _unused.update(before)


def build(source: Path) -> str:
    """Compiles `source` unless that has been done. Returns a sentence about the outcome."""
    target = library_path(source)
    if target is None:
        return f"{source.name}: not wanted (TORCHROOM_NATIVE=0)."
    if target.is_file():
        return f"{source.name}: compiled before."
    names = (os.environ.get("CXX", ""), "c++", "g++", "clang++")
    compiler = next((path for name in names if name and (path := shutil.which(name))), None)
    if compiler is None:
        return f"{source.name}: no C++ compiler here; torch does its work, more slowly."
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(f".{os.getpid()}")
    first_error = ""
    for flags in FLAG_SETS:
        command = [compiler, *FLAGS, *flags, "-o", str(temporary), str(source)]
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
        if finished.returncode == 0:
            temporary.replace(target)
            without = f", without {' '.join(FLAG_SETS[0])}:\n{first_error}" if first_error else "."
            return f"{source.name}: compiled by {compiler}{without}"
        first_error = first_error or finished.stderr.strip()
    temporary.unlink(missing_ok=True)
    return f"{source.name}: {compiler} could not compile it; torch does its work, more slowly.\n{first_error}"


def main() -> None:
    for source in SOURCES:
        print(build(source), file=sys.stderr)


if __name__ == "__main__":
    main()
