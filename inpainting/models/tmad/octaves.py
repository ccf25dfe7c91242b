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

from inpainting.models.base import BoolMask

COARSE_DEPTH = 96
"""Deepest hole, in pixels from its farthest pixel to the known region, that the coarse network is given."""
COARSE_SIDE = 1024
"""Longest side of the coarse network's input."""
SMALLEST_SIDE = 16
"""No image is brought down below this for the sake of a hole's depth."""


def octaves_down(mask: BoolMask) -> int:
    """How often the sides are halved before the coarse network; `mask` is (H, W), True in the hole."""
    depth = float(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5).max())
    for_depth = math.ceil(math.log2(depth / COARSE_DEPTH)) if depth > COARSE_DEPTH else 0
    at_most = max(0, int(math.log2(max(1.0, min(mask.shape) / SMALLEST_SIDE))))
    for_memory = math.ceil(math.log2(max(1.0, max(mask.shape) / COARSE_SIDE)))
    return max(min(for_depth, at_most), for_memory)


def halved(image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """One octave down: (1, 3, H, W) and (1, 1, H, W) → half the size, rounded up.

    Each pixel is the mean of the *known* ones among its four; it is hole only where none of them is known.
    """
    down, right = image.shape[-2] % 2, image.shape[-1] % 2
    known = F.pad(1 - mask, (0, right, 0, down))
    share = F.avg_pool2d(known, 2)
    mean = F.avg_pool2d(F.pad(image, (0, right, 0, down)) * known, 2) / share.clamp_min(0.25)
    return mean, (share == 0).to(mask.dtype)


def doubled(image: Tensor, height: int, width: int) -> Tensor:
    """One octave up: (1, 3, ⌈height/2⌉, ⌈width/2⌉) → (1, 3, height, width), bicubic, in [-1, 1]."""
    up = F.interpolate(image, scale_factor=2, mode="bicubic", align_corners=False)
    return up[:, :, :height, :width].clamp(-1, 1)
