"""Activation functions and their derivatives in numpy, for figures. Training uses torch's. No torch here.

Constants are those of torch.nn.functional's defaults: leaky ReLU 0.01, ELU alpha 1, exact GELU. At a kink the
derivative is the one autograd takes: 0 for ReLU, 0.01 for leaky ReLU, 1 for ELU.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Curve = Callable[[Floats], Floats]

LEAK = 0.01


def sigmoid(z: Floats) -> Floats:
    """1 / (1 + e^-z), computed from e^-|z|, which cannot overflow."""
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + small), small / (1 + small))


def normal_density(z: Floats) -> Floats:
    """The standard normal density."""
    return np.exp(-np.square(np.clip(z, -40, 40)) / 2) / math.sqrt(2 * math.pi)


def normal_cdf(z: Floats) -> Floats:
    """The standard normal distribution function, by erfc, which is exact in its lower tail."""
    return np.array([math.erfc(-x / math.sqrt(2)) / 2 for x in z.ravel()]).reshape(z.shape)


def exp_below_zero(z: Floats) -> Floats:
    """e^z for z <= 0, else 1: the derivative of ELU."""
    return np.exp(np.minimum(z, 0.0))


VALUE: dict[str, Curve] = {
    "linear": lambda z: z,
    "step": lambda z: np.where(z > 0, 1.0, 0.0),
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0.0),
    "leaky": lambda z: np.where(z > 0, z, LEAK * z),
    "elu": lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0.0))),
    "gelu": lambda z: z * normal_cdf(z),
    "silu": lambda z: z * sigmoid(z),
    "softplus": lambda z: np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z))),
}

SLOPE: dict[str, Curve] = {
    "linear": lambda z: np.ones_like(z),
    "step": lambda z: np.zeros_like(z),
    "sigmoid": lambda z: sigmoid(z) * sigmoid(-z),
    "tanh": lambda z: 1 - np.square(np.tanh(z)),
    "relu": lambda z: np.where(z > 0, 1.0, 0.0),
    "leaky": lambda z: np.where(z > 0, 1.0, LEAK),
    "elu": exp_below_zero,
    "gelu": lambda z: normal_cdf(z) + z * normal_density(z),
    "silu": lambda z: sigmoid(z) * (1 + z * sigmoid(-z)),
    "softplus": sigmoid,
}
