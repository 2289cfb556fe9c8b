"""Nine small classifiers that differ in nothing but their activation, trained together; and a deep network's variance.

All nine start from the same weights and see the same points. They are one tensor program: weights are stacked, so a
layer of all nine is one batched product, and then each function is applied to its own slice. Their losses are added
up, and no weight is shared, so every gradient is the one its network would have alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.nn.perceptron import FORWARD
from engine.params import checked
from engine.types import Arrays, Job, Problem, Scalars, Snapshot, Step, Values
from lessons.activations.depth import SAMPLES, WIDTH
from lessons.activations.params import FUNCTIONS, Params
from lessons.activations.points import REACH, SIDE, Points, points

CHECK = 10  # steps between two looks at the held-out points and the units
QUIET = 0.005  # a unit is asleep for a point where its function's slope is smaller than this


def initial(weight: Tensor, init: str, generator: torch.Generator) -> Tensor:
    """Fills `weight` (out, in) as torch.nn.init does it, and returns it."""
    fill: dict[str, Callable[..., Tensor]] = {
        "small": partial(nn.init.normal_, std=0.01),
        "torch": partial(nn.init.kaiming_uniform_, a=math.sqrt(5)),  # what nn.Linear does: Var w = 1 / (3 fan_in)
        "xavier": nn.init.xavier_normal_,
        "he": partial(nn.init.kaiming_normal_, nonlinearity="relu"),
        "orthogonal": nn.init.orthogonal_,
        "normal": nn.init.normal_,
    }
    return fill[init](weight, generator=generator)


class Nine:
    """The classifiers of FUNCTIONS, stacked: weights (9, in, out) and biases (9, 1, out), layer by layer."""

    def __init__(self, p: Params, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        sizes = [2, *[p.width] * p.depth, 1]
        self.weights: list[Tensor] = []
        self.biases: list[Tensor] = []
        for fan_in, fan_out in pairwise(sizes):
            one = initial(torch.empty(fan_out, fan_in), p.init, generator).T  # the same for all nine
            stacked = one.repeat(len(FUNCTIONS), 1, 1)  # contiguous, as a restored snapshot is: fused Adam walks memory
            self.weights.append(stacked.requires_grad_())
            self.biases.append(torch.zeros(len(FUNCTIONS), 1, fan_out, requires_grad=True))

    @property
    def parameters(self) -> list[Tensor]:
        return [*self.weights, *self.biases]

    def __call__(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Scores (9, n) of the points x (n, 2), and what enters the functions of each hidden layer, (9, n, width)."""
        h = x.expand(len(FUNCTIONS), -1, -1)
        entering = []
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            entering.append(torch.baddbmm(bias, h, weight))
            h = activated(entering[-1])
        return torch.baddbmm(self.biases[-1], h, self.weights[-1])[:, :, 0], entering


def activated(z: Tensor) -> Tensor:
    """Each function on its own slice of z (9, n, width)."""
    return torch.stack([FORWARD[name](one) for name, one in zip(FUNCTIONS, z.unbind(), strict=True)])


def slopes(z: Tensor) -> Tensor:
    """The derivative of each function at z (9, n, width), by autograd."""
    z = z.detach().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(activated(z).sum(), z)[0]


def losses(scores: Tensor, classes: Tensor) -> Tensor:
    """The binary cross-entropy (9,) of scores (9, n) for classes (n,), each the mean over its points."""
    return F.binary_cross_entropy_with_logits(scores, classes.expand_as(scores), reduction="none").mean(1)


