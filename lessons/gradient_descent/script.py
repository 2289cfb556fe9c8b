"""Gradient descent: optimisers of torch.optim race from one start over one surface. Needs nothing but torch."""

import math

import torch

# settings
SURFACE = "valley"
CONDITION = 25.0
FORMULA = "x**2/4 + y**2 + sin(3*x)*cos(3*y)"
OPTIMISERS = ("sgd", "momentum", "rmsprop", "adam")
LR = 0.07
LR_ADAPTIVE = 0.1
MOMENTUM = 0.9
ANGLE = 0.0
WEIGHT_DECAY = 0.01
NOISE = 0.0
STEPS = 200
START_X = -2.5
START_Y = 1.5
SEED = 0
# end of settings


def surface(x, y):
    """The height at x and y, two tensors of float64."""
    if SURFACE == "bowl":
        return (x - 1) ** 2 + (y - 2) ** 2
    if SURFACE == "valley":
        turn = math.radians(ANGLE)
        along = math.cos(turn) * x + math.sin(turn) * y
        across = math.cos(turn) * y - math.sin(turn) * x
        return (along**2 + CONDITION * across**2) / 2
    if SURFACE == "saddle":
        return x**2 / 2 - y**2 / 2 + y**4 / 4
    if SURFACE == "rosenbrock":
        return (1 - x) ** 2 + 100 * (y - x**2) ** 2
    if SURFACE == "himmelblau":
        return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2
    if SURFACE == "beale":
        return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2
    # Your own formula. eval runs whatever FORMULA says: put nothing there that you do not understand.
    names = ("sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "log", "sqrt", "abs")
    known = {name: tensors(getattr(torch, name)) for name in names}
    return 0 * (x + y) + eval(FORMULA, {"__builtins__": {}}, {**known, "x": x, "y": y, "pi": math.pi, "e": math.e})


def tensors(function):
    """The same function for plain numbers too: sin(2)."""
    return lambda value: function(torch.as_tensor(value, dtype=torch.float64))


def optimiser(name, point):
    """A fresh optimiser for one point."""
    if name == "sgd":
        return torch.optim.SGD([point], LR)
    if name == "momentum":
        return torch.optim.SGD([point], LR, momentum=MOMENTUM)
    if name == "nesterov":
        return torch.optim.SGD([point], LR, momentum=MOMENTUM, nesterov=MOMENTUM > 0)
    if name == "adagrad":
        return torch.optim.Adagrad([point], LR_ADAPTIVE)
    if name == "rmsprop":
        return torch.optim.RMSprop([point], LR_ADAPTIVE)
    if name == "adam":
        return torch.optim.Adam([point], LR_ADAPTIVE)
    return torch.optim.AdamW([point], LR_ADAPTIVE, weight_decay=WEIGHT_DECAY)


def race(name):
    """The height that one optimiser ends at, or the last finite one if it diverges."""
    generator = torch.Generator().manual_seed(SEED)  # the same gusts for every racer
    point = torch.tensor([START_X, START_Y], dtype=torch.float64, requires_grad=True)
    optim = optimiser(name, point)
    height = surface(*point).item()
    for step in range(1, STEPS + 1):
        optim.zero_grad()
        surface(*point).backward()
        point.grad += NOISE * torch.randn(2, generator=generator, dtype=torch.float64)
        optim.step()
        new = surface(*point).item()
        if math.isfinite(new) and point.isfinite().all():
            height = new
        if not math.isfinite(new) or not (point.abs() <= 1000).all():
            print(f"{name} diverged at step {step}")
            break
    x, y = point.tolist()
    print(f"{name:9} x {x: .6f}  y {y: .6f}  height {height:.12g}")
    return height


print(f"final loss {min(race(name) for name in OPTIMISERS):.12f}")
