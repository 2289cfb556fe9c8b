"""A convolution of few channels, computed as fast as one of eight."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

LANE = 8


class Convolution(nn.Conv2d):
    """`nn.Conv2d` whose output is filled up with channels of zeros to a multiple of eight, and whose input may be.

    Processors work on eight or sixteen neighbouring numbers at a time; with channels last in memory and six channels,
    a max pool takes twice as long as with eight. Weights, gradients and the channels that count are those of
    `nn.Conv2d`: an input channel of zeros adds nothing, whatever its weight.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        more_in, more_out = x.shape[1] - self.in_channels, -self.out_channels % LANE
        weight, bias = self.weight, self.bias
        if more_in or more_out:
            weight = F.pad(weight, (0, 0, 0, 0, 0, more_in, 0, more_out)).contiguous(memory_format=torch.channels_last)
            bias = None if bias is None else F.pad(bias, (0, more_out))
        return F.conv2d(x, weight, bias, self.stride, self.padding)
