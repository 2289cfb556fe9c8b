"""When the SGD family converges on a quadratic: bounds on the step size, and how fast. No torch here.

On a quadratic every direction of curvature λ is on its own, and one step is a linear map of (position, velocity).
It converges when both eigenvalues of that map lie inside the unit circle. With q = 1 - ηλ their sum and product are

    heavy ball (Polyak 1964)        1 + β - ηλ      β        stable for  0 < ηλ < 2 (1 + β)
    Nesterov as torch.optim has it  (1 + β) q       β q      stable for  0 < ηλ < 2 (1 + β) / (1 + 2β)

(torch: b ← βb + g, θ ← θ - η (g + βb), so (θ, b) ↦ ((1 - ηλ(1+β)) θ - ηβ² b, λθ + βb), trace (1+β)(1-ηλ) and
determinant β(1-ηλ). Both eigenvalues are inside when |product| < 1 and |sum| < 1 + product, and for q < 0 the second
gives q > -1 / (1 + 2β).) β = 0 is gradient descent, ηλ < 2.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def bounds(largest: float, momentum: float) -> dict[str, float]:
    """The step sizes below which each of the family converges on a quadratic whose largest curvature is `largest`."""
    return {
        "sgd": 2 / largest,
        "momentum": 2 * (1 + momentum) / largest,
        "nesterov": 2 * (1 + momentum) / ((1 + 2 * momentum) * largest),
    }


def radius(kind: str, lr: Any, momentum: Any, curvature: float) -> Any:
    """Factor by which a step shrinks (< 1) or grows (> 1) the error in the long run, along one curvature.

    `kind` is "sgd", "momentum" or "nesterov"; `lr` and `momentum` are numbers or arrays of one shape.
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
    """Polyak's step size and momentum, which shrink the error of the heavy ball fastest on such a quadratic."""
    root, low = np.sqrt(largest), np.sqrt(smallest)
    return float((2 / (root + low)) ** 2), float(((root - low) / (root + low)) ** 2)
