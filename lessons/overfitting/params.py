"""Settings of the overfitting lesson."""

from __future__ import annotations

from typing import Annotated, Any

import engine.params
from engine.controls import Choice, Hidden, Live, Number, Slider, Text, Toggle, ViewOnly

SEEDS = 64
CURVES = ("wave", "line", "jump", "drawn")
SETS = ("fresh", "same", "bootstrap")
BINS = tuple(round(-8.0 + 16 * k / 41, 6) for k in range(42))  # of weights; the outer ones also count what lies beyond
COLUMNS = 24  # places of a drawn curve
HEIGHT = r"(-?[01](\.\d{1,4})?)?"  # of a drawn truth: below 2 either way
ERROR = r"(\d{1,2}(\.\d{1,4})?)?"  # of a drawn guess


class Params(engine.params.Params):
    """`sets`: how the networks' training points differ: drawn afresh, the same for all, or resampled from one set.

    A drawn curve (`truth`, `guess`) is COLUMNS numbers from left to right with a comma between, each of which may be
    missing. `early` keeps a quarter of the points for validation. `guess` and `ridge` only change what is looked at.
    """

    points: Annotated[int, Slider(4, 200, step=1)] = 20
    noise: Annotated[float, Slider(0.0, 1.0, step=0.05)] = 0.3
    width: Annotated[int, Slider(1, 100, step=1)] = 40
    depth: Annotated[int, Slider(1, 3, step=1)] = 1
    decay: Annotated[float, Slider(0.0, 0.1, step=0.0005), Live()] = 0.0
    l1: Annotated[float, Slider(0.0, 0.1, step=0.0005), Live()] = 0.0
    dropout: Annotated[float, Slider(0.0, 0.8, step=0.05)] = 0.0
    jitter: Annotated[float, Slider(0.0, 0.5, step=0.01), Live()] = 0.0
    early: Annotated[bool, Toggle()] = False
    curve: Annotated[str, Choice(CURVES)] = "wave"
    sets: Annotated[str, Choice(SETS)] = "fresh"
    seeds: Annotated[int, Slider(1, SEEDS, step=1)] = 16
    optimiser: Annotated[str, Choice(("sgd", "momentum", "adam"), row=True)] = "adam"
    lr: Annotated[float, Slider(0.0001, 1.0, log=True), Live()] = 0.01
    steps: Annotated[int, Slider(50, 20_000, log=True)] = 1500
    pace: Annotated[float, Slider(0.0, 2000.0, step=10.0), Live()] = 300.0
    ridge: Annotated[float, Slider(0.0, 0.1, step=0.001), ViewOnly()] = 0.01
    truth: Annotated[str, Text(300, rf"({HEIGHT},){{{COLUMNS - 1}}}{HEIGHT}|"), Hidden()] = ""
    guess: Annotated[str, Text(300, rf"({ERROR},){{{COLUMNS - 1}}}{ERROR}|"), ViewOnly(), Hidden()] = ""
    seed: Annotated[int, Number(0, 2**31 - 1)] = 0


def drawn(text: str) -> list[float | None]:
    """A drawn curve's heights from left to right, None where nothing was drawn."""
    return [float(height) if height else None for height in text.split(",")] if text else [None] * COLUMNS


TINY = Params(steps=100, pace=0.0, seeds=3, width=8, points=10)

PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "flexible": {"points": 10, "width": 80},
    "stiff": {"width": 1},
    "data": {"points": 200},
    "decay": {"decay": 0.003},
    "sparse": {"l1": 0.003},
    "dropout": {"dropout": 0.2, "seeds": 8},
    "early": {"early": True},
    "jitter": {"jitter": 0.1},
    "bagging": {"sets": "bootstrap", "seeds": 32},
}
