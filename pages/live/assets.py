"""The board's files, served under /live/assets: compressed once, kept by the browser for good."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path

BOARD = Path(__file__).parents[2] / "assets" / "board"
PLOTLY = "plotly.min.js"
# Seconds between two looks for edited files. A look asks for the time of every file, and each such call lets go of
# the interpreter: a hundred sessions that draw at once would wait for each other.
LOOK_S = 1.0
# The module that a page loads. It is made here, since it names all others: the browser asks for them at once, instead
# of one round for each level of imports.
START = "start.js"
START_CODE = """
for (const module of {modules}) {{
  const href = new URL(module, import.meta.url).href;
  document.head.append(Object.assign(document.createElement("link"), {{ rel: "modulepreload", href }}));
}}
export default (await import("./index.js")).default;
"""
# What no browser needs of a module: comments that fill their lines, and indentation. Nothing within a line is touched,
# so that lines stay whole, and no module has a string that goes on in a second line.
COMMENTS = re.compile(r"^[ \t]*(?:/\*\*(?:(?!\*/).)*\*/|//[^\n]*)[ \t]*\n|^[ \t]+", re.MULTILINE | re.DOTALL)


def stripped(module: str) -> str:
    """The source of a module of the board without its comments and indentation: a third less to send."""
    return COMMENTS.sub("", module)


def package_folder(name: str) -> Path:
    """Where an installed package lies; it is not imported. Raises FileNotFoundError."""
    package = importlib.util.find_spec(name)
    if package is None or not package.submodule_search_locations:
        raise FileNotFoundError(f"the {name} package is not installed")
    return Path(package.submodule_search_locations[0])


def plotly() -> Path:
    """plotly.js as the installed plotly package carries it."""
    return package_folder("plotly") / "package_data" / "plotly.min.js"


KINDS = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Served:
    """Bytes compressed by gzip, and what kind of content they are."""

    packed: bytes
    kind: str


class Assets:
    """The board's modules and its style sheet, and plotly.js, under one address that holds a digest of all of them.

    Relative imports between the modules therefore work, and a browser may keep each file for good. An edited file gives
    the whole tree another address; earlier ones are served as long as the process lives.
    """

    def __init__(self, folder: Path = BOARD) -> None:
        self.folder = folder
        self.plotly = plotly()
        self._lock = threading.Lock()
        self._changed: dict[Path, int] = {}  # files and folders -> when each was changed, in nanoseconds
        self._version = ""
        self._looked = -LOOK_S  # when, on the monotonic clock
        self._packed: dict[str, Served] = {}  # sha256 of a file's bytes -> the file
        self._trees: dict[str, dict[str, Served]] = {}  # version -> path in the tree -> file

    def url(self, name: str) -> str:
        """Where a page loads the file `name` of the tree as it is now."""
        return f"/live/assets/{self.version()}/{name}"

    def start(self) -> str:
        """Where a page loads the board: a module that asks for all others, and exports what index.js does."""
        return self.url(START)

    def version(self) -> str:
        """The digest of all files, read again within LOOK_S after one of them was added, edited or removed."""
        now = time.monotonic()
        if self._version and now - self._looked < LOOK_S:
            return self._version
        self._looked = now
        try:
            fresh = bool(self._changed) and all(path.stat().st_mtime_ns == at for path, at in self._changed.items())
        except FileNotFoundError:
            fresh = False
        if not fresh:
            with self._lock:
                self._read()
        return self._version

    def warm(self) -> None:
        """Compresses everything now, so that the first page does not wait for it."""
        self.version()

    def get(self, version: str, path: str) -> Served | None:
        return self._trees.get(version, {}).get(path)

    def _read(self) -> None:
        paths = sorted(path for path in self.folder.rglob("*") if path.is_dir() or path.suffix in KINDS)
        changed = {path: path.stat().st_mtime_ns for path in (self.folder, *paths, self.plotly)}
        contents = {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in paths if path.is_file()}
        modules = [name for name in contents if name.endswith(".js")]
        contents[START] = START_CODE.format(modules=json.dumps(modules)).encode()
        contents[PLOTLY] = self.plotly.read_bytes()
        digest = hashlib.sha256()
        tree: dict[str, Served] = {}
        for name, content in contents.items():
            sha = hashlib.sha256(content).hexdigest()
            digest.update(f"{name} {sha}\n".encode())
            if sha not in self._packed:
                body = stripped(content.decode()).encode() if name in modules else content
                self._packed[sha] = Served(gzip.compress(body, 9), KINDS[Path(name).suffix])
            tree[name] = self._packed[sha]
        version = digest.hexdigest()[:16]
        self._trees.setdefault(version, tree)
        self._version, self._changed = version, changed
