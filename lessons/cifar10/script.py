"""Training a small image classifier in plain PyTorch: the program behind the lesson "Seeing with convolutions".

    python script.py

With DATA = "digits" it needs torch and scikit-learn, and no network. With DATA = "cifar10" it reads the binary version
of CIFAR-10 (https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz), unpacked, from the folder named in the
environment variable TORCHROOM_CIFAR10, or else from here.
"""

import math
import os
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

# settings
DATA = "digits"  # digits, cifar10
NETWORK = "tutorial"  # tutorial, vgg, fast
OPTIMISER = "momentum"  # sgd, momentum, nesterov, adam, adamw, muon
LR = 0.02
SCHEDULE = "constant"  # constant, cosine, onecycle
WEIGHT_DECAY = 0.0
BATCH = 32
AUGMENT = "none"  # none, flip, crop, crop_flip, cutout
SMOOTHING = 0.0
EPOCHS = 16.0
HELD_OUT = 20  # percent of the training images
PRECISION = "float32"  # float32, bfloat16, int8 (bfloat16 in this file)
SEED = 0
# end of settings


def read_digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """scikit-learn's digits as 16 x 16 images with three equal channels; the last 300 are the test images."""
    from sklearn.datasets import load_digits

    found = load_digits()
    grey = np.rint(found.images * (255 / 16)).astype(np.uint8).repeat(2, axis=1).repeat(2, axis=2)
    images = np.repeat(grey[:, None], 3, axis=1)
    return images[:-300], found.target[:-300], images[-300:], found.target[-300:]


def read_cifar10() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows of 3,073 bytes: a label, then 32 x 32 red, green and blue values."""
    folder = Path(os.environ.get("TORCHROOM_CIFAR10", "."))
    if (folder / "cifar-10-batches-bin").is_dir():
        folder = folder / "cifar-10-batches-bin"
    files = [folder / f"data_batch_{n}.bin" for n in range(1, 6)]
    train = np.concatenate([np.fromfile(file, np.uint8) for file in files]).reshape(-1, 3073)
    test = np.fromfile(folder / "test_batch.bin", np.uint8).reshape(-1, 3073)
    return train[:, 1:].reshape(-1, 3, 32, 32), train[:, 0], test[:, 1:].reshape(-1, 3, 32, 32), test[:, 0]


class Normalise(nn.Module):
    """(x / 255 - mean) / std for each channel, as one multiplication and one addition."""

    def __init__(self, mean: torch.Tensor, std: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", (1 / (255 * std)).reshape(1, 3, 1, 1))
        self.register_buffer("shift", (-mean / std).reshape(1, 3, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.addcmul(self.shift, images.float(), self.scale)


def tutorial(size: int) -> list[nn.Module]:
    """Two convolutions and three linear layers, as in PyTorch's own tutorial."""
    side = ((size - 4) // 2 - 4) // 2
    return [
        nn.Sequential(nn.Conv2d(3, 6, 5), nn.ReLU(inplace=True)),
        nn.MaxPool2d(2),
        nn.Sequential(nn.Conv2d(6, 16, 5), nn.ReLU(inplace=True)),
        nn.MaxPool2d(2),
        nn.Sequential(nn.Flatten(), nn.Linear(16 * side * side, 120), nn.ReLU(inplace=True)),
        nn.Sequential(nn.Linear(120, 84), nn.ReLU(inplace=True)),
        nn.Linear(84, 10),
    ]


def vgg(size: int) -> list[nn.Module]:
    """Three pairs of 3 x 3 convolutions, each followed by a pool."""
    layers: list[nn.Module] = []
    for before, after in ((3, 16), (16, 32), (32, 64)):
        layers.append(nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True)))
        layers.append(nn.Sequential(nn.Conv2d(after, after, 3, padding=1), nn.ReLU(inplace=True)))
        layers.append(nn.MaxPool2d(2))
    side = size // 8
    layers.append(nn.Sequential(nn.Flatten(), nn.Linear(64 * side * side, 128), nn.ReLU(inplace=True)))
    return [*layers, nn.Linear(128, 10)]


def block(before: int, after: int) -> nn.Module:
    """A 3 x 3 convolution, batch norm and ReLU. The batch norm has a shift of its own, so no bias is needed."""
    convolution = nn.Conv2d(before, after, 3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU(inplace=True))


