"""What all sessions of one server share: the engine, the live hub, the files and board specs that are served.

app.py makes the AppState when the server starts and gives it to the live routes. A page cannot be given anything:
Streamlit runs it as a script, from the top at each press. So pages look the AppState up by `app_state()`.
"""

from __future__ import annotations

import secrets
import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from itsdangerous import BadSignature, URLSafeSerializer

from lessons import catalog
from pages.live.assets import Assets
from pages.live.hub import Hub
from pages.live.specs import Specs

if TYPE_CHECKING:
    from engine.runs.engine import Engine

# Where `open_app_state` puts the AppState. Streamlit forgets the modules of edited files and runs them again; a module
# that has no file is not among them, so that the pages of a running server go on finding the same AppState.
_HOLDER = sys.modules.setdefault("torchroom_app_state", ModuleType("torchroom_app_state"))


@dataclass
class AppState:
    """One server's engine and everything that belongs to it.

    `shared` is for what pages make once for all sessions: their own objects, by name.
    """

    engine: Engine
    hub: Hub
    assets: Assets = field(default_factory=Assets)
    specs: Specs = field(default_factory=Specs)
    signer: URLSafeSerializer = field(
        default_factory=lambda: URLSafeSerializer(secrets.token_bytes(32), salt="torchroom live")
    )
    shared: dict[str, Any] = field(default_factory=dict)

    def ticket(self, learner: str) -> str:
        """What lets a page command its learner's runs; the same for the whole session."""
        return str(self.signer.dumps(learner))

    def learner(self, ticket: str | None) -> str | None:
        """Whom a ticket was signed for, or None."""
        try:
            return str(self.signer.loads(ticket or ""))
        except BadSignature:
            return None

    def demo(self, lesson: str) -> str | None:
        """The id of a lesson's demo run, a recording of its default settings; None where it has none."""
        path = catalog.lesson(lesson).folder / "demo.run"
        if not path.exists():
            return None
        return str(self.engine.open_record(path, f"first-{lesson}").id)


def open_app_state(state: AppState) -> None:
    """Makes `state` the one that pages find."""
    _HOLDER.state = state  # type: ignore[attr-defined]


def close_app_state() -> None:
    """Pages find no AppState any more."""
    _HOLDER.state = None  # type: ignore[attr-defined]


def app_state() -> AppState:
    """The AppState of the running server. Raises RuntimeError where app.py has not opened one."""
    state = getattr(_HOLDER, "state", None)
    if state is None:
        raise RuntimeError("no AppState is open: start Torchroom by app.py (python app.py)")
    return cast(AppState, state)
