"""Backpropagation by hand, one number at a time, and by torch: the same gradients. Needs torch."""

import math
import re
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

# settings
WHAT = "network"
SIZES = "3-4-2"
EXPRESSION = "(a*b + c)*max(b, 0)"
VALUES = "a=2, b=3, c=-4"
ACTIVATION = "sigmoid"
LOSS = "softmax"
GRAIN = "unit"
LR = 0.5
EDITS = ""
STEPS = 100
INIT = "xavier"
SEED = 0
# end of settings

torch.set_default_dtype(torch.float64)


def by_name(text):
    """ "a=2, b=3" as a dictionary."""
    return {key: float(value) for key, value in re.findall(r"(\w+)=([^,\s]+)", text)}


def rounds(forward, backward):
    """How often L is computed in STEPS steps, if a round has so many forward, so many back, and one update."""
    if GRAIN == "round":
        return STEPS
    whole, rest = divmod(STEPS, forward + backward + 1)
    return whole + (rest >= forward)


# A network: sums, activations, and the chain rule by hand, layer by layer.

ACTIVATIONS = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": F.relu,
    "leaky": F.leaky_relu,
    "elu": F.elu,
    "gelu": F.gelu,
    "silu": F.silu,
    "softplus": F.softplus,
    "linear": lambda z: z,
}


def initial(fan_out, fan_in, generator):
    """A matrix of random weights."""
    weight = torch.empty(fan_out, fan_in)
    if INIT == "torch":  # what nn.Linear does by itself
        nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
    elif INIT == "xavier":
        nn.init.xavier_normal_(weight, generator=generator)
    elif INIT == "he":
        nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)
    else:
        nn.init.normal_(weight, generator=generator)
    return weight


def slope(f, z):
    """The derivative of f at each z."""
    z = z.clone().requires_grad_()
    return torch.autograd.grad(f(z).sum(), z, materialize_grads=True)[0]


def loss_of(z, y):
    """The loss, and its gradient at z, what enters the outputs."""
    if LOSS == "softmax":
        return -(y * F.log_softmax(z, 0)).sum(), torch.softmax(z, 0) * y.sum() - y
    if LOSS == "sigmoids":
        return F.binary_cross_entropy_with_logits(z, y, reduction="sum"), torch.sigmoid(z) - y
    o = z if LOSS == "squared" else torch.sigmoid(z)
    steep = torch.ones_like(z) if LOSS == "squared" else o * (1 - o)
    return (o - y).square().sum() / 2, (o - y) * steep


def network():
    """How many rounds, and the loss of each, before its update."""
    sizes = [int(size) for size in SIZES.split("-")]
    letters = ["x", *"hkm"[: len(sizes) - 2], "o"]
    generator = torch.Generator().manual_seed(SEED)
    weights = [initial(after, before, generator) for before, after in pairwise(sizes)]
    biases = [torch.zeros(size) for size in sizes[1:]]
    x = torch.arange(1.0, sizes[0] + 1)
    y = torch.zeros(sizes[-1])
    y[-1] = 1
    for name, value in by_name(EDITS).items():  # x1, y1, x1h2 (a weight), bh2 (a bias)
        if found := re.fullmatch(r"([xy])(\d)", name):
            (x if found[1] == "x" else y)[int(found[2]) - 1] = value
        elif found := re.fullmatch(r"b(\w)(\d)", name):
            biases[letters.index(found[1]) - 1][int(found[2]) - 1] = value
        elif found := re.fullmatch(r"(\w)(\d)(\w)(\d)", name):
            weights[letters.index(found[3]) - 1][int(found[4]) - 1, int(found[2]) - 1] = value
    f = ACTIVATIONS[ACTIVATION]

    def train():
        while True:
            h, entering, leaving = x, [], [x]
            for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
                z = weight @ h + bias
                h = f(z) if layer < len(weights) - 1 else z
                entering.append(z)
                leaving.append(h)
            loss, delta = loss_of(entering[-1], y)  # delta: the gradient at z of a layer
            yield loss.item()
            for layer in reversed(range(len(weights))):
                for_weights, for_biases = torch.outer(delta, leaving[layer]), delta
                if layer:  # before the weights on the way change
                    delta = (weights[layer].T @ delta) * slope(f, entering[layer - 1])
                weights[layer] -= LR * for_weights
                biases[layer] -= LR * for_biases

    units = [size if GRAIN == "unit" else 1 for size in sizes[1:]]
    skipped = units[-1] if LOSS in ("softmax", "sigmoids") else 0  # the way back goes past these outputs
    return rounds(2 * sum(units) + 1, 2 * sum(units) + 1 - skipped), train()


