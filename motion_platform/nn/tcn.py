"""A dilated convolutional network over time that sees as far back as ahead.

Source: the pose decoder of VirtualConductor (Chen et al. 2022, models/TCN.py), after Bai et al. 2018
(arXiv:1803.01271): weight-normalised convolutions, dilation 2^i in block i, batch normalisation, residuals.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

KERNEL = 5


class TemporalBlock(nn.Module):
    """(B, in, T) -> (B, out, T): twice convolution, norm and ReLU, a mean over 3 frames, and the input added.

    As published, the input is reflected at its ends by twice what a centred convolution needs and the result cut to
    its middle; the frames that this adds are the ones cut off, so here it is reflected by what is needed.
    """

    def __init__(self, inputs: int, outputs: int, dilation: int) -> None:
        super().__init__()
        reach = (KERNEL - 1) * dilation // 2
        self.first = weight_norm(_convolution(inputs, outputs, dilation, reach))
        self.first_norm = nn.BatchNorm1d(outputs)
        self.second = weight_norm(_convolution(outputs, outputs, dilation, reach))
        self.second_norm = nn.BatchNorm1d(outputs)
        self.skip = nn.Conv1d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        if inputs != outputs:
            nn.init.normal_(self.skip.weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.first_norm(self.first(x)))
        h = F.relu(self.second_norm(self.second(h)))
        return F.relu(F.avg_pool1d(h, 3, stride=1, padding=1) + self.skip(x))


class TCN(nn.Module):
    """(B, T, inputs) -> (B, T, outputs); ``shortest``: the fewest frames that can be reflected at both ends."""

    def __init__(self, inputs: int, channels: int, outputs: int, layers: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(TemporalBlock(channels if i else inputs, channels, 2**i) for i in range(layers)))
        self.output = nn.Linear(channels, outputs)
        nn.init.normal_(self.output.weight, std=0.01)
        self.shortest = (KERNEL - 1) * 2 ** (layers - 1) // 2 + 1

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.blocks(x.transpose(1, 2)).transpose(1, 2))


def _convolution(inputs: int, outputs: int, dilation: int, reach: int) -> nn.Conv1d:
    convolution = nn.Conv1d(inputs, outputs, KERNEL, padding=reach, dilation=dilation, padding_mode="reflect")
    nn.init.normal_(convolution.weight, std=0.01)
    return convolution