def fast(size: int) -> list[nn.Module]:
    """A whitened first layer, then batch norm after every convolution, and one linear layer at the end."""
    return [
        nn.Sequential(nn.Conv2d(3, 32, 4, 2, 1, bias=False), nn.ReLU(inplace=True)),
        block(32, 32),
        nn.MaxPool2d(2),
        block(32, 64),
        nn.MaxPool2d(2),
        block(64, 96),
        block(96, 96),
        nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()),
        nn.Linear(96, 10),
    ]


def whiten(filters: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Filters (n, 3, k, k) that see all directions of image patches equally strongly, and no two the same.

    They are the eigenvectors of the patches' covariance, largest first, each divided by the root of its eigenvalue;
    the second half of the filters are the first half with the opposite sign.
    """
    count, _, kernel, _ = filters.shape
    patches = F.unfold(images, kernel, stride=2).transpose(1, 2).reshape(-1, 3 * kernel * kernel)
    values, vectors = torch.linalg.eigh((patches.T @ patches / len(patches)).double())
    largest = (vectors / (values + 0.005).sqrt()).T.flip(0)[: count // 2].reshape(-1, 3, kernel, kernel)
    return torch.cat([largest, -largest]).to(filters)


def augment(
    images: torch.Tensor, chosen: torch.Tensor, epoch: int, generator: torch.Generator, fill: torch.Tensor
) -> torch.Tensor:
    """Changed copies of the `chosen` of the uint8 images (n, 3, size, size)."""
    images = images[chosen]
    count, _, size, _ = images.shape
    pixels = images.permute(0, 2, 3, 1)
    if AUGMENT in ("crop", "crop_flip", "cutout"):
        pad = size // 8
        shift = torch.randint(0, 2 * pad + 1, (2, count), generator=generator)
        padded = F.pad(pixels, (0, 0, pad, pad, pad, pad))
        pixels = torch.stack(
            [one[y : y + size, x : x + size] for one, y, x in zip(padded, shift[0], shift[1], strict=True)]
        )
    if AUGMENT in ("flip", "crop_flip", "cutout"):
        mirrored = (chosen + epoch) % 2 == 1  # every second image, and in the next epoch the others
        pixels = torch.where(mirrored[:, None, None, None], pixels.flip(2), pixels)
    if AUGMENT == "cutout":
        side = size // 4
        corner = torch.randint(0, size - side + 1, (2, count), generator=generator)
        pixels = pixels.clone()
        for one, y, x in zip(pixels, corner[0], corner[1], strict=True):
            one[y : y + side, x : x + side] = fill
    return pixels.permute(0, 3, 1, 2)


def lr_at(done: float) -> float:
    """The learning rate when the part `done` (0..1) of the training is over."""
    if SCHEDULE == "cosine":
        return LR * 0.5 * (1 + math.cos(math.pi * done))
    if SCHEDULE == "onecycle":
        return LR * (0.1 + 0.9 * done / 0.25 if done < 0.25 else (1 - done) / 0.75)
    return LR


class Muon(torch.optim.AdamW):
    """Hidden weights step by the orthogonal part of their averaged gradient, all others by AdamW."""

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups[:1]:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                average = self.state[weight].setdefault("average", torch.zeros_like(weight))
                average.lerp_(weight.grad, 1 - 0.8)
                ahead = weight.grad.lerp(average, 0.8).movedim(1, -1)
                x = ahead.reshape(len(ahead), -1)
                tall = len(x) > x.shape[1]
                x = x.T if tall else x
                x = x / x.norm().clamp_min(1e-7)
                gram, whole = x @ x.T, torch.eye(len(x))
                for _ in range(5):  # singular values towards one, by the polynomial 3.4445 s - 4.7750 s^3 + 2.0315 s^5
                    factor = 3.4445 * torch.eye(len(x)) - 4.7750 * gram + 2.0315 * gram @ gram
                    whole, gram = whole @ factor, gram @ factor @ factor
                x = whole @ x
                x = x.T if tall else x
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.sub_(0.2 * max(x.shape) ** 0.5 * group["lr"] * x.view(ahead.shape).movedim(-1, 1))
                weight.grad = None  # done; AdamW leaves it alone
        super().step()


def choose_optimiser(model: nn.Module) -> torch.optim.Optimizer:
    """Biases and batch norm's numbers do not decay."""
    learnt = [weight for weight in model.parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for weight in learnt if weight.ndim > 1], "weight_decay": WEIGHT_DECAY},
        {"params": [weight for weight in learnt if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    if OPTIMISER == "muon":
        hidden = {**groups[0], "params": groups[0]["params"][:-1]}
        return Muon([hidden, {**groups[0], "params": groups[0]["params"][-1:]}, groups[1]], LR, (0.9, 0.95))
    if OPTIMISER == "adam":
        return torch.optim.Adam(groups, LR)
    if OPTIMISER == "adamw":
        return torch.optim.AdamW(groups, LR)
    return torch.optim.SGD(groups, LR, 0.0 if OPTIMISER == "sgd" else 0.9, nesterov=OPTIMISER == "nesterov")


@torch.no_grad()
def accuracy(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """The part of the images that are named right. The fast network looks at each image and at its mirror image, and
    where no class gets more than half, at both again, shifted by a pixel one way and the other."""
    model.eval()

    def judged(seen: torch.Tensor) -> torch.Tensor:
        both = [seen, seen.flip(3)] if NETWORK == "fast" and AUGMENT in ("flip", "crop_flip", "cutout") else [seen]
        return torch.stack([torch.cat([model(part) for part in one.split(500)]) for one in both]).mean(0)

    scores = judged(images)
    if NETWORK == "fast" and AUGMENT in ("flip", "crop_flip", "cutout"):
        unsure = (scores.softmax(1).amax(1) <= 0.5).nonzero()[:, 0]
        if len(unsure):
            edges = [(torch.arange(images.shape[-1]) - by).clamp(0, images.shape[-1] - 1) for by in (1, -1)]
            moved = [judged(images[unsure][:, :, edge][:, :, :, edge]) for edge in edges]
            scores[unsure] = (scores[unsure] + sum(moved)) / 3
    return (scores.argmax(1) == labels).float().mean().item()


def main() -> None:
    pixels, truth, test_pixels, test_truth = read_digits() if DATA == "digits" else read_cifar10()
    order = np.random.RandomState(0).permutation(len(pixels))  # the same images are held out, whatever the seed
    kept = len(order) - round(len(order) * HELD_OUT / 100)
    learnt, held_out = order[:kept], order[kept:]

    def tensors(some_pixels: np.ndarray, some_truth: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        stored = torch.from_numpy(np.ascontiguousarray(some_pixels))
        return stored.to(memory_format=torch.channels_last), torch.from_numpy(some_truth.astype(np.int64))

    images, labels = tensors(pixels[learnt], truth[learnt])
    validation = tensors(pixels[held_out], truth[held_out])
    test = tensors(test_pixels, test_truth)
    values = pixels.transpose(1, 0, 2, 3).reshape(3, -1) / 255
    mean, std = (torch.tensor(one, dtype=torch.float32) for one in (values.mean(1), values.std(1)))
    fill = (mean * 255).round().to(torch.uint8)

    torch.manual_seed(SEED)
    generator = torch.Generator().manual_seed(SEED)
    normalise = Normalise(mean, std)
    layers = {"tutorial": tutorial, "vgg": vgg, "fast": fast}[NETWORK](images.shape[-1])
    model = nn.Sequential(OrderedDict([("normalise", normalise), *((f"{n}", one) for n, one in enumerate(layers))]))
    model = model.to(memory_format=torch.channels_last)
    if NETWORK == "fast":
        first = next(part for part in model.modules() if isinstance(part, nn.Conv2d))
        first.weight.data.copy_(whiten(first.weight, normalise(images[:2000])))
        first.weight.requires_grad_(False)
    optimiser = choose_optimiser(model)

    print(f"before training: validation accuracy {accuracy(model, *validation):.4f}")
    goal = round(EPOCHS * len(images))  # images, each counted as often as it is seen
    for epoch in range(math.ceil(EPOCHS)):
        order = torch.randperm(len(images), generator=generator)
        for at in range(0, min(len(images), goal - epoch * len(images)), BATCH):
            chosen = order[at : at + BATCH]
            batch = augment(images, chosen, epoch, generator, fill)
            done = (epoch + at / len(images)) / EPOCHS
            if NETWORK == "fast":  # its first learnt layer stays as it is in the second half
                model.get_submodule("1").requires_grad_(done < 0.5)
            for group in optimiser.param_groups:
                group["lr"] = lr_at(done)

            model.train()
            with torch.autocast("cpu", torch.bfloat16, enabled=PRECISION != "float32"):
                guesses = model(batch)
            loss = F.cross_entropy(guesses.float(), labels[chosen], label_smoothing=SMOOTHING)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        print(f"epoch {epoch + 1}: loss {loss.item():.4f}, validation accuracy {accuracy(model, *validation):.4f}")

    print(f"test accuracy {accuracy(model, *test):.4f}")
    print(f"final loss {loss.item():.6f}")


if __name__ == "__main__":
    main()
