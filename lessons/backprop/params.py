"""Settings of the backpropagation lesson."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import field_validator

import engine.params
from engine.controls import Choice, Live, MultiChoice, NamedNumbers, Number, Slider, Text, ViewOnly, When
from lessons.backprop.tape import Tape, expression, layers, network
from lessons.formula import LONGEST

ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky", "elu", "gelu", "silu", "softplus", "linear")
LOSSES = ("sigmoids", "softmax", "squared", "squared_sigmoid")
INITS = ("torch", "xavier", "he", "normal")
STEPS = 255  # each is kept whole, and a record holds 256 frames
LARGEST = 1000.0
NETWORK = When(what=("network",))
EXPRESSION = When(what=("expression",))


class Params(engine.params.Params):
    """`steps` are operations: of a number, of a layer, or of a whole round, as `grain` says.

    `edits` puts numbers in the place of a network's weights ("x1h2"), biases ("bh2"), inputs ("x1") and targets
    ("y1"); `values` are those of an expression's variables, 1 for each that is not named. `functions` and `layers`
    are those of the deep network, which is no part of the run.
    """

    what: Annotated[str, Choice(("network", "expression"), row=True)] = "network"
    sizes: Annotated[str, Text(20), NETWORK] = "3-4-2"
    expression: Annotated[str, Text(LONGEST), EXPRESSION] = "(a*b + c)*max(b, 0)"
    values: Annotated[str, NamedNumbers(-LARGEST, LARGEST, 26), EXPRESSION] = "a=2, b=3, c=-4"
    activation: Annotated[str, Choice(ACTIVATIONS), NETWORK] = "sigmoid"
    loss: Annotated[str, Choice(LOSSES), NETWORK] = "softmax"
    grain: Annotated[str, Choice(("unit", "layer", "round"), row=True)] = "unit"
    lr: Annotated[float, Slider(0.0001, 10.0, log=True), Live()] = 0.5
    pace: Annotated[float, Slider(0.0, 10.0, step=0.5), Live()] = 2.0
    edits: Annotated[str, NamedNumbers(-LARGEST, LARGEST, 100), NETWORK] = ""
    steps: Annotated[int, Slider(10, STEPS, step=1)] = 100
    functions: Annotated[tuple[str, ...], MultiChoice(ACTIVATIONS), ViewOnly(), NETWORK] = (
        "sigmoid",
        "tanh",
        "relu",
    )
    init: Annotated[str, Choice(INITS), NETWORK] = "xavier"
    layers: Annotated[int, Slider(2, 50, step=1), ViewOnly(), NETWORK] = 20
    seed: Annotated[int, Number(0, 2**31 - 1)] = 0

    @field_validator("sizes", mode="after")
    @classmethod
    def _sizes(cls, value: Any) -> Any:
        """In one form: 3-4-2. Raises Problem."""
        return "-".join(map(str, layers(value)))

    @field_validator("expression", mode="after")
    @classmethod
    def _expression(cls, value: Any) -> Any:
        """Raises Problem for what is no expression."""
        expression(value)
        return value.strip()

    @property
    def tape(self) -> Tape:
        """What this run computes."""
        if self.what == "expression":
            return expression(self.expression)
        return network(layers(self.sizes), self.activation, self.loss)

    @property
    def chosen(self) -> dict[str, float]:
        """The numbers that were set by hand."""
        field = "values" if self.what == "expression" else "edits"
        return NamedNumbers(-LARGEST, LARGEST).numbers(field, getattr(self, field))


TINY = Params(steps=30, pace=0.0)

PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "neuron": {
        "sizes": "4-1",
        "loss": "squared_sigmoid",
        "edits": "x1=1, x2=2, x3=3, x4=4, x1o1=0.1, x2o1=0.2, x3o1=0.3, x4o1=0.4, bo1=0.5, y1=0",
        "steps": 28,
    },
    "expression": {"what": "expression", "lr": 0.01, "steps": 44},
    "rounds": {"grain": "round", "steps": 60, "pace": 6.0},
    "sleepy": {
        "sizes": "2-2-2-2-1",
        "loss": "squared_sigmoid",
        "grain": "layer",
        "lr": 2.0,
        "steps": 190,
        "pace": 10.0,
    },
}
