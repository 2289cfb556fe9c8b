"""What can be asked about one moment of a run."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from engine.datasets.images import Images, load_images
from engine.params import int_arg, parse
from engine.types import Arrays, Checkpoint, Job, Problem, Values
from engine.worker import devices
from lessons.cifar10.architecture import known, shown
from lessons.cifar10.augment import augment
from lessons.cifar10.evaluation import BATCH, Bytes, predict, several_views
from lessons.cifar10.networks import load
from lessons.cifar10.params import Params
from lessons.cifar10.pictures import feature_maps, pixels

LISTED = 12  # images of a cell of the confusion matrix
COPIES = 10  # of an image to be augmented, the first of them unchanged


@torch.no_grad()
def look(job: Job, state: Checkpoint | None, name: str, args: Values) -> Arrays:
    """Answers the query `name` with a checkpoint's network.

    "cell"      true, guess           the validation images in that cell of the confusion matrix, surest first
    "maps"      image, layer          feature maps of a validation image
    "image"     image                 that image, its label and the network's probabilities
    "classify"  picture (h, w, 3)     the network's probabilities for a learner's own picture
    "augment"   image                 augmented copies of a training image; needs no checkpoint

    Raises Problem for arguments that are not of that form, and where there is no checkpoint.
    """
    p = parse(Params, job.params)
    data = load_images(p.data, str(devices.choose(job.device)), p.held_out)
    if name == "augment":
        return augmented_copies(p, data, int_arg(args, "image", 0, len(data.train) - 1))
    if name not in ("cell", "maps", "image", "classify"):
        raise Problem(f"This lesson has no answer to {name!r:.40}.", f"本课无法回答 {name!r:.40}。")
    if state is None:
        raise Problem(
            "There is no network to ask yet. Start a run first, or go to the end of this recording.",
            "还没有可以询问的网络。请先开始一次训练，或跳到这段录像的末尾。",
        )
    model = load(state).to(data.train.labels.device)
    views = several_views(p)
    if name == "cell":
        true, guess = int_arg(args, "true", 0, 9), int_arg(args, "guess", 0, 9)
        return confused(model, data, views, state["at.guesses"], true, guess)
    if name == "classify":
        return classify(model, data, views, args.get("picture"))
    index = int_arg(args, "image", 0, len(data.validation) - 1)
    image = data.validation.images[index : index + 1]
    if name == "maps":
        layer = known(p.network, args.get("layer") or shown(p.network)[0])
        return {
            "maps": feature_maps(model, image, layer),
            "image": pixels(image),
            "layer": np.array(shown(p.network).index(layer)),
            "index": np.array([index]),
        }
    return {
        "images": pixels(image),
        "labels": data.validation.labels[index : index + 1].cpu().numpy(),
        "chances": predict(model, image, views).softmax(1).cpu().numpy(),
        "index": np.array([index]),
    }


def confused(model: nn.Module, data: Images, views: bool, predicted: Bytes, true: int, guess: int) -> Arrays:
    """The validation images of class `true` for which the last check predicted `guess`: at most LISTED, surest first.

    `chances` are what the network says now, which may differ from that check; `count` is how many there are.
    """
    inside = ((data.validation.labels.cpu() == true) & torch.from_numpy(predicted == guess)).nonzero()[:, 0]
    batches = torch.split(data.validation.images[inside.to(data.validation.labels.device)], BATCH)
    probabilities = torch.cat([predict(model, batch, views) for batch in batches]).softmax(1).cpu()
    surest = probabilities[:, guess].argsort(descending=True, stable=True)[:LISTED]
    chosen = inside[surest]
    return {
        "images": pixels(data.validation.images[chosen.to(data.validation.labels.device)]),
        "labels": np.full(len(chosen), true),
        "guesses": np.full(len(chosen), guess),
        "chances": probabilities[surest].numpy(),
        "index": chosen.numpy(),
        "count": np.array(len(inside)),
    }


def classify(model: nn.Module, data: Images, views: bool, picture: Any) -> Arrays:
    """Probabilities for a learner's picture, uint8 (h, w, 3), and the small square out of its middle that is used."""
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
    image = small.round().clamp(0, 255).to(torch.uint8).contiguous(memory_format=torch.channels_last)
    return {
        "images": pixels(image),
        "chances": predict(model, image.to(data.train.labels.device), views).softmax(1).cpu().numpy(),
    }


def augmented_copies(p: Params, data: Images, index: int) -> Arrays:
    """The training image `index` as it is, and COPIES - 1 augmented copies, one for each of as many epochs."""
    image = data.train.images[index : index + 1]
    generator = torch.Generator().manual_seed(p.seed)
    fill = (data.mean * 255).round().to(torch.uint8)
    epochs = torch.arange(COPIES - 1)
    changed = augment(data.train, torch.full_like(epochs, index), p.augment, epochs, generator, fill)
    return {"images": pixels(torch.cat([image, changed]))}
