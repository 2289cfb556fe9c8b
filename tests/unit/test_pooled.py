"""The compiled convolution, pool and ReLU against torch's three; and what happens where it is not compiled."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.models.kernels import build as native
from engine.models.kernels.pooled import MAX_PATCH_ROW, Pooled, pooled, supports

pytestmark = pytest.mark.usefixtures("compiled")


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def plain(images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, padding: int) -> torch.Tensor:
    return F.relu(F.max_pool2d(F.conv2d(images, weight, bias, padding=padding), 2))


def drawn(
    count: int, channels: int, rows: int, columns: int, width: int, kernel: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    images = torch.randn(count, channels, rows, columns).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(width, channels, kernel, kernel).contiguous(memory_format=torch.channels_last)
    return images.requires_grad_(), weight.requires_grad_(), torch.randn(width, requires_grad=True)


@settings(deadline=None, max_examples=80)
@given(
    kernel=st.sampled_from(sorted(MAX_PATCH_ROW)),
    count=st.integers(1, 20),
    channels=st.integers(1, 16),
    rows=st.integers(6, 20),
    columns=st.integers(6, 20),
    width=st.integers(1, 35),
    padding=st.integers(0, 2),
    seed=st.integers(0, 1000),
)
def test_values_and_gradients_are_torchs(
    kernel: int, count: int, channels: int, rows: int, columns: int, width: int, padding: int, seed: int
) -> None:
    channels = min(channels, MAX_PATCH_ROW[kernel] // kernel)
    torch.manual_seed(seed)
    inputs = drawn(count, channels, rows, columns, width, kernel)
    assert supports(inputs[0], inputs[1])
    ours = pooled(*inputs, padding)
    exact = [one.detach().double().requires_grad_() for one in inputs]
    theirs = plain(exact[0], exact[1], exact[2], padding)
    torch.testing.assert_close(ours.double(), theirs, rtol=1e-5, atol=1e-5)
    slopes = torch.randn_like(ours)
    found = torch.autograd.grad(ours, inputs, slopes)
    right = torch.autograd.grad(theirs, exact, slopes.double())
    for one, other in zip(found, right, strict=True):
        # a gradient is a sum of thousands of parts in float32, and may itself be small
        assert float((one - other).abs().max()) <= 1e-5 * max(1.0, float(other.abs().max()))


def test_a_window_whose_winner_is_not_above_zero_has_no_gradient() -> None:
    images = torch.ones(1, 1, 8, 8, requires_grad=True)
    weight, bias = torch.zeros(2, 1, 3, 3, requires_grad=True), torch.tensor([0.0, 1.0], requires_grad=True)
    out = pooled(images, weight, bias)
    assert set(out.flatten().tolist()) == {0.0, 1.0}
    of_weight, of_bias = torch.autograd.grad(out.sum(), (weight, bias))
    assert of_bias.tolist() == [0.0, 9.0]
    assert set(of_weight[0].flatten().tolist()) == {0.0}
    assert set(of_weight[1].flatten().tolist()) == {9.0}


def test_what_is_not_a_number_stays_so() -> None:
    images, weight, bias = drawn(2, 3, 12, 12, 6, 5)
    with torch.no_grad():
        weight[1, 0, 0, 0] = torch.nan
    out = pooled(images, weight, bias)
    assert out[:, 1].isnan().all()
    assert out[:, [0, 2, 3, 4, 5]].isfinite().all()


def test_the_same_bits_on_any_number_of_threads(threads: None) -> None:
    torch.manual_seed(1)
    inputs = drawn(37, 6, 14, 14, 16, 5)
    found = []
    for count in (1, 2, 3):
        torch.set_num_threads(count)
        out = pooled(*inputs)
        found.append([out, *torch.autograd.grad(out.square().sum(), inputs)])
    for others in found[1:]:
        assert all(torch.equal(one, other) for one, other in zip(found[0], others, strict=True))


@pytest.mark.parametrize(
    ("images", "weight"),
    [
        (torch.zeros(1, 3, 8, 8, dtype=torch.float64), torch.zeros(2, 3, 5, 5, dtype=torch.float64)),
        (torch.zeros(1, 7, 8, 8), torch.zeros(2, 7, 5, 5)),  # rows of 35 numbers
        (torch.zeros(1, 3, 8, 8), torch.zeros(2, 3, 4, 4)),
        (torch.zeros(1, 3, 5, 8), torch.zeros(2, 3, 5, 5)),  # nothing to pool
    ],
)
def test_what_it_has_no_code_for_is_left_to_torch(images: torch.Tensor, weight: torch.Tensor) -> None:
    assert not supports(images, weight)


def test_in_lower_precision_it_is_left_to_torch() -> None:
    images, weight, bias = drawn(2, 3, 12, 12, 6, 5)
    with torch.autocast("cpu", torch.bfloat16):
        assert not supports(images, weight)
        assert pooled(images, weight, bias).dtype == torch.bfloat16


def test_a_shape_without_code_is_refused_rather_than_miscomputed() -> None:
    images, weight, bias = drawn(2, 3, 12, 12, 6, 4)
    with pytest.raises(ValueError, match="pooled_forward has no code for"):
        Pooled.apply(images, weight, bias, 0, native.library("pooled"))  # type: ignore[no-untyped-call]


def test_without_it_torch_gives_the_same() -> None:
    inputs = drawn(3, 3, 16, 16, 6, 5)
    ours = pooled(*inputs)
    with native.unused():
        assert not supports(inputs[0], inputs[1])
        torch.testing.assert_close(pooled(*inputs), ours)


def test_a_source_is_compiled_once_and_a_changed_one_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHROOM_NATIVE", str(tmp_path / "made"))
    source = tmp_path / "answer.cpp"
    source.write_text('extern "C" int answer() { return 41; }\n', "utf-8")
    assert "compiled by" in native.build(source)
    assert native.build(source) == "answer.cpp: compiled before."
    source.write_text('extern "C" int answer() { return 42; }\n', "utf-8")
    monkeypatch.setattr(native, "SOURCES", (source,))
    native.loaded.cache_clear()
    try:
        assert native.library("answer") is None
        assert "compiled by" in native.build(source)
        native.loaded.cache_clear()
        found = native.library("answer")
        assert found is not None
        assert found.answer() == 42
    finally:
        native.loaded.cache_clear()


def test_what_cannot_be_compiled_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHROOM_NATIVE", str(tmp_path / "made"))
    source = tmp_path / "wrong.cpp"
    source.write_text("int half(\n", "utf-8")
    said = native.build(source)
    assert said.startswith("wrong.cpp: ")
    assert "could not compile it; torch does its work" in said
    assert "error" in said
    assert list((tmp_path / "made").iterdir()) == []
    monkeypatch.setenv("CXX", "")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert native.build(source) == "wrong.cpp: no C++ compiler here; torch does its work, more slowly."
    monkeypatch.setenv("TORCHROOM_NATIVE", "0")
    assert native.build(source) == "wrong.cpp: not wanted (TORCHROOM_NATIVE=0)."
