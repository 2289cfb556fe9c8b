"""Loss functions: models from one start that differ in nothing but their loss. Needs torch and numpy."""

import numpy as np
import torch
import torch.nn.functional as F

# settings
TOPIC = "line"
OUTLIER_X = 2.5
OUTLIER_Y = -7.0
DELTA = 1.0
START = 0.0
FAR_X = 2.0
FAR_Y = -1.0
RIGHT = "c"
SCALE = 30.0
Z1 = 2.0
Z2 = 1.0
Z3 = -1.0
SHIFT = 0.0
TEMPERATURE = 1.0
LR = 0.05
NOISE = 0.5
STEPS = 200
SEED = 0
# end of settings

random = np.random.default_rng(SEED)
right = torch.tensor("abc".index(RIGHT))

if TOPIC == "line":
    x = np.round(np.linspace(-4, 4, 20) * 0.95, 2)
    y = np.round(0.8 * x + 0.5 + NOISE * random.standard_normal(20), 4)
    x = torch.tensor([*x, OUTLIER_X], dtype=torch.float64)
    y = torch.tensor([*y, OUTLIER_Y], dtype=torch.float64)
    start = torch.zeros(2, dtype=torch.float64)

    def line(w):
        return w[0] * x + w[1]

    losses = {
        "mse": lambda w: F.mse_loss(line(w), y),
        "mae": lambda w: F.l1_loss(line(w), y),
        "huber": lambda w: F.huber_loss(line(w), y, delta=DELTA),
    }
elif TOPIC == "classes":
    y = np.repeat([0.0, 1.0], 10)
    centre = np.array([1.5, 1.0])
    x = np.round((2 * y[:, None] - 1) * centre + (0.4 + NOISE) * random.standard_normal((20, 2)), 4)
    x = torch.tensor([*x.tolist(), [FAR_X, FAR_Y]], dtype=torch.float64)
    y = torch.tensor([*y, 1.0], dtype=torch.float64)
    sign = 2 * y - 1
    start = torch.tensor([*(START * centre / np.linalg.norm(centre)), 0.0], dtype=torch.float64)

    def logit(w):
        return x @ w[:2] + w[2]

    losses = {
        "ce": lambda w: F.binary_cross_entropy_with_logits(logit(w), y),
        "mse": lambda w: F.mse_loss(torch.sigmoid(logit(w)), y),
        "hinge": lambda w: torch.relu(1 - sign * logit(w)).mean(),
        "score": lambda w: F.mse_loss(logit(w), sign),
    }
elif TOPIC == "softmax":
    start = torch.tensor([Z1, Z2, Z3], dtype=torch.float64) + SHIFT
    losses = {
        "ce": lambda z: F.cross_entropy(z / TEMPERATURE, right),
        "mse": lambda z: F.mse_loss((z / TEMPERATURE).softmax(0), F.one_hot(right, 3).double(), reduction="sum"),
    }
else:
    start = SCALE * torch.tensor([Z1, Z2, Z3]) + SHIFT  # float32
    losses = {
        "safe": lambda z: F.cross_entropy(z, right),
        "naive": lambda z: -torch.log(torch.exp(z)[right] / torch.exp(z).sum()),
    }

last = []
for name, loss in losses.items():
    w = start.clone().requires_grad_()
    optimiser = torch.optim.SGD([w], LR)
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss(w).backward()
        optimiser.step()
    value = loss(w).item()
    print(f"{name:6} loss {value:.6f}  parameters {[round(one, 4) for one in w.tolist()]}")
    if np.isfinite(value):
        last.append(value)

print(f"final loss {np.mean(last) if last else float('nan'):.12f}")
