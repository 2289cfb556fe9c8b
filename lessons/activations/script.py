"""Activations: nine small classifiers that differ in nothing else. Needs torch and scikit-learn."""

import math
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import make_circles, make_moons
from sklearn.model_selection import train_test_split
from torch import nn

# settings
POINTS = "moons"
INIT = "xavier"
DEPTH = 3
LR = 0.3
WIDTH = 16
NOISE = 0.12
OPTIMISER = "sgd"
STEPS = 400
SEED = 0
# end of settings


class Step(nn.Module):
    """1 above zero, else 0. No gradient comes back through it."""

    def forward(self, z):
        return (z > 0).to(z.dtype)


ACTIVATIONS = {
    "step": Step,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
}


def points():
    """200 training points and 100 held-out ones, of two classes."""
    if POINTS == "moons":
        x, y = make_moons(300, noise=NOISE, random_state=SEED)
    elif POINTS == "circles":
        x, y = make_circles(300, noise=NOISE, factor=0.5, random_state=SEED)
    else:
        random = np.random.RandomState(SEED)
        along = np.sqrt(random.uniform(0.02, 1.0, 150))
        angle = along * 2.5 * np.pi
        arm = np.stack([along * np.cos(angle), along * np.sin(angle)], 1)
        x = np.concatenate([arm, -arm]) + NOISE * random.standard_normal((300, 2))
        y = np.repeat([0, 1], 150)
    x, held, y, held_y = train_test_split(x, y, test_size=100, stratify=y, random_state=SEED)
    middle, spread = x.mean(0), x.std(0)
    parts = ((x - middle) / spread, y, (held - middle) / spread, held_y)
    return [torch.tensor(part, dtype=torch.float32) for part in parts]


def initial(weight, generator):
    """Fills a matrix of weights with random numbers."""
    if INIT == "small":
        nn.init.normal_(weight, std=0.01, generator=generator)
    elif INIT == "torch":  # what nn.Linear does by itself
        nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
    elif INIT == "xavier":
        nn.init.xavier_normal_(weight, generator=generator)
    elif INIT == "he":
        nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)
    elif INIT == "orthogonal":
        nn.init.orthogonal_(weight, generator=generator)
    else:
        nn.init.normal_(weight, generator=generator)


def network(activation):
    """DEPTH hidden layers of WIDTH units and one output; the same weights whatever the activation."""
    generator = torch.Generator().manual_seed(SEED)
    layers = []
    sizes = [2, *[WIDTH] * DEPTH, 1]
    for fan_in, fan_out in pairwise(sizes):
        linear = nn.Linear(fan_in, fan_out)
        initial(linear.weight, generator)
        nn.init.zeros_(linear.bias)
        layers += [linear, activation()]
    return nn.Sequential(*layers[:-1])  # no activation after the output


def accuracy(scores, y):
    return ((scores > 0) == (y > 0)).float().mean().item()


x, y, held, held_y = points()
losses = []
for name, activation in ACTIVATIONS.items():
    model = network(activation)
    Optimiser = torch.optim.Adam if OPTIMISER == "adam" else torch.optim.SGD
    optimiser = Optimiser(model.parameters(), LR)
    for _ in range(STEPS):
        optimiser.zero_grad()
        F.binary_cross_entropy_with_logits(model(x)[:, 0], y).backward()
        optimiser.step()
    with torch.no_grad():
        scores = model(x)[:, 0]
        loss = F.binary_cross_entropy_with_logits(scores, y).item()
        right, held_right = accuracy(scores, y), accuracy(model(held)[:, 0], held_y)
        print(f"{name:9} loss {loss:.6f}  accuracy {right:.3f}  held out {held_right:.3f}")
    losses.append(loss)

print(f"final loss {sum(losses) / len(losses):.12f}")
