"""Initialisation schemes for weights, by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn


def initial(weight: Tensor, init: str, generator: torch.Generator, sd: float = 1.0, value: float = 0.0) -> Tensor:
    """Fills `weight` (out, in) in place by torch.nn.init, and returns it.

    init: a key of the dict below, "zeros" or "constant". sd: of "gaussian". value: of "constant".
    """
    fill: dict[str, Callable[..., Tensor]] = {
        "uniform": nn.init.uniform_,  # between 0 and 1
        "gaussian": partial(nn.init.normal_, std=sd),
        "small": partial(nn.init.normal_, std=0.01),
        "normal": nn.init.normal_,
        "torch": partial(nn.init.kaiming_uniform_, a=math.sqrt(5)),  # the default of nn.Linear: variance 1 / (3 fan_in)
        "xavier": nn.init.xavier_normal_,
        "he": partial(nn.init.kaiming_normal_, nonlinearity="relu"),
        "orthogonal": nn.init.orthogonal_,
    }
    if init in ("zeros", "constant"):
        return nn.init.constant_(weight, value if init == "constant" else 0.0)
    return fill[init](weight, generator=generator)
