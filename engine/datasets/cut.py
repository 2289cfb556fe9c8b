"""Crops of images, mirrored or not: the part of augmentation that moves bytes. Works on the device of the images."""

from __future__ import annotations

import torch

from engine.datasets.images import Split


def cut(split: Split, chosen: torch.Tensor, places: torch.Tensor, mirrored: torch.Tensor) -> torch.Tensor:
    """Crops of the images number `chosen` (n,) of `split`: uint8 (n, size, size, 3).

    places: int64 (2, n), the row and column of each crop in its frame. mirrored: bool (n,), which crops are flipped
    left to right.
    """
    count, framed_size = len(chosen), split.frames.shape[1]
    size, device = framed_size - 2 * split.border, split.frames.device
    rows, columns = places.to(device)
    # A line of a crop is a run of bytes that begins at some pixel. In a view with a line from each pixel on (they
    # overlap) it is one row, copied at once: a tenth of the time of an index by image, row and column.
    lines = split.frames.as_strided((split.frames.numel() // 3 - size + 1, 3 * size), (3, 1))
    first = (chosen.to(device) * framed_size + rows) * framed_size + columns
    starts = first[:, None] + torch.arange(size, device=device) * framed_size
    pixels = lines.index_select(0, starts.view(-1)).view(count, size, size, 3)
    flipped = mirrored.nonzero()[:, 0].to(device)
    if len(flipped):
        pixels.index_copy_(0, flipped, pixels.index_select(0, flipped).flip(2))
    return pixels
