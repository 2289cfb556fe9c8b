"""The CIFAR-10 lesson tells the truth: what it draws is what torch computes, and a run is what its settings say."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections import OrderedDict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from engine.datasets import cifar10
from engine.datasets.images import Split, load_images, make_split
from engine.models.kernels import build as native
from engine.params import parse
from engine.types import Checkpoint, Job, Problem, Scalars, Step, Tick
from lessons import catalog, text
from lessons.board import figures as board
from lessons.board.fold import fold
from lessons.cifar10 import compute, figures
from lessons.cifar10.architecture import ARCHITECTURES, SIZES, shown, table
from lessons.cifar10.augment import augment
from lessons.cifar10.evaluation import predict, shifted
from lessons.cifar10.networks import build, first_filters, load, whiten
from lessons.cifar10.params import AUGMENTATIONS, PRESETS, TINY, Params
from lessons.cifar10.pictures import CHANNELS
from lessons.cifar10.precision import has_bfloat16, has_int8
from lessons.cifar10.questions import COPIES, LISTED

needs_cifar = pytest.mark.skipif(not cifar10.available(), reason="needs real CIFAR-10: TORCHROOM_CIFAR10 is not set")
FAST = {"network": "fast", "optimiser": "nesterov", "schedule": "onecycle", "lr": 0.1, "weight_decay": 0.001}


pytestmark = pytest.mark.usefixtures("one_thread")


def job(**changes: Any) -> Job:
    settings = TINY.model_copy(update=changes)
    return Job(catalog.lesson("cifar10").entry, settings.model_dump(mode="json"), settings.seed, "cpu")


def steps(state: Checkpoint | None = None, **changes: Any) -> list[Step]:
    return list(compute.run(job(**changes), state))


def numbers(all_steps: list[Step]) -> list[Scalars]:
    """The scalars without the one that is measured by the clock."""
    return [{name: value for name, value in one.scalars.items() if name != "images_per_s"} for one in all_steps]


def at(step: int, **changes: Any) -> Step:
    """The run at `step`, with its frame and state as they are then."""
    return next(one for one in compute.run(job(**changes)) if one.step == step)


def last(**changes: Any) -> Step:
    *_, end = compute.run(job(**changes))
    return end


# the network that is drawn is the network that is trained


@pytest.mark.parametrize("data", list(SIZES))
@pytest.mark.parametrize("network", list(ARCHITECTURES))
def test_drawn_shapes_and_counts_are_torchs(network: str, data: str) -> None:
    model = build(network, data, torch.zeros(3), torch.ones(3))
    x = torch.zeros(2, 3, SIZES[data], SIZES[data], dtype=torch.uint8)
    x = model.get_submodule("normalise")(x)
    for layer, shape, count in table(network, data):
        module = model.get_submodule(layer.name)
        x = module(x)
        assert tuple(x[:, : shape[0]].shape[1:]) == shape, layer.name
        assert not x[:, shape[0] :].any(), layer.name
        assert sum(weight.numel() for weight in module.parameters()) == count, layer.name
    assert x.shape == (2, 10)


def test_the_graph_shows_that_table() -> None:
    words = text.read("cifar10", "en")
    for settings in (Params(), *(parse(Params, one) for one in PRESETS.values())):
        drawn = figures.draw(settings, words)["network"]
        assert isinstance(drawn, board.Graph)
        rows = table(settings.network, settings.data)
        assert [node["id"] for node in drawn.nodes] == ["image", *(layer.name for layer, _, _ in rows)]
        for node, (_, shape, count) in zip(drawn.nodes[1:], rows, strict=True):
            assert node["note"] == "×".join(map(str, shape)) + (f" · {count:,}" if count else "")
        assert [edge["to"] for edge in drawn.edges] == [node["id"] for node in drawn.nodes[1:]]


def test_the_small_network_is_the_tutorials() -> None:
    """PyTorch's tutorial network has 62,006 parameters on CIFAR-10, and 15,926 on the digits."""
    assert sum(count for _, _, count in table("tutorial", "cifar10")) == 62_006
    assert sum(count for _, _, count in table("tutorial", "digits")) == 15_926


