"""The compiled 8-bit products against the same sums of the same bytes in float64, and against the real numbers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from engine.models.kernels import build as native
from engine.models.kernels import quantised
from engine.models.kernels.quantised import Int8Conv, QuantisedTensor

pytestmark = pytest.mark.usefixtures("compiled")


@pytest.fixture(autouse=True)
def _here(compiled: None) -> None:
    if not quantised.available():
        pytest.skip("this processor does not multiply bytes")


def laid(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous(memory_format=torch.channels_last)


def drawn(
    count: int, channels: int, side: int, width: int, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images, weight, and gradients of what comes out, some of whose channels are much smaller than others."""
    torch.manual_seed(seed)
    images = torch.randn(count, channels, side, side + 1).relu().bfloat16()
    weight = torch.randn(width, channels, 3, 3) * torch.rand(width, 1, 1, 1)
    slopes = torch.randn(count, width, side, side + 1) * torch.rand(width, 1, 1) ** 4
    return laid(images), laid(weight), laid(slopes.bfloat16())


def inside(found: QuantisedTensor) -> torch.Tensor:
    """The bytes without their frame, as images lie in torch."""
    return found.bytes[:, 1:-1, 1:-1].permute(0, 3, 1, 2).double()


def rounded(weight: torch.Tensor, dims: tuple[int, ...]) -> torch.Tensor:
    """`weight` as signed bytes, with one scale over `dims`, and back."""
    scale = weight.abs().amax(dims, keepdim=True) / 127
    return (weight / scale).round().double() * scale.double()


def near(ours: torch.Tensor, right: torch.Tensor, relative: float) -> None:
    assert float((ours.double() - right).norm()) <= relative * float(right.norm())


shapes = given(
    count=st.integers(1, 13),
    channels=st.sampled_from([16, 32, 48]),
    width=st.sampled_from([16, 32, 48, 64]),
    side=st.sampled_from([1, 2, 3, 7, 8]),
    seed=st.integers(0, 1000),
)


@settings(deadline=None, max_examples=40)
@shapes
def test_bytes_are_the_numbers_to_half_a_step(count: int, channels: int, width: int, side: int, seed: int) -> None:
    images, _, slopes = drawn(count, channels, side, width, seed)
    one = quantised.quantise_images(images)
    assert one.scale.item() == pytest.approx(images.max().item() / 255)
    assert float((inside(one) * one.scale.double() - images.double()).abs().max()) <= 0.501 * one.scale.item()
    two = quantised.quantise_gradients(slopes)
    torch.testing.assert_close(two.scale, slopes.float().abs().amax((0, 2, 3)) / 127)
    back = (inside(two) - 128) * two.scale.double()[:, None, None]
    assert bool(((back - slopes.double()).abs() <= 0.501 * two.scale.double()[:, None, None]).all())
    for found, zero in ((one, 0), (two, 128)):
        frame = found.bytes.clone()
        frame[:, 1:-1, 1:-1] = zero
        assert bool((frame == zero).all())


@settings(deadline=None, max_examples=40)
@shapes
def test_products_are_the_sums_of_those_bytes(count: int, channels: int, width: int, side: int, seed: int) -> None:
    """What comes out is rounded to bfloat16 at the end, by a 512th at most; the gradient of the weight is not."""
    images, weight, slopes = drawn(count, channels, side, width, seed)
    ours = Int8Conv(images, weight)
    x = inside(ours.images) * ours.images.scale.double()
    near(ours.result, F.conv2d(x, rounded(weight, (1, 2, 3)), padding=1), 1 / 400)

    of_images, of_weight = ours.gradients(slopes, True)
    assert of_images is not None
    given_back = quantised.quantise_gradients(slopes)
    steps, scale = inside(given_back) - 128, given_back.scale.double()
    right = torch.ops.aten.convolution_backward(
        *(steps * scale[:, None, None], x, weight.double(), None),
        *([1, 1], [1, 1], [1, 1], False, [0, 0], 1, [False, True, False]),
    )[1]
    near(of_weight, right, 1e-6)
    scaled = rounded(weight * given_back.scale[:, None, None, None], (0, 2, 3))
    near(of_images, F.conv_transpose2d(steps, scaled, padding=1), 1 / 400)


def test_eight_bits_are_enough() -> None:
    images, weight, slopes = drawn(64, 32, 8, 48)
    ours = Int8Conv(images, weight)
    x, filters = images.double().requires_grad_(), weight.double().requires_grad_()
    right = F.conv2d(x, filters, padding=1)
    found = (ours.result, *ours.gradients(slopes, True))
    for one, other in zip(found, (right, *torch.autograd.grad(right, (x, filters), slopes.double())), strict=True):
        assert one is not None
        near(one, other.detach(), 0.02)


