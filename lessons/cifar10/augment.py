"""Changed copies of a batch of images, made where the images lie, for all of them at once."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def augment(images: torch.Tensor, how: str, generator: torch.Generator, fill: torch.Tensor) -> torch.Tensor:
    """A changed copy of `images`, uint8 (n, 3, size, size) with channels last in memory.

    `how`: "none"; "flip" mirrors every second image or so; "crop" shifts each by up to an eighth of its size, black
    where nothing is; "crop_flip" does both; "cutout" both and then paints a square over each, a quarter of its size
    wide, in the colour `fill` (3,) uint8 (DeVries and Taylor, 2017). The random numbers are drawn on the CPU, so that
    a seed means the same on every device.
    """
    count, _, size, _ = images.shape
    device = images.device
    pixels = images.permute(0, 2, 3, 1)  # as they lie in memory: (n, size, size, 3)
    if how in ("crop", "crop_flip", "cutout"):
        pad = size // 8
        shift = torch.randint(0, 2 * pad + 1, (2, count), generator=generator).to(device)
        lines = F.pad(pixels, (0, 0, pad, pad, pad, pad)).reshape(count, size + 2 * pad, -1)
        # Every place of the window at once, as a view: (n, shifts down, shifts across, size, 3 * size).
        windows = lines.unfold(1, size, 1).unfold(2, 3 * size, 3)
        pixels = windows[torch.arange(count, device=device), shift[0], shift[1]].reshape(pixels.shape)
    if how in ("flip", "crop_flip", "cutout"):
        mirrored = (torch.rand(count, generator=generator) < 0.5).nonzero()[:, 0].to(device)
        pixels = pixels.index_copy(0, mirrored, pixels[mirrored].flip(2))
    if how == "cutout":
        side = size // 4
        corner = torch.randint(0, size - side + 1, (2, count), generator=generator).to(device)
        place = torch.arange(size, device=device)
        down, across = ((place >= start[:, None]) & (place < start[:, None] + side) for start in corner)
        hole = (down[:, :, None] & across[:, None, :])[..., None]
        pixels = torch.where(hole, fill, pixels)
    return pixels.permute(0, 3, 1, 2)
