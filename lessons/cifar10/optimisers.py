"""The optimiser and the learning-rate schedule that the settings ask for."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from engine.models.muon import Muon
from lessons.cifar10.params import Params

MUON_MOMENTUM = 0.8


def choose_optimiser(model: nn.Module, p: Params) -> torch.optim.Optimizer:
    """One of torch's optimisers; or Muon, for convolutions and linear layers but the last, with Adam for the rest.

    Only groups with "decays" are to have weight decay: biases, scales and shifts do not make a function rougher.
    """
    learnt = [weight for weight in model.parameters() if weight.requires_grad]
    matrices = [weight for weight in learnt if weight.ndim > 1]
    vectors = [weight for weight in learnt if weight.ndim <= 1]
    if p.optimiser == "muon":
        hidden = {"params": matrices[:-1], "hidden": True, "decays": True}
        last = {"params": matrices[-1:], "decays": True}
        return Muon([hidden, last, {"params": vectors, "decays": False}], p.lr, MUON_MOMENTUM)
    groups: list[dict[str, Any]] = [{"params": matrices, "decays": True}, {"params": vectors, "decays": False}]
    if p.optimiser == "adam":
        return torch.optim.Adam(groups, p.lr, fused=True)
    if p.optimiser == "adamw":
        return torch.optim.AdamW(groups, p.lr, fused=True)
    momentum = 0.0 if p.optimiser == "sgd" else 0.9
    return torch.optim.SGD(groups, p.lr, momentum, nesterov=p.optimiser == "nesterov", fused=True)


def scheduled_lr(p: Params, peak: float, done: float) -> float:
    """The learning rate after the share `done` (0 to 1) of the training.

    "constant"; "cosine": half a cosine from the peak to zero (Loshchilov and Hutter, 2016); "onecycle": up for the
    first quarter, down to zero for the rest (after Smith, 2018).
    """
    if p.schedule == "cosine":
        return peak * 0.5 * (1 + math.cos(math.pi * done))
    if p.schedule == "onecycle":
        return peak * (0.1 + 0.9 * done / 0.25 if done < 0.25 else (1 - done) / 0.75)
    return peak