def test_the_baseline_of_the_benchmark_is_the_same_network() -> None:
    from tests.bench.plain import Net

    ours, theirs = build("tutorial", "cifar10", torch.zeros(3), torch.ones(3)), Net()
    weights = [weight for weight in ours.parameters() if weight.requires_grad]
    for own, other in zip(weights, theirs.parameters(), strict=True):
        own.data.copy_(other.data)
    x = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    assert torch.allclose(ours(x), theirs(x / 255), atol=1e-5)


def one_by_one(model: torch.nn.Module) -> torch.nn.Sequential:
    """Its layers as a plain chain, none computed together with another."""
    return torch.nn.Sequential(OrderedDict(model.named_children()))


@pytest.mark.parametrize("network", ["tutorial", "vgg"])
def test_layers_computed_as_one_are_the_layers_one_by_one(network: str) -> None:
    model = build(network, "cifar10", torch.full((3,), 0.5), torch.full((3,), 0.25))
    images = torch.randint(0, 256, (16, 3, 32, 32), dtype=torch.uint8).contiguous(memory_format=torch.channels_last)
    weights = list(model.parameters())
    together, apart = model(images), one_by_one(model)(images)
    torch.testing.assert_close(together, apart)
    ours, theirs = (torch.autograd.grad(out.logsumexp(1).sum(), weights) for out in (together, apart))
    for one, other in zip(ours, theirs, strict=True):
        assert (one - other).abs().max() <= 1e-5 * other.abs().max()


@pytest.mark.parametrize("by", [1, -1, 2])
def test_a_shifted_image_repeats_its_edge(by: int) -> None:
    images = load_images("digits", "cpu", 20).train.images[:3]
    size = images.shape[-1]
    found = shifted(images, by)
    for y in range(size):
        for x in range(size):
            from_y, from_x = min(max(y - by, 0), size - 1), min(max(x - by, 0), size - 1)
            assert torch.equal(found[:, :, y, x], images[:, :, from_y, from_x])


def test_bytes_learn_what_bfloat16_learns() -> None:
    """Where the processor has neither, all three are the same run."""
    cpu = torch.device("cpu")
    settings: dict[str, Any] = {**FAST, "optimiser": "muon", "lr": 0.02, "epochs": 4, "augment": "crop"}
    ends = {name: last(precision=name, **settings) for name in ("float32", "bfloat16", "int8")}
    weights = {name: end.state()["model.conv4.0.weight"] for name, end in ends.items()}
    assert np.array_equal(weights["float32"], weights["bfloat16"]) != has_bfloat16(cpu)
    assert np.array_equal(weights["bfloat16"], weights["int8"]) != has_int8(cpu)
    for name in ("bfloat16", "int8"):
        assert ends[name].scalars["val_accuracy"] == pytest.approx(ends["float32"].scalars["val_accuracy"], abs=0.05)


def test_without_the_compiled_file_bytes_are_bfloat16() -> None:
    settings: dict[str, Any] = {**FAST, "batch": 128, "epochs": 0.5}
    with native.unused():
        assert not has_int8(torch.device("cpu"))
        assert numbers(steps(precision="int8", **settings)) == numbers(steps(precision="bfloat16", **settings))


def test_whitened_filters_whiten() -> None:
    """On the patches they were made from, the first half of the filters gives uncorrelated numbers of equal size."""
    data = load_images("digits", "cpu", 20)
    model = build("fast", "digits", data.mean, data.std)
    whiten(model, data.train.images[:1000])
    filters = first_filters(model)
    assert not filters.requires_grad
    half = len(filters) // 2
    assert torch.equal(filters[half:], -filters[:half])
    x = model.get_submodule("normalise")(data.train.images[:1000])
    seen = F.conv2d(x, filters[:half], stride=2).permute(1, 0, 2, 3).reshape(half, -1).double()
    second = seen @ seen.T / seen.shape[1]
    assert (second - torch.diag(second.diag())).abs().max() < 1e-3
    assert 0.9 < second.diag()[0] <= 1.001  # the strongest direction is hardly touched by the floor


# training


