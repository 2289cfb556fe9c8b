"""The figures of the lesson."""

from __future__ import annotations

from engine.types import Tick
from lessons.board import TRAIN, Figure, Patch, Plot
from lessons.text import Words

from .params import Params


def draw(params: Params, words: Words) -> dict[str, Figure]:
    """Figure id -> figure, most important first."""
    said = words.figures["loss"].labels
    trace = {"name": "loss", "type": "scatter", "mode": "lines", "line": {"color": TRAIN}}
    trace["bind"] = {"x": "step", "y": "loss"}
    layout = {"xaxis": {"title": said["x"]}, "yaxis": {"title": said["y"]}}
    return {"loss": Plot("loss", [trace], layout, size="hero", height=380, switch=True)}


def update(params: Params, tick: Tick) -> list[Patch]:
    """Everything here follows the scalars by itself."""
    return []
