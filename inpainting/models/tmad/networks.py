"""The four networks of T-MAD: coarse network, PSNet, texture encoder, and (in `layers.retrieval`) the embeddings.

Source: Xu et al., "Texture Memory-Augmented Deep Patch-Based Image Inpainting", section IV and table I: convolution
blocks without normalisation, leaky ReLU 0.2 everywhere but after the last layer, CARAFE for up-sampling.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn

from inpainting.layers.carafe import CARAFE
from inpainting.models.tmad.config import TMADConfig

SLOPE = 0.2
RESIDUAL_SCALE = 0.1
"""Scale of a residual branch at the start: without normalisation, eight full ones would blow the activations up."""


def _conv(inputs: int, outputs: int, *, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=dilation, dilation=dilation)
    nn.init.kaiming_normal_(conv.weight, a=SLOPE, nonlinearity="leaky_relu")
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def _activated(inputs: int, outputs: int, *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(_conv(inputs, outputs, stride=stride, dilation=dilation), nn.LeakyReLU(SLOPE))


def _output(inputs: int) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, 3, 3, padding=1)
    nn.init.xavier_normal_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


class ResidualBlock(nn.Module):
    """Two convolutions, the first one dilated, added to their input; nothing after the sum."""

    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = _activated(channels, channels, dilation=dilation)
        self.second = _conv(channels, channels)
        with torch.no_grad():
            self.second.weight.mul_(RESIDUAL_SCALE)

    def forward(self, features: Tensor) -> Tensor:
        branch: Tensor = self.second(self.first(features))
        return features + branch


class DownBlock(nn.Sequential):
    """Convolution, convolution, nearest down-sampling by 2.

    Keeping every second pixel of a convolution is that convolution with stride 2, at a quarter of the work.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(_activated(inputs, inputs), _activated(inputs, outputs, stride=2))


class UpBlock(nn.Sequential):
    """CARAFE, convolution, convolution; without CARAFE where `upsample` is false."""

    def __init__(self, inputs: int, outputs: int, *, upsample: bool = True) -> None:
        head = [CARAFE(inputs)] if upsample else []
        super().__init__(*head, _activated(inputs, outputs), _activated(outputs, outputs))


class CoarseNet(nn.Module):
    """Estimates the structure of the hole, section III-A.

    Three down-blocks, eight residual blocks whose first convolution has dilation 2, three up-blocks.
    """

    multiple = 8
    """Height and width must be multiples of this."""

    def __init__(self, config: TMADConfig) -> None:
        super().__init__()
        widths = config.coarse
        self.head = _activated(4, widths[0])
        self.down = nn.Sequential(*(DownBlock(*pair) for pair in itertools.pairwise(widths)))
        self.body = nn.Sequential(*(ResidualBlock(widths[-1], dilation=2) for _ in range(config.coarse_blocks)))
        self.up = nn.Sequential(*(UpBlock(*pair) for pair in itertools.pairwise(widths[::-1])))
        self.out = _output(widths[0])

    def forward(self, image: Tensor, mask: Tensor, on_part: Callable[[float], None] | None = None) -> Tensor:
        """The whole image anew.

        Args:
            image: (B, 3, H, W) in [-1, 1]; what it holds inside the hole is not looked at.
            mask: (B, 1, H, W), 1 in the hole.
            on_part: gets the share of the blocks that are done; what it raises stops the network.

        Returns:
            (B, 3, H, W), linear, not clamped.
        """
        mask = mask.to(image.dtype)
        features = torch.cat([image * (1 - mask), mask], dim=1)
        parts = [self.head, *self.down, *self.body, *self.up, self.out]
        for done, part in enumerate(parts, start=1):
            features = part(features)
            if on_part is not None:
                on_part(done / len(parts))
        return features


class TextureEncoder(nn.Module):
    """Encodes the retrieved patches of a cell, stacked in channels by rank ("FeatEnc" of table I)."""

    def __init__(self, config: TMADConfig) -> None:
        super().__init__()
        full, half, quarter = config.texture
        self.head = _activated(3 * config.top_k, full)
        self.down_half = DownBlock(full, half)
        self.down_quarter = DownBlock(half, quarter)
        self.body = nn.Sequential(*(ResidualBlock(quarter) for _ in range(config.texture_blocks)))

    def forward(self, retrieved: Tensor) -> tuple[Tensor, Tensor]:
        """(N, K, 3, p, p) → features (N, ·, p/2, p/2) and (N, ·, p/4, p/4)."""
        half = self.down_half(self.head(retrieved.flatten(1, 2)))
        return half, self.body(self.down_quarter(half))


class PSNet(nn.Module):
    """Synthesises patches from the coarse result with its neighbourhood and from retrieved textures, section III-C.

    The backbone sees the cell with `margin` pixels around it. After the residual blocks its features are cropped to
    the cell, so that neighbours are in the receptive field but only the cell is decoded. Two skip connections
    concatenate the texture encoder's features at 1/4 and 1/2 of the patch's resolution. Table I names three
    up-blocks against two down-blocks: the third one works at full resolution without up-sampling.
    """

    def __init__(self, config: TMADConfig) -> None:
        super().__init__()
        full, half, quarter = config.synthesis
        self.crop = config.margin // 4
        self.texture = TextureEncoder(config)
        self.head = _activated(3, full)
        self.down = nn.Sequential(DownBlock(full, half), DownBlock(half, quarter))
        self.body = nn.Sequential(*(ResidualBlock(quarter) for _ in range(config.synthesis_blocks)))
        self.up_half = UpBlock(quarter + config.texture[2], half)
        self.up_full = UpBlock(half + config.texture[1], full)
        self.smooth = UpBlock(full, full, upsample=False)
        self.out = _output(full)

    def forward(self, context: Tensor, retrieved: Tensor) -> Tensor:
        """Synthesised patches (N, 3, p, p), linear, not clamped.

        Args:
            context: (N, 3, p + 2·margin, p + 2·margin), the coarse composite around each cell, in [-1, 1].
            retrieved: (N, K, 3, p, p), the retrieved patches, best first, in [-1, 1].
        """
        texture_half, texture_quarter = self.texture(retrieved)
        features = self.body(self.down(self.head(context)))
        if self.crop:
            features = features[:, :, self.crop : -self.crop, self.crop : -self.crop]
        features = self.up_half(torch.cat([features, texture_quarter], dim=1))
        features = self.up_full(torch.cat([features, texture_half], dim=1))
        patches: Tensor = self.out(self.smooth(features))
        return patches