def test_the_same_seed_is_the_same_run_and_another_is_not() -> None:
    first, again, other = steps(), steps(), steps(seed=1)
    assert numbers(first) == numbers(again)
    assert numbers(first)[-1] != numbers(other)[-1]
    a, b = first[-1].state(), again[-1].state()
    assert a.keys() == b.keys()
    assert all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimiser": "sgd", "augment": "flip"},
        {"optimiser": "adam", "lr": 0.001, "augment": "cutout", "epochs": 2},
        {"optimiser": "adamw", "lr": 0.001, "schedule": "cosine", "network": "vgg"},
        {**FAST, "augment": "crop_flip", "smoothing": 0.1, "epochs": 2},
        {**FAST, "precision": "bfloat16", "batch": 128, "epochs": 0.5},
        {**FAST, "precision": "int8", "batch": 128, "epochs": 0.5},
        {**FAST, "optimiser": "muon", "lr": 0.01},
    ],
)
@pytest.mark.parametrize("place", [0, 4, 19])
def test_a_run_taken_up_again_is_bit_identical(settings: dict[str, Any], place: int) -> None:
    """From the start, from within an epoch, and from the end of one (19 minibatches of 64; 10 of 128)."""
    whole = steps(**settings)
    place = min(place, len(whole) - 1)
    kept = at(place, **settings).state()
    torch.manual_seed(999)
    rest = steps(kept, **settings)
    assert [one.step for one in rest] == list(range(place + 1, len(whole)))
    assert numbers(rest) == numbers(whole)[place + 1 :]
    assert all(one.total == whole[-1].step for one in [*whole, *rest])
    end = rest[-1] if rest else at(place, **settings)
    ours, theirs = end.state(), whole[-1].state()
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)


def test_a_checkpoint_does_not_change_when_the_run_goes_on() -> None:
    run = compute.run(job())
    kept = next(run).state()
    copy = {name: array.copy() for name, array in kept.items()}
    for _ in range(3):
        next(run)
    assert all(np.array_equal(kept[name], copy[name]) for name in kept)


def test_pictures_and_questions_do_not_change_a_run() -> None:
    settings: dict[str, Any] = {**FAST, "augment": "crop"}
    watched = []
    for one in compute.run(job(**settings)):
        watched.append(one)
        one.frame()
        kept = one.state()
        compute.look(job(**settings), kept, "maps", {"layer": "conv2", "image": 3})
        compute.look(job(**settings), None, "augment", {"image": 3})
    assert numbers(watched) == numbers(steps(**settings))


def test_the_learning_rate_may_change_while_it_runs_and_stays_changed() -> None:
    run = compute.run(job())
    next(run)
    assert run.send(None).scalars["lr"] == 0.02
    changed = run.send({"lr": 0.005, "weight_decay": 0.01})
    assert changed.scalars["lr"] == 0.005
    kept = changed.state()
    rest = numbers(list(compute.run(job(lr=0.005, weight_decay=0.01), kept)))
    assert rest == numbers(list(run))
    assert rest[0]["lr"] == 0.005
    assert next(compute.run(job(lr=0.1), kept)).scalars["lr"] == 0.1


def test_a_fork_may_change_batch_optimiser_and_epochs_but_not_the_network() -> None:
    kept = at(7).state()
    done = 7 * 64
    forked = steps(kept, batch=128, optimiser="adam", lr=0.001, epochs=2)
    train = len(load_images("digits", "cpu", 20).train)
    expected = 7 + math.ceil((train - done) / 128) + math.ceil(train / 128)
    assert forked[-1].step == forked[-1].total == expected
    with pytest.raises(Problem, match="another network"):
        steps(kept, network="vgg")
    with pytest.raises(Problem, match="another part held out"):
        steps(kept, held_out=30)


def test_schedules_begin_and_end_where_they_should() -> None:
    whole = [one.scalars["lr"] for one in steps(schedule="onecycle", lr=0.1, epochs=4)[1:]]
    top = whole.index(max(whole))
    assert whole[0] == pytest.approx(0.01)
    assert max(whole) == pytest.approx(0.1, rel=0.02)
    assert top == pytest.approx(len(whole) / 4, abs=1)
    assert whole[-1] < 0.003
    assert all(a < b for a, b in pairwise(whole[:top]))
    cosine = [one.scalars["lr"] for one in steps(schedule="cosine", lr=0.1)[1:]]
    assert cosine[0] == pytest.approx(0.1)
    assert all(a > b for a, b in pairwise(cosine))


