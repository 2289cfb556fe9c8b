"""Overfitting: small networks that fit a curve through noisy points, each with its own; bias, variance and noise."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

# settings
POINTS = 20
NOISE = 0.3
WIDTH = 40
DEPTH = 1
DECAY = 0.0
L1 = 0.0
DROPOUT = 0.0
JITTER = 0.0
EARLY = False
CURVE = "wave"
SETS = "fresh"
SEEDS = 16
OPTIMISER = "adam"
LR = 0.01
STEPS = 1500
TRUTH = ""
SEED = 0
# end of settings


def truth(x):
    if CURVE == "drawn":
        heights = TRUTH.split(",") if TRUTH else []
        places = [(at, float(y)) for at, y in zip(np.linspace(-1, 1, 24), heights, strict=False) if y]
        return np.interp(x, *np.array(places).T) if places else np.zeros_like(x)
    if CURVE == "line":
        return 0.8 * x
    return np.where(x < 0, -0.6, 0.6) if CURVE == "jump" else np.sin(1.5 * np.pi * x)


def column(values):
    return torch.tensor(values, dtype=torch.float32)[:, None]


def points(number):
    """Points to train on, and to validate on if EARLY."""
    random = np.random.default_rng([SEED, 1, number if SETS == "fresh" else 0])
    x = random.uniform(-1, 1, POINTS)
    y = truth(x) + NOISE * random.standard_normal(POINTS)
    kept = POINTS - POINTS // 4 if EARLY else POINTS
    own = np.arange(kept)
    if SETS == "bootstrap":
        own = np.random.default_rng([SEED, 2, number]).integers(0, kept, kept)
    return x[own], y[own], x[kept:], y[kept:]


def network(number):
    layers = [nn.Linear(1, WIDTH), nn.Tanh()]
    for _ in range(DEPTH - 1):
        layers += [nn.Linear(WIDTH, WIDTH), nn.Tanh()]
    net = nn.Sequential(*layers, nn.Linear(WIDTH, 1))
    generator = torch.Generator().manual_seed(SEED * 64 + number)
    with torch.no_grad():
        for layer in net[::2]:
            # wide into the first layer, so that kinks lie all over the curve; then as nn.Linear does
            reach = 6.0 if layer is net[0] else 1 / math.sqrt(layer.in_features)
            layer.weight.uniform_(-reach, reach, generator=generator)
            layer.bias.uniform_(-reach, reach, generator=generator)
    return net


def dropped(net, h, chance):
    """What the network says while it is trained: each hidden unit is left out with probability DROPOUT."""
    for layer in net:
        h = layer(h)
        if DROPOUT and isinstance(layer, nn.Tanh):
            h = h * (torch.rand(h.shape, generator=chance) >= DROPOUT) / (1 - DROPOUT)
    return h


chance = torch.Generator()
grid = np.linspace(-1, 1, 101)
train, fits = [], []
for number in range(SEEDS):
    x, y, held_x, held_y = points(number)
    net = network(number)
    weights = [layer.weight for layer in net[::2]]
    biases = [layer.bias for layer in net[::2]]
    groups = [{"params": weights, "weight_decay": DECAY}, {"params": biases}]
    optimiser = (
        torch.optim.Adam(groups, LR)
        if OPTIMISER == "adam"
        else torch.optim.SGD(groups, LR, momentum=0.9 if OPTIMISER == "momentum" else 0)
    )
    lowest, best = math.inf, None
    for step in range(STEPS + 1):
        if EARLY and (step % 10 == 0 or step == STEPS):
            with torch.no_grad():
                held = F.mse_loss(net(column(held_x)), column(held_y)).item()
            if held < lowest:
                lowest, best = held, {name: one.clone() for name, one in net.state_dict().items()}
        if step == STEPS:
            break
        moved = x
        if JITTER:
            random = np.random.default_rng([SEED, 4, number, step // 10])
            moved = x + JITTER * random.standard_normal((10, len(x)))[step % 10]
        chance.manual_seed((SEED * 64 + number) * 20_001 + step)
        loss = F.mse_loss(dropped(net, column(moved), chance), column(y)) / 2 + L1 * sum(
            one.abs().sum() for one in weights
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        train.append(F.mse_loss(net(column(x)), column(y)).item())
        if EARLY:
            net.load_state_dict(best)
        fits.append(net(column(grid))[:, 0].double().numpy())

fits = np.array(fits)
noise = NOISE * np.random.default_rng([SEED, 3]).standard_normal(len(grid))
above, below = truth(grid) + noise, truth(grid) - noise
test = (((fits - above) ** 2).mean() + ((fits - below) ** 2).mean()) / 2
print(f"training error {np.mean(train):.6f}, test error {test:.6f}")
print(f"bias² {((fits.mean(0) - truth(grid)) ** 2).mean():.6f}")
print(f"variance {fits.var(0).mean():.6f}")
print(f"noise {(noise**2).mean():.6f}")
print(f"final loss {np.mean(train):.12f}")
