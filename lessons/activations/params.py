"""Settings of the activations lesson."""

from __future__ import annotations

from typing import Annotated, Any

import engine.params
from engine.controls import Choice, Live, MultiChoice, Number, Slider, ViewOnly

FUNCTIONS = ("step", "sigmoid", "tanh", "relu", "leaky", "elu", "gelu", "silu", "softplus")  # one classifier each
SHAPES = (*FUNCTIONS, "linear")  # to look at; a network without any activation is a straight line however deep
SEEDS = 64  # runs of all classifiers at once
POINTS = ("moons", "circles", "spirals")
INITS = ("small", "torch", "xavier", "he", "orthogonal", "normal")
DEEPEST = 50
REACH = 6.0  # the input x goes from -REACH to REACH
GRAIN = 0.05


class Params(engine.params.Params):
    """`functions`, `x` and `layers` only change what is looked at; `init` serves the classifiers and the deep network.

    `depth` and `width` are the hidden layers of each classifier; `layers` those of the network without training.
    `seeds` is how many times all of it is done, with the seeds that follow `seed`.
    """

    functions: Annotated[tuple[str, ...], MultiChoice(SHAPES), ViewOnly()] = ("sigmoid", "tanh", "relu", "gelu")
    x: Annotated[float, Slider(-REACH, REACH, step=GRAIN), ViewOnly()] = -1.0
    points: Annotated[str, Choice(POINTS, row=True)] = "moons"
    init: Annotated[str, Choice(INITS)] = "xavier"
    layers: Annotated[int, Slider(2, DEEPEST, step=1), ViewOnly()] = 30
    depth: Annotated[int, Slider(1, 20, step=1)] = 3
    lr: Annotated[float, Slider(0.0001, 10.0, log=True), Live()] = 0.3
    width: Annotated[int, Slider(2, 64, step=1)] = 16
    noise: Annotated[float, Slider(0.0, 0.5, step=0.01)] = 0.12
    optimiser: Annotated[str, Choice(("sgd", "adam"), row=True)] = "sgd"
    seeds: Annotated[int, Slider(1, SEEDS, step=1)] = 1
    steps: Annotated[int, Slider(50, 100_000, log=True)] = 400
    pace: Annotated[float, Slider(0.0, 200.0, step=5.0), Live()] = 50.0
    seed: Annotated[int, Number(0, 2**31 - 1)] = 0


TINY = Params(steps=50, pace=0.0, width=8)

PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "spirals": {"points": "spirals", "noise": 0.05, "optimiser": "adam", "lr": 0.02, "steps": 800, "pace": 80.0},
    "vanishing": {
        "functions": ("sigmoid", "tanh", "gelu"),
        "depth": 12,
        "layers": 12,
        "lr": 0.1,
        "steps": 800,
        "pace": 80.0,
    },
    "small": {"functions": ("tanh", "relu", "linear"), "init": "small", "depth": 4, "layers": 20},
    "luck": {"functions": ("sigmoid", "tanh", "relu"), "seeds": 16, "pace": 0.0},
    "dead": {"functions": ("relu", "leaky", "elu"), "init": "he", "optimiser": "adam", "lr": 0.5, "steps": 300},
    "rescue": {"functions": ("sigmoid", "softplus", "relu"), "optimiser": "adam", "lr": 0.02, "steps": 300},
}
