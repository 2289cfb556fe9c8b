"""A line through points, found by gradient descent. Needs torch alone."""

import torch

# settings
LR = 0.1
STEPS = 100
SEED = 0
# end of settings

generator = torch.Generator().manual_seed(SEED)
x = torch.linspace(-1, 1, 20, dtype=torch.float64)
y = 2 * x + 1 + 0.1 * torch.randn(20, generator=generator, dtype=torch.float64)
line = torch.zeros(2, dtype=torch.float64, requires_grad=True)
optimiser = torch.optim.SGD([line], LR)

for _ in range(STEPS):
    optimiser.zero_grad()
    loss = (line[0] * x + line[1] - y).square().mean()
    loss.backward()
    optimiser.step()

loss = (line[0] * x + line[1] - y).square().mean()
print(f"final loss {loss.item():.12g}")
