"""Settings of the counting lesson."""

from typing import Annotated

from engine import params
from engine.controls import Choice, Live, Number, Slider, Text


class Params(params.Params):
    """`cost_s` is slept in each step, which keeps `grows` MB more; `fail` says what happens after step `fail_at`."""

    steps: Annotated[int, Slider(1, 1_000_000)] = 50
    rate: Annotated[float, Slider(0.0, 10.0), Live()] = 1.0
    pace: Annotated[float, Slider(0.0, 1000.0), Live()] = 0.0
    cost_s: Annotated[float, Slider(0.0, 100.0)] = 0.0
    grows: Annotated[int, Slider(0, 100)] = 0
    fail: Annotated[str, Choice(("no", "raise", "problem", "memory", "die", "hang"))] = "no"
    fail_at: Annotated[int, Slider(0, 1_000_000)] = 10
    label: Annotated[str, Text()] = ""
    seed: Annotated[int, Number(0, 2**31 - 1)] = 0
