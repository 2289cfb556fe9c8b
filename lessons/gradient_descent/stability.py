"""When SGD, momentum and Nesterov's momentum converge on a quadratic, how fast, and how near. No torch here.

On a quadratic every direction of curvature λ is independent, and one step is a linear map of (position, velocity).
It converges when both eigenvalues of that map lie inside the unit circle. With q = 1 - ηλ their sum and product are

    heavy ball (Polyak 1964)        1 + β - ηλ      β        stable for  0 < ηλ < 2 (1 + β)
    Nesterov as torch.optim has it  (1 + β) q       β q      stable for  0 < ηλ < 2 (1 + β) / (1 + 2β)

(torch: b ← βb + g, θ ← θ - η (g + βb), so (θ, b) ↦ ((1 - ηλ(1+β)) θ - ηβ² b, λθ + βb), trace (1+β)(1-ηλ) and
determinant β(1-ηλ). Both eigenvalues are inside when |product| < 1 and |sum| < 1 + product, and for q < 0 the second
gives q > -1 / (1 + 2β).) β = 0 is gradient descent, ηλ < 2.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

KINDS = ("sgd", "momentum", "nesterov")


def bounds(largest: float, momentum: float) -> dict[str, float]:
    """The step sizes below which each of KINDS converges on a quadratic whose largest curvature is `largest`."""
    return {
        "sgd": 2 / largest,
        "momentum": 2 * (1 + momentum) / largest,
        "nesterov": 2 * (1 + momentum) / ((1 + 2 * momentum) * largest),
    }


def radius(kind: str, lr: Any, momentum: Any, curvature: float) -> Any:
    """The spectral radius of a step along one curvature: the factor by which it multiplies the error in the long run.

    `kind` is one of KINDS; `lr` and `momentum` are numbers or arrays of one shape, which the result has too.
    """
    lr, momentum = np.asarray(lr, np.float64), np.asarray(momentum, np.float64)
    if kind == "sgd":
        return np.abs(1 - lr * curvature)
    if kind == "nesterov":
        total, product = (1 + momentum) * (1 - lr * curvature), momentum * (1 - lr * curvature)
    else:
        total, product = 1 + momentum - lr * curvature, momentum
    inside = total**2 - 4 * product
    real = (np.abs(total) + np.sqrt(np.maximum(inside, 0.0))) / 2
    return np.where(inside < 0, np.sqrt(np.maximum(product, 0.0)), real)


def fastest(smallest: float, largest: float) -> tuple[float, float]:
    """The step size and momentum with which the heavy ball converges fastest (Polyak 1964), for these curvatures."""
    root, low = np.sqrt(largest), np.sqrt(smallest)
    return float((2 / (root + low)) ** 2), float(((root - low) / (root + low)) ** 2)


def rest(kind: str, lr: float, momentum: float, curvature: float, noise: float) -> float:
    """The variance of θ around the minimum in the long run, where each gradient has noise of that standard deviation.

    As a recurrence a step is θ ← a θ + b θ' + s (ε + m ε'), primes being one step earlier: with q = 1 - ηλ

        heavy ball    a = β + q        b = -β      s = η            m = 0
        Nesterov      a = (1 + β) q    b = -β q    s = η (1 + β)    m = -β / (1 + β)

    an ARMA(2, 1) process, whose variance follows from its Yule-Walker equations. For β = 0 it is ησ² / (λ (2 - ηλ)).
    NaN if it diverges.
    """
    momentum = 0.0 if kind == "sgd" else momentum
    if lr >= bounds(curvature, momentum)[kind]:
        return math.nan
    q = 1 - lr * curvature
    if kind == "nesterov":
        a, b, s, m = (1 + momentum) * q, -momentum * q, lr * (1 + momentum), -momentum / (1 + momentum)
    else:
        a, b, s, m = momentum + q, -momentum, lr, 0.0
    return (noise * s) ** 2 * ((1 - b) * (1 + m * m) + 2 * a * m) / ((1 + b) * ((1 - b) ** 2 - a * a))
