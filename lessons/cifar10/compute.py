"""Training an image classifier with the loop in the open, and every question a learner can ask of a moment of it."""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from engine.datasets.images import Images, Part, held
from engine.models.kernels import normed as norms
from engine.models.kernels import quantised
from engine.models.muon import Muon
from engine.params import int_arg, parse
from engine.types import Arrays, Checkpoint, Job, Problem, Scalars, Step, Values
from lessons.cifar10.architecture import known, shown
from lessons.cifar10.augment import augment
from lessons.cifar10.networks import build, first_filters, load, marks, weights, whiten
from lessons.cifar10.params import Params

HELD_OUT = 12
MAPS = 16
CELL = 12
COPIES = 10
PATCHED = 2000
LIVE = ("lr", "weight_decay")
MUON_MOMENTUM = 0.8
RESTS = 0.5  # of the training, after which the fast network's first learnt layer stays as it is

Bytes: TypeAlias = npt.NDArray[np.uint8]


def run(job: Job, state: Checkpoint | None = None) -> Generator[Step, Values | None, None]:
    """Trains `params.network` and yields after each minibatch.

    Scalars: loss and accuracy of the minibatch (as it was before its step), lr, images_per_s (measured, so it differs
    from run to run); at step 0, after each epoch and at the last step val_loss and val_accuracy; at the last step
    also test_loss and test_accuracy, which nothing before has looked at.
    """
    p = parse(Params, job.params)
    device = place(job.device)
    data = held(p.data, str(device), p.held_out)
    train, fill = data.train, (data.mean * 255).round().to(torch.uint8)
    bf16 = p.precision != "float32" and has_bfloat16(device)
    live = {name: float(getattr(p, name)) for name in LIVE}

    torch.manual_seed(job.seed)
    model = build(p.network, p.data, data.mean, data.std).to(device)
    if p.precision == "int8" and has_int8(device):
        model.bits = 8
    if p.network == "fast":
        whiten(model, train.images[:PATCHED])
    optimiser = choose_optimiser(model, p)
    generator = torch.Generator().manual_seed(job.seed)
    step = epoch = at = 0  # minibatches done; epochs done; images of this epoch done
    order = torch.empty(0, dtype=torch.int64)
    said = np.zeros(0, np.uint8)  # guesses for the validation images at the last check
    if state is not None:
        step, epoch, at, order, said = restore(state, p, data.validation, model, optimiser, generator)
        live.update({name: float(state[f"live.{name}"]) for name in LIVE if f"live.{name}" in state})
    moved = {name for name in LIVE if state is not None and f"live.{name}" in state}

    def snapshot() -> Checkpoint:
        kept = marks(p.network, p.data) | to_arrays("model", model.state_dict()) | optimiser_state(optimiser)
        kept |= {f"live.{name}": np.array(live[name]) for name in moved}
        kept |= {name: np.array(value) for name, value in (("at.step", step), ("at.epoch", epoch), ("at.image", at))}
        return kept | {
            "at.order": order.numpy().copy(),
            "at.guesses": said.copy(),
            "rng.own": generator.get_state().numpy().copy(),
            "rng.torch": torch.get_rng_state().numpy().copy(),
        }

    goal = round(p.epochs * len(train))  # images, each counted as often as it is seen

    def total() -> int:
        whole, part = divmod(goal, len(train))
        if epoch >= whole:
            return step + max(0, math.ceil((part - at) / p.batch))
        between = (whole - epoch - 1) * math.ceil(len(train) / p.batch)
        return step + math.ceil((len(train) - at) / p.batch) + between + math.ceil(part / p.batch)

    early = list(model.get_submodule("conv2").parameters()) if p.network == "fast" else []
    picture = partial(frame, model, data, bf16, looks_again(p))
    if state is None:
        check, said = validate(model, data.validation, bf16, looks_again(p))
        yield Step(0, {**check, "lr": lr_at(p, live["lr"], 0.0)}, total(), partial(picture, said), snapshot)

    rate = 0.0
    while epoch * len(train) + at < goal:
        began = time.perf_counter()
        if at == 0:
            order = torch.randperm(len(train), generator=generator)
        chosen = order[at : at + p.batch].to(device)
        images = augment(train, chosen, p.augment, epoch, generator, fill)
        labels = train.labels[chosen]
        done = (epoch + at / len(train)) / p.epochs
        for weight in early:  # the layers nearest the image are done first (Brock and others, 2017)
            weight.requires_grad_(done < RESTS)
        for group in optimiser.param_groups:
            group["lr"] = lr_at(p, live["lr"], done)
            group["weight_decay"] = live["weight_decay"] if group["decays"] else 0.0

        if not model.training:  # pictures and checks leave it in the other mode; switching takes its time
            model.train()
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            guesses = model(images)
        loss = F.cross_entropy(guesses.float(), labels, label_smoothing=p.smoothing)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

        step, at = step + 1, at + len(labels)
        scalars: Scalars = {
            "loss": loss.item(),
            "accuracy": (guesses.argmax(1) == labels).float().mean().item(),
            "lr": optimiser.param_groups[0]["lr"],
        }
        if not math.isfinite(scalars["loss"]):
            raise diverged(step, scalars["lr"], p)
        spent = time.perf_counter() - began
        rate = len(labels) / spent if not rate else 0.9 * rate + 0.1 * len(labels) / spent
        scalars["images_per_s"] = rate
        if at >= len(train):
            epoch, at = epoch + 1, 0
        over = epoch * len(train) + at >= goal
        if over or at == 0:
            check, said = validate(model, data.validation, bf16, looks_again(p))
            scalars |= check
        if over:
            final, _ = validate(model, data.test, bf16, looks_again(p))
            scalars |= {name.replace("val_", "test_"): value for name, value in final.items()}
        changes = yield Step(step, scalars, total(), partial(picture, said), snapshot)
        for name in LIVE:
            if changes and name in changes:
                live[name] = float(changes[name])
                moved.add(name)


