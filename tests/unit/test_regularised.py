"""Dropout and batch normalisation against torch's own modules."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from engine.models.optimiser import Optimiser
from engine.models.perceptron import Perceptron, Points
from engine.models.regularised import Regularised


def data() -> Points:
    chance = np.random.RandomState(0)
    inputs = chance.standard_normal((40, 3)).astype(np.float32)
    return Points(inputs, (inputs.sum(1) > 0).astype(np.float32))


def filled(net: Perceptron) -> Perceptron:
    for weight, bias in net.layers():
        weight.normal_(0, 0.8, generator=torch.Generator().manual_seed(1))
        bias.normal_(0, 0.3, generator=torch.Generator().manual_seed(2))
    return net


def test_a_network_with_neither_is_the_plain_one() -> None:
    points = data()
    plain = filled(Perceptron([3, 5, 4, 1], ["tanh", "relu"], "logistic"))
    other = filled(Regularised([3, 5, 4, 1], ["tanh", "relu"], "logistic", torch.Generator()))
    assert (plain.values(points.inputs.T) - other.values(points.inputs.T)).abs().max() <= 1e-6
    for net in (plain, other):
        net.train(points, Optimiser("adam", 0.01), 20)
    assert (plain.weights - other.weights).abs().max() <= 1e-5


def test_batch_normalisation_is_torchs_in_training_and_outside_of_it() -> None:
    points = data()
    net = filled(Regularised([3, 5, 4, 1], ["tanh", "relu"], "logistic", torch.Generator(), norm=True))
    parts: list[torch.nn.Module] = []
    for (weight, bias), name in zip(net.layers(), ("Tanh", "ReLU", ""), strict=True):
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0])
        linear.weight.data.copy_(weight)
        linear.bias.data.copy_(bias)
        parts += [linear, torch.nn.BatchNorm1d(len(bias)), getattr(torch.nn, name)()] if name else [linear]
    twin = torch.nn.Sequential(*parts)
    theirs = torch.optim.SGD(twin.parameters(), 0.2)
    for _ in range(5):
        theirs.zero_grad()
        F.binary_cross_entropy_with_logits(twin(points.inputs), points.targets).backward()  # type: ignore[no-untyped-call]
        theirs.step()
    net.train(points, Optimiser("sgd", 0.2), 5)
    twin.eval()
    with torch.no_grad():
        expected = twin(points.inputs)[:, 0]
        loss = F.binary_cross_entropy_with_logits(expected, points.targets[:, 0])
    assert (net.values(points.inputs.T)[-1] - expected).abs().max() <= 1e-5
    assert net.evaluate(points)[0] == pytest.approx(float(loss), abs=1e-6)


def test_dropout_drops_its_share_in_training_alone_and_keeps_the_mean() -> None:
    net = filled(Regularised([3, 400, 1], ["linear"], "squared", torch.Generator().manual_seed(3), dropout=0.25))
    one = torch.randn(1, 3, generator=torch.Generator().manual_seed(0))
    whole = net.forward(net.weights, one)[0]
    dropped = torch.cat([net.forward(net.weights, one, training=True)[0] for _ in range(50)])
    zeros = dropped == 0
    assert float(zeros.float().mean()) == pytest.approx(0.25, abs=0.02)
    assert ((dropped * 0.75 - whole)[~zeros]).abs().max() <= 1e-5  # what is kept counts for what is not
    assert torch.equal(net.forward(net.weights, one)[0], whole)
