"""A convolution of few channels that is computed as fast as one of eight."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

CHANNELS = 8  # outputs are padded to a multiple of it


class Convolution(nn.Conv2d):
    """`nn.Conv2d` whose output is padded with channels of zeros to a multiple of eight, and whose input may be.

    x (n, at least in_channels, rows, columns) -> (n, padded out_channels, rows, columns). Processors compute eight or
    sixteen consecutive numbers at a time: with channels last in memory, a max pool of six channels takes twice as long
    as one of eight. Weights and gradients are those of `nn.Conv2d`; a padding channel of the input has weights of zero.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        padding_in, padding_out = x.shape[1] - self.in_channels, -self.out_channels % CHANNELS
        weight, bias = self.weight, self.bias
        if padding_in or padding_out:
            weight = F.pad(weight, (0, 0, 0, 0, 0, padding_in, 0, padding_out))
            weight = weight.contiguous(memory_format=torch.channels_last)
            bias = None if bias is None else F.pad(bias, (0, padding_out))
        return F.conv2d(x, weight, bias, self.stride, self.padding)
