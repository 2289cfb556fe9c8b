"""Settings of the initialisation lesson."""

from __future__ import annotations

from typing import Annotated, Any

import engine.params
from engine.controls import Choice, Live, MultiChoice, Number, Slider

INITS = ("zeros", "constant", "uniform", "gaussian", "xavier", "he", "orthogonal")
FUNCTIONS = ("linear", "sigmoid", "tanh", "relu", "leaky", "elu", "silu")
PIXELS, CLASSES = 64, 10
DEEPEST = 50


class Params(engine.params.Params):
    """One network for each of `inits`, all `depth` hidden layers deep and `width` wide, on the same batches of digits.

    `sd` is the standard deviation of "gaussian", `value` what every weight of "constant" is.
    """

    inits: Annotated[tuple[str, ...], MultiChoice(INITS)] = ("uniform", "gaussian", "xavier", "he")
    activation: Annotated[str, Choice(FUNCTIONS)] = "relu"
    depth: Annotated[int, Slider(2, DEEPEST, step=1)] = 20
    sd: Annotated[float, Slider(0.001, 10.0, log=True)] = 0.1
    lr: Annotated[float, Slider(0.0001, 10.0, log=True), Live()] = 0.05
    value: Annotated[float, Slider(-1.0, 1.0, step=0.01)] = 0.1
    width: Annotated[int, Slider(16, 128, step=16)] = 64
    optimiser: Annotated[str, Choice(("sgd", "adam"), row=True)] = "sgd"
    steps: Annotated[int, Slider(20, 2000, log=True)] = 300
    pace: Annotated[float, Slider(0.0, 100.0, step=5.0), Live()] = 20.0
    seed: Annotated[int, Number(0, 2**31 - 1)] = 0


TINY = Params(steps=20, pace=0.0, width=16, depth=4, inits=("zeros", "gaussian", "xavier", "orthogonal"))

PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "symmetry": {"inits": ("zeros", "constant", "xavier"), "activation": "tanh", "depth": 3, "lr": 0.1},
    "small": {"inits": ("gaussian", "xavier"), "activation": "tanh", "sd": 0.02, "depth": 10},
    "large": {"inits": ("gaussian", "xavier"), "activation": "tanh", "sd": 1.0, "depth": 10},
    "tanh": {"inits": ("xavier", "he", "orthogonal"), "activation": "tanh"},
    "deep": {"inits": ("xavier", "he", "orthogonal"), "depth": 50, "lr": 0.01},
    "linear": {"inits": ("xavier", "orthogonal"), "activation": "linear", "depth": 50, "lr": 0.005},
}