def test_its_step_is_torchs_own() -> None:
    """The first step recomputed by hand: the same minibatch, SGD with momentum 0.9 and weight decay 0.01."""
    settings: dict[str, Any] = {"optimiser": "momentum", "weight_decay": 0.01, "smoothing": 0.1}
    before, after = at(0, **settings).state(), at(1, **settings)
    data = load_images("digits", "cpu", 20)
    generator = torch.Generator().manual_seed(0)
    chosen = torch.randperm(len(data.train), generator=generator)[:64]
    model = load(before).train()
    for weight in model.parameters():
        weight.requires_grad_(True)
    scores = model(data.train.images[chosen])
    target = torch.full((64, 10), 0.01)
    target[torch.arange(64), data.train.labels[chosen]] += 0.9
    loss = -(target * scores.log_softmax(1)).sum(1).mean()
    loss.backward()
    assert after.scalars["loss"] == pytest.approx(loss.item(), abs=1e-6)
    found = after.state()
    for name, weight in model.named_parameters():
        assert weight.grad is not None
        decay = 0.01 * weight.detach() if weight.ndim > 1 else 0
        wanted = weight.detach() - 0.02 * (weight.grad + decay)
        assert np.allclose(found[f"model.{name}"], wanted.numpy(), atol=1e-6), name


def test_a_loss_that_is_no_number_ends_the_run_with_advice() -> None:
    with pytest.raises(Problem, match="learning rate of 10") as found:
        steps(lr=10.0, network="vgg", epochs=3)
    assert "学习率" in found.value.zh


def test_the_default_run_learns() -> None:
    """Six epochs of the default settings: the text speaks of 10 % at first and of more than 90 % later."""
    end = last(batch=32, epochs=8)
    assert end.scalars["val_accuracy"] > 0.9
    assert end.scalars["test_accuracy"] > 0.75


def test_test_images_are_looked_at_once() -> None:
    whole = numbers(steps(epochs=2))
    assert [number for number, one in enumerate(whole) if "test_accuracy" in one] == [len(whole) - 1]
    assert [number for number, one in enumerate(whole) if "val_accuracy" in one] == [0, 19, 38]


# what is shown


def test_a_validation_pass_is_recomputed() -> None:
    end = last(**FAST)
    data = load_images("digits", "cpu", 20)
    scores = load(end.state())(data.validation.images)
    guess = scores.argmax(1)
    counts = end.frame()["counts"]
    assert counts.sum() == len(data.validation) == 299
    assert (counts.sum(1) == np.bincount(data.validation.labels.numpy(), minlength=10)).all()
    for true, said in ((0, 0), (3, 5), (9, 9)):
        assert counts[true, said] == ((data.validation.labels == true) & (guess == said)).sum()
    assert end.scalars["val_accuracy"] == pytest.approx(np.trace(counts) / 299)
    assert end.scalars["val_loss"] == pytest.approx(F.cross_entropy(scores, data.validation.labels).item(), abs=1e-5)
    tests = load(end.state())(data.test.images).argmax(1)
    assert end.scalars["test_accuracy"] == pytest.approx((tests == data.test.labels).float().mean().item())


def test_only_where_no_class_gets_more_than_half_is_an_image_looked_at_six_times() -> None:
    model = load(last(**FAST, augment="flip").state())
    images = load_images("digits", "cpu", 20).validation.images
    found = predict(model, images, True)
    often = 0
    for image, scored in zip(images, found, strict=True):
        edged = F.pad(image[None].float(), (1, 1, 1, 1), mode="replicate").to(torch.uint8)
        sides = [image[None], edged[:, :, :-2, :-2], edged[:, :, 2:, 2:]]
        looks = torch.cat([model(torch.cat([side, side.flip(3)])) for side in sides])
        wanted = looks[:2].mean(0)
        if wanted.softmax(0).max() <= 0.5:
            wanted, often = looks.mean(0), often + 1
        assert torch.allclose(scored, wanted, atol=1e-4)
    assert 10 < often < 200


