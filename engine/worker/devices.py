"""Which device a worker owns: CUDA if there is one, else Apple's MPS, else the processor."""

from __future__ import annotations

import os
import platform
from typing import Any

import psutil
import torch

PROCESS = psutil.Process()


def choose(wanted: str = "auto") -> torch.device:
    """The device called "auto", "cpu", "mps", "cuda" or "cuda:1"."""
    if wanted != "auto":
        return torch.device(wanted)
    if torch.cuda.is_available():
        return torch.device("cuda", 0)
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def describe(device: torch.device) -> dict[str, Any]:
    """What the lab page shows of a worker: its device, the hardware's name, threads, torch's version, the number of
    devices of that kind, and the process id.
    """
    cuda = device.type == "cuda"
    return {
        "device": str(device),
        "name": torch.cuda.get_device_name(device) if cuda else platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "count": torch.cuda.device_count() if cuda else 1,
        "pid": os.getpid(),
    }


def memory_in_use(device: str) -> int:
    """Bytes that this process holds now: of the device's own memory, or of the machine's where it has none."""
    if device.startswith("cuda"):
        return torch.cuda.memory_allocated(device)
    if device == "mps":
        return torch.mps.current_allocated_memory()
    return int(PROCESS.memory_info().rss)


def warm_up(device: torch.device) -> None:
    """Takes a step with each optimiser, before a learner waits: the first optimiser imports torch modules for seconds,
    and the first kernel initialises the device.
    """
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(144, 2)).to(device)
    for optimiser_class in (torch.optim.SGD, torch.optim.Adam):
        optimiser = optimiser_class(model.parameters(), lr=0.1)
        optimiser.zero_grad()
        model(torch.zeros(2, 3, 8, 8, device=device)).sum().backward()
        optimiser.step()
