"""The compiled perceptron against torch: values, gradients, and every optimiser's step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.models.kernels import build as native
from engine.models.names import ACTIVATIONS, LOSSES, OPTIMISERS
from engine.models.optimiser import Optimiser
from engine.models.perceptron import Perceptron, Points

T = TypeVar("T")
TORCH: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "momentum": lambda weights, lr: torch.optim.SGD(weights, lr, momentum=0.9),
    "nesterov": lambda weights, lr: torch.optim.SGD(weights, lr, momentum=0.9, nesterov=True),
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}
MODULES: dict[str, Callable[[], torch.nn.Module]] = {
    "linear": torch.nn.Identity,
    "sigmoid": torch.nn.Sigmoid,
    "tanh": torch.nn.Tanh,
    "relu": torch.nn.ReLU,
    "leaky": torch.nn.LeakyReLU,
    "elu": torch.nn.ELU,
    "gelu": torch.nn.GELU,
    "silu": torch.nn.SiLU,
    "softplus": torch.nn.Softplus,
}

pytestmark = pytest.mark.usefixtures("compiled")


@pytest.fixture(params=["compiled", "torch"])
def way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Both ways that a perceptron is computed."""
    with native.unused() if request.param == "torch" else nullcontext():
        yield


def data(loss: str, count: int, outputs: int, seed: int) -> tuple[Any, Any]:
    chance = np.random.RandomState(seed)
    inputs = (2 * chance.standard_normal((count, 3))).astype(np.float32)
    targets = {
        "squared": chance.standard_normal((count, outputs)),
        "logistic": chance.randint(0, 2, (count, outputs)),
        "softmax": np.eye(outputs)[chance.randint(0, outputs, count)],
    }[loss]
    return inputs, targets.astype(np.float32)


def made(sizes: list[int], names: list[str], loss: str, seed: int = 0) -> Perceptron:
    net = Perceptron(sizes, names, loss)
    net.weights.copy_(0.7 * torch.randn(len(net.weights), generator=torch.Generator().manual_seed(seed)))
    return net


def chain(net: Perceptron) -> torch.nn.Sequential:
    """The same network in torch."""
    parts: list[torch.nn.Module] = []
    for (weight, bias), name in zip(net.layers(), (*net.activations, "linear"), strict=True):
        layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
        layer.weight.data.copy_(weight)
        layer.bias.data.copy_(bias)
        parts += [layer, MODULES[name]()]
    return torch.nn.Sequential(*parts)


