"""Augmented copies of a batch of images, made on the device that holds them, all at once."""

from __future__ import annotations

import torch

from engine.datasets.cut import cut
from engine.datasets.images import Split


def augment(
    part: Split,
    chosen: torch.Tensor,
    how: str,
    epoch: int | torch.Tensor,
    generator: torch.Generator,
    fill: torch.Tensor,
) -> torch.Tensor:
    """Augmented copies of the images number `chosen` (n,) of `part`: uint8 (n, 3, size, size), channels last in memory.

    `how`: "none"; "flip" mirrors every second image, and in the next `epoch` the others (Jordan, 2024); "crop" shifts
    each by up to an eighth of its size, black where nothing is; "crop_flip" does both; "cutout" both and then paints a
    square over each, a quarter of its size wide, in the colour `fill` (3,) uint8 (DeVries and Taylor, 2017). The random
    numbers are drawn on the CPU, so that a seed means the same on every device.
    """
    count, border, device = len(chosen), part.border, part.frames.device
    size = part.frames.shape[1] - 2 * border
    shift = torch.full((2, count), border)
    if how in ("crop", "crop_flip", "cutout"):
        shift = torch.randint(0, 2 * border + 1, (2, count), generator=generator)
    mirrored = torch.zeros(count, dtype=torch.bool)
    if how in ("flip", "crop_flip", "cutout"):  # by the number of the image, which is random: the set is shuffled
        mirrored = (chosen.cpu() + epoch) % 2 == 1
    pixels = cut(part, chosen, shift, mirrored)
    if how == "cutout":
        side = size // 4
        corner = torch.randint(0, size - side + 1, (2, count), generator=generator).to(device)
        place = torch.arange(size, device=device)
        rows, columns = ((place >= start[:, None]) & (place < start[:, None] + side) for start in corner)
        hole = (rows[:, :, None] & columns[:, None, :])[..., None]
        pixels = torch.where(hole, fill, pixels)
    return pixels.permute(0, 3, 1, 2)