def test_many_images_do_not_overflow() -> None:
    """Every product as large as it can be: more of them than fit in one 32-bit sum."""
    images, slopes = (laid(torch.ones(600, 16, 16, 16).bfloat16()) for _ in range(2))
    _, of_weight = Int8Conv(images, laid(torch.ones(16, 16, 3, 3))).gradients(slopes, False)
    assert float(of_weight[0, 0, 1, 1]) == pytest.approx(600 * 256)


def test_the_number_of_threads_changes_nothing() -> None:
    images, weight, slopes = drawn(21, 32, 8, 48)
    before, results = torch.get_num_threads(), []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        ours = Int8Conv(images, weight)
        results.append([ours.result, *ours.gradients(slopes, True)])
    torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(one, another) for one, another in zip(results[0], other, strict=True))  # type: ignore[arg-type]


def test_what_is_not_a_number_stays_so_and_nothing_stays_nothing() -> None:
    images, weight, slopes = drawn(2, 16, 4, 16)
    assert Int8Conv(images * 0, weight).result.eq(0).all()
    _, of_weight = Int8Conv(images, weight).gradients(slopes * 0, False)
    assert of_weight.eq(0).all()
    for bad in (float("nan"), -float("nan")):
        images[0, 0, 0, 0] = weight[1, 2, 1, 1] = bad
        assert Int8Conv(images, drawn(2, 16, 4, 16)[1]).result.isnan().any()
        assert Int8Conv(drawn(2, 16, 4, 16)[0], weight).result[:, 1].isnan().all()
        slopes[1, 3, 0, 0] = bad
        assert Int8Conv(drawn(2, 16, 4, 16)[0], weight).gradients(slopes, False)[1][3].isnan().all()


def test_images_below_zero_are_refused() -> None:
    images, weight, _ = drawn(2, 16, 4, 16)
    Int8Conv(laid(-torch.zeros_like(images)), weight)
    images[1, 3, 2, 1] = -1
    with pytest.raises(ValueError, match="quantised_images"):
        Int8Conv(images, weight)


def test_a_stride_is_refused() -> None:
    images, weight, _ = drawn(2, 16, 4, 16)
    with pytest.raises(ValueError, match="stride is 2"):
        Int8Conv(images, weight, 2)


@pytest.mark.parametrize(("side", "stride", "padding", "width"), [(4, 2, 1, 32), (3, 1, 1, 16), (5, 1, 0, 48)])
def test_filters_of_pixels_are_torchs(side: int, stride: int, padding: int, width: int) -> None:
    torch.manual_seed(0)
    images = laid(torch.randint(0, 256, (5, 3, 20, 22), dtype=torch.uint8))
    filters = nn.Conv2d(3, width, side, stride, padding, bias=False).requires_grad_(False)
    mean, std = torch.tensor([0.51, 0.4, 0.6]), torch.tensor([0.2, 0.25, 0.3])
    with torch.autocast("cpu", torch.bfloat16):
        assert quantised.supports(images, filters)
        ours = quantised.pixel_convolution(images, filters, 1 / (255 * std), -mean / std)
    outside = (255 * mean).round()
    around = torch.stack([F.pad(images[:, c].double(), [padding] * 4, value=float(outside[c])) for c in range(3)], 1)
    scaled = (around / 255 - mean.double()[:, None, None]) / std.double()[:, None, None]
    right = F.conv2d(scaled, filters.weight.double(), stride=stride).relu()
    assert ours.shape == right.shape
    torch.testing.assert_close(ours.double(), right, atol=2e-3, rtol=1 / 250)


def test_what_pixels_do_not_take_is_left_to_torch() -> None:
    images = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    filters = nn.Conv2d(3, 32, 4, 2, 1, bias=False)
    with torch.autocast("cpu", torch.bfloat16):
        assert not quantised.supports(images, filters)  # they learn
        filters.requires_grad_(False)
        assert not quantised.supports(images.float(), filters)
        assert not quantised.supports(images, nn.Conv2d(3, 20, 4, bias=False).requires_grad_(False))
        assert quantised.supports(images, filters)
    assert not quantised.supports(images, filters)  # in float32


def test_without_the_compiled_file_it_is_not_here() -> None:
    with native.unused():
        assert not quantised.available()
