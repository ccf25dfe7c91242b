"""Gated convolution (Yu et al. 2019, Free-Form Image Inpainting with Gated Convolution, section 3.1)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpainting.layers.padding import pad_same

FEATURE_GAIN = 2.5
"""Gain of the feature half at the start: ELU(a) · σ(b) then keeps the second moment of its input. The usual gains
are made for a bare ReLU; with them the gates shrink the signal fourfold a layer and a deep stack starts out silent."""


class GatedConv2d(nn.Module):
    """One convolution makes features and gates: ``ELU(features) · sigmoid(gates)``; no normalisation.

    Reflect padding of ``dilation · (kernel − 1) / 2`` (edge padding on maps too small for it), so that stride 1 keeps
    the size and stride 2 halves it.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1, dilation: int = 1
    ) -> None:
        super().__init__()
        self.padding = dilation * (kernel - 1) // 2
        self.conv = nn.Conv2d(in_channels, 2 * out_channels, kernel, stride=stride, dilation=dilation)
        with torch.no_grad():
            deviation = 1.0 / math.sqrt(in_channels * kernel * kernel)
            self.conv.weight.normal_(0.0, deviation)
            self.conv.weight[:out_channels] *= FEATURE_GAIN
            self.conv.bias.zero_()  # type: ignore[union-attr]

    def forward(self, maps: Tensor) -> Tensor:
        """(B, in_channels, H, W) → (B, out_channels, ⌈H / stride⌉, ⌈W / stride⌉)."""
        features, gates = self.conv(pad_same(maps, self.padding)).chunk(2, dim=1)
        return F.elu(features) * torch.sigmoid(gates)


class GatedUp2d(nn.Module):
    """Nearest-neighbour ×2, then a gated 3×3 convolution."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.gated = GatedConv2d(in_channels, out_channels)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, in_channels, H, W) → (B, out_channels, 2 · H, 2 · W)."""
        doubled: Tensor = self.gated(F.interpolate(maps, scale_factor=2, mode="nearest"))
        return doubled
