"""How far a photo is brought down before its structure is estimated, and the way back up.

T-MAD was published for 256×256 images with holes up to 128×128. A larger hole is first filled at the scale at which it
is about that deep; the result is then brought up octave by octave, and PSNet, which takes any estimate as its input,
synthesises the textures of each octave from that octave's own known pixels.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from torch import Tensor
from torch.nn import functional as F

from inpainting.layers.blending import Area
from inpainting.models.base import BoolMask

COARSE_DEPTH = 96
"""Deepest hole, in pixels from its farthest pixel to the known region, that the coarse network is given."""
COARSE_SIDE = 1024
"""Longest side of the coarse network's input."""
SMALLEST_SIDE = 16
"""No image is brought down below this for the sake of a hole's depth."""
ROWS = 512
"""Rows that are halved at a time; even."""
REACH = 3
"""Pixels of the small picture around an area that its bicubic enlargement may look at."""


def octaves_down(mask: BoolMask) -> int:
    """How often the sides are halved before the coarse network; `mask` is (H, W), True in the hole."""
    depth = float(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5).max())
    for_depth = math.ceil(math.log2(depth / COARSE_DEPTH)) if depth > COARSE_DEPTH else 0
    at_most = max(0, int(math.log2(max(1.0, min(mask.shape) / SMALLEST_SIDE))))
    for_memory = math.ceil(math.log2(max(1.0, max(mask.shape) / COARSE_SIDE)))
    return max(min(for_depth, at_most), for_memory)


def hole_area(mask: Tensor) -> Area:
    """The smallest area that holds the hole of `mask` (1, 1, H, W); an empty one where there is none."""
    rows, columns = mask[0, 0].any(1).nonzero(), mask[0, 0].any(0).nonzero()
    if not len(rows):
        return (0, 0, 0, 0)
    return (int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def halved(image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """One octave down: (1, 3, H, W) and (1, 1, H, W) → half the size, rounded up.

    Each pixel is the mean of the *known* ones among its four; it is hole only where none of them is known. Some rows
    are worked on at a time, so that a large photo needs little more memory than its half.
    """
    height, width = image.shape[-2:]
    size = ((height + 1) // 2, (width + 1) // 2)
    small, small_mask = image.new_empty(1, image.shape[1], *size), mask.new_empty(1, 1, *size)
    for first in range(0, height, ROWS):
        rows = slice(first, min(first + ROWS, height))
        edges = (0, width % 2, 0, (rows.stop - first) % 2)
        known = F.pad(1 - mask[..., rows, :], edges)
        share = F.avg_pool2d(known, 2)
        mean = F.avg_pool2d(F.pad(image[..., rows, :], edges) * known, 2) / share.clamp_min(0.25)
        half = slice(first // 2, (rows.stop + 1) // 2)
        small[..., half, :] = mean
        small_mask[..., half, :] = (share == 0).to(mask.dtype)
    return small, small_mask


def doubled(image: Tensor, height: int, width: int, area: Area | None = None) -> Tensor:
    """One octave up: (1, 3, ⌈height/2⌉, ⌈width/2⌉) → (1, 3, height, width), bicubic, in [-1, 1].

    With an `area` of the large picture, only that part of it is made.
    """
    top, left, bottom, right = area or (0, 0, height, width)
    first_row, first_column = max(0, top // 2 - REACH), max(0, left // 2 - REACH)
    part = image[..., first_row : (bottom + 1) // 2 + REACH, first_column : (right + 1) // 2 + REACH]
    up = F.interpolate(part, scale_factor=2, mode="bicubic", align_corners=False)
    rows = slice(top - 2 * first_row, bottom - 2 * first_row)
    return up[:, :, rows, left - 2 * first_column : right - 2 * first_column].clamp(-1, 1)