def run(job: Job, state: Snapshot | None = None) -> Generator[Step, Values | None, None]:
    """Trains the nine on all training points at once, and yields after each step.

    Scalars, for each function of FUNCTIONS: "loss.relu" and "accuracy.relu" on the training points as they were
    before the step; at every tenth step and at both ends "held.relu", the accuracy on the held-out points, "dead.relu",
    the share of hidden units that are asleep for every training point, and "asleep.relu", the share of pairs of a unit
    and a point. "loss" is the mean of the nine; "failed" how many of them are no finite number any more, each with its
    "failed.relu"; "lr" the learning rate. Raises Problem for a snapshot of networks of another size.
    """
    p = checked(Params, job.params)
    data = points(p.points, p.noise, job.seed)
    train, train_class = torch.from_numpy(data.train), torch.from_numpy(data.train_class)
    nine = Nine(p, job.seed)
    optimiser = choose_optimiser(nine, p)
    lr, moved, start = p.lr, False, 0
    if state is not None:
        start = restore(state, nine, optimiser, p)
        moved = "live.lr" in state
        lr = float(state["live.lr"]) if moved else lr

    def snapshot(step: int) -> Snapshot:
        out: Snapshot = {"step": np.array(step, np.int64)}
        for number, weight in enumerate(nine.parameters):
            out[f"model.{number}"] = weight.detach().numpy().copy()
            for name, value in optimiser.state[weight].items():
                if isinstance(value, Tensor):
                    out[f"optim.{number}.{name}"] = value.numpy().copy()
        return out | ({"live.lr": np.array(lr)} if moved else {})

    def moment(step: int, scores: Tensor, entering: list[Tensor]) -> Step:
        scalars = measures(scores, train_class, lr)
        if step % CHECK == 0 or step == p.steps:
            scalars |= check(nine, data, entering)
        return Step(step, scalars, p.steps, partial(frame, nine, data), partial(snapshot, step))

    changes = None
    scores, entering = nine(train)
    if state is None:
        changes = yield moment(0, scores, entering)
    for step in range(start + 1, p.steps + 1):
        if changes and "lr" in changes:
            lr, moved = float(changes["lr"]), True
        for group in optimiser.param_groups:
            group["lr"] = lr
        optimiser.zero_grad()
        losses(scores, train_class).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        scores, entering = nine(train)
        changes = yield moment(step, scores, entering)


def choose_optimiser(nine: Nine, p: Params) -> torch.optim.Optimizer:
    """Both work number by number, so the nine do not mix."""
    if p.optimiser == "sgd":
        return torch.optim.SGD(nine.parameters, p.lr)
    return torch.optim.Adam(nine.parameters, p.lr, fused=True)


def restore(state: Snapshot, nine: Nine, optimiser: torch.optim.Optimizer, p: Params) -> int:
    """Puts a snapshot back and returns its step. What another optimiser kept stays behind."""
    for number, weight in enumerate(nine.parameters):
        kept = state.get(f"model.{number}")
        if kept is None or kept.shape != weight.shape or f"model.{len(nine.parameters)}" in state:
            raise Problem(
                f"A run can be continued with other settings, but not with networks of another size ({p.depth} hidden "
                f"layers of {p.width} units): the weights would not fit. Start a new run.",
                f"可以换设置接着训练，但不能换网络大小（{p.depth} 个隐藏层，每层 {p.width} 个单元）："
                "原来的权重对不上。请重新开始一次训练。",
            )
        weight.data.copy_(torch.from_numpy(kept.copy()))
        if p.optimiser == "adam":
            prefix = f"optim.{number}."
            for name, value in state.items():
                if name.startswith(prefix):
                    optimiser.state[weight][name.removeprefix(prefix)] = torch.from_numpy(value.copy())
    return int(state["step"])


@torch.no_grad()
def measures(scores: Tensor, classes: Tensor, lr: float) -> Scalars:
    """What is said of every step."""
    each = losses(scores, classes).tolist()
    right = ((scores > 0) == (classes > 0)).float().mean(1).tolist()
    failed = {f"failed.{name}": 1.0 for name, one in zip(FUNCTIONS, each, strict=True) if not math.isfinite(one)}
    out: Scalars = {"lr": lr, "loss": sum(each) / len(each), "failed": float(len(failed)), **failed}
    out |= {f"loss.{name}": value for name, value in zip(FUNCTIONS, each, strict=True)}
    return out | {f"accuracy.{name}": value for name, value in zip(FUNCTIONS, right, strict=True)}


