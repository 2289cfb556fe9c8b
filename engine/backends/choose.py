"""Which backend the settings of this server ask for. Imports neither torch nor ray."""

from __future__ import annotations

from collections.abc import Mapping

from engine.backends.base import Backend
from engine.backends.process import ProcessBackend
from engine.backends.ray import RayBackend, Request
from engine.types import Problem


def choose_backend(settings: Mapping[str, str]) -> Backend:
    """The backend that TORCHROOM_ENGINE names: process (the default), ray or ray://HOST:PORT.

    Raises Problem for anything else, and for a Ray that is not installed.
    """
    engine = settings.get("TORCHROOM_ENGINE") or "process"
    if engine == "process":
        return ProcessBackend(settings.get("TORCHROOM_DEVICE") or "auto")
    if engine == "ray" or engine.startswith("ray://"):
        return RayBackend(Request.from_settings({**settings, "TORCHROOM_ENGINE": engine}))
    raise Problem(
        f"TORCHROOM_ENGINE={engine!r:.80} is no engine. Use process (or leave it out), ray, or ray://HOST:10001.",
        f"TORCHROOM_ENGINE={engine!r:.80} 不是可用的引擎。请用 process（或不设置）、ray 或 ray://HOST:10001。",
    )
