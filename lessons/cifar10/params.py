"""Settings of the CIFAR-10 lesson."""

from __future__ import annotations

from typing import Annotated, Any

import engine.params
from engine.controls import Choice, Live, Number, Picture, Slider, ViewOnly

AUGMENTATIONS = ("none", "flip", "crop", "crop_flip", "cutout")
DATA = ("digits", "cifar10")
NETWORKS = ("tutorial", "vgg", "fast")
OPTIMISERS = ("sgd", "momentum", "nesterov", "adam", "adamw", "muon")
SCHEDULES = ("constant", "cosine", "onecycle")


class Params(engine.params.Params):
    """What is trained on what, and how.

    `epochs` may end within one; `held_out` is in percent of the training images; of `precision`, int8 falls back to
    bfloat16, and that to float32, where the processor has none.
    """

    data: Annotated[str, Choice(DATA, row=True)] = "digits"
    network: Annotated[str, Choice(NETWORKS, row=True)] = "tutorial"
    optimiser: Annotated[str, Choice(OPTIMISERS)] = "momentum"
    lr: Annotated[float, Slider(0.0001, 10.0, log=True), Live()] = 0.02
    schedule: Annotated[str, Choice(SCHEDULES, row=True)] = "constant"
    weight_decay: Annotated[float, Slider(0.0, 0.05, step=0.0005), Live()] = 0.0
    batch: Annotated[int, Slider(8, 1024, step=8)] = 32
    augment: Annotated[str, Choice(AUGMENTATIONS)] = "none"
    smoothing: Annotated[float, Slider(0.0, 0.4, step=0.05)] = 0.0
    epochs: Annotated[float, Slider(0.5, 60.0, step=0.5)] = 16.0
    held_out: Annotated[int, Slider(2, 50, step=1)] = 20
    precision: Annotated[str, Choice(("float32", "bfloat16", "int8"), row=True)] = "float32"
    pace: Annotated[float, Slider(0.0, 200.0, step=5.0), Live()] = 50.0
    picture: Annotated[str, Picture(), ViewOnly()] = ""
    seed: Annotated[int, Number(0, 2**31 - 1)] = 0


TINY = Params(epochs=1, batch=64, pace=0.0)

PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "digits_fast": {
        "network": "fast",
        "optimiser": "nesterov",
        "lr": 0.1,
        "schedule": "onecycle",
        "augment": "crop",
        "smoothing": 0.1,
        "epochs": 6,
        "pace": 20.0,
    },
    "tutorial": {
        "data": "cifar10",
        "held_out": 10,
        "batch": 128,
        "augment": "crop_flip",
        "epochs": 3,
        "pace": 0.0,
    },
    "vgg": {
        "data": "cifar10",
        "held_out": 10,
        "network": "vgg",
        "batch": 128,
        "lr": 0.02,
        "schedule": "cosine",
        "augment": "crop_flip",
        "epochs": 5,
        "precision": "bfloat16",
        "pace": 0.0,
    },
    "fast": {
        "data": "cifar10",
        "held_out": 10,
        "network": "fast",
        "optimiser": "muon",
        "lr": 0.025,
        "schedule": "onecycle",
        "weight_decay": 0.02,
        "batch": 512,
        "augment": "flip",
        "smoothing": 0.2,
        "epochs": 4,
        "precision": "int8",
        "pace": 0.0,
    },
}
