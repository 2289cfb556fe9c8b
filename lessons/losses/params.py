"""Settings of the losses lesson."""

from __future__ import annotations

from typing import Annotated, Any

import engine.params
from engine.controls import Autorun, Choice, Live, Number, Slider, ViewOnly, When

TOPICS = ("line", "classes", "softmax", "overflow")
LOSSES = {  # what is trained side by side in each topic
    "line": ("mse", "mae", "huber"),
    "classes": ("ce", "mse", "hinge", "score"),
    "softmax": ("ce", "mse"),
    "overflow": ("safe", "naive"),
}
CLASSES = ("a", "b", "c")
REACH = 4.0  # how far the points of the line go to either side
HIGH = 10.0
FIELD = 6.0  # the same for the points of two classes, both ways
STEEP = 8.0
LARGEST = 120.0  # e^89 is more than float32 can hold

LINE = When(topic=("line",))
PLANE = When(topic=("classes",))
SOFTMAX = When(topic=("softmax",))
OVERFLOW = When(topic=("overflow",))
LOGITS = When(topic=("softmax", "overflow"))


class Params(engine.params.Params):
    """`topic` is what is trained; the settings after it each belong to some of the topics.

    (outlier_x, outlier_y) and (far_x, far_y) are the points that can be dragged. `logit` and `label` only move what is
    looked at. The logits start at (z1, z2, z3), times `scale` in the topic about overflow, plus `shift`.
    """

    topic: Annotated[str, Choice(TOPICS), Autorun()] = "line"
    outlier_x: Annotated[float, Slider(-REACH, REACH, step=0.1), Autorun(), LINE] = 2.5
    outlier_y: Annotated[float, Slider(-HIGH, HIGH, step=0.1), Autorun(), LINE] = -7.0
    delta: Annotated[float, Slider(0.1, 10.0, log=True), Autorun(), LINE] = 1.0
    start: Annotated[float, Slider(-STEEP, STEEP, step=0.5), Autorun(), PLANE] = 0.0
    far_x: Annotated[float, Slider(-FIELD, FIELD, step=0.1), Autorun(), PLANE] = 2.0
    far_y: Annotated[float, Slider(-FIELD, FIELD, step=0.1), Autorun(), PLANE] = -1.0
    label: Annotated[str, Choice(("1", "0"), row=True), ViewOnly(), PLANE] = "1"
    logit: Annotated[float, Slider(-STEEP, STEEP, step=0.1), ViewOnly(), PLANE] = -3.0
    right: Annotated[str, Choice(CLASSES, row=True), Autorun(), LOGITS] = "c"
    scale: Annotated[float, Slider(0.0, LARGEST, step=1.0), Autorun(), OVERFLOW] = 30.0
    z1: Annotated[float, Slider(-10.0, 10.0, step=0.1), Autorun(), LOGITS] = 2.0
    z2: Annotated[float, Slider(-10.0, 10.0, step=0.1), Autorun(), LOGITS] = 1.0
    z3: Annotated[float, Slider(-10.0, 10.0, step=0.1), Autorun(), LOGITS] = -1.0
    shift: Annotated[float, Slider(-LARGEST, LARGEST, step=1.0), Autorun(), LOGITS] = 0.0
    temperature: Annotated[float, Slider(0.1, 10.0, log=True), Autorun(), SOFTMAX] = 1.0
    lr: Annotated[float, Slider(0.001, 20.0, log=True), Live()] = 0.05
    noise: Annotated[float, Slider(0.0, 2.0, step=0.1), When(topic=("line", "classes"))] = 0.5
    steps: Annotated[int, Slider(20, 2000, log=True)] = 200
    pace: Annotated[float, Slider(0.0, 200.0, step=5.0), Live()] = 50.0
    seed: Annotated[int, Number(0, 2**31 - 1)] = 0


TINY = Params(steps=40, pace=0.0)

PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "tame": {"outlier_y": 2.5},
    "wrong": {"topic": "classes", "start": -6.0, "lr": 0.2, "steps": 500, "pace": 80.0},
    "toofar": {
        "topic": "classes",
        "far_x": 6.0,
        "far_y": 6.0,
        "noise": 0.6,
        "lr": 0.1,
        "steps": 400,
        "pace": 80.0,
        "seed": 12,
    },
    "softmax": {"topic": "softmax", "z1": 6.0, "z2": 0.0, "z3": -2.0, "lr": 0.2},
    "overflow": {"topic": "overflow", "scale": 60.0, "lr": 2.0},
}