def threads(job: Job) -> int:
    """How many threads of the processor a run is worth: one for the digits, all (0) for 45,000 photographs."""
    return 0 if job.params.get("data") == "cifar10" else 1


def place(wanted: str) -> torch.device:
    """The device for "auto", "cpu", "cuda" or "mps"."""
    if wanted != "auto":
        return torch.device(wanted)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 numbers itself; where it does not, they would only be slower."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def has_int8(device: torch.device) -> bool:
    """Whether the device multiplies 8-bit whole numbers, and there is code here that lets it."""
    return device.type == "cpu" and has_bfloat16(device) and norms.multiplies() and quantised.here()


def lr_at(p: Params, peak: float, done: float) -> float:
    """The learning rate when the part `done` (0..1) of the training lies behind.

    "constant"; "cosine": half a cosine from the peak to zero (Loshchilov and Hutter, 2016); "onecycle": up for the
    first quarter, down to zero for the rest (after Smith, 2018).
    """
    if p.schedule == "cosine":
        return peak * 0.5 * (1 + math.cos(math.pi * done))
    if p.schedule == "onecycle":
        return peak * (0.1 + 0.9 * done / 0.25 if done < 0.25 else (1 - done) / 0.75)
    return peak


def choose_optimiser(model: nn.Module, p: Params) -> torch.optim.Optimizer:
    """One of torch's optimisers, or Muon, for convolutions and the linear layers before the last, with Adam for others.

    Biases and batch norm's numbers do not decay: they do not make a function wilder.
    """
    learnt = [weight for weight in model.parameters() if weight.requires_grad]
    matrices = [weight for weight in learnt if weight.ndim > 1]
    vectors = [weight for weight in learnt if weight.ndim <= 1]
    if p.optimiser == "muon":
        hidden = {"params": matrices[:-1], "hidden": True, "decays": True}
        last = {"params": matrices[-1:], "decays": True}
        return Muon([hidden, last, {"params": vectors, "decays": False}], p.lr, MUON_MOMENTUM)
    groups: list[dict[str, Any]] = [{"params": matrices, "decays": True}, {"params": vectors, "decays": False}]
    if p.optimiser == "adam":
        return torch.optim.Adam(groups, p.lr, fused=True)
    if p.optimiser == "adamw":
        return torch.optim.AdamW(groups, p.lr, fused=True)
    momentum = 0.0 if p.optimiser == "sgd" else 0.9
    return torch.optim.SGD(groups, p.lr, momentum, nesterov=p.optimiser == "nesterov", fused=True)


