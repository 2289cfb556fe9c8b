"""The frozen baseline of the `cnn` benchmark: CIFAR-10 as beginners' tutorials train it. Not to be improved.

The two-convolution network of PyTorch's own CIFAR-10 tutorial, batch 128, SGD with momentum 0.9, float32, and a
DataLoader that crops (padding 4), flips and normalises one PIL image at a time, in this process or in two workers.
It imports nothing of this project, so that it stays what it was when the project changes.

    python -m tests.bench.plain FOLDER [workers] [epochs] [seed]      prints one JSON object
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import nn
from torch.utils.data import DataLoader, Dataset

MEAN = torch.tensor([0.4914, 0.4822, 0.4465])[:, None, None]
STD = torch.tensor([0.2470, 0.2435, 0.2616])[:, None, None]
LR = 0.02
BATCH = 128


class Pictures(Dataset[tuple[torch.Tensor, int]]):
    """The binary files, one PIL image at a time, changed and normalised when it is asked for.

    Step by step what torchvision does in CIFAR10, RandomCrop(32, padding=4), RandomHorizontalFlip, ToTensor and
    Normalize (torchvision itself is not needed to run this), without its checks of types and its wrapping classes.
    """

    def __init__(self, files: list[Path], train: bool) -> None:
        rows = np.concatenate([np.fromfile(file, np.uint8).reshape(-1, 3073) for file in files])
        self.labels = rows[:, 0].astype(np.int64).tolist()
        self.pixels = np.ascontiguousarray(rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        self.train = train

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = Image.fromarray(self.pixels[index])
        if self.train:
            image = ImageOps.expand(image, border=4, fill=0)
            top = int(torch.randint(0, 9, size=(1,)).item())
            left = int(torch.randint(0, 9, size=(1,)).item())
            image = image.crop((left, top, left + 32, top + 32))
            if torch.rand(1) < 0.5:
                image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        tensor = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().to(torch.float32).div(255)
        return tensor.sub(MEAN).div(STD), self.labels[index]


class Net(nn.Module):
    """62,006 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(torch.relu(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x)))
        x = torch.flatten(x, 1)
        x = torch.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        return torch.as_tensor(self.fc3(x))


def main(folder: Path, workers: int = 0, epochs: int = 3, seed: int = 0) -> dict[str, Any]:
    """Trains for `epochs` and returns seconds of each epoch, and the test accuracy (its time is not counted)."""
    torch.manual_seed(seed)
    train = Pictures([folder / f"data_batch_{n}.bin" for n in range(1, 6)], train=True)
    test = Pictures([folder / "test_batch.bin"], train=False)
    loader = DataLoader(train, BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
    model = Net()
    loss_function = nn.CrossEntropyLoss()
    optimiser = torch.optim.SGD(model.parameters(), lr=LR, momentum=0.9)
    seconds = []
    for _ in range(epochs):
        start = time.perf_counter()
        for images, labels in loader:
            optimiser.zero_grad()
            loss = loss_function(model(images), labels)
            loss.backward()
            optimiser.step()
        seconds.append(time.perf_counter() - start)
    model.eval()
    right = 0
    with torch.no_grad():
        for images, labels in DataLoader(test, 500):
            right += int((model(images).argmax(1) == labels).sum())
    return {"workers": workers, "epochs": epochs, "seconds": seconds, "test_accuracy": right / len(test)}


if __name__ == "__main__":
    place, *rest = sys.argv[1:]
    print(json.dumps(main(Path(place), *(int(one) for one in rest))))
