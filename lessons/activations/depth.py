"""Variance from layer to layer of a deep random network, in closed form or as one integral a layer. No torch here.

Layers are WIDTH wide and have no biases: z_1 = W_1 x, z_l = W_l f(z_{l-1}). The weights are random with mean 0, so
over all such networks every z has mean 0, and its variance is its mean square q. With the gain g = WIDTH Var(w),

    q_1 = g,    q_{l+1} = g E[f(√q_l u)²],                u standard normal
    c_L = 1,    c_l     = g E[f'(√q_l u)²] c_{l+1}        the mean square of the gradient at z_l

For the linear network and for ReLU both are exact at any width: g and g/2 a layer (Glorot and Bengio, 2010; He et
al., 2015). For the others they are exact in the limit of wide layers (Schoenholz et al., 2017).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from engine.models.variance import activation_moments, weight_moments

WIDTH = 128
SAMPLES = 64


def gain(init: str) -> float:
    """WIDTH times the variance of a weight between two layers of equal width."""
    return WIDTH * weight_moments(init, WIDTH, WIDTH)[1]


def squares(name: str, q: float) -> tuple[float, float]:
    """E[f(√q u)²] and E[f'(√q u)²] for a standard normal u."""
    _, value, _, slope = activation_moments(name, np.zeros(1), np.array([q]))
    return value.item(), slope.item()


@lru_cache(maxsize=1024)
def variances(name: str, init: str, layers: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The variances of signal and gradient at layers 1 to `layers`; that of the gradient at the last layer is 1."""
    g = gain(init)
    signal, factors = [g], []
    for _ in range(layers - 1):
        value, slope = squares(name, signal[-1])
        signal.append(g * value)
        factors.append(g * slope)
    gradient = [1.0]
    for factor in reversed(factors):
        gradient.append(gradient[-1] * factor)
    return tuple(signal), tuple(reversed(gradient))
