"""Settings of the classifier."""

from typing import Annotated

from engine import params
from engine.controls import Choice, Live, Number, Slider, Text
from engine.models.names import ACTIVATIONS, OPTIMISERS


class Params(params.Params):
    """`hidden`: units of each hidden layer; `batch` points a step."""

    hidden: Annotated[str, Text(40, r"(\d{1,2}(-\d{1,2}){0,5})?")] = "4"
    activation: Annotated[str, Choice(ACTIVATIONS)] = "tanh"
    optimiser: Annotated[str, Choice(OPTIMISERS)] = "sgd"
    lr: Annotated[float, Slider(0.0001, 10.0), Live()] = 0.03
    decay: Annotated[float, Slider(0.0, 1.0), Live()] = 0.0
    batch: Annotated[int, Slider(1, 200)] = 10
    steps: Annotated[int, Slider(1, 100_000_000)] = 1000
    side: Annotated[int, Slider(2, 200)] = 50
    pace: Annotated[float, Slider(0.0, 10_000.0), Live()] = 0.0
    seed: Annotated[int, Number(0, 2**31 - 1)] = 0
