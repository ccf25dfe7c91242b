"""The scales that a crop is filled at, coarse to fine."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from inpainting.layers.padding import pad_to_multiple

COARSEST_SIDE = 128
"""The coarsest scale's long side is at most this, as in the paper, where a 512 px photo has three scales."""
MULTIPLE = 8
"""Sides are padded to a multiple of relu4_1's stride, so that no pixel is left out by a pooling."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The crop at one scale, padded."""

    photo: Tensor
    """(1, 3, H, W) in [0, 1]; zero in the hole."""
    hole: Tensor
    """(H, W) bool. Padding mirrors the photo; a mirrored hole pixel is a hole pixel."""
    size: tuple[int, int]
    """Height and width without the padding."""

    def positions_off_photo(self, stride: int) -> Tensor:
        """Which positions (h, w) of a feature map with `stride` read padding: those have no place in the photo."""
        rows = torch.arange(self.hole.shape[0] // stride, device=self.hole.device) >= self.size[0] // stride
        columns = torch.arange(self.hole.shape[1] // stride, device=self.hole.device) >= self.size[1] // stride
        return rows[:, None] | columns

    def with_fill(self, fill: Tensor) -> Tensor:
        """The photo with `fill` (1, 3, H, W) in its hole."""
        return torch.where(self.hole, fill, self.photo)

    def with_hole_pixels(self, pixels: Tensor) -> Tensor:
        """The photo with `pixels` (1, 3, n) in its hole, row by row."""
        whole = self.photo.clone()
        whole[..., self.hole] = pixels
        return whole

    def without_padding(self, picture: Tensor) -> Tensor:
        """`picture` (…, H, W) cut to `size`."""
        return picture[..., : self.size[0], : self.size[1]]


def scale_count(height: int, width: int) -> int:
    """Scales of a crop: each halves the one before until the long side is at most `COARSEST_SIDE`."""
    return max(0, math.ceil(math.log2(max(height, width) / COARSEST_SIDE))) + 1


def make_pyramid(photo: Tensor, hole: Tensor) -> list[Scale]:
    """The scales of a photo (1, 3, H, W) in [0, 1] with its `hole` (H, W) bool, coarsest first.

    Sides are halved rounding up; a coarse pixel is hole where any of its pixels is, so nothing of the hole's content
    gets into known pixels, and the hole never shrinks. Scales at which nothing would be known are left out.
    """
    photo = photo.masked_fill(hole, 0.0)
    scales = [_padded(photo, hole)]
    for _ in range(scale_count(*hole.shape) - 1):
        photo, hole = _halved(photo, hole)
        if bool(hole.all()):
            break
        scales.append(_padded(photo, hole))
    return scales[::-1]


def halved_hole(hole: Tensor) -> Tensor:
    """(⌈H/2⌉, ⌈W/2⌉): hole where any of the up to four pixels is."""
    return F.max_pool2d(hole[None, None].float(), 2, ceil_mode=True)[0, 0] > 0.5


def enlarged(picture: Tensor, scale: Scale) -> Tensor:
    """`picture` (1, 3, h, w), a fill of the scale half as fine without padding, as a start for `scale`, padded."""
    height, width = scale.size
    # Twice the size and not `size` itself: with odd sides pixel centres would drift.
    large = F.interpolate(picture, scale_factor=2, mode="bilinear", align_corners=False)[..., :height, :width]
    return pad_to_multiple(large, MULTIPLE)


def reduced_to(picture: Tensor, count: int) -> Tensor:
    """`picture` (1, 3, H, W) halved `count` times, rounding sides up; each pixel the mean of those it covers."""
    for _ in range(count):
        picture = F.avg_pool2d(picture, 2, ceil_mode=True, count_include_pad=False)
    return picture


def _halved(photo: Tensor, hole: Tensor) -> tuple[Tensor, Tensor]:
    smaller = halved_hole(hole)
    # Pixels that stay known cover known pixels only, so a plain mean is right for them.
    return F.avg_pool2d(photo, 2, ceil_mode=True, count_include_pad=False).masked_fill(smaller, 0.0), smaller


def _padded(photo: Tensor, hole: Tensor) -> Scale:
    padded = pad_to_multiple(torch.cat([photo, hole.to(photo)[None, None]], dim=1), MULTIPLE)
    return Scale(padded[:, :3].contiguous(), padded[0, 3] > 0.5, (hole.shape[0], hole.shape[1]))
