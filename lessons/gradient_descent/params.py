"""Settings of the gradient descent lesson."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import field_validator

import engine.params
from engine.controls import Choice, Live, MultiChoice, Number, Slider, Text, ViewOnly, When
from lessons.formula import LONGEST, parse

SURFACES = ("bowl", "valley", "saddle", "rosenbrock", "himmelblau", "beale", "formula")
OPTIMISERS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw")
SEEDS = 64  # races at once
ADAPTIVE = ("adagrad", "rmsprop", "adam", "adamw")
LIVE = ("lr", "lr_adaptive", "momentum", "weight_decay", "noise")  # of the live settings, those a step depends on


class Params(engine.params.Params):
    """`lr` serves the SGD family, which multiplies the gradient by it; `lr_adaptive` the ADAPTIVE ones.

    The start is two numbers that a click on the contour sets; `pace` is in steps a second, 0 as fast as it goes.
    `seeds` is how many races are held at once, with the noise of the seeds that follow `seed`.
    """

    surface: Annotated[str, Choice(SURFACES)] = "valley"
    condition: Annotated[float, Slider(1.0, 1000.0, log=True), When(surface=("valley",))] = 25.0
    formula: Annotated[str, Text(LONGEST), When(surface=("formula",))] = "x**2/4 + y**2 + sin(3*x)*cos(3*y)"
    optimisers: Annotated[tuple[str, ...], MultiChoice(OPTIMISERS)] = ("sgd", "momentum", "rmsprop", "adam")
    lr: Annotated[float, Slider(0.0001, 2.0, log=True), Live()] = 0.07
    lr_adaptive: Annotated[float, Slider(0.0001, 2.0, log=True), Live()] = 0.1
    momentum: Annotated[float, Slider(0.0, 0.99, step=0.01), Live()] = 0.9
    dissect: Annotated[str, Choice(OPTIMISERS), ViewOnly()] = "momentum"
    angle: Annotated[float, Slider(0.0, 90.0, step=5.0), When(surface=("valley",))] = 0.0
    reach: Annotated[float, Slider(2.0, 20.0, step=0.5), When(surface=("formula",))] = 3.0
    weight_decay: Annotated[float, Slider(0.0, 1.0, step=0.01), Live()] = 0.01
    noise: Annotated[float, Slider(0.0, 5.0, step=0.1), Live()] = 0.0
    seeds: Annotated[int, Slider(1, SEEDS, step=1)] = 1
    steps: Annotated[int, Slider(10, 1000, step=10)] = 200
    pace: Annotated[float, Slider(0.0, 100.0, step=1.0), Live()] = 25.0
    start_x: Annotated[float, Number(-100.0, 100.0)] = -2.5
    start_y: Annotated[float, Number(-100.0, 100.0)] = 1.5
    seed: Annotated[int, Number(0, 2**31 - 1)] = 0

    @field_validator("formula", mode="after")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        """The formula in plain Python (x^2 becomes x**2). Raises Problem."""
        return parse(value).text


TINY = Params(steps=40, pace=0.0, optimisers=OPTIMISERS)

PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "edge": {"surface": "bowl", "lr": 1.01, "optimisers": ("sgd", "momentum", "nesterov"), "dissect": "sgd"},
    "cloud": {
        "surface": "bowl",
        "optimisers": ("sgd", "momentum"),
        "lr": 0.1,
        "noise": 1.0,
        "seeds": 64,
        "steps": 400,
        "dissect": "sgd",
    },
    "saddle": {"surface": "saddle", "start_x": -2.5, "start_y": 0.001, "lr": 0.05, "dissect": "sgd"},
    "banana": {"surface": "rosenbrock", "start_x": -1.0, "start_y": 1.5, "lr": 0.0005, "steps": 600, "pace": 75.0},
    "basins": {"surface": "himmelblau", "start_x": 0.0, "start_y": 0.0, "lr": 0.01},
    "beale": {"surface": "beale", "start_x": 1.0, "start_y": 1.2, "lr": 0.01, "steps": 300},
    "own": {"surface": "formula", "lr": 0.05},
}