def test_every_cell_holds_the_images_that_were_counted() -> None:
    settings = {"epochs": 4, "batch": 32, "lr": 0.03}
    end = last(**settings)
    kept, counts = end.state(), end.frame()["counts"]
    data = load_images("digits", "cpu", 20)
    scores = load(kept)(data.validation.images).softmax(1).detach()
    for true in range(10):
        for guess in range(10):
            found = compute.look(job(**settings), kept, "cell", {"true": true, "guess": guess})
            assert int(found["count"]) == counts[true, guess]
            assert len(found["images"]) == min(LISTED, counts[true, guess])
            assert (data.validation.labels[found["index"]] == true).all()
            assert np.allclose(found["chances"], scores[found["index"]].numpy(), atol=1e-5)
            assert (found["chances"].argmax(1) == guess).all()
            assert (np.diff(found["chances"][:, guess]) <= 0).all()
            wanted = data.validation.images[found["index"]].permute(0, 2, 3, 1).numpy()
            assert (found["images"] == wanted).all()


@pytest.mark.parametrize("network", list(ARCHITECTURES))
def test_activation_maps_are_recomputed_with_hooks(network: str) -> None:
    settings = {"network": network, "lr": 0.01}
    kept = at(5, **settings).state()
    model = load(kept)
    image = load_images("digits", "cpu", 20).validation.images[7:8]
    for number, layer in enumerate(shown(network)):
        seen: list[torch.Tensor] = []
        handle = model.get_submodule(layer).register_forward_hook(lambda _m, _i, out, seen=seen: seen.append(out))
        one_by_one(model)(image)
        handle.remove()
        found = compute.look(job(**settings), kept, "maps", {"image": 7, "layer": layer})
        width = next(shape[0] for one, shape, _ in table(network, "digits") if one.name == layer)
        # a ReLU before a pool is computed behind it; the map is what the layer gives, so with the ReLU
        wanted = seen[0][0, : min(width, CHANNELS)].detach().numpy().clip(0)
        assert int(found["layer"]) == number
        assert np.allclose(found["maps"], wanted, rtol=1e-3, atol=1e-3)  # they travel as float16
    frame = at(5, **settings).frame()
    first = compute.look(job(**settings), kept, "maps", {"image": 0, "layer": "conv1"})["maps"]
    assert np.allclose(frame["maps"], first, atol=1e-3)


def test_a_map_is_a_convolution_written_out() -> None:
    """One number of the first map: the sum over a 5 x 5 window and three channels, plus the bias, and ReLU."""
    kept = at(3).state()
    data = load_images("digits", "cpu", 20)
    x = ((data.validation.images[2].numpy() / 255 - data.mean[:, None, None].numpy()).T / data.std.numpy()).T
    maps = compute.look(job(), kept, "maps", {"image": 2, "layer": "conv1"})["maps"]
    weight, bias = kept["model.conv1.0.weight"], kept["model.conv1.0.bias"]
    for channel, row, column in ((0, 0, 0), (3, 4, 7), (5, 11, 11)):
        window = x[:, row : row + 5, column : column + 5]
        assert maps[channel, row, column] == pytest.approx(
            max(0, (window * weight[channel]).sum() + bias[channel]), abs=2e-3
        )


def test_filters_are_drawn_around_grey() -> None:
    step = at(2)
    weight = step.state()["model.conv1.0.weight"]
    drawn = step.frame()["filters"]
    assert drawn.shape == (6, 5, 5, 3)
    largest = np.abs(weight).max((1, 2, 3))
    back = (drawn.astype(float) / 127.5 - 1) * largest[:, None, None, None]
    assert np.abs(back.transpose(0, 3, 1, 2) - weight).max() < largest.max() / 127


def test_the_strip_of_held_out_images_is_what_the_network_says() -> None:
    step = at(4)
    frame = step.frame()
    data = load_images("digits", "cpu", 20)
    images = data.validation.images[frame["index"]]
    assert (frame["images"] == images.permute(0, 2, 3, 1).numpy()).all()
    assert (frame["labels"] == data.validation.labels[frame["index"]].numpy()).all()
    assert np.allclose(frame["chances"], load(step.state())(images).softmax(1).detach().numpy(), atol=1e-5)


def test_frames_are_small() -> None:
    """A default run is shown and shipped as demo.run: what a frame weighs is what a page weighs."""
    assert sum(array.nbytes for array in at(1).frame().values()) < 16_000