def looks_again(p: Params) -> bool:
    """Whether an image is judged from more sides than one: the fast network, where mirrored images were trained on."""
    return p.network == "fast" and p.augment in ("flip", "crop_flip", "cutout")


def scores(model: nn.Module, images: torch.Tensor, again: bool) -> torch.Tensor:
    """The ten scores (n, 10) of each image; with `again` the mean over several sides of it (after Jordan, 2024).

    Those are the image and its mirror image. Where no class gets more than half then, both are looked at once more,
    shifted by a pixel down and to the right, and up and to the left.
    """
    found: torch.Tensor = model(images).float()
    if not again:
        return found
    found = (found + model(images.flip(3)).float()) / 2
    unsure = (found.softmax(1).amax(1) <= 0.5).nonzero()[:, 0]
    if len(unsure):
        few = images[unsure].contiguous(memory_format=torch.channels_last)
        moved = [shifted(few, by) for by in (1, -1)]
        sides = [side for one in moved for side in (one, one.flip(3))]
        found[unsure] = (2 * found[unsure] + sum(model(side).float() for side in sides)) / 6
    return found


def shifted(images: torch.Tensor, by: int) -> torch.Tensor:
    """The images moved by so many pixels down and to the right; what would be empty repeats the edge."""
    for dim in (2, 3):
        size = images.shape[dim]
        edge = [images.narrow(dim, 0 if by > 0 else size - 1, 1)] * abs(by)
        kept = images.narrow(dim, max(0, -by), size - abs(by))
        images = torch.cat([*edge, kept] if by > 0 else [kept, *edge], dim)
    return images.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def validate(model: nn.Module, part: Part, bf16: bool, again: bool = False) -> tuple[Scalars, Bytes]:
    """Mean loss and accuracy on `part`, and the guessed class of each image, uint8 (n,)."""
    model.eval()
    device = part.labels.device
    guesses = []
    for at in range(0, len(part), 500):
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            guesses.append(scores(model, part.images[at : at + 500], again))
    every = torch.cat(guesses)
    loss = F.cross_entropy(every, part.labels).item()
    best = every.argmax(1)
    right = (best == part.labels).float().mean().item()
    return {"val_loss": loss, "val_accuracy": right}, best.to(torch.uint8).cpu().numpy()


def diverged(step: int, lr: float, p: Params) -> Problem:
    """The sentence for a loss that is no number any more."""
    return Problem(
        f"At step {step} the loss stopped being a finite number: with a learning rate of {lr:.3g} the steps were so "
        f"large that the weights overflowed. Try a learning rate of {p.lr / 10:.2g}"
        + ("." if p.network == "fast" else ", or the fast network, whose batch norm stands larger steps."),
        f"第 {step} 步时损失不再是有限的数：学习率 {lr:.3g} 让每一步都太大，权重溢出了。"
        f"请试试学习率 {p.lr / 10:.2g}"
        + ("。" if p.network == "fast" else "，或换用带批归一化、更能承受大步长的快速网络。"),
    )


def to_arrays(start: str, tensors: dict[str, torch.Tensor]) -> Checkpoint:
    """Copies on the host, so that training on does not change a snapshot."""
    return {f"{start}.{name}": np.array(tensor.detach().cpu().contiguous().numpy()) for name, tensor in tensors.items()}


def optimiser_state(optimiser: torch.optim.Optimizer) -> Checkpoint:
    """The buffers of the weight numbered 3 as "optim.3.momentum_buffer", and so on."""
    buffers = optimiser.state_dict()["state"]
    return to_arrays(
        "optim",
        {f"{i}.{name}": value for i, one in buffers.items() for name, value in one.items() if value is not None},
    )


