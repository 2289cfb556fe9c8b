"""Initialisation: equal networks that differ in nothing but their first weights. Needs torch and scikit-learn."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

# settings
INITS = ("uniform", "gaussian", "xavier", "he")
ACTIVATION = "relu"
DEPTH = 20
SD = 0.1
LR = 0.05
VALUE = 0.1
WIDTH = 64
OPTIMISER = "sgd"
STEPS = 300
SEED = 0
# end of settings

BATCH = 64
ACTIVATIONS = {
    "linear": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky": nn.LeakyReLU,
    "elu": nn.ELU,
    "silu": nn.SiLU,
}


def digits():
    """1497 images to learn from and 300 held out, 64 pixels each, and their classes."""
    found = load_digits()
    x = torch.tensor((found.images * (255 / 16)).round().reshape(-1, 64), dtype=torch.float32)
    y = torch.tensor(found.target)
    train, held = x[:-300], x[-300:]
    middle, spread = train.mean(), train.std(correction=0)
    return (train - middle) / spread, y[:-300], (held - middle) / spread, y[-300:]


def batches(x, y):
    """All images in a new order, then again."""
    generator = torch.Generator().manual_seed(SEED)
    while True:
        order = torch.randperm(len(x), generator=generator)
        for at in range(len(x) // BATCH):
            chosen = order[BATCH * at : BATCH * (at + 1)]
            yield x[chosen], y[chosen]


def fill(weight, init, generator):
    """The first weights of a layer."""
    if init == "zeros":
        nn.init.zeros_(weight)
    elif init == "constant":
        nn.init.constant_(weight, VALUE)
    elif init == "uniform":
        nn.init.uniform_(weight, generator=generator)
    elif init == "gaussian":
        nn.init.normal_(weight, std=SD, generator=generator)
    elif init == "xavier":
        nn.init.xavier_normal_(weight, generator=generator)
    elif init == "he":
        nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)
    else:
        nn.init.orthogonal_(weight, generator=generator)


def network(init):
    """DEPTH hidden layers of WIDTH units and ten outputs."""
    generator = torch.Generator().manual_seed(SEED)
    layers = []
    for number in range(DEPTH + 1):
        linear = nn.Linear(64 if number == 0 else WIDTH, 10 if number == DEPTH else WIDTH)
        fill(linear.weight, init, generator)
        nn.init.zeros_(linear.bias)
        layers += [linear, ACTIVATIONS[ACTIVATION]()]
    return nn.Sequential(*layers[:-1])  # no activation after the output


x, y, held, held_y = digits()
losses = []
for init in INITS:
    model = network(init)
    Optimiser = torch.optim.Adam if OPTIMISER == "adam" else torch.optim.SGD
    optimiser = Optimiser(model.parameters(), LR)
    for step, (images, classes) in enumerate(batches(x, y)):
        loss = F.cross_entropy(model(images), classes)
        if step == STEPS:
            break
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        right = (model(held).argmax(1) == held_y).float().mean().item()
    print(f"{init:10} loss {loss.item():.6f}  held out {right:.3f}")
    losses.append(loss.item())

print(f"final loss {sum(losses) / len(losses):.12f}")