@torch.no_grad()
def check(nine: Nine, data: Points, entering: list[Tensor]) -> Scalars:
    """What is said of every tenth step: held-out accuracy, dead units, and pairs of unit and point that are asleep."""
    scores, _ = nine(torch.from_numpy(data.held))
    held = ((scores > 0) == torch.from_numpy(data.held_class > 0)).float().mean(1).tolist()
    quiet = torch.stack([slopes(z).abs() < QUIET for z in entering])  # (layers, 9, points, units)
    dead = quiet.all(2).float().mean((0, 2)).tolist()
    asleep = quiet.float().mean((0, 2, 3)).tolist()
    found = {"held": held, "dead": dead, "asleep": asleep}
    return {f"{key}.{name}": each[i] for key, each in found.items() for i, name in enumerate(FUNCTIONS)}


def grid() -> Tensor:
    """The centres of the maps' cells, (SIDE * SIDE, 2), from the upper left, row by row."""
    at = ((torch.arange(SIDE) + 0.5) / SIDE * 2 - 1) * REACH
    return torch.stack([at.repeat(SIDE), -at.repeat_interleave(SIDE)], 1)


GRID = grid()


@torch.no_grad()
def frame(nine: Nine, data: Points) -> Arrays:
    """What the nine say everywhere, uint8 (9, SIDE, SIDE): 0 surely class 0, 255 surely class 1; and the points.

    `dots` uint8 (300, 3): across and down in 255ths of a map, and class; 2 and 3 are held-out points.
    """
    scores, _ = nine(GRID)
    sure = torch.sigmoid(scores).nan_to_num(0.5)
    maps = (255 * sure).round().to(torch.uint8).view(len(FUNCTIONS), SIDE, SIDE)
    return {"maps": maps.numpy(), "dots": dots(data)}


def dots(data: Points) -> npt.NDArray[np.uint8]:
    """Training points, then held-out ones; what lies beyond the map is drawn at its edge."""
    where = np.concatenate([data.train, data.held])
    kind = np.concatenate([data.train_class, data.held_class + 2])
    across, down = (REACH + where[:, 0]) / (2 * REACH), (REACH - where[:, 1]) / (2 * REACH)
    return np.stack([np.clip(255 * across, 0, 255), np.clip(255 * down, 0, 255), kind], 1).round().astype(np.uint8)


def look(job: Job, state: Snapshot | None, name: str, args: Mapping[str, Any]) -> Arrays:
    """ "depth": functions, init, layers, seed -> "signal" and "gradient", float64 (functions, layers).

    Raises Problem for another name, or arguments that are not of that form.
    """
    if name != "depth":
        raise Problem(f"This lesson has no answer to {name!r:.40}.", f"本课无法回答 {name!r:.40}。")
    found = checked(
        Params, {key: args[key] for key in ("functions", "init", "layers", "seed") if key in args}
    )  # the bounds of the settings are those of the question
    pairs = [travelled(one, found.init, found.layers, found.seed) for one in found.functions]
    return {"signal": np.stack([signal for signal, _ in pairs]), "gradient": np.stack([back for _, back in pairs])}


def travelled(name: str, init: str, layers: int, seed: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The mean square of signal and gradient at z_1 to z_layers of one random network, by a forward and backward pass.

    WIDTH units a layer, SAMPLES standard normal inputs, no biases; the gradient that enters at the last layer is
    standard normal. float64, since fifty layers may change the scale by a factor of 10^100.
    """
    generator = torch.Generator().manual_seed(seed)
    h = torch.randn(SAMPLES, WIDTH, generator=generator, dtype=torch.float64)
    entering = []
    for _ in range(layers):
        weight = initial(torch.empty(WIDTH, WIDTH, dtype=torch.float64), init, generator)
        z = h @ weight.T
        if not z.requires_grad:
            z.requires_grad_()
        entering.append(z)
        h = FORWARD[name](z)
    last = torch.randn(SAMPLES, WIDTH, generator=generator, dtype=torch.float64)
    found = torch.autograd.grad(entering[-1], entering, last, allow_unused=True)
    signal = [z.detach().square().mean().item() for z in entering]
    gradient = [0.0 if one is None else one.square().mean().item() for one in found]  # None: no way back, the step
    return np.array(signal), np.array(gradient)
