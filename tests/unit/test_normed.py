"""The compiled convolution, batch norm, pool and ReLU of bfloat16 against torch's four, in twice the precision."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from engine.models.kernels import build as native
from engine.models.kernels import quantised
from engine.models.kernels.normed import available, normed, supports

pytestmark = pytest.mark.usefixtures("compiled")


def drawn(
    count: int, channels: int, side: int, width: int, stride: int
) -> tuple[torch.Tensor, nn.Conv2d, nn.BatchNorm2d]:
    """What both compute from is bfloat16, so that all they differ in is how they do."""
    images = torch.randn(count, channels, side, side + 2).bfloat16().contiguous(memory_format=torch.channels_last)
    filters = nn.Conv2d(channels, width, 3, stride, 1, bias=False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    filters.weight.data = filters.weight.data.bfloat16().float()
    norm = nn.BatchNorm2d(width)
    norm.weight.data.normal_()
    norm.bias.data.normal_()
    return images.requires_grad_(), filters, norm


def exactly(
    images: torch.Tensor, filters: nn.Conv2d, norm: nn.BatchNorm2d, pool: bool, slopes: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """Result and gradients (images, filters, scale, shift) in float64, but for the convolution's rounding."""
    filters, norm = copy.deepcopy(filters).double(), norm.double()
    x = images.detach().double().requires_grad_()
    found = filters(x)
    found = found + (found.bfloat16().double() - found).detach()
    found = norm(found)
    out = F.relu(F.max_pool2d(found, 2) if pool else found)
    return out, *torch.autograd.grad(out, (x, filters.weight, norm.weight, norm.bias), slopes.double())


@settings(deadline=None, max_examples=40)
@given(
    count=st.integers(1, 37),
    channels=st.sampled_from([16, 32, 48]),
    width=st.sampled_from([16, 32, 64]),
    side=st.sampled_from([2, 4, 6]),
    stride=st.sampled_from([1, 2]),
    pool=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_values_and_gradients_are_torchs(
    count: int, channels: int, width: int, side: int, stride: int, pool: bool, seed: int
) -> None:
    if not available():
        pytest.skip("this processor does not multiply bfloat16")
    torch.manual_seed(seed)
    images, filters, norm = drawn(count, channels, 2 * side, width, stride)
    pool = pool and stride == 1
    theirs = copy.deepcopy(norm)
    with torch.autocast("cpu", torch.bfloat16):
        assert supports(images, filters, norm, pool)
        ours = normed(images, filters, norm, pool)
    slopes = torch.randn_like(ours)
    found = (ours, *torch.autograd.grad(ours, (images, filters.weight, norm.weight, norm.bias), slopes))
    right = exactly(images, filters, theirs, pool, slopes)
    for one, other in zip(found, right, strict=True):
        assert float((one - other).detach().norm()) <= 0.01 * float(other.detach().norm()) + 1e-3
    assert norm.running_mean is not None
    assert norm.running_var is not None
    torch.testing.assert_close(norm.running_mean.double(), theirs.running_mean, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(norm.running_var.double(), theirs.running_var, atol=1e-5, rtol=1e-3)
    assert norm.num_batches_tracked == theirs.num_batches_tracked == 1


@pytest.mark.parametrize("bits", [16, 8])
@pytest.mark.parametrize("pool", [False, True])
def test_out_of_training_it_takes_what_the_norm_has_noted(bits: int, pool: bool) -> None:
    if not available() or (bits == 8 and not quantised.available()):
        pytest.skip(f"this processor does not multiply numbers of {bits} bits")
    torch.manual_seed(0)
    images, filters, norm = drawn(9, 32, 8, 48, 1)
    images = images.detach().relu()
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    norm.eval()
    noted = copy.deepcopy(norm.state_dict())
    with torch.autocast("cpu", torch.bfloat16):
        assert not supports(images, filters, norm, pool)  # not while a gradient may be asked for
        with torch.no_grad():
            assert supports(images, filters, norm, pool)
            ours = normed(images, filters, norm, pool, bits)
    assert all(torch.equal(norm.state_dict()[name], value) for name, value in noted.items())
    slopes = torch.zeros_like(ours)
    right = exactly(images, filters, norm, pool, slopes)[0].detach()
    assert float((ours - right).norm()) <= (0.01 if bits == 16 else 0.02) * float(right.norm())


@pytest.mark.parametrize("pool", [False, True])
def test_eight_bits_give_nearly_the_same(pool: bool) -> None:
    if not available() or not quantised.available():
        pytest.skip("this processor does not multiply bytes")
    torch.manual_seed(0)
    images, filters, norm = drawn(40, 32, 8, 48, 1)
    images = images.detach().relu().requires_grad_()
    theirs = copy.deepcopy(norm)
    with torch.autocast("cpu", torch.bfloat16):
        ours = normed(images, filters, norm, pool, 8)
    slopes = torch.randn_like(ours)
    found = (ours, *torch.autograd.grad(ours, (images, filters.weight, norm.weight, norm.bias), slopes))
    right = exactly(images, filters, theirs, pool, slopes)
    for one, other in zip(found, right, strict=True):
        # a number off by a hundredth is at times on the other side of zero, or not the largest of its window
        assert float((one - other).detach().norm()) <= 0.2 * float(other.detach().norm())
        assert torch.cosine_similarity(one.double().flatten(), other.detach().flatten(), 0) > 0.98


def test_the_number_of_threads_changes_nothing() -> None:
    if not available():
        pytest.skip("this processor does not multiply bfloat16")
    images, filters, norm = drawn(21, 32, 8, 48, 1)
    before, results = torch.get_num_threads(), []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        with torch.autocast("cpu", torch.bfloat16):
            ours = normed(images.detach(), filters, norm, True)
        results.append(
            [ours, *torch.autograd.grad(ours, (filters.weight, norm.weight, norm.bias), torch.ones_like(ours))]
        )
    torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(one, another) for one, another in zip(results[0], other, strict=True))


def test_what_is_not_a_number_stays_so() -> None:
    if not available():
        pytest.skip("this processor does not multiply bfloat16")
    images, filters, norm = drawn(2, 16, 4, 16, 1)
    images.data[0, 0, 0, 0] = float("nan")
    with torch.autocast("cpu", torch.bfloat16):
        assert normed(images, filters, norm, True).isnan().any()


def test_what_does_not_fit_is_left_to_torch() -> None:
    images, filters, norm = drawn(2, 16, 4, 16, 1)
    assert not supports(images, filters, norm, False)  # not in bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        assert not supports(images[:, :, :3], filters, norm, True)  # a row would be left over
        assert not supports(images, nn.Conv2d(16, 20, 3, padding=1, bias=False), nn.BatchNorm2d(20), False)
        assert not supports(images, filters, norm.eval(), False)
        with native.unused():
            assert not supports(images, filters, norm.train(), False)
