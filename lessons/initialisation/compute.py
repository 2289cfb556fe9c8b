"""Equal networks that differ in nothing but their first weights, trained side by side as one stack of matrices.

Step k shows the pass whose gradient makes step k + 1: the loss of its batch, the activations, and the gradients.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.models.initial import initial
from engine.models.perceptron import FORWARD
from engine.models.variance import spread, through
from engine.params import parse
from engine.types import Arrays, Checkpoint, Job, Problem, Scalars, Step, Values
from lessons.initialisation import bins
from lessons.initialisation.digits import batch, images
from lessons.initialisation.params import CLASSES, PIXELS, Params

Floats = npt.NDArray[np.float64]

CHECK = 10  # steps between two looks at the held-out digits


def begin(init: str, p: Params, seed: int) -> list[Tensor]:
    """A network's weights (out, in) and biases (out,) in turn, layer by layer. Biases are zero."""
    generator = torch.Generator().manual_seed(seed)
    out: list[Tensor] = []
    for fan_in, fan_out in shapes(p):
        out += [initial(torch.empty(fan_out, fan_in), init, generator, p.sd, p.value), torch.zeros(fan_out)]
    return out


def shapes(p: Params) -> list[tuple[int, int]]:
    """(fan_in, fan_out) of every layer of weights."""
    return [(PIXELS, p.width), *[(p.width, p.width)] * (p.depth - 1), (p.width, CLASSES)]