def restore(
    state: Checkpoint,
    p: Params,
    validation: Part,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    generator: torch.Generator,
) -> tuple[int, int, int, torch.Tensor, Bytes]:
    """Puts a snapshot back; returns step, epoch, image, order and the guesses of the last check.

    Buffers of another optimiser stay behind: the new one starts without them. Raises Problem for another network.
    """
    mark = marks(p.network, p.data)
    if any(int(state.get(name, -1)) != int(value) for name, value in mark.items()):
        raise Problem(
            "A run can be continued with other settings, but not with another network or other data: its weights "
            "would not fit. Start a new run.",
            "可以换设置接着训练，但不能换网络或数据：原来的权重对不上。请重新开始一次训练。",
        )
    if len(state["at.guesses"]) != len(validation):
        raise Problem(
            "A run cannot be continued with another part held out: it has learnt from images that would then be "
            "validation images. Start a new run.",
            "不能换一个留出比例接着训练：有些图像已经学过，不能再用来验证。请重新开始一次训练。",
        )
    model.load_state_dict(weights(state))
    own = optimiser.state_dict()
    trained = [weight for group in optimiser.param_groups for weight in group["params"]]
    found: dict[int, dict[str, torch.Tensor]] = {}
    for name, array in state.items():
        if name.startswith("optim."):
            _, number, buffer = name.split(".")
            value, weight = torch.from_numpy(np.array(array)), trained[int(number)]
            if value.shape == weight.shape:  # fused optimisers walk along memory: laid out as the weight is, then
                value = torch.empty_like(weight).copy_(value)
            found.setdefault(int(number), {})[buffer] = value
    kept = {"adam": "exp_avg", "adamw": "exp_avg", "sgd": None}.get(p.optimiser, "momentum_buffer")
    wanted = [
        "exp_avg" if p.optimiser == "muon" and not group["hidden"] else kept
        for group in optimiser.param_groups
        for _ in group["params"]
    ]
    if all(wanted[number] in (None, *buffers) for number, buffers in found.items()):
        own["state"] = found if kept else {}
        optimiser.load_state_dict(own)
    generator.set_state(torch.from_numpy(np.array(state["rng.own"])))
    torch.set_rng_state(torch.from_numpy(np.array(state["rng.torch"])))
    step, epoch, at = (int(state[f"at.{name}"]) for name in ("step", "epoch", "image"))
    return step, epoch, at, torch.from_numpy(np.array(state["at.order"])), np.array(state["at.guesses"])


# --- pictures of one moment ---------------------------------------------------------------------------------------


@torch.no_grad()
def frame(model: nn.Sequential, data: Images, bf16: bool, again: bool, said: Bytes) -> Arrays:
    """First-layer filters, maps of one image at the first layer, confusion counts, and twelve held-out images.

    The counts (10, 10), row = true class, column = guess, are those of the last check.
    """
    model.eval()
    images, labels = data.validation.images[:HELD_OUT], data.validation.labels[:HELD_OUT]
    with torch.autocast(images.device.type, torch.bfloat16, enabled=bf16):
        chances = scores(model, images, again).softmax(1)
    pairs = data.validation.labels.cpu().numpy() * 10 + said
    return {
        "filters": visible(first_filters(model)),
        "maps": maps_of(model, images[:1], next(name for name, _ in model.named_children() if name != "normalise")),
        "counts": np.bincount(pairs, minlength=100).reshape(10, 10).astype(np.int32),
        "images": pixels(images),
        "labels": labels.cpu().numpy(),
        "chances": chances.cpu().numpy(),
        "index": np.arange(HELD_OUT),
    }


def pixels(images: torch.Tensor) -> Bytes:
    """(n, 3, rows, columns) as (n, rows, columns, 3)."""
    return np.ascontiguousarray(images.permute(0, 2, 3, 1).cpu().numpy())


def visible(filters: torch.Tensor) -> Bytes:
    """Filters (n, 3, rows, columns) as colour images, each stretched by itself so that zero is middle grey."""
    most = filters.abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-12)
    return pixels(((filters.detach() / most + 1) * 127.5).round().to(torch.uint8))


def maps_of(model: nn.Sequential, image: torch.Tensor, layer: str) -> npt.NDArray[np.float16]:
    """What comes out of `layer` for one image (1, 3, size, size): (channels, rows, columns), the first 16 channels.

    The ReLU of a layer that a pool follows stands behind that pool (see networks.py); here it is where it belongs.
    """
    x, width = image, 0
    for name, part in model.named_children():
        x = part(x)
        width = next((one.out_channels for one in part.modules() if isinstance(one, nn.Conv2d)), width)
        if name == layer:
            break
    return x[0, : min(width, MAPS)].relu().float().cpu().numpy().astype(np.float16)


# --- questions ----------------------------------------------------------------------------------------------------