def test_a_picture_is_cropped_in_the_middle_and_classified() -> None:
    kept = last(**FAST).state()
    data = load_images("digits", "cpu", 20)
    digit = data.validation.images[0].permute(1, 2, 0).numpy()
    large = digit.repeat(8, axis=0).repeat(8, axis=1)
    wide = np.concatenate([np.full((128, 50, 3), 99, np.uint8), large, np.full((128, 50, 3), 7, np.uint8)], axis=1)
    found = compute.look(job(**FAST), kept, "classify", {"picture": wide})
    assert np.abs(found["images"][0].astype(int) - digit).max() < 64  # antialiasing softens the edges
    seen = torch.from_numpy(found["images"]).permute(0, 3, 1, 2)
    assert np.allclose(found["chances"], load(kept)(seen).softmax(1).detach().numpy(), atol=1e-5)
    assert found["chances"].sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("cell", {"true": 10, "guess": 0}),
        ("cell", {"true": "cat", "guess": 0}),
        ("cell", {"true": True, "guess": 0}),
        ("cell", {"true": float("nan"), "guess": 0}),
        ("maps", {"image": -1}),
        ("maps", {"image": 299}),
        ("maps", {"layer": "fc1"}),
        ("maps", {"layer": "__class__"}),
        ("maps", {"layer": ["conv1"]}),
        ("classify", {}),
        ("classify", {"picture": "x"}),
        ("classify", {"picture": np.zeros((4, 4), np.uint8)}),
        ("augment", {"image": 10**9}),
        ("elsewhere", {}),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(name: str, args: dict[str, Any]) -> None:
    with pytest.raises(Problem) as found:
        compute.look(job(), at(0).state(), name, args)
    assert found.value.zh


def test_a_question_before_any_run_is_refused() -> None:
    with pytest.raises(Problem, match="Start a run first"):
        compute.look(job(), None, "maps", {})


def test_answers_become_patches() -> None:
    """Every figure that an answer fills is one that is drawn, and what a reading asks for is there."""
    settings = TINY.model_copy(update={"picture": "0" * 64})
    drawn = figures.draw(settings, text.read("cifar10", "en"))
    kept = last().state()
    picture = np.zeros((9, 9, 3), np.uint8)
    asked: list[tuple[str, dict[str, Any]]] = [
        ("maps", {"layer": "pool1"}),
        ("cell", {"true": 1, "guess": 1}),
        ("cell", {"true": 0, "guess": 9}),
        ("classify", {"picture": picture}),
        ("augment", {"image": 5}),
        ("image", {"image": 5}),
    ]
    for name, args in asked:
        patches = figures.answer(settings, name, args, compute.look(job(), kept, name, args))
        assert patches
        fold(drawn, [], patches)
    standing = [one["name"] for one in figures.asks(settings)]
    assert standing == ["augment", "classify"]
    with pytest.raises(Problem):
        figures.answer(settings, "elsewhere", {}, {})


def test_frames_become_patches_with_torchs_numbers() -> None:
    end = last()
    frame = end.frame()
    patches = {one.figure: one.data for one in figures.update(TINY, Tick(end.step, end.scalars, frame))}
    assert (patches["confusion"]["tiles"][0] == frame["counts"]).all()
    assert patches["confusion"]["say"]["right"] == round(end.scalars["val_accuracy"] * 299)
    assert (patches["held"]["guess"] == frame["chances"].argmax(1)).all()
    assert figures.update(TINY, Tick(0, {})) == []


# augmentation


