"""The losses and their derivatives in numpy, for figures. No torch here; tasks.py trains with torch's own losses.

At a kink the derivative is that of autograd: 0 for the absolute error and for hinge.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from lessons.losses.points import Floats

Curve = Callable[[Floats], Floats]
Pair = tuple[Floats, Floats]  # the loss, and its derivative


def sigmoid(z: Floats) -> Floats:
    """1 / (1 + e^-z) without overflow: only e^-|z| is computed."""
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + small), small / (1 + small))


def of_residual(name: str, e: Floats, delta: float) -> Pair:
    """The loss "mse", "mae" or "huber" of a residual e, prediction minus target."""
    if name == "mse":
        return e**2, 2 * e
    if name == "mae":
        return np.abs(e), np.sign(e)
    near = np.abs(e) < delta
    return np.where(near, e**2 / 2, delta * (np.abs(e) - delta / 2)), np.clip(e, -delta, delta)


def of_logit(name: str, z: Floats, label: int) -> Pair:
    """The loss "ce", "mse" (of the probability), "hinge" or "score" (squared error of the logit) for class 0 or 1."""
    sign = 2 * label - 1
    p = sigmoid(z)
    if name == "ce":
        return np.maximum(-sign * z, 0) + np.log1p(np.exp(-np.abs(z))), p - label
    if name == "mse":
        return (p - label) ** 2, 2 * (p - label) * p * (1 - p)
    if name == "hinge":
        return np.maximum(1 - sign * z, 0), np.where(sign * z < 1, -float(sign), 0.0)
    return (z - sign) ** 2, 2 * (z - sign)


def in_float32(z: npt.NDArray[np.floating[Any]], right: int) -> tuple[Floats, Floats]:
    """Cross-entropy (n,) of logits z (n, classes) in float32: by the formula as it is written, and by log-sum-exp.

    The first is infinite or NaN where powers overflow or underflow.
    """
    z32 = z.astype(np.float32)
    with np.errstate(all="ignore"):
        powers = np.exp(z32)
        written = -np.log(powers[:, right] / powers.sum(1))
        low = z32 - z32.max(1, keepdims=True)
        safe = np.log(np.exp(low).sum(1)) - low[:, right]
    return written.astype(np.float64), safe.astype(np.float64)