@torch.no_grad()
def look(job: Job, state: Checkpoint | None, name: str, args: Values) -> Arrays:
    """Answers about one moment of a run.

    "cell"      true, guess           the validation images in that cell of the confusion matrix, surest first
    "maps"      image, layer          activation maps of a validation image
    "image"     image                 that image, its label and the network's probabilities
    "classify"  picture (h, w, 3)     what the network makes of a learner's own picture
    "augment"   image                 changed copies of a training image; needs no state
    Raises Problem for arguments that are not of that form.
    """
    p = parse(Params, job.params)
    data = held(p.data, str(place(job.device)), p.held_out)
    if name == "augment":
        return copies(p, data, int_arg(args, "image", 0, len(data.train) - 1))
    if name not in ("cell", "maps", "image", "classify"):
        raise Problem(f"This lesson has no answer to {name!r:.40}.", f"本课无法回答 {name!r:.40}。")
    if state is None:
        raise Problem(
            "There is no network to ask yet. Start a run first, or go to the end of this recording.",
            "还没有可以询问的网络。请先开始一次训练，或跳到这段录像的末尾。",
        )
    model = load(state).to(data.train.labels.device)
    if name == "cell":
        return cell(
            model, data, looks_again(p), state["at.guesses"], int_arg(args, "true", 0, 9), int_arg(args, "guess", 0, 9)
        )
    if name == "classify":
        return classify(model, data, looks_again(p), args.get("picture"))
    index = int_arg(args, "image", 0, len(data.validation) - 1)
    image = data.validation.images[index : index + 1]
    if name == "maps":
        layer = known(p.network, args.get("layer") or shown(p.network)[0])
        return {
            "maps": maps_of(model, image, layer),
            "image": pixels(image),
            "layer": np.array(shown(p.network).index(layer)),
            "index": np.array([index]),
        }
    return {
        "images": pixels(image),
        "labels": data.validation.labels[index : index + 1].cpu().numpy(),
        "chances": scores(model, image, looks_again(p)).softmax(1).cpu().numpy(),
        "index": np.array([index]),
    }


def cell(model: nn.Module, data: Images, again: bool, said: Bytes, true: int, guess: int) -> Arrays:
    """The validation images of class `true` that the last check took for `guess`: at most twelve, the surest first.

    `chances` are the network's now, which may have changed its mind since that check.
    """
    inside = ((data.validation.labels.cpu() == true) & torch.from_numpy(said == guess)).nonzero()[:, 0]
    parts = torch.split(data.validation.images[inside.to(data.validation.labels.device)], 500)
    chances = torch.cat([scores(model, part, again) for part in parts]).softmax(1).cpu()
    surest = chances[:, guess].argsort(descending=True, stable=True)[:CELL]
    chosen = inside[surest]
    return {
        "images": pixels(data.validation.images[chosen.to(data.validation.labels.device)]),
        "labels": np.full(len(chosen), true),
        "guesses": np.full(len(chosen), guess),
        "chances": chances[surest].numpy(),
        "index": chosen.numpy(),
        "count": np.array(len(inside)),
    }


def classify(model: nn.Module, data: Images, again: bool, picture: Any) -> Arrays:
    """Probabilities for a learner's picture, uint8 (h, w, 3), and the small square the network saw of it."""
    if not isinstance(picture, np.ndarray) or picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise Problem(
            "There is no picture to classify. Upload one first.",
            "没有可以分类的图片。请先上传一张。",
        )
    height, width, _ = picture.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = torch.from_numpy(picture[top : top + side, left : left + side].copy()).permute(2, 0, 1)[None].float()
    small = F.interpolate(square, (data.size, data.size), mode="bilinear", antialias=True, align_corners=False)
    seen = small.round().clamp(0, 255).to(torch.uint8).contiguous(memory_format=torch.channels_last)
    return {
        "images": pixels(seen),
        "chances": scores(model, seen.to(data.train.labels.device), again).softmax(1).cpu().numpy(),
    }


def copies(p: Params, data: Images, index: int) -> Arrays:
    """The training image `index` as it is, and nine copies changed as the settings say."""
    image = data.train.images[index : index + 1]
    generator = torch.Generator().manual_seed(p.seed)
    fill = (data.mean * 255).round().to(torch.uint8)
    epochs = torch.arange(COPIES - 1)
    changed = augment(data.train, torch.full_like(epochs, index), p.augment, epochs, generator, fill)
    return {"images": pixels(torch.cat([image, changed]))}