def part_of(count: int, size: int = 16) -> Split:
    pixels = torch.randint(
        1, 256, (count, size, size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )
    return make_split(pixels.permute(0, 3, 1, 2).numpy(), np.zeros(count, np.uint8), "cpu")


def augmented(part: Split, how: str) -> torch.Tensor:
    return augment(part, torch.arange(len(part)), how, 0, torch.Generator().manual_seed(0), GREY)


GREY = torch.full((3,), 128, dtype=torch.uint8)


@pytest.mark.parametrize("how", AUGMENTATIONS)
def test_augmented_images_keep_shape_kind_and_source(how: str) -> None:
    source = part_of(50)
    before = source.frames.clone()
    found = augmented(source, how)
    assert found.shape == source.images.shape
    assert found.dtype == torch.uint8
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(source.frames, before)
    assert torch.equal(found, augmented(source, how))
    if how == "none":
        assert torch.equal(found, source.images)


def test_a_flip_is_a_mirror_or_nothing_and_both_come() -> None:
    source = part_of(200)
    found = augmented(source, "flip")
    mirrored = [torch.equal(one, other.flip(2)) for one, other in zip(found, source.images, strict=True)]
    same = [torch.equal(one, other) for one, other in zip(found, source.images, strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert 70 < sum(mirrored) < 130


@pytest.mark.parametrize("size", [16, 32])
def test_a_crop_is_a_shift_with_black_edges(size: int) -> None:
    """Every result is a window of the padded image; all shifts from one end to the other occur."""
    source = part_of(400, size)
    found = augmented(source, "crop")
    pad = size // 8
    padded = F.pad(source.images, (pad, pad, pad, pad))
    places = set()
    for one, whole in zip(found, padded, strict=True):
        hits = [
            (y, x)
            for y in range(2 * pad + 1)
            for x in range(2 * pad + 1)
            if torch.equal(one, whole[:, y : y + size, x : x + size])
        ]
        assert len(hits) == 1
        places.add(hits[0])
    assert {y for y, _ in places} == {x for _, x in places} == set(range(2 * pad + 1))


def test_cutout_covers_one_square() -> None:
    source = make_split(np.full((30, 3, 16, 16), 7, np.uint8), np.zeros(30, np.uint8), "cpu")
    assert ((augmented(source, "cutout") == 128).sum((1, 2, 3)) == 3 * 4 * 4).all()


def test_the_preview_starts_with_the_image_itself() -> None:
    found = compute.look(job(augment="crop"), None, "augment", {"image": 3})["images"]
    assert found.shape == (COPIES, 16, 16, 3)
    assert (found[0] == load_images("digits", "cpu", 20).train.images[3].permute(1, 2, 0).numpy()).all()
    assert len({one.tobytes() for one in found}) > 3


# kept networks


def test_a_kept_network_answers_as_it_did() -> None:
    end = last(**FAST)
    model = load(end.state())
    assert not model.training
    frame = end.frame()
    images = load_images("digits", "cpu", 20).validation.images[frame["index"]]
    assert np.allclose(model(images).softmax(1).detach().numpy(), frame["chances"], atol=1e-5)
    with pytest.raises(Problem):
        load({"model.w": np.zeros(3)})


# the texts


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"network": "vgg", "augment": "cutout", "optimiser": "adam", "lr": 0.0005},
        {**FAST, "augment": "crop_flip", "smoothing": 0.1, "epochs": 1.5, "seed": 3},
        {"optimiser": "adamw", "lr": 0.001, "weight_decay": 0.01, "schedule": "cosine", "augment": "flip"},
    ],
)
def test_the_script_ends_with_the_runs_loss(settings: dict[str, Any], tmp_path: Path) -> None:
    agree(TINY.model_copy(update=settings), tmp_path)


def test_the_script_ends_with_the_runs_loss_by_muon_too(tmp_path: Path) -> None:
    """Few steps: it makes weak directions as strong as the others, those of rounding errors included."""
    settings = {**FAST, "optimiser": "muon", "lr": 0.01, "augment": "flip", "batch": 400}
    agree(TINY.model_copy(update=settings), tmp_path, within=1e-4)


def agree(settings: Params, tmp_path: Path, within: float = 1e-5) -> None:
    (tmp_path / "script.py").write_text(catalog.script("cifar10", settings), "utf-8")
    found = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    *_, end = compute.run(Job(catalog.lesson("cifar10").entry, settings.model_dump(mode="json"), settings.seed, "cpu"))
    assert float(found.stdout.splitlines()[-1].removeprefix("final loss ")) == pytest.approx(
        end.scalars["loss"], abs=within
    )
    *_, said = (line for line in found.stdout.splitlines() if line.startswith("test accuracy "))
    assert float(said.split()[-1]) == pytest.approx(end.scalars["test_accuracy"], abs=max(1e-4, within))


