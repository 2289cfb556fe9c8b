"""The mean squares of values and gradients in a random network, layer by layer. No torch here.

Layers are z_1 = W_1 x, z_l = W_l f(z_{l-1}), without biases; weights are drawn with mean mu and variance s. Over all
such networks, a unit is the sum of a part that its layer has in common and of one that is independent. For one input,
with q the mean square of a unit and a that of the common part (a = 0 if mu = 0),

    a_1 = (mu sum x)²,                             q_1 = a_1 + s sum x²
    a'  = mu² (n E[f²] + n (n-1) E[f]²),           q'  = a' + s n E[f²]       expectations over z normal (√a, q - a)

and backwards, for the mean square q of the gradient at z and a that of its common part,

    a'  = mu² (n q + n (n-1) a),                   q'  = a' + s n q           with q E[f'²] and a E[f']² at each z

With mu = 0 this is Schoenholz et al. (2017), for ReLU He et al. (2015), for f(z) = z Glorot and Bengio (2010). It is
exact for linear networks, for ReLU with mu = 0, and where all weights are equal; else in the limit of wide layers.
Expectations are in closed form where there is one, and sums over a grid otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from engine.models.shapes import LEAK, SLOPE, VALUE, Floats, normal_cdf, normal_density

WeightMoments: TypeAlias = tuple[float, float]  # mean and variance of a weight

EDGE, GRAIN = 9.0, 0.02  # of the grid, in standard deviations
# Midpoints of the cells: none is zero, where some functions have a jump or a kink.
POINTS: Floats = np.arange(-EDGE + GRAIN / 2, EDGE, GRAIN)
WEIGHTS: Floats = np.exp(-np.square(POINTS) / 2) / np.exp(-np.square(POINTS) / 2).sum()


def weight_moments(init: str, fan_in: int, fan_out: int, sd: float = 1.0, value: float = 0.0) -> WeightMoments:
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


def activation_moments(name: str, mean: Floats, variance: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """E[f(z)], E[f(z)²], E[f'(z)] and E[f'(z)²] of the activation `name`, for normal z.

    mean, variance: of z, (k,); so are the results.
    """
    ones = np.ones_like(mean)
    if name == "linear":
        return mean, np.square(mean) + variance, ones, ones
    sd = np.sqrt(variance)
    if name in ("step", "relu", "leaky"):
        at = np.divide(mean, sd, out=np.where(mean == 0, 0.0, np.copysign(np.inf, mean)), where=sd > 0)
        above = np.where((sd == 0) & (mean == 0), 0.0, normal_cdf(at))  # at the kink the slope is the left one
        first = mean * above + sd * normal_density(at)
        second = (np.square(mean) + variance) * above + mean * sd * normal_density(at)
        if name == "step":
            return above, above, 0 * ones, 0 * ones
        low = 0.0 if name == "relu" else LEAK
        value = first + low * (mean - first)
        square = second + low**2 * (np.square(mean) + variance - second)
        return value, square, above + low * (1 - above), above + low**2 * (1 - above)
    z = mean[:, None] + sd[:, None] * POINTS
    f, slope = VALUE[name](z), SLOPE[name](z)
    return f @ WEIGHTS, np.square(f) @ WEIGHTS, slope @ WEIGHTS, np.square(slope) @ WEIGHTS


def propagate(
    name: str, width: int, weights: Sequence[WeightMoments], total: Floats, square: Floats, entering: Floats
) -> tuple[Floats, Floats]:
    """The mean squares of f(z_l), and of the gradient at z_l, over units and inputs; each (hidden layers,).

    name: of the activation f. width: units of each hidden layer. weights: moments of the weights into each hidden
    layer, then into the output. total, square (inputs,): the sums of x and of x² of each input. entering (inputs,): the
    sum of the squared gradient at the outputs; the sum of the gradient itself is zero, as it is behind a softmax.
    """
    signal, derivatives = [], []
    (mu, s), *inner, (_, last) = weights
    mean, variance = mu * total, s * square
    with np.errstate(over="ignore", invalid="ignore"):
        for mu, s in [*inner, (0.0, 0.0)]:
            value, value2, slope, slope2 = activation_moments(name, mean, variance)
            signal.append(value2.mean())
            derivatives.append((np.square(slope), slope2))
            common = mu**2 * width * (value2 + (width - 1) * np.square(value))
            mean, variance = np.copysign(np.sqrt(common), mu * value), s * width * value2
        common, own = np.zeros_like(entering), last * entering
        gradient = []
        for (mu, s), (slope_of_mean, slope2) in zip([(0.0, 0.0), *inner][::-1], derivatives[::-1], strict=True):
            common, own = common * slope_of_mean, own * slope2
            gradient.append(own.mean())
            shared = mu**2 * width * (own + (width - 1) * common)
            common, own = shared, shared + s * width * own
    return np.array(signal), np.array(gradient[::-1])