def cost(net: Perceptron, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    if net.loss == "softmax":
        return F.cross_entropy(scores, targets)
    if net.loss == "logistic":
        return F.binary_cross_entropy_with_logits(scores, targets)
    return (scores - targets).square().sum(1).mean() / 2


@settings(deadline=None, max_examples=60)
@given(
    loss=st.sampled_from(LOSSES),
    names=st.lists(st.sampled_from(sorted(MODULES)), max_size=4),
    width=st.integers(1, 9),
    outputs=st.integers(2, 4),
    count=st.integers(1, 90),
    seed=st.integers(0, 1000),
)
def test_values_losses_and_gradients_are_torchs(
    loss: str, names: list[str], width: int, outputs: int, count: int, seed: int
) -> None:
    outputs = 1 if loss == "logistic" else outputs
    net = made([3, *[width] * len(names), outputs], names, loss, seed)
    inputs, targets = data(loss, count, outputs, seed)
    points, exact = Points(inputs, targets), chain(net).double()
    scores = exact(points.inputs.double())
    right = cost(net, scores, points.targets.double())
    found, _ = net.evaluate(points)
    assert found == pytest.approx(right.item(), rel=1e-5, abs=1e-6)
    assert (net.values(points.inputs.T)[-outputs:].T - scores).abs().max() <= 1e-5 * (1 + scores.abs().max())
    slopes = torch.cat([one.flatten() for one in torch.autograd.grad(right, list(exact.parameters()))])
    assert (net.gradient(points) - slopes).abs().max() <= 1e-6 * (1 + 10 * slopes.abs().max())


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_and_its_slope_far_out_and_near_zero(name: str, way: None) -> None:
    z = np.concatenate([np.linspace(-60, 60, 2001), np.linspace(-1e-3, 1e-3, 101), [0.0]]).astype(np.float32)
    net = Perceptron([1, 1, 1], [name], "squared")
    net.weights.copy_(torch.tensor([1.0, 0.0, 1.0, 0.0]))
    value = net.values(torch.from_numpy(z)[None])[0]
    exact = torch.from_numpy(z).double().requires_grad_()
    right = (exact > 0).double() if name == "step" else MODULES[name]()(exact)
    assert (value - right).abs().max() <= 1e-6 * 60
    assert ((value - right).abs() / (right.abs() + 1e-3)).max() <= 5e-4  # torch has 3e-4 in the tail of its own gelu
    off = exact.detach() != 0  # at a kink there is no slope to agree on
    rise = torch.zeros(len(z)) if name == "step" else torch.autograd.grad(right.sum(), exact)[0]
    slopes = net.derivatives(torch.from_numpy(z)[None])
    assert (slopes[0] - rise)[off].abs().max() <= 2e-6
    assert (slopes[1] == 1).all()
    for x in (-60.0, -3.0, -0.3, 1e-4, 0.7, 5.0, 60.0):  # the slope is the gradient of the first bias, times the error
        one = Points(np.array([[x]], np.float32), np.array([[0.0]], np.float32))
        at = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        if name == "step":
            assert net.gradient(one)[1] == 0
            continue
        out = MODULES[name]()(at)
        (slope,) = torch.autograd.grad(out, at)
        assert float(net.gradient(one)[1]) == pytest.approx((out.detach() * slope).item(), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("rule", OPTIMISERS)
def test_a_step_is_torch_optims(rule: str, way: None) -> None:
    """From any state: each of twenty steps is compared from the same weights and memory."""
    net = made([3, 5, 4, 1], ["tanh", "gelu"], "logistic")
    inputs, targets = data("logistic", 64, 1, 3)
    points, ours = Points(inputs, targets), Optimiser(rule, 0.05)
    twin = chain(net)
    theirs = TORCH[rule](twin.parameters(), lr=0.05)
    if rule == "adamw":
        theirs.param_groups[0]["weight_decay"] = 0.0
    batches = np.random.RandomState(0).randint(0, 64, (20, 10)).astype(np.int32)
    for batch in batches:
        for (weight, bias), (own, shift) in zip(net.layers(), pairwise_of(twin), strict=True):
            own.data.copy_(weight)
            shift.data.copy_(bias)
        some = torch.from_numpy(batch.astype(np.int64))
        theirs.zero_grad()
        loss = cost(net, twin(points.inputs[some]), points.targets[some])
        loss.backward()  # type: ignore[no-untyped-call]
        theirs.step()
        losses, _ = net.train(points, ours, 1, batch[None])
        assert losses[0] == pytest.approx(loss.item(), abs=1e-6)
        after = torch.cat([one.detach().flatten() for one in twin.parameters()])
        assert (net.weights - after).abs().max() <= 2e-6


def pairwise_of(twin: torch.nn.Sequential) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [(one.weight, one.bias) for one in twin if isinstance(one, torch.nn.Linear)]


@pytest.mark.parametrize("rule", OPTIMISERS)
def test_decay_and_l1_are_of_weights_alone(rule: str, way: None) -> None:
    net = made([3, 4, 1], ["tanh"], "logistic")
    before = net.weights.clone()
    inputs, targets = data("logistic", 64, 1, 3)
    points = Points(inputs, targets)
    slopes = net.gradient(points)
    mask = torch.cat([torch.ones(12), torch.zeros(4), torch.ones(4), torch.zeros(1)])
    net.train(points, Optimiser(rule, 0.05, decay=0.1, l1=0.01), 1)
    given = slopes + mask * 0.01 * before.sign() + (0 if rule == "adamw" else 0.1 * mask * before)
    twin = before.clone().requires_grad_()
    twin.grad = given.clone()
    theirs = TORCH[rule]([twin], lr=0.05)
    theirs.param_groups[0]["weight_decay"] = 0.0
    if rule == "adamw":
        twin.data.mul_(1 - 0.05 * 0.1 * mask)
    theirs.step()
    assert (net.weights - twin).abs().max() <= 2e-5


def test_many_steps_at_a_call_are_the_same_bits_as_one_by_one() -> None:
    inputs, targets = data("softmax", 50, 3, 0)
    points = Points(inputs, targets)
    batches = np.random.RandomState(0).randint(0, 50, (300, 7)).astype(np.int32)
    found = []
    for pieces in ([300], [1] * 300, [7, 100, 193]):
        net, optimiser = made([3, 6, 3], ["relu"], "softmax"), Optimiser("adam", 0.01)
        ends = np.cumsum([0, *pieces]).tolist()
        losses = [net.train(points, optimiser, b - a, batches[a:b])[0] for a, b in pairwise(ends)]
        found.append((net.weights, np.concatenate(losses)))
    for weights, losses_ in found[1:]:
        assert torch.equal(weights, found[0][0])
        assert np.array_equal(losses_, found[0][1])


def test_a_batch_is_judged_before_its_step_and_guesses_are_counted(way: None) -> None:
    net = made([3, 4, 3], ["tanh"], "softmax")
    inputs, targets = data("softmax", 40, 3, 1)
    points, some = Points(inputs, targets), np.arange(5, 15, dtype=np.int32)
    before = chain(net)(points.inputs[5:15])
    share = (before.argmax(1) == points.targets[5:15].argmax(1)).float().mean()
    losses, rights = net.train(points, Optimiser("sgd", 0.1), 2, np.stack([some, some]))
    assert losses[0] == pytest.approx(cost(net, before, points.targets[5:15]).item(), abs=1e-6)
    assert rights[0] == pytest.approx(float(share))
    assert losses[1] < losses[0]


def test_weights_that_overflow_are_said_to() -> None:
    net = made([3, 4, 1], ["relu"], "squared")
    inputs, targets = data("squared", 20, 1, 1)
    losses, _ = net.train(Points(inputs, targets), Optimiser("sgd", 1e6), 30)
    assert not np.isfinite(losses[-1])
    assert np.isfinite(losses[0])


def test_shapes_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="1 hidden layers have 2 activations"):
        Perceptron([2, 3, 1], ["tanh", "tanh"], "logistic")
    with pytest.raises(ValueError, match="one output, not 2"):
        Perceptron([2, 2], [], "logistic")