def test_the_worked_example_is_right() -> None:
    image = torch.tensor([[9, 9, 1, 0], [8, 9, 0, 1], [9, 8, 1, 0], [9, 9, 0, 1]], dtype=torch.float32)[None, None]
    kernel = torch.tensor([[1, 0, -1]] * 3, dtype=torch.float32)[None, None]
    sums = F.conv2d(image, kernel)
    assert sums[0, 0].tolist() == [[24, 25], [25, 24]]
    assert F.max_pool2d(sums.relu(), 2).item() == 25
    mirrored = F.conv2d(image, kernel.flip(3))
    assert mirrored.flatten().tolist() == [-24, -25, -25, -24]
    assert F.max_pool2d(mirrored.relu(), 2).item() == 0
    equal = F.cross_entropy(torch.zeros(1, 10), torch.tensor([3])).item()
    assert equal == pytest.approx(math.log(10), abs=1e-6)
    said = [round(-math.log(p), 3) for p in (0.1, 0.9, 0.01, 0.5)]
    assert said == [2.303, 0.105, 4.605, 0.693]
    rows = {layer.name: count for layer, _, count in table("tutorial", "digits")}
    counts = {"conv1": 456, "pool1": 0, "conv2": 2416, "pool2": 0, "fc1": 2040, "fc2": 10_164, "fc3": 850}
    assert rows == counts
    assert {layer.name: count for layer, _, count in table("tutorial", "cifar10")} == counts | {"fc1": 48_120}
    for language in ("en", "zh"):
        source = (catalog.lesson("cifar10").folder / f"{language}.md").read_text("utf-8")
        for number in [*said, *(f"{one:,}" for one in counts.values() if one), "15,926", "62,006", "48,120"]:
            assert str(number) in source, number


def test_a_fresh_networks_loss_is_the_logarithm_of_the_number_of_classes() -> None:
    for network in ("tutorial", "vgg"):
        assert at(0, network=network).scalars["val_loss"] == pytest.approx(math.log(10), abs=0.03)


# real CIFAR-10


@pytest.mark.cifar
@needs_cifar
def test_cifar_has_five_thousand_training_images_of_each_class() -> None:
    _, labels, _, test_labels = cifar10.read()
    assert np.bincount(labels).tolist() == [5000] * 10
    assert np.bincount(test_labels).tolist() == [1000] * 10
    data = load_images("cifar10", "cpu", 10)
    assert np.allclose(data.mean, [0.4914, 0.4822, 0.4465], atol=0.004)  # the channel means everybody uses
    assert np.allclose(data.std, [0.2470, 0.2435, 0.2616], atol=0.004)


@pytest.mark.cifar
@pytest.mark.slow
@needs_cifar
def test_the_script_agrees_on_cifar(tmp_path: Path) -> None:
    """Within 1e-3: the last bits of 88 larger steps (fused optimiser, padded channels) have had time to grow."""
    agree(
        parse(
            Params, {"data": "cifar10", "held_out": 10, "epochs": 1, "batch": 512, "augment": "crop_flip", "pace": 0}
        ),
        tmp_path,
        1e-3,
    )


@pytest.mark.cifar
@pytest.mark.slow
@needs_cifar
def test_the_fast_network_learns_cifar() -> None:
    """One epoch of the preset: far above guessing, and each picture of the page can be made."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    settings = parse(Params, {**PRESETS["fast"], "epochs": 1})
    asked = Job(catalog.lesson("cifar10").entry, settings.model_dump(mode="json"), 0, "cpu")
    *_, end = compute.run(asked)
    assert end.scalars["val_accuracy"] > 0.5
    found = compute.look(asked, end.state(), "cell", {"true": 3, "guess": 5})
    assert int(found["count"]) == end.frame()["counts"][3, 5] > 0
    assert json.loads(json.dumps(figures.asks(settings)))


def test_what_a_thing_to_try_says_of_the_fast_network() -> None:
    """After three epochs, 114 steps, it is better than the small network after five."""
    small = at(190, batch=32, epochs=5, lr=0.02).scalars["val_accuracy"]
    fast = {"network": "fast", "optimiser": "nesterov", "schedule": "onecycle", "lr": 0.1}
    assert at(114, batch=32, epochs=4, **fast).scalars["val_accuracy"] > small
