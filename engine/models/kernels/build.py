"""python -m engine.models.kernels.build: compiles the C++ files beside their Python namesakes, where this machine has
a compiler.

Each such file does faster what torch does too, to the last bit or nearly; without it everything works. They are
compiled once, when the environment is made, and never while somebody waits: a worker takes what is there. What was
compiled from another source, or for another processor, has another name and is not found.

    CXX                 the compiler; c++, g++ or clang++ otherwise
    TORCHROOM_NATIVE    a folder for what is compiled (default: build, beside engine), or 0: use none of it
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
TRIES = ((NATIVE, "-fopenmp"), (NATIVE,), ("-fopenmp",), ())  # what not every compiler knows is left out


def processor() -> str:
    """What tells one processor's abilities from another's."""
    try:
        told = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        return next(line for line in told if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        return platform.processor() + platform.machine()


def place(source: Path) -> Path | None:
    """Where the library of `source` is, or would be, on this machine; None if none is wanted."""
    folder = os.environ.get("TORCHROOM_NATIVE") or HERE.parents[2] / "build"
    if folder == "0":
        return None
    made_of = "\n".join((source.read_text("utf-8"), *FLAGS, platform.system(), processor()))
    return Path(folder).resolve() / f"{source.stem}-{hashlib.sha256(made_of.encode()).hexdigest()[:16]}.so"


@cache
def library(name: str) -> ctypes.CDLL | None:
    """What `name`.cpp was compiled to, or None where that has not been done.

    torch has to be imported before: it brings the threads that the library then shares with it.
    """
    target = place(next(source for source in SOURCES if source.stem == name))
    try:
        return ctypes.CDLL(str(target)) if target and target.is_file() else None
    except OSError:
        return None


def called(function: Any, *args: int | float | torch.Tensor | None) -> None:
    """Calls a compiled function with whole numbers, doubles and tensors' memory."""
    if function(*(passed(one) for one in args)):
        raise ValueError(f"{function.__name__} has no code for {args[:7]}")


def passed(one: int | float | torch.Tensor | None) -> Any:
    if isinstance(one, int):
        return one
    return ctypes.c_double(one) if isinstance(one, float) else ctypes.c_void_p(None if one is None else one.data_ptr())


@contextmanager
def unused() -> Iterator[None]:
    """Inside, nothing that was compiled is used: torch does it all."""
    found = os.environ.get("TORCHROOM_NATIVE")
    os.environ["TORCHROOM_NATIVE"] = "0"
    library.cache_clear()
    try:
        yield
    finally:
        os.environ.pop("TORCHROOM_NATIVE")
        if found is not None:
            os.environ["TORCHROOM_NATIVE"] = found
        library.cache_clear()


def build(source: Path) -> str:
    """Compiles `source` unless that has been done; a sentence that says what became of it."""
    target = place(source)
    if target is None:
        return f"{source.name}: not wanted (TORCHROOM_NATIVE=0)."
    if target.is_file():
        return f"{source.name}: compiled before."
    names = (os.environ.get("CXX", ""), "c++", "g++", "clang++")
    compiler = next((found for name in names if name and (found := shutil.which(name))), None)
    if compiler is None:
        return f"{source.name}: no C++ compiler here; torch does its work, more slowly."
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_suffix(f".{os.getpid()}")
    said = ""
    for flags in TRIES:
        command = [compiler, *FLAGS, *flags, "-o", str(half), str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            half.replace(target)
            without = f", without {' '.join(TRIES[0])}:\n{said}" if said else "."
            return f"{source.name}: compiled by {compiler}{without}"
        said = said or done.stderr.strip()
    half.unlink(missing_ok=True)
    return f"{source.name}: {compiler} could not compile it; torch does its work, more slowly.\n{said}"


def main() -> None:
    for source in SOURCES:
        print(build(source), file=sys.stderr)


if __name__ == "__main__":
    main()
