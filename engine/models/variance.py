"""How mean squares travel through a random network, in closed form or as one integral a layer. No torch here.

Layers are z_1 = W_1 x, z_l = W_l f(z_{l-1}), without biases; a weight is drawn with mean mu and variance s. Over all
such networks the units of a layer share a common part and differ by an independent one. For one input, with q the
mean square of a unit and a that of the common part (a = 0 if mu = 0),

    a_1 = (mu sum x)²,                             q_1 = a_1 + s sum x²
    a'  = mu² (n E[f²] + n (n-1) E[f]²),           q'  = a' + s n E[f²]       expectations over z normal (√a, q - a)

and back from the gradient g at z, which is multiplied by f' and by the same weights,

    a'  = mu² (n q + n (n-1) a),                   q'  = a' + s n q           with q E[f'²] and a E[f']² at each z

With mu = 0 this is Schoenholz et al. (2017), for ReLU He et al. (2015), for f(z) = z Glorot and Bengio (2010). It is
exact for the linear network, for ReLU with mu = 0, and where all weights are equal; else for wide layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from engine.models.shapes import LEAK, SLOPE, VALUE, Floats, bell, below

Spread: TypeAlias = tuple[float, float]  # mean and variance of a weight

EDGE, GRAIN = 9.0, 0.02
# Midpoints: no point lies on zero, where some functions have a jump or a kink.
POINTS: Floats = np.arange(-EDGE + GRAIN / 2, EDGE, GRAIN)
WEIGHTS: Floats = np.exp(-np.square(POINTS) / 2) / np.exp(-np.square(POINTS) / 2).sum()


def spread(init: str, fan_in: int, fan_out: int, sd: float = 1.0, value: float = 0.0) -> Spread:
    """Mean and variance of a weight between `fan_in` and `fan_out` units, as engine.models.initial draws it."""
    return {
        "zeros": (0.0, 0.0),
        "constant": (value, 0.0),
        "uniform": (0.5, 1 / 12),
        "gaussian": (0.0, sd**2),
        "small": (0.0, 0.01**2),
        "normal": (0.0, 1.0),
        "torch": (0.0, 1 / (3 * fan_in)),
        "xavier": (0.0, 2 / (fan_in + fan_out)),
        "he": (0.0, 2 / fan_in),
        "orthogonal": (0.0, 1 / max(fan_in, fan_out)),
    }[init]


def moments(name: str, mean: Floats, variance: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """E[f(z)], E[f(z)²], E[f'(z)] and E[f'(z)²] for z normal, each in the shape (k,) of `mean` and `variance`."""
    one = np.ones_like(mean)
    if name == "linear":
        return mean, np.square(mean) + variance, one, one
    sd = np.sqrt(variance)
    if name in ("step", "relu", "leaky"):
        at = np.divide(mean, sd, out=np.where(mean == 0, 0.0, np.copysign(np.inf, mean)), where=sd > 0)
        above = np.where((sd == 0) & (mean == 0), 0.0, below(at))  # at the kink the slope is the one below it
        first = mean * above + sd * bell(at)
        second = (np.square(mean) + variance) * above + mean * sd * bell(at)
        if name == "step":
            return above, above, 0 * one, 0 * one
        low = 0.0 if name == "relu" else LEAK
        value = first + low * (mean - first)
        square = second + low**2 * (np.square(mean) + variance - second)
        return value, square, above + low * (1 - above), above + low**2 * (1 - above)
    z = mean[:, None] + sd[:, None] * POINTS
    f, slope = VALUE[name](z), SLOPE[name](z)
    return f @ WEIGHTS, np.square(f) @ WEIGHTS, slope @ WEIGHTS, np.square(slope) @ WEIGHTS


def through(
    name: str, width: int, weights: Sequence[Spread], total: Floats, square: Floats, entering: Floats
) -> tuple[Floats, Floats]:
    """The mean square of f(z_l) and of the gradient at z_l over units and inputs, each (hidden layers,).

    `weights` are those into each hidden layer of `width` units, and into the output. `total` and `square` (inputs,)
    are the sums of x and x² of each input; `entering` (inputs,) that of the squared gradient at the outputs, whose
    own sum is zero, as it is behind a softmax.
    """
    signal, slopes = [], []
    (mu, s), *inner, (_, last) = weights
    mean, variance = mu * total, s * square
    with np.errstate(over="ignore", invalid="ignore"):
        for mu, s in [*inner, (0.0, 0.0)]:
            value, squared, slope, steep = moments(name, mean, variance)
            signal.append(squared.mean())
            slopes.append((np.square(slope), steep))
            common = mu**2 * width * (squared + (width - 1) * np.square(value))
            mean, variance = np.copysign(np.sqrt(common), mu * value), s * width * squared
        common, own = np.zeros_like(entering), last * entering
        gradient = []
        for (mu, s), (flat, steep) in zip([(0.0, 0.0), *inner][::-1], slopes[::-1], strict=True):
            common, own = common * flat, own * steep
            gradient.append(own.mean())
            shared = mu**2 * width * (own + (width - 1) * common)
            common, own = shared, shared + s * width * own
    return np.array(signal), np.array(gradient[::-1])
