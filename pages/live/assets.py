"""Files and board specs served under /live: named by their content, compressed once, kept by the browser for good."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "assets"
SPECS = 16 << 20  # bytes of compressed specs kept


def plotly() -> Path:
    """plotly.js as the installed plotly package carries it; plotly itself is not imported."""
    found = importlib.util.find_spec("plotly")
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError("the plotly package is not installed")
    return Path(found.submodule_search_locations[0]) / "package_data" / "plotly.min.js"


KINDS = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Served:
    """Bytes compressed by gzip, and what kind of content they are."""

    packed: bytes
    kind: str


class Assets:
    """live.js, live.css and plotly.js under names that hold a hash of their content."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.sources = {"live.js": folder / "live.js", "live.css": folder / "live.css", "plotly.min.js": plotly()}
        self._lock = threading.Lock()
        self._named: dict[str, tuple[int, str]] = {}  # "live.js" -> (when changed, "live.1a2b3c4d.js")
        self._files: dict[str, Served] = {}

    def url(self, name: str) -> str:
        """Where a page loads `name`. A changed file gets a new address, so an edited live.js shows on a reload."""
        changed = self.sources[name].stat().st_mtime_ns
        known = self._named.get(name)
        if known is None or known[0] != changed:
            with self._lock:
                known = self._named[name] = (changed, self._load(name))
        return f"/live/assets/{known[1]}"

    def warm(self) -> None:
        """Compresses everything now, so that the first page does not wait for it."""
        for name, path in self.sources.items():
            if path.exists():
                self.url(name)

    def _load(self, name: str) -> str:
        body = self.sources[name].read_bytes()
        stem, dot, ending = name.partition(".")
        hashed = f"{stem}.{hashlib.sha256(body).hexdigest()[:12]}{dot}{ending}"
        if hashed not in self._files:
            self._files[hashed] = Served(gzip.compress(body, 6), KINDS[Path(name).suffix])
        return hashed

    def get(self, hashed: str) -> Served | None:
        return self._files.get(hashed)


class Specs:
    """Board specs by the digest of their JSON; the oldest go when they grow beyond SPECS bytes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Served] = OrderedDict()
        self._bytes = 0

    def put(self, body: bytes) -> str:
        """Where the browser finds this JSON."""
        sha = hashlib.sha256(body).hexdigest()[:24]
        with self._lock:
            if sha in self._kept:
                self._kept.move_to_end(sha)
            else:
                served = self._kept[sha] = Served(gzip.compress(body, 5), "application/json")
                self._bytes += len(served.packed)
                while self._bytes > SPECS and len(self._kept) > 1:
                    self._bytes -= len(self._kept.popitem(last=False)[1].packed)
        return f"/live/spec/{sha}.json"

    def has(self, url: str) -> bool:
        return url.removeprefix("/live/spec/").removesuffix(".json") in self._kept

    def get(self, sha: str) -> Served | None:
        return self._kept.get(sha)
