"""The playground: a small network learns to tell points of the plane apart. Needs torch."""

import re

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

# settings
POINTS = "circles"
HIDDEN = "4-2"
ACTIVATION = "tanh"
FEATURES = ("x1", "x2")
OPTIMISER = "sgd"
LR = 0.1
NOISE = 0.15
CLASSES = 2
BATCH = 10
DECAY = 0.0
L1 = 0.0
MOMENTUM = 0.9
LOSS = "cross-entropy"
COUNT = 300
SHARE = 0.5
DROPOUT = 0.0
NORM = False
STEPS = 10000
DRAWN = ""
SEED = 0
# end of settings

TABLE = "points.csv"  # where POINTS = "csv": two columns of numbers, and one with the class from 0 on
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class Step(nn.Module):
    """1 above zero, else 0. No gradient comes back through it."""

    def forward(self, z):
        return (z > 0).to(z.dtype)


ACTIVATIONS = {
    "linear": nn.Identity,
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
    """Places (n, 2) and classes (n,), in training and test points."""
    random = np.random.RandomState(SEED)
    kinds = CLASSES if POINTS in ("circles", "blobs", "spirals", "drawn", "csv") else 2
    if POINTS == "drawn":
        parts = [DRAWN[at : at + 5] for at in range(0, len(DRAWN), 5)]
        number = [[LETTERS.index(letter) for letter in part[1:]] for part in parts]
        at = np.array([[64 * a + b, 64 * c + d] for a, b, c, d in number], float)
        x, y = (2 * (at + 0.5) / 4096 - 1) * 3, np.array([int(part[0]) for part in parts])
    elif POINTS == "csv":
        table = np.loadtxt(TABLE, delimiter=",")
        x, y = table[:, :2], table[:, 2].astype(int)
        x = (2 * (x - x.min(0)) / (x.max(0) - x.min(0)) - 1) * 2.5
    else:
        y = np.arange(COUNT) % kinds
        along = random.uniform(0.0, 1.0, COUNT)
        turn = 2 * np.pi * random.uniform(0.0, 1.0, COUNT)
        if POINTS == "circles":
            x = 2.5 * ((y + 0.2 + 0.6 * along) / kinds)[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)
        elif POINTS == "moons":
            upper = np.stack([np.cos(turn / 2) - 0.5, np.sin(turn / 2) - 0.25], 1)
            x = 1.6 * np.where(y[:, None] == 0, upper, -upper)
        elif POINTS == "xor":
            x = random.uniform(0.15, 2.5, (COUNT, 2)) * random.choice([-1.0, 1.0], (COUNT, 1))
            x[:, 0] *= np.where(y == 0, 1.0, -1.0)
        elif POINTS == "spirals":
            angle = 2 * np.pi * (1.5 * along + y / kinds)
            x = 2.7 * along[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
        else:
            angle = 2 * np.pi * (y / kinds + 1 / 8)
            x = 1.6 * np.stack([np.cos(angle), np.sin(angle)], 1) + 0.4 * random.standard_normal((COUNT, 2))
        x = x + NOISE * random.standard_normal((COUNT, 2))
    order = random.permutation(len(x))
    cut = min(len(x) - 1, max(1, round(SHARE * len(x))))
    x = torch.tensor(x.astype(np.float32))
    y = torch.tensor(y)
    return x[order[:cut]], y[order[:cut]], x[order[cut:]], y[order[cut:]], kinds


def inputs(x):
    """What the network is given of places (n, 2)."""
    one, two = x[:, 0], x[:, 1]
    known = {
        "x1": one,
        "x2": two,
        "x1x1": one * one,
        "x2x2": two * two,
        "x1x2": one * two,
        "sin1": torch.sin(2 * one),
        "sin2": torch.sin(2 * two),
    }
    return torch.stack([known[name] for name in FEATURES], 1)


class Dropout(nn.Module):
    """Sets a share of the units to zero in training, by a chance of its own."""

    def forward(self, h):
        if not self.training or not DROPOUT:
            return h
        return h * (torch.rand(h.shape, generator=dropped) >= DROPOUT) / (1 - DROPOUT)


def network(outputs):
    """Linear layers with normal weights of variance 2 / (in + out), activations between them."""
    layers, size = [], len(FEATURES)
    for units, own in re.findall(r"(\d+)([a-z]*)", HIDDEN):
        layers += [nn.Linear(size, int(units)), *([nn.BatchNorm1d(int(units))] if NORM else [])]
        layers += [ACTIVATIONS[own or ACTIVATION](), Dropout()]
        size = int(units)
    layers.append(nn.Linear(size, outputs))
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0, (2 / sum(layer.weight.shape)) ** 0.5, generator=chance)
            nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)


def optimiser(model):
    """DECAY and L1 are of weights alone, biases are left alone; L1 is added to the gradient below."""
    weights = [layer.weight for layer in model if isinstance(layer, nn.Linear)]
    ids = {id(one) for one in weights}
    rest = [one for one in model.parameters() if id(one) not in ids]
    groups = [{"params": weights, "weight_decay": DECAY}, {"params": rest, "weight_decay": 0.0}]
    if OPTIMISER in ("sgd", "momentum", "nesterov"):
        momentum = 0.0 if OPTIMISER == "sgd" else MOMENTUM
        return torch.optim.SGD(groups, LR, momentum=momentum, nesterov=OPTIMISER == "nesterov"), weights
    named = {"adagrad": "Adagrad", "rmsprop": "RMSprop", "adam": "Adam", "adamw": "AdamW"}
    return getattr(torch.optim, named[OPTIMISER])(groups, LR), weights


def cost(scores, y):
    """The mean loss of scores (n, outputs)."""
    if LOSS == "squared":
        wanted = 2.0 * y[:, None] - 1 if outputs == 1 else F.one_hot(y, outputs).float()
        return (scores - wanted).square().sum(1).mean() / 2
    if outputs == 1:
        return F.binary_cross_entropy_with_logits(scores[:, 0], y.float())
    return F.cross_entropy(scores, y)


def right(scores, y):
    """The share of points told apart."""
    guess = (scores[:, 0] > 0).long() if outputs == 1 else scores.argmax(1)
    return (guess == y).float().mean().item()


x, y, test_x, test_y, kinds = points()
x, test_x, outputs = inputs(x), inputs(test_x), 1 if kinds == 2 else kinds
chance = torch.Generator().manual_seed(SEED)
dropped = torch.Generator().manual_seed(SEED + 1)
model = network(outputs)
rule, weights = optimiser(model)
for _ in range(STEPS):
    some = torch.arange(len(x))
    if len(x) > BATCH:
        some = torch.randint(len(x), (BATCH,), generator=chance, dtype=torch.int32).long()
    rule.zero_grad()
    cost(model(x[some]), y[some]).backward()
    for weight in weights:
        weight.grad += L1 * weight.detach().sign()
    rule.step()

model.eval()
with torch.no_grad():
    scores, test_scores = model(x), model(test_x)
    print(f"test loss {cost(test_scores, test_y).item():.6f}")
    print(f"training points right {right(scores, y):.3f}, test points {right(test_scores, test_y):.3f}")
    print(f"final loss {cost(scores, y).item():.12f}")
