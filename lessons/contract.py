"""What a lesson is made of: the contract between a lesson's folder, the pages and the engine.

    params.py    `Params`, a subclass of engine.params.Params: settings with controls and marks
                 (engine/controls.py), `seed` among them;
                 `TINY`, settings of a run that takes a second, for tests; `PRESETS`, name -> changed settings
    compute.py   the hooks of `Compute` (engine/hooks.py); the one module that may import torch
    figures.py   the hooks of `Figures` below; no torch, no Streamlit
    script.py    the lesson as a program of its own; its constants between "# settings" and "# end of settings" are
                 filled in from the settings of the same name
    en.md zh.md  every word of the lesson (lessons/WRITING.md)
    demo.run     a recorded run of the default settings, made by `make demos`

`Params` may set the class variable `continues_run` (engine.params.Params): a changed setting then forks the run on
show instead of waiting for the Run button. `catalog.figures(name)` gives a lesson's figures with every hook there,
those the lesson does not write doing what is written here; nobody asks a module which functions it has.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from engine.hooks import Compute, Hooks
from engine.types import Arrays, Problem, Tick, Values
from lessons.board.figures import Figure, Patch
from lessons.text import Words

__all__ = ["Compute", "Figures", "Hooks", "Query", "unknown_query"]


class Query(TypedDict):
    """A question that the page asks by itself: `compute.look(job, state, name, args)`, drawn by `figures.answer`."""

    name: str
    args: Values
    follow: NotRequired[bool]  # asked again as the playhead moves; True unless told
    once: NotRequired[bool]  # the answer needs no run: asked once for these arguments


class Figures(Hooks):
    """What a lesson draws. `params` are the lesson's own Params: of the run on show, with the view settings as set."""

    def draw(self, params: Any, words: Words) -> dict[str, Figure]:
        """Figure id -> figure, the most important first and the only one of size "hero". Required.

        The ids are those of the Figures section of `words`; every label a figure shows comes from there.
        """
        raise NotImplementedError

    def update(self, params: Any, tick: Tick) -> list[Patch]:
        """The patches that show a frame, each complete in itself; `tick.arrays` is what compute's `Step.frame` gave.

        Without it the figures follow the scalars alone.
        """
        return []

    def answer(self, params: Any, name: str, args: Values, arrays: Arrays) -> list[Patch]:
        """The patches that show `arrays`, what compute's `look` answered to the question `name` with `args`.

        Raises Problem for an unknown name. Without it, no question is known.
        """
        raise unknown_query(name)

    def asks(self, params: Any) -> list[Query]:
        """The questions asked as long as the page is open, again whenever their arguments change. Without it, none."""
        return []

    def remarks(self, params: Any) -> list[Problem]:
        """What a learner should know about these settings, shown above the board. Without it, nothing."""
        return []

    def on_choose(self, params: Any, picked: Values) -> Values:
        """Makes settings of what a gesture on a figure gave (setting -> value, see board.figures.Choose).

        For gestures that give more than a value, as a stroke of points. Raises Problem for one that cannot be used.
        Without it the values are taken as they are.
        """
        return picked

    def on_upload(self, params: Any, name: str, data: bytes) -> Values:
        """The settings that an uploaded file for the setting `name` brings along, beside its own digest.

        Raises Problem for a file that cannot be used. Without it, none.
        """
        return {}


def unknown_query(name: str) -> Problem:
    """The answer to a question that a lesson's figures do not know."""
    return Problem(f"There is no question named {name!r:.40} here.", f"这里没有名为 {name!r:.40} 的提问。")