class Stack:
    """The networks. `flat` (networks, numbers of one) holds all they learn; `parts` are its weights and biases, each
    (networks, ...). No number is shared, so every gradient is the one its network would have alone.
    """

    def __init__(self, p: Params, seed: int) -> None:
        self.p = p
        first = [begin(init, p, seed) for init in p.inits]
        self.flat = torch.stack([torch.cat([one.flatten() for one in net]) for net in first])
        sizes = [one.numel() for one in first[0]]
        pieces = zip(torch.split(self.flat, sizes, 1), first[0], strict=True)
        self.parts = [torch.unflatten(piece, 1, one.shape).requires_grad_() for piece, one in pieces]
        kind = torch.optim.Adam if p.optimiser == "adam" else torch.optim.SGD
        self.optimiser: torch.optim.Optimizer = kind([self.flat], p.lr)

    @property
    def lr(self) -> float:
        return float(self.optimiser.param_groups[0]["lr"])

    def forward(self, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """z of every layer, logits at the end, and f(z) of the hidden ones: each (networks, batch, units)."""
        h = x.expand(len(self.flat), *x.shape)
        entering, leaving = [], []
        for weight, bias in zip(self.parts[::2], self.parts[1::2], strict=True):
            entering.append(torch.baddbmm(bias[:, None], h, weight.mT))
            if len(entering) <= self.p.depth:
                h = FORWARD[self.p.activation](entering[-1])
                leaving.append(h)
        return entering, leaving

    def walk(self, x: Tensor, y: Tensor) -> Pass:
        """Forward and back through one batch; the gradient is left where the optimiser finds it."""
        entering, leaving = self.forward(x)
        logits = entering[-1]
        each = F.cross_entropy(logits.flatten(0, 1), y.repeat(len(logits)), reduction="none").view(len(logits), -1)
        losses = each.mean(1)
        found = torch.autograd.grad(losses.sum(), [*self.parts, *entering])
        self.flat.grad = torch.cat([one.flatten(1) for one in found[: len(self.parts)]], 1)
        back = [len(x) * one for one in found[len(self.parts) :]]  # of one image's loss, not of the mean
        return Pass(losses.detach(), [h.detach() for h in leaving], back[:-1], back[-1])

    def right(self, x: Tensor, y: Tensor) -> list[float]:
        """The share of images that each network tells rightly; none where its numbers are not finite."""
        with torch.no_grad():
            logits = self.forward(x)[0][-1]
        told = (logits.argmax(-1) == y) & logits.isfinite().all(-1)
        return [float(one) for one in told.double().mean(1)]

    def distinct(self) -> list[float]:
        """How many units of a hidden layer have weights of their own: of the layer with the fewest; NaN if lost."""
        fewest = np.full(len(self.flat), float(self.p.width))
        for weight in self.parts[: 2 * self.p.depth : 2]:
            rows = weight.detach().numpy() + 0.0  # one kind of zero
            for k, one in enumerate(rows):
                size = one.shape[1] * one.itemsize
                data = one.tobytes()
                fewest[k] = min(fewest[k], len({data[at : at + size] for at in range(0, len(data), size)}))
        lost = ~self.flat.isfinite().all(1).numpy()
        return [float(one) for one in np.where(lost, np.nan, fewest)]


class Pass:
    """What went through the networks with one batch. `leaving` and `back` are the activations and the gradients at z
    of every hidden layer, (networks, batch, units) each; `entering` the gradient at the logits; `losses` (networks,).
    """

    def __init__(self, losses: Tensor, leaving: list[Tensor], back: list[Tensor], entering: Tensor) -> None:
        self.losses, self.leaving, self.back, self.entering = losses, leaving, back, entering

    def squares(self) -> Floats:
        """Mean squares of activations and of gradients, (networks, 2, hidden layers)."""
        found = [torch.stack([square(one) for one in part], 1) for part in (self.leaving, self.back)]
        return torch.stack(found, 1).numpy()

    def shares(self) -> npt.NDArray[np.uint8]:
        """The share of numbers in each bin, 255 for all of them: (networks, 2, hidden layers, bins)."""
        found = [torch.stack([histogram(one.flatten(1)) for one in part], 1) for part in (self.leaving, self.back)]
        return (255 * torch.stack(found, 1)).round().to(torch.uint8).numpy()


def square(values: Tensor) -> Tensor:
    """Mean square of each network, in float64: a float32 overflows as a square long before it does itself."""
    return values.double().square().mean((1, 2))


def histogram(values: Tensor) -> Tensor:
    """The share of each row's numbers in each of lessons.initialisation.bins: (rows, numbers) -> (rows, bins)."""
    half = (2 * (values.abs().log10() + bins.REACH)).floor().clamp(-1, bins.HALVES)
    place = bins.MIDDLE - torch.where(half < 0, 0, (half + 1) * values.sign())
    place = torch.where(values.isfinite(), place, 0).long()
    counts = torch.zeros(len(values), bins.COUNT, dtype=torch.float64)
    return counts.scatter_add_(1, place, torch.ones_like(values, dtype=torch.float64)) / values.shape[1]


def calculated(stack: Stack, walked: Pass, x: Tensor) -> Floats:
    """What `Pass.squares` is in closed form, before training, given this batch and the gradient at the logits."""
    p = stack.p
    entering = walked.entering.double().square().sum(-1).numpy()
    total, squared = x.double().sum(1).numpy(), x.double().square().sum(1).numpy()
    out = []
    for k, init in enumerate(p.inits):
        weights = [spread(init, fan_in, fan_out, p.sd, p.value) for fan_in, fan_out in shapes(p)]
        out.append(through(p.activation, p.width, weights, total, squared, entering[k]))
    return np.array(out)


def run(job: Job, state: Checkpoint | None = None) -> Generator[Step, Values | None, None]:
    """Trains one network for each initialisation by the mean cross-entropy of a batch, and yields at each step.

    Scalars, for each of them: "loss.he", of the batch; "signal.he" and "gradient.he", the mean squares of the
    activations in the last hidden layer and of the gradient in the first; "distinct.he", how many units of a layer
    have weights that no other has; every tenth step "held.he", the share of held-out digits told rightly;
    "failed.he" where a loss is no finite number. "loss" is the mean of all. Raises Problem for a snapshot of networks
    of another size.
    """
    p = parse(Params, job.params)
    stack = Stack(p, job.seed)
    x, y = batch(0, job.seed)
    walked = stack.walk(x, y)
    theory = calculated(stack, walked, x)
    step = 0
    if state is not None:
        restore(stack, state)
        step = int(state["step"])
        walked = stack.walk(*batch(step, job.seed))
    held = images()[2:]
    while True:
        if state is None:
            squares = walked.squares()
            scalars = measures(stack, walked, squares)
            if step % CHECK == 0 or step == p.steps:
                scalars |= {f"held.{one}": share for one, share in zip(p.inits, stack.right(*held), strict=True)}

            def frame(walked: Pass = walked, squares: Floats = squares) -> Arrays:
                return {"shares": walked.shares(), "squares": squares, "theory": theory}

            changes = yield Step(step, scalars, p.steps, frame, lambda step=step: kept(stack, step))  # type: ignore[misc]
            if changes:
                for group in stack.optimiser.param_groups:
                    group["lr"] = float(changes.get("lr", group["lr"]))
        state = None
        if step == p.steps:
            return
        stack.optimiser.step()
        step += 1
        walked = stack.walk(*batch(step, job.seed))


def measures(stack: Stack, walked: Pass, squares: Floats) -> Scalars:
    """What is said of every step."""
    each = [float(one) for one in walked.losses]
    out: Scalars = {"lr": stack.lr, "loss": sum(each) / len(each)}
    distinct = stack.distinct()
    for k, init in enumerate(stack.p.inits):
        out |= {
            f"loss.{init}": each[k],
            f"signal.{init}": float(squares[k, 0, -1]),
            f"gradient.{init}": float(squares[k, 1, 0]),
            f"distinct.{init}": distinct[k],
        }
        if not math.isfinite(each[k]):
            out[f"failed.{init}"] = 1.0
    return out


def kept(stack: Stack, step: int) -> Checkpoint:
    """Each network under its initialisation's name, so that a fork may leave some out or add new ones."""
    out: Checkpoint = {"step": np.array(step, np.int64)}
    memory = stack.optimiser.state.get(stack.flat, {})
    for k, init in enumerate(stack.p.inits):
        out[f"model.{init}"] = stack.flat[k].numpy().copy()
        for name in ("exp_avg", "exp_avg_sq"):
            if name in memory:
                out[f"optim.{name}.{init}"] = memory[name][k].numpy().copy()
    if "step" in memory:
        out["optim.step"] = memory["step"].numpy().copy()
    return out | ({"live.lr": np.array(stack.lr)} if stack.lr != stack.p.lr else {})


def restore(stack: Stack, state: Checkpoint) -> None:
    """Back to a snapshot; a network that is not in it starts anew. Raises Problem for another size."""
    p = stack.p
    memory: dict[str, Tensor] = {}
    if p.optimiser == "adam" and "optim.step" in state:
        memory = {name: torch.zeros_like(stack.flat) for name in ("exp_avg", "exp_avg_sq")}
        memory["step"] = torch.from_numpy(state["optim.step"].copy())
    for k, init in enumerate(p.inits):
        weights = state.get(f"model.{init}")
        if weights is None:
            continue
        if weights.shape != stack.flat[k].shape:
            raise Problem(
                "A run can be continued with other settings, but not with networks of another size "
                f"({p.depth} hidden layers of {p.width} units): the weights would not fit. Start a new run.",
                f"可以换设置接着训练，但不能换网络大小（{p.depth} 个隐藏层，每层 {p.width} 个单元）："
                "原来的权重对不上。请重新开始一次训练。",
            )
        stack.flat[k] = torch.from_numpy(weights.copy())
        for name in ("exp_avg", "exp_avg_sq"):
            if memory and f"optim.{name}.{init}" in state:
                memory[name][k] = torch.from_numpy(state[f"optim.{name}.{init}"].copy())
    if memory:
        stack.optimiser.state[stack.flat] = memory
    for group in stack.optimiser.param_groups:
        group["lr"] = float(state.get("live.lr", np.float64(p.lr)))


def look(job: Job, state: Checkpoint | None, name: str, args: Mapping[str, Any]) -> Arrays:
    """This lesson has no questions: all of it is in the frames. Raises Problem."""
    raise Problem(f"This lesson has no answer to {name!r:.40}.", f"本课无法回答 {name!r:.40}。")
