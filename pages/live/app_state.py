"""What all sessions share: the engine, the live hub, the files and board specs it serves. Opened once by app.py.

It is kept in a module that has no file, so that no reload of edited sources can throw it away or make it twice.
"""

from __future__ import annotations

import secrets
import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

from itsdangerous import BadSignature, URLSafeSerializer

from lessons import catalog
from pages.live.assets import Assets, Specs

if TYPE_CHECKING:
    from engine.runs.engine import Engine
    from pages.live.hub import Hub

KEEP = sys.modules.setdefault("torchroom_room", ModuleType("torchroom_room"))


@dataclass
class AppState:
    """One server's engine and everything that belongs to it."""

    engine: Engine
    hub: Hub
    assets: Assets = field(default_factory=Assets)
    specs: Specs = field(default_factory=Specs)
    signer: URLSafeSerializer = field(
        default_factory=lambda: URLSafeSerializer(secrets.token_bytes(32), salt="torchroom live")
    )
    board: tuple[str, Any] | None = None  # the address of its files and the component made for it
    drawn: dict[tuple[str, str, str, int], str] = field(default_factory=dict)  # what was drawn -> its spec's address

    def ticket(self, learner: str) -> str:
        """What lets a page command its learner's runs; the same for the whole session."""
        return str(self.signer.dumps(learner))

    def learner(self, ticket: str | None) -> str | None:
        """Whom a ticket was signed for, or None."""
        try:
            return str(self.signer.loads(ticket or ""))
        except BadSignature:
            return None

    def first(self, lesson: str) -> str | None:
        """The id of a lesson's recorded first run, or None where it has none."""
        path = catalog.lesson(lesson).folder / "demo.run"
        if not path.exists():
            return None
        return str(self.engine.open_record(path, f"first-{lesson}").id)


def open_app_state(room: AppState) -> None:
    """Makes `room` the one that pages and routes find."""
    KEEP.room = room  # type: ignore[attr-defined]


def close_app_state() -> None:
    KEEP.room = None  # type: ignore[attr-defined]


def app_state() -> AppState:
    """The open room. Raises RuntimeError where app.py has not opened one."""
    room: Any = getattr(KEEP, "room", None)
    if room is None:
        raise RuntimeError("no room is open: start Torchroom by app.py (python app.py)")
    found: AppState = room
    return found