# An expression: every number remembers what it was made of, and how steep it is there.


class Number:
    def __init__(self, value, made_of=()):
        self.value = value
        self.made_of = made_of  # (number, slope) for each
        self.grad = 0.0

    def history(self):
        """All numbers it was made of, each after those that it needs itself."""
        found, seen = [], set()

        def visit(one):
            if one not in seen:
                seen.add(one)
                for other, _ in one.made_of:
                    visit(other)
                found.append(one)

        visit(self)
        return found

    def backward(self):
        self.grad = 1.0
        for one in reversed(self.history()):
            for other, steep in one.made_of:
                other.grad += one.grad * steep  # the chain rule; what comes by several ways adds up

    def __add__(self, other):
        return Number(self.value + number(other).value, ((self, 1.0), (number(other), 1.0)))

    def __sub__(self, other):
        return Number(self.value - number(other).value, ((self, 1.0), (number(other), -1.0)))

    def __mul__(self, other):
        other = number(other)
        return Number(self.value * other.value, ((self, other.value), (other, self.value)))

    def __truediv__(self, other):
        other = number(other)
        slopes = 1 / other.value, -self.value / other.value**2
        return Number(self.value / other.value, tuple(zip((self, other), slopes, strict=True)))

    def __pow__(self, other):
        other = number(other)
        result = self.value**other.value
        slopes = (
            other.value * self.value ** (other.value - 1) if other.value else 0.0,
            result * math.log(self.value) if self.value > 0 else 0.0,
        )
        return Number(result, tuple(zip((self, other), slopes, strict=True)))

    def __neg__(self):
        return Number(-self.value, ((self, -1.0),))

    def __radd__(self, other):
        return number(other) + self

    def __rsub__(self, other):
        return number(other) - self

    def __rmul__(self, other):
        return number(other) * self

    def __rtruediv__(self, other):
        return number(other) / self

    def __rpow__(self, other):
        return number(other) ** self


def number(value):
    return value if isinstance(value, Number) else Number(float(value))


def function(value, steep):
    """A function of one number, from its value and its derivative."""
    return lambda a: Number(value(a.value), ((a, steep(a.value)),)) if isinstance(a, Number) else value(a)


def larger(a, b, sign=1):
    """max, or min with sign -1; where both are equal each gets half."""
    a, b = number(a), number(b)
    first = 0.5 if a.value == b.value else float((a.value > b.value) == (sign > 0))
    return Number(a.value if first else b.value, ((a, first), (b, 1 - first)))


def sigmoid(a):
    return 1 / (1 + math.exp(-a)) if a > -700 else 0.0


KNOWN = {
    "sin": function(math.sin, math.cos),
    "cos": function(math.cos, lambda a: -math.sin(a)),
    "tan": function(math.tan, lambda a: 1 + math.tan(a) ** 2),
    "sinh": function(math.sinh, math.cosh),
    "cosh": function(math.cosh, math.sinh),
    "tanh": function(math.tanh, lambda a: 1 - math.tanh(a) ** 2),
    "exp": function(math.exp, math.exp),
    "log": function(math.log, lambda a: 1 / a),
    "sqrt": function(math.sqrt, lambda a: 0.5 / math.sqrt(a)),
    "abs": function(abs, lambda a: float((a > 0) - (a < 0))),
    "sigmoid": function(sigmoid, lambda a: sigmoid(a) * (1 - sigmoid(a))),
    "relu": function(lambda a: max(a, 0.0), lambda a: float(a > 0)),
    "max": larger,
    "min": lambda a, b: larger(a, b, -1),
    "pi": math.pi,
    "e": math.e,
}


def expression():
    """How many rounds, and the value of each, before its update."""
    code = compile(EXPRESSION, "EXPRESSION", "eval")
    values = {name: by_name(VALUES).get(name, 1.0) for name in code.co_names if name not in KNOWN}

    def result():
        """eval runs whatever EXPRESSION says: put nothing there that you do not understand."""
        variables = {name: Number(value) for name, value in values.items()}
        return eval(code, {"__builtins__": {}}, KNOWN | variables), variables

    def train():
        while True:
            last, variables = result()
            yield last.value
            last.backward()
            for name, one in variables.items():
                values[name] -= LR * one.grad

    made = sum(bool(one.made_of) for one in result()[0].history())
    return rounds(made, made), train()


count, losses = network() if WHAT == "network" else expression()
final = math.nan
for one, loss in zip(range(count), losses, strict=False):
    if one < 5 or one == count - 1:
        print(f"round {one + 1}: L = {loss:.6f}")
    final = loss

print(f"final loss {final:.12f}")
